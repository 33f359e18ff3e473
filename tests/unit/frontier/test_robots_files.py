"""robots.txt as servers send it: damaged, enormous, hostile, late or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier import robots
from crawler.models import MAX_ROBOTS_BYTES
from tests.unit.frontier.robots_rules import AGENT, SITE, rules, verdicts

# Files as they come ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\r\r\n"])
def test_all_line_ends_are_the_same(end: str) -> None:
    # scenario 59
    body = end.join(["User-agent: a", "Allow: /x", "User-agent: Harvester", "", "Disallow: /"])
    assert not robots.parse(body.encode(), AGENT).allows(f"{SITE}/b")
    assert not robots.parse((body + end).encode(), AGENT).allows(f"{SITE}/b")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xef\xbb", b"\xef"])
def test_a_byte_order_mark_is_skipped_even_a_broken_one(mark: bytes) -> None:
    # scenario 59
    assert not robots.parse(mark + rules("Disallow: /"), AGENT).allows(f"{SITE}/a")


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\x11\xbf" + rules("Disallow: /"),
        b"User-agent: Harvester\n\xef\xbb\xbfDisallow: /\n",
    ],
    ids=["not a mark", "not at the beginning"],
)
def test_other_bytes_before_a_field_name_spoil_the_line(body: bytes) -> None:
    assert robots.parse(body, AGENT).allows(f"{SITE}/a")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_read_as_far_as_it_is_ascii(encoding: str) -> None:
    # scenario 59
    body = "User-agent: *\r\nDisallow: /private\r\n".encode(encoding)
    assert verdicts(body, "/private /open") == {"/private": False, "/open": True}


def test_a_page_served_as_robots_has_no_rules() -> None:
    # scenario 59
    body = b"<!doctype html><html><head><title>User-agent: *</title></head>\n<body><p>Disallow: /</p>\n</body></html>"
    assert robots.parse(body, AGENT).allows(f"{SITE}/a")


def test_what_follows_500_kib_is_not_read() -> None:
    # scenario 56
    head = rules("Disallow: /a")
    filler = b"#" + b"x" * 78 + b"\n"
    body = head + filler * (50 * 1024 * 1024 // len(filler)) + b"Disallow: /b\n"
    assert verdicts(body, "/a /b") == {"/a": False, "/b": True}


def test_the_line_at_the_500_kib_border_is_left_out_whole() -> None:
    """Half of `Disallow: /private/letters` would refuse all of /private."""  # scenario 56
    head = rules("Disallow: /a")
    line = b"Disallow: /private/letters\n"
    filler = b"#" + b"x" * (MAX_ROBOTS_BYTES - len(head) - 2 - len(b"Disallow: /private")) + b"\n"
    body = head + filler + line
    assert body[:MAX_ROBOTS_BYTES].endswith(b"\nDisallow: /private")
    assert verdicts(body, "/a /private/x") == {"/a": False, "/private/x": True}


def test_a_file_that_ends_at_the_border_is_read_to_its_end() -> None:
    # scenario 56
    head, last = rules(), b"Disallow: /b"
    body = head + b"#" * (MAX_ROBOTS_BYTES - len(head) - len(last) - 1) + b"\n" + last
    assert len(body) == MAX_ROBOTS_BYTES
    assert not robots.parse(body, AGENT).allows(f"{SITE}/b")
    assert not robots.parse(body + b"\n" + b"x" * 100, AGENT).allows(f"{SITE}/b")


def test_one_line_of_5_mb_is_cut_and_counts() -> None:
    # scenario 56
    long = "/" + "a" * 5_000_000
    assert verdicts(rules(f"Disallow: {long}"), "/a /b")["/b"]
    assert not robots.parse(rules(f"Disallow: {long}"), AGENT).allows(SITE + long[:20_000])


def test_long_lines_are_cut_and_the_rest_of_them_is_no_line() -> None:
    # scenario 56
    spaces = " " * robots.MAX_LINE_BYTES
    assert robots.parse(rules(f"Disallow:{spaces}/"), AGENT).allows(f"{SITE}/a")
    long = "/x/" + "a" * robots.MAX_LINE_BYTES
    refused = robots.parse(rules(f"Disallow: {long}/tail"), AGENT)
    assert refused.allows(f"{SITE}/other")
    assert not refused.allows(f"{SITE}{long}/another")
    allowed = robots.parse(rules("Disallow: /", f"Allow: {long}/tail"), AGENT)
    assert not allowed.allows(f"{SITE}/")
    assert allowed.allows(f"{SITE}{long}/another")


def test_rules_beyond_the_limit_are_not_kept() -> None:
    # scenario 58
    body = rules(*(f"Disallow: /{number}$" for number in range(robots.MAX_RULES + 5)))
    last = robots.MAX_RULES - 1
    assert verdicts(body, f"/{last} /{last + 1}") == {f"/{last}": False, f"/{last + 1}": True}


def test_wildcard_bombs_take_linear_work() -> None:
    """A matcher that backtracks would not end within the age of the universe."""  # scenario 58
    bombs = [f"Disallow: /{'*a' * 500}*{number}$" for number in range(20)] + ["Disallow: /" + "*" * 2000 + "z"]
    parsed = robots.parse(rules(*bombs), AGENT)
    assert parsed.allows(f"{SITE}/{'a' * 8000}b")
    assert not parsed.allows(f"{SITE}/{'a' * 8000}3")


def test_long_patterns_are_cut() -> None:
    pattern = "/" + "p" * (robots.MAX_PATTERN_CHARS - 1)
    parsed = robots.parse(rules(f"Disallow: {pattern}qqq"), AGENT)
    assert not parsed.allows(f"{SITE}{pattern}rrr")
    assert parsed.allows(SITE + pattern[:-1])


@given(st.binary(max_size=2000), st.text(max_size=50), st.text(max_size=200))
def test_no_bytes_are_an_error(body: bytes, agent: str, url: str) -> None:
    # scenario 59
    assert robots.parse(body, agent).allows(url) in (True, False)


_NOISE = st.lists(
    st.sampled_from(["user-agent", "*", "allow", "disallow", ":", " ", "/", "$", "a", "%", "\r", "\n", "#"])
)


@given(_NOISE.map("".join), st.text("/a*$%é?", max_size=30))
def test_no_arrangement_of_known_words_is_an_error(body: str, path: str) -> None:
    assert robots.parse(body.encode(), AGENT).allows(f"{SITE}/{path}") in (True, False)


# Crawl-delay and sitemaps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("10", 10.0),
        ("2.5", 2.5),
        (".5", 0.5),
        ("0", 0.0),
        ("1e9", 1e9),  # the politeness of the crawl decides what is too much
        ("7 # seconds", 7.0),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("1e999", None),
        ("ten", None),
        ("10s", None),
        ("", None),
        ("9" * 16_000, None),
    ],
)
def test_crawl_delay(value: str, delay: float | None) -> None:
    # scenario 60
    assert robots.parse(rules(f"Crawl-delay: {value}"), AGENT).crawl_delay == delay


def test_crawl_delay_is_that_of_our_own_group_and_the_longest_in_it() -> None:
    body = rules("Crawl-delay: 9", agent="*") + rules("Crawl-delay: 2", "Disallow: /x") + rules("Crawl-delay: 3")
    assert robots.parse(body, AGENT).crawl_delay == 3.0
    assert robots.parse(body, "Other").crawl_delay == 9.0
    assert robots.parse(rules("Crawl-delay: 9", agent="*") + rules("Disallow:"), AGENT).crawl_delay is None


def test_sitemaps_may_stand_anywhere_and_have_to_be_absolute() -> None:
    body = b"""Sitemap: https://shop.example/a.xml
User-agent: Other
SITEMAP:https://cdn.example/b.xml.gz # the big one
Sitemap: /relative.xml
Sitemap: ftp://shop.example/c.xml
Site-map: HTTPS://Shop.example:443/d.xml
Sitemap: https://shop.example/a.xml
Sitemap:
"""
    found = ("https://shop.example/a.xml", "https://cdn.example/b.xml.gz", "https://shop.example/d.xml")
    assert robots.parse(body, AGENT).sitemaps == found


def test_sitemaps_are_capped() -> None:
    # scenario 65
    body = b"".join(b"Sitemap: http://a.example/%d\n" % number for number in range(10_000))
    assert len(robots.parse(body, AGENT).sitemaps) == robots.MAX_SITEMAPS


# Answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_allowed", "is_unreachable"),
    [
        (200, False, False),
        (204, False, False),
        (301, True, False),  # one redirect too many
        (400, True, False),
        (401, True, False),
        (403, True, False),
        (404, True, False),
        (410, True, False),
        (429, False, True),
        (500, False, True),
        (503, False, True),
        (599, False, True),
        (None, False, True),
        (100, False, True),
        (999, False, True),
    ],
)
def test_what_an_answer_means(status: int | None, is_allowed: bool, is_unreachable: bool) -> None:
    # scenarios 52, 53, 54, 55
    answer = robots.from_answer(status, rules("Disallow: /"), AGENT)
    assert (answer.allows(f"{SITE}/a"), answer.is_unreachable) == (is_allowed, is_unreachable)


def test_an_empty_answer_allows_all() -> None:
    assert robots.from_answer(200, b"", AGENT).allows(f"{SITE}/a")


def test_a_host_without_rules_allows_all() -> None:
    assert robots.allow_all().allows(f"{SITE}/a")


def test_repr_tells_the_state() -> None:
    assert repr(robots.UNREACHABLE) == "<Robots unreachable, crawl_delay=None, 0 sitemaps>"
    assert repr(robots.parse(rules("Disallow: /a", "Allow: /*b"), AGENT)).startswith("<Robots 2 rules")

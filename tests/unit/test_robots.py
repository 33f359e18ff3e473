"""robots.txt: RFC 9309 and what Google's parser is known to take, as facts (scenarios 51 to 60)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier import robots

SITE = "http://shop.example"
AGENT = "Harvester"


def rules(*lines: str, agent: str = AGENT) -> bytes:
    return "".join(f"{line}\n" for line in (f"User-agent: {agent}", *lines)).encode()


def verdicts(body: bytes, paths: str, agent: str = AGENT) -> dict[str, bool]:
    parsed = robots.parse(body, agent)
    return {path: parsed.allows(SITE + path) for path in paths.split()}


def expected(allowed: str, refused: str) -> dict[str, bool]:
    return dict.fromkeys(allowed.split(), True) | dict.fromkeys(refused.split(), False)


# scenario 51: name of the fact, file, paths that are allowed, paths that are refused
FACTS = [
    ("an empty file allows all", b"", "/ /a", ""),
    ("a file for others allows all", rules("Disallow: /", agent="Other"), "/ /a", ""),
    ("one rule refuses all", rules("Disallow: /"), "", "/ /a/b?c"),
    ("names of no meaning are no rules", b"agent: Harvester\nforbid: /\n", "/a/b", ""),
    ("a space stands for a missing colon", b"user-agent Harvester\ndisallow /\n", "", "/a/b"),
    ("a tab stands for a missing colon", b"user-agent\tHarvester\ndisallow\t \t/\n", "", "/a/b"),
    ("a sentence is no rule", rules("disallow all of / please", "disallow"), "/a", ""),
    ("rules before any group are ignored", b"Disallow: /x\n" + rules("Disallow: /y"), "/x", "/y"),
    ("an empty Disallow allows all", rules("Disallow:", "Allow:"), "/ /a", ""),
    ("patterns tell case apart", rules("Disallow: /Cellar/"), "/cellar/a", "/Cellar/a"),
    ("the longer Disallow wins", rules("Allow: /x/", "Disallow: /x/page.html"), "/x/other", "/x/page.html"),
    ("the longer Allow wins", rules("Disallow: /x/", "Allow: /x/page.html"), "/x/page.html", "/x/"),
    ("Allow wins a tie of slashes", rules("Disallow: /", "Allow: /"), "/x", ""),
    ("Allow wins a tie of pages", rules("Allow: /x/page.html", "Disallow: /x/page.html"), "/x/page.html", ""),
    ("Allow wins a tie between a plain pattern and a wildcard", rules("Disallow: /abc", "Allow: /a*c"), "/abc", ""),
    ("Disallow wins with a longer wildcard", rules("Allow: /ab", "Disallow: /a*c"), "/ab", "/abc"),
    ("a closing slash makes a pattern longer", rules("Disallow: /x", "Allow: /x/"), "/x/ /x/y", "/x /xy"),
    ("a wildcard's length counts", rules("Allow: /page", "Disallow: /*.html"), "/page", "/page.html"),
    ("a longer prefix beats a wildcard", rules("Allow: /x/page.", "Disallow: /*.html"), "/x/page.html", "/x/y.html"),
    ("the order of rules does not matter", rules("Allow: /p", "Disallow: /"), "/page", "/other"),
    ("Allow wins a tie of folders", rules("Allow: /folder", "Disallow: /folder"), "/folder/page", ""),
    ("a longer wildcard beats Allow", rules("Allow: /page", "Disallow: /*.htm"), "", "/page.htm"),
    ("only the start page", rules("Allow: /$", "Disallow: /"), "/", "/page.html /?a"),
    (
        "a pattern is a prefix",
        rules("Disallow: /", "Allow: /cod"),
        "/cod /cod.html /cod/fillet.html /codfather /codfather/part.html /cod.php?id=any",
        "/bar /Cod.asp /norcod /?id=cod",
    ),
    (
        "a closing star adds nothing",
        rules("Disallow: /", "Allow: /cod*"),
        "/cod /cod.html /cod/fillet.html /codfather /codfather/part.html /cod.php?id=any",
        "/bar /Cod.bar /norcod /?id=cod",
    ),
    (
        "a folder is not the page of its name",
        rules("Disallow: /", "Allow: /cod/"),
        "/cod/ /cod/fillet /cod/?fillet /cod/fillet.htm /cod/?id=any",
        "/bar /cod /cod.html /Cod/Fillet.asp",
    ),
    (
        "a star stands for anything, nothing and slashes included",
        rules("Disallow: /", "Allow: /*.php"),
        "/name.php /a/name.php /a/name.php?args //a/any.php.file.html /name.php/ /index?f=name.php/ /.php",
        "/bar /php/ /index?php /windows.PHP",
    ),
    (
        "a dollar sign ends the URL",
        rules("Disallow: /", "Allow: /*.php$"),
        "/name.php /a/name.php /a.php.php",
        "/bar /name.php?args /name.php/ /name.php5 /php/ /name?php /aaaphpaaa //windows.PHP",
    ),
    (
        "a star in the middle",
        rules("Disallow: /", "Allow: /cod*.php"),
        "/cod.php /codfather/norcod.php?args",
        "/bar /Cod.PHP",
    ),
    ("a star between slashes", rules("Disallow: /a/b/q", "Allow: /a/*/z"), "/a/q /a//q /a/x/q", "/a/b/q"),
    ("a dollar sign behind a plain path", rules("Disallow: /a/b$"), "/a/b/ /a/b/c /a/bc", "/a/b"),
    ("a dollar sign elsewhere is itself", rules("Disallow: /a$b"), "/a /ab", "/a$b /a%24bc"),
    ("an anchored tail must not overlap", rules("Disallow: /ab*bc$"), "/abc", "/abbc /abxbc"),
    ("comments are cut", rules("# Disallow: /", "Disallow: /a/q#z", "Allow: /"), "/a/b", "/a/q /a/qz"),
    ("a comment can swallow a rule", rules("Disallow # : /", "Disa#llow: /"), "/a", ""),
    ("a pattern without a slash matches nothing", rules("Disallow: private"), "/private", ""),
    ("a pattern may begin with a star", rules("Disallow: *.gif$"), "/a.gift", "/a.gif"),
    (
        "whoever allows the index file allows the folder",
        rules("Allow: /shelf/index.html", "Disallow: /"),
        "/shelf/ /shelf/index.html",
        "/shelf/index.htm /shelf /other",
    ),
    ("the query belongs to the pattern", rules("Disallow: /*?", "Allow: /*?$"), "/a /a?", "/a?b"),
    (
        "a URL within a query stays as it is",
        rules("Disallow: /", "Allow: /a?b=c&d=http://e.f?g&h"),
        "/a?b=c&d=http://e.f?g&h",
        "/a?b",
    ),
    ("robots.txt itself is always allowed", rules("Disallow: /"), "/robots.txt", "/robots.txt.bak"),
]


@pytest.mark.parametrize(("body", "allowed", "refused"), [fact[1:] for fact in FACTS], ids=[fact[0] for fact in FACTS])
def test_rules(body: bytes, allowed: str, refused: str) -> None:
    # scenario 51
    assert verdicts(body, f"{allowed} {refused}") == expected(allowed, refused)


GROUPS = b"""\
Allow: /foo/

User-agent: One
Disallow: /
Allow: /x/
User-agent: Two
Disallow: /
Allow: /y/


Allow: /w/
User-agent: Three

User-agent: One
Allow: /z/
Disallow: /
"""


@pytest.mark.parametrize(
    ("agent", "allowed", "refused"),
    [
        ("One", "/x/b /z/d", "/y/c /foo/bar/ /w/a"),  # both of its groups count, and no line before the first
        ("Two", "/y/c /w/a", "/z/d /x/b /foo/bar/"),  # empty lines end nothing
        ("Three", "/z/d", "/foo/bar/ /x/b"),  # it shares the rules of the agent that follows
        ("Four", "/x/b /y/c /foo/bar/", ""),
    ],
)
def test_groups_of_one_agent_are_merged(agent: str, allowed: str, refused: str) -> None:
    # scenario 51
    assert verdicts(GROUPS, f"{allowed} {refused}", agent) == expected(allowed, refused)


@pytest.mark.parametrize("agent", ["Harvester", "harvester", "HARVESTER"])
@pytest.mark.parametrize("spelling", [str.upper, str.lower, str.title, str.swapcase])
def test_field_names_and_agents_have_no_case(spelling: object, agent: str) -> None:
    lines = b"".join(
        f"{spelling(name)}: {value}\n".encode()  # type: ignore[operator]
        for name, value in (("User-Agent", "HarVester two"), ("Allow", "/x/"), ("Disallow", "/"))
    )
    assert verdicts(lines, "/x/y /a/b", agent) == {"/x/y": True, "/a/b": False}


@pytest.mark.parametrize(
    ("line", "agent", "is_obeyed"),
    [
        ("Harvester", "Harvester/2.1", True),
        ("Harvester", "Harvester/2.1 (+https://harvester.example/)", True),
        ("Harvester/1.0", "Harvester/2.1", True),
        ("Harvester Images", "Harvester", True),  # a token ends at the first character that cannot be in one
        ("Harvester-Images", "Harvester", False),
        ("Harvester", "Harvester-Images", False),
        ("Harvester_News", "harvester_news", True),
        ("Harvest", "Harvester", False),
        ("*Harvester", "Harvester", False),
        ("ツ", "Harvester", False),
        ("ツ", "ツ", False),  # no token, no group of its own
        ("", "", False),
        ("Harvester", "", False),
        ("*", "Harvester", True),
        ("*", "", True),
        ("* all of them", "Harvester", True),
        ("*\tall", "Harvester", True),
    ],
)
def test_the_agent_token_chooses_the_group(line: str, agent: str, is_obeyed: bool) -> None:
    # scenario 51
    parsed = robots.parse(rules("Disallow: /", agent=line), agent)
    assert parsed.allows(f"{SITE}/a") is not is_obeyed


@pytest.mark.parametrize(
    ("body", "agent", "is_allowed"),
    [
        (rules("Allow: /", agent="*") + rules("Disallow: /"), "Harvester", False),
        (rules("Allow: /", agent="*") + rules("Disallow: /"), "Other", True),
        (rules("Disallow: /", agent="*") + rules("Disallow:"), "Harvester", True),
        (rules("Disallow: /x", agent="*") + rules("Disallow: /y"), "Harvester", True),
        (rules("Disallow: /x", agent="*") + rules("Disallow: /y"), "Other", False),
        (rules(agent="Harvester") + rules("Disallow: /", agent="*"), "Harvester", False),  # one group, two agents
        (rules("Disallow: /", agent="*") + rules(agent="Harvester"), "Harvester", True),  # named last, no rule
    ],
)
def test_the_group_for_all_counts_only_without_one_of_our_own(body: bytes, agent: str, is_allowed: bool) -> None:
    assert robots.parse(body, agent).allows(f"{SITE}/x/page") is is_allowed


@pytest.mark.parametrize("field", ["Sitemap: https://shop.example/s.xml", "Host: shop.example", "Noindex: /", "junk"])
def test_lines_that_are_no_rules_end_no_group(field: str) -> None:
    body = f"User-agent: Harvester\n{field}\nUser-agent: Other\nDisallow: /\n".encode()
    assert not robots.parse(body, "Harvester").allows(f"{SITE}/a")


def test_a_crawl_delay_is_a_rule_and_closes_the_list_of_agents() -> None:
    """A site that slows everyone and bans one crawler behind that has not banned everyone."""
    parsed = robots.parse(b"User-agent: *\nCrawl-delay: 10\n\nUser-agent: Bad\nDisallow: /\n", AGENT)
    assert (parsed.allows(f"{SITE}/a"), parsed.crawl_delay) == (True, 10.0)


@pytest.mark.parametrize("name", ["disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw", "DISALOW"])
def test_misspelt_disallow_is_understood(name: str) -> None:
    assert not robots.parse(rules(f"{name}: /"), AGENT).allows(f"{SITE}/a")


@pytest.mark.parametrize("name", ["user-agent", "useragent", "user agent", "User-Agents"])
def test_misspelt_user_agent_is_understood(name: str) -> None:
    assert not robots.parse(f"{name}: Harvester\ndisallow: /\n".encode(), AGENT).allows(f"{SITE}/a")


# Percent-encoding ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["/menu/ツ", "/menu/%E3%83%84", "/menu/%e3%83%84"])
@pytest.mark.parametrize("url", ["/menu/ツ", "/menu/%E3%83%84", "/menu/%e3%83%84/x"])
def test_one_character_in_three_spellings_is_one_character(pattern: str, url: str) -> None:
    assert robots.parse(rules("Disallow: /", f"Allow: {pattern}"), AGENT).allows(SITE + url)


@pytest.mark.parametrize(
    ("pattern", "url", "is_match"),
    [
        ("/a/%62%61%7A", "/a/baz", True),  # escapes of unreserved characters mean the characters
        ("/a/baz", "/a/%62%61%7a", True),
        ("/~home", "/%7Ehome", True),
        ("/a%2fb", "/a%2Fb", True),
        ("/a%2Fb", "/a/b", False),  # those of reserved ones do not
        ("/a/b", "/a%2Fb", False),
        ("/a%3Fb", "/a?b", False),
        ("/a b", "/a%20b", True),
        ("/a|{b}", "/a%7C%7Bb%7D", True),
        ("/file-%2A.html", "/file-*.html", True),  # an escaped star is a star, and no wildcard
        ("/file-%2A.html", "/file-x.html", False),
        ("/price%24", "/price$", True),
        ("/price%24", "/price$100", True),
        ("/50%", "/50%", True),
        ("/50%/", "/50%25/", False),
        ("/caf\xe9", "/caf%C3%A9", True),
    ],
)
def test_escapes_are_compared_by_meaning(pattern: str, url: str, is_match: bool) -> None:
    # scenario 51
    assert robots.parse(rules(f"Disallow: {pattern}"), AGENT).allows(SITE + url) is not is_match


def test_bytes_that_are_not_utf8_match_their_escapes() -> None:
    assert not robots.parse(b"User-agent: *\nDisallow: /caf\xe9\n", AGENT).allows(f"{SITE}/caf%E9")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("", "/"),
        (SITE, "/"),
        (f"{SITE}/", "/"),
        (f"{SITE}/a", "/a"),
        (f"{SITE}/a/", "/a/"),
        (f"{SITE}?a", "/?a"),
        (f"{SITE}#a/b", "/"),
        (f"{SITE}/a/b?c=http://d.e/", "/a/b?c=http://d.e/"),
        (f"{SITE}/a/b?c=d&e=f#part", "/a/b?c=d&e=f"),
        ("https://shop.example:8443/a", "/a"),
        ("shop.example", "/"),
        ("shop.example/", "/"),
        ("shop.example/a", "/a"),
        ("shop.example/a/b?c=d&e=f#part", "/a/b?c=d&e=f"),
        ("shop.example?a", "/?a"),
        ("shop.example/a;b#c", "/a;b"),
        ("a", "/"),
        ("a/", "/"),
        ("/a", "/a"),
        ("a/b", "/b"),
        ("//a/b/c", "/b/c"),
    ],
)
def test_path_and_query_of_any_spelling_of_a_url(url: str, path: str) -> None:
    """Only the pattern that is exactly the path refuses the URL."""
    assert not robots.parse(rules("Allow: /", f"Disallow: {path}$"), AGENT).allows(url)


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
    filler = b"#" + b"x" * (robots.MAX_FILE_BYTES - len(head) - 2 - len(b"Disallow: /private")) + b"\n"
    body = head + filler + line
    assert body[: robots.MAX_FILE_BYTES].endswith(b"\nDisallow: /private")
    assert verdicts(body, "/a /private/x") == {"/a": False, "/private/x": True}


def test_a_file_that_ends_at_the_border_is_read_to_its_end() -> None:
    # scenario 56
    head, last = rules(), b"Disallow: /b"
    body = head + b"#" * (robots.MAX_FILE_BYTES - len(head) - len(last) - 1) + b"\n" + last
    assert len(body) == robots.MAX_FILE_BYTES
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


_PATTERN = st.text("ab*$/", max_size=8)


def _matches(pattern: str, path: str) -> bool:
    """The matcher as its definition reads: slow, and plainly right."""
    if not pattern:
        return True
    if pattern == "$":
        return not path
    if pattern[0] == "*":
        return any(_matches(pattern[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and pattern[0] == path[0] and _matches(pattern[1:], path[1:])


@given(st.lists(st.tuples(st.booleans(), _PATTERN), max_size=6), st.text("ab$/", max_size=8))
def test_verdicts_agree_with_the_definition(pairs: list[tuple[bool, str]], path: str) -> None:
    """The longest matching pattern decides, and Allow wins a tie."""
    # scenario 51
    lines = [f"{'Allow' if allow else 'Disallow'}: /{pattern}" for allow, pattern in pairs]
    matching = [(len(pattern), allow) for allow, pattern in pairs if _matches(f"/{pattern}", f"/{path}")]
    assert robots.parse(rules(*lines), AGENT).allows(f"{SITE}/{path}") is max(matching, default=(0, True))[1]


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


def test_all_and_nothing() -> None:
    assert robots.allow_all().allows(f"{SITE}/a")
    assert not robots.refuse_all().allows(f"{SITE}/a")
    assert not robots.refuse_all().is_unreachable


def test_repr_tells_the_state() -> None:
    assert repr(robots.UNREACHABLE) == "<Robots unreachable, crawl_delay=None, 0 sitemaps>"
    assert repr(robots.parse(rules("Disallow: /a", "Allow: /*b"), AGENT)).startswith("<Robots 2 rules")

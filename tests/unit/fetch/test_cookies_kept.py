"""How long cookies are kept, how many, and how dates are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from crawler.fetch.dial.cookies import MAX_COOKIES, MAX_SENT_BYTES, CookieJar, read_date
from tests.unit.fetch.jars import NOW, PAGE, jar_of, sent


@pytest.mark.parametrize(
    ("attributes", "lives_s"),
    [
        ("", None),
        ("Max-Age=60", 60),
        ("Max-Age=0", 0),
        ("Max-Age=-1", 0),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", 60),
        ("Max-Age=soon; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Expires=Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Expires=never", None),
        ("Max-Age=1e9", None),
        ("Max-Age=+60", None),
        ("Max-Age=" + "9" * 1000, None),
        ("Max-Age=-" + "9" * 1000, 0),
        ("Max-Age=" + "9" * 5000, None),
        ("Max-Age=60; Max-Age=0", 0),
    ],
)
def test_a_cookie_lives_as_long_as_it_was_told_to(attributes: str, lives_s: float | None) -> None:
    """Max-Age counts before Expires, junk in either does not count, and numbers of any length are numbers."""
    jar = jar_of(f"a=b; {attributes}")
    assert (sent(jar) is None) is (lives_s == 0)
    if lives_s:
        assert sent(jar, now=NOW + lives_s - 1) == "a=b"
        assert sent(jar, now=NOW + lives_s) is None
    if lives_s is None:
        assert sent(jar, now=NOW * 2) == "a=b"


def test_an_end_in_the_past_takes_a_cookie_back() -> None:
    jar = jar_of("a=1; Path=/", "b=2; Path=/")
    jar.learn(PAGE, ["a=; Path=/; Max-Age=0", "b=; Path=/shop; Max-Age=0"], NOW)
    assert (sent(jar), len(jar)) == ("b=2", 1)
    jar.learn(PAGE, ["b=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], NOW)
    assert (sent(jar), len(jar)) == (None, 0)


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 09 Jun 2021 10:18:14 GMT",
        "Wednesday, 09-Jun-21 10:18:14 GMT",
        "Wed Jun  9 10:18:14 2021",
        "Wed, 09-Jun-2021 10:18:14",
        "9 June 2021 10:18:14 UTC",
        "2021 10:18:14 Jun 09",
        "JUNE/9/2021,10:18:14.512+0200",
        "09Jun 9 Jun 2021 10:18:14z",
        "10:18:14 09 Jun 2021 11:00:00 10 Jul 2022",
        "\xff 09 Jun 21 10:18:14",
    ],
)
def test_a_date_is_read_in_every_common_way(text: str) -> None:
    """The zone is always taken as UTC, and of each part the first counts."""
    assert read_date(text) == datetime(2021, 6, 9, 10, 18, 14, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "1623233894",
        "tomorrow",
        "09 Jun 2021",
        "Jun 2021 10:18:14",
        "09 2021 10:18:14",
        "09 Jun 10:18:14",
        "09 Jun 2021 24:00:00",
        "09 Jun 2021 10:60:00",
        "09 Jun 2021 10:18:60",
        "09 Jun 2021 10:18",
        "09 Jun 2021 10:18:140",
        "31 Jun 2021 10:18:14",
        "29 Feb 2021 10:18:14",
        "00 Jun 2021 10:18:14",
        "009 Jun 2021 10:18:14",
        "09 Jun 20211 10:18:14",
        "09 Jun 1600 10:18:14",
        "²9 Jun 2021 10:18:14",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert read_date(text) is None


@pytest.mark.parametrize(("year", "meant"), [("70", 1970), ("99", 1999), ("00", 2000), ("69", 2069), ("1601", 1601)])
def test_short_years_are_those_around_ours(year: str, meant: int) -> None:
    assert read_date(f"01 Jan {year} 00:00:00") == datetime(meant, 1, 1, tzinfo=UTC).timestamp()


def test_of_one_answer_fifty_cookies_are_taken() -> None:
    # scenario 67
    jar = jar_of(*(f"c{number}=x" for number in range(100_000)))
    assert len(jar) == 50
    jar = jar_of(*["junk"] * 50, "a=b")
    assert len(jar) == 0


def test_a_cookie_has_four_kilobytes_and_its_field_eight() -> None:
    # scenario 67
    assert sent(jar_of("a=" + "x" * 4095)) == "a=" + "x" * 4095
    assert len(jar_of("a=" + "x" * 4096)) == 0
    assert len(jar_of("a=" + "x" * 1_000_000)) == 0
    assert len(jar_of("a=b; " + "x;" * 4000)) == 1
    assert len(jar_of("a=b; " + "x;" * 5000)) == 0


def test_a_cookie_has_forty_attributes_at_most() -> None:
    # scenario 67
    assert sent(jar_of("a=b" + "; x" * 39 + "; Path=/only"), "https://www.example.com/only") == "a=b"
    assert sent(jar_of("a=b" + "; x" * 40 + "; Path=/only"), "https://www.example.com/only") is None


def test_an_attribute_of_more_than_a_kilobyte_does_not_count() -> None:
    # scenario 67
    assert sent(jar_of("a=b; Path=/" + "x" * 1500)) == "a=b"


def test_a_site_keeps_its_newest_180_cookies_whatever_its_subdomains_do() -> None:
    # scenario 67
    jar = CookieJar()
    for number in range(1000):
        jar.learn(f"https://h{number}.example.com/", [f"c{number}=x; Domain=example.com"], NOW)
    jar.learn("https://example.org/", ["other=site"], NOW)
    assert len(jar) == 181
    names = re.findall(r"c(\d+)=", sent(jar, "https://example.com/") or "")
    assert [int(name) for name in names] == list(range(820, 970))  # 150 of the 180 are sent


def test_expired_cookies_make_room_before_living_ones() -> None:
    # scenario 67
    jar = CookieJar()
    for number in range(180):
        jar.learn(PAGE, [f"c{number}=x; Max-Age={10 if 50 <= number < 100 else 1000}"], NOW)
    jar.learn(PAGE, ["new=x"], NOW + 20)
    assert len(jar) == 131
    assert (sent(jar, now=NOW + 20) or "").startswith("c0=x; c1=x")


def test_all_sites_together_keep_three_thousand_and_the_site_unused_for_longest_goes_first() -> None:
    # scenario 67
    jar = CookieJar()
    for number in range(100):
        for start in range(0, 100, 50):
            jar.learn(f"https://s{number}.test/", [f"c{start + each}=x" for each in range(50)], NOW)
        sent(jar, "https://s0.test/")
    assert len(jar) == MAX_COOKIES
    with_cookies = [number for number in range(100) if sent(jar, f"https://s{number}.test/")]
    assert with_cookies == [0, *range(71, 100)]


def test_what_is_sent_is_limited_in_number_and_size() -> None:
    # scenario 67
    jar = CookieJar()
    for start in range(0, 150, 50):
        jar.learn(PAGE, [f"c{start + each}={'x' * 500}" for each in range(50)], NOW)
    assert MAX_SENT_BYTES - 600 < len(sent(jar) or "") <= MAX_SENT_BYTES

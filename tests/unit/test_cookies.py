"""What servers set is sent back to where it came from and to nobody else."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler import urls
from crawler.cookies import MAX_COOKIES, MAX_SENT_BYTES, CookieJar, read_date

NOW = 1_700_000_000.0
PAGE = "https://www.example.com/shop/cart"


def jar_of(*fields: str, url: str = PAGE) -> CookieJar:
    """A jar that has seen one answer with these Set-Cookie fields."""
    jar = CookieJar()
    jar.learn(url, fields, NOW)
    return jar


def sent(jar: CookieJar, url: str = PAGE, now: float = NOW) -> str | None:
    return jar.field(url, now)


@pytest.mark.parametrize(
    ("field", "pair"),
    [
        ("a=b", "a=b"),
        ("a=b; Path=/; HttpOnly; SameSite=Strict; Nonsense=1; =; ;;", "a=b"),
        ("  a \t=\t b  ; Path=/", "a=b"),
        ("a=", "a="),
        ("a=b=c==", "a=b=c=="),
        ('a="b, c"', 'a="b, c"'),
        ("a=b c", "a=b c"),
        ("a=b,c=d", "a=b,c=d"),
        ("Expires=1", "Expires=1"),
        ("a=\xc3\xbc", "a=ü"),
    ],
)
def test_a_pair_is_sent_back_as_it_was_set(field: str, pair: str) -> None:
    """Quotes and commas are part of a value; bytes above ASCII go back as the same bytes."""
    assert sent(jar_of(field)) == pair


@pytest.mark.parametrize(
    "field",
    ["", ";", "a", "=", "=b", " = b", "; a=b", "a\x00=b", "a=b\x01c", "a=b\tc", "a=\x7f", "a=\xff"],
)
def test_what_is_no_cookie_is_passed_over(field: str) -> None:
    """No name, a control character, or bytes that cannot be sent back as they came."""
    assert len(jar_of(field)) == 0


def test_what_was_passed_over_hides_nothing_behind_it() -> None:
    assert sent(jar_of("a\x01=b", "c=d", "=x", "e=f")) == "c=d; e=f"


@pytest.mark.parametrize(
    ("domain", "reaches"),
    [
        ("", ["www.example.com"]),
        ("example.com", ["www.example.com", "x.www.example.com", "example.com", "shop.example.com"]),
        (".EXAMPLE.com", ["www.example.com", "x.www.example.com", "example.com", "shop.example.com"]),
        ("www.example.com", ["www.example.com", "x.www.example.com"]),
    ],
)
def test_domain_widens_a_cookie_to_the_hosts_below(domain: str, reaches: list[str]) -> None:
    # scenario 68
    jar = jar_of(f"a=b; Path=/; Domain={domain}" if domain else "a=b; Path=/")
    hosts = ["www.example.com", "x.www.example.com", "example.com", "shop.example.com"]
    hosts += ["notexample.com", "www.example.com.evil.test", "example.org", "com", "wwwexample.com", "www.example.com."]
    assert {host for host in hosts if sent(jar, f"https://{host}/")} == set(reaches)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.com", "com"),
        ("www.example.com", ".com"),
        ("www.example.co.uk", "co.uk"),
        ("me.github.io", "github.io"),
        ("www.city.kawasaki.jp", "kawasaki.jp"),
        ("a.b.ck", "b.ck"),
        ("site-001.lab", "lab"),
        ("app.localhost", "localhost"),
        ("www.example.com", "other.com"),
        ("www.example.com", "ample.com"),
        ("www.example.com", "sub.www.example.com"),
        ("www.example.com", "www.example.com."),
        ("www.example.com", "example.com."),
        ("www.example.com.", "example.com"),
        ("www.example.com.", "example.com."),
        ("www.example.com", "..example.com"),
        ("www.example.com", "example.com/"),
        ("www.example.com", "example.com:443"),
        ("www.example.com", "*.example.com"),
        ("192.0.2.7", "0.2.7"),
        ("192.0.2.7", "192.0.2.8"),
        ("[2001:db8::1]", "::1"),
    ],
)
def test_a_domain_that_is_not_the_hosts_own_site_is_refused(host: str, domain: str) -> None:
    # scenario 66
    assert len(jar_of(f"a=b; Domain={domain}", url=f"http://{host}/")) == 0


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("github.io", "github.io"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", ".127.0.0.1"),
        ("[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_a_suffix_or_an_address_can_set_cookies_for_itself_alone(host: str, domain: str) -> None:
    # scenario 66
    jar = jar_of(f"a=b; Domain={domain}", url=f"http://{host}/")
    assert sent(jar, f"http://{host}/") == "a=b"
    if not host.startswith("["):
        assert sent(jar, f"http://x.{host}/") is None


@pytest.mark.parametrize("url", ["http://localhost/", "http://example.com/", "https://www.example.com:8443/", PAGE])
def test_a_cookie_stays_with_the_scheme_and_the_port_that_set_it(url: str) -> None:
    """Never from https to http, though it is not marked as secure, and never from one port to another."""
    # scenarios 25, 26
    scheme, host, port, _ = urls.split(url)
    attributes = f"; Domain={host}" if "." in host else ""
    jar = jar_of(f"a=b; Path=/{attributes}", url=url)
    others = {f"{other}://{host}:{number}/" for other in ("http", "https") for number in (80, 443, 8080, 8443)}
    reached = {other for other in map(urls.canonicalize, others) if sent(jar, other)}
    assert reached <= {urls.canonicalize(f"{scheme}://{host}:{port}/")}
    assert sent(jar, url) == "a=b"


def test_http_neither_sets_nor_replaces_nor_removes_what_https_set() -> None:
    # scenario 66
    jar = jar_of("a=secret; Secure; Path=/; Domain=example.com", "b=plain; Path=/")
    clear = "http://www.example.com/"
    jar.learn(clear, ["a=evil; Path=/; Domain=example.com", "b=evil; Path=/", "c=evil; Secure; Path=/"], NOW)
    assert sent(jar) == "a=secret; b=plain"
    assert sent(jar, clear) == "a=evil; b=evil"
    jar.learn(clear, ["a=; Max-Age=0; Path=/; Domain=example.com"], NOW)
    assert sent(jar) == "a=secret; b=plain"
    assert sent(jar, clear) == "b=evil"


@pytest.mark.parametrize(
    ("field", "is_set"),
    [
        ("__Host-a=b; Secure; Path=/", True),
        ("__Host-a=b; Path=/", False),
        ("__Host-a=b; Secure", False),
        ("__Host-a=b; Secure; Path=/shop", False),
        ("__host-a=b; Secure; Path=/; Domain=www.example.com", False),
        ("__Host-a=b; Secure; Path=/; Domain=", False),
        ("__Secure-a=b; Secure", True),
        ("__SECURE-a=b", False),
        ("__Secure-a=b; Domain=example.com; Secure", True),
    ],
)
def test_a_name_that_promises_something_keeps_it(field: str, is_set: bool) -> None:
    assert (len(jar_of(field)) == 1) is is_set
    assert len(jar_of(field, url="http://www.example.com/")) == 0


@pytest.mark.parametrize(
    ("page", "attribute", "path", "is_sent"),
    [
        ("/shop/cart", "", "/shop", True),
        ("/shop/cart", "", "/shop/", True),
        ("/shop/cart", "", "/shop/deep/er", True),
        ("/shop/cart", "", "/shopping", False),
        ("/shop/cart", "", "/", False),
        ("/shop/cart?x=/y/z", "", "/shop/x", True),
        ("/cart", "", "/other", True),
        ("/", "", "/a?b", True),
        ("/shop/cart", "Path=/", "/", True),
        ("/shop/cart", "Path=/a", "/a", True),
        ("/shop/cart", "Path=/a", "/a?q=/", True),
        ("/shop/cart", "Path=/a", "/ab", False),
        ("/shop/cart", "Path=/a/", "/a", False),
        ("/shop/cart", "Path=/a/", "/a/b", True),
        ("/shop/cart", "Path=relative", "/shop/x", True),
        ("/shop/cart", "Path=", "/shop/x", True),
        ("/shop/cart", "Path=/a; Path=/b", "/b", True),
        ("/shop/cart", "Path=/a; Path=/b", "/a", False),
    ],
)
def test_a_path_is_matched_by_whole_segments(page: str, attribute: str, path: str, is_sent: bool) -> None:
    jar = jar_of(f"a=b; {attribute}", url=f"https://example.com{page}")
    assert (sent(jar, f"https://example.com{path}") is not None) is is_sent


def test_longer_paths_come_first_and_then_older_cookies() -> None:
    jar = jar_of("a=1; Path=/", "b=2; Path=/shop", "c=3; Path=/", "d=4; Path=/shop/cart")
    jar.learn(PAGE, ["a=5; Path=/"], NOW)
    assert sent(jar) == "d=4; b=2; a=5; c=3"


def test_the_same_name_on_another_path_or_domain_is_another_cookie() -> None:
    jar = jar_of("a=1; Path=/", "a=2; Path=/shop", "a=3; Path=/; Domain=example.com", "a=4; Path=/")
    assert sent(jar) == "a=2; a=4; a=3"


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


def test_the_users_own_pairs_come_first_and_a_servers_newer_value_replaces_them() -> None:
    """What a server takes back again is sent as the user gave it."""
    jar = jar_of("session=new", "b=2")
    assert jar.field(PAGE, NOW, ("session=mine", "mine=1", "odd")) == "mine=1; odd; session=new; b=2"
    jar.learn(PAGE, ["session=; Max-Age=0"], NOW)
    assert jar.field(PAGE, NOW, ("session=mine", "mine=1")) == "session=mine; mine=1; b=2"
    assert CookieJar().field(PAGE, NOW, ("session=mine",)) == "session=mine"
    assert jar.field(PAGE, NOW, ("mine=" + "x" * MAX_SENT_BYTES,)) == "mine=" + "x" * MAX_SENT_BYTES


def test_nothing_that_is_shown_of_a_jar_tells_a_cookie() -> None:
    # scenario 68
    jar = jar_of("name=value")
    assert repr(jar) == "<CookieJar 1 cookies of 1 sites>"
    assert repr(jar._sites["example.com"].popitem()[1]) == "<cookie of www.example.com>"


HOSTS = [
    "example.com",
    "www.example.com",
    "evil.com",
    "a.co.uk",
    "b.co.uk",
    "me.github.io",
    "127.0.0.1",
    "[::1]",
    "lab",
]
ORIGINS = st.builds(
    lambda scheme, host, port: urls.canonicalize(f"{scheme}://{host}:{port}/a/b"),
    st.sampled_from(["http", "https"]),
    st.sampled_from(HOSTS),
    st.sampled_from([80, 443, 8080]),
)
PIECES = st.sampled_from(
    [
        *HOSTS,
        "a=b",
        "Domain=",
        "Path=",
        "Expires=",
        "Max-Age=",
        "Secure",
        "; ",
        "=",
        ".",
        "/",
        "com",
        "co.uk",
        "99",
        "Jan",
    ]
)
FIELDS = st.one_of(st.text(st.characters(max_codepoint=255)), st.lists(PIECES, max_size=12).map("".join))


@given(st.lists(FIELDS, max_size=5), ORIGINS, ORIGINS)
@example(["a=b; Domain=co.uk"], "http://a.co.uk/", "http://b.co.uk/")
def test_no_field_reaches_another_site_scheme_or_port(fields: list[str], source: str, target: str) -> None:
    """Whatever it says; and what is sent is always one line."""
    # scenarios 25, 66, 67
    said = jar_of(*fields, url=source).field(target, NOW)
    if said is None:
        return
    (scheme, host, port, _), (other_scheme, other_host, other_port, _) = urls.split(source), urls.split(target)
    assert (scheme, port) == (other_scheme, other_port)
    assert urls.registrable_domain(host) == urls.registrable_domain(other_host)
    assert not re.search(r"[\x00-\x1f\x7f]", said)
    assert len(said) <= MAX_SENT_BYTES

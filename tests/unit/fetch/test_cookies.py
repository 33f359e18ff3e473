"""Cookies are sent to where they came from and to nobody else."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler import urls
from crawler.fetch.dial.cookies import MAX_SENT_BYTES, CookieJar
from tests.unit.fetch.jars import NOW, PAGE, jar_of, sent


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

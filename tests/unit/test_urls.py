"""Canonical URLs: WHATWG facts, and what holds for every string."""

from __future__ import annotations

import pickle
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import urls
from crawler.errors import UrlError
from crawler.fetch.base import authority, request_target


def refusal(url: str, base: str | None = None) -> str:
    with pytest.raises(UrlError) as caught:
        urls.canonicalize(url, base)
    return caught.value.reason


# One parser for all (scenario 44) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://EXAMPLE.com:80/a/../b#c", "http://example.com/b"),
        (r"http:\\h.example\a", "http://h.example/a"),
        ("http:/h.example/a", "http://h.example/a"),
        ("http:///h.example/a", "http://h.example/a"),
        ("http:h.example", "http://h.example/"),
        ("ht\ntp://h.ex\tample/a\r\nb", "http://h.example/ab"),
        ("  http://h.example/  ", "http://h.example/"),
        ("\x00\x1fhttp://h.example/\x1f", "http://h.example/"),
        ("http://a@b@c.example/", "http://c.example/"),
        ("http://good.example\\@evil.example/", "http://good.example/@evil.example/"),
        ("http://good.example#@evil.example/", "http://good.example/"),
        ("http://good.example?@evil.example/", "http://good.example/?@evil.example/"),
        ("https://EX%41MPLE.com/", "https://example.com/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://example。com/", "https://example.com/"),
        ("http://h.example/a b", "http://h.example/a%20b"),
        ("http://h.example?q=a b'c", "http://h.example/?q=a%20b%27c"),
        ("http://h.example/\x00b", "http://h.example/%00b"),
    ],
)
def test_strings_are_read_as_browsers_read_them(url: str, canonical: str) -> None:
    # scenario 44
    assert urls.canonicalize(url) == canonical


@pytest.mark.parametrize(
    "url",
    ["", " ", "/a", "a.html", "//h.example/", "http://", "http://[::1", "http://[g::1]/", "http://h ost/", "http://a<b/",
     "http://%00/", "http://a%2fb/", "http://:80/", "http://@/", "http://a..b/", "http://.a/", "http://1.2.3.4.5/",
     "http://256.1.1.1/", "http://h.example:99999/", "http://h.example:8a/", "http://[fe80::1%25eth0]/", "\ud800",
     "http://h.example/\udfff"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    # scenarios 44, 46
    assert refusal(url) == "invalid"


@pytest.mark.parametrize(
    "url",
    ["ftp://h.example/", "file:///etc/passwd", "javascript:alert(1)", "mailto:a@b.example", "tel:+123", "data:,x",
     "blob:http://h.example/x", "ws://h.example/", "about:blank", "httpx://h.example/", "view-source:http://h.example/"],
)  # fmt: skip
def test_other_schemes_are_refused(url: str) -> None:
    # scenarios 24, 48
    assert refusal(url) == "scheme"
    assert refusal(url, "http://h.example/") == "scheme"


# The canonical form (scenario 45) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://h.example", "http://h.example/"),
        ("http://h.example:80/", "http://h.example/"),
        ("https://h.example:443/", "https://h.example/"),
        ("https://h.example:80/", "https://h.example:80/"),
        ("http://h.example:0080/", "http://h.example/"),
        ("http://h.example:/", "http://h.example/"),
        ("http://h.example./", "http://h.example./"),  # another host, by DNS
        ("http://h.example/?", "http://h.example/"),
        ("http://h.example/a?#b", "http://h.example/a"),
        ("http://h.example/??", "http://h.example/??"),
        ("http://h.example/?a?", "http://h.example/?a?"),
        ("http://h.example/a?b#c?d", "http://h.example/a?b"),
        ("http://h.example/#", "http://h.example/"),
        ("http://h.example/#!/app", "http://h.example/"),
        ("http://h.example/a/./b/../c", "http://h.example/a/c"),
        ("http://h.example/a/%2e%2E/c", "http://h.example/c"),
        ("http://h.example/../../c", "http://h.example/c"),
        ("http://h.example/a/..", "http://h.example/"),
        ("http://h.example//a//b/", "http://h.example//a//b/"),
        ("http://h.example/%7euser", "http://h.example/%7Euser"),
        ("http://h.example/%2fa%3fb", "http://h.example/%2Fa%3Fb"),
        ("http://h.example/%252e", "http://h.example/%252e"),  # only the escape itself is in upper case
        ("http://h.example/%zz%", "http://h.example/%zz%"),
        ("http://h.example/?q=%e4&a=%2B", "http://h.example/?q=%E4&a=%2B"),
        ("http://h.example/Case/Path?Q=R", "http://h.example/Case/Path?Q=R"),
        ("http://h.example/?b=2&a=1&b=1", "http://h.example/?b=2&a=1&b=1"),
        ("http://h.example/;jsessionid=1;a", "http://h.example/;jsessionid=1;a"),
        ("http://user:pw@h.example:81/@a?b@c", "http://h.example:81/@a?b@c"),
        ("http://user@h.example/", "http://h.example/"),
        ("http://:@h.example/", "http://h.example/"),
    ],
)
def test_the_canonical_form(url: str, canonical: str) -> None:
    # scenarios 45, 49
    assert urls.canonicalize(url) == canonical


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ("http://127.0.0.1./", "http://127.0.0.1/"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("http://0/", "http://0.0.0.0/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
        ("http://[0:0:0:0:0:0:0:1]:8080/", "http://[::1]:8080/"),
    ],
)
def test_addresses_have_one_spelling(url: str, canonical: str) -> None:
    # scenario 46
    assert urls.canonicalize(url) == canonical


@pytest.mark.parametrize(
    ("reference", "canonical"),
    [
        ("", "http://h.example/a/b?q"),
        ("#top", "http://h.example/a/b?q"),
        ("c", "http://h.example/a/c"),
        ("./c/", "http://h.example/a/c/"),
        ("../c", "http://h.example/c"),
        ("../../../c", "http://h.example/c"),
        ("/c", "http://h.example/c"),
        ("//other.example", "http://other.example/"),
        (r"\\other.example\c", "http://other.example/c"),
        ("?r", "http://h.example/a/b?r"),
        ("?", "http://h.example/a/b"),
        ("https:c", "https://c/"),
        ("http:c", "http://h.example/a/c"),
        ("c:d", None),
        ("%2e%2e/c", "http://h.example/c"),
        (" c ", "http://h.example/a/c"),
    ],
)
def test_references_are_resolved_against_their_base(reference: str, canonical: str | None) -> None:
    base = "http://h.example/a/b?q"
    if canonical is None:
        assert refusal(reference, base) == "scheme"
    else:
        assert urls.canonicalize(reference, base) == canonical


# Limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://{'a' * 64}.example/", "host_too_long"),
        (f"http://{'a' * 63}.example/", None),
        (f"http://{'a.' * 124}example/", "host_too_long"),
        (f"http://{'a.' * 123}example/", None),
        ("http://" + "ü" * 100_000 + ".example/", "too_long"),  # before any IDNA runs
        ("http://" + "ü" * 1_000 + ".example/", "host_too_long"),
        ("http://h.example/" + "a" * 1_000_000, "too_long"),
        ("http://h.example/?" + "a=1&" * 100_000, "too_long"),
        ("data:text/html," + "a" * 10_000_000, "too_long"),
        ("http://h.example:0/", "bad_port"),
        ("http://h.example:25/", "bad_port"),
        ("http://h.example:6667/", "bad_port"),
        ("http://h.example:8080/", None),
        ("http://xn--iñvalid.example/", "invalid"),
        ("http://é\u200d.example/", "invalid"),
        ("http://\u00ad/", "invalid"),
    ],
)
def test_what_cannot_be_dialled_is_refused(url: str, reason: str | None) -> None:
    # scenarios 5, 48, 50
    if reason is None:
        assert urls.canonicalize(url) == url
    else:
        assert refusal(url) == reason


def test_an_error_shows_no_more_than_200_characters_and_pickles() -> None:
    # scenario 48
    error = UrlError("too_long", "http://h.example/" + "a" * 100_000)
    assert len(str(error)) < 300
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.reason, copy.url) == (UrlError, error.reason, error.url)
    assert isinstance(error, ValueError)


# What holds for every string -------------------------------------------------------------------------------------

_PIECES = st.lists(
    st.sampled_from(
        [*"/\\?#@:%[]. \t\n;&=$*'|^{}~éa", "http:", "https://", "//", "b.c", "%2e", "%7e", "..", "xn--", "0x1", "80"]
    ),
    max_size=12,
)  # fmt: skip
_STRINGS = (
    st.text(max_size=60) | _PIECES.map("".join) | _PIECES.map(lambda pieces: "http://h.example" + "".join(pieces))
)


@given(_STRINGS, st.none() | _STRINGS)
def test_every_string_is_a_canonical_url_or_a_url_error(text: str, base: str | None) -> None:
    """Idempotent, with no fragment, no userinfo, no space; the parts make up the whole."""  # scenarios 44, 45
    try:
        url = urls.canonicalize(text, base)
    except UrlError:
        return
    assert urls.canonicalize(url) == url
    assert urls.canonicalize(url, "https://elsewhere.example/x") == url
    assert url.isascii()
    assert "#" not in url
    assert not set(url) & set(string.whitespace)
    assert "@" not in urls.host_key(url)
    scheme, host, port, rest = urls.split(url)
    assert urls.origin(url) + rest == url
    assert urls.origin(url) == f"{scheme}://{urls.host_key(url)}"
    assert 0 < port < 65_536
    assert host == host.lower()
    assert urls.registrable_domain(host)


_SEGMENT = st.text(string.ascii_letters + string.digits + "-_~!$&()*+,;=:@", min_size=1, max_size=8).filter(
    lambda segment: segment not in (".", "..")
)


@given(st.lists(_SEGMENT, max_size=5), st.booleans(), st.lists(st.tuples(_SEGMENT, _SEGMENT), max_size=5))
def test_case_closing_slash_and_order_of_parameters_are_kept(
    segments: list[str], has_slash: bool, parameters: list[tuple[str, str]]
) -> None:
    """Two different pages never become one."""
    # scenario 45
    path = "/" + "/".join(segments) + ("/" if segments and has_slash else "")
    query = "&".join(f"{name}={value}" for name, value in parameters)
    rest = f"{path}?{query}" if query else path
    url = urls.canonicalize(f"HTTPS://H.Example:443{rest}#part")
    assert url == f"https://h.example{rest}"


_ESCAPES = st.integers(0, 255).flatmap(lambda byte: st.sampled_from([f"%{byte:02x}", f"%{byte:02X}"]))
_WRITTEN = st.lists(_ESCAPES | st.sampled_from([*"aA0-_~!$&()*+,;=:@/?%"]), max_size=12).map("".join)


def _without_dots(rest: str) -> bool:
    """Whether no segment of a path is one or two dots, which are resolved however they are written."""
    path = rest.partition("?")[0].lower().replace("%2e", ".")
    return not any(segment in (".", "..") for segment in path.split("/"))


def _spelt(rest: str) -> str:
    """All that may happen to the spelling of a path and query."""
    spelt = re.sub("%[0-9A-Fa-f]{2}", lambda match: match[0].upper(), f"/{rest}")
    return spelt[:-1] if spelt.endswith("?") and spelt.count("?") == 1 else spelt


@given(_WRITTEN.filter(_without_dots))
def test_nothing_is_decoded_and_escapes_are_in_upper_case(rest: str) -> None:
    # scenario 45
    assert urls.canonicalize(f"http://h.example/{rest}") == f"http://h.example{_spelt(rest)}"


@given(_WRITTEN.filter(_without_dots), _WRITTEN.filter(_without_dots))
def test_two_pages_never_become_one(one: str, other: str) -> None:
    """Two URLs are the same only where they differ in the case of an escape, or in a `?` that says nothing."""
    # scenario 45
    is_same = urls.canonicalize(f"http://h.example/{one}") == urls.canonicalize(f"http://h.example/{other}")
    assert is_same is (_spelt(one) == _spelt(other))


@given(_STRINGS)
def test_what_is_asked_for_is_the_canonical_url(text: str) -> None:
    """Host field and request line make up the URL again, and no byte of them ends a line or a word."""
    # scenarios 44, 45
    try:
        url = urls.canonicalize(text, "http://h.example/")
    except UrlError:
        return
    target = request_target(url)
    assert target.startswith("/")
    assert f"{urls.split(url)[0]}://{authority(url)}{target}" == url
    assert all("!" <= character <= "~" for character in target)


# Keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "parts", "key"),
    [
        ("http://h.example/", ("http", "h.example", 80, "/"), "h.example"),
        ("https://h.example/a?b", ("https", "h.example", 443, "/a?b"), "h.example"),
        ("http://h.example:8080/a//b", ("http", "h.example", 8080, "/a//b"), "h.example:8080"),
        ("https://[::1]/", ("https", "::1", 443, "/"), "[::1]"),
        ("https://[::1]:8443/x", ("https", "::1", 8443, "/x"), "[::1]:8443"),
    ],
)
def test_the_parts_of_a_url(url: str, parts: tuple[str, str, int, str], key: str) -> None:
    assert urls.split(url) == parts
    assert urls.host_key(url) == key


def test_default_ports_share_a_pace_and_not_an_origin() -> None:
    plain, secure = "http://h.example/a", "https://h.example/a"
    assert urls.host_key(plain) == urls.host_key(secure)
    assert urls.origin(plain) != urls.origin(secure)
    assert urls.origin(plain) == "http://h.example"


def test_fingerprints_are_stable_signed_64_bit_numbers() -> None:
    """They stand in the store of a run, so another version has to make the same ones."""
    assert urls.fingerprint("https://example.com/") == 1493557592560457051
    numbers = [urls.fingerprint(f"https://h.example/{number}") for number in range(1000)]
    assert len(set(numbers)) == 1000
    assert all(-(2**63) <= number < 2**63 for number in numbers)
    assert min(numbers) < 0 < max(numbers)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.com", "example.com"),
        ("www.shop.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("someone.github.io", "someone.github.io"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_registrable_domains_follow_the_public_suffix_list(host: str, domain: str) -> None:
    assert urls.registrable_domain(host) == domain


# Domains and shards


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("http://example.com/", "example.com"),
        ("https://www.example.com:8443/x", "example.com"),
        ("http://a.b.example.co.uk/", "example.co.uk"),
        ("http://localhost:8000/", "localhost"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://127.0.0.1:8080/", "127.0.0.1"),
        ("http://[::1]/", "::1"),
        ("http://[2001:db8::1]:8080/", "2001:db8::1"),
        ("http://xn--bcher-kva.example/", "xn--bcher-kva.example"),
    ],
)
def test_a_host_is_of_the_shard_of_its_domain_whatever_its_form(url: str, domain: str) -> None:
    key = urls.host_key(url)
    assert urls.domain_of(key) == domain
    assert urls.shard_of(key) == urls.shard_of_domain(domain)
    assert 0 <= urls.shard_of(key) < urls.SHARDS

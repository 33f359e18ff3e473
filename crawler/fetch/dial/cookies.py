"""Cookies of one crawl: what servers set, kept in memory and sent back only to where it came from.

RFC 6265, narrowed so that a cookie is bound to its origin as any other credential is. A cookie belongs to the scheme
and the port that set it, whatever its attributes say. So what came over https never travels in the clear, http can
neither read nor replace it, and what a service on port 8443 sets stays on that port, though the RFC would share it
between ports. Only the host can be widened: `Domain` takes in the hosts below a domain, as far up as the registrable
domain by the public suffix list and no farther.

Nothing here is ever written anywhere. A crawl that is resumed begins without cookies.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from crawler import urls
from crawler.fetch.dial.resolve import is_literal
from crawler.settings.groups import KIB

MAX_PER_ANSWER = 50  # Set-Cookie fields that are looked at
MAX_FIELD_CHARS = 8 * KIB  # A Set-Cookie field has this many characters at most, attributes included.
MAX_COOKIE_BYTES = 4 * KIB  # A cookie, name and value together, has this many bytes at most.
MAX_ATTRIBUTES = 40  # A cookie has this many attributes at most; there are seven in use.
MAX_ATTRIBUTE_CHARS = KIB
MAX_PER_SITE = 180  # a site is a registrable domain
MAX_COOKIES = 3_000
MAX_SENT = 150  # A request carries this many cookies at most.
# A request carries this many bytes of cookies at most: servers refuse a header line above 8 KiB.
MAX_SENT_BYTES = 8_000

_SPACE = " \t"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SECONDS = re.compile(r"-?[0-9]+")
_DATE_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"[0-9]{1,2}(?![0-9])")
_YEAR = re.compile(r"[0-9]{2,4}(?![0-9])")
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}


_Key = tuple[str, str, bool, str, str]


class _Cookie(Struct):
    """One cookie; two with the same `key` are the same cookie.

    Args:
        name: As the server wrote it.
        pair: `name=value`, as it is sent.
        place: Scheme and port of the answer that set it.
        domain: The host that set it, or the domain that it named.
        is_host_only: Whether it goes to that host alone and not to those below.
        path: Where it is sent: this path and what is below.
        expires: Unix seconds, infinite where the server set no end.
    """

    name: str
    pair: str
    place: str
    domain: str
    is_host_only: bool
    path: str
    expires: float

    def __repr__(self) -> str:
        return f"<cookie of {self.domain}>"  # its value is a secret, and its name may be

    @property
    def key(self) -> _Key:
        """What tells it from others."""
        return self.place, self.domain, self.is_host_only, self.path, self.name

    def is_for(self, host: str, path: str) -> bool:
        """Whether it is sent to a host and path (RFC 6265, 5.1.3 and 5.1.4)."""
        if host != self.domain and (self.is_host_only or not host.endswith("." + self.domain)):
            return False
        own = self.path
        return path.startswith(own) and (own[-1] == "/" or path[len(own) : len(own) + 1] in ("", "/"))


class CookieJar:
    """The cookies of one crawl; without a clock, a file or a lock, for one thread.

    When a site has too many, those that have expired go, and without such the oldest. When all sites together do, the
    site that was asked longest ago loses its cookies: half a session is worth nothing.

    Source: RFC 6265, 5; the prefixes and limits of its successor, 6265bis.
    """

    def __init__(self) -> None:
        # By site, the one asked longest ago first; of each, the oldest cookie first.
        self._sites: dict[str, dict[_Key, _Cookie]] = {}
        self._count = 0
        _is_public_suffix("example")  # reads the list now and not in the middle of a crawl

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<CookieJar {self._count} cookies of {len(self._sites)} sites>"

    def learn(self, url: str, fields: Iterable[str], now: float) -> None:
        """Take the Set-Cookie fields of an answer; what is no cookie or may not be set is passed over.

        Args:
            url: Canonical URL that was answered.
            fields: Values of its Set-Cookie fields, as received (latin-1 text).
            now: Unix seconds.
        """
        scheme, host, port, target = urls.split(url)
        path = target.partition("?")[0]
        site = urls.registrable_domain(host)
        for field in islice(fields, MAX_PER_ANSWER):
            cookie = _read(field, scheme, host, port, path, now)
            if cookie is not None:
                self._keep(site, cookie, now)

    def field(self, url: str, now: float, given: Sequence[str] = ()) -> str | None:
        """The value of the Cookie field for a request, None if there is nothing to send.

        Args:
            url: Canonical URL that is asked for.
            now: Unix seconds.
            given: `name=value` pairs of the user's own, sent first; a cookie that the server has set in place of one
                of them is sent instead of it.
        """
        kept = self._matching(url, now) if self._sites else ()
        if not kept:
            return "; ".join(given) or None
        names = {cookie.name for cookie in kept}
        pairs = [pair for pair in given if pair.partition("=")[0].rstrip(_SPACE) not in names]
        room = MAX_SENT_BYTES - sum(_size(pair) + 2 for pair in pairs)
        for cookie in kept[: max(0, MAX_SENT - len(pairs))]:
            room -= _size(cookie.pair) + 2  # with "; "
            if room < 0:
                break
            pairs.append(cookie.pair)
        return "; ".join(pairs) or None

    def _matching(self, url: str, now: float) -> list[_Cookie]:
        """The cookies for a request: longer paths first, then older cookies (RFC 6265, 5.4)."""
        scheme, host, port, target = urls.split(url)
        site = urls.registrable_domain(host)
        kept = self._sites.pop(site, None)
        if kept is None:
            return []
        self._sites[site] = kept
        place, path = f"{scheme}:{port}", target.partition("?")[0]
        found = [
            cookie
            for cookie in kept.values()
            if cookie.expires > now and cookie.place == place and cookie.is_for(host, path)
        ]
        found.sort(key=lambda cookie: len(cookie.path), reverse=True)
        return found

    def _keep(self, site: str, cookie: _Cookie, now: float) -> None:
        kept = self._sites.pop(site, {})
        self._count -= len(kept)
        key = cookie.key
        if cookie.expires <= now:
            kept.pop(key, None)  # this is how a server takes one back
        else:
            if key not in kept and len(kept) >= MAX_PER_SITE:
                _make_room(kept, now)
            kept[key] = cookie  # in the place of the one that it replaces
        if kept:
            self._sites[site] = kept
        self._count += len(kept)
        while self._count > MAX_COOKIES:
            self._count -= len(self._sites.pop(next(iter(self._sites))))


def _make_room(kept: dict[_Key, _Cookie], now: float) -> None:
    for key in [key for key, cookie in kept.items() if cookie.expires <= now] or [next(iter(kept))]:
        del kept[key]


def _size(pair: str) -> int:
    return len(pair) if pair.isascii() else len(pair.encode())


def _read(field: str, scheme: str, host: str, port: int, path: str, now: float) -> _Cookie | None:
    """Read one Set-Cookie field of an answer; None if it sets nothing."""
    if len(field) > MAX_FIELD_CHARS:
        return None
    text, _, rest = field.partition(";")
    pair = _pair(text)
    if pair is None:
        return None
    name = pair.partition("=")[0]
    attributes = _attributes(rest)
    is_secure = "secure" in attributes
    if (is_secure and scheme != "https") or not _has_what_its_name_promises(name, is_secure, attributes):
        return None
    domain = _domain(attributes.get("domain", ""), host)
    if domain is None:
        return None
    own_path = attributes.get("path", "")
    return _Cookie(
        name=name,
        pair=pair,
        place=f"{scheme}:{port}",
        domain=domain or host,
        is_host_only=not domain,
        path=own_path if own_path.startswith("/") else path[: path.rindex("/")] or "/",
        expires=_expires(attributes, now),
    )


def _pair(text: str) -> str | None:
    """`name=value` without white space around either, None if it cannot be sent back byte for byte."""
    name, equals, value = text.partition("=")
    name, value = name.strip(_SPACE), value.strip(_SPACE)
    pair = f"{name}={value}"
    if not equals or not name or len(pair) - 1 > MAX_COOKIE_BYTES or _CONTROL.search(pair):
        return None
    if pair.isascii():
        return pair
    try:
        return pair.encode("latin-1").decode("utf-8")  # header fields are sent as UTF-8
    except UnicodeError:
        return None


def _attributes(text: str) -> dict[str, str]:
    """The attributes behind the pair, names in lower case; the last of a name counts."""
    attributes: dict[str, str] = {}
    for part in text.split(";", MAX_ATTRIBUTES)[:MAX_ATTRIBUTES]:
        name, _, value = part.partition("=")
        if len(value) <= MAX_ATTRIBUTE_CHARS:
            attributes[name.strip(_SPACE).lower()] = value.strip(_SPACE)
    return attributes


def _has_what_its_name_promises(name: str, is_secure: bool, attributes: dict[str, str]) -> bool:
    """Whether a cookie named `__Secure-…` or `__Host-…` is what such names are reserved for (6265bis, 4.1.3)."""
    prefix = name[:9].lower()
    if prefix.startswith("__host-"):
        return is_secure and "domain" not in attributes and attributes.get("path") == "/"
    return is_secure or prefix != "__secure-"


def _domain(value: str, host: str) -> str | None:
    """The domain that a Domain attribute widens a cookie to: "" for the host alone, None if it may not be set."""
    domain = value.removeprefix(".").lower()
    if not domain:
        return ""
    is_above = host.endswith("." + domain) and not is_literal(host)
    if domain.endswith(".") or not (domain == host or is_above):
        return None
    if is_literal(host) or _is_public_suffix(domain):
        return "" if domain == host else None
    return domain


@lru_cache(maxsize=4096)
def _is_public_suffix(domain: str) -> bool:
    """Whether names right below a domain belong to different owners."""
    below = "x." + domain
    return urls.registrable_domain(below) == below


def _expires(attributes: dict[str, str], now: float) -> float:
    """When a cookie ends, Unix seconds; Max-Age counts before Expires, and junk in either does not count."""
    seconds = attributes.get("max-age", "")
    if _SECONDS.fullmatch(seconds):
        return now + float(seconds)
    when = read_date(attributes.get("expires", ""))
    return math.inf if when is None else when


def read_date(text: str) -> float | None:
    """Read the date of an Expires attribute, which servers write in many ways.

    Returns:
        Unix seconds, None if it is no date.

    Source: RFC 6265, 5.1.1.
    """
    time = day = month = year = None
    for token in _DATE_DELIMITERS.split(text):
        if time is None and (match := _TIME.match(token)):
            time = int(match[1]), int(match[2]), int(match[3])
        elif day is None and (match := _DAY.match(token)):
            day = int(match[0])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS[token[:3].lower()]
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[0])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    if year < 1601:
        return None
    try:
        return datetime(year, month, day, *time, tzinfo=UTC).timestamp()
    except ValueError:  # no such day or time
        return None

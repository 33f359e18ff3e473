"""Where each request is sent: resolved once, vetted by the guard, with the headers that its origin may see."""

from __future__ import annotations

import time

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.errors import UsageError
from crawler.fetch.dial.cookies import CookieJar
from crawler.fetch.dial.guard import Guard, is_local_name, is_loopback
from crawler.fetch.dial.resolve import Resolver, is_literal
from crawler.fetch.dial.target import Limits, Target
from crawler.models import MAX_ROBOTS_BYTES, MAX_SITEMAP_BYTES, Headers, Kind, Request, Response
from crawler.settings.groups import FetchSettings

MAX_ORIGINS = 10_000  # remembered with their vetted addresses
_ACCEPT = (
    ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
)
# Of the fields that the user adds, only these go to origins that the user did not name: any other may be a secret.
_HARMLESS = frozenset({"user-agent", "accept", "accept-encoding", "accept-language", "dnt", "from", "sec-gpc"})
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "proxy-authorization"})


class _Place(Struct):
    """What is known of one origin.

    Args:
        host, port: Of its URLs.
        is_remote: Whether the proxy resolves its name.
        is_trusted: Whether it may see credentials.
        headers: What each request to it says, cookies aside.
        answer: What its host resolved to when it was vetted last.
        addresses: What the guard left of that.
    """

    host: str
    port: int
    is_remote: bool
    is_trusted: bool
    headers: Headers
    answer: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Targets:
    """Makes the target of each request.

    Args:
        settings: User agent, extra headers, limits, whether cookies are kept.
        resolver: Asked for names.
        guard: Asked about addresses, once for each origin and answer; whoever dials asks it again.
        trusted: Origins of the seeds, which may see credentials.

    Raises:
        UsageError: If an extra header is not `Name: value`, or is one that the crawler must set itself.
    """

    def __init__(self, settings: FetchSettings, resolver: Resolver, guard: Guard, trusted: frozenset[str]) -> None:
        self._resolver = resolver
        self._guard = guard
        self._trusted = trusted
        self._limits = _limits_by_kind(settings)
        self._has_proxy = bool(settings.proxy)
        self._places: dict[str, _Place] = {}
        if not _is_sendable(settings.user_agent):
            raise UsageError(f"--user-agent {settings.user_agent[:80]!r} is not one line of text")
        extra = [_parse_header(text) for text in settings.headers]
        self._cookies = CookieJar() if settings.cookies else None
        self._own_cookies: tuple[str, ...] = ()
        if self._cookies is not None:  # a request has one Cookie field, so the user's own goes into it
            self._own_cookies = _cookie_pairs(extra)
            extra = [field for field in extra if field[0].lower() != "cookie"]
        replaced = {name.lower() for name, _ in extra}
        base = [("User-Agent", settings.user_agent), *_ACCEPT]
        kept = [(name, value) for name, value in base if name.lower() not in replaced]
        self._private = (*kept, *extra)
        self._public = tuple(field for field in self._private if field[0].lower() in _HARMLESS)

    async def resolve(self, url: str) -> tuple[str, ...]:
        """The vetted addresses of a URL's host.

        Raises:
            FetchError: If the name has none, or none that may be dialled.
        """
        return await self._resolve(url, self._place(url))

    async def _resolve(self, url: str, place: _Place) -> tuple[str, ...]:
        if place.is_remote:
            return ()
        answer = self._resolver.known(place.host) or await self._resolver.resolve(place.host, place.port)
        if answer != place.answer:
            place.addresses = self._guard.vet(url, answer)
            place.answer = answer
        return place.addresses

    def _place(self, url: str) -> _Place:
        origin = urls.origin(url)
        place = self._places.get(origin)
        if place is None:
            _, host, port, _ = urls.split(url)
            # A proxy resolves names itself; what is an address already is vetted all the same.
            is_remote = self._has_proxy and not is_literal(host) and not is_local_name(host)
            is_trusted = origin in self._trusted
            if len(self._places) >= MAX_ORIGINS:
                del self._places[next(iter(self._places))]
            place = _Place(host, port, is_remote, is_trusted, self._private if is_trusted else self._public)
            self._places[origin] = place
        return place

    def has_address_limit(self, addresses: tuple[str, ...]) -> bool:
        """Whether the limit of requests for one address counts here: not on loopback."""
        return bool(addresses) and not is_loopback(addresses[0])

    async def target(self, request: Request, now: float) -> Target:
        """Where and how to send a request.

        Args:
            request: The request.
            now: Monotonic seconds; the deadline runs from here.

        Raises:
            FetchError: If its host cannot be resolved or may not be dialled.
        """
        place = self._place(request.url)
        addresses = await self._resolve(request.url, place)
        headers = place.headers
        if self._cookies is not None:
            own = self._own_cookies if place.is_trusted else ()
            if cookies := self._cookies.field(request.url, time.time(), own):
                headers = (*headers, ("Cookie", cookies))
        limits = self._limits[request.kind]
        return Target(addresses, now + limits.timeout_s, limits, headers)

    def learn(self, page: Response) -> None:
        """Take the cookies of an answer, if they are kept; every answer counts, redirects and errors too."""
        if self._cookies is not None and (fields := page.header_all("set-cookie")):
            self._cookies.learn(page.request.url, fields, page.fetched_at)

    async def close(self) -> None:
        """Free the resolver's threads."""
        await self._resolver.close()


def _limits_by_kind(settings: FetchSettings) -> dict[Kind, Limits]:
    """The limits of each kind of request: how much is kept of a page says nothing about a site's own files."""
    pages = Limits.from_settings(settings)
    rules = msgspec.structs.replace(pages, max_body_bytes=MAX_ROBOTS_BYTES + 1)  # one more tells that it was cut
    sitemaps = msgspec.structs.replace(pages, max_body_bytes=MAX_SITEMAP_BYTES)
    return {"page": pages, "robots": rules, "sitemap": sitemaps}


def _cookie_pairs(fields: list[tuple[str, str]]) -> tuple[str, ...]:
    """The `name=value` pairs in the user's own Cookie fields."""
    pairs = [pair.strip() for name, value in fields if name.lower() == "cookie" for pair in value.split(";")]
    return tuple(pair for pair in pairs if pair)


def _parse_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    is_token = bool(name) and all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name) and name.isascii()
    if not colon or not is_token or not _is_sendable(value):
        raise UsageError(f"-H {text[:80]!r} is not a header of the form 'Name: value'")
    if name.lower() in _OURS:
        raise UsageError(f"-H {name}: the crawler sets this header itself")
    return name, value


def _is_sendable(value: str) -> bool:
    """Whether a header value is one line of text; bytes that are no UTF-8 reach us as surrogates."""
    return not any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF for char in value)

"""Where each request is sent: resolved once, vetted by the guard, with the headers that its origin may see."""

from __future__ import annotations

from crawler import urls
from crawler.errors import UsageError
from crawler.fetch.base import Limits, Target
from crawler.fetch.guard import Guard, is_local_name, is_loopback
from crawler.fetch.resolve import Resolver, is_literal
from crawler.models import Request
from crawler.settings import FetchSettings

_ACCEPT = (
    ("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
)
# Of the fields that the user adds, only these go to origins that the user did not name: any other may be a secret.
_HARMLESS = frozenset({"user-agent", "accept", "accept-encoding", "accept-language", "dnt", "from", "sec-gpc"})
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "proxy-authorization"})


class Targets:
    """Makes the target of each request.

    Args:
        settings: User agent, extra headers, limits.
        resolver: Asked for names.
        guard: Asked about addresses.
        trusted: Origins of the seeds, which may see credentials.

    Raises:
        UsageError: If an extra header is not `Name: value`, or is one that the crawler must set itself.
    """

    def __init__(self, settings: FetchSettings, resolver: Resolver, guard: Guard, trusted: frozenset[str]) -> None:
        self._resolver = resolver
        self._guard = guard
        self._trusted = trusted
        self._limits = Limits.from_settings(settings)
        self._has_proxy = bool(settings.proxy)
        extra = [_parse_header(text) for text in settings.headers]
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
        _, host, port, _ = urls.split(url)
        # A proxy resolves names itself; what is an address already is vetted all the same.
        if self._has_proxy and not is_literal(host) and not is_local_name(host):
            return ()
        return self._guard.vet(url, await self._resolver.resolve(host, port))

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
        addresses = await self.resolve(request.url)
        headers = self._private if urls.origin(request.url) in self._trusted else self._public
        return Target(addresses, now + self._limits.timeout_s, self._limits, headers)

    async def close(self) -> None:
        """Free the resolver's threads."""
        await self._resolver.close()


def _parse_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    is_token = bool(name) and all(char.isalnum() or char in "!#$%&'*+-.^_`|~" for char in name) and name.isascii()
    if not colon or not is_token or any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise UsageError(f"-H {text[:80]!r} is not a header of the form 'Name: value'")
    if name.lower() in _OURS:
        raise UsageError(f"-H {name}: the crawler sets this header itself")
    return name, value

"""The strategy `curl`: libcurl makes the connections and speaks TLS and HTTP/2, and the event loop waits for them."""

from __future__ import annotations

import asyncio
import resource
import ssl
from ssl import SSLContext

import certifi

from crawler import urls
from crawler.errors import FetchError
from crawler.fetch.base import ByteCount, ErrorTable, system_error, tell_sends, translated
from crawler.fetch.curl.http1 import StaleConnection, compose
from crawler.fetch.curl.http2 import AskOverHttp1, Streams
from crawler.fetch.curl.pool import ConnectionPool
from crawler.fetch.curl.state import FetchState
from crawler.fetch.curl.transfers import Access, Transfers
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.proxy import find_proxy
from crawler.fetch.dial.target import Target
from crawler.models import Request, Response
from crawler.settings.groups import Settings

MAX_ORIGINS = 10_000  # The protocol of this many origins is remembered.
MAX_IDLE = 1024  # connections kept of each protocol, or a quarter of the file descriptors if that is less

_ERRORS: ErrorTable = {OSError: system_error}


class CurlFetcher:
    """Fetches with libcurl in the running event loop.

    Args:
        access: The guard, the proxy and the trusted authorities.
        counter: Where the bytes of bodies are counted.
    """

    name = "curl"

    def __init__(self, access: Access, counter: ByteCount) -> None:
        self._counter = counter
        self._proxy = access.proxy
        self._loop = asyncio.get_running_loop()
        max_idle = _max_idle()
        self._transfers = Transfers(max_idle)
        self._pool = ConnectionPool(self._transfers, access, max_idle)
        self._streams = Streams(self._transfers, access)
        self._speaks_http2: dict[str, bool] = {}  # by origin, the one learnt first in front
        self._under_way: set[FetchState] = set()
        self._all_over: asyncio.Future[None] | None = None  # set when it is closed

    async def fetch(self, request: Request, target: Target) -> Response:
        """Ask for one URL; see `Fetcher.fetch`."""
        if self._all_over is not None:
            raise FetchError("connection_lost", "the fetcher is closed")
        state = FetchState(request, target, self._counter, self._loop)
        self._under_way.add(state)
        try:
            with translated(_ERRORS):
                await self._ask(state)
        except BaseException as error:
            state.discard()
            tell_sends(error, state.sends)
            raise
        finally:
            state.stop_clock()
            self._under_way.discard(state)
            if self._all_over is not None and not self._under_way:
                self._all_over.set_result(None)
        return state.page(self.name)

    async def _ask(self, state: FetchState) -> None:
        """Ask in the protocol that the origin speaks, which its first connection tells."""
        origin = urls.origin(state.request.url)
        if not self._speaks_http2.get(origin):
            if await self._ask_over_http1(state, origin):
                return
            self._learn(origin, True)
        try:
            await self._streams.ask(state)
        except AskOverHttp1:
            self._learn(origin, False)
            state.sends += 1
            await self._ask_over_http1(state, origin)

    async def _ask_over_http1(self, state: FetchState, origin: str) -> bool:
        """Ask on a connection that is kept, and if there is none or it is dead, on a new one.

        Returns:
            False if the server chose HTTP/2 and nothing was asked.
        """
        url, target = state.request.url, state.target
        key = "the proxy" if self._proxy and url.startswith("http:") else origin
        message = compose(url, target.headers, self._proxy)
        connection = self._pool.take(key, target.addresses)
        if connection is not None:
            try:
                await connection.ask(state, message)
                return True
            except StaleConnection:
                state.sends += 1
        connection = await self._pool.dial(state, key, may_be_http2=self._speaks_http2.get(origin, True))
        if connection is None:
            return False
        await connection.ask(state, message)
        return True

    def _learn(self, origin: str, speaks_http2: bool) -> None:
        if origin not in self._speaks_http2 and len(self._speaks_http2) >= MAX_ORIGINS:
            del self._speaks_http2[next(iter(self._speaks_http2))]
        self._speaks_http2[origin] = speaks_http2

    def close_idle(self) -> None:
        """Close what waits for its next request, except libcurl's own of HTTP/2; see `Fetcher.close_idle`."""
        self._pool.close_idle()

    async def close(self) -> None:
        """End what is under way, and close every connection and handle."""
        if self._all_over is not None:
            return
        self._all_over = self._loop.create_future()
        for state in self._under_way:
            state.stop(FetchError("connection_lost", "the fetcher was closed"))
        if self._under_way:
            await self._all_over
        self._pool.close()
        self._streams.close()
        self._transfers.close()


def _max_idle() -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_IDLE if files == resource.RLIM_INFINITY else max(1, min(MAX_IDLE, files // 4))


def create(settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None) -> CurlFetcher:
    """The fetcher that the settings ask for; see `crawler.fetch.create`. Of `tls` the authorities count."""
    proxy = find_proxy(settings.fetch.proxy, settings.fetch.resolve, guard)
    authorities = tls.get_ca_certs(binary_form=True) if tls else []
    pem = "".join(map(ssl.DER_cert_to_PEM_cert, authorities)).encode()
    return CurlFetcher(Access(guard, proxy, certifi.where(), pem), counter)

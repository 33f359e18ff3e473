"""The strategy `asyncio`: one event loop waits for all connections, with aiohttp."""

from __future__ import annotations

import asyncio
import socket
import time
from contextvars import ContextVar
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpVersion11, RawResponseMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from crawler.errors import FetchError
from crawler.fetch.answer import AnswerParser
from crawler.fetch.base import (
    READ_BYTES,
    ByteCount,
    ErrorTable,
    Intake,
    authority,
    make_page,
    system_error,
    tell_sends,
    tls_context,
    translated,
)
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.proxy import Proxy, find_proxy
from crawler.fetch.dial.target import DialRefused, Target
from crawler.models import Headers, Request, Response
from crawler.settings.groups import Settings

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection

KEEP_ALIVE_S = 30.0
CLOCK_STEP_S = 0.005  # uvloop's clock moves in milliseconds; a timer may come this much early
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_SKIP = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")  # aiohttp's own, which we send only if asked
_NO_FIELDS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())


class FetchState:
    """One fetch, as far as it has come; the parts of aiohttp that are replaced here write into it.

    Args:
        target: Where the request goes.
        counter: Where the bytes of the body are counted.
    """

    def __init__(self, target: Target, counter: ByteCount) -> None:
        self.target = target
        self.started = time.monotonic()
        self.head_at = self.started
        self.connected_at = 0.0  # The monotonic time at which a new connection was there, TLS aside.
        self.tls_s = 0.0
        self.intake = Intake(target, counter, self.started)
        self.phase: Literal["connect", "head", "body"] = "connect"
        self.needs_fresh = False  # a connection that was used before is not good enough
        self.sends = 1  # How often the request was sent.
        self.was_idle = False  # the connection was one, and no byte of an answer has come
        self.is_broken = False  # the body cannot come to a proper end
        self.truncated: str | None = None
        self.response: aiohttp.ClientResponse | None = None
        self.status = 0
        self.headers: Headers = ()
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._offset = loop.time() - self.started
        self.clock = asyncio.timeout_at(
            min(target.deadline + self._offset, loop.time() + target.limits.connect_timeout_s)
        )

    def note_dial(self, protocol: _Protocol, is_tls: bool) -> None:
        """Note how long a connection took, if it is a new one."""
        if not protocol.uses:
            self.connected_at = protocol.connected_at
            self.tls_s = time.monotonic() - self.connected_at if is_tls else 0.0

    @property
    def dial(self) -> tuple[float, float]:
        """What its connection took and then TLS, seconds; 0 where one was used again."""
        return (self.connected_at - self.started, self.tls_s) if self.connected_at else (0.0, 0.0)

    def enter(self, phase: Literal["connect", "head", "body"], patience_s: float) -> None:
        """Begin a phase, or a wait in it, that may take this many seconds."""
        self.phase = phase
        self.clock.reschedule(min(self.intake.deadline + self._offset, self._now() + patience_s))

    def give_up(self) -> None:
        """The clock has run out: raise what that means, or keep the body so far."""
        if time.monotonic() < self.intake.deadline - CLOCK_STEP_S:
            reason = {"connect": "connect_timeout", "head": "first_byte_timeout", "body": "read_timeout"}[self.phase]
            raise FetchError(reason)
        if self.phase != "body":
            raise FetchError("deadline", f"while waiting for {self.phase}")
        self.truncated = "time"


_state: ContextVar[FetchState] = ContextVar("state")


class _Protocol(ResponseHandler):
    """aiohttp's side of a connection, with the parser of all strategies in place of its own.

    aiohttp's loses the head, or the body so far, when a fault comes in the same packet.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        # The loop makes it when there is a connection, and before TLS.
        self.connected_at = time.monotonic()
        self.uses = 0
        self._state: FetchState | None = None
        self._answer: AnswerParser | None = None
        self._body: StreamReader | None = None

    def set_response_params(self, **params: Any) -> None:
        """Expect the next answer; the parameters are those of aiohttp's parser."""
        self.uses += 1
        state = _state.get()
        state.was_idle = self.uses > 1
        self._state = state
        self._answer = AnswerParser(state.target.limits)
        self._body = None

    def data_received(self, data: bytes) -> None:
        answer, state = self._answer, self._state
        if answer is None or state is None:  # Nobody has asked for anything on this connection.
            self._end()
            return
        state.was_idle = False
        try:
            piece = answer.feed(data)
        except FetchError as error:
            self.set_exception(error)
            self._end()
            return
        if self._body is None and answer.status:
            self._pass_head(answer)
        if self._body is not None:
            self._body.feed_data(piece)
            if answer.is_complete or answer.broken is not None:
                self._finish(answer, state)

    def _pass_head(self, answer: AnswerParser) -> None:
        self._body = self._payload = StreamReader(self, READ_BYTES, loop=self._loop)
        assert self._state is not None
        self._state.headers = answer.headers
        message = RawResponseMessage(HttpVersion11, answer.status, "", _NO_FIELDS, (), False, None, False, False)
        self.feed_data((message, self._body))

    def _finish(self, answer: AnswerParser, state: FetchState) -> None:
        """The body has ended, well or not; the connection goes back to the pool if it can."""
        state.is_broken = answer.broken is not None
        body, self._body, self._answer, self._state = self._body, None, None, None
        if not answer.can_reuse:
            self._end()
        assert body is not None
        body.feed_eof()

    def _end(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()

    def pause_reading(self) -> None:
        """Stop the flow; there is no parser of aiohttp's to tell."""
        self._reading_paused = True
        self._pause_transport_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Let it flow again, where it was stopped."""
        if self._reading_paused:
            self._reading_paused = False
            self._resume_transport_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        answer, state = self._answer, self._state
        if self._body is not None and answer is not None and state is not None:
            answer.feed_eof(is_clean=exc is None)
            self.force_close()
            self._finish(answer, state)
        super().connection_lost(exc)


class _Connector(aiohttp.TCPConnector):
    """The pool of connections: dials vetted addresses only and starts the clock of an answer's head."""

    def __init__(self, guard: Guard, proxy: Proxy | None, tls: SSLContext) -> None:
        super().__init__(
            limit=0,  # the engine limits
            ssl=tls,
            resolver=_Vetted(proxy),
            use_dns_cache=False,
            keepalive_timeout=KEEP_ALIVE_S,
            socket_factory=lambda info: _open_socket(guard, info),
        )
        self._factory = lambda: _Protocol(self._loop)  # type: ignore[assignment]

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        """A connection from the pool, or a new one."""
        state = _state.get()
        connection = await super().connect(req, traces, timeout)
        while state.needs_fresh and connection.protocol.uses:  # type: ignore[union-attr]
            connection.close()
            connection = await super().connect(req, traces, timeout)
        state.note_dial(connection.protocol, req.is_ssl())  # type: ignore[arg-type]
        state.enter("head", state.target.limits.first_byte_timeout_s)
        return connection

    def close_idle(self) -> None:
        """Close the connections that wait in the pool."""
        for kept in self._conns.values():
            for protocol, _ in kept:
                protocol.close()
        self._conns.clear()


class _Vetted(AbstractResolver):
    """What aiohttp takes for a resolver: no lookup, the addresses that the engine has resolved and vetted."""

    def __init__(self, proxy: Proxy | None) -> None:
        self._proxy = proxy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self._proxy.addresses if self._proxy else _state.get().target.addresses
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        pass


def _open_socket(guard: Guard, info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, endpoint = info
    address, port = endpoint[:2]
    if not guard.permits(address, port):
        raise DialRefused(f"{address} port {port} is not on the public internet")
    return socket.socket(family, kind, protocol)


def _os_error(error: BaseException) -> FetchError:
    return system_error(getattr(error, "os_error", None) or error)


def _proxy_error(error: BaseException) -> FetchError:
    # What aiohttp says of it has the proxy's URL in it, password and all.
    return FetchError("proxy_failed", f"the proxy answered {getattr(error, 'status', 'nothing')} instead of a tunnel")


_ERRORS: ErrorTable = {
    aiohttp.ClientHttpProxyError: _proxy_error,
    aiohttp.ClientProxyConnectionError: "proxy_failed",
    aiohttp.ClientConnectorCertificateError: "tls_failed",
    aiohttp.ServerTimeoutError: "connect_timeout",
    aiohttp.ClientConnectorError: _os_error,
    aiohttp.ServerDisconnectedError: "connection_lost",
    aiohttp.ClientPayloadError: "connection_lost",
    aiohttp.ClientResponseError: "protocol_error",
    aiohttp.ClientOSError: _os_error,
    aiohttp.ClientConnectionError: "connection_lost",
    OSError: system_error,
}


class AsyncioFetcher:
    """Fetches with aiohttp in the running event loop.

    Args:
        guard: Asked for every socket.
        counter: Where the bytes of bodies are counted.
        tls: TLS settings.
        proxy: The proxy that every request goes through, or None.
    """

    name = "asyncio"

    def __init__(self, guard: Guard, counter: ByteCount, tls: SSLContext, proxy: Proxy | None = None) -> None:
        self._counter = counter
        self._proxy = URL(proxy.url) if proxy else None
        self._connector = _Connector(guard, proxy, tls)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=_NO_TIMEOUT,
            skip_auto_headers=_SKIP,
        )
        # aiohttp's own retry takes any connection of the pool, dead ones too, and repeats what failed on a new one.
        self._session._retry_connection = False

    async def fetch(self, request: Request, target: Target) -> Response:
        """Ask for one URL; see `Fetcher.fetch`."""
        state = FetchState(target, self._counter)
        token = _state.set(state)
        try:
            with translated(_ERRORS):
                try:
                    async with state.clock:
                        await self._ask(request, state)
                        await self._read(request, state)
                except TimeoutError:
                    if not state.clock.expired():
                        raise
                    state.give_up()
        except BaseException as error:
            state.intake.discard()
            tell_sends(error, state.sends)
            raise
        finally:
            _state.reset(token)
            if state.response is not None and not state.response.closed:
                state.response.close()
        return make_page(
            request,
            (state.status, state.headers),
            state.intake.take(),
            (state.started, state.head_at),
            self.name,
            complete=state.truncated is not None or not state.is_broken,
            truncated=state.truncated,
            dial=state.dial,
            sends=state.sends,
        )

    async def _ask(self, request: Request, state: FetchState) -> None:
        """Send the request and wait for the answer's head; once more if a kept connection turns out to be dead."""
        url = URL(request.url, encoded=True)
        headers = CIMultiDict((("Host", authority(request.url)), *state.target.headers))
        try:
            state.response = await self._session.get(url, headers=headers, allow_redirects=False, proxy=self._proxy)
        except aiohttp.ClientConnectionError:
            if not state.was_idle:
                raise
            state.needs_fresh = True
            state.sends += 1
            state.enter("connect", state.target.limits.connect_timeout_s)
            state.response = await self._session.get(url, headers=headers, allow_redirects=False, proxy=self._proxy)
        state.head_at = time.monotonic()
        state.status = state.response.status
        if raw := state.response.raw_headers:  # the answer was read by aiohttp itself
            state.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)

    async def _read(self, request: Request, state: FetchState) -> None:
        """Read the body, as far as it is wanted."""
        response = state.response
        assert response is not None
        limits = state.target.limits
        state.truncated = state.intake.begin(request.kind, state.status, state.headers)
        if state.truncated is not None:
            return
        content = response.content
        while True:
            if not content.is_eof():
                state.enter("body", limits.read_timeout_s)
            piece = await content.readany()
            if not piece:
                return
            if state.intake.add(piece, time.monotonic()):
                state.truncated = "length"
                return

    def close_idle(self) -> None:
        """Close the connections that wait for their next request; see `Fetcher.close_idle`."""
        self._connector.close_idle()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


def create(settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None) -> AsyncioFetcher:
    """The fetcher that the settings ask for; see `crawler.fetch.create`."""
    proxy = find_proxy(settings.fetch.proxy, settings.fetch.resolve, guard)
    return AsyncioFetcher(guard, counter, tls or tls_context(), proxy)

"""requests and urllib3 in one thread: vetted addresses, the canonical URL on the wire, the parser of all strategies."""

from __future__ import annotations

import asyncio
import http.client
import queue
import socket
import threading
import time
from contextlib import suppress
from ssl import SSLContext
from typing import Any, Literal

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from crawler import urls
from crawler.errors import FetchError
from crawler.fetch.answer import AnswerParser
from crawler.fetch.base import READ_BYTES, ByteCount, Intake, authority, request_target, system_error
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.proxy import Proxy
from crawler.fetch.dial.target import DialRefused, Target
from crawler.models import Request

MIN_POOLS = 64  # hosts whose connections are kept

current = threading.local()  # .state: what this thread is fetching


class FetchState:
    """One fetch, as far as it has come; the parts of requests and urllib3 that are replaced here write into it.

    Args:
        request: What to get.
        target: Where it goes.
        guard: Asked for every socket.
        counter: Where the bytes of the body are counted.
        proxy: The proxy that the request goes through, or None.
    """

    def __init__(self, request: Request, target: Target, guard: Guard, counter: ByteCount, proxy: Proxy | None) -> None:
        self.request = request
        self.target = target
        self.guard = guard
        self.addresses = proxy.addresses if proxy else target.addresses
        self.started = time.monotonic()
        self.head_at = self.started
        self.connect_s = self.tls_s = 0.0  # 0 where a connection is used again
        self.connected_at = self.started
        self.intake = Intake(target, counter, self.started)
        self.phase: Literal["connect", "head", "body"] = "connect"
        self.until = self.started
        self.needs_fresh = False  # a connection that was used before is not good enough
        self.sends = 1  # How often the request was sent.
        self.was_idle = False  # the connection was one, and no byte of an answer has come
        self.has_begun = False
        self.is_stopped = False
        self.answer: AnswerParser | None = None
        self.truncated: str | None = None
        self.watchdog: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def enter(self, phase: Literal["connect", "head", "body"], patience_s: float) -> None:
        """Begin a phase, or a wait in it, that may take this many seconds."""
        self.phase = phase
        self.until = min(self.intake.deadline, time.monotonic() + patience_s)

    def begin(self) -> None:
        """A thread takes the fetch up: from now on its clocks run, however long it waited for one."""
        now = time.monotonic()
        self.intake.begin_later(now, now - self.started)
        self.started = self.head_at = self.connected_at = self.until = now
        self.has_begun = True

    @property
    def overdue_at(self) -> float:
        """When this thread should be done, monotonic seconds; of a body without a deadline, with its present wait."""
        return self.intake.deadline if self.intake.has_deadline else self.until

    def left(self) -> float:
        """Seconds that the present wait may still take.

        Raises:
            FetchError: If there are none, with the reason.
        """
        left = self.until - time.monotonic()
        if left <= 0 or self.is_stopped:
            raise self.late()
        return left

    def late(self) -> FetchError:
        """What it means that the present wait is over."""
        if self.is_stopped or self.until >= self.intake.deadline:
            return FetchError("deadline", f"while waiting for {self.phase}")
        reason = {"connect": "connect_timeout", "head": "first_byte_timeout", "body": "read_timeout"}[self.phase]
        return FetchError(reason)

    def register(self, sock: socket.socket) -> None:
        """Name the socket that `stop` shuts down."""
        with self._lock:
            self._socket = sock
            if self.is_stopped:
                _shut_down(sock)

    def stop(self) -> None:
        """End the fetch from another thread: whatever waits for its socket wakes up."""
        with self._lock:
            self.is_stopped = True
            if self._socket is not None:
                _shut_down(self._socket)


def _shut_down(sock: socket.socket) -> None:
    try:
        # Not SSLSocket's own method: that one takes the TLS state away from the thread that is using it.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass  # it was not connected, or is closed


class _Answer(http.client.HTTPResponse):
    """http.client's answer, with the parser of all strategies in place of its own."""

    def __init__(self, connection: HTTPConnection, sock: socket.socket, method: str | None) -> None:
        super().__init__(sock, method=method)
        self._connection = connection
        self._sock = sock
        self._rest = b""

    def begin(self) -> None:
        """Read the head. What it says is kept in the state of the fetch; the libraries see no fields and no framing."""
        state: FetchState = current.state
        state.answer = answer = AnswerParser(state.target.limits)
        state.register(self._sock)
        while not answer.status:
            data = self._receive(state)
            if not data:
                answer.feed_eof()
            self._rest = answer.feed(data)
        self.code = self.status = answer.status
        self.reason, self.version = "", 11
        self.headers = self.msg = http.client.HTTPMessage()
        self.chunked, self.chunk_left, self.length = False, None, None
        self.will_close = False

    def read1(self, n: int = -1) -> bytes:
        """The next piece of the body; nothing at its end, be it a good or a bad one."""
        state: FetchState = current.state
        answer = state.answer
        assert answer is not None
        piece, self._rest = self._rest, b""
        while not piece and not answer.is_complete and answer.broken is None:
            state.enter("body", state.target.limits.read_timeout_s)
            try:
                data = self._receive(state)
            except OSError:
                answer.feed_eof(is_clean=False)
                break
            if data:
                piece = answer.feed(data)
            else:
                answer.feed_eof()
        if not piece and not self.isclosed():
            if not answer.can_reuse:
                self._connection.close()  # the pool opens it again
            self.close()
        return piece

    def _receive(self, state: FetchState) -> bytes:
        self._sock.settimeout(state.left())
        try:
            data = self._sock.recv(READ_BYTES)
        except TimeoutError as error:
            raise state.late() from error
        except OSError as error:
            if state.is_stopped:
                raise state.late() from error
            if state.phase == "head":
                raise FetchError("connection_lost", f"{type(error).__name__}: {error}") from error
            raise
        if state.is_stopped:
            raise state.late()
        if data:
            state.was_idle = False
        return data


class _Connection(HTTPConnection):
    """A connection that dials the vetted addresses of the fetch and sends the canonical URL byte for byte."""

    def response_class(self, sock: socket.socket, method: str | None = None) -> _Answer:  # type: ignore[override]
        """What http.client reads an answer with."""
        return _Answer(self, sock, method)

    def connect(self) -> None:
        """Connect, TLS included, within the time for it."""
        state: FetchState = current.state
        try:
            super().connect()
        except TimeoutError as error:
            raise state.late() from error
        except OSError as error:
            raise system_error(error) from error
        if isinstance(self, HTTPSConnection):
            state.tls_s = time.monotonic() - state.connected_at

    def _new_conn(self) -> socket.socket:
        state: FetchState = current.state
        state.enter("connect", state.target.limits.connect_timeout_s)
        failure, began = OSError("no address to dial"), time.monotonic()
        for tried, address in enumerate(state.addresses):
            try:
                sock = self._dial(address, state.left() / (len(state.addresses) - tried), state)
                state.connected_at = time.monotonic()
                state.connect_s = state.connected_at - began
                return sock
            except OSError as error:
                failure = error
        state.left()
        if self.proxy:
            raise FetchError("proxy_failed", str(failure)) from failure
        raise failure

    def _dial(self, address: str, timeout_s: float, state: FetchState) -> socket.socket:
        port = self.port
        assert port is not None
        if not state.guard.permits(address, port):
            raise DialRefused(f"{address} port {port} is not on the public internet")
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            state.register(sock)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(timeout_s)
            sock.connect((address, port))
            sock.settimeout(state.left())  # what is left of the time to connect is for TLS
        except BaseException:
            sock.close()
            raise
        return sock

    def _tunnel(self) -> None:
        try:
            super()._tunnel()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise FetchError("proxy_failed", str(error)) from error

    def putrequest(self, method: str, url: str, *args: Any, **options: Any) -> None:
        """Write the request line from the state of the fetch; `url` has been re-quoted on its way here."""
        state: FetchState = current.state
        target = state.request.url if self.proxy_is_forwarding else request_target(state.request.url)
        super().putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        self.putheader("Host", authority(state.request.url))
        for name, value in state.target.headers:
            self.putheader(name, value.encode().decode("latin-1"))  # what http.client makes UTF-8 on the wire of

    def request(self, *args: Any, **options: Any) -> None:
        """Send the request; what fails on a connection that was kept is a lost connection, TLS or not."""
        state: FetchState = current.state
        try:
            super().request(*args, **options)
        except (BrokenPipeError, ConnectionResetError):
            pass  # an answer may have come all the same
        except OSError as error:
            raise FetchError("connection_lost", f"{type(error).__name__}: {error}") from error
        state.enter("head", state.target.limits.first_byte_timeout_s)


class _SecureConnection(_Connection, HTTPSConnection):
    """The same with TLS; certificate and SNI are those of the host name, whatever address is dialled."""


class _Pool(HTTPConnectionPool):
    """The connections to one origin."""

    ConnectionCls = _Connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)
        state: FetchState = current.state
        if state.needs_fresh:
            connection.close()
        state.was_idle = not connection.is_closed
        return connection

    def _put_conn(self, connection: Any) -> None:
        # A thread that was left behind has been replaced, its connection too: taken back, it would be one too many.
        if not current.state.is_stopped:
            super()._put_conn(connection)
        elif connection is not None:
            connection.close()

    def close_idle(self) -> None:
        """Close the connections that nobody is using; the pool stays open, for threads that come meanwhile too."""
        kept = self.pool
        if kept is None:
            return
        taken = []
        with suppress(queue.Empty):
            while True:
                taken.append(kept.get(block=False))
        for connection in taken:
            if connection is not None:
                connection.close()
            with suppress(queue.Full):  # a thread has given its connection back into this place
                kept.put(None, block=False)


class _SecurePool(_Pool, HTTPSConnectionPool):
    """The connections to one https origin."""

    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class Adapter(HTTPAdapter):
    """requests' way to urllib3, with pools of our connections and one set of TLS settings.

    Args:
        tls: TLS settings.
        threads: How many connections of a host are kept; those that are in use at a time are limited by the threads.
    """

    def __init__(self, tls: SSLContext, threads: int) -> None:
        self._tls = tls
        super().__init__(pool_connections=max(MIN_POOLS, 4 * threads), pool_maxsize=threads)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Make the pool of direct connections."""
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def close_idle(self) -> None:
        """Close the connections that nobody is using."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():
                pool = manager.pools.get(key)
                if pool is not None:
                    pool.close_idle()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Which pool a request belongs to, by the one URL parser."""
        assert request.url is not None
        scheme, host, port, _ = urls.split(request.url)
        return {"scheme": scheme, "host": host, "port": port}, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the TLS settings say it all."""

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """A stand-in that shows urllib3 whether the proxy forwards; `_Connection.putrequest` writes the true one."""
        assert request.url is not None
        return "http://stand.in/" if proxies and request.url.startswith("http:") else "/"


class Session(requests.Session):
    """requests' session, without its look at redirects: it reads their bodies even when they are not followed."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No answer redirects."""

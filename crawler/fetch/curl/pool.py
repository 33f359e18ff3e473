"""The connections of the strategy `curl` that speak HTTP/1.1: libcurl makes them, and the pool keeps them."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pycurl

from crawler.errors import FetchError
from crawler.fetch.curl.http1 import Connection, Wire
from crawler.fetch.curl.state import FetchState
from crawler.fetch.curl.transfers import HAS_HTTP2, Access, Easy, Outcome, Transfers

KEEP_ALIVE_S = 30.0


class _Dial(Easy):
    """A handle that makes connections and leaves them to us.

    Attributes:
        speaks_http2: Whether the server chose HTTP/2.
    """

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.speaks_http2 = False
        self.curl.setopt(pycurl.CONNECT_ONLY, 1)
        self.curl.setopt(pycurl.DEBUGFUNCTION, self._listen)

    def offer(self, http2: bool) -> None:
        """Set whether the next connection offers HTTP/2."""
        self.speaks_http2 = False
        self.curl.setopt(pycurl.VERBOSE, int(http2))  # what the server chose is told in libcurl's log alone
        self.curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS if http2 else pycurl.CURL_HTTP_VERSION_1_1)

    def receive(self, room: memoryview) -> int:
        """Read what there is on the connection, TLS undone."""
        try:
            return int(self.curl.recv_into(room))
        except pycurl.error as error:
            if "unexpected eof" in str(error):  # many servers close without a farewell in TLS
                return 0
            raise

    def _listen(self, kind: int, text: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and text.startswith(b"ALPN: server accepted h2"):
            self.speaks_http2 = True


class ConnectionPool:
    """Makes connections and keeps those that wait for their next request.

    Args:
        transfers: Where libcurl runs.
        access: What its handles are made with.
        max_idle: Connections kept; beyond that the one that has waited longest is closed.
    """

    def __init__(self, transfers: Transfers, access: Access, max_idle: int) -> None:
        self._transfers = transfers
        self._access = access
        self._max_idle = max_idle
        self._dials: list[_Dial] = []  # not in use
        self._idle: dict[Connection, None] = {}  # Connections that are kept, in the order in which they became idle.
        self._by_key: dict[str, list[Connection]] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, key: str, addresses: tuple[str, ...]) -> Connection | None:
        """A connection that is kept, if it leads to one of these addresses."""
        proxy = self._access.proxy
        while kept := self._by_key.get(key):
            connection = kept[-1]
            self._forget(connection)
            if connection.address in (proxy.addresses if proxy else addresses):
                return connection
            connection.close()
        return None

    async def dial(self, state: FetchState, key: str, may_be_http2: bool) -> Connection | None:
        """Make a connection; None if the server chose HTTP/2.

        Raises:
            FetchError: If it cannot be made.
        """
        url, limits = state.request.url, state.target.limits
        ended: asyncio.Future[Outcome] = state.expect()
        state.enter("connect", limits.connect_timeout_s)
        dial = self._dials.pop() if self._dials else _Dial(self._access)
        dial.offer(http2=may_be_http2 and HAS_HTTP2 and url.startswith("https:"))
        dial.aim(url, state.target.addresses, limits.connect_timeout_s)
        self._transfers.start(dial, ended)
        connection = None
        try:
            outcome = await ended
            if outcome[0]:
                raise dial.error(outcome)
            state.note_dial(dial.dial_s)
            if not dial.speaks_http2:
                connection = self._make(dial, key, is_tls=url.startswith("https:"))
            return connection
        finally:
            if connection is None:
                self._free(dial)

    def keep(self, connection: Connection) -> None:
        """Keep a connection for the next request."""
        connection.idle_since = time.monotonic()
        self._idle[connection] = None
        self._by_key.setdefault(connection.key, []).append(connection)
        if len(self._idle) > self._max_idle:
            self.drop(next(iter(self._idle)))
        if self._timer is None:
            self._timer = self._loop.call_later(KEEP_ALIVE_S, self._expire)

    def drop(self, connection: Connection) -> None:
        """Close a connection that is kept."""
        self._forget(connection)
        connection.close()

    def close_idle(self) -> None:
        """Close all that are kept."""
        for connection in list(self._idle):
            self.drop(connection)

    def close(self) -> None:
        """Close all that are kept, and the handles."""
        if self._timer is not None:
            self._timer.cancel()
        self.close_idle()
        for dial in self._dials:
            dial.curl.close()

    def _make(self, dial: _Dial, key: str, is_tls: bool) -> Connection:
        """Take over the connection that a handle has made."""
        curl = dial.curl
        address = dial.vetted(curl.getinfo(pycurl.PRIMARY_IP))
        fd = curl.getinfo(pycurl.ACTIVESOCKET)
        if address is None or fd < 0:
            raise FetchError("connection_lost", "gone as soon as it was made")
        if is_tls:
            return Connection(self, key, Wire(address, fd, dial.receive, curl.send, lambda: self._free(dial)))
        # Plain bytes need no libcurl, so its handle is free for the next connection.
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, os.dup(fd))
        sock.setblocking(False)
        self._free(dial)
        return Connection(self, key, Wire(address, sock.fileno(), sock.recv_into, sock.send, sock.close))

    def _free(self, dial: _Dial) -> None:
        """Close what a handle holds, and take it back."""
        self._transfers.remove(dial)
        self._dials.append(dial)

    def _forget(self, connection: Connection) -> None:
        del self._idle[connection]
        kept = self._by_key[connection.key]
        kept.remove(connection)
        if not kept:
            del self._by_key[connection.key]

    def _expire(self) -> None:
        """Close what has waited too long."""
        self._timer = None
        now = time.monotonic()
        for connection in list(self._idle):
            left = connection.idle_since + KEEP_ALIVE_S - now
            if left > 0:
                self._timer = self._loop.call_later(left, self._expire)
                return
            self.drop(connection)

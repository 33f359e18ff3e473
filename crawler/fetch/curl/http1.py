"""HTTP/1.1 over connections that libcurl has made, read with the parser of all strategies.

libcurl's own parser refuses heads that the others read (two Location fields, a line without a colon, NUL in a value),
takes some that they refuse, and gives nothing back of what it has refused. Reading its connections directly keeps one
meaning for each answer, and is faster.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote, urlsplit

import pycurl
from msgspec import Struct

from crawler.errors import FetchError
from crawler.fetch.answer import AnswerParser
from crawler.fetch.base import READ_BYTES, authority, request_target
from crawler.fetch.curl.state import FetchState
from crawler.fetch.dial.proxy import Proxy
from crawler.models import Headers

MAX_READS = 16  # pieces taken from one connection before others have their turn

_room = memoryview(bytearray(READ_BYTES))  # Every connection reads into it, and what came is copied at once.


class StaleConnection(FetchError):
    """A connection that was used before has ended without a byte of an answer."""


class Wire(Struct, frozen=True):
    """An open connection as bytes.

    Args:
        address: Where it leads.
        fd: Its socket.
        receive, send: As of a socket that does not block, TLS undone and done; pycurl.error may be raised too.
        close: Closes it.
    """

    address: str
    fd: int
    receive: Callable[[memoryview], int]
    send: Callable[[bytes], int]
    close: Callable[[], None]


class Keeper(Protocol):
    """Who keeps connections between two requests."""

    def keep(self, connection: Connection) -> None:
        """Keep a connection whose answer is complete."""
        ...

    def drop(self, connection: Connection) -> None:
        """Close a connection that is kept."""
        ...


class Connection:
    """One HTTP/1.1 connection; its socket is watched as long as it is open.

    Args:
        pool: Where it goes when an answer is complete.
        key: What it leads to.
        wire: The connection as bytes.
    """

    def __init__(self, pool: Keeper, key: str, wire: Wire) -> None:
        self.key = key
        self.address = wire.address
        self.idle_since = 0.0
        self._pool = pool
        self._wire = wire
        self._is_open = True
        self._state: FetchState | None = None
        self._answer: AnswerParser | None = None
        self._has_been_used = False
        self._may_be_stale = False  # the server may have closed it while it was idle; no byte of an answer has come
        self._unsent = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(wire.fd, self._on_readable)

    async def ask(self, state: FetchState, message: bytes) -> None:
        """Send a request and wait for the end of its answer.

        Raises:
            StaleConnection: If it was used before and is dead.
            FetchError: If no answer came.
        """
        limits = state.target.limits
        self._state, self._answer = state, AnswerParser(limits)
        self._may_be_stale, self._has_been_used = self._has_been_used, True
        try:
            ended = state.expect()
            state.enter("head", limits.first_byte_timeout_s)
            self._write(message)
            await ended
        finally:
            if self._state is state:  # its answer has not come to an end
                self.close()

    def close(self) -> None:
        """Close it."""
        self._state = self._answer = None
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._wire.fd)
            self._loop.remove_writer(self._wire.fd)
            self._wire.close()

    def _write(self, data: bytes) -> None:
        """Send what can be sent now, and the rest when there is room."""
        try:
            sent = self._wire.send(data)
        except BlockingIOError:
            sent = 0
        except (OSError, pycurl.error):
            sent = len(data)  # whoever reads finds out why; an answer may have come all the same
        had_rest, self._unsent = bool(self._unsent), data[sent:]
        if self._unsent:
            self._loop.add_writer(self._wire.fd, self._write, self._unsent)
        elif had_rest:
            self._loop.remove_writer(self._wire.fd)

    def _on_readable(self) -> None:
        """Read until nothing is left: TLS holds more than the socket shows, and uvloop tells of an error only once."""
        for _ in range(MAX_READS):
            if not self._is_open:
                return
            try:
                size = self._wire.receive(_room)
            except BlockingIOError:
                return
            except (OSError, pycurl.error):
                self._end(is_clean=False)
                return
            if not size:
                self._end(is_clean=True)
                return
            self._take(bytes(_room[:size]))
        self._loop.call_soon(self._on_readable)

    def _take(self, data: bytes) -> None:
        """Take bytes of an answer."""
        state, answer = self._state, self._answer
        if state is None or answer is None:  # Nobody has asked for anything on this connection.
            self._pool.drop(self)
            return
        self._may_be_stale = False
        had_head = bool(answer.status)
        is_wanted = True
        try:
            piece = answer.feed(data)
            if not answer.status:
                return
            if not had_head:
                is_wanted = state.take_head(answer.status, answer.headers)
            if piece and is_wanted:
                is_wanted = state.take(piece)
        except FetchError as error:
            self.close()
            state.fail(error)
            return
        if not is_wanted or answer.is_complete or answer.broken is not None:
            self._finish(state, answer, is_wanted)

    def _end(self, is_clean: bool) -> None:
        """The server has ended the connection; `is_clean` is false where it broke."""
        state, answer = self._state, self._answer
        if state is None or answer is None:
            self._pool.drop(self)
            return
        try:
            if self._may_be_stale:
                raise StaleConnection("connection_lost", "closed while it was idle")
            answer.feed_eof(is_clean)
        except FetchError as error:
            self.close()
            state.fail(error)
        else:
            self._finish(state, answer, is_wanted=False)

    def _finish(self, state: FetchState, answer: AnswerParser, is_wanted: bool) -> None:
        """The answer has ended, well or not; the connection is kept if it can carry another."""
        state.is_broken = answer.broken is not None
        self._state = self._answer = None
        if is_wanted and answer.can_reuse:
            self._pool.keep(self)
        else:
            self.close()
        state.finish()


def compose(url: str, headers: Headers, proxy: Proxy | None) -> bytes:
    """The bytes of a GET request: the canonical URL, Host, and the given fields in their order.

    Args:
        proxy: The proxy that the request goes through; it forwards http URLs and gets its credentials there.
    """
    is_forwarded = proxy is not None and url.startswith("http:")
    target = url if is_forwarded else request_target(url)
    fields = _fields(headers)
    if is_forwarded:
        assert proxy is not None
        fields += _proxy_field(proxy.url)
    return f"GET {target} HTTP/1.1\r\nHost: {authority(url)}\r\n".encode() + fields + b"\r\n"


@lru_cache(maxsize=256)
def _fields(headers: Headers) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers]
    if any(char in line for line in lines for char in "\r\n\0"):
        raise FetchError("internal", "a header field of the request is not one line")
    return "".join(f"{line}\r\n" for line in lines).encode()


@lru_cache(maxsize=1)
def _proxy_field(url: str) -> bytes:
    parts = urlsplit(url)
    if parts.username is None:
        return b""
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return b"Proxy-Authorization: Basic " + base64.b64encode(secret.encode()) + b"\r\n"

"""One connection of the lab's server: reads requests, writes replies, misbehaves where a reply says so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from itertools import repeat
from struct import pack
from typing import Protocol, cast

from msgspec import Struct

from crawler.lab.answers import Fault, split_host

MAX_HEAD_BYTES = 64 << 10
DRIP_INTERVAL_S = 1.0  # A dripping body has so many seconds between two bytes.
_BLANK = b"\r\n\r\n"
_KEEP = b"Connection: keep-alive\r\n"
_CLOSE = b"Connection: close\r\n"
_BAD_HEAD = "400 Bad Request"
_LARGE_HEAD = "431 Request Header Fields Too Large"
_OTHER_METHOD = "405 Method Not Allowed"


class Reply(Struct, frozen=True):
    """An answer as it goes on the wire.

    Args:
        wire: Head and body.
        head_bytes: How many of them are the head.
        latency_s: Wait before it, seconds.
        fault: How to misbehave with it.
        chunks: The pieces of a body whose length is not known; None repeats the body.
    """

    wire: bytes
    head_bytes: int
    latency_s: float = 0.0
    fault: Fault | None = None
    chunks: Iterator[bytes] | None = None


class Asked(Struct, frozen=True):
    """A request as far as the lab cares.

    Args:
        authority: Host name with port.
        host: Host name.
        target: Path and query.
        is_head: Whether only the head is wanted.
        keeps: Whether the connection stays open.
    """

    authority: str
    host: str
    target: str
    is_head: bool
    keeps: bool


class Answering(Protocol):
    """What a connection needs of its server."""

    connections: set[Connection]

    def reply(self, authority: str, target: str) -> Reply:
        """The reply to a request."""

    def begin(self, host: str, target: str) -> bool:
        """Count a request; False if it is none to be counted."""

    def end(self, host: str) -> None:
        """A counted request is over."""


class Connection(asyncio.Protocol):
    """Answers one request after the other.

    Args:
        server: Who answers and counts.
        loop: The running loop.
    """

    def __init__(self, server: Answering, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._buffer = b""
        # This is the request that is being answered.
        self._asked: Asked | None = None
        self._is_counted = False
        self._is_paused = False
        # This is what is still to be written of a streamed body.
        self._rest: Iterator[bytes] | None = None
        self._later: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # The transport of uvloop is one in all but its base class.
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the request in flight and its timer."""
        self._server.connections.discard(self)
        if self._later is not None:
            self._later.cancel()
        self._rest = None
        self._buffer = b""
        self._forget()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client, and the next request if none is being answered."""
        self._buffer = self._buffer + data if self._buffer else data
        if len(self._buffer) > MAX_HEAD_BYTES and (
            self._asked is not None or self._buffer.find(_BLANK, 0, MAX_HEAD_BYTES) < 0
        ):
            self._refuse(_LARGE_HEAD)
            return
        self._take()

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._is_paused = False
        if self._rest is not None:
            self._pump()
        else:
            self._take()

    def _take(self) -> None:
        """Answer the requests that are complete, until one needs time."""
        while self._asked is None and not self._is_paused and not self._transport.is_closing():
            head, blank, rest = self._buffer.partition(_BLANK)
            if not blank:
                return
            self._buffer = rest
            asked = read_head(head)
            if isinstance(asked, str):
                self._refuse(asked)
                return
            self._asked = asked
            self._is_counted = self._server.begin(asked.host, asked.target)
            reply = self._server.reply(asked.authority, asked.target)
            if reply.latency_s:
                self._later = self._loop.call_later(reply.latency_s, self._send_late, reply)
            else:
                self._send(reply)

    def _send_late(self, reply: Reply) -> None:
        self._later = None
        self._send(reply)
        self._take()

    def _send(self, reply: Reply) -> None:
        asked = self._asked
        assert asked is not None
        wire = reply.wire
        if asked.is_head:
            wire = wire[: reply.head_bytes]
        if not asked.keeps:
            wire = wire.replace(_KEEP, _CLOSE, 1)
        if reply.fault is None or (asked.is_head and reply.fault in ("short", "drip", "endless")):
            self._transport.write(wire)
            self._finish()
        else:
            self._misbehave(reply, wire)

    def _misbehave(self, reply: Reply, wire: bytes) -> None:
        body = reply.wire[reply.head_bytes :]
        head = wire.removesuffix(body)
        match reply.fault:
            case "reset":
                self._reset()
            case "short" | "garbage":
                self._transport.write(wire)
                self._transport.close()
            case "drip":
                self._transport.write(head)
                self._rest = iter([body[place : place + 1] for place in range(len(body))])
                self._drip()
            case "endless":
                self._transport.write(head)
                self._rest = _chunked(reply.chunks or repeat(body))
                self._pump()
            case _:
                pass  # A silent page stays unanswered until the client gives up.

    def _reset(self) -> None:
        # With this option, close sends RST instead of FIN.
        linger = pack("ii", 1, 0)
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def _drip(self) -> None:
        assert self._rest is not None
        piece = next(self._rest, None)
        if piece is None:
            self._end_body()
            return
        self._transport.write(piece)
        self._later = self._loop.call_later(DRIP_INTERVAL_S, self._drip)

    def _pump(self) -> None:
        """Write one piece and give the loop a turn, as long as the client reads."""
        self._later = None
        if self._rest is None or self._is_paused or self._transport.is_closing():
            return
        piece = next(self._rest, None)
        if piece is None:
            self._end_body()
            return
        self._transport.write(piece)
        if not self._is_paused:
            self._later = self._loop.call_soon(self._pump)

    def _end_body(self) -> None:
        self._rest = self._later = None
        self._finish()
        self._take()

    def _finish(self) -> None:
        if self._asked is not None and not self._asked.keeps:
            self._transport.close()
        self._forget()

    def _forget(self) -> None:
        if self._asked is not None and self._is_counted:
            self._server.end(self._asked.host)
        self._asked = None

    def _refuse(self, status: str) -> None:
        """Answer what is no request of ours, and close."""
        self._buffer = b""
        self._transport.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self._transport.close()


def _chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def read_head(head: bytes) -> Asked | str:
    """Read a request's head without its blank line; a status line where it is not one that the lab answers.

    Source: RFC 9112, sections 3 and 9.3.
    """
    with contextlib.suppress(ValueError):
        first, _, fields = head.partition(b"\r\n")
        method, target, version = first.decode("latin-1").split(" ")
        lower = b"\r\n" + fields.lower() + b"\r\n"
        if version not in ("HTTP/1.1", "HTTP/1.0") or lower.count(b"\r\nhost:") > 1:
            return _BAD_HEAD
        if method not in ("GET", "HEAD"):
            return _OTHER_METHOD
        if b"\r\ntransfer-encoding:" in lower or _field(lower, b"content-length") not in ("", "0"):
            return _BAD_HEAD
        authority = _field(lower, b"host")
        # A client asks a proxy like this.
        if target.startswith("http://"):
            authority, slash, path = target[len("http://") :].partition("/")
            target = slash + path
        if not authority or not target.startswith("/"):
            return _BAD_HEAD
        connection = _field(lower, b"connection")
        keeps = "keep-alive" in connection if version == "HTTP/1.0" else "close" not in connection
        host, _ = split_host(authority)
        return Asked(authority, host, target, method == "HEAD", keeps)
    return _BAD_HEAD


def _field(lower: bytes, name: bytes) -> str:
    """The value of a field in a lower-case head that begins and ends with a line break; "" if there is none."""
    start = lower.find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    start += len(name) + 3
    return lower[start : lower.index(b"\r\n", start)].strip().decode("latin-1")

"""Frames of a hostile HTTP/2 server: the fetch ends with a reason, and its request went out twice at most."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

import pytest
import trustme

pytest.importorskip("pycurl", reason="pycurl is not installed: pip install pycurl")

from crawler.errors import FetchError
from crawler.fetch.curl.transfers import HAS_HTTP2
from crawler.fetch.dial.target import Limits

from .conftest import Connect
from .test_tls import client_tls, server_tls

pytestmark = pytest.mark.skipif(not HAS_HTTP2, reason="this libcurl has no HTTP/2")

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 9
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OK = b"\x88"  # `:status: 200` in HPACK's static table


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 1) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class FrameServer:
    """Offers HTTP/2 and answers each request with the same frames, then waits until the client goes away.

    Args:
        tls: With HTTP/2 among its protocols.
        frames: What follows a request; `more` is sent again and again until the client has gone.
    """

    def __init__(self, tls: ssl.SSLContext, frames: bytes, more: bytes = b"") -> None:
        self._tls = tls
        self._frames = frames
        self._more = more
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.requests = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> FrameServer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, run: object, *arguments: object) -> None:
        self._threads.append(threading.Thread(target=run, args=arguments, name="frames"))  # type: ignore[arg-type]
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._start(self._serve, connection)

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), plain:
            with self._tls.wrap_socket(plain, server_side=True) as connection:
                connection.sendall(frame(SETTINGS, stream=0))
                for kind in _kinds(connection):
                    if kind == HEADERS:
                        self.requests += 1
                        connection.sendall(self._frames)
                        while self._more:
                            connection.sendall(self._more)


def _kinds(connection: ssl.SSLSocket) -> Iterator[int]:
    """The frames that a client sends."""
    _receive(connection, len(PREFACE))
    while True:
        head = _receive(connection, 9)
        _receive(connection, int.from_bytes(head[:3], "big"))
        yield head[3]


def _receive(connection: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = server_tls(authority, "127.0.0.1")
    context.set_alpn_protocols(["h2"])
    return context


@pytest.fixture
def strategy() -> str:
    """The only one that speaks HTTP/2."""
    return "curl"


HOSTILE = {
    "stream refused": (frame(RST_STREAM, struct.pack(">I", 7)), b""),
    "stream cancelled": (frame(RST_STREAM, struct.pack(">I", 8)), b""),
    "resets without end": (frame(RST_STREAM, bytes(4)), frame(RST_STREAM, bytes(4), stream=3) * 1000),
    "goaway before the request": (frame(GOAWAY, bytes(8), stream=0), b""),
    "goaway for an attack": (frame(GOAWAY, struct.pack(">II", 1, 11), stream=0), b""),
    "head without end": (frame(HEADERS, OK), frame(CONTINUATION, b"\x40\x01a\x01b" * 1000)),
    "empty continuations": (frame(HEADERS, OK), frame(CONTINUATION) * 1000),
    "head that is no HPACK": (frame(HEADERS, b"\xff" * 100, END_HEADERS), b""),
    "unasked push": (frame(PUSH_PROMISE, struct.pack(">I", 2) + OK, END_HEADERS), b""),
    "frame that is too large": (frame(DATA, bytes(100_000)), b""),
    "body before its head": (frame(DATA, b"hello", END_STREAM), b""),
    "body on no stream": (frame(DATA, b"hello", END_STREAM, stream=0), b""),
    "settings without end": (b"", frame(SETTINGS, struct.pack(">HI", 4, 65_535), stream=0) * 1000),
    "pings without end": (b"", frame(PING, bytes(8), stream=0) * 1000),
}


@pytest.mark.parametrize(("frames", "more"), HOSTILE.values(), ids=HOSTILE)
async def test_no_frames_keep_a_fetch_or_multiply_its_request(
    connect: Connect, authority: trustme.CA, tls: ssl.SSLContext, frames: bytes, more: bytes
) -> None:
    # scenario 37
    client = await connect(tls=client_tls(authority))
    with FrameServer(tls, frames, more) as server:
        with pytest.raises(FetchError) as caught:
            await client.get(f"https://127.0.0.1:{server.port}/", Limits(first_byte_timeout_s=1.0))
        await client.fetcher.close()
    assert caught.value.reason in ("connection_lost", "protocol_error", "header_too_large", "first_byte_timeout")
    assert server.requests <= 2
    assert client.counter.used == 0


async def test_a_stream_that_is_reset_in_its_body_is_a_short_body(
    connect: Connect, authority: trustme.CA, tls: ssl.SSLContext
) -> None:
    # scenarios 8, 37
    frames = frame(HEADERS, OK, END_HEADERS) + frame(DATA, b"hello") + frame(RST_STREAM, struct.pack(">I", 2))
    client = await connect(tls=client_tls(authority))
    with FrameServer(tls, frames) as server:
        page = await client.get(f"https://127.0.0.1:{server.port}/")
        await client.fetcher.close()
    assert (page.status, page.body, page.complete) == (200, b"hello", False)
    assert server.requests == 1

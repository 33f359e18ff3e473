"""A server on loopback whose every answer is scripted in bytes, for everything that a server can do wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Drip:
    """Send the same bytes again and again until the client goes away."""

    data: bytes
    pause_s: float = 0.02


@dataclass(frozen=True)
class Pause:
    """Take this long before the next step, as a slow server does."""

    seconds: float


class _Sign:
    def __init__(self, meaning: str) -> None:
        self.meaning = meaning


CLOSE = _Sign("close the connection in good order")
RESET = _Sign("reset the connection")
HANG = _Sign("send nothing more and wait until the client goes away")
WAIT = _Sign("go on when the test says so")
TELL = _Sign("tell the test that the script has come this far")

Step = bytes | Drip | Pause | _Sign


def answer(body: bytes = b"hello", status: str = "200 OK", *fields: str, length: int | None = None) -> bytes:
    """A well-formed answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class Seen:
    """What the server has seen so far."""

    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0

    @property
    def request_lines(self) -> list[str]:
        return [head.split(b"\r\n", 1)[0].decode("latin-1") for head in self.heads]

    def fields(self, index: int = -1) -> dict[str, str]:
        """The header fields of one request."""
        lines = self.heads[index].decode("latin-1").rstrip("\r\n").split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)


class ScriptedServer:
    """Serves scripts in a thread of its own; each request takes the next script of its path, the last one stays.

    Args:
        tls: Speak TLS with this context.
        host: Address to listen on.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._tls = tls
        self._host = host
        self._scripts: dict[str, list[tuple[Step, ...]]] = {}
        self._on_connect: tuple[Step, ...] = ()
        self.seen = Seen()
        self.client_left = threading.Event()
        self.told = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._go: asyncio.Event
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scripted server")
        self.port = 0

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def script(self, path: str, *steps: Step) -> str:
        """Add a script for a request target and return its URL; without steps after it, the connection is kept."""
        self._scripts.setdefault(path, []).append(steps)
        return self.url + path

    def on_connect(self, *steps: Step) -> None:
        """What to do with a connection before any request is read."""
        self._on_connect = steps

    def go(self) -> None:
        """Let every script that stands at WAIT go on."""
        self._loop.call_soon_threadsafe(self._go.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop, self._go = asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # handshakes that nobody will finish are among them
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for _ in range(5):  # closing a transport takes a few turns of the loop
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.connections += 1
        self.seen.open_connections += 1
        try:
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                await self._talk(reader, writer)
        finally:
            self.seen.open_connections -= 1
            await _ended(writer)
            self.client_left.set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._play(self._on_connect, reader, writer):
            return
        async for head in _heads(reader):
            self.seen.heads.append(head)
            path = head.split(b" ", 2)[1].decode("latin-1")
            scripts = self._scripts.get(path) or [(answer(b"no script", "404 Not Found"),)]
            steps = scripts.pop(0) if len(scripts) > 1 else scripts[0]
            if not await self._play(steps, reader, writer):
                return

    async def _play(self, steps: tuple[Step, ...], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Play a script; False if it ended the connection."""
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, Drip):
                while not reader.at_eof() and not writer.transport.is_closing():
                    writer.write(step.data)
                    await writer.drain()
                    await asyncio.sleep(step.pause_s)
                return False
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            elif step is WAIT:
                await self._go.wait()
            elif step is TELL:
                self.told.set()
            elif step is HANG:
                await reader.read()
                return False
            else:
                _end(writer, is_reset=step is RESET)
                return False
        return True


async def _heads(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        try:
            yield await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return


async def _ended(writer: asyncio.StreamWriter) -> None:
    """Close a connection and wait until its socket is closed too, the peer's help or not."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(0.2):
            await writer.wait_closed()
    writer.transport.abort()
    await asyncio.sleep(0)


def _end(writer: asyncio.StreamWriter, is_reset: bool) -> None:
    if is_reset:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()


def closed_port() -> int:
    """A port on loopback at which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

"""The lab's HTTP/1.1 server: hand-written, so that it is never what a measurement of a crawler measures.

Hosts are told apart by the Host header. Requests in absolute form are answered too, so that the server can stand in as
an HTTP proxy for crawlers that cannot be told where `site-000.lab` is. Answers are made once and kept as bytes.

Under every host name there are `/__lab__/counts` (JSON, `Counts`) and `/__lab__/truth` (JSON lines, `Truth`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice

import msgspec
from msgspec import Struct

from crawler.lab.answers import Answer, url
from crawler.lab.connection import Connection, Reply
from crawler.lab.folder import FolderWorld
from crawler.lab.world import World

CACHE_BYTES = 512 << 20
BACKLOG = 4096
PRIVATE = "/__lab__/"
TRUTH_BATCH = 16  # One chunk has so many pages, about 2 ms of work between two turns of the loop.
_KEEP = "Connection: keep-alive\r\n\r\n"


class Counts(Struct):
    """What a server was asked for, `/__lab__/` aside.

    Args:
        total: Requests.
        requests: Host name → path and query → requests.
        max_in_flight: Host name → the most requests that were unanswered at one time.
        starts: Host name → when each request came, monotonic seconds; only kept when the server logs.
    """

    total: int = 0
    requests: dict[str, dict[str, int]] = {}
    max_in_flight: dict[str, int] = {}
    starts: dict[str, list[float]] = {}

    def of(self, host: str, target: str = "/") -> int:
        """How many requests there were for one path and query of a host."""
        return self.requests.get(host, {}).get(target, 0)


class LabServer:
    """Serves a world on one loopback port; an asynchronous context manager.

    Args:
        world: What to serve.
        port: The port; 0 takes a free one.
        log: Whether to keep when each request came.
        address: Where to listen.
        cache_bytes: Answers that are kept, bytes; the oldest make room.
    """

    def __init__(
        self,
        world: World | FolderWorld,
        port: int = 0,
        log: bool = False,
        address: str = "127.0.0.1",
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.world = world
        self.port = port
        self.counts = Counts()
        self.connections: set[Connection] = set()
        self._log = log
        self._address = address
        self._in_flight: dict[str, int] = {}
        self._cache: dict[tuple[str, str], Reply] = {}
        self._room = cache_bytes
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; from here on `port` is the real one. OSError if it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self, loop), self._address, self.port, backlog=BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
            for connection in list(self.connections):
                connection.abort()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> LabServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def url(self, host: str, path: str = "/") -> str:
        """The canonical URL of a path on a host of this server."""
        return url(host, path, self.port)

    def warm(self) -> None:
        """Make every page before it is asked for, until the cache is full; for measurements."""
        if isinstance(self.world, World):
            for seed in self.world.hosts:
                authority = f"{seed}:{self.port}"
                for target in self.world.targets(seed):
                    reply = self._make(authority, target)
                    if self._room < len(reply.wire):
                        return
                    self._keep((authority, target), reply)

    def reply(self, authority: str, target: str) -> Reply:
        """The answer to a request as it goes on the wire; made once."""
        if target.startswith(PRIVATE):
            return self._private(target)
        # A folder is the same under every name and must not be kept once for each.
        key = ("" if isinstance(self.world, FolderWorld) else authority, target)
        reply = self._cache.get(key)
        if reply is None:
            reply = self._make(authority, target)
            self._keep(key, reply)
        return reply

    def begin(self, host: str, target: str) -> bool:
        """Count a request, whose answer `end` will announce; False for one that is not counted."""
        if target.startswith(PRIVATE):
            return False
        counts = self.counts
        counts.total += 1
        targets = counts.requests.setdefault(host, {})
        targets[target] = targets.get(target, 0) + 1
        now = self._in_flight.get(host, 0) + 1
        self._in_flight[host] = now
        if now > counts.max_in_flight.get(host, 0):
            counts.max_in_flight[host] = now
        if self._log:
            counts.starts.setdefault(host, []).append(time.monotonic())
        return True

    def end(self, host: str) -> None:
        """A request that `begin` counted is answered, or its connection is gone."""
        self._in_flight[host] -= 1

    def _make(self, authority: str, target: str) -> Reply:
        return _reply(self.world.answer(authority, target))

    def _keep(self, key: tuple[str, str], reply: Reply) -> None:
        self._cache[key] = reply
        self._room -= len(reply.wire)
        while self._room < 0:
            oldest = next(iter(self._cache))
            self._room += len(self._cache.pop(oldest).wire)

    def _private(self, target: str) -> Reply:
        if target == PRIVATE + "counts":
            return _reply(Answer(200, (("Content-Type", "application/json"),), msgspec.json.encode(self.counts)))
        if target == PRIVATE + "truth" and isinstance(self.world, World):
            reply = _reply(Answer(200, (("Content-Type", "application/x-ndjson"),), fault="endless"))
            return msgspec.structs.replace(reply, chunks=_truth_chunks(self.world, self.port))
        return _reply(Answer(404, (("Content-Type", "text/plain"),), b"the lab knows counts and truth\n"))


def _truth_chunks(world: World, port: int) -> Iterator[bytes]:
    truths = world.truth(port)
    encode = msgspec.json.Encoder().encode_lines
    while batch := list(islice(truths, TRUTH_BATCH)):
        yield encode(batch)


def _reply(answer: Answer) -> Reply:
    """Put an answer's head and body together."""
    if answer.fault == "garbage":
        return Reply(answer.body, len(answer.body), answer.latency_s, answer.fault)
    phrase = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.1 {answer.status} {phrase}\r\nServer: lab\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in answer.headers]
    if answer.fault == "endless":
        lines.append("Transfer-Encoding: chunked\r\n")
    else:
        announced = len(answer.body) * (2 if answer.fault == "short" else 1)
        lines.append(f"Content-Length: {announced}\r\n")
    head = "".join([*lines, _KEEP]).encode("latin-1")
    return Reply(head + answer.body, len(head), answer.latency_s, answer.fault)

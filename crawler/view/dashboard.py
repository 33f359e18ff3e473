"""The dashboard: a page on the crawl's own event loop that shows it while it runs, and can stop it.

It works only while somebody looks. Every state that is sent is whole, so a listener that is slow gets the newest one
and misses those between, and nothing ever queues up for it.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import importlib.util
import logging
import re
import socket
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import msgspec
from aiohttp import web

from crawler.engine.ending import Ending
from crawler.engine.engine import Engine
from crawler.errors import UsageError
from crawler.log.crawl_log import tell, tell_fault
from crawler.settings.groups import DashboardSettings
from crawler.view.access import AccessControl, plain, protect
from crawler.view.live import Live

# Whoever can connect could fill the log with requests that are none, so these are not told of.
_unheard = logging.getLogger(f"{__name__}.unheard")
_unheard.addHandler(logging.NullHandler())
_unheard.propagate = False

EVERY_S = 1.0  # Two states are sent this many seconds apart.
PATIENCE_S = 10.0  # A listener that does not read is dropped after this many seconds.
# A connection that came last is accepted, refused and closed within this many turns of the event loop.
TURNS_TO_CLOSE = 4
END_S = 1.0  # The last state has this many seconds to reach the listeners.
MAX_LISTENERS = 32  # The dashboard is open this many times at most.
# This many connections are open at most, because each takes a descriptor that the crawl may need.
MAX_CONNECTIONS = 64
IDLE_S = 60.0  # A connection without a request is kept for this many seconds.
MAX_BODY_BYTES = 1024  # The body of a request has this many bytes at most.
BACKLOG = 32  # This many connections wait to be accepted at most.
# The kernel buffers this many bytes for a listener, so that one that does not read is soon known.
SEND_BYTES = 65_536
RETRY_MS = 2000  # A browser that has lost the connection tries again after this many milliseconds.
NO_LIBRARY = "Metrics need one library more: pip install prometheus-client"


class Listener:
    """Somebody who looks: the newest state that has not been sent there, and no other."""

    def __init__(self) -> None:
        self._newest: bytes | None = None
        self._has_news = asyncio.Event()
        self._is_last = False
        self.has_left = asyncio.Event()

    def put(self, message: bytes, *, is_last: bool) -> None:
        """Let this be sent next, instead of what has not been sent yet."""
        self._newest, self._is_last = message, is_last
        self._has_news.set()

    async def next(self) -> tuple[bytes, bool]:
        """Wait for a state; and whether it is the last one."""
        await self._has_news.wait()
        self._has_news.clear()
        assert self._newest is not None
        return self._newest, self._is_last


class _Refusal(asyncio.Protocol):
    """Closes a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class Dashboard:
    """Serves one crawl.

    Args:
        settings: Where, and for whom.

    Raises:
        UsageError: If the port cannot be had.
    """

    def __init__(self, settings: DashboardSettings) -> None:
        self._socket = _listen(settings.host, settings.port)
        self._settings = settings
        self._port: int = self._socket.getsockname()[1]
        self._access = AccessControl(settings.token, self._port)
        self._page, self._policy = _read_page()
        self._listeners: set[Listener] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._ending: Ending | None = None
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._live: Live
        self._stop: Callable[[], None]

    @property
    def url(self) -> str:
        """Where the page is."""
        host = self._settings.host
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        authority = f"[{host}]" if ":" in host else host
        return f"http://{authority}:{self._port}/" + ("?token=…" if self._settings.token else "")

    @property
    def listener_count(self) -> int:
        """How many look."""
        return len(self._listeners)

    def close(self) -> None:
        """Free the port of a dashboard that was not started, or has ended."""
        self._socket.close()

    async def start(self, engine: Engine, seeds: Sequence[str], folder: str, stop: Callable[[], None]) -> None:
        """Begin to serve.

        Args:
            engine: The crawl.
            seeds: What it begins with.
            folder: Where it is kept; empty for nowhere.
            stop: Ends it in order.
        """
        self._live = Live(engine, seeds, folder)
        self._stop = stop
        application = web.Application(middlewares=[self._access.middleware], client_max_size=MAX_BODY_BYTES)
        application.add_routes(
            [
                web.get("/", self._show),
                web.get("/events", self._tell, allow_head=False),
                web.get("/stats.json", self._figures),
                web.get("/metrics", self._metrics),
                web.post("/stop", self._end_crawl),
            ]
        )
        self._runner = web.AppRunner(
            application, access_log=None, logger=_unheard, keepalive_timeout=IDLE_S, shutdown_timeout=END_S
        )
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._take_connection, sock=self._socket, backlog=BACKLOG)

    def _take_connection(self) -> asyncio.BaseProtocol:
        """What serves a new connection; one too many is closed."""
        server = self._runner.server if self._runner is not None else None
        if server is None or len(server.connections) >= MAX_CONNECTIONS:
            return _Refusal()
        return server()

    def take(self, lines: Sequence[bytes]) -> None:
        """Take the records of a commit."""
        try:
            self._live.recent.take(lines)
        except Exception as error:  # A fault here is no reason to end a crawl.
            tell_fault("the dashboard failed", error)

    async def end(self, ending: Ending | None) -> None:
        """Tell whoever looks how the crawl has ended, and end.

        Args:
            ending: How; None if it broke off.
        """
        if self._runner is None:
            return
        self._ending = ending
        if self._server is not None:
            self._server.close()
        for step in (self._tell_end, self._runner.cleanup):
            try:
                await step()
            except Exception as error:  # Whatever goes wrong here, the crawl is over and good.
                tell(logging.WARNING, "dashboard", f"the dashboard did not end in order: {error!r}")
        for _ in range(TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    async def _tell_end(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        if self._ending is not None and self._listeners:
            await self._live.survey()
            self._send()
            async with asyncio.timeout(END_S):
                for listener in tuple(self._listeners):
                    await listener.has_left.wait()

    # The page

    async def _show(self, request: web.Request) -> web.StreamResponse:
        response = web.Response(body=self._page, content_type="text/html", charset="utf-8")
        response.headers["Content-Security-Policy"] = self._policy
        protect(response)
        self._access.admit(response)
        return response

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        """A stream of states, until the crawl or the listener ends."""
        if len(self._listeners) >= MAX_LISTENERS:
            return plain(503, f"The dashboard is open {MAX_LISTENERS} times already; close one.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        protect(response)
        listener = Listener()
        self._listeners.add(listener)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await response.prepare(request)
                await response.write(_event("opening", self._live.opening(), retry_ms=RETRY_MS))
            listener.put(_event("state", self._live.state(self._ending)), is_last=self._ending is not None)
            self._wake()
            is_last = False
            while not is_last:
                message, is_last = await listener.next()
                async with asyncio.timeout(PATIENCE_S):
                    await response.write(message)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()  # What is on its way to a listener that does not read is let go.
        finally:
            self._listeners.discard(listener)
            listener.has_left.set()
        return response

    def _wake(self) -> None:
        """Begin to work, unless that has begun already."""
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.get_running_loop().create_task(self._tick(), name="dashboard")

    async def _tick(self) -> None:
        """Send a state now and then for as long as somebody looks."""
        try:
            while self._listeners:
                await self._live.survey()
                self._send()
                await asyncio.sleep(EVERY_S)
        except Exception as error:  # A fault here is no reason to end a crawl.
            tell_fault("the dashboard failed", error)

    def _send(self) -> None:
        message = _event("state", self._live.state(self._ending))
        for listener in self._listeners:
            listener.put(message, is_last=self._ending is not None)

    # What programs ask for

    async def _figures(self, request: web.Request) -> web.StreamResponse:
        state = self._live.state(self._ending)
        counted = msgspec.structs.asdict(self._live.engine.ledger.stats(state["why"], state["error"]))
        body = msgspec.json.encode({**state, **counted, **self._live.figures()})
        response = web.Response(body=body, content_type="application/json", charset="utf-8")
        protect(response)
        return response

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        if importlib.util.find_spec("prometheus_client") is None:
            return plain(501, NO_LIBRARY)
        from crawler.view.metrics import Metrics  # It needs a library that not everybody has.

        body, content_type = Metrics(self._live).write(request.headers.get("Accept", ""))
        response = web.Response(body=body, headers={"Content-Type": content_type})
        protect(response)
        return response

    async def _end_crawl(self, request: web.Request) -> web.StreamResponse:
        self._stop()
        self._send()
        response = web.json_response({"stopping": True}, status=202)
        protect(response)
        return response


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens; what keeps it from that is named by the option that asked for it."""
    no_address = UsageError(f"--dashboard-host {host!r} is no address of this machine")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family)
    except socket.gaierror:
        raise no_address from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise no_address from None
        fault = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            fault = "the port is in use; give another, or none to take a free one"
        raise UsageError(f"--dashboard {port}: {fault}") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    return listener


def _event(name: str, data: dict[str, Any], retry_ms: int | None = None) -> bytes:
    """A server-sent event; JSON has no line breaks of its own."""
    retry = f"retry: {retry_ms}\n" if retry_ms else ""
    return f"{retry}event: {name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


def _read_page() -> tuple[bytes, str]:
    """The page, and the policy that lets a browser run what is written in it and nothing else.

    Source: Content Security Policy Level 3; Trusted Types.
    """
    page = resources.files("crawler.view").joinpath("dashboard.html").read_bytes()
    hashes = {
        name: "'sha256-" + base64.b64encode(hashlib.sha256(inside).digest()).decode() + "'"
        for name, inside in re.findall(rb"<(script|style)>(.*?)</(?:script|style)>", page, re.DOTALL)
    }
    policy = (
        f"default-src 'none'; script-src {hashes[b'script']}; style-src {hashes[b'style']}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return page, policy

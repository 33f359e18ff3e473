"""The strategy `threads`: each request waits in a thread of its own, with requests over one connection pool."""

from __future__ import annotations

import asyncio
import http.client
import time
from http.cookiejar import DefaultCookiePolicy
from ssl import SSLContext

import requests
import urllib3
from requests.cookies import RequestsCookieJar
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict
from urllib3.util import SKIP_HEADER

from crawler.errors import FetchError
from crawler.fetch.base import (
    READ_BYTES,
    ByteCount,
    ErrorTable,
    make_page,
    system_error,
    tell_sends,
    tls_context,
    translated,
)
from crawler.fetch.blocking import Adapter, FetchState, Session, current
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.proxy import Proxy, find_proxy
from crawler.fetch.dial.target import Target
from crawler.fetch.dial.workers import Call, Workers
from crawler.models import Headers, Request, Response
from crawler.settings.groups import Settings

WATCHDOG_GRACE_S = 0.25  # after the deadline, so that the thread's own clock comes first
LINE_LOOK_S = 1.0  # Whether a fetch in line has begun is looked at after so many seconds.
ABANDON_S = 2.0  # A thread whose socket was shut down has this many seconds to notice it.
CLOSE_S = 2.0


def _connection_error(error: BaseException) -> FetchError:
    """What is behind requests' ConnectionError: the OSError deepest in its arguments."""
    inner: object = error
    while isinstance(inner, BaseException):
        if isinstance(inner, OSError) and not isinstance(inner, requests.RequestException):
            return system_error(inner)
        inner = getattr(inner, "reason", None) or next((a for a in inner.args if isinstance(a, BaseException)), None)
    return FetchError("connection_lost", f"{type(error).__name__}: {error}")


_ERRORS: ErrorTable = {
    requests.exceptions.ProxyError: "proxy_failed",
    requests.exceptions.SSLError: "tls_failed",
    requests.exceptions.ConnectTimeout: "connect_timeout",
    requests.exceptions.Timeout: "first_byte_timeout",
    requests.exceptions.ConnectionError: _connection_error,
    requests.exceptions.InvalidURL: "internal",
    requests.exceptions.RequestException: "connection_lost",
    urllib3.exceptions.HTTPError: "connection_lost",
    http.client.HTTPException: "protocol_error",
    OSError: system_error,
}


class ThreadsFetcher:
    """Fetches with requests, each request in a thread, all threads over one connection pool.

    Args:
        guard: Asked for every socket.
        counter: Where the bytes of bodies are counted.
        tls: TLS settings.
        threads: Requests at a time.
        proxy: The proxy that every request goes through, or None.
    """

    name = "threads"

    def __init__(
        self, guard: Guard, counter: ByteCount, tls: SSLContext, threads: int, proxy: Proxy | None = None
    ) -> None:
        self._guard = guard
        self._counter = counter
        self._proxy = proxy
        self._workers = Workers(threads, "fetch")
        self._under_way: set[FetchState] = set()
        self._session = Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._adapter = Adapter(tls, threads)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._adapter)

    async def fetch(self, request: Request, target: Target) -> Response:
        """Ask for one URL; see `Fetcher.fetch`."""
        state = FetchState(request, target, self._guard, self._counter, self._proxy)
        call = self._workers.submit(lambda: self._run(state), unclaimed=lambda page: state.intake.discard())
        self._under_way.add(state)
        self._watch(call, state)
        try:
            page: Response = await call.future
            return page
        except asyncio.CancelledError:
            state.stop()
            call.disclaim()
            raise
        finally:
            self._under_way.discard(state)
            if state.watchdog is not None:
                state.watchdog.cancel()

    def _watch(self, call: Call, state: FetchState) -> None:
        """Stop a thread when it is overdue, and leave it behind if that does not wake it."""
        loop = asyncio.get_running_loop()
        left = state.overdue_at + WATCHDOG_GRACE_S - time.monotonic()
        if left <= 0 and not state.has_begun:  # it still waits for a thread, and then has all of its time
            left = LINE_LOOK_S
        if left > 0:
            state.watchdog = loop.call_later(left, self._watch, call, state)
        else:
            state.stop()
            state.watchdog = loop.call_later(ABANDON_S, self._leave_behind, call, state)

    def _leave_behind(self, call: Call, state: FetchState) -> None:
        """A thread that its shut socket does not wake is waited for no longer, and another takes its place."""
        if not call.future.done():
            self._workers.abandon(call, FetchError("deadline", "its thread does not come back"))
            state.intake.discard()

    def _run(self, state: FetchState) -> Response:
        """The whole fetch, in a thread."""
        current.state = state
        state.begin()
        try:
            with translated(_ERRORS):
                response = self._ask(state)
                try:
                    head = (response.status_code, _fields(state, response))
                    self._read(state, response, head)
                finally:
                    response.close()
        except BaseException as error:
            state.intake.discard()
            tell_sends(error, state.sends)
            raise
        finally:
            del current.state
        return make_page(
            state.request,
            head,
            state.intake.take(),
            (state.started, state.head_at),
            self.name,
            complete=state.truncated is not None or state.answer is None or state.answer.broken is None,
            truncated=state.truncated,
            dial=(state.connect_s, state.tls_s),
            sends=state.sends,
        )

    def _ask(self, state: FetchState) -> requests.Response:
        """Send the request and wait for the answer's head; once more if a kept connection turns out to be dead."""
        try:
            response = self._send(state)
        except FetchError as error:
            if error.reason != "connection_lost" or not state.was_idle:
                raise
            state.needs_fresh = True
            state.sends += 1
            response = self._send(state)
        state.head_at = time.monotonic()
        return response

    def _send(self, state: FetchState) -> requests.Response:
        # Made by hand, because requests' own preparation quotes the URL anew and adds header fields.
        prepared = requests.PreparedRequest()
        prepared.method = "GET"
        prepared.url = state.request.url
        prepared.headers = CaseInsensitiveDict({"User-Agent": SKIP_HEADER})
        prepared.hooks = default_hooks()
        prepared._cookies = RequestsCookieJar()  # type: ignore[attr-defined]
        limits = state.target.limits
        proxies = {"http": self._proxy.url, "https": self._proxy.url} if self._proxy else {}
        return self._session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            proxies=proxies,
            timeout=(limits.connect_timeout_s, limits.first_byte_timeout_s),
        )

    def _read(self, state: FetchState, response: requests.Response, head: tuple[int, Headers]) -> None:
        """Read the body, as far as it is wanted."""
        state.truncated = state.intake.begin(state.request.kind, *head)
        while state.truncated is None:
            try:
                piece = response.raw.read1(READ_BYTES, decode_content=False)
            except FetchError as error:
                if error.reason != "deadline" or not state.intake.has_deadline:
                    raise
                state.truncated = "time"
                return
            if not piece:
                return
            if state.intake.add(piece, time.monotonic()):
                state.truncated = "length"

    def close_idle(self) -> None:
        """Close the connections that no thread is using; see `Fetcher.close_idle`."""
        self._adapter.close_idle()

    async def close(self) -> None:
        """Wake every thread, wait for them, and close every connection."""
        for state in list(self._under_way):
            state.stop()
        self._workers.close(CLOSE_S)
        self._session.close()


def _fields(state: FetchState, response: requests.Response) -> Headers:
    """The answer's header fields; the libraries hold them only where no socket of ours was read."""
    return state.answer.headers if state.answer else tuple(response.raw.headers.items())


def create(settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None) -> ThreadsFetcher:
    """The fetcher that the settings ask for; see `crawler.fetch.create`."""
    proxy = find_proxy(settings.fetch.proxy, settings.fetch.resolve, guard)
    # Hosts that have never answered have as many slots again, and must not keep the others waiting for a thread.
    threads = 2 * settings.fetch.concurrency
    return ThreadsFetcher(guard, counter, tls or tls_context(), threads, proxy)


class SequentialFetcher(ThreadsFetcher):
    """Fetches with requests in a single thread; whoever comes meanwhile waits in line.

    Args:
        guard: Asked for every socket.
        counter: Where the bytes of bodies are counted.
        tls: TLS settings.
        proxy: The proxy that every request goes through, or None.
    """

    name = "sequential"

    def __init__(self, guard: Guard, counter: ByteCount, tls: SSLContext, proxy: Proxy | None = None) -> None:
        super().__init__(guard, counter, tls, 1, proxy)


def create_sequential(
    settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None
) -> SequentialFetcher:
    """The fetcher that the settings ask for; see `crawler.fetch.create`."""
    proxy = find_proxy(settings.fetch.proxy, settings.fetch.resolve, guard)
    return SequentialFetcher(guard, counter, tls or tls_context(), proxy)

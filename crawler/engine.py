"""The crawl: opens the parts, passes values from stage to stage, and stops in the order that loses nothing.

The only module that sees the whole line. It runs on one event loop and is driven by events: whatever ends (a fetch, a
parse, a commit, a wait) calls `_pump`, which asks the frontier until there is nothing to hand out.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from functools import partial, wraps
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, cast

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.answers import judge
from crawler.commit import Committer
from crawler.errors import FetchError, ParseError, RunError
from crawler.export.journal import Journal
from crawler.fetch.base import ByteCount, Fetcher
from crawler.frontier.flights import Flights
from crawler.frontier.frontier import Drop, Frontier, Refill, Resolve, Wait
from crawler.frontier.politeness import retry_after_s
from crawler.frontier.retry import RetryBudget, RetryPolicy
from crawler.frontier.store import Done, Found, HostState, Store
from crawler.models import Link, Outcome, Page, Parsed, Request
from crawler.records import record_line
from crawler.report.ledger import Ledger
from crawler.scope import Scope
from crawler.settings import Settings
from crawler.site_files import SiteFiles
from crawler.targets import Targets

log = logging.getLogger("crawler")
log.addHandler(logging.NullHandler())  # a program that uses the library decides what it wants to read
P = ParamSpec("P")

GRACE_S = 5.0  # after a stop, seconds in which answers under way are still taken
DRAIN_S = 8.0  # after a stop, seconds after which pages still being parsed stay pending
NOTEWORTHY_WAIT_S = 5.0  # waits of hosts that are worth a place in the store; one gap is kept after a resume anyway
SMALL_COMMIT_S = 0.02  # while pages are being parsed, an idle slot asks for no commit sooner after the one before

Why = Literal["finished", "max_pages", "max_time", "stopped", "failed"]


class Ending(Struct, frozen=True):
    """How a crawl ended.

    Args:
        why: finished; max_pages or max_time, limits that the user set; stopped by a signal; failed.
        error: What failed.
    """

    why: Why
    error: RunError | None = None


class ParsePool(Protocol):
    """Where pages are parsed."""

    async def start(self) -> None: ...
    def submit(self, item: Page, done: Callable[[Parsed | ParseError], None]) -> None: ...
    def update(self, context: object) -> None: ...
    async def close(self) -> None: ...


class Parts(Struct):
    """What a crawl is made of, put together by `assembly.py`.

    Args:
        fetcher, pool, store: One of each seam.
        journal: Where records go; None keeps none.
        flights: Where it is noted what is being worked on; None does not.
        targets: Resolves and vets what is dialled.
        held: Bytes of bodies between download and parse.
        parse_context: Makes the parse stage's context for a scope.
    """

    fetcher: Fetcher
    pool: ParsePool
    store: Store
    journal: Journal | None
    flights: Flights | None
    targets: Targets
    held: ByteCount
    parse_context: Callable[[Scope], object]


def _entry(method: Callable[Concatenate[Engine, P], None]) -> Callable[Concatenate[Engine, P], None]:
    """Mark a method that the loop calls back: what it raises ends the crawl with a sentence instead of stalling it."""

    @wraps(method)
    def guarded(engine: Engine, *arguments: P.args, **named: P.kwargs) -> None:
        try:
            method(engine, *arguments, **named)
        except Exception as error:
            engine.crash(error)

    return cast("Callable[Concatenate[Engine, P], None]", guarded)


class Engine:
    """One crawl.

    Args:
        settings: All settings.
        scope: What belongs to the crawl.
        parts: Opened by the caller, closed by `run`.
        on_lines: Called with the lines of the journal after each commit.
    """

    def __init__(
        self,
        settings: Settings,
        scope: Scope,
        parts: Parts,
        on_lines: Callable[[Sequence[bytes]], None] = lambda lines: None,
    ) -> None:
        self.settings = settings
        self.scope = scope
        self.parts = parts
        self.ledger = Ledger()
        is_single = settings.fetch.strategy == "sequential"
        # Hosts that have never answered get as many slots again, so that dead ones do not keep the others waiting.
        probation = 0 if is_single else settings.concurrency
        self.frontier = Frontier(scope, settings.crawl, settings.politeness, settings.concurrency, probation)
        self.committer = Committer(parts.store, parts.journal, self._committed, self.fail, self._host_states)
        self.suspects: deque[Request] = deque()  # they may kill the process, so each runs last and alone
        self._lone = 0  # the `seq` of the one that runs, 0 for none
        self.prepare: Callable[[], None] = lambda: None  # runs first of all; what it raises ends the crawl
        self.before: Mapping[Outcome, int] = {}  # URLs by outcome when the run went on
        self.site_files = SiteFiles(settings, self.frontier, self.committer, self.ledger)
        self.parsing = 0  # pages in the parse stage
        self._on_lines = on_lines
        pace = settings.politeness
        self._retry = RetryPolicy(pace.retries, pace.backoff_s, pace.max_backoff_s)
        self._retry_budget = RetryBudget()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_pumping = self._has_to_pump = False
        self._stopping: Why | None = None
        self._is_clean = True  # what gets as far as closing its parts was killed by no page
        self._over: asyncio.Future[Ending]

    # Start and stop

    async def run(self, seeds: Sequence[str]) -> Ending:
        """Crawl from canonical seed URLs until the end, and close all parts."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        timers = []
        try:
            self.prepare()
            await self.parts.pool.start()
            links = [Link(url, urls.host_key(url), urls.fingerprint(url)) for url in seeds]
            self.committer.add_found(Found(links, 0, are_seeds=True))
            self.committer.flush()
            if self.settings.crawl.max_time_s:
                timers.append(loop.call_later(self.settings.crawl.max_time_s, self.stop, "max_time"))
            return await self._over
        finally:
            for timer in timers:
                timer.cancel()
            await self._close()

    @property
    def has_answers(self) -> bool:
        """Whether a server ever said something, in this session or an earlier one."""
        return bool(self.ledger.answers or any(self.before.get(each) for each in ("ok", "http_error", "redirect")))

    def stop(self, why: Why = "stopped") -> None:
        """Stop in order: no new requests, answers that come soon are kept, all else stays pending. Twice: at once."""
        if self._over.done():
            return
        if self._stopping is not None and why == "stopped":
            self._end(Ending(why))
            return
        if self._stopping is None:
            self._stopping = why
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S, self._cancel_fetches)
            loop.call_later(DRAIN_S, lambda: self._end(Ending(why)))
            self._pump()

    @property
    def is_over(self) -> bool:
        """Whether the end is decided, and only closing is left."""
        return self._over.done()

    def wake(self) -> None:
        """Look again: room was made, or something else outside has changed."""
        self._pump()

    def fail(self, error: RunError) -> None:
        """Stop because the run cannot go on; what is committed stays good."""
        self._end(Ending("failed", error))

    def crash(self, error: Exception) -> None:
        """Stop because of a fault in the crawler itself, or of one that a part has put into a sentence already."""
        if isinstance(error, RunError):
            self.fail(error)
            return
        log.error("the crawler failed", exc_info=error)
        self._is_clean = False
        self.fail(RunError(f"the crawler itself failed: {type(error).__name__}: {error}"))

    def _end(self, ending: Ending) -> None:
        if not self._over.done():
            self._over.set_result(ending)

    def _cancel_fetches(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _close(self) -> None:
        """Close every part in order, even if closing one of them fails."""
        self.ledger.ended = time.monotonic()
        if self._timer:
            self._timer.cancel()
        self._cancel_fetches()
        if self._tasks:
            await asyncio.wait(self._tasks)
        parts = self.parts
        for close in (parts.pool.close, self.committer.close, parts.fetcher.close, parts.targets.close):
            try:
                await close()
            except Exception:
                log.exception("closing a part failed")
        with ExitStack() as files:
            for file in (parts.journal, parts.flights):
                if file is not None:
                    files.callback(file.close)
            parts.store.close(is_clean=self._is_clean)

    # The drive

    @_entry
    def _pump(self) -> None:
        """Hand out what can be handed out; safe to be called from within itself."""
        self._has_to_pump = True
        if self._is_pumping:
            return
        self._is_pumping = True
        while self._has_to_pump and not self._over.done():
            self._has_to_pump = False
            self._hand_out()
        self._is_pumping = False

    def _hand_out(self) -> None:
        if self._stopping is not None:
            if not self._tasks and not self.parsing:
                self.committer.flush()
                if self.committer.is_idle:
                    self._end(Ending(self._stopping))
            return
        now = time.monotonic()
        while self.parts.held.used + self.committer.bytes_waiting < self.settings.parse.hand_off_bytes:
            decision = self.frontier.next(now)
            match decision:
                case Request():
                    self._start(self._fetch(decision))
                case Resolve():
                    self._start(self._resolve(decision))
                case Drop():
                    self._drop(decision)
                case Refill():
                    self._start(self._refill(decision))
                case _:
                    self._idle(decision, now)
                    return
        self.committer.flush()

    def _idle(self, wait: Wait | None, now: float) -> None:
        """Nothing can be handed out: commit if a slot is free and that may bring links, or wait, or end."""
        has_slot = self.frontier.in_flight < self.settings.concurrency
        is_starving = not self.parsing or self.committer.age_s > SMALL_COMMIT_S
        if self.committer.has_links and has_slot and is_starving:
            self.committer.flush()
        if wait is not None:
            if self._timer:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait.until - now), self._pump)
        if self.frontier.is_limit_reached and not self.frontier.pages_open:
            self.stop("max_pages")
        elif self.frontier.finished:
            self.committer.flush()
            if self.committer.is_idle and self.suspects:
                self._run_alone(self.suspects.popleft())
            elif self.committer.is_idle:
                self._end(Ending("finished"))

    def _run_alone(self, request: Request) -> None:
        """Nothing else is under way: if the process dies now, this URL did it."""
        self._lone = request.seq
        self.frontier.readmit(request, time.monotonic())
        self._pump()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    @_entry
    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
        self._pump()

    # Before the fetch

    async def _resolve(self, wanted: Resolve) -> None:
        try:
            addresses = await self.parts.targets.resolve(wanted.url)
        except FetchError as error:
            now = time.monotonic()
            log.info("cannot resolve %s: %s", wanted.host, error)
            if error.is_retryable:
                self.frontier.unresolved(wanted.host, now)
            else:
                self.frontier.fail_host(wanted.host, error.reason, now)
            return
        shared = self.parts.targets.has_address_limit(addresses)
        self.frontier.resolved(wanted.host, addresses, shared, time.monotonic())

    async def _refill(self, wanted: Refill) -> None:
        requests = await self.committer.ask(self.parts.store.take, wanted.host, wanted.after, wanted.count)
        self.frontier.refilled(wanted.host, requests, wanted.count, time.monotonic())

    def _drop(self, drop: Drop) -> None:
        for request in drop.requests:
            if request.kind == "robots":
                self.site_files.take_robots(request, None, b"")
            elif request.kind == "page":
                # What was never asked for has an outcome, but a record only if the user named it.
                is_due = request.is_seed or request.attempts > 0
                line = record_line(request, drop.outcome, error=drop.reason) if is_due else b""
                if drop.outcome == "failed":
                    log.warning("failed %s: %s", request.url, drop.reason)
                self.committer.add(Done(request, drop.outcome, drop.reason, line, was_open=False))

    # The fetch and what comes of it

    async def _fetch(self, request: Request) -> None:
        self.ledger.asked()
        self._retry_budget.count_request()
        if self.parts.flights is not None:
            self.parts.flights.enter(request.seq, alone=request.seq == self._lone)
        started = time.monotonic()
        try:
            page = await self.parts.fetcher.fetch(request, await self.parts.targets.target(request, started))
        except FetchError as error:
            self._no_answer(request, error, time.monotonic() - started)
        else:
            self._answer(page)

    def _no_answer(self, request: Request, error: FetchError, elapsed_s: float) -> None:
        if error.reason == "no_resources":  # no fault of the host: its URL stays pending
            self.fail(
                RunError(f"{error.detail or error}: raise the limit (ulimit -n) or lower --concurrency, then resume")
            )
            return
        now = time.monotonic()
        self.ledger.no_answer(elapsed_s)
        log.info("no answer from %s: %s (attempt %d)", request.url, error, request.attempts + 1)
        self.frontier.failed(request, now, is_network=error.is_retryable)
        if self._try_again(request, now, error=error):
            return
        if request.kind == "page":
            line = record_line(
                request, "failed", error=error.reason, elapsed_s=elapsed_s, strategy=self.settings.fetch.strategy
            )
            self._finish(Done(request, "failed", error.reason, line))
        else:
            self._side_answer(request, None)

    def _answer(self, page: Page) -> None:
        request, now = page.request, time.monotonic()
        wait_s = retry_after_s(page.header("retry-after"), time.time()) if page.status >= 400 else None
        self.ledger.answered(page)
        self.frontier.answered(request, now, page.elapsed_s, page.status, wait_s)
        if self._try_again(request, now, status=page.status, complete=page.complete, retry_after_s=wait_s):
            self.parts.held.add(-len(page.body))
        elif request.kind == "page":
            self._page(page)
        else:
            self._side_answer(request, page)

    def _finish(self, done: Done) -> None:
        """A page has its outcome, which takes effect with the next commit."""
        if self.parts.flights is not None:
            self.parts.flights.leave(done.request.seq)
        if done.outcome not in ("ok", "redirect"):
            log.warning("%s %s: %s", done.outcome, done.request.url, done.reason)
        self.committer.add(done)

    def _try_again(self, request: Request, now: float, **facts: Any) -> bool:
        """Give a request back to the frontier if a second try can help and the budget allows it."""
        wait_s = self._retry.after(request.attempts + 1, rand=random.random(), **facts)
        if wait_s is None or wait_s > self.settings.politeness.max_retry_after_s or not self._retry_budget.take():
            return False
        self.ledger.retries += 1
        if self.parts.flights is not None:
            self.parts.flights.leave(request.seq)
        self.frontier.retry(msgspec.structs.replace(request, attempts=request.attempts + 1), now + wait_s)
        return True

    def _page(self, page: Page) -> None:
        request = page.request
        verdict = judge(page, self.settings.fetch.max_redirects)
        if verdict.action == "parse":
            self._parse(page)
            return
        self.parts.held.add(-len(page.body))
        found = None
        if verdict.action == "redirect" and verdict.target is not None:
            found = self._follow(request, verdict.target)
        line = record_line(request, verdict.outcome, page=page, error=verdict.error, redirect_to=verdict.target)
        reason = verdict.error or (None if verdict.outcome == "ok" else str(page.status))
        self._finish(Done(request, verdict.outcome, reason, line, found))

    def _follow(self, request: Request, target: str) -> Found | None:
        """The target of a redirect as a link: judged like any other, but of the same depth and with its chain."""
        key = urls.host_key(target)
        if request.is_seed and self.scope.site_of(target) is None:
            self.widen(request.chain[0] if request.chain else request.url, key)
        refusal = self.scope.refusal(target)
        if refusal is not None and not (request.is_seed and refusal in ("include", "exclude")):
            self.ledger.left_out(key, refusal, target)
            return None
        link = Link(target, key, urls.fingerprint(target))
        return Found([link], request.depth, request.url, (*request.chain, request.url), request.is_seed)

    def widen(self, seed: str, key: str) -> None:
        """A seed that redirects to another host means that host."""
        site = self.scope.site_of(seed)
        if site is not None and self.scope.sites[site].kind != "prefix":
            self.scope = self.frontier.scope = self.scope.with_alias(site, key)
            self.parts.pool.update(self.parts.parse_context(self.scope))

    # Parsing

    def _parse(self, page: Page) -> None:
        self.parsing += 1
        self.parts.pool.submit(page, partial(self._parsed, page))

    @_entry
    def _parsed(self, page: Page, parsed: Parsed | ParseError) -> None:
        request = page.request
        self.parsing -= 1
        self.parts.held.add(-len(page.body))
        if isinstance(parsed, ParseError):
            log.warning("quarantined %s: %s", request.url, parsed)
            line = record_line(request, "quarantined", page=page, error=parsed.reason)
            if request.kind == "page":
                self._finish(Done(request, "quarantined", parsed.reason, line))
            else:
                self.frontier.done(request, "quarantined", time.monotonic())
        elif parsed.complete or not self._try_again(request, time.monotonic(), complete=False):
            self.ledger.parsed_page(parsed)
            found = Found(parsed.links, request.depth + 1, request.url) if parsed.links else None
            reason = parsed.error or (None if parsed.outcome == "ok" else str(page.status))
            if request.kind == "sitemap":
                self.site_files.take_sitemap(request, parsed)
            else:
                self._finish(Done(request, parsed.outcome, reason, parsed.line, found))
        self._pump()

    # Robots and sitemaps

    def _side_answer(self, request: Request, page: Page | None) -> None:
        if page is not None and request.kind == "sitemap" and 200 <= page.status < 300 and page.body:
            self._parse(page)
            return
        if request.kind == "robots":
            self.site_files.answer_robots(request, page)
        else:
            self.site_files.answer_sitemap(request, page)
        if page is not None:
            self.parts.held.add(-len(page.body))

    # The commit

    def _host_states(self, done: Sequence[Done]) -> list[HostState]:
        """The hosts of what is finished that may not be visited for a while."""
        now, wall = time.monotonic(), time.time()
        times = {key: self.frontier.next_visit(key) for key in {each.request.host for each in done}}
        return [HostState(key, wall + at - now) for key, at in times.items() if at > now + NOTEWORTHY_WAIT_S]

    @_entry
    def _committed(self, done: Sequence[Done], novel: Sequence[Request]) -> None:
        now = time.monotonic()
        for each in done:
            self.ledger.finished(each.outcome, each.reason)
            if each.was_open:
                self.frontier.done(each.request, each.outcome, now)
        for request in novel:
            self.frontier.add(request, now)
        self.ledger.new_urls += len(novel)
        self._on_lines([each.line for each in done if each.line])
        self._pump()

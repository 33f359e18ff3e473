"""The crawl: opens the parts, passes values from stage to stage, and stops in the order that loses nothing.

The only module that sees the whole pipeline. It runs on one event loop and is driven by events: whatever ends (a
fetch, a parse, a commit, a wait) calls `look`, which asks the frontier until there is nothing to hand out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from msgspec import Struct

from crawler import urls
from crawler.engine.commit import Committer
from crawler.engine.ending import Ending, Why
from crawler.engine.parts import Parts
from crawler.engine.pipeline import Pipeline
from crawler.errors import RunError
from crawler.fetch import concurrency_of, strategy_of
from crawler.frontier.frontier import Drop, Frontier, Refill, Resolve, Wait
from crawler.log.crawl_log import tell, tell_fault
from crawler.log.terminal import counted
from crawler.measure.ledger import Ledger
from crawler.measure.occupancy import Hold, Queues
from crawler.measure.sampler import Sampler
from crawler.models import Link, Outcome, Request
from crawler.scope.scope import Scope
from crawler.settings.groups import Settings
from crawler.store.base import Done, Found, States

P = ParamSpec("P")

GRACE_S = 5.0  # After a stop, answers under way are still taken for this many seconds.
DRAIN_S = 8.0  # After a stop, pages that are still being parsed after this many seconds stay pending.
TURN_S = 0.02  # Dropping requests takes this many seconds at most before answers and signals have their turn.
# While pages are being parsed, an idle slot asks for no commit sooner than this many seconds after the last.
SMALL_COMMIT_S = 0.02


def _entry(method: Callable[Concatenate[Engine, P], None]) -> Callable[Concatenate[Engine, P], None]:
    """Mark a method that the loop calls back: what it raises ends the crawl with a sentence instead of stalling it."""

    @wraps(method)
    def guarded(engine: Engine, *arguments: P.args, **named: P.kwargs) -> None:
        try:
            method(engine, *arguments, **named)
        except Exception as error:
            engine.crash(error)

    return cast("Callable[Concatenate[Engine, P], None]", guarded)


class Earlier(Struct, frozen=True):
    """What earlier sessions of a crawl left.

    Args:
        counts: How many URLs have which outcome.
        suspects: URLs that may kill the process; each runs last and alone.
    """

    counts: Mapping[Outcome, int] = {}
    suspects: Sequence[Request] = ()


class Engine:
    """One crawl.

    Args:
        settings: All settings.
        scope: What belongs to the crawl.
        parts: Opened by the caller, closed by `run`.
        prepare: Begins the session in the store and gives the engine what earlier sessions left; called by `run`, and
            what it raises ends the crawl.
        on_lines: Called with the lines of the journal after each commit.
    """

    def __init__(
        self,
        settings: Settings,
        scope: Scope,
        parts: Parts,
        prepare: Callable[[Engine], Earlier],
        on_lines: Callable[[Sequence[bytes]], None] = lambda lines: None,
    ) -> None:
        self.settings = settings
        self.scope = scope
        self.parts = parts
        slots = concurrency_of(settings.fetch)
        # Hosts that have never answered get as many slots again, so that dead ones do not keep the others waiting.
        probation = 0 if strategy_of(settings.fetch.strategy).is_one_at_a_time else slots
        self.frontier = Frontier(
            scope, settings.crawl, settings.politeness, slots, probation, leaves_pending=parts.journal is not None
        )
        downloads = parts.downloads
        of_files = (lambda: 0) if downloads is None else (lambda: downloads.received)
        self.ledger = Ledger(settings, self.frontier.hosts.delays, of_files)
        self._sampler = Sampler(self.ledger.timeline, lambda: moment(self))
        self.committer = Committer(parts.store, parts.journal, self._committed, self.fail, self._states, parts.archive)
        self._suspects: deque[Request] = deque()
        self._prepare = prepare
        self._before: Mapping[Outcome, int] = {}
        self.pipeline = Pipeline(
            settings,
            scope,
            parts,
            self.frontier,
            self.committer,
            self.ledger,
            on_parsed=self.look,
            on_failure=self.fail,
            on_crash=self.crash,
        )
        self._on_lines = on_lines
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._time_limit: asyncio.TimerHandle | None = None
        self._kept_traps = 0
        self._is_due = False  # a look at what can be handed out
        self._due_at = 0.0  # since then, monotonic seconds
        self._stopping: Why | None = None
        self._cause = ""  # What stopped the crawl, in words.
        self._is_clean = False  # Whether a session has begun, and gets as far as closing its parts without a fault.
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    # Start and stop

    async def run(self, seeds: Sequence[str]) -> Ending:
        """Crawl from canonical seed URLs until the end, and close all parts."""
        try:
            if not self._over.done():  # it may have been stopped before it began
                await self._begin(seeds)
            ending = await self._over
            self._tell_end(ending)
            return ending
        finally:
            await self._close()

    async def _begin(self, seeds: Sequence[str]) -> None:
        earlier = self._prepare(self)
        self._is_clean = True
        self._before = earlier.counts
        self._suspects.extend(earlier.suspects)
        await self.parts.pool.start()
        self._sampler.start()
        self._tell_start(len(seeds))
        links = [Link(url, urls.host_key(url), urls.fingerprint(url)) for url in seeds]
        self.committer.add_found(Found(links, 0, are_seeds=True))
        self.committer.flush()
        if max_time_s := self.settings.crawl.max_time_s:
            self._time_limit = asyncio.get_running_loop().call_later(max_time_s, self.stop, "max_time")

    def _tell_start(self, seeds: int) -> None:
        strategy, parse = self.settings.fetch.strategy, self.settings.parse.mode
        sentence = f"crawling from {counted(seeds, 'seed')} by {strategy}, parsing by {parse}"
        tell(logging.INFO, "started", sentence, seeds=seeds, strategy=strategy, parse=parse)

    def _tell_end(self, ending: Ending) -> None:
        if not_extracted := self.ledger.extract_errors.sentence:
            tell(logging.WARNING, "extract_errors", not_extracted, pages=self.ledger.extract_errors.pages)
        cause = str(ending.error or ending.cause)
        sentence = f"ended after {counted(self.ledger.pages, 'page')}: {ending.why}{' ' if cause else ''}{cause}"
        level = logging.ERROR if ending.error else logging.INFO
        tell(level, "ended", sentence, why=ending.why, cause=cause or None, pages=self.ledger.pages)

    @property
    def before(self) -> Mapping[Outcome, int]:
        """How many URLs had which outcome when this session began."""
        return self._before

    @property
    def has_pages(self) -> bool:
        """Whether a page was ever answered, in this session or an earlier one; a redirect alone is none."""
        return bool(self.ledger.pages or self.before.get("ok") or self.before.get("http_error"))

    def stop(self, why: Why = "stopped", cause: str = "") -> None:
        """Stop in order: no new requests, answers that come soon are kept, all else stays pending. Twice: at once."""
        if self._over.done():
            return
        if self._stopping is not None and why == "stopped":
            self._end(Ending(why, cause=cause or self._cause))
            return
        if self._stopping is None:
            self._stopping, self._cause = why, cause
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S, self._cancel_fetches)
            loop.call_later(DRAIN_S, lambda: self._end(Ending(why, cause=cause)))
            self.look()

    @property
    def is_over(self) -> bool:
        """Whether the end is decided, and only closing is left."""
        return self._over.done()

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new is sent any more, and what is under way is being brought to its end."""
        return self._stopping is not None

    def fail(self, error: RunError) -> None:
        """Stop because the run cannot go on; what is committed stays good."""
        self._end(Ending("failed", error))

    def crash(self, error: Exception) -> None:
        """Stop because of a fault in the crawler itself, or of one that a part has put into a sentence already."""
        if isinstance(error, RunError):
            self.fail(error)
            return
        tell_fault("the crawler failed", error)
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
        self.ledger.end()
        for timer in (self._timer, self._time_limit):
            if timer:
                timer.cancel()
        self._cancel_fetches()
        if self._tasks:
            await asyncio.wait(self._tasks)
        parts = self.parts
        for close in (parts.pool.close, self.committer.close, parts.fetcher.close, parts.targets.close):
            try:
                await close()
            except Exception as error:
                tell_fault("closing a part failed", error)
        self._sampler.stop()
        with ExitStack() as files:
            for file in (parts.journal, parts.in_progress):
                if file is not None:
                    files.callback(file.close)
            parts.store.close(is_clean=self._is_clean)

    # The drive

    def look(self) -> None:
        """Look at what can be handed out, once for all that happens in this turn of the loop.

        To be called whenever something ended, room was made, or anything else has changed that may let a request go.
        """
        if not self._is_due:
            self._is_due, self._due_at = True, time.monotonic()
            asyncio.get_running_loop().call_soon(self._drive)

    @_entry
    def _drive(self) -> None:
        self._is_due = False
        if self._over.done():
            return
        self._hand_out()
        # A loop with nothing else to do drives at once; the rest of its turn is what it was busy with.
        self.ledger.loop_s += time.monotonic() - self._due_at

    def _hand_out(self) -> None:
        if self._stopping is not None:
            if not self._tasks and not self.pipeline.parsing:
                self.committer.flush()
                if self.committer.is_idle:
                    self._end(Ending(self._stopping, cause=self._cause))
            return
        now = time.monotonic()
        while self.parts.held.used + self.committer.bytes_waiting < self.settings.parse.hand_off_bytes:
            decision = self.frontier.next(now)
            match decision:
                case Request():
                    if decision.kind == "page":
                        self.ledger.waited(decision.host, self.frontier.waits)
                    self._start(self.pipeline.fetch(decision))
                case Resolve():
                    self._start(self.pipeline.resolve(decision))
                case Drop():
                    self.pipeline.drop(decision)
                    if time.monotonic() - now > TURN_S:  # thousands may be dropped in a row
                        self.look()
                        return
                case Refill():
                    self._start(self.pipeline.refill(decision))
                case _:
                    self._account(now, self.frontier.hold(now))
                    self._idle(decision, now)
                    return
        self._account(now, "hand_off")
        self.committer.flush()

    def _account(self, now: float, hold: Hold) -> None:
        """Let the ledger know what keeps the next request from leaving, from this moment on."""
        queues = Queues(self.frontier.cooling, self.pipeline.parsing, self.committer.waiting, self.ledger.loop_s)
        self.ledger.look(now, hold, self.frontier.in_flight, queues)

    def _idle(self, wait: Wait | None, now: float) -> None:
        """Nothing can be handed out: commit if a slot is free and that may bring links, or wait, or end."""
        is_starving = not self.pipeline.parsing or self.committer.age_s > SMALL_COMMIT_S
        is_last = wait is None and not self._tasks and not self.pipeline.parsing  # nothing comes that could be added
        if is_last or (self.committer.has_links and self.frontier.has_room and is_starving):
            self.committer.flush()
        if wait is not None:
            if self._timer:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait.until - now), self.look)
        if self.frontier.limits.is_reached and not self.frontier.limits.open:
            self.stop("max_pages")
        elif self.frontier.finished:
            self.committer.flush()
            if self.committer.is_idle and self._suspects:
                self._run_alone(self._suspects.popleft())
            elif self.committer.is_idle:
                self._end(Ending(self.frontier.limits.ending))
        elif self.frontier.is_put_off and is_last:
            self.stop("retry_after")

    def _run_alone(self, request: Request) -> None:
        """Nothing else is under way: if the process dies now, this URL did it."""
        self.pipeline.lone = request.seq
        self.frontier.readmit(request, time.monotonic())
        self.look()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    @_entry
    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
        self.look()

    # The commit

    async def _keep_traps(self) -> None:
        await self.committer.ask(self.parts.store.keep_traps, self.frontier.traps.snapshot())

    def _states(self, done: Sequence[Done]) -> States:
        """What has to be known beside the outcomes of what is finished when the crawl goes on."""
        changes = self.pipeline.take_changes()
        keys = {each.request.host for each in done}.union(changes.delayed)
        hosts = self.frontier.hosts.to_keep(keys, time.monotonic(), time.time())
        return States(list(hosts), changes.reading, changes.read, changes.aliases)

    @_entry
    def _committed(self, done: Sequence[Done], novel: Sequence[Request]) -> None:
        now = time.monotonic()
        for each in done:
            self.ledger.finished(each.request.host, each.outcome, each.reason)
            if each.was_open:
                self.frontier.done(each.request, each.outcome, now)
        for request in novel:
            self.frontier.add(request, now)
        self.ledger.new_urls += len(novel)
        self.ledger.committed([now - at for at in self.committer.finished_at], self.committer.wall_s)
        if self.frontier.traps.traps != self._kept_traps:
            self._kept_traps = self.frontier.traps.traps
            self._start(self._keep_traps())
        self._on_lines([each.line for each in done if each.line])
        self.look()


def moment(engine: Engine) -> tuple[float, ...]:
    """The figures of this moment, in the order of the timeline's columns."""
    ledger, frontier, committer = engine.ledger, engine.frontier, engine.committer
    known = ledger.new_urls + sum(engine.before.values())
    ended = sum(ledger.outcomes.values()) + sum(engine.before.values()) - engine.before.get("pending", 0)
    return (
        round(ledger.elapsed_s, 3),
        ledger.pages,
        ledger.requests,
        ledger.outcomes["failed"] + ledger.outcomes["quarantined"],
        ledger.wire_bytes,
        frontier.in_flight,
        frontier.slots,
        engine.parts.held.used,
        engine.settings.parse.hand_off_bytes,
        engine.pipeline.parsing,
        committer.waiting,
        round(time.process_time(), 3),
        round(ledger.parse_cpu_s, 3),
        round(committer.wall_s, 3),
        known,
        max(0, known - ended),
    )

"""The commit: records, outcomes and links of finished pages take effect together, in groups, in a thread of its own."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar
from zlib import crc32

from crawler.errors import RunError
from crawler.log.crawl_log import tell_fault
from crawler.models import Request
from crawler.store.archive import Archive, Exchange
from crawler.store.base import Done, Found, Output, States, Store
from crawler.store.journal import Journal

INTERVAL_S = 0.5  # longest that a finished page waits, seconds
MAX_PAGES = 500  # A commit begins when this many pages wait for it.
MAX_BYTES = 8 * 1024 * 1024  # A commit begins when the records and bodies that wait for it have this many bytes.

Answer = TypeVar("Answer")
# What was committed, and the requests that the commit found to be new.
Committed = Callable[[list[Done], list[Request]], None]


class Committer:
    """Gathers what is finished and commits it in groups.

    Args:
        store: Outcomes and URLs.
        journal: Where records go; None keeps none.
        on_commit: Called on the event loop after each commit.
        on_error: Called on the event loop, once, when nothing can be committed any more.
        states: Called on the event loop before each commit: what to note beside what is finished.
        archive: Where exchanges go, closed with the rest; None keeps none.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal | None,
        on_commit: Committed,
        on_error: Callable[[RunError], None],
        states: Callable[[Sequence[Done]], States] = lambda done: States(),
        archive: Archive | None = None,
    ) -> None:
        self._states = states
        self._store = store
        self._journal = journal
        self._archive = archive
        self._has_states = False  # something is to be noted, whether or not anything is finished
        self._on_commit = on_commit
        self._on_error = on_error
        self._done: list[Done] = []
        self._done_at: list[float] = []
        self._found: list[Found] = []
        self._exchanges: list[Exchange] = []
        self._bytes = self._bytes_running = 0
        self._has_links = False
        self._started = -math.inf
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._running: asyncio.Future[list[Request]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False  # a flush was asked for while a commit was running
        self._is_broken = False
        self.commits = 0
        self.busy_s = 0.0  # CPU time
        self.wall_s = 0.0  # Seconds by the clock that commits took, the disk's part included.
        self.finished_at: list[float] = []  # monotonic, of each of the pages that the present or the last commit holds
        self.records = 0

    @property
    def waiting(self) -> int:
        """Finished requests, link groups, exchanges and notes not committed yet, those being committed left out."""
        return len(self._done) + len(self._found) + len(self._exchanges) + self._has_states

    @property
    def bytes_waiting(self) -> int:
        """Bytes of records, and of bodies that are kept, that are not on the disk yet."""
        return self._bytes + self._bytes_running

    @property
    def has_links(self) -> bool:
        """Whether something waits that could lead to new requests."""
        return self._has_links

    @property
    def age_s(self) -> float:
        """Seconds since the last commit began."""
        return time.monotonic() - self._started

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is being committed."""
        return not self.waiting and self._running is None

    def add(self, done: Done, exchange: Exchange | None = None) -> None:
        """Take a finished request for the next commit, with its answer if there was one."""
        self._done.append(done)
        self._done_at.append(time.monotonic())
        if exchange is not None:
            self._keep(exchange)
        self._bytes += len(done.line)
        self._has_links = self._has_links or (done.found is not None and bool(done.found.links))
        self._consider()

    def add_found(self, found: Found) -> None:
        """Take links that belong to no record: seeds, and those of sitemaps."""
        self._found.append(found)
        self._has_links = True
        self._consider()

    def add_exchange(self, exchange: Exchange) -> None:
        """Take an answer that belongs to no record: robots.txt and sitemaps."""
        self._keep(exchange)
        if self._exchanges:
            self._consider()

    def add_states(self) -> None:
        """See to it that the next commit comes soon, because `states` has something to note."""
        self._has_states = True
        self._consider()

    def _keep(self, exchange: Exchange) -> None:
        if self._archive is not None:
            self._exchanges.append(exchange)
            self._bytes += len(exchange.page.body)

    def flush(self) -> None:
        """Commit what waits as soon as the commit before it has ended."""
        if self._is_broken or not self.waiting:
            return
        if self._running is None:
            self._start()
        else:
            self._is_due = True

    async def ask(self, question: Callable[..., Answer], *arguments: object) -> Answer:
        """Ask the store something in its own thread, after the commits that were started before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, *arguments)

    async def close(self) -> None:
        """Commit what waits, and end the thread."""
        self.flush()
        while self._running is not None:
            # `_finish` was registered first and so has run before this returns; it may have started the next commit.
            await asyncio.wait([self._running])
        self._cancel_timer()
        self._thread.shutdown()
        if self._archive is not None:
            self._archive.file.close()

    def _consider(self) -> None:
        if self._is_broken:
            return
        if len(self._done) >= MAX_PAGES or self._bytes >= MAX_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.flush()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        done, self._done = self._done, []
        self.finished_at, self._done_at = self._done_at, []
        found, self._found = self._found, []
        exchanges, self._exchanges = self._exchanges, []
        self._bytes, self._bytes_running = 0, self._bytes
        self._has_links = self._has_states = self._is_due = False
        self._started = time.monotonic()
        self._cancel_timer()
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(self._thread, self._commit, done, found, exchanges, self._states(done))
        self._running.add_done_callback(lambda future: self._finish(done, future))

    def _commit(self, done: list[Done], found: list[Found], exchanges: list[Exchange], states: States) -> list[Request]:
        """Runs in the thread: outputs first, then the store, which holds their committed length."""
        started, began = time.thread_time(), time.monotonic()
        files = [] if self._journal is None else [self._journal]
        if self._archive is not None:
            files.append(self._archive.file)
        lengths = [file.length for file in files]
        outputs: list[Output] = []
        try:
            if self._journal is not None:
                outputs += _append(self._journal, [each.line for each in done if each.line])
            if self._archive is not None:
                outputs += _append(self._archive.file, self._archive.members(exchanges))
            novel = self._store.commit(done, found, outputs, states)
        except BaseException:
            for file, length in zip(files, lengths, strict=True):
                with suppress(OSError):  # a disk that fails altogether; readers stop at the committed length anyway
                    file.cut(length)
            raise
        if self._journal is not None:
            self.records += sum(bool(each.line) for each in done)
        self.commits += 1
        self.busy_s += time.thread_time() - started
        self.wall_s += time.monotonic() - began
        return novel

    def _finish(self, done: list[Done], future: asyncio.Future[list[Request]]) -> None:
        self._running = None
        self._bytes_running = 0
        try:
            novel = future.result()
        except RunError as error:
            self._break(error)
        except OSError as error:
            self._break(_cannot_write(error.strerror or str(error)))
        except Exception as error:
            tell_fault("the commit failed", error)
            self._break(_cannot_write(f"{type(error).__name__}: {error}"))
        else:
            self._report(done, novel)

    def _report(self, done: list[Done], novel: list[Request]) -> None:
        try:
            self._on_commit(done, novel)
        except Exception as error:  # pages whose links are lost would keep the crawl from ever ending
            tell_fault("the crawler failed", error)
            self._break(RunError(f"the crawler itself failed: {type(error).__name__}: {error}"))
        else:
            if self._is_due:
                self.flush()

    def _break(self, error: RunError) -> None:
        self._is_broken = True
        self._cancel_timer()
        self._on_error(error)


def _append(file: Journal, pieces: Sequence[bytes]) -> list[Output]:
    """Append to an output, wait for the disk, and tell what is to be committed of it: nothing if there was nothing."""
    offset, checksum = file.length, 0
    file.append(pieces)
    file.sync()
    for piece in pieces:
        checksum = crc32(piece, checksum)
    return [Output(file.path.name, offset, file.length - offset, checksum, len(pieces))] if pieces else []


def _cannot_write(what: str) -> RunError:
    return RunError(f"cannot write the run: {what}; what was committed before is safe")

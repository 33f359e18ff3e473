"""The parse stage alone, on pages out of a WARC: nothing is fetched, so nothing but parsing is measured."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Generic, TypeVar

from crawler import urls
from crawler.bench.least_cost import as_in_a_worker
from crawler.bench.samples import Sample
from crawler.engine.assembly import parse_pool
from crawler.engine.loop import run_loop
from crawler.errors import ParseError
from crawler.fetch.archived import ArchivedAnswers
from crawler.fetch.dial.target import Limits
from crawler.measure import procfs
from crawler.models import Parsed, Request, Response
from crawler.parse.stage import StageContext, decode_parsed, encode_page
from crawler.parse.workers.base import ParsePool
from crawler.run.folder import Run
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import FetchSettings, ParseSettings

Given = TypeVar("Given")
Made = TypeVar("Made")


def parse(run: Path, asked: Sequence[str], settings: ParseSettings, total: int, lines: Path) -> Sample:
    """Parse pages that a run has kept.

    Args:
        run: The run's folder, with a WARC.
        asked: URLs of the pages.
        settings: Where they are parsed, by how many workers, and with which parser.
        total: How many pages are parsed; when all have been, they are parsed again.
        lines: The file that takes the distinct records.
    """
    archived = ArchivedAnswers(Run(run).warc, Run(run).committed_length(Run(run).warc))
    limits = Limits.from_settings(FetchSettings())
    pages = [archived.find(Request(url, urls.host_key(url), urls.fingerprint(url)), limits) for url in asked]
    archived.close()
    sites = {page.request.host: SeedSite(page.request.url, "host") for page in pages}
    context = StageContext(Scope(list(sites.values())), settings.parser)
    # This process treats memory as workers do, so that processes are not given the credit for that.
    as_in_a_worker()
    return run_loop(lambda: _parse(pages, settings, context, total, lines))


class _Timed(Generic[Given, Made]):
    """A function that adds up the CPU time that it takes."""

    def __init__(self, function: Callable[[Given], Made]) -> None:
        self._function = function
        self.cpu_s = 0.0

    def __call__(self, given: Given) -> Made:
        before = time.thread_time()
        made = self._function(given)
        self.cpu_s += time.thread_time() - before
        return made


class _Answers:
    """What a pool answers to the pages that it is given."""

    def __init__(self) -> None:
        self.received: list[Parsed] = []
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def of(self, pool: ParsePool, pages: Sequence[Response]) -> None:
        """Submit pages, and wait until the last is answered."""
        self.received, self._wanted = [], len(pages)
        self._finished = asyncio.get_running_loop().create_future()
        for page in pages:
            pool.submit(page, self._take)
        await self._finished

    def _take(self, answer: Parsed | ParseError) -> None:
        if isinstance(answer, ParseError):
            self.fail(answer)
            return
        self.received.append(answer)
        if len(self.received) == self._wanted and not self._finished.done():
            self._finished.set_result(None)

    def fail(self, error: Exception) -> None:
        """Give up waiting."""
        if not self._finished.done():
            self._finished.set_exception(error)


async def _parse(
    pages: Sequence[Response], settings: ParseSettings, context: StageContext, total: int, lines: Path
) -> Sample:
    packing, unpacking, answers = _Timed(encode_page), _Timed(decode_parsed), _Answers()
    pool = parse_pool(settings, context, answers.fail, packing, unpacking)
    started = time.monotonic()
    await pool.start()
    try:
        # A page for each worker: the first of each takes longer, and who has answered is ready.
        await answers.of(pool, [pages[0]] * settings.workers)
        ready_s = time.monotonic() - started - max(answer.cpu_s for answer in answers.received)
        packing.cpu_s = unpacking.cpu_s = 0.0
        cpu_before, workers_before, began = time.process_time(), _workers_cpu_s(), time.monotonic()
        await answers.of(pool, list(islice(cycle(pages), total)))
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu_before
        workers_s = _workers_cpu_s() - workers_before
    finally:
        await pool.close()
    lines.write_bytes(b"".join(dict.fromkeys(answer.line for answer in answers.received)))
    return Sample(
        count=total,
        wall_s=wall_s,
        cpu_s={"main": cpu_s, "workers": workers_s},
        detail={"ready_s": ready_s, "packing_s": packing.cpu_s, "unpacking_s": unpacking.cpu_s},
    )


def _workers_cpu_s() -> float:
    """CPU time that the worker processes have taken until now, seconds; this process starts no others."""
    return sum(map(procfs.main_thread_cpu_s, procfs.children(os.getpid())))

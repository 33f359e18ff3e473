"""The parse stage alone, on pages out of a WARC: nothing is fetched, so nothing but parsing is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Generic, TypeVar

from crawler import urls
from crawler.bench.bare import as_in_a_worker
from crawler.bench.figures import Sample
from crawler.engine.loop import run_loop
from crawler.errors import ParseError, RunError
from crawler.fetch.archived import ArchivedAnswers
from crawler.fetch.dial.target import Limits
from crawler.measure import procfs
from crawler.models import Parsed, Request, Response
from crawler.parse.stage import PageParser, StageContext, decode_parsed, encode_page
from crawler.parse.workers.base import ParsePool
from crawler.parse.workers.inprocess import InlinePool, ThreadPool
from crawler.parse.workers.pool import ProcessPool
from crawler.parse.workers.worker import WorkerSpec
from crawler.run.folder import Run
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import FetchSettings, ParseSettings

Given = TypeVar("Given")
Made = TypeVar("Made")


def parse(run: Path, asked: Sequence[str], mode: str, parser: str, workers: int, total: int, lines: Path) -> Sample:
    """Parse pages that a run has kept.

    Args:
        run: The run's folder, with a WARC.
        asked: URLs of the pages.
        mode: Where they are parsed: `processes`, `threads` or `inline`.
        parser: What reads them, `lexbor` or `bs4`.
        workers: Processes or threads.
        total: How many pages are parsed; when all have been, they are parsed again.
        lines: The file that takes the distinct records.
    """
    archived = ArchivedAnswers(Run(run).warc, Run(run).committed_length(Run(run).warc))
    limits = Limits.from_settings(FetchSettings())
    pages = [archived.find(Request(url, urls.host_key(url), urls.fingerprint(url)), limits) for url in asked]
    archived.close()
    sites = {page.request.host: SeedSite(page.request.url, "host") for page in pages}
    # The parser is one of the settings' own choices, so its type is not asked again here.
    context = StageContext(Scope(list(sites.values())), parser)  # type: ignore[arg-type]
    as_in_a_worker()  # so that processes are not given the credit for what their memory settings do
    return run_loop(lambda: _parse(pages, _Pool(mode, context, workers), workers, total, lines))


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


class _Pool:
    """A parse pool and what it tells of itself."""

    def __init__(self, mode: str, context: StageContext, workers: int) -> None:
        self.packing, self.unpacking = _Timed(encode_page), _Timed(decode_parsed)
        self.processes: ProcessPool[Response, Parsed] | None = None
        self.pool: ParsePool
        if mode == "inline":
            self.pool = InlinePool[Response, Parsed](_parser, context)
        elif mode == "threads":
            self.pool = ThreadPool[Response, Parsed](_parser, context, workers)
        else:
            usual = ParseSettings()
            spec = WorkerSpec(
                factory="crawler.parse.stage:PageWork",
                context=context,
                cpu_limit_s=usual.cpu_limit_s,
                memory_limit_bytes=usual.memory_limit_bytes,
                recycle_growth_bytes=usual.recycle_growth_bytes,
                recycle_jobs=usual.recycle_pages,
            )
            made = ProcessPool[Response, Parsed](
                spec, self.packing, self.unpacking, workers, usual.wall_limit_s, self._no_workers
            )
            self.pool = self.processes = made
        self._failed: Callable[[RunError], None] = lambda error: None

    def _no_workers(self, error: RunError) -> None:
        self._failed(error)

    def workers_cpu_s(self) -> float:
        """CPU time that the worker processes have taken until now, seconds."""
        return sum(procfs.main_thread_cpu_s(pid) for pid in self.processes.pids) if self.processes else 0.0

    async def parse(self, pages: Sequence[Response]) -> list[Parsed]:
        """Parse pages, and wait until the last is done."""
        answers: list[Parsed] = []
        finished = asyncio.get_running_loop().create_future()

        def fail(error: Exception) -> None:
            if not finished.done():
                finished.set_exception(error)

        def take(answer: Parsed | ParseError) -> None:
            if isinstance(answer, ParseError):
                fail(answer)
                return
            answers.append(answer)
            if len(answers) == len(pages) and not finished.done():
                finished.set_result(None)

        self._failed = fail
        for page in pages:
            self.pool.submit(page, take)
        await finished
        return answers


async def _parse(pages: Sequence[Response], pool: _Pool, workers: int, total: int, lines: Path) -> Sample:
    started = time.monotonic()
    await pool.pool.start()
    try:
        # A page for each worker: the first of each takes longer, and who has answered is ready.
        first = await pool.parse([pages[0]] * workers)
        ready_s = time.monotonic() - started - max(answer.cpu_s for answer in first)
        pool.packing.cpu_s = pool.unpacking.cpu_s = 0.0
        cpu_before, workers_before, began = time.process_time(), pool.workers_cpu_s(), time.monotonic()
        answers = await pool.parse(list(islice(cycle(pages), total)))
        wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu_before
        workers_s = pool.workers_cpu_s() - workers_before
    finally:
        await pool.pool.close()
    lines.write_bytes(b"".join(dict.fromkeys(answer.line for answer in answers)))
    return Sample(
        count=total,
        wall_s=wall_s,
        cpu_s={"main": cpu_s, "workers": workers_s},
        detail={"ready_s": ready_s, "packing_s": pool.packing.cpu_s, "unpacking_s": pool.unpacking.cpu_s},
    )


def _parser(context: object) -> Callable[[Response], Parsed]:
    assert isinstance(context, StageContext)
    return PageParser(context).parse

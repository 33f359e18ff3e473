"""The rounds: all that is compared is measured once in each, so that what disturbs the machine hits all alike."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.bench import crawls, figures, least_cost, parts, scale
from crawler.bench.figures import About, Report, Sample
from crawler.bench.isolated import measure
from crawler.bench.web import Web, serve_files, serve_lab, watched
from crawler.errors import UsageError
from crawler.measure import procfs
from crawler.run.folder import DATA
from crawler.settings.groups import cores
from crawler.version import VERSION

# What is measured if nothing is chosen, and what is only if it is.
USUAL = ("fetch", "parse", "frontier", "store", "line", "start")
LONG = ("latency", "scale")
FRONTIER_HOSTS = (10, 10_000)
FEW_URLS = 10_000

# Part, variant and measurement, of one round.
Measured = list[tuple[str, str, Sample]]


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be measured.

    Args:
        parts: Of `USUAL` and `LONG`.
        strategies: How to fetch.
        parse, parser: How the whole line parses, and with which library.
        concurrency: Requests in flight.
        rounds: How often.
        pages: A folder of HTML files to work on; None takes the lab.
        count: How many pages; None takes all of a folder.
        page_bytes: Size of the lab's pages, bytes.
        scale_pages, scale_urls: How many pages and URLs the costs at scale are measured at.
    """

    parts: tuple[str, ...]
    strategies: tuple[str, ...]
    parse: str
    parser: str
    concurrency: int
    rounds: int
    pages: Path | None
    count: int | None
    page_bytes: int
    scale_pages: int
    scale_urls: int


def run(plan: Plan, say: Callable[[str], None]) -> Report:
    """Measure what is planned.

    Args:
        plan: What to measure.
        say: Called with a sentence now and then.

    Raises:
        UsageError: If there are no pages to measure with.
        CrawlerError: If a measurement fails.
    """
    measured: dict[tuple[str, str], list[Sample]] = {}
    started, others_before = time.monotonic(), others_s()
    with ExitStack() as stack:
        folder = stack.enter_context(scratch("bench"))
        say("making the pages")
        web = _serve(plan, folder, stack)
        tasks = Bench(plan, web, folder, stack).tasks()
        for number in range(plan.rounds):
            say(f"round {number + 1} of {plan.rounds}")
            # There and back, so that what comes early in a round comes late in the next.
            for task in tasks if number % 2 == 0 else reversed(tasks):
                for part, variant, sample in task():
                    measured.setdefault((part, variant), []).append(sample)
    results = [figures.summarise(part, variant, samples) for (part, variant), samples in measured.items()]
    workers = cores() if plan.parse == "processes" else 0
    others_cores = max(0.0, others_s() - others_before) / (time.monotonic() - started)
    return figures.judge(_about(plan, web, others_cores), results, cores(), workers)


def others_s() -> float:
    """CPU time of all processes that are none of the benchmark's, as far as its own have ended, seconds."""
    return procfs.machine_s() - procfs.ended_s() - time.process_time()


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder beside the runs, because waiting for the disk is part of what is measured; nothing of it stays.

    Args:
        name: What its name begins with.
    """
    is_ours = not DATA.exists()
    try:
        DATA.mkdir(exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f"{name}-", dir=DATA)
    except OSError as error:
        raise UsageError(f"cannot make a folder in {DATA}/ for what is measured: {error.strerror}") from None
    try:
        with temporary as folder:
            yield Path(folder).absolute()
    finally:
        if is_ours:
            with suppress(OSError):  # somebody else has put something there
                DATA.rmdir()


def _serve(plan: Plan, folder: Path, stack: ExitStack) -> Web:
    corpus = folder / "corpus"
    if plan.pages is not None:
        return stack.enter_context(serve_files(plan.pages, plan.count, corpus))
    return stack.enter_context(serve_lab(plan.count or 0, plan.page_bytes, corpus))


class Bench:
    """What is measured in each round.

    Args:
        plan: What to measure.
        web: What to work on.
        folder: Where files are made.
        stack: Where further webs are closed.
    """

    def __init__(self, plan: Plan, web: Web, folder: Path, stack: ExitStack) -> None:
        self._plan = plan
        self._web = web
        self._folder = folder
        self._stack = stack
        self._corpus = Path(web.corpus.folder)
        self._parsing = ["--parse", plan.parse, "--parser", plan.parser]

    def tasks(self) -> list[Callable[[], Measured]]:
        """One round's measurements, in order."""
        plan, asked, tasks = self._plan, set(self._plan.parts), list[Callable[[], Measured]]()
        if asked & {"fetch", "line"}:
            tasks.append(self._bare_fetch)
        if "fetch" in asked:
            tasks += [partial(self._fetch, strategy) for strategy in plan.strategies]
        if asked & {"parse", "line"}:
            tasks.append(self._bare_parse)
        if "parse" in asked:
            tasks.append(self._parse)
        if asked & {"frontier", "scale"}:
            tasks += [partial(self._frontier, hosts) for hosts in FRONTIER_HOSTS]
        if "store" in asked:
            tasks.append(self._store)
        if "start" in asked:
            tasks.append(self._start)
        if "line" in asked:
            tasks += [partial(self._line, strategy) for strategy in plan.strategies]
        if "latency" in asked:
            tasks += self._latency()
        if "scale" in asked:
            tasks += [self._pages_done(), *(partial(self._known, urls) for urls in (FEW_URLS, plan.scale_urls))]
        return tasks

    def _bare_fetch(self) -> Measured:
        return self._with_server(
            "bare fetch", least_cost.client(), least_cost.fetch, self._web.port, self._plan.concurrency
        )

    def _fetch(self, strategy: str) -> Measured:
        return self._with_server("fetch", strategy, parts.fetch, strategy, self._plan.concurrency)

    def _with_server(self, part: str, variant: str, job: Callable[..., Sample], *arguments: object) -> Measured:
        """Measure a fetch of the whole corpus, and what it costs the server."""
        before = procfs.main_thread_cpu_s(self._web.server)
        sample = measure(job, self._corpus, *arguments)
        cpu_s = {**sample.cpu_s, "server": procfs.main_thread_cpu_s(self._web.server) - before}
        return [(part, variant, msgspec.structs.replace(sample, cpu_s=cpu_s))]

    def _bare_parse(self) -> Measured:
        return [("bare parse", "lexbor", measure(least_cost.parse, self._corpus))]

    def _parse(self) -> Measured:
        return [("parse", self._plan.parser, measure(parts.parse, self._corpus, self._plan.parser))]

    def _frontier(self, hosts: int) -> Measured:
        return [("frontier", f"{hosts:,} hosts", measure(parts.frontier, hosts))]

    def _store(self) -> Measured:
        entries = self._web.corpus.entries
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            sample = measure(parts.store, Path(folder), len(entries), self._web.corpus.size // len(entries))
        return [("store", "with fsync", sample)]

    def _start(self) -> Measured:
        return [
            ("start", "crawler --help", crawls.help_text()),
            ("start", "one page", crawls.one_page(self._web, self._folder)),
        ]

    def _line(self, strategy: str) -> Measured:
        sample = crawls.whole(self._web, strategy, self._plan.concurrency, self._parsing, self._folder)
        return [("line", strategy, sample)]

    def _latency(self) -> list[Callable[[], Measured]]:
        spec = crawls.slow_hosts(len(self._web.corpus.entries))
        lab, _ = self._stack.enter_context(watched(spec))

        def crawl(strategy: str) -> Measured:
            return [("latency", strategy, crawls.late(spec, lab, strategy, self._parsing, self._folder))]

        return [partial(crawl, strategy) for strategy in self._plan.strategies]

    def _pages_done(self) -> Callable[[], Measured]:
        spec = scale.world(self._plan.scale_pages)
        lab, _ = self._stack.enter_context(watched(spec))
        options = ["--strategy", self._plan.strategies[0], *self._parsing]

        def crawl() -> Measured:
            quarters = scale.pages_done(spec, lab, options, self._folder)
            return [("pages done", quarter, sample) for quarter, sample in quarters]

        return crawl

    def _known(self, urls: int) -> Measured:
        return [("URLs known", f"{urls:,} URLs", measure(scale.known, self._folder, urls))]


def _about(plan: Plan, web: Web, others_cores: float) -> About:
    return About(
        version=VERSION,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        pages_from="the lab" if plan.pages is None else str(plan.pages),
        pages=len(web.corpus.entries),
        page_bytes=round(web.corpus.size / len(web.corpus.entries)),
        concurrency=plan.concurrency,
        parse=plan.parse,
        parser=plan.parser,
        rounds=plan.rounds,
        others_cores=others_cores,
    )

"""The rounds of a comparison: every way to crawl and to parse, each measured in a process of its own."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.bench.compare import advice, figures, lessons, stage, whole_crawl
from crawler.bench.compare.figures import MODES, PARSERS, About, Own, Report
from crawler.bench.compare.same_records import Comparison
from crawler.bench.crawls import TO_THE_LAB
from crawler.bench.figures import Sample
from crawler.bench.isolated import measure
from crawler.bench.rounds import others_s, scratch
from crawler.bench.web import copied
from crawler.lab.process import serve_folder, serve_in_process
from crawler.lab.world import World, WorldSpec
from crawler.run.folder import Run
from crawler.settings.file import load
from crawler.settings.groups import cores
from crawler.store.journal import read_lines
from crawler.version import VERSION

HOST = "site-000.lab"
STAGE_PAGES = 60  # different pages that the parse stage alone is measured with, at most
STAGE_S = 0.5  # of work for it in one measurement, about
STAGE_TOTAL = 2_000  # pages of one measurement, at most
# What parsing takes on an ordinary machine, seconds a byte; it only sizes the work.
PARSE_S = {"bs4": 4.2e-7, "lexbor": 1.4e-8}
# What a measurement takes beside its work, seconds: the start of a process, and of parse workers.
START_S = 0.45
WORKERS_S = 0.3
FETCH_S = 0.002  # CPU time of a page with its parsing, about
SPARED = 3  # `sequential` is measured in one round of so many: it mostly waits, and that hardly varies

Task = Callable[[], None]
Measured = dict[tuple[str, str], list[Sample]]


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be compared.

    Args:
        strategies: How to fetch; `sequential` is among them.
        missing: A sentence for each strategy that cannot be measured.
        rounds: How often.
        concurrency: Requests under way.
        count: How many pages each crawl takes.
        page_bytes: Size of the lab's pages, bytes.
        latency_ms: What the lab waits before an answer, milliseconds.
        pages: A folder of HTML files to serve in place of the lab's pages; None takes those.
        own: What was found out about the user's own sites; None compares on the lab alone.
        own_pages: URLs of the pages that were kept of them.
        given: How the sites are named on the command line that is recommended.
    """

    strategies: tuple[str, ...]
    missing: tuple[str, ...]
    rounds: int
    concurrency: int
    count: int
    page_bytes: int
    latency_ms: float
    pages: Path | None = None
    own: Own | None = None
    own_pages: tuple[str, ...] = ()
    given: tuple[str, ...] = ("--sites", "FILE")

    def expected_s(self) -> float:
        """About how long it takes, seconds."""
        fetch_s = self.count * FETCH_S
        wave_s = self.latency_ms / 1000
        slots = min(self.concurrency, self.count)
        spared = -(-self.rounds // SPARED)
        alone_s = len(MODES) * (START_S + self.count * wave_s + fetch_s)
        others = len(self.strategies) - 1
        overlapped_s = others * len(MODES) * (START_S + self.count / slots * wave_s + fetch_s)
        staged_s = len(PARSERS) * (len(MODES) * (START_S + STAGE_S) + WORKERS_S)
        return 3 + spared * alone_s + self.rounds * (overlapped_s + staged_s) + 2 * len(self.strategies) * START_S


class Work(Struct, frozen=True):
    """Pages that are being served.

    Args:
        sites: A file with all URLs.
        urls: The same.
        page_bytes: Their size on average, bytes; 0 where it is not known before they are fetched.
    """

    sites: Path
    urls: list[str]
    page_bytes: int


def run(plan: Plan, step: Callable[[int, int, str], None]) -> Report:
    """Measure what is planned, and make of it what follows.

    Args:
        plan: What to compare.
        step: Called before each measurement with its number, how many there are, and what it is.

    Raises:
        UsageError: If there are no pages to measure with.
        CrawlerError: If a measurement fails.
    """
    started, others_before = time.monotonic(), others_s()
    with ExitStack() as stack:
        folder = stack.enter_context(scratch("compare"))
        step(0, 0, "making the pages")
        work = stack.enter_context(_served(plan, folder))
        rounds = Rounds(plan, work, folder)
        tasks = [task for number in range(plan.rounds) for task in rounds.tasks(number)]
        for number, (name, task) in enumerate(tasks, start=1):
            step(number, len(tasks), name)
            task()
    others_cores = max(0.0, others_s() - others_before) / (time.monotonic() - started)
    return _report(plan, rounds, work, others_cores)


@contextmanager
def _served(plan: Plan, folder: Path) -> Iterator[Work]:
    """Serve the pages from a process of their own, all at once known and each after the same time."""
    if plan.pages is None:
        spec = WorldSpec(
            hosts=1,
            pages_per_host=plan.count,
            page_bytes=plan.page_bytes,
            size_spread=0,
            latency_ms=plan.latency_ms,
            latency_spread=0,
            robots=False,
            sitemaps=False,
        )
        targets, page_bytes = list(World(spec).targets(HOST)), plan.page_bytes
        lab = serve_in_process(spec, warm=True)
    else:
        served = folder / "served"
        targets = copied(plan.pages, plan.count, served)
        sizes = [path.stat().st_size for path in served.rglob("*") if path.is_file()]
        page_bytes = round(sum(sizes) / len(sizes))
        lab = serve_folder(served, latency_ms=plan.latency_ms)
    with lab as process:
        urls = [f"http://{HOST}:{process.port}{target}" for target in targets]
        sites = folder / "sites.txt"
        sites.write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
        yield Work(sites, urls, page_bytes)


class Rounds:
    """What is measured in each round, and what came of it.

    Args:
        plan: What to compare.
        work: What is crawled.
        folder: Where runs are kept.
    """

    def __init__(self, plan: Plan, work: Work, folder: Path) -> None:
        self.comparison = Comparison()
        self.crawls: Measured = {}
        self.parsing: Measured = {}
        self.start_cpu_s: dict[str, dict[str, float]] = {}
        self._plan = plan
        self._work = work
        self._folder = folder
        self._numbers = count(1)
        # What the parse stage reads: what was kept of the user's sites, or a crawl of the lab before all others.
        self._kept = Path(plan.own.run).absolute() if plan.own is not None else folder / "kept"
        urls = list(plan.own_pages) or work.urls
        self._asked = urls[:: -(-len(urls) // STAGE_PAGES)]
        self._page_bytes = plan.own.page_bytes if plan.own is not None else work.page_bytes

    def tasks(self, number: int) -> list[tuple[str, Task]]:
        """What one round measures, in order, each with its name.

        Args:
            number: Of the round, from 0.
        """
        plan, tasks = self._plan, list[tuple[str, Task]]()
        spared = min(SPARED, plan.rounds)
        for at, mode in enumerate(MODES):
            for strategy in plan.strategies:
                if strategy != "sequential" or number % spared == at % spared:
                    tasks.append((f"{strategy} × {mode}", partial(self._crawl, strategy, mode)))
        for parser in PARSERS:
            tasks += [(f"parsing by {parser} × {mode}", partial(self._parse, parser, mode)) for mode in MODES]
        # There and back, so that what comes early in a round comes late in the next.
        if number % 2:
            tasks.reverse()
        if number == 0:
            first: list[tuple[str, Task]] = [
                (f"the start of {strategy} × {mode}", partial(self._start, strategy, mode))
                for strategy in plan.strategies
                for mode in ("inline", "processes")
            ]
            if plan.own is None:
                first.insert(0, ("a crawl that is kept", self._keep))
            tasks = first + tasks
        return tasks

    def _arguments(self, strategy: str, mode: str) -> list[str]:
        slots = str(self._plan.concurrency)
        how = [
            "--strategy",
            strategy,
            "--parse",
            mode,
            "--parser",
            "lexbor",
            "--concurrency",
            slots,
            "--per-host",
            slots,
        ]
        return [*how, "--max-depth", "0", "--no-robots", *TO_THE_LAB]

    def _keep(self) -> None:
        arguments = ["--sites", str(self._work.sites), *self._arguments("asyncio", "processes"), "--warc"]
        measure(whole_crawl.crawl, arguments, "asyncio", self._kept)
        self._compare("asyncio × processes", self._kept)

    def _start(self, strategy: str, mode: str) -> None:
        """What a crawl costs beside its pages; threads start as the event loop does."""
        arguments = [self._work.urls[0], *self._arguments(strategy, mode)]
        sample = measure(whole_crawl.crawl, arguments, strategy, self._next())
        self.start_cpu_s.setdefault(strategy, {})[mode] = sample.cpu_s["main"]

    def _crawl(self, strategy: str, mode: str) -> None:
        run = self._next()
        arguments = ["--sites", str(self._work.sites), *self._arguments(strategy, mode)]
        sample = measure(whole_crawl.crawl, arguments, strategy, run)
        peaks = {**sample.peak_bytes, "workers": round(sample.detail["workers_bytes"])}
        self.crawls.setdefault((strategy, mode), []).append(msgspec.structs.replace(sample, peak_bytes=peaks))
        self._compare(f"{strategy} × {mode}", run)

    def _compare(self, name: str, folder: Path) -> None:
        run = Run(folder)
        self.comparison.take(self._lab_work, "lexbor", name, read_lines(run.journal, run.committed_length()))

    @property
    def _lab_work(self) -> str:
        return "the lab"

    def _parse(self, parser: str, mode: str) -> None:
        size = max(1, self._page_bytes)
        wanted = round(STAGE_S / (PARSE_S[parser] * size))
        total = max(len(self._asked), min(STAGE_TOTAL, wanted))
        lines = self._next()
        settings = load(None, {"parse": {"mode": mode, "parser": parser, "workers": cores()}}).parse
        sample = measure(stage.parse, self._kept, self._asked, settings, total, lines)
        self.parsing.setdefault((parser, mode), []).append(sample)
        work = self._lab_work if self._plan.own is None else "your sites"
        self.comparison.take(work, parser, f"{parser} × {mode}", lines.read_bytes().splitlines(), is_part=True)

    def _next(self) -> Path:
        return self._folder / str(next(self._numbers))


def _report(plan: Plan, rounds: Rounds, work: Work, others_cores: float) -> Report:
    names = (*plan.strategies, *PARSERS)

    def sort(measured: Measured) -> Measured:
        return dict(sorted(measured.items(), key=lambda item: (names.index(item[0][0]), MODES.index(item[0][1]))))

    about = About(
        version=VERSION,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        cores=cores(),
        pages_from="the lab" if plan.pages is None else str(plan.pages),
        pages=len(work.urls),
        page_bytes=work.page_bytes,
        latency_ms=plan.latency_ms,
        concurrency=plan.concurrency,
        rounds=plan.rounds,
        start_cpu_s=rounds.start_cpu_s,
        others_cores=others_cores,
        missing=list(plan.missing),
    )
    rows, alone = figures.rows(sort(rounds.crawls)), figures.parsing(sort(rounds.parsing))
    return Report(
        about=about,
        own=plan.own,
        rows=rows,
        alone=alone,
        same=rounds.comparison.verdict(),
        lessons=lessons.draw(about, rows, alone),
        advice=advice.give(about, plan.own, rows, alone, plan.given),
    )

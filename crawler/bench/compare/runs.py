"""The rounds of a comparison: every way to crawl and to parse, each measured in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from msgspec import Struct

from crawler.bench import rounds
from crawler.bench.compare import advice, figures, lessons, stage, whole_crawl
from crawler.bench.compare.figures import MODES, PARSERS, CompareConditions, CompareReport, Own
from crawler.bench.compare.same_records import Comparison
from crawler.bench.crawls import TO_THE_LAB
from crawler.bench.isolated import measure
from crawler.bench.rounds import Measured, Plan, Step, Task
from crawler.bench.web import copied
from crawler.fetch import strategy_of
from crawler.lab.process import serve_folder, serve_in_process
from crawler.lab.world import World, WorldSpec
from crawler.run.folder import Run
from crawler.settings.file import load
from crawler.settings.groups import cores
from crawler.store.journal import read_lines

HOST = "site-000.lab"
STAGE_PAGES = 60  # The parse stage alone is measured with so many different pages at most.
STAGE_S = 0.5  # One measurement of it is about so many seconds of work.
STAGE_TOTAL = 2_000  # One measurement of it takes so many pages at most.
# Parsing takes so many seconds a byte on an ordinary machine; it only sizes the work.
PARSE_S = {"bs4": 4.2e-7, "lexbor": 1.4e-8}
# A measurement takes so many seconds beside its work: the start of a process, and of parse workers.
START_S = 0.45
WORKERS_S = 0.3
FETCH_S = 0.002  # A page with its parsing takes about so many seconds of CPU time.
SPARED = 3  # `sequential` is measured in one round of so many: it mostly waits, and that hardly varies.


class ComparePlan(Plan, frozen=True, kw_only=True):
    """What is to be compared; `sequential` is among the strategies.

    Args:
        missing: A sentence for each strategy that cannot be measured.
        count: How many pages each crawl takes.
        latency_ms: What the lab waits before an answer, milliseconds.
        own: What was found out about the user's own sites; None compares on the lab alone.
        own_pages: URLs of the pages that were kept of them.
        given: How the sites are named on the command line that is recommended.
    """

    missing: tuple[str, ...]
    count: int
    latency_ms: float
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


def run(plan: ComparePlan, step: Step) -> CompareReport:
    """Measure what is planned, and make of it what follows.

    Args:
        plan: What to compare.
        step: Told before each measurement.

    Raises:
        UsageError: If there are no pages to measure with.
        CrawlerError: If a measurement fails.
    """
    ways = Ways(plan)
    others_cores = rounds.run("compare", plan.rounds, ways.prepare, step)
    return _report(plan, ways, others_cores)


@contextmanager
def _served(plan: ComparePlan, folder: Path) -> Iterator[Work]:
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


class Ways:
    """Every way to crawl and to parse, and what came of it.

    Args:
        plan: What to compare.
    """

    work: Work

    def __init__(self, plan: ComparePlan) -> None:
        self.comparison = Comparison()
        self.crawls: Measured = {}
        self.parsing: Measured = {}
        self.start_cpu_s: dict[str, dict[str, float]] = {}
        self._plan = plan
        self._numbers = count(1)

    def prepare(self, folder: Path, stack: ExitStack) -> Callable[[int], list[Task]]:
        """Serve the pages, and return what tells the tasks of a round."""
        own = self._plan.own
        self.work = stack.enter_context(_served(self._plan, folder))
        self._folder = folder
        # What the parse stage reads: what was kept of the user's sites, or a crawl of the lab before all others.
        self._kept = Path(own.run).absolute() if own is not None else folder / "kept"
        urls = list(self._plan.own_pages) or self.work.urls
        self._asked = urls[:: -(-len(urls) // STAGE_PAGES)]
        self._page_bytes = own.page_bytes if own is not None else self.work.page_bytes
        return self._tasks

    def _tasks(self, number: int) -> list[Task]:
        plan, tasks = self._plan, list[Task]()
        spared = min(SPARED, plan.rounds)
        if number == 0:
            if plan.own is None:
                tasks.append(("a crawl that is kept", self._keep))
            for strategy in plan.strategies:
                for mode in ("inline", "processes"):
                    tasks.append((f"the start of {strategy} × {mode}", partial(self._start, strategy, mode)))
        for at, mode in enumerate(MODES):
            for strategy in plan.strategies:
                if not strategy_of(strategy).is_one_at_a_time or number % spared == at % spared:
                    tasks.append((f"{strategy} × {mode}", partial(self._crawl, strategy, mode)))
        for parser in PARSERS:
            tasks += [(f"parsing by {parser} × {mode}", partial(self._parse, parser, mode)) for mode in MODES]
        return tasks

    def _arguments(self, strategy: str, mode: str) -> list[str]:
        slots = str(self._plan.concurrency)
        how = ["--strategy", strategy, "--parse", mode, "--parser", "lexbor", "--concurrency", slots]
        return [*how, "--per-host", slots, "--max-depth", "0", "--no-robots", *TO_THE_LAB]

    def _keep(self) -> None:
        arguments = ["--sites", str(self.work.sites), *self._arguments("asyncio", "processes"), "--warc"]
        measure(whole_crawl.crawl, arguments, "asyncio", self._kept)
        self._compare("asyncio × processes", self._kept)

    def _start(self, strategy: str, mode: str) -> None:
        """What a crawl costs beside its pages; threads start as the event loop does."""
        arguments = [self.work.urls[0], *self._arguments(strategy, mode)]
        sample = measure(whole_crawl.crawl, arguments, strategy, self._next())
        self.start_cpu_s.setdefault(strategy, {})[mode] = sample.cpu_s["main"]

    def _crawl(self, strategy: str, mode: str) -> None:
        run = self._next()
        arguments = ["--sites", str(self.work.sites), *self._arguments(strategy, mode)]
        sample = measure(whole_crawl.crawl, arguments, strategy, run)
        workers_bytes = sample.peak_bytes.setdefault("workers", 0)
        sample.detail["workers_bytes"] = float(workers_bytes)
        self.crawls.setdefault((strategy, mode), []).append(sample)
        self._compare(f"{strategy} × {mode}", run)

    def _compare(self, name: str, folder: Path) -> None:
        run = Run(folder)
        self.comparison.take("the lab", "lexbor", name, read_lines(run.journal, run.committed_length()))

    def _parse(self, parser: str, mode: str) -> None:
        size = max(1, self._page_bytes)
        wanted = round(STAGE_S / (PARSE_S[parser] * size))
        total = max(len(self._asked), min(STAGE_TOTAL, wanted))
        lines = self._next()
        settings = load(None, {"parse": {"mode": mode, "parser": parser, "workers": cores()}}).parse
        sample = measure(stage.parse, self._kept, self._asked, settings, total, lines)
        self.parsing.setdefault((parser, mode), []).append(sample)
        work = "the lab" if self._plan.own is None else "your sites"
        self.comparison.take(work, parser, f"{parser} × {mode}", lines.read_bytes().splitlines(), is_part=True)

    def _next(self) -> Path:
        return self._folder / str(next(self._numbers))


def _report(plan: ComparePlan, ways: Ways, others_cores: float) -> CompareReport:
    names = (*plan.strategies, *PARSERS)

    def sort(measured: Measured) -> Measured:
        return dict(sorted(measured.items(), key=lambda item: (names.index(item[0][0]), MODES.index(item[0][1]))))

    about = CompareConditions(
        **plan.conditions(len(ways.work.urls), ways.work.page_bytes, others_cores),
        cores=cores(),
        latency_ms=plan.latency_ms,
        start_cpu_s=ways.start_cpu_s,
        missing=list(plan.missing),
    )
    rows, alone = figures.rows(sort(ways.crawls)), figures.parsing(sort(ways.parsing))
    return CompareReport(
        about=about,
        own=plan.own,
        rows=rows,
        alone=alone,
        same=ways.comparison.verdict(),
        lessons=lessons.draw(about, rows, alone),
        advice=advice.give(about, plan.own, rows, alone, plan.given),
    )

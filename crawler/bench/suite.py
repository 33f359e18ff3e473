"""What `crawler bench` measures in each round: the parts alone, and the whole line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from crawler.bench import crawls, figures, least_cost, parts, rounds, scale
from crawler.bench.figures import BenchConditions, BenchReport
from crawler.bench.isolated import measure
from crawler.bench.rounds import Measured, Plan, Step, Task
from crawler.bench.samples import Sample
from crawler.bench.web import Web, serve_files, serve_lab
from crawler.lab.process import serve_in_process
from crawler.measure import procfs
from crawler.settings.groups import cores

# What is measured if nothing is chosen, and what is only if it is.
USUAL = ("fetch", "parse", "frontier", "store", "line", "start")
LONG = ("latency", "scale")
FRONTIER_HOSTS = (10, 10_000)
FEW_URLS = 10_000


class BenchPlan(Plan, frozen=True, kw_only=True):
    """What is to be measured.

    Args:
        parts: Of `USUAL` and `LONG`.
        parse, parser: How the whole line parses, and with which library.
        scale_pages, scale_urls: How many pages and URLs the costs at scale are measured at.
    """

    parts: tuple[str, ...]
    parse: str
    parser: str
    scale_pages: int
    scale_urls: int


def run(plan: BenchPlan, step: Step) -> BenchReport:
    """Measure what is planned.

    Args:
        plan: What to measure.
        step: Told before each measurement.

    Raises:
        UsageError: If there are no pages to measure with.
        CrawlerError: If a measurement fails.
    """
    suite = Suite(plan)
    others_cores = rounds.run("bench", plan.rounds, suite.prepare, step)
    results = [figures.summarise(part, variant, samples) for (part, variant), samples in suite.measured.items()]
    corpus, workers = suite.web.corpus, cores() if plan.parse == "processes" else 0
    pages = len(corpus.entries)
    usual = plan.conditions(pages, round(corpus.size / pages), others_cores)
    about = BenchConditions(**usual, parse=plan.parse, parser=plan.parser)
    return figures.judge(about, results, cores(), workers)


class Suite:
    """All measurements of a plan.

    Args:
        plan: What to measure.
    """

    web: Web

    def __init__(self, plan: BenchPlan) -> None:
        self.measured: Measured = {}
        self._plan = plan
        self._parsing = ["--parse", plan.parse, "--parser", plan.parser]

    def prepare(self, folder: Path, stack: ExitStack) -> Callable[[int], list[Task]]:
        """Serve the pages, and return what tells the tasks of a round."""
        plan, corpus = self._plan, folder / "corpus"
        if plan.pages is not None:
            serving = serve_files(plan.pages, plan.count, corpus)
        else:
            serving = serve_lab(plan.count or 0, plan.page_bytes, corpus)
        self.web = stack.enter_context(serving)
        self._folder, self._corpus = folder, Path(self.web.corpus.folder)
        tasks = [*self._parts_alone(), *self._lines(), *self._at_scale(stack)]
        return lambda number: tasks

    def _task(self, part: str, variant: str, job: Callable[[], Sample]) -> Task:
        return f"{part}, {variant}", lambda: self._keep(part, variant, job())

    def _keep(self, part: str, variant: str, sample: Sample) -> None:
        self.measured.setdefault((part, variant), []).append(sample)

    def _parts_alone(self) -> list[Task]:
        plan, asked, task, corpus = self._plan, set(self._plan.parts), self._task, self._corpus
        tasks = []
        if asked & {"fetch", "line"}:
            job = partial(measure, least_cost.fetch, corpus, self.web.lab.port, plan.concurrency)
            tasks.append(task("bare fetch", least_cost.client(), partial(self._with_server, job)))
        if "fetch" in asked:
            for strategy in plan.strategies:
                job = partial(measure, parts.fetch, corpus, strategy, plan.concurrency)
                tasks.append(task("fetch", strategy, partial(self._with_server, job)))
        if asked & {"parse", "line"}:
            tasks.append(task("bare parse", "lexbor", partial(measure, least_cost.parse, corpus)))
        if "parse" in asked:
            tasks.append(task("parse", plan.parser, partial(measure, parts.parse, corpus, plan.parser)))
        if asked & {"frontier", "scale"}:
            for hosts in FRONTIER_HOSTS:
                tasks.append(task("frontier", f"{hosts:,} hosts", partial(measure, parts.frontier, hosts)))
        if "store" in asked:
            tasks.append(task("store", "with fsync", self._store))
        return tasks

    def _lines(self) -> list[Task]:
        plan, web, folder = self._plan, self.web, self._folder
        tasks = []
        if "start" in plan.parts:
            tasks.append(self._task("start", "crawler --help", crawls.help_text))
            tasks.append(self._task("start", "one page", partial(crawls.one_page, web, folder)))
        if "line" in plan.parts:
            for strategy in plan.strategies:
                job = partial(crawls.whole, web, strategy, plan.concurrency, self._parsing, folder)
                tasks.append(self._task("line", strategy, job))
        return tasks

    def _at_scale(self, stack: ExitStack) -> list[Task]:
        plan, folder = self._plan, self._folder
        tasks: list[Task] = []
        if "latency" in plan.parts:
            spec = crawls.slow_hosts(len(self.web.corpus.entries))
            lab = stack.enter_context(serve_in_process(spec, warm=True))
            for strategy in plan.strategies:
                job = partial(crawls.late, spec, lab, strategy, self._parsing, folder)
                tasks.append(self._task("latency", strategy, job))
        if "scale" in plan.parts:
            spec = scale.world(plan.scale_pages)
            lab = stack.enter_context(serve_in_process(spec, warm=True))
            tasks.append(("pages done", partial(self._pages_done, partial(scale.pages_done, spec, lab))))
            for urls in (FEW_URLS, plan.scale_urls):
                tasks.append(self._task("URLs known", f"{urls:,} URLs", partial(measure, scale.known, folder, urls)))
        return tasks

    def _with_server(self, job: Callable[[], Sample]) -> Sample:
        """Measure a fetch of the whole corpus, and what it costs the server."""
        before = procfs.main_thread_cpu_s(self.web.lab.pid)
        sample = job()
        sample.cpu_s["server"] = procfs.main_thread_cpu_s(self.web.lab.pid) - before
        return sample

    def _store(self) -> Sample:
        corpus = self.web.corpus
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            return measure(parts.store, Path(folder), len(corpus.entries), corpus.size // len(corpus.entries))

    def _pages_done(self, crawl: Callable[[list[str], Path], list[tuple[str, Sample]]]) -> None:
        for quarter, sample in crawl(["--strategy", self._plan.strategies[0], *self._parsing], self._folder):
            self._keep("pages done", quarter, sample)

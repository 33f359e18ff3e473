"""Whether a page costs the same however many are done, and a link however many are known."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from crawler.bench.crawls import crawl
from crawler.bench.parts import LINKS_PER_PAGE, PAGES_PER_COMMIT, link
from crawler.bench.samples import Sample
from crawler.engine.resume import MAX_CRASHES
from crawler.errors import UsageError
from crawler.frontier.decisions import Refill
from crawler.frontier.frontier import Frontier
from crawler.lab.process import LabProcess
from crawler.lab.world import World, WorldSpec
from crawler.measure import procfs
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from crawler.store.base import ALL_SHARDS, Found
from crawler.store.sqlite import SqliteStore

HOSTS = 100
PAGE_BYTES = 2_000
# The first reading counts when so many pages are done, or a fifth of a small crawl.
SETTLED_PAGES = 1_000
FEWEST_LOOKS = 3
STORE_HOSTS = 10_000
FILL_LINKS = 50_000  # One commit has so many links while the store is filled.
NEW_SHARE = 0.1  # This share of the links that are measured is new.
MEASURED_COMMITS = 10


class Reading(Struct, frozen=True):
    """A crawl at the moment at which its journal grew.

    Args:
        pages: Records in the journal.
        at: Monotonic seconds.
        main_s, workers_s: CPU time since the start, seconds.
        memory_bytes: Of all processes, what they share counted once.
        files, threads: Of the main process.
    """

    pages: int
    at: float
    main_s: float
    workers_s: float
    memory_bytes: int
    files: int
    threads: int


class Watch:
    """Looks at a crawl from outside, whenever it has committed."""

    def __init__(self) -> None:
        self.looks: list[Reading] = []
        self._read = self._pages = 0

    def __call__(self, pid: int, run: Path) -> None:
        """Look, if the journal has grown; for `crawls.crawl`."""
        try:
            with (run / "records.jsonl").open("rb") as journal:
                journal.seek(self._read)
                grown = journal.read()
            workers = procfs.children(pid)
            if not grown or not workers:
                return
            self._read += len(grown)
            self._pages += grown.count(b"\n")
            self.looks.append(
                Reading(
                    self._pages,
                    time.monotonic(),
                    procfs.cpu_s(pid),
                    sum(procfs.cpu_s(worker) for worker in workers),
                    sum(procfs.own_bytes(each) for each in (pid, *workers)),
                    procfs.count(pid, "fd"),
                    procfs.count(pid, "task"),
                )
            )
        except OSError:
            return  # The crawl has not begun yet, or it has just ended.


def world(pages: int) -> WorldSpec:
    """A world of about so many small pages."""
    return WorldSpec(hosts=HOSTS, pages_per_host=max(1, pages // HOSTS), page_bytes=PAGE_BYTES, size_spread=0)


def pages_done(spec: WorldSpec, lab: LabProcess, options: Sequence[str], folder: Path) -> list[tuple[str, Sample]]:
    """Crawl a world to its end and compare the first quarter, after the start, with the last one.

    Args:
        spec: The world.
        lab: Where it is served.
        options: Further options of the crawl.
        folder: Where the run's folder is made.

    Returns:
        What a quarter is called, and what was measured in it.

    Raises:
        UsageError: If there are too few pages to compare.
    """
    watch = Watch()
    crawl([*World(spec).seeds(lab.port), *options, "--per-host", "4"], folder, watch)
    begin = min(SETTLED_PAGES, spec.hosts * spec.pages_per_host // 5)
    settled = [look for look in watch.looks if look.pages >= begin]
    if len(settled) < FEWEST_LOOKS:
        raise UsageError("the crawl was too short to compare its end with its beginning; raise --scale-pages")
    quarter = (settled[-1].pages - settled[0].pages) // 4
    first = [look for look in settled if look.pages <= settled[0].pages + quarter]
    last = [look for look in settled if look.pages >= settled[-1].pages - quarter]
    return [
        ("first quarter", _between(first if len(first) > 1 else settled[:2])),
        ("last quarter", _between(last if len(last) > 1 else settled[-2:])),
    ]


def _between(looks: Sequence[Reading]) -> Sample:
    begin, end = looks[0], looks[-1]
    pages = max(1, end.pages - begin.pages)
    return Sample(
        count=pages,
        wall_s=end.at - begin.at,
        cpu_s={"main": end.main_s - begin.main_s, "workers": end.workers_s - begin.workers_s},
        peak_bytes={"all": max(look.memory_bytes for look in looks)},
        detail={
            "from_page": begin.pages,
            "to_page": end.pages,
            "open_files": max(look.files for look in looks),
            "threads": max(look.threads for look in looks),
        },
    )


def known(folder: Path, urls: int) -> Sample:
    """Commit pages of a hundred links, nine of ten known, into a store that knows so many URLs already; then resume.

    Args:
        folder: Where the store is made.
        urls: How many URLs it knows; a tenth of what a measured commit brings at least.
    """
    path = folder / f"state-{urls}.sqlite"
    made, draw = SqliteStore(path, is_new=True), random.Random(1)
    for at in range(0, urls, FILL_LINKS):
        _commit(made, range(at, min(at + FILL_LINKS, urls)))
    per_commit = PAGES_PER_COMMIT * LINKS_PER_PAGE
    fresh = int(per_commit * NEW_SHARE)
    cpu_s = wall_s = 0.0
    for number in range(MEASURED_COMMITS):
        start = urls + number * fresh
        numbers = [*range(start, start + fresh), *(draw.randrange(start) for _ in range(per_commit - fresh))]
        draw.shuffle(numbers)
        spent = _commit(made, numbers)
        wall_s, cpu_s = wall_s + spent[0], cpu_s + spent[1]
    made.close(is_clean=True)
    detail = {"file_bytes": float(path.stat().st_size), "resume_s": _resume(path)}
    path.unlink()
    return Sample(count=MEASURED_COMMITS * PAGES_PER_COMMIT, wall_s=wall_s, cpu_s={"store": cpu_s}, detail=detail)


def _commit(made: SqliteStore, numbers: Sequence[int]) -> tuple[float, float]:
    """Commit links in groups as pages bring them; wall and CPU time, seconds."""
    links = [link(number, STORE_HOSTS) for number in numbers]
    pages = [
        Found(links[at : at + LINKS_PER_PAGE], 1, "https://via.example/") for at in range(0, len(links), LINKS_PER_PAGE)
    ]
    started, cpu_started = time.monotonic(), time.thread_time()
    made.commit([], pages)
    return time.monotonic() - started, time.thread_time() - cpu_started


def _resume(path: Path) -> float:
    """Open a store again and go on until the frontier has its first URLs; wall time, seconds."""
    started = time.monotonic()
    made = SqliteStore(path, is_new=False)
    made.begin_session()
    anything = Scope([SeedSite("https://a.example/", "any")])
    frontier = Frontier(anything, CrawlSettings(robots=False), PolitenessSettings(), 64, 64)
    frontier.restore(made.take_over(ALL_SHARDS, MAX_CRASHES).hosts, 0.0, time.time())
    decision = frontier.next(0.0)
    if not isinstance(decision, Refill):
        raise RuntimeError(f"a frontier that goes on answers {decision}")
    frontier.refilled(decision.host, made.take(decision.host, decision.after, decision.count), decision.count, 0.0)
    spent = time.monotonic() - started
    made.close(is_clean=True)
    return spent

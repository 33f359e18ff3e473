"""The whole line: crawls by the real command in processes of its own, with everything on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path

from msgspec import Struct

from crawler.bench.figures import Sample
from crawler.bench.isolated import last_line, started
from crawler.bench.web import Web
from crawler.errors import CrawlerError
from crawler.lab.process import LabProcess
from crawler.lab.world import World, WorldSpec
from crawler.measure import procfs

CRAWLER = [sys.executable, "-m", "crawler"]
TO_THE_LAB = ["--resolve", "*.lab:127.0.0.1", "--allow-private", "127.0.0.0/8", "--delay", "0"]
LOOK_S = 0.05  # between two looks at a crawl that runs
START_SHARE = 10  # a crawl of this fraction of the pages tells what the start costs
LATENCY_MS = 100
LATENT_SLOTS = {
    "asyncio": 64,
    "curl": 64,
    "threads": 32,
    "sequential": 1,
}  # requests in flight to hosts that answer late

_numbers = count(1)
Look = Callable[[int, Path], None]


class Crawl(Struct, frozen=True, kw_only=True):
    """What one crawl took.

    Args:
        pages: Pages with an answer.
        span_s: From the first request to the end, seconds.
        wall_s: From the start of the process to its end, seconds.
        main_s, workers_s: CPU time, seconds, start included.
        bytes_read: Bytes of all answers.
        peak_bytes: The most memory of the main process, and of all workers together.
    """

    pages: int = 0
    span_s: float = 0.0
    wall_s: float = 0.0
    main_s: float = 0.0
    workers_s: float = 0.0
    bytes_read: int = 0
    peak_bytes: dict[str, int] = {}


def crawl(arguments: Sequence[str], folder: Path, look: Look = lambda pid, run: None) -> Crawl:
    """Run a crawl to its end.

    Args:
        arguments: Of `crawler crawl`, without the options that lead to the lab.
        folder: Where the run's folder is made.
        look: Called again and again while it runs, with its process id and the run's folder.

    Raises:
        CrawlerError: If it does not succeed, with what it said last.
    """
    run = folder / f"run-{next(_numbers)}"
    command = [*CRAWLER, "crawl", *arguments, *TO_THE_LAB, "--run", str(run), "-q"]
    peaks: dict[int, int] = {}
    cpu_before, began = procfs.ended_s(), time.monotonic()
    with (folder / "said").open("w+b") as said:
        with started(command, said) as process:
            while not _has_ended(process):
                for pid in (process.pid, *procfs.children(process.pid)):
                    peaks[pid] = max(peaks.get(pid, 0), procfs.peak_bytes(pid))
                look(process.pid, run)
        wall_s, cpu_s = time.monotonic() - began, procfs.ended_s() - cpu_before
        if process.returncode:
            said.seek(0)
            raise CrawlerError(f"a crawl that was to be measured failed: {last_line(said.read())}")
    stats = json.loads((run / "stats.json").read_bytes())
    main_peak = peaks.pop(process.pid, 0)
    return Crawl(
        pages=stats["pages"],
        span_s=stats["pages"] / stats["pages_per_s"] if stats["pages_per_s"] else wall_s,
        wall_s=wall_s,
        main_s=stats["main_cpu_s"],
        workers_s=cpu_s - stats["main_cpu_s"],
        bytes_read=stats["wire_bytes"],
        peak_bytes={"main": main_peak, **({"workers": sum(peaks.values())} if peaks else {})},
    )


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(LOOK_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def whole(web: Web, strategy: str, concurrency: int, parsing: Sequence[str], folder: Path) -> Sample:
    """Crawl a web, and leave start and end out of all times by taking those of a shorter crawl from them.

    Args:
        web: What to crawl.
        strategy: How to fetch.
        concurrency: Requests in flight, all to one host.
        parsing: Options of the parse stage.
        folder: Where the runs' folders are made.
    """
    slots = str(concurrency)
    common = [*web.seeds, *web.options, *parsing, "--strategy", strategy, "--concurrency", slots, "--per-host", slots]
    few = max(1, len(web.corpus.entries) // START_SHARE) + web.extra_pages
    short = crawl([*common, "--max-pages", str(few)], folder)
    server_before = procfs.main_thread_cpu_s(web.server)
    full = crawl(common, folder)
    server_s = procfs.main_thread_cpu_s(web.server) - server_before
    if full.pages <= short.pages or full.span_s <= short.span_s:
        short = Crawl()
    main_s, workers_s = max(0.0, full.main_s - short.main_s), max(0.0, full.workers_s - short.workers_s)
    pages, span_s = full.pages - web.extra_pages, full.span_s - short.span_s
    share = pages / (full.pages - short.pages)  # so that all pages cost what those between the two ends do
    cpu_s = {"main": main_s * share, "server": server_s}
    if "workers" in full.peak_bytes:
        cpu_s["workers"] = workers_s * share
    return Sample(
        count=pages,
        wall_s=span_s * share,
        cpu_s=cpu_s,
        bytes_read=full.bytes_read,
        peak_bytes=full.peak_bytes,
        detail={
            "main_cores": main_s / span_s,
            "workers_cores": workers_s / span_s,
            "server_cores": server_s / full.span_s,
            **_all_of("full", full),
            **_all_of("short", short),
        },
    )


def _all_of(which: str, crawled: Crawl) -> dict[str, float]:
    names = ("pages", "span_s", "wall_s", "main_s", "workers_s")
    return {f"{which}_{name}": getattr(crawled, name) for name in names}


def one_page(web: Web, folder: Path) -> Sample:
    """The wall time of a crawl of nothing but one seed, from the shell and back."""
    done = crawl([web.seeds[0], "--max-depth", "0"], folder)
    return Sample(count=1, wall_s=done.wall_s, cpu_s={"main": done.main_s}, peak_bytes=done.peak_bytes)


def help_text() -> Sample:
    """The wall time of `crawler --help`."""
    cpu_before, began = procfs.ended_s(), time.monotonic()
    with started([*CRAWLER, "--help"], subprocess.DEVNULL) as process:
        process.wait()
    return Sample(count=1, wall_s=time.monotonic() - began, cpu_s={"main": procfs.ended_s() - cpu_before})


def slow_hosts(pages: int) -> WorldSpec:
    """A world of hosts that answer late, as many as requests may be in flight, with about so many pages in all."""
    hosts = max(LATENT_SLOTS.values())
    return WorldSpec(
        hosts=hosts,
        pages_per_host=max(1, pages // hosts),
        page_bytes=8_000,
        size_spread=0,
        latency_ms=LATENCY_MS,
        latency_spread=0,
    )


def late(spec: WorldSpec, lab: LabProcess, strategy: str, parsing: Iterable[str], folder: Path) -> Sample:
    """Crawl as many slow hosts at once as requests are in flight, one request at a time to each.

    Args:
        spec: The world.
        lab: Where it is served.
        strategy: How to fetch.
        parsing: Options of the parse stage.
        folder: Where the run's folder is made.
    """
    slots = LATENT_SLOTS[strategy]
    seeds = World(spec).seeds(lab.port)[:slots]
    done = crawl([*seeds, *parsing, "--strategy", strategy, "--concurrency", str(slots)], folder)
    return Sample(
        count=done.pages,
        wall_s=done.span_s,
        cpu_s={"main": done.main_s, "workers": done.workers_s},
        bytes_read=done.bytes_read,
        peak_bytes=done.peak_bytes,
        detail={"slots": slots, "possible_pages_per_s": slots * 1000 / LATENCY_MS},
    )

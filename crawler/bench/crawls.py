"""The whole line: crawls by the real command in processes of its own, with everything on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from crawler.bench import isolated
from crawler.bench.samples import Sample
from crawler.bench.web import Web
from crawler.fetch import strategy_of
from crawler.lab.process import LabProcess
from crawler.lab.world import World, WorldSpec
from crawler.measure import procfs
from crawler.run.folder import Run

CRAWLER = [sys.executable, "-m", "crawler"]
TO_THE_LAB = ["--resolve", "*.lab:127.0.0.1", "--allow-private", "127.0.0.0/8", "--delay", "0"]
START_SHARE = 10  # A crawl of one page in so many tells what the start costs.
LATENCY_MS = 100
# So many requests are in flight to hosts that answer late.
LATENT_SLOTS = 64
LATENT_THREADS = 32  # So many they are where each takes a thread.

_numbers = count(1)


def crawl(arguments: Sequence[str], folder: Path, look: Callable[[int, Path], None] = lambda pid, run: None) -> Sample:
    """Run a crawl to its end.

    Args:
        arguments: Of `crawler crawl`, without the options that lead to the lab.
        folder: Where the run's folder is made.
        look: Called again and again while it runs, with its process id and the run's folder.

    Returns:
        Its pages with an answer, and the time from the first request to the end; CPU times include the start, and
        `wall_s` of its detail is the time from the start of the process.

    Raises:
        CrawlerError: If it does not succeed, with what it said last.
    """
    run = folder / f"run-{next(_numbers)}"
    command = [*CRAWLER, "crawl", *arguments, *TO_THE_LAB, "--run", str(run), "-q"]
    ended = isolated.run(command, "a crawl that was to be measured", look=lambda pid: look(pid, run))
    stats = stats_of(run)
    return Sample(
        count=stats["pages"],
        wall_s=span_s(stats, ended.wall_s),
        cpu_s={"main": stats["main_cpu_s"], "workers": ended.cpu_s - stats["main_cpu_s"]},
        bytes_read=stats["wire_bytes"],
        peak_bytes=ended.peak_bytes,
        detail={"wall_s": ended.wall_s},
    )


def stats_of(run: Path) -> dict[str, Any]:
    """The figures that a run has left in its folder."""
    stats: dict[str, Any] = json.loads(Run(run).stats.read_bytes())
    return stats


def span_s(stats: dict[str, Any], otherwise: float) -> float:
    """The time of a crawl from its first request to its end, seconds; `otherwise` if it had no page."""
    return float(stats["pages"] / stats["pages_per_s"]) if stats["pages_per_s"] else otherwise


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
    common = [*web.arguments, *parsing, "--strategy", strategy, "--concurrency", slots, "--per-host", slots]
    few = max(1, len(web.corpus.entries) // START_SHARE)
    short = crawl([*common, "--max-pages", str(few)], folder)
    server_before = procfs.main_thread_cpu_s(web.lab.pid)
    full = crawl(common, folder)
    server_s = procfs.main_thread_cpu_s(web.lab.pid) - server_before
    if full.count <= short.count or full.wall_s <= short.wall_s:
        short = Sample(count=0, wall_s=0.0, cpu_s={"main": 0.0, "workers": 0.0}, detail={"wall_s": 0.0})
    spent_s = {name: max(0.0, full.cpu_s[name] - short.cpu_s[name]) for name in ("main", "workers")}
    lasted_s = full.wall_s - short.wall_s
    # All pages are taken to cost what those between the two ends do.
    share = full.count / (full.count - short.count)
    cpu_s = {"main": spent_s["main"] * share, "server": server_s}
    if "workers" in full.peak_bytes:
        cpu_s["workers"] = spent_s["workers"] * share
    return Sample(
        count=full.count,
        wall_s=lasted_s * share,
        cpu_s=cpu_s,
        bytes_read=full.bytes_read,
        peak_bytes=full.peak_bytes,
        detail={
            "main_cores": spent_s["main"] / lasted_s,
            "workers_cores": spent_s["workers"] / lasted_s,
            "server_cores": server_s / full.wall_s,
            **_figures_of("full", full),
            **_figures_of("short", short),
        },
    )


def _figures_of(which: str, crawled: Sample) -> dict[str, float]:
    return {
        f"{which}_pages": float(crawled.count),
        f"{which}_span_s": crawled.wall_s,
        f"{which}_wall_s": crawled.detail["wall_s"],
        f"{which}_main_s": crawled.cpu_s["main"],
        f"{which}_workers_s": crawled.cpu_s["workers"],
    }


def one_page(web: Web, folder: Path) -> Sample:
    """The wall time of a crawl of nothing but one page, from the shell and back."""
    done = crawl([web.corpus.url(web.corpus.entries[0]), "--max-depth", "0"], folder)
    return Sample(count=1, wall_s=done.detail["wall_s"], cpu_s={"main": done.cpu_s["main"]}, peak_bytes=done.peak_bytes)


def help_text() -> Sample:
    """The wall time of `crawler --help`."""
    ended = isolated.run([*CRAWLER, "--help"], "crawler --help")
    return Sample(count=1, wall_s=ended.wall_s, cpu_s={"main": ended.cpu_s})


def slow_hosts(pages: int) -> WorldSpec:
    """A world of hosts that answer late, as many as requests may be in flight, with about so many pages in all."""
    hosts = LATENT_SLOTS
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
    traits = strategy_of(strategy)
    slots = 1 if traits.is_one_at_a_time else LATENT_THREADS if traits.takes_threads else LATENT_SLOTS
    seeds = World(spec).seeds(lab.port)[:slots]
    done = crawl([*seeds, *parsing, "--strategy", strategy, "--concurrency", str(slots)], folder)
    possible = slots * 1000 / LATENCY_MS
    return msgspec.structs.replace(done, detail={"slots": slots, "possible_pages_per_s": possible})

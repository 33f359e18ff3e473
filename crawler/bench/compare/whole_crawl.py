"""One whole crawl, by the real command, measured from inside its process: the start of Python is no part of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from crawler import cli, fetch
from crawler.bench.crawls import span_s, stats_of
from crawler.bench.samples import Sample
from crawler.measure import procfs

# What a crawl imports only when it comes to it; two ways to crawl differ in it, and it is over after the first page.
_IMPORTED = (
    "crawler.commands.crawl",
    "crawler.commands.session",
    "crawler.parse.lexbor",
    "crawler.parse.workers.inprocess",
)


def crawl(arguments: Sequence[str], strategy: str, run: Path) -> Sample:
    """Run `crawler crawl` to its end in this process.

    Args:
        arguments: Of `crawler crawl`; where its run is kept is added.
        strategy: How it fetches, as the arguments say too.
        run: Where its run is kept.

    Returns:
        Its pages and the time since its first request; CPU time of this process while it ran, and of its workers.
    """
    fetch.check(strategy)
    for module in _IMPORTED:
        import_module(module)
    cpu_before, workers_before, began = time.process_time(), procfs.ended_s(), time.monotonic()
    status = cli.main(["crawl", *arguments, "--run", str(run), "-q"])
    crawl_s, cpu_s = time.monotonic() - began, time.process_time() - cpu_before
    if status:
        sys.exit(status)
    stats = stats_of(run)
    return Sample(
        count=stats["pages"],
        wall_s=span_s(stats, crawl_s),
        cpu_s={"main": cpu_s, "workers": procfs.ended_s() - workers_before},
        bytes_read=stats["wire_bytes"],
        detail={"crawl_s": crawl_s},
    )

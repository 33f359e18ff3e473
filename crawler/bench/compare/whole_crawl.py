"""One whole crawl, by the real command, measured from inside its process: the start of Python is no part of it."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from crawler import cli, fetch
from crawler.bench.figures import Sample
from crawler.measure import procfs
from crawler.run.folder import Run

LOOK_S = 0.05  # between two looks at the memory of the workers
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
    with _Watch() as watch:
        status = cli.main(["crawl", *arguments, "--run", str(run), "-q"])
    crawl_s, cpu_s = time.monotonic() - began, time.process_time() - cpu_before
    if status:
        sys.exit(status)
    stats = json.loads(Run(run).stats.read_bytes())
    return Sample(
        count=stats["pages"],
        wall_s=stats["pages"] / stats["pages_per_s"] if stats["pages_per_s"] else crawl_s,
        cpu_s={"main": cpu_s, "workers": procfs.ended_s() - workers_before},
        bytes_read=stats["wire_bytes"],
        detail={"crawl_s": crawl_s, "workers_bytes": float(watch.bytes)},
    )


class _Watch:
    """Looks at the children of this process while the context is open, because a process takes its peak with it."""

    def __init__(self) -> None:
        self._peaks: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            for pid in procfs.children(os.getpid()):
                self._peaks[pid] = max(self._peaks.get(pid, 0), procfs.peak_bytes(pid))

    @property
    def bytes(self) -> int:
        """The most memory of all children together, bytes."""
        return sum(self._peaks.values())

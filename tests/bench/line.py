"""The whole line on the lab: throughput, latency-bound crawls, start-up. `python -m tests.bench.line [--rounds N]`.

Every figure is the median of several rounds of the real command in a process of its own. Rates leave the start-up out:
they count from the first request.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crawler.lab.process import serve_in_process
from crawler.lab.world import World, WorldSpec

SITE = WorldSpec(hosts=1, pages_per_host=4000, page_bytes=36_000, size_spread=0, robots=True)
WIDE = WorldSpec(hosts=100, pages_per_host=50, page_bytes=8_000, size_spread=0, latency_ms=100, latency_spread=0)
LAB = ["--resolve", "*.lab:127.0.0.1", "--allow-private", "127.0.0.0/8", "--delay", "0"]
CRAWLER = [sys.executable, "-m", "crawler"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    start_up(rounds)
    with serve_in_process(SITE, warm=True) as lab:
        seed = World(SITE).seeds(lab.port)[0]
        for options in (
            [],
            ["--parse", "threads"],
            ["--parse", "inline"],
            ["--strategy", "threads", "--concurrency", "32"],
            ["--strategy", "sequential"],
        ):
            report("4,000 pages of 36 KB", options, [seed, "--per-host", "32", "--concurrency", "32", *options], rounds)
        report("one page", [], [seed, "--max-depth", "0"], rounds)
    with serve_in_process(WIDE, warm=True) as lab:
        seeds = World(WIDE).seeds(lab.port)
        for strategy in ("asyncio", "threads"):
            options = ["--strategy", strategy, "--concurrency", "100"]
            report("100 hosts, 100 ms", options, [*seeds, *options], rounds)


def report(what: str, shown: list[str], arguments: list[str], rounds: int) -> None:
    """Run a crawl several times and print the medians."""
    runs = [crawl(arguments) for _ in range(rounds)]
    rate = statistics.median(float(run["pages_per_s"]) for run in runs)
    asked = statistics.median(float(run["requests"]) / float(run["pages"]) * float(run["pages_per_s"]) for run in runs)
    wall = statistics.median(float(run["wall_s"]) for run in runs)
    pages = {int(run["pages"]) for run in runs}
    cpu = statistics.median(float(run["main_cpu_s"]) / float(run["pages"]) for run in runs)
    label = f"{what} {' '.join(shown)}"
    print(
        f"{label:60} {rate:7,.0f} pages/s {asked:7,.0f} requests/s {wall:6.2f} s in all, "
        f"{cpu * 1e6:5.0f} µs CPU a page in main, pages {pages}",
        flush=True,
    )


def crawl(arguments: list[str]) -> dict[str, float]:
    """One crawl by the real command; its figures with the wall time of the process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*CRAWLER, "crawl", *arguments, *LAB, "--run", f"{folder}/run", "--json", "-q"]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, check=False, cwd=Path.cwd())
        wall = time.monotonic() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode()}")
    return {**json.loads(done.stdout), "wall_s": wall}


def start_up(rounds: int) -> None:
    """Time `crawler --help`."""
    times = []
    for _ in range(rounds):
        started = time.monotonic()
        subprocess.run([*CRAWLER, "--help"], capture_output=True, check=True)
        times.append(time.monotonic() - started)
    print(f"{'crawler --help':60} {statistics.median(times):.3f} s", flush=True)


if __name__ == "__main__":
    main()

"""A long crawl of the lab, watched from outside: memory, open files and threads have to stay flat.

`python -m tests.bench.soak [--pages N]` prints a row now and then, and at the end how much each grew after the first
10,000 pages.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crawler.lab.process import serve_in_process
from crawler.lab.world import World, WorldSpec
from tests.bench.line import CRAWLER, LAB

HOSTS = 100
SETTLED_PAGES = 10_000
EVERY_S = 2.0
MIB = 1024 * 1024


def main() -> None:
    """Crawl and watch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200_000)
    pages = parser.parse_args().pages
    world = WorldSpec(hosts=HOSTS, pages_per_host=pages // HOSTS, page_bytes=3_000, size_spread=0)
    with serve_in_process(world) as lab, tempfile.TemporaryDirectory(dir=Path.cwd() / "data") as folder:
        run = Path(folder) / "run"
        seeds = World(world).seeds(lab.port)
        command = [*CRAWLER, "crawl", *seeds, *LAB, "--per-host", "4", "--run", str(run), "-q"]
        with subprocess.Popen(command) as process:
            samples = watch(process, run / "records.jsonl")
        print(f"exit status {process.returncode}")
    settled = [sample for sample in samples if sample[0] >= SETTLED_PAGES]
    for index, what in ((1, "memory of all processes, MiB"), (2, "open files"), (3, "threads")):
        values = [sample[index] for sample in settled]
        quarter = max(1, len(values) // 4)
        first, last = sum(values[:quarter]) / quarter, sum(values[-quarter:]) / quarter
        print(f"{what}: {first:.1f} in the first quarter after {SETTLED_PAGES:,} pages, {last:.1f} in the last")
    sys.exit(process.returncode)


def watch(process: subprocess.Popen[bytes], journal: Path) -> list[tuple[int, float, int, int]]:
    """Samples until the process ends: pages (by the journal's size), memory in MiB, open files, threads."""
    samples, started, position, pages = [], time.monotonic(), 0, 0
    while process.poll() is None:
        time.sleep(EVERY_S)
        if journal.exists():
            with journal.open("rb") as file:
                file.seek(position)
                data = file.read()
            position += len(data)
            pages += data.count(b"\n")
        family = [process.pid, *children(process.pid)]
        memory = sum(resident(pid) for pid in family)
        sample = (pages, memory, count(process.pid, "fd"), count(process.pid, "task"))
        if sample[2]:
            samples.append(sample)
            spent = time.monotonic() - started
            print(
                f"{spent:6.0f} s {pages:8,} records {memory:7.1f} MiB {sample[2]:4} files {sample[3]:3} threads",
                flush=True,
            )
    return samples


def children(pid: int) -> list[int]:
    """Process ids of a process's children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def resident(pid: int) -> float:
    """Memory of a process that is its own or shared once, MiB: Pss where the kernel tells it, else Rss."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def count(pid: int, what: str) -> int:
    """Entries of a folder of /proc."""
    try:
        return len(list(Path(f"/proc/{pid}/{what}").iterdir()))
    except OSError:
        return 0


if __name__ == "__main__":
    main()

"""The store and the commit alone. `python -m tests.bench.store [--urls N] [--hosts N]`.

First a frontier of many discovered URLs: how fast links are added when nine of ten are known already, what memory the
process takes, and how soon a resume could ask for its first URL. Then the commit: what a page costs in the writer's
thread, with and without waiting for the disk.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path

from crawler.export.journal import Journal
from crawler.frontier.decisions import Refill
from crawler.frontier.frontier import Frontier
from crawler.frontier.sqlite_store import SqliteStore
from crawler.frontier.store import Done, Found, Output
from crawler.models import Link
from crawler.parse.worker import resident_bytes
from crawler.scope import Scope, Site
from crawler.settings import CrawlSettings, PolitenessSettings

LINKS_PER_PAGE = 100
PAGES_PER_COMMIT = 500
KNOWN_SHARE = 0.9
MEASURED_URLS = 100_000  # of which the last batches discover
MIB = 1024 * 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--urls", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd() / "data") as folder:
        discover(Path(folder) / "state.sqlite", options.urls, options.hosts)
        resume(Path(folder) / "state.sqlite", options.hosts)
    for sync in (True, False):
        with tempfile.TemporaryDirectory(dir=Path.cwd() / "data") as folder:
            commit(Path(folder), options.pages, sync=sync)


def link(number: int, hosts: int) -> Link:
    """The n-th URL of a made-up web; its fingerprint is any hash that spreads, as workers bring them ready made."""
    host = f"host-{number % hosts:05d}.example"
    return Link(f"https://{host}/section/{number // hosts}/page.html", host, (number * 0x9E3779B97F4A7C15) % 2**63)


def discover(path: Path, urls: int, hosts: int) -> None:
    """Add links until so many URLs are known; each batch has nine known ones for each new one."""
    store, draw = SqliteStore(path, is_new=True), random.Random(1)
    known, started, rates = 0, time.monotonic(), []
    fresh_per_batch = int(PAGES_PER_COMMIT * LINKS_PER_PAGE * (1 - KNOWN_SHARE))
    while known < urls:
        # The first part is filled without repeats, or the benchmark would take an hour; the last part is what counts.
        is_measured = known >= urls - MEASURED_URLS
        numbers = list(range(known, known + (fresh_per_batch if is_measured else 50_000)))
        if is_measured:
            numbers += [draw.randrange(known) for _ in range(PAGES_PER_COMMIT * LINKS_PER_PAGE - len(numbers))]
            draw.shuffle(numbers)
        links = [link(number, hosts) for number in numbers]
        groups = [
            Found(links[at : at + LINKS_PER_PAGE], 1, "https://via.example/")
            for at in range(0, len(links), LINKS_PER_PAGE)
        ]
        begun = time.monotonic()
        novel = store.commit([], groups)
        if is_measured:
            rates.append(len(links) / (time.monotonic() - begun))
        known += len(novel)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{known:,} URLs over {hosts:,} hosts in {time.monotonic() - started:.0f} s: at the end "
        f"{statistics.median(rates):,.0f} adds/s with {KNOWN_SHARE:.0%} known, "
        f"peak memory {peak:.0f} MiB, file {path.stat().st_size / MIB:.0f} MiB",
        flush=True,
    )
    store.close(is_clean=True)


def resume(path: Path, hosts: int) -> None:
    """Open the store again and go on until the frontier asks for its first URLs."""
    started = time.monotonic()
    store = SqliteStore(path, is_new=False)
    store.begin_session()
    store.restore_queues()
    frontier = Frontier(
        Scope([Site("https://a.example/", "any")]), CrawlSettings(robots=False), PolitenessSettings(), 64, 64
    )
    frontier.restore(store.pending(), 0.0, time.time())
    decision = frontier.next(0.0)
    assert isinstance(decision, Refill)
    requests = store.take(decision.host, decision.after, decision.count)
    assert requests
    frontier.refilled(decision.host, requests, decision.count, 0.0)
    spent = time.monotonic() - started
    print(f"resume with {hosts:,} hosts: {spent:.2f} s to the first URL, {resident_bytes() / MIB:.0f} MiB", flush=True)
    store.close(is_clean=True)


def commit(folder: Path, pages: int, *, sync: bool) -> None:
    """Commit pages as a crawl does: a record of 8 KB and 100 links each, of which a hundredth is new."""
    store, journal = SqliteStore(folder / "state.sqlite", is_new=True), Journal(folder / "records.jsonl")
    hosts, line = 100, b"x" * 8191 + b"\n"
    requests = store.commit([], [Found([link(number, hosts) for number in range(pages)], 0)])
    cpu = wall = 0.0
    for at in range(0, pages, PAGES_PER_COMMIT):
        done = [
            Done(
                request, "ok", None, line, Found([link(request.seq + step, hosts) for step in range(LINKS_PER_PAGE)], 1)
            )
            for request in requests[at : at + PAGES_PER_COMMIT]
        ]
        cpu_begun, begun = time.thread_time(), time.monotonic()
        offset = journal.length
        journal.append([each.line for each in done])
        if sync:
            journal.sync()
        store.commit(done, [], [Output("records.jsonl", offset, journal.length - offset, 0, len(done))])
        cpu += time.thread_time() - cpu_begun
        wall += time.monotonic() - begun
    print(
        f"commit {'with' if sync else 'without'} fsync: "
        f"{cpu / pages * 1e6:.0f} µs CPU a page, {pages / wall:,.0f} pages/s",
        flush=True,
    )
    store.close(is_clean=True)


if __name__ == "__main__":
    main()

"""The crawler's own parts, each alone in a process of its own: fetcher, parser, frontier, journal and store."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from pathlib import Path

from crawler import urls
from crawler.bench.least_cost import Clock, as_in_a_worker
from crawler.bench.samples import Sample
from crawler.bench.web import ADDRESS, USER_AGENT, Corpus, Entry
from crawler.engine.loop import run_loop
from crawler.fetch import create
from crawler.fetch.base import ByteCount, Fetcher
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.target import Limits, Target
from crawler.frontier.decisions import Resolve
from crawler.frontier.frontier import Frontier
from crawler.frontier.trap_tree import ONE_IN
from crawler.models import Link, Request, Response
from crawler.parse.stage import PageParser, StageContext
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.file import load
from crawler.settings.groups import CrawlSettings, PolitenessSettings, Settings
from crawler.store.base import Done, Found, Output
from crawler.store.journal import Journal
from crawler.store.sqlite import SqliteStore

LOOPBACK = "127.0.0.0/8"
HEADERS = (
    ("User-Agent", USER_AGENT),
    ("Accept", "text/html,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
)
# So many URLs are added to the frontier before any is handed out; its windows have room for them.
TURN_URLS = 10_000
TURNS = 5
SLOTS = 64
LINKS_PER_PAGE = 100
PAGES_PER_COMMIT = 500
STORE_HOSTS = 100
JOURNAL = "records.jsonl"


def settings_for(strategy: str, concurrency: int) -> Settings:
    """The settings of a fetcher that may ask this machine."""
    return load(None, {"fetch": {"strategy": strategy, "concurrency": concurrency, "allow_private": [LOOPBACK]}})


def fetch(folder: Path, strategy: str, concurrency: int) -> Sample:
    """Fetch every page of a corpus with one of our fetchers, and do nothing with the answers.

    Args:
        folder: The corpus; its authority says where it is served.
        strategy: Name of the fetcher.
        concurrency: Requests in flight.
    """
    return run_loop(lambda: _fetch(Corpus.load(folder), strategy, concurrency))


async def _fetch(corpus: Corpus, strategy: str, concurrency: int) -> Sample:
    held, settings = ByteCount(), settings_for(strategy, concurrency)
    fetcher = create(strategy, settings, Guard([LOOPBACK]), held)
    requests = deque(_request(corpus, entry) for entry in corpus.entries)
    limits = Limits.from_settings(settings.fetch)
    sizes: list[int] = []
    started, cpu_started = time.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(_fetch_all(fetcher, requests, limits, held, sizes))
    cpu_s, wall_s = time.process_time() - cpu_started, time.monotonic() - started
    await fetcher.close()
    return Sample(count=len(sizes), wall_s=wall_s, cpu_s={"fetcher": cpu_s}, bytes_read=sum(sizes))


async def _fetch_all(
    fetcher: Fetcher, requests: deque[Request], limits: Limits, held: ByteCount, sizes: list[int]
) -> None:
    while requests:
        target = Target((ADDRESS,), time.monotonic() + limits.timeout_s, limits, HEADERS)
        page = await fetcher.fetch(requests.popleft(), target)
        held.add(-len(page.body))
        sizes.append(len(page.body))


def _request(corpus: Corpus, entry: Entry) -> Request:
    url = corpus.url(entry)
    return Request(url, urls.host_key(url), urls.fingerprint(url))


def parse(folder: Path, parser: str) -> Sample:
    """Parse every page of a corpus as a parse worker does.

    Args:
        folder: The corpus.
        parser: `lexbor` or `bs4`.
    """
    corpus = Corpus.load(folder)
    reader = load(None, {"parse": {"parser": parser}}).parse.parser
    scope = Scope([SeedSite(f"http://{corpus.authority}/", "host")])
    stage = PageParser(StageContext(scope, reader))
    as_in_a_worker()
    clock = Clock()
    for number, (entry, body) in enumerate(corpus.bodies()):
        headers = (("Content-Type", entry.content_type),)
        # One page in so many is judged, as those of a pattern that says something new are.
        is_judged = not number % ONE_IN
        page = Response(
            _request(corpus, entry), 200, headers, body, time.time(), 0.0, "asyncio", wants_novelty=is_judged
        )
        with clock:
            stage.parse(page)
    return clock.sample("parser", corpus)


def frontier(hosts: int) -> Sample:
    """Add, hand out and finish URLs in a frontier that knows all of their hosts already.

    Args:
        hosts: How many hosts the URLs are spread over.
    """
    anything = Scope([SeedSite("https://a.example/", "any")])
    made = Frontier(
        anything, CrawlSettings(robots=False), PolitenessSettings(delay_s=0.0, per_host=SLOTS), SLOTS, SLOTS
    )
    _turn(made, _requests(hosts, 0, hosts), 0.0)
    wall_s = cpu_s = 0.0
    for number in range(1, TURNS + 1):
        requests = _requests(hosts, number * TURN_URLS, TURN_URLS)
        started, cpu_started = time.monotonic(), time.process_time()
        _turn(made, requests, float(number))
        cpu_s += time.process_time() - cpu_started
        wall_s += time.monotonic() - started
    return Sample(count=TURNS * TURN_URLS, wall_s=wall_s, cpu_s={"frontier": cpu_s})


def _requests(hosts: int, start: int, count: int) -> list[Request]:
    links = [link(number, hosts) for number in range(start, start + count)]
    return [Request(each.url, each.host, each.fingerprint, seq=start + at) for at, each in enumerate(links, 1)]


def _turn(made: Frontier, requests: list[Request], now: float) -> None:
    """Add requests, and play the engine until all are done."""
    in_flight: deque[Request] = deque()
    for request in requests:
        made.add(request, now)
    left = len(requests)
    while left:
        decision = made.next(now) if len(in_flight) < SLOTS else None
        if isinstance(decision, Request):
            in_flight.append(decision)
        elif isinstance(decision, Resolve):
            made.resolved(decision.host, (), False, now)
        elif in_flight:
            request = in_flight.popleft()
            made.answered(request, now, 0.01, 200, None)
            made.done(request, "ok", now)
            left -= 1
        else:
            raise RuntimeError(f"the frontier holds {left} URLs and answers {decision}")


def link(number: int, hosts: int) -> Link:
    """The n-th URL of a made-up web; its fingerprint is any hash that spreads, as workers bring them ready made."""
    host = f"host-{number % hosts:05d}.example"
    return Link(f"https://{host}/section/{number // hosts}/page.html", host, (number * 0x9E3779B97F4A7C15) % 2**63)


def store(folder: Path, pages: int, record_bytes: int) -> Sample:
    """Commit pages as a crawl does, and wait for the disk: a record and 100 links each, of which a hundredth is new.

    Args:
        folder: Where journal and store are made.
        pages: How many.
        record_bytes: Size of a record.
    """
    made, journal = SqliteStore(folder / "state.sqlite", is_new=True), Journal(folder / JOURNAL)
    line = b"x" * max(0, record_bytes - 1) + b"\n"
    requests = made.commit([], [Found([link(number, STORE_HOSTS) for number in range(pages)], 0)])
    cpu_s = wall_s = 0.0
    for at in range(0, pages, PAGES_PER_COMMIT):
        done = [_done(request, line, pages) for request in requests[at : at + PAGES_PER_COMMIT]]
        started, cpu_started = time.monotonic(), time.thread_time()
        offset = journal.length
        journal.append([each.line for each in done])
        journal.sync()
        made.commit(done, [], [Output(JOURNAL, offset, journal.length - offset, 0, len(done))])
        cpu_s += time.thread_time() - cpu_started
        wall_s += time.monotonic() - started
    made.close(is_clean=True)
    journal.close()
    return Sample(count=pages, wall_s=wall_s, cpu_s={"store": cpu_s}, bytes_read=pages * record_bytes)


def _done(request: Request, line: bytes, known: int) -> Done:
    numbers = [*(request.seq + step for step in range(LINKS_PER_PAGE - 1)), known + request.seq + LINKS_PER_PAGE]
    return Done(request, "ok", None, line, Found([link(number, STORE_HOSTS) for number in numbers], 1))

"""Plays the engine for the frontier: made-up answers, a memory store, and a clock that jumps from event to event.

Whatever it hands out or takes back is checked on the way: slots, gaps, addresses, one outcome for each URL, no waiting
without an end.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from crawler import urls
from crawler.frontier import robots
from crawler.frontier.frontier import Decision, Drop, Frontier, Refill, Resolve, Wait
from crawler.frontier.host import PROMPT_S
from crawler.models import Link, Outcome, Request
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from crawler.store.base import Done, Found
from crawler.store.memory import MemoryStore

START = 1000.0
NO_DELAY = PolitenessSettings(delay_s=0.0)
NO_ROBOTS = CrawlSettings(robots=False)


@dataclass(frozen=True)
class Answer:
    """What a made-up server says."""

    status: int = 200
    links: Sequence[str] = ()
    elapsed_s: float = 0.1
    retry_after_s: float | None = None
    is_silent: bool = False
    body: bytes = b""
    to: str = ""  # where a redirect leads


@dataclass(frozen=True)
class Fetch:
    """One request that was sent."""

    request: Request
    start: float
    end: float
    on_probation: bool


def link(url: str) -> Link:
    return Link(url, urls.host_key(url), urls.fingerprint(url))


def request(url: str, **changes: object) -> Request:
    return msgspec.structs.replace(Request(url, urls.host_key(url), urls.fingerprint(url)), **changes)  # type: ignore[arg-type]


def pages(host: str, count: int) -> list[str]:
    return [f"http://{host}/{number}" for number in range(count)]


@dataclass
class Crawl:
    """A crawl from seeds to its end; `answer` and `resolve` (an address, or the reason for none) make the web."""

    seeds: Sequence[str]
    answer: Callable[[Request, float], Answer] = lambda request, now: Answer()
    crawl: CrawlSettings = NO_ROBOTS
    politeness: PolitenessSettings = NO_DELAY
    sites: Sequence[SeedSite] = ()
    concurrency: int = 64
    probation: int = 32
    memory_requests: int = 0
    resolve: Callable[[str], str] = lambda host: ""
    is_permanent: bool = True  # what `resolve` says against a host
    store_s: Callable[[], float] = lambda: 0.0  # before and after the store is asked
    resolve_s: float = 0.0
    retry_s: float | None = None
    max_events: int = 200_000

    fetches: list[Fetch] = field(default_factory=list)
    outcomes: dict[str, tuple[Outcome, str | None, float]] = field(default_factory=dict)
    resolves: Counter[str] = field(default_factory=Counter)
    refills: list[Refill] = field(default_factory=list)
    largest_window: int = 0

    def __post_init__(self) -> None:
        scope = Scope(self.sites or [SeedSite(seed, "any") for seed in self.seeds[:1]])
        self.frontier = Frontier(
            scope, self.crawl, self.politeness, self.concurrency, self.probation, self.memory_requests
        )
        self.store = MemoryStore()
        self.now = START
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._thread_free_at = START
        self._waking: float | None = None
        self.in_flight: list[Fetch] = []
        self.resolving: dict[str, bool] = {}
        self._proven: set[str] = set()
        self._known = self._settled = (
            0  # URLs that the frontier was told of, and those whose end it was told or told us
        )
        self.commit([], [Found([link(seed) for seed in self.seeds], 0, are_seeds=True)])

    # The clock

    def run(self, until: float = math.inf) -> Crawl:
        """Go on to the end, or to `until` seconds from the start."""
        for _ in range(self.max_events):
            self._check_finished()
            self.pump()
            self._check_finished()
            times = [self._waking] if self._waking is not None else []
            times += [self._events[0][0]] if self._events else []
            if self.has_ended:
                return self
            assert times, f"stalled at {self.now - START:g} s: {self.frontier!r} {list(self.frontier.hosts)[:5]}"
            if min(times) > START + until:
                self.now = START + until
                return self
            self.now = max(self.now, min(times))
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
        raise AssertionError(f"no end: {self.frontier!r}")

    @property
    def has_ended(self) -> bool:
        limited = self.frontier.limits.is_reached and not self.frontier.limits.open
        return limited or (not self._events and self.frontier.finished)

    def _check_finished(self) -> None:
        if self.frontier.finished:
            assert not self.in_flight
            assert not self.resolving
            assert self._known == self._settled
            assert self.frontier.waiting == self.frontier.queued == 0

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, act))

    def _in_thread(self, work: Callable[[], Callable[[], None]]) -> None:
        """The store has one thread: what is asked first is done first and comes back first."""
        begin = max(self._thread_free_at, self.now) + self.store_s()
        back = self._thread_free_at = begin + self.store_s()
        self.after(begin - self.now, lambda: self._later(back, work()))

    def _later(self, at: float, act: Callable[[], None]) -> None:
        self.after(at - self.now, act)

    # The engine's part

    def pump(self) -> None:
        self._waking = None
        while True:
            decision = self.frontier.next(self.now)
            if isinstance(decision, Wait):
                assert math.isfinite(decision.until)
                assert decision.until > self.now, "a wait that has passed makes a busy loop"
                self._waking = decision.until
            if decision is None or isinstance(decision, Wait):
                return
            self.act(decision)

    def act(self, decision: Decision) -> None:
        match decision:
            case Request():
                self.fetch(decision)
            case Resolve():
                assert decision.host not in self.resolving
                self.resolving[decision.host] = self._check_lane(decision.host)
                self.resolves[decision.host] += 1
                self.after(self.resolve_s, lambda: self._resolved(decision.host))
            case Refill():
                assert decision.count > 0
                self.refills.append(decision)
                self._in_thread(lambda: self._take(decision))
            case Drop():
                self._drop(decision)

    def _take(self, refill: Refill) -> Callable[[], None]:
        requests = self.store.take(refill.host, refill.after, refill.count)
        return lambda: self.frontier.refilled(refill.host, requests, refill.count, self.now)

    def _drop(self, drop: Drop) -> None:
        for each in drop.requests:
            if each.kind == "robots":
                self._take_robots(each, None)
            elif each.kind == "page":
                self._settled += 1
                self.commit([Done(each, drop.outcome, drop.reason, was_open=False)], [])

    def _resolved(self, host: str) -> None:
        self.resolving.pop(host)
        answer = self.resolve(host)
        if not answer or answer[0].isdigit():
            self.frontier.resolved(host, (answer,), bool(answer), self.now)
        elif self.is_permanent:
            self.frontier.fail_host(host, answer, self.now)
        else:
            self.frontier.unresolved(host, self.now, "dns_failed")

    def _check_lane(self, host: str) -> bool:
        """Whether the host is on probation, and has a slot."""
        on_probation = host not in self._proven and self.probation > 0
        lanes = [fetch.on_probation for fetch in self.in_flight] + list(self.resolving.values())
        assert lanes.count(on_probation) < (self.probation if on_probation else self.concurrency)
        return on_probation

    def fetch(self, wanted: Request) -> None:
        on_probation = self._check_lane(wanted.host)
        mine = [fetch for fetch in self.in_flight if fetch.request.host == wanted.host]
        assert len(mine) < self.politeness.per_host
        address = self.resolve(wanted.host)
        if address:
            assert sum(self.resolve(fetch.request.host) == address for fetch in self.in_flight) < self.politeness.per_ip
        answer = self.answer(wanted, self.now)
        fetch = Fetch(wanted, self.now, self.now + answer.elapsed_s, on_probation)
        self.fetches.append(fetch)
        self.in_flight.append(fetch)
        host = self.frontier.hosts.get(wanted.host)
        assert host is not None
        self.largest_window = max(self.largest_window, host.window)
        self.after(answer.elapsed_s, lambda: self._ended(fetch, answer))

    def _ended(self, fetch: Fetch, answer: Answer) -> None:
        wanted = fetch.request
        self.in_flight.remove(fetch)
        if answer.is_silent:
            self._proven.discard(wanted.host)
            self.frontier.failed(wanted, self.now, "refused", is_network=True)
        else:
            (self._proven.add if answer.elapsed_s <= PROMPT_S else self._proven.discard)(wanted.host)
            self.frontier.answered(wanted, self.now, answer.elapsed_s, answer.status, answer.retry_after_s)
        is_bad = answer.is_silent or answer.status >= 500
        if is_bad and self.retry_s is not None and wanted.attempts < 2:
            again = msgspec.structs.replace(wanted, attempts=wanted.attempts + 1)
            self.frontier.retry(again, self.now + self.retry_s)
        elif wanted.kind == "page":
            self.commit([self._judge(wanted, answer)], [])
        else:
            if wanted.kind == "robots":
                self._robots_answer(wanted, answer)
            self.frontier.done(wanted, "ok", self.now)

    def _judge(self, wanted: Request, answer: Answer) -> Done:
        if answer.is_silent:
            return Done(wanted, "failed", "silent")
        if answer.to:
            chain = (*wanted.chain, wanted.url)
            hop = Found([link(answer.to)], wanted.depth, wanted.url, chain, wanted.is_seed)
            return Done(wanted, "redirect", str(answer.status), found=hop)
        if answer.status >= 400:
            return Done(wanted, "http_error", str(answer.status))
        return Done(wanted, "ok", found=Found([link(url) for url in answer.links], wanted.depth + 1, wanted.url))

    def _robots_answer(self, wanted: Request, answer: Answer) -> None:
        if answer.to:
            hop = request(answer.to, kind="robots", chain=(*wanted.chain, wanted.url))
            self.frontier.add(hop, self.now)
        else:
            self._take_robots(wanted, answer)

    def _take_robots(self, wanted: Request, answer: Answer | None) -> None:
        first = wanted.chain[0] if wanted.chain else wanted.url
        if answer is None or answer.is_silent:
            rules = robots.UNREACHABLE
        else:
            rules = robots.from_answer(answer.status, answer.body, "crawler")
        self.frontier.set_robots(urls.origin(first), urls.host_key(first), rules, self.now)

    def commit(self, done: list[Done], found: list[Found]) -> None:
        self._in_thread(lambda: self._commit(done, found))

    def _commit(self, done: list[Done], found: list[Found]) -> Callable[[], None]:
        novel = self.store.commit(done, found)
        return lambda: self._committed(done, novel)

    def _committed(self, done: list[Done], novel: list[Request]) -> None:
        for each in done:
            assert each.request.url not in self.outcomes, f"{each.request.url} has two outcomes"
            self.outcomes[each.request.url] = (each.outcome, each.reason, self.now - START)
            if each.was_open:
                self._settled += 1
                self.frontier.done(each.request, each.outcome, self.now)
        self._known += len(novel)
        for each_new in novel:
            self.frontier.add(each_new, self.now)

    # What tests ask

    def times(self, url: str) -> list[float]:
        """When a URL was asked for, seconds from the start."""
        return [fetch.start - START for fetch in self.fetches if fetch.request.url == url]

    def of(self, host: str) -> list[Fetch]:
        return [fetch for fetch in self.fetches if fetch.request.host == host]

    @property
    def order(self) -> list[str]:
        return [fetch.request.url for fetch in self.fetches]

    def count(self, outcome: str, reason: str | None = None) -> int:
        return sum(each[:2] == (outcome, reason) for each in self.outcomes.values())

    def check_conservation(self) -> None:
        """Every URL that the store knows has one outcome, and none was asked for twice unless it was tried again."""
        assert self.frontier.finished
        assert {url for url, _, _ in self.store.outcomes()} == set(self.outcomes)
        tries = Counter(
            (fetch.request.url, fetch.request.attempts) for fetch in self.fetches if fetch.request.kind == "page"
        )
        assert set(tries.values()) <= {1}


def with_robots(answer: Callable[[Request, float], Answer], text: str = "") -> Callable[[Request, float], Answer]:
    """Adds the same robots.txt to every host of a made-up web."""

    def whole(wanted: Request, now: float) -> Answer:
        return Answer(body=text.encode()) if wanted.kind == "robots" else answer(wanted, now)

    return whole


def limits(**changes: object) -> CrawlSettings:
    """Settings of a crawl without robots.txt unless asked for."""
    return CrawlSettings(**{"robots": False, **changes})  # type: ignore[arg-type]


def polite(**changes: object) -> PolitenessSettings:
    return PolitenessSettings(**{"delay_s": 0.0, **changes})  # type: ignore[arg-type]

"""What happened so far, and where the time went, in figures cheap enough to be kept for every page."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from crawler.fetch import concurrency_of
from crawler.frontier.decisions import Waits
from crawler.frontier.outlook import HostDelays
from crawler.measure.bottleneck import judge
from crawler.measure.evidence import Evidence
from crawler.measure.extract_errors import ExtractErrors
from crawler.measure.histogram import Histogram
from crawler.measure.host_times import HostTable, HostTimes
from crawler.measure.machine import Machine
from crawler.measure.occupancy import NO_QUEUES, Hold, Occupancy, Queues, Timeline
from crawler.measure.stats import Bottleneck, LedgerStats, MergedStats, OutsideStats, ReasonStats, pages_of
from crawler.models import EXAMPLES, Outcome, Parsed, Response
from crawler.settings.groups import Settings, cores

# The stages stand in the order in which a page goes through them.
STAGES = (
    "queue", "politeness", "dns", "connect", "tls", "first_byte", "download",
    "hand_off", "decode", "parse", "extract", "serialise", "commit",
)  # fmt: skip

MAX_LISTED_OUTSIDE = 1_000  # stats.json lists this many hosts outside of the scope, those with most links.
MAX_OUTSIDE = 10_000  # This many hosts outside of the scope are counted one by one.
OTHER_HOSTS = "(others)"
MAX_NOTES = 1_000  # This many notes are kept.
HELD_SHARE = 0.5  # Hosts that took more than this share of the crawl's time are what a polite crawl waits for.


class Ledger:
    """The figures of one session; written by the engine, read by progress, summary and stats.json.

    Args:
        settings: All settings, by which the figures are judged.
        delays_of: What keeps two requests to a host apart; None where it is the crawl's delay for all.
        of_files: Bytes that came of bodies that go into files.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        delays_of: Callable[[str], HostDelays] | None = None,
        of_files: Callable[[], int] = lambda: 0,
    ) -> None:
        self._settings = settings or Settings()
        delay_s = self._settings.politeness.delay_s
        self._usual = HostDelays(own_s=delay_s, gap_s=delay_s)
        self._of_files = of_files
        self._delays_of = delays_of or (lambda host: self._usual)
        self.started_at = datetime.now(UTC)
        self.started = time.monotonic()
        self.ended: float | None = None
        self.outcomes: Counter[Outcome] = Counter()
        self.reasons: Counter[tuple[Outcome, str]] = Counter()
        self.statuses: Counter[int] = Counter()
        self.requests = 0
        self.retries = 0
        self.robots = 0
        self.sitemaps = 0
        self._body_bytes = 0  # Of answers that did not go into files.
        self.links = 0
        self.new_urls = 0
        self.fetch_s = 0.0  # The times of requests are summed although they overlap.
        self.first_byte_s = 0.0
        self._no_answer_s = 0.0  # The part of `fetch_s` that ended without an answer.
        self.parse_cpu_s = 0.0
        self.parsed = 0
        self.failures: Counter[str] = Counter()  # Requests without an answer are counted by reason.
        self.server_errors: Counter[int] = Counter()  # Answers of any kind with a 5xx are counted by status.
        self.first_request: float | None = None
        self.outside: dict[tuple[str, str], tuple[int, list[str]]] = {}
        # For each rule, how many links it rewrote, and examples.
        self.merged: dict[str, tuple[int, list[tuple[str, str]]]] = {}
        self.notes: dict[str, str] = {}  # Each note by its key, so that it is said once.
        self.extract_errors = ExtractErrors()
        self.hosts = HostTable()
        self._all = HostTimes()  # What all hosts together were asked, for the requests that have not ended.
        self.occupancy = Occupancy(self._settings.politeness.per_host)
        self.timeline = Timeline()
        self._stages = {name: Histogram() for name in STAGES}
        self._of_worker = [self._stages[name] for name in ("decode", "parse", "extract", "serialise")]
        self._cpu_before_s = 0.0  # CPU seconds of this process when the first request left.
        self._cpu_after_s = 0.0  # CPU seconds of this process when the crawl ended, 0 while it runs.
        self._machine = Machine()
        self.commits = 0  # How many commits were made.
        self.loop_s = 0.0  # Seconds for which the event loop had something to do before it could hand out requests.
        self.commit_s = 0.0  # Seconds for which the thread that commits was at work.

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (self.ended or time.monotonic()) - self.started

    @property
    def main_cpu_s(self) -> float:
        """CPU time of this process, start-up included, seconds."""
        return self._cpu_after_s or time.process_time()

    @property
    def pages(self) -> int:
        """Pages that have an answer: ok and http_error."""
        return pages_of(self.outcomes)

    @property
    def answers(self) -> int:
        """URLs to which a server said something: pages and redirects."""
        return self.pages + self.outcomes["redirect"]

    @property
    def wire_bytes(self) -> int:
        """Bytes of all bodies as they were received, files that are not whole yet among them."""
        return self._body_bytes + self._of_files()

    @property
    def requesting_s(self) -> float:
        """Seconds since the first request left; 0 before."""
        begun = self.first_request
        return (self.ended or time.monotonic()) - begun if begun is not None else 0.0

    @property
    def pages_per_s(self) -> float:
        """Pages a second since the first request left."""
        spent = self.requesting_s
        return round(self.pages / spent, 2) if spent > 0 else 0.0

    @property
    def effective_concurrency(self) -> float:
        """Requests that were in flight on average since the first one left; the bottleneck is judged by the same."""
        seen = self.occupancy
        return seen.in_flight_s / seen.observed_s if seen.observed_s else 0.0

    def stage(self, name: str) -> Histogram:
        """The time that pages took in a stage, one of `STAGES`."""
        return self._stages[name]

    def bottleneck(self) -> Bottleneck:
        """What binds the crawl, as far as it has come."""
        return judge(self.evidence())

    def end(self) -> None:
        """The crawl has ended: its clocks stand still."""
        self.ended, self._cpu_after_s = time.monotonic(), time.process_time()
        self._machine.stop()
        self.occupancy.catch_up(self.ended)

    def waited(self, host: str, waits: Waits) -> None:
        """A page is handed out that has waited for so long."""
        self._stages["queue"].add(waits.queue_s)
        self._stages["politeness"].add(waits.politeness_s)
        self.hosts.of(host).politeness_s += waits.gap_s

    def resolved(self, seconds: float) -> None:
        """A name was looked up, with an answer or without."""
        self._stages["dns"].add(seconds)

    def asked(self, host: str) -> None:
        """A request leaves."""
        now = time.monotonic()
        self.requests += 1
        self.hosts.of(host).asked(now)
        self._all.asked(now)
        if self.first_request is None:
            self.first_request = now
            self._cpu_before_s = time.process_time()
            self._machine.start()
            self.occupancy.look(
                now, "nothing", 1, Queues(busy_s=self.loop_s)
            )  # A crawl of one URL has no other look before its answer.

    def _ended(self, host: str, elapsed_s: float) -> HostTimes:
        """A request has ended; the times of its host."""
        now, times = time.monotonic(), self.hosts.of(host)
        times.ended(now, elapsed_s)
        self._all.ended(now, elapsed_s)
        return times

    def answered(self, page: Response) -> None:
        """An answer came."""
        stages, host = self._stages, self._ended(page.request.host, page.elapsed_s)
        count = len(page.body) if page.saved is None else page.saved.wire_bytes
        self._body_bytes += len(page.body)
        host.bytes += count
        self.fetch_s += page.elapsed_s
        host.fetch_s += page.elapsed_s
        self.first_byte_s += page.first_byte_s
        host.first_byte_s += page.first_byte_s
        if page.connect_s:  # Without one, its connection was there before.
            stages["connect"].add(page.connect_s)
        if page.tls_s:
            stages["tls"].add(page.tls_s)
        stages["first_byte"].add(page.first_byte_s - page.connect_s - page.tls_s)
        stages["download"].add(page.elapsed_s - page.first_byte_s)
        if page.status >= 500:
            self.server_errors[page.status] += 1
        if page.request.kind == "page":
            self.statuses[page.status] += 1

    def no_answer(self, host: str, elapsed_s: float, reason: str) -> None:
        """A fetch ended without an answer, for a reason like `connect_timeout`."""
        self.fetch_s += elapsed_s
        self._no_answer_s += elapsed_s
        self.failures[reason] += 1
        times = self._ended(host, elapsed_s)
        times.failures += 1
        times.fetch_s += elapsed_s

    def not_sent(self, host: str, elapsed_s: float) -> None:
        """There was no room for a request that was to leave so many seconds ago."""
        self._ended(host, elapsed_s)

    def parsed_page(self, parsed: Parsed, elapsed_s: float) -> None:
        """A worker gave a page back, so long after it was fetched."""
        self.parsed += 1
        self.parse_cpu_s += parsed.cpu_s
        for histogram, seconds in zip(self._of_worker, parsed.laps_s, strict=True):
            if seconds:  # Without any, the page did not go through this stage.
                histogram.add(seconds)
        self._stages["hand_off"].add(elapsed_s - sum(parsed.laps_s))
        self.links += parsed.followed
        for each in parsed.outside:
            self.left_out(each.host, each.reason, *each.examples, count=each.count)
        for rewritten in parsed.merged:
            count, examples = self.merged.get(rewritten.rule, (0, []))
            examples += rewritten.examples[: EXAMPLES - len(examples)]
            self.merged[rewritten.rule] = (count + rewritten.count, examples)

    def finished(self, host: str, outcome: Outcome, reason: str | None) -> None:
        """A URL has its final outcome."""
        self.outcomes[outcome] += 1
        if outcome in ("ok", "http_error"):
            self.hosts.of(host).pages += 1
        if reason is not None:
            self.reasons[outcome, reason] += 1

    def committed(self, waited_s: Sequence[float], commit_s: float) -> None:
        """A commit was made.

        Args:
            waited_s: How long what it holds had been finished, seconds.
            commit_s: What all commits so far took.
        """
        self.commits += 1
        self.commit_s = commit_s
        for seconds in waited_s:
            self._stages["commit"].add(seconds)

    def look(self, now: float, hold: Hold, in_flight: int, queues: Queues = NO_QUEUES) -> None:
        """See what keeps the next request from leaving; see `Occupancy.look`."""
        if self.first_request is not None:
            self.occupancy.look(now, hold, in_flight, queues)

    @property
    def times_s(self) -> dict[str, float]:
        """What the time since the first request was put down to until now, seconds; see `Occupancy.times`."""
        if self.ended is None:
            self.occupancy.catch_up(time.monotonic())
        return {name: round(spent, 3) for name, spent in self.occupancy.times.items()}

    def evidence(self) -> Evidence:
        """What the bottleneck is judged from."""
        settings, seen, stages = self._settings, self.occupancy, self._stages
        if self.ended is None:
            seen.catch_up(time.monotonic())
        now = self.ended or time.monotonic()
        work_s = sum(histogram.total_s for histogram in self._of_worker)
        name, host = self.hosts.slowest(now)
        delays = self._usual if name is None else self._delays_of(name)
        return Evidence(
            elapsed_s=seen.observed_s,
            strategy=settings.fetch.strategy,
            parse=settings.parse.mode,
            parser=settings.parse.parser,
            has_extractor=bool(settings.parse.extract),
            writes_warc=settings.output.warc,
            concurrency=concurrency_of(settings.fetch),
            per_host=settings.politeness.per_host,
            delay_s=delays.own_s,
            has_site_delay=delays.is_of_site,
            workers=settings.parse_workers,
            cores=cores(),
            requests=self.requests,
            hosts=len(self.hosts),
            fetches=stages["first_byte"].count,
            no_answers=self.failures.total(),
            server_errors=self.server_errors.total(),
            failure=self._failure,
            in_flight=self.effective_concurrency,
            bytes=self.wire_bytes,
            waiting_s=self.first_byte_s,
            download_s=stages["download"].total_s,
            unanswered_s=self._no_answer_s + self._all.under_way_s(now),
            parsed=self.parsed,
            work_s=work_s,
            extract_s=stages["extract"].total_s,
            parse_cpu_s=self.parse_cpu_s,
            main_cpu_s=self.main_cpu_s - self._cpu_before_s,
            others_cpu_s=self._machine.others_s,
            loop_s=self.loop_s,
            commits=self.commits,
            writer_s=self.commit_s,
            holds=dict(seen.holds),
            host=name,
            host_requests=host.requests,
            host_fetch_s=(host.fetch_s + host.under_way_s(now)) / max(1, host.requests),
            host_gap_s=host.politeness_s / max(1, host.requests - 1),  # There is no gap before the first.
            host_per_s=host.per_s,
            host_gap_cause=delays.cause,
            host_crawl_delay_s=delays.crawl_delay_s,
            adaptive_factor=settings.politeness.adaptive_factor,
            held_hosts=self.hosts.count_above(HELD_SHARE * seen.observed_s, now),
        )

    @property
    def _failure(self) -> str:
        """The most frequent reason for which requests failed, in words; empty if none did."""
        reasons = Counter({f"HTTP {status}": count for status, count in self.server_errors.items()})
        reasons.update({reason.replace("_", " "): count for reason, count in self.failures.items()})
        return reasons.most_common(1)[0][0] if reasons else ""

    def left_out(self, host: str, reason: str, *examples: str, count: int = 1) -> None:
        """Links lead out of the crawl."""
        if len(self.outside) >= MAX_OUTSIDE and (host, reason) not in self.outside:
            host = OTHER_HOSTS
        before, known = self.outside.get((host, reason), (0, []))
        for url in examples:
            if len(known) < EXAMPLES and url not in known:
                known.append(url)
        self.outside[host, reason] = (before + count, known)

    def note(self, key: str, sentence: str) -> None:
        """Something that the user should read in the summary, once for each key."""
        if len(self.notes) < MAX_NOTES:
            self.notes.setdefault(key, sentence)

    def stats(self, why: str = "", error: str | None = None) -> LedgerStats:
        """All figures, for stats.json.

        Args:
            why: How the session ended; empty while it goes on.
            error: What failed, if it did.
        """
        by_reason = Counter[str]()
        for (_, reason), (count, _) in self.outside.items():
            by_reason[reason] += count
        outside = heapq.nlargest(MAX_LISTED_OUTSIDE, self.outside.items(), key=lambda item: item[1][0])
        return LedgerStats(
            why=why,
            error=error,
            strategy=self._settings.fetch.strategy,
            parse=self._settings.parse.mode,
            parser=self._settings.parse.parser,
            concurrency=concurrency_of(self._settings.fetch),
            elapsed_s=round(self.elapsed_s, 3),
            pages=self.pages,
            pages_per_s=self.pages_per_s,
            outcomes={outcome: count for outcome, count in self.outcomes.items()},
            reasons=[ReasonStats(*key, count) for key, count in self.reasons.most_common()],
            statuses={str(status): count for status, count in sorted(self.statuses.items())},
            requests=self.requests,
            retries=self.retries,
            robots=self.robots,
            sitemaps=self.sitemaps,
            wire_bytes=self.wire_bytes,
            links=self.links,
            urls_discovered=self.new_urls,
            fetch_s=round(self.fetch_s, 3),
            first_byte_s=round(self.first_byte_s, 3),
            parse_cpu_s=round(self.parse_cpu_s, 3),
            main_cpu_s=round(self.main_cpu_s, 3),
            effective_concurrency=round(self.effective_concurrency, 2),
            outside=[OutsideStats(*key, count, examples) for key, (count, examples) in outside],
            outside_by_reason=dict(by_reason),
            merged=[MergedStats(rule, count, examples) for rule, (count, examples) in sorted(self.merged.items())],
            extract_errors=self.extract_errors.stats(),
            notes=list(self.notes.values()),
            stages={name: histogram.stats() for name, histogram in self._stages.items()},
            timeline=self.timeline.stats(),
            verdict=self.bottleneck(),
            hosts=self.hosts.stats(lambda host: self._delays_of(host).gap_s),
        )

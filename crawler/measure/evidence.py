"""What the bottleneck is judged from: where a crawl's time went, in figures."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from crawler.frontier.politeness import GapCause
from crawler.measure.occupancy import HOLDS, Hold

UNANSWERED = 0.9  # Where this share of the requests that ended failed, there is nothing else to judge.


class Evidence(Struct, frozen=True, kw_only=True):
    """Where a crawl's time went since its first request.

    Args:
        elapsed_s: How long that is, seconds.
        strategy, parse, parser: As in the settings.
        has_extractor: Whether pages are given to a function of the user's.
        writes_warc: Whether bodies are kept.
        concurrency, per_host: Requests that may be in flight, in all and for one host.
        delay_s: The gap between two requests to `host` that the user asks for.
        has_site_delay: Whether that is the delay of its own site, and not that of all.
        workers: Parse workers.
        cores: Processors that this process may use.
        requests: That left.
        hosts: For which they left.
        fetches: That were answered.
        no_answers: That ended without an answer.
        server_errors: That were answered with a 5xx.
        failure: The most frequent reason for that, empty if there was none.
        in_flight: How many there were at a time, on average.
        bytes: Of bodies that were received.
        waiting_s: From the start of a fetch to the end of the answer's head, summed over fetches.
        download_s: From there to its end, likewise.
        unanswered_s: From the start of fetches that ended without an answer, or have not ended, likewise.
        parsed: Pages that were parsed.
        work_s: What the workers took for them, wall clock, summed over workers.
        extract_s: The part of it that extractors took.
        parse_cpu_s, main_cpu_s: CPU time of the workers and of this process.
        others_cpu_s: That of other programs, on the cores that this process may use; 0 if it is not known.
        loop_s: How long the event loop had something to do, by the clock; longer than its CPU time where other programs
            or threads have the processor meanwhile.
        commits: That were made.
        writer_s: How long the thread that writes was at it.
        holds: Seconds for which each was what kept the next request from leaving.
        host: The host that took most time.
        host_requests: That left for it.
        host_fetch_s, host_gap_s: What a request took there on average, those that have not ended included, and what
            its gap was.
        host_per_s: Requests a second for it, from the first to the last; 0 if there were no two.
        host_gap_cause: What makes its gap as long as it is, None if that is not known.
        host_crawl_delay_s: The gap that its robots.txt asks for, 0 if none.
        adaptive_factor: Times the last answer that a gap has to last, by the settings.
        held_hosts: Hosts that took most of the crawl's time each.
    """

    elapsed_s: float = 0.0
    strategy: str = "asyncio"
    parse: str = "processes"
    parser: str = "lexbor"
    has_extractor: bool = False
    writes_warc: bool = False
    concurrency: int = 64
    per_host: int = 1
    delay_s: float = 1.0
    has_site_delay: bool = False
    workers: int = 1
    cores: int = 1
    requests: int = 0
    hosts: int = 1
    fetches: int = 0
    no_answers: int = 0
    server_errors: int = 0
    failure: str = ""
    in_flight: float = 0.0
    bytes: int = 0
    waiting_s: float = 0.0
    download_s: float = 0.0
    unanswered_s: float = 0.0
    parsed: int = 0
    work_s: float = 0.0
    extract_s: float = 0.0
    parse_cpu_s: float = 0.0
    main_cpu_s: float = 0.0
    others_cpu_s: float = 0.0
    loop_s: float = 0.0
    commits: int = 0
    writer_s: float = 0.0
    holds: Mapping[Hold, float] = msgspec.field(default_factory=lambda: dict.fromkeys(HOLDS, 0.0))
    host: str | None = None
    host_requests: int = 0
    host_fetch_s: float = 0.0
    host_gap_s: float = 0.0
    host_per_s: float = 0.0
    host_gap_cause: GapCause | None = None
    host_crawl_delay_s: float = 0.0
    adaptive_factor: float = 0.0
    held_hosts: int = 0

    def _share(self, seconds: float) -> float:
        return min(1.0, seconds / self.elapsed_s) if self.elapsed_s > 0 else 0.0

    @property
    def own_cpu_s(self) -> float:
        """CPU time of this process but for what it parsed itself, seconds."""
        return max(0.0, self.main_cpu_s - (0.0 if self.parse == "processes" else self.parse_cpu_s))

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the time for which each part was busy, and requests waited for nothing but their hosts' turn."""
        return {
            "slots": min(1.0, self.in_flight / self.concurrency),
            "workers": self._share(self.work_s / self.workers),
            "main": max(self.main_cpu, self._share(self.loop_s) if self.parse == "processes" else 0.0),
            "writer": self._share(self.writer_s),
            "polite_wait": self._share(self.holds["turn"]),
        }

    @property
    def main_cpu(self) -> float:
        """The share of the time for which this process computed, what it parsed itself left out."""
        return self._share(self.own_cpu_s)

    @property
    def workers_cpu(self) -> float:
        """The share of the time for which a worker computed."""
        return self._share(self.parse_cpu_s / self.workers)

    @property
    def main_demand(self) -> float:
        """The share of the time for which this process computed, or had something to compute and waited to."""
        return self.shares["main"]

    @property
    def workers_demand(self) -> float:
        """The share of the time for which a worker computed, or had something to compute and waited to."""
        return max(self.shares["workers"], self.workers_cpu)

    @property
    def slots_needed(self) -> float:
        """The share of the slots that servers kept; an answer that nobody has taken yet keeps its slot, too."""
        kept_s = min(self.fetching_s, self.waiting_s + self.download_s + self.unanswered_s)
        return min(1.0, kept_s / self.elapsed_s / self.concurrency) if self.elapsed_s > 0 else 0.0

    @property
    def fetching_s(self) -> float:
        """The time of all requests that were in flight, seconds; it overlaps."""
        return self.in_flight * self.elapsed_s

    @property
    def failed(self) -> int:
        """Requests without an answer, or with one that says only that the server has a fault."""
        return self.no_answers + self.server_errors

    @property
    def is_unanswered(self) -> bool:
        """Whether no answer came, or hardly any, though some requests have ended or should have."""
        ended = self.fetches + self.no_answers
        return self.failed >= UNANSWERED * ended if ended else self.requests > 0

    @property
    def crawl_cores(self) -> float:
        """How many cores the crawl had on average."""
        cpu_s = self.own_cpu_s + self.parse_cpu_s
        return cpu_s / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def other_cores(self) -> float:
        """How many cores other programs had on average, as far as that is known."""
        return min(self.others_cpu_s / self.elapsed_s, float(self.cores)) if self.elapsed_s > 0 else 0.0

    @property
    def machine_busy(self) -> float:
        """The share of the cores that the crawl and other programs had together."""
        return min(1.0, (self.crawl_cores + self.other_cores) / self.cores)

    @property
    def host_share(self) -> float:
        """The share of the time that the host's answers and gaps account for; it was left alone for the rest."""
        return self._share(self.host_requests * (self.host_fetch_s + self.host_gap_s) / self.per_host)

    @property
    def host_rate(self) -> float:
        """Requests a second that the host that took most time lets through."""
        per_s = self.host_per_s or (self.host_requests / self.elapsed_s if self.elapsed_s > 0 else 0.0)
        each_s = max(self.host_gap_s, self.host_fetch_s)
        return min(per_s, self.per_host / each_s) if each_s > 0 else per_s

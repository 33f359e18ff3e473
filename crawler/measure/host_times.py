"""What each host was asked and how long that took, for as many hosts as are worth it."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from crawler.measure.stats import HostStats

# Up to twice as many hosts are counted one by one; then those that took least time become one, and this many stay.
KEPT_HOSTS = 10_000
SHOWN_HOSTS = 1_000  # stats.json lists this many hosts, those that took most time.
OTHER_HOSTS = "(others)"


class HostTimes:
    """What one host was asked.

    Attributes:
        requests: That left for it.
        pages: That have an answer.
        failures: Requests without an answer.
        bytes: Of all bodies, as received.
        fetch_s: From the start to the end of each fetch, seconds, summed over fetches that may overlap.
        first_byte_s: From its start to the end of the answer's head, summed likewise.
        under_way: Requests that have not ended.
        politeness_s: For which its pace alone kept the next request from leaving.
        first_at, last_at: When the first and the last request left, monotonic seconds; 0 before there is one.
    """

    _COUNTS = ("bytes", "failures", "pages", "requests", "under_way")
    _SUMS = (*_COUNTS, "fetch_s", "first_byte_s", "politeness_s", "_begun_at")
    __slots__ = (*_SUMS, "first_at", "last_at")

    def __init__(self) -> None:
        self.requests = self.pages = self.failures = self.bytes = self.under_way = 0
        self.fetch_s = self.first_byte_s = self.politeness_s = 0.0
        self._begun_at = 0.0  # When the requests that have not ended left, summed over them.
        self.first_at = self.last_at = 0.0

    def asked(self, now: float) -> None:
        """A request leaves at monotonic time `now`."""
        if not self.requests:
            self.first_at = now
        self.last_at = now
        self.requests += 1
        self.under_way += 1
        self._begun_at += now

    def ended(self, now: float, elapsed_s: float) -> None:
        """A request that left so many seconds before monotonic time `now` has ended, however it did."""
        self.under_way -= 1
        # A host that was counted with others when it was asked, and alone since, has nothing under way.
        self.under_way = max(0, self.under_way)
        self._begun_at = self._begun_at - (now - elapsed_s) if self.under_way else 0.0

    def under_way_s(self, now: float) -> float:
        """How long the requests that have not ended take already, at monotonic time `now`, seconds summed over them."""
        return max(0.0, self.under_way * now - self._begun_at) if self.under_way else 0.0

    @property
    def per_s(self) -> float:
        """Requests a second from the first to the last; 0 if there are no two."""
        span_s = self.last_at - self.first_at
        return (self.requests - 1) / span_s if span_s > 0 else 0.0

    @property
    def has_answered(self) -> bool:
        """Whether any answer came."""
        return self.first_byte_s > 0

    @property
    def cost_s(self) -> float:
        """The time that the host took in all, seconds."""
        return self.fetch_s + self.politeness_s

    def add(self, other: HostTimes) -> None:
        """Count what another was asked as well."""
        for name in self._SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def stats(self, host: str, delay_s: float) -> HostStats:
        """The row for stats.json."""
        times = (self.fetch_s, self.first_byte_s, self.politeness_s, delay_s)
        counts = (self.requests, self.pages, self.failures, self.bytes)
        return HostStats(host, *counts, *(round(each, 3) for each in times))


class HostTable:
    """The hosts of a crawl, in bounded memory."""

    def __init__(self) -> None:
        self._hosts: dict[str, HostTimes] = {}

    def __len__(self) -> int:
        return len(self._hosts)

    def of(self, host: str) -> HostTimes:
        """The times of a host, to be added to."""
        times = self._hosts.get(host)
        if times is None:
            if len(self._hosts) >= 2 * KEPT_HOSTS:
                self._fold()
            times = self._hosts[host] = HostTimes()
        return times

    def typical_s(self, host: str, usual_s: float) -> float:
        """What a fetch from a host takes on average, seconds; `usual_s` for one that was never asked."""
        times = self._hosts.get(host)
        return times.fetch_s / times.requests if times and times.requests else usual_s

    def by_cost(self, count: int) -> list[tuple[str, HostTimes]]:
        """The hosts that took most time, the first the most."""
        named = (each for each in self._hosts.items() if each[0] != OTHER_HOSTS)
        return heapq.nlargest(count, named, key=lambda each: each[1].cost_s)

    def slowest(self, now: float) -> tuple[str | None, HostTimes]:
        """The host that took most time until monotonic time `now`, of those that answered; none if there is none."""
        named = (each for each in self._hosts.items() if each[0] != OTHER_HOSTS and each[1].has_answered)
        return max(named, key=lambda each: each[1].cost_s + each[1].under_way_s(now), default=(None, HostTimes()))

    def count_above(self, cost_s: float, now: float) -> int:
        """How many hosts that answered took more than so many seconds until monotonic time `now`."""
        answered = (each for each in self._hosts.values() if each.has_answered)
        return sum(each.cost_s + each.under_way_s(now) > cost_s for each in answered)

    def _fold(self) -> None:
        others = self._hosts.pop(OTHER_HOSTS, None) or HostTimes()
        kept = dict(self.by_cost(KEPT_HOSTS - 1))
        for host, times in self._hosts.items():
            if host not in kept:
                others.add(times)
        self._hosts = {**kept, OTHER_HOSTS: others}

    def stats(self, delay_of: Callable[[str], float]) -> list[HostStats]:
        """The rows for stats.json.

        Args:
            delay_of: Seconds between two requests to a host.
        """
        rows = [times.stats(host, delay_of(host)) for host, times in self.by_cost(SHOWN_HOSTS)]
        if others := self._hosts.get(OTHER_HOSTS):
            rows.append(others.stats(OTHER_HOSTS, 0.0))
        return rows

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
        politeness_s: For which its pace alone kept the next request from leaving.
        first_at, last_at: When the first and the last request left, monotonic seconds; 0 before there is one.
    """

    _SUMS = ("bytes", "failures", "fetch_s", "first_byte_s", "pages", "politeness_s", "requests")
    __slots__ = (*_SUMS, "first_at", "last_at")

    def __init__(self) -> None:
        self.requests = self.pages = self.failures = self.bytes = 0
        self.fetch_s = self.first_byte_s = self.politeness_s = 0.0
        self.first_at = self.last_at = 0.0

    def asked(self, now: float) -> None:
        """A request leaves at monotonic time `now`."""
        if not self.requests:
            self.first_at = now
        self.last_at = now
        self.requests += 1

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

    def slowest(self) -> tuple[str | None, HostTimes]:
        """The host that took most time of those that answered; none of it all if there is none."""
        named = (each for each in self._hosts.items() if each[0] != OTHER_HOSTS and each[1].has_answered)
        return max(named, key=lambda each: each[1].cost_s, default=(None, HostTimes()))

    def count_above(self, cost_s: float) -> int:
        """How many hosts that answered took more time than this, seconds."""
        return sum(each.cost_s > cost_s for each in self._hosts.values() if each.has_answered)

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

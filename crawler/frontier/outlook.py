"""What the frontier tells of a host, how long its known URLs take at its pace, and whether it answers."""

from __future__ import annotations

import math

from msgspec import Struct

from crawler.frontier.politeness import GapCause

# Halving a span of time so often finds a moment to a millionth of it.
HALVINGS = 20
# A first answer that takes more seconds than this is worth a word.
SILENT_S = 3.0


class HostDelays(Struct, frozen=True, kw_only=True):
    """What keeps two requests to a host apart, in seconds.

    Args:
        own_s: The delay that the user asks for there.
        is_of_site: Whether that is the delay of the host's own site, and not that of the whole crawl.
        crawl_delay_s: What its robots.txt asks for, 0 if nothing.
        gap_s: What is kept as things are.
        cause: What makes that as long as it is; None for a host that is not in mind.
    """

    own_s: float
    gap_s: float
    is_of_site: bool = False
    crawl_delay_s: float = 0.0
    cause: GapCause | None = None


class HostView(Struct, frozen=True, kw_only=True):
    """A host as it is at one moment; times are monotonic seconds, minus infinity where there is none.

    Args:
        key: Politeness key.
        dead: Why all that is found there fails or is skipped, None while it is not given up.
        window: Pages in memory.
        known: Pages that wait in memory and in the store.
        pages_left: How many of them the limits of crawl, site and domain let be asked for.
        in_flight: Requests and look-ups that are under way.
        has_answered: Whether it has ever answered.
        is_wanted: Whether anything is wanted of it.
        waits_for_robots: Whether all its pages in memory wait for a robots.txt.
        lacks_robots: Whether a robots.txt is asked for of which there is no copy.
        gap_s: Seconds between the end of a response and the next request.
        firm_gap_s: The part of it that never shrinks, because the user or robots.txt asks for it.
        has_crawl_delay: Whether it is robots.txt that asks for that part.
        last_at: When a request left or ended last.
        next_at: When it may be asked again.
        parked_until: Before when it is left alone altogether.
        park_reason: Why it is, or was before it recovered.
        failures: Network failures in a row.
    """

    key: str
    dead: str | None
    window: int
    known: int
    pages_left: int
    in_flight: int
    has_answered: bool
    is_wanted: bool
    waits_for_robots: bool
    lacks_robots: bool
    gap_s: float
    firm_gap_s: float
    has_crawl_delay: bool
    last_at: float
    next_at: float
    parked_until: float
    park_reason: str | None
    failures: int

    def is_parked(self, now: float) -> bool:
        """Whether it is left alone for longer than its gap."""
        return now < self.parked_until

    def is_silent(self, now: float) -> bool:
        """Whether something is wanted of it and it does not answer, or not yet, though it has had the time."""
        if self.dead is not None or not self.is_wanted:
            return False
        is_slow = self.in_flight > 0 and not self.has_answered and now - self.last_at > SILENT_S
        return self.failures > 0 or is_slow or (self.is_parked(now) and self.park_reason in ("network", "robots"))

    def least_s(self, count: int, now: float) -> float:
        """Seconds that so many requests take at least; of the first one's gap a part may have passed already."""
        gap_s = self.firm_gap_s
        # One that was never asked for anything has its robots.txt before them, which is what the first one waits for.
        passed_s = 0.0 if self.last_at == -math.inf else min(gap_s, max(0.0, now - self.last_at))
        return max(0.0, count * gap_s - passed_s)

    def period_s(self, typical_s: float, per_host: int) -> float:
        """Seconds from one request to the next one, if it takes `typical_s` to answer and slots are free."""
        # The gap runs from the end of the last answer, whichever of the requests under way that belongs to.
        return max(self.gap_s, (self.gap_s + typical_s) / per_host)


def time_for(urls: int, queues: list[tuple[int, float]]) -> float:
    """How long it takes until so many URLs are done, of hosts that all work at once.

    Args:
        urls: No more than all queues have.
        queues: Of each host how many URLs wait, and how many seconds it takes for each.
    """
    longest_s = max((count * each_s for count, each_s in queues), default=0.0)
    if urls >= sum(count for count, _ in queues):
        return longest_s
    low, high = 0.0, longest_s
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        done = sum(min(count, middle / each_s) if each_s > 0 else count for count, each_s in queues)
        low, high = (low, middle) if done >= urls else (middle, high)
    return high

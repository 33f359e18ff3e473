"""How long a host's known URLs take at its pace, and which hosts do not answer. Pure arithmetic, no I/O."""

from __future__ import annotations

import math

from crawler.frontier.host import HostQueue

HALVINGS = 20  # enough to find a time to a millionth
SILENT_S = 3.0  # a first answer that takes longer than this is worth a word


def is_silent(host: HostQueue, now: float) -> bool:
    """Whether a host that something is wanted of does not answer, or not yet, though it has had the time."""
    if host.dead or not (host.known or host.rules or host.in_flight):
        return False
    pace = host.pace
    is_slow = host.in_flight > 0 and not host.is_proven and now - pace.last_at > SILENT_S
    return pace.failures > 0 or is_slow or (pace.is_parked(now) and pace.park_reason in ("network", "robots"))


def least_s(host: HostQueue, count: int, now: float) -> float:
    """Seconds that so many requests of a host take at least; of the first one's gap a part may have passed already."""
    gap_s, last_at = host.pace.firm_gap_s, host.pace.last_at
    # One that was never asked for anything has its robots.txt before them, which is what the first one waits for.
    passed_s = 0.0 if last_at == -math.inf else min(gap_s, max(0.0, now - last_at))
    return max(0.0, count * gap_s - passed_s)


def period_s(host: HostQueue, typical_s: float, per_host: int) -> float:
    """Seconds from one request of a host to its next one, if it takes `typical_s` to answer and slots are free."""
    gap_s = host.pace.gap_s
    # The gap runs from the end of the last answer, whichever of the requests under way that belongs to.
    return max(gap_s, (gap_s + typical_s) / per_host)


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

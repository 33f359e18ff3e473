"""Hosts sorted by when they may next be visited, and the slots that their requests take.

There are two lanes: hosts that have answered before, and hosts on probation, so that those that never answer do not
keep the others waiting.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

from crawler.frontier.host import HostQueue
from crawler.models import Request

_LANES = (True, False)  # by whether the host has answered before


class Lanes:
    """Two heaps of hosts and their slots.

    Args:
        per_host: Requests in flight for one host.
        concurrency: Requests in flight to hosts that have answered before.
        probation: Requests in flight, beside those, to hosts that never have; 0 makes both share one lane.
    """

    def __init__(self, per_host: int, concurrency: int, probation: int) -> None:
        self._per_host = per_host
        self._slots = {True: concurrency, False: probation}
        self._is_shared = probation == 0
        self._flying = {True: 0, False: 0}
        self._taken: dict[object, bool] = {}  # the lane of each slot that is taken
        self._full = dict(self._slots)
        self._heaps: dict[bool, list[tuple[float, int, HostQueue]]] = {True: [], False: []}
        self._entries = 0  # orders hosts that are due at the same moment, and tells the valid entry of a host

    def __repr__(self) -> str:
        proven, probing = (f"{self._flying[lane]} of {self._slots[lane]}" for lane in _LANES)
        return f"<Lanes {proven} in flight, {probing} on probation>"

    @property
    def in_flight(self) -> int:
        """Slots that are taken, in both lanes."""
        return self._flying[True] + self._flying[False]

    @property
    def slots(self) -> int:
        """How many there are for hosts that have answered before."""
        return self._slots[True]

    @property
    def has_room(self) -> bool:
        """Whether a host that has answered before would find a slot."""
        return self._flying[True] < self._slots[True]

    def is_kept_waiting(self, now: float) -> bool:
        """Whether the turn of a host has come, and its lane has no slot for it."""
        return any(
            heap and heap[0][0] <= now and self._flying[lane] >= self._slots[lane] for lane, heap in self._heaps.items()
        )

    def shed(self) -> int:
        """Have fewer requests in flight: no more than now, both lanes together; returns how many may be."""
        share = max(1, self.in_flight if self._is_shared else self.in_flight // 2)
        self._slots = {lane: min(slots, share) for lane, slots in self._slots.items()}
        return sum(self._slots.values())

    def grow(self) -> None:
        """Have one request more in flight in each lane, up to what was allowed at first."""
        self._slots = {lane: min(slots + 1, self._full[lane]) for lane, slots in self._slots.items()}

    def push(self, host: HostQueue, now: float) -> None:
        """Let a host have its turn when it is due, if it has something to do and a slot of its own is free."""
        if host.in_flight >= (self._per_host if host.is_resolved else 1) or host.peek() is None:
            return
        # A host that has just been resolved comes before all that have not, or its look-up could be too old at last.
        is_first = host.is_resolved and host.next_at == -math.inf
        due, lane = -math.inf if is_first else max(host.next_at, now), self._lane(host)
        if host.entry and host.due <= due and host.lane is lane:
            return
        self._entries += 1
        host.entry, host.due, host.lane = self._entries, due, lane
        heapq.heappush(self._heaps[lane], (due, host.entry, host))

    def pop(self, now: float) -> HostQueue | None:
        """Remove and return a host whose entry is due and for which a slot is free."""
        for lane, heap in self._heaps.items():
            while heap and heap[0][0] <= now and self._flying[lane] < self._slots[lane]:
                _, entry, host = heapq.heappop(heap)
                if entry == host.entry:
                    host.entry = 0
                    return host
        return None

    def next_due(self) -> float | None:
        """When the next host is due for which a slot is free, monotonic seconds."""
        times = []
        for lane, heap in self._heaps.items():
            while heap and heap[0][1] != heap[0][2].entry:
                heapq.heappop(heap)
            if heap and self._flying[lane] < self._slots[lane]:
                times.append(heap[0][0])
        return min(times, default=None)

    def has_patient(self, now: float) -> bool:
        """Whether a host that has its turn to come is only cooling down and not parked."""
        # The first entry settles it unless that host is parked.
        return any(
            entry == host.entry and not host.pace.is_parked(now)
            for heap in self._heaps.values()
            for _, entry, host in heap
        )

    def fly(self, host: HostQueue, request: Request | None) -> None:
        """Take a slot for a request, or for looking the host up."""
        lane = self._lane(host)
        host.in_flight += 1
        self._flying[lane] += 1
        self._taken[_token(host, request)] = lane

    def land(self, host: HostQueue, request: Request | None) -> None:
        """Free a slot in the lane in which it was taken: the host may be in the other one by now."""
        host.in_flight -= 1
        self._flying[self._taken.pop(_token(host, request))] -= 1

    def _lane(self, host: HostQueue) -> bool:
        return host.is_proven or self._is_shared


def _token(host: HostQueue, request: Request | None) -> object:
    """What a slot is taken for. One URL can be a page, a sitemap and where several robots.txt redirect to at once."""
    return host.key if request is None else (request.kind, request.fingerprint, request.chain)


class Delays:
    """Requests by the monotonic time at which they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Request]] = []
        self._count = 0  # orders requests that are due at the same moment

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Request]:
        return (request for _, _, request in self._heap)

    @property
    def next_at(self) -> float | None:
        """When the next one is due."""
        return self._heap[0][0] if self._heap else None

    def add(self, request: Request, at: float) -> None:
        """Let a request wait until `at`."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, request))

    def take_due(self, now: float) -> Iterator[Request]:
        """Remove and yield what is due."""
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]

    def drain(self) -> tuple[Request, ...]:
        """Remove and return everything."""
        requests = tuple(self)
        self._heap.clear()
        return requests

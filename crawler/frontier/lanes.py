"""Hosts sorted by when they may next be visited, and the slots that their requests take.

There are two lanes: hosts that have answered before, and hosts on probation, so that those that never answer do not
keep the others waiting. A request takes a slot of its lane, and one of its host's address where that has a limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator

from crawler.frontier.host import HostQueue
from crawler.models import Request

# The lane of the hosts that have answered before comes first.
_LANES = (True, False)


class Lanes:
    """Two heaps of hosts and their slots.

    Args:
        per_host: Requests in flight for one host.
        per_address: Requests in flight for one address, where that is limited.
        concurrency: Requests in flight to hosts that have answered before.
        probation: Requests in flight, beside those, to hosts that never have; 0 makes both share one lane.
    """

    def __init__(self, per_host: int, per_address: int, concurrency: int, probation: int) -> None:
        self._per_host = per_host
        self._addresses = AddressSlots(per_address)
        self._slots = {True: concurrency, False: probation}
        self._is_shared = probation == 0
        self._in_flight = {True: 0, False: 0}
        # This is the lane of each slot that is taken.
        self._taken: dict[object, bool] = {}
        self._full = dict(self._slots)
        self._heaps: dict[bool, list[tuple[float, int, HostQueue]]] = {True: [], False: []}
        # The number of an entry orders hosts that are due at the same moment, and tells the valid entry of a host.
        self._entries = 0

    def __repr__(self) -> str:
        proven, probing = (f"{self._in_flight[lane]} of {self._slots[lane]}" for lane in _LANES)
        return f"<Lanes {proven} in flight, {probing} on probation>"

    @property
    def in_flight(self) -> int:
        """Slots that are taken, in both lanes."""
        return self._in_flight[True] + self._in_flight[False]

    @property
    def slots(self) -> int:
        """How many there are for hosts that have answered before."""
        return self._slots[True]

    @property
    def has_room(self) -> bool:
        """Whether a host that has answered before would find a slot."""
        return self._in_flight[True] < self._slots[True]

    @property
    def waiting(self) -> int:
        """About how many hosts wait for their turn; a few may count twice that have been given an earlier one."""
        return sum(map(len, self._heaps.values()))

    def is_kept_waiting(self, now: float) -> bool:
        """Whether the turn of a host has come, and its lane has no slot for it."""
        return any(
            heap and heap[0][0] <= now and self._in_flight[lane] >= self._slots[lane]
            for lane, heap in self._heaps.items()
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
        due = host.next_turn(now, self._per_host)
        if due is None:
            return
        is_proven_lane = host.is_proven or self._is_shared
        entry = self._entries + 1
        if host.enter(entry, due, is_proven_lane=is_proven_lane):
            self._entries = entry
            heapq.heappush(self._heaps[is_proven_lane], (due, entry, host))

    def pop(self, now: float) -> HostQueue | None:
        """Remove and return a host whose entry is due and for which a slot is free."""
        for lane, heap in self._heaps.items():
            while heap and heap[0][0] <= now and self._in_flight[lane] < self._slots[lane]:
                _, entry, host = heapq.heappop(heap)
                if host.leave_lane(entry):
                    return host
        return None

    def next_due(self) -> float | None:
        """When the next host is due for which a slot is free, monotonic seconds."""
        times = []
        for lane, heap in self._heaps.items():
            while heap and not heap[0][2].has_entry(heap[0][1]):
                heapq.heappop(heap)
            if heap and self._in_flight[lane] < self._slots[lane]:
                times.append(heap[0][0])
        return min(times, default=None)

    def has_patient(self, now: float) -> bool:
        """Whether a host that has its turn to come is waited for, be it for a Retry-After, and not just hoped for."""
        # The first entry settles it unless that host is parked.
        return any(
            host.has_entry(entry) and host.pace.is_waited_for(now)
            for heap in self._heaps.values()
            for _, entry, host in heap
        )

    def waits_for_address(self, host: HostQueue) -> bool:
        """Whether a host's address has all the requests that it bears; the host has its turn when one has ended."""
        if not host.address or not self._addresses.is_full(host.address):
            return False
        self._addresses.wait(host)
        return True

    def take_slot(self, host: HostQueue, request: Request | None) -> None:
        """Take a slot for a request, or for looking the host up."""
        is_proven_lane = host.is_proven or self._is_shared
        host.begin()
        self._in_flight[is_proven_lane] += 1
        self._taken[_token(host, request)] = is_proven_lane
        if request is not None and host.address:
            self._addresses.take(host.address)

    def free_slot(self, host: HostQueue, request: Request | None, now: float) -> None:
        """Free a slot in the lane in which it was taken: the host may be in the other one by now."""
        host.end()
        self._in_flight[self._taken.pop(_token(host, request))] -= 1
        if request is not None and host.address:
            self._addresses.free(host.address)
            self.offer_address(host, now)
        self.push(host, now)

    def offer_address(self, host: HostQueue, now: float) -> None:
        """Pass a free place at a host's address on to the hosts that wait for one, up to the first that can come."""
        while host.address and (waiting := self._addresses.next_waiting(host.address)) is not None:
            self.push(waiting, now)
            if waiting.is_due(now):
                return


def _token(host: HostQueue, request: Request | None) -> object:
    """What a slot is taken for. One URL can be a page, a sitemap and where several robots.txt redirect to at once."""
    return host.key if request is None else (request.kind, request.fingerprint, request.chain)


class AddressSlots:
    """Requests in flight for each address, which many hosts can share.

    Args:
        per_address: The most that one address bears.
    """

    def __init__(self, per_address: int) -> None:
        self._per_address = per_address
        self._busy: dict[str, int] = {}
        self._waiting: dict[str, dict[HostQueue, None]] = {}

    def is_full(self, address: str) -> bool:
        """Whether an address has all the requests that it bears."""
        return self._busy.get(address, 0) >= self._per_address

    def take(self, address: str) -> None:
        """Count a request that leaves."""
        self._busy[address] = self._busy.get(address, 0) + 1

    def free(self, address: str) -> None:
        """Count a request that has ended."""
        self._busy[address] -= 1
        if not self._busy[address]:
            del self._busy[address]

    def wait(self, host: HostQueue) -> None:
        """Remember a host whose turn came while its address was full."""
        self._waiting.setdefault(host.address, {})[host] = None

    def next_waiting(self, address: str) -> HostQueue | None:
        """Remove and return the host that has waited longest, if there is one and its address has room."""
        waiting = self._waiting.get(address)
        if not waiting or self.is_full(address):
            return None
        host = next(iter(waiting))
        del waiting[host]
        if not waiting:
            del self._waiting[address]
        return host


class Delays:
    """Requests by the monotonic time at which they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Request]] = []
        # The number of each orders those that are due at the same moment.
        self._count = 0

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

    def drain(self, keys: Container[str]) -> list[Request]:
        """Remove and return the requests to some hosts, by their politeness keys."""
        requests = [request for request in self if request.host in keys]
        self._heap = [entry for entry in self._heap if entry[2].host not in keys]
        heapq.heapify(self._heap)
        return requests

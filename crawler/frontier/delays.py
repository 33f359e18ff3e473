"""Requests that wait for a time of their own: retries, and robots.txt that could not be had."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from crawler.models import Request


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

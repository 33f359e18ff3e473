"""How much of each host's queue is in memory: windows over the store, and which of them run low."""

from __future__ import annotations

from collections import deque

from crawler.frontier.decisions import Refill
from crawler.frontier.host import HostQueue

WINDOW_REQUESTS = 64  # of one host in memory, at least; the store has the rest
MAX_WINDOW_REQUESTS = 4096  # and at most: few hosts get longer windows, so that none waits for the store
MEMORY_REQUESTS = 262_144  # of all hosts together, while there are fewer than 4,096 of them
DRAIN_REQUESTS = 1000  # taken from the store at once for a host that is given up


class Windows:
    """Knows for which hosts the store has more, and asks for it before they run out.

    Args:
        memory_requests: Requests that all windows together may hold.
    """

    def __init__(self, memory_requests: int) -> None:
        self._memory_requests = memory_requests
        self._window = 0
        self._hungry: deque[HostQueue] = deque()  # hosts whose window runs low and whose store has more
        self._stocked = 0  # hosts for which the store has more
        self.refilling = 0  # refills under way
        self.divide(1)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left in the store and nothing on its way from there."""
        return not (self._stocked or self.refilling)

    def divide(self, hosts: int) -> None:
        """Share the memory among this many hosts."""
        self._window = max(WINDOW_REQUESTS, min(MAX_WINDOW_REQUESTS, self._memory_requests // max(hosts, 1)))

    def has_room(self, host: HostQueue) -> bool:
        """Whether a page that the store reports as new goes into a host's window; else it is left in the store."""
        if host.has_more or host.is_refilling or host.window >= self._window:
            self.set_more(host, True)
            self.check(host)
            return False
        return True

    def set_more(self, host: HostQueue, has_more: bool) -> None:
        """Note whether the store has requests of a host behind its cursor."""
        self._stocked += has_more - host.has_more
        host.has_more = has_more

    def check(self, host: HostQueue) -> None:
        """Ask for a refill if a host's window runs low."""
        if not host.has_more or host.is_refilling or host.is_hungry:
            return
        if len(host.pages) < self._window // 4 and host.window < self._window:
            host.is_hungry = True
            self._hungry.append(host)

    def next_refill(self) -> Refill | None:
        """The refill to ask the store for now, if there is one."""
        if not self._hungry:
            return None
        host = self._hungry.popleft()
        host.is_hungry = False
        host.is_refilling = True
        self.refilling += 1
        self.set_more(host, False)  # what is added from here on sets it again
        # The room of each host shrinks with every new one, perhaps since this one was found to need more.
        count = DRAIN_REQUESTS if host.dead else max(1, self._window - host.window)
        return Refill(host.key, host.cursor, count)

    def arrived(self, host: HostQueue) -> None:
        """A refill has come."""
        host.is_refilling = False
        self.refilling -= 1

"""What waits of each host: a window of it in memory, and in the store the rest."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from crawler.frontier.decisions import Admission, Drop, Refill
from crawler.frontier.host import HostQueue
from crawler.frontier.limits import PageLimits
from crawler.models import Outcome, Request

# At least this many requests of one host are held in memory; the store has the rest.
WINDOW_REQUESTS = 64
# At most this many are: where there are few hosts, longer windows let none of them wait for the store.
MAX_WINDOW_REQUESTS = 4096
# All hosts together hold this many requests in memory, while there are fewer than 4,096 of them.
MEMORY_REQUESTS = 262_144
# For a host that is given up, this many requests are taken from the store at once.
DRAIN_REQUESTS = 1000


class Windows:
    """Fills and empties the queues of all hosts, and asks for more of the store before they run out.

    Args:
        memory_requests: Requests that all windows together may hold.
        limits: Says how deep links are followed.

    Attributes:
        drops: What will not be fetched, to be told.
        queued: Requests in memory.
        stored: Pages that only the store has.
    """

    def __init__(self, memory_requests: int, limits: PageLimits) -> None:
        self._memory_requests = memory_requests
        self._limits = limits
        self._window = 0
        self._with_more: set[HostQueue] = set()
        self._refilling: set[HostQueue] = set()
        # The hosts whose refill is to be asked for are in the order in which they ran low.
        self._needs_refill: OrderedDict[HostQueue, None] = OrderedDict()
        self.drops: deque[Drop] = deque()
        self.queued = 0
        self.stored = 0
        self.divide(1)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits in memory or in the store, nothing is on its way from there, and all drops are told."""
        return not (self.queued or self.drops or self._with_more or self._refilling)

    @property
    def is_refilling(self) -> bool:
        """Whether anything is on its way from the store."""
        return bool(self._refilling)

    def has_more(self, host: HostQueue) -> bool:
        """Whether the store has requests of a host, or is giving some out."""
        return host in self._with_more or host in self._refilling

    def divide(self, hosts: int) -> None:
        """Share the memory among this many hosts."""
        self._window = max(WINDOW_REQUESTS, min(MAX_WINDOW_REQUESTS, self._memory_requests // max(hosts, 1)))

    # What comes in

    def add(self, host: HostQueue, request: Request, now: float) -> Admission:
        """Take a request that is new; of a page that has no room the store keeps the only copy."""
        if request.kind != "page":
            return self._put(host, request)
        # What is not judged here is judged when a refill brings it, so that it is judged once.
        if host in self._with_more or host in self._refilling or host.window >= self._window:
            self._with_more.add(host)
            self._check(host)
        elif not request.seq or request.seq > host.cursor:
            return self._admit(host, request, now)
        # If the last refill has brought it already, that was taken from what is left in the store.
        self._leave(host, 1)
        return "in_store"

    def add_again(self, host: HostQueue, request: Request, now: float) -> None:
        """Take a request that was taken before, whatever its place in the store is; it waits before the others."""
        if host.dead:
            self._refuse(host, request)
        else:
            host.add_again(request, now)
            self.queued += 1

    def ask_robots(self, host: HostQueue, origin: str) -> None:
        """Ask for a robots.txt that nothing is known of, although no page waits for it."""
        if not host.dead:
            self.queued += host.ask_robots(origin)

    def pass_waiting_for_robots(self, host: HostQueue, now: float) -> None:
        """Set aside what waits for a robots.txt, up to the first request that does not."""
        self.queued += host.pass_waiting_for_robots(now)

    def restore(self, host: HostQueue, count: int) -> None:
        """Take notice that the store has so many pages of a host from an earlier session."""
        self._with_more.add(host)
        self._leave(host, count)
        self._check(host)

    def refilled(self, host: HostQueue, pages: Sequence[Request], asked: int, now: float) -> None:
        """Take what the store had for a Refill of `asked` pages; fewer mean that there are no more."""
        self._refilling.discard(host)
        self._leave(host, -len(pages))
        if host.dead and pages:
            host.pass_by(pages[-1].seq)
            self._refuse(host, *pages)
        else:
            for page in pages:
                self._admit(host, page, now)
        if len(pages) == asked:
            self._with_more.add(host)
        self._check(host)

    def _admit(self, host: HostQueue, page: Request, now: float) -> Admission:
        host.pass_by(page.seq)
        if host.dead:
            return self._refuse(host, page)
        if page.depth > self._limits.max_depth(page.url):
            self.drops.append(Drop((page,), "skipped", "depth"))
            return "depth"
        host.add_page(page, now)
        self.queued += 1
        return "accepted"

    def _put(self, host: HostQueue, request: Request) -> Admission:
        if host.dead:
            return self._refuse(host, request)
        host.add(request)
        self.queued += 1
        return "accepted"

    def _refuse(self, host: HostQueue, *requests: Request) -> Admission:
        assert host.dead is not None
        self.drops.append(Drop(requests, *host.dead))
        return "dead"

    def _leave(self, host: HostQueue, count: int) -> None:
        """Count pages that the store keeps for later, or gives out where `count` is negative."""
        host.leave(count)
        self.stored += count

    # What goes out

    def take(self, host: HostQueue) -> Request:
        """Remove and return the request of a host whose turn it is."""
        request = host.take()
        self.queued -= 1
        self._check(host)
        return request

    def skip(self, host: HostQueue, now: float) -> Request:
        """Remove and return the request of a host whose turn it is, because it will not be asked for."""
        request = host.skip(now)
        self.queued -= 1
        self._check(host)
        return request

    def give_up(self, host: HostQueue, outcome: Outcome, reason: str) -> None:
        """Drop what waits of a host, what the store has of it, and what will still be found there."""
        requests = host.give_up(outcome, reason)
        self.queued -= len(requests)
        if requests:
            self.drops.append(Drop(requests, outcome, reason))
        self._check(host)

    def next_refill(self) -> Refill | None:
        """The refill to ask the store for now, if there is one."""
        if not self._needs_refill:
            return None
        host, _ = self._needs_refill.popitem(last=False)
        self._refilling.add(host)
        # What is added from here on says again that the store has more.
        self._with_more.discard(host)
        # The room of each host shrinks with every new one, perhaps since this one was found to need more.
        count = DRAIN_REQUESTS if host.dead else max(1, self._window - host.window)
        return Refill(host.key, host.cursor, count)

    def _check(self, host: HostQueue) -> None:
        """Ask for a refill if a host's window runs low."""
        if host in self._with_more and host not in self._refilling and host.is_low(self._window):
            self._needs_refill[host] = None

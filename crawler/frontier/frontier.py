"""Which URL is fetched next: hosts sorted by when they may next be visited, each with a window of its URLs.

Pure: no clock and no I/O. `now` (monotonic seconds) is an argument, answers are decisions, and the caller acts on them.
A request is open from `next` until `done`, which is only called when the page's links are in; `finished` counts it.

A host with work always is where something wakes it: in its lane until it is due, behind its own requests in flight, or
waiting for its address, for its site's page limit or for a robots.txt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from crawler import urls
from crawler.frontier.decisions import NO_WAITS, Admission, Decision, Drop, Hold, Refill, Resolve, Wait
from crawler.frontier.host import HostQueue, robots_request
from crawler.frontier.hosts import Hosts, HostViews
from crawler.frontier.lanes import Delays, Lanes
from crawler.frontier.limits import PageLimits
from crawler.frontier.patience import Patience, Silence
from crawler.frontier.robots import Robots
from crawler.frontier.traps import TrapGuard
from crawler.frontier.windows import MEMORY_REQUESTS, Windows
from crawler.models import Outcome, Pending, Request
from crawler.scope.scope import Scope
from crawler.settings.groups import CrawlSettings, PolitenessSettings

__all__ = ["Admission", "Decision", "Drop", "Frontier", "Refill", "Resolve", "Wait"]


class Frontier:
    """A bounded window over the store, one queue for each host.

    Args:
        scope: Owns URLs by site, with the sites' own limits.
        crawl: Limits of the crawl.
        politeness: Gaps and slots of a host.
        concurrency: Requests in flight to hosts that have answered before.
        probation: Requests in flight, beside those, to hosts that never have; 0 makes both share the slots.
        memory_requests: Requests that all windows together may hold.
        leaves_pending: Whether URLs can wait for a later session, if hosts ask to be left alone for too long.

    Attributes:
        limits: How many pages there may be, and how many there are.
        traps: Which URLs are not worth fetching any more.
        hosts: What there is to know of each host.
        open: Requests between `next` and `done`.
        waits: What the request that was handed out last has waited for.
        silence: The hosts that nothing is heard of, while nothing else is left to do; else None.
    """

    def __init__(
        self,
        scope: Scope,
        crawl: CrawlSettings,
        politeness: PolitenessSettings,
        concurrency: int,
        probation: int,
        memory_requests: int = MEMORY_REQUESTS,
        *,
        leaves_pending: bool = True,
    ) -> None:
        self.scope = scope
        self._crawl = crawl
        self._lanes = Lanes(politeness.per_host, politeness.per_ip, concurrency, probation)
        self._delays = Delays()
        self.limits = PageLimits(crawl, scope)
        self._windows = Windows(memory_requests, self.limits)
        self._hosts = Hosts(scope, politeness, self._windows, self._delays)
        self._patience = Patience(self._hosts, self._windows, self._delays, crawl.patience_s, leaves_pending)
        self.silence: Silence | None = None
        self.traps = TrapGuard(crawl.trap_pages if crawl.trap_guard else 0)
        self.hosts = HostViews(self._hosts, self.limits)
        self.open = 0
        self.waits = NO_WAITS

    def __repr__(self) -> str:
        return (
            f"<Frontier {self.hosts.met} hosts, {self.queued} queued, {self.open} open, "
            f"{self.in_flight} in flight, {self.limits.done} pages done>"
        )

    # Questions

    @property
    def finished(self) -> bool:
        """Whether nothing is pending and nothing open."""
        return not (self.open or self.in_flight or self._delays) and self._windows.is_empty

    @property
    def in_flight(self) -> int:
        """Requests that are being fetched now, and hosts that are being resolved."""
        return self._lanes.in_flight

    @property
    def queued(self) -> int:
        """Requests in memory that have still to be sent."""
        return self._windows.queued + len(self._delays)

    @property
    def waiting(self) -> int:
        """Requests that are known and have still to be sent, those that only the store has among them."""
        return self.queued + self._windows.stored

    @property
    def slots(self) -> int:
        """Requests that may be in flight to hosts that have answered before."""
        return self._lanes.slots

    @property
    def has_room(self) -> bool:
        """Whether a host that answers would find a slot."""
        return self._lanes.has_room

    @property
    def is_put_off(self) -> bool:
        """Whether nothing is left to do but at hosts that asked to be left alone for longer than the user waits."""
        return self.silence is not None and self.silence.until is None and self.silence.put_off > 0

    @property
    def cooling(self) -> int:
        """About how many hosts have something to be asked for, and their turn to come."""
        return self._lanes.waiting

    def hold(self, now: float) -> Hold:
        """What keeps the next request from being handed out, when `next` has none."""
        if not self.queued or self.limits.is_closed:
            return "nothing"
        return "slots" if not self.has_room or self._lanes.is_kept_waiting(now) else "turn"

    # What comes in

    def restore(self, waiting: Iterable[Pending], now: float, wall: float) -> None:
        """Take the hosts of a run that goes on: none is visited before one gap has passed.

        Args:
            waiting: The hosts that have pending URLs in the store.
            now: Monotonic seconds.
            wall: The same moment on the wall clock, Unix seconds.
        """
        for each in waiting:
            host = self._hosts.of(Request(each.url, each.key, 0), now)
            host.pace.asked(now)
            if each.gap_s:
                self.restore_gap(each.key, each.gap_s)
            if each.next_at is not None and each.next_at > wall:
                host.pace.restore_park(now, each.next_at - wall)
            self._windows.restore(host, each.count)

    def restore_gap(self, key: str, gap_s: float) -> None:
        """Let a host of an earlier session begin with the delay that its robots.txt asked for then.

        It holds until the host's robots.txt has been read again, and that one waits for it as well; a crawl that reads
        none has no use for it. It may be told before `restore` or after, also of a host that has nothing to do yet.

        Args:
            key: Politeness key.
            gap_s: Seconds between the end of a response and the next request.
        """
        if self._crawl.robots:
            self._hosts.restore_gap(key, gap_s)

    def ask_robots(self, origin: str, key: str, now: float) -> None:
        """Ask for the robots.txt of an origin although no page waits for it, for the sitemaps that it names."""
        host = self._hosts.of(robots_request(origin, key), now)
        self._windows.ask_robots(host, origin)
        self._lanes.push(host, now)

    def readmit(self, request: Request, now: float) -> None:
        """Take a page that was removed from the store's queue, to be fetched whatever its place in that was."""
        host = self._hosts.of(request, now)
        self._windows.add_again(host, request, now)
        self._lanes.push(host, now)

    def add(self, request: Request, now: float) -> Admission:
        """Take a request that the store reported as new, in the store's order, or a robots or sitemap request.

        Returns:
            accepted, or in_store when the host's window is full, or why it was refused; a refused request has been
            turned into a Drop.
        """
        host = self._hosts.of(request, now)
        admission = self._windows.add(host, request, now)
        if admission != "in_store":
            self._lanes.push(host, now)
        return admission

    def refilled(self, key: str, requests: list[Request], asked: int, now: float) -> None:
        """Take what the store had for a Refill of `asked` requests; fewer mean that there are no more."""
        host = self._hosts[key]
        self._windows.refilled(host, requests, asked, now)
        self._lanes.push(host, now)

    def retry(self, request: Request, at: float) -> None:
        """Take a request again whose last try failed, to be fetched at `at` or later; it is open no more."""
        self._close(request, is_counted=False, now=-math.inf)
        self._delays.add(request, at)

    def resolved(self, key: str, addresses: tuple[str, ...], limits_address: bool, now: float) -> None:
        """Take the answer to a Resolve; with `limits_address` the per-address limit counts for the first address."""
        host = self._hosts[key]
        host.resolved(addresses[0] if limits_address else "")
        self._lanes.free_slot(host, None, now)

    def unresolved(self, key: str, now: float, reason: str, pause_s: float = 0.0) -> None:
        """Take notice that a Resolve failed for now, for a reason: the host counts as one that does not answer.

        With `pause_s` it was no fault of the host, which is asked for again after so many seconds.
        """
        host = self._hosts[key]
        if pause_s:
            host.pace.park(now, pause_s, "no_resources")
        else:
            host.failed(now, reason, is_network=True)
        self._lanes.free_slot(host, None, now)

    def fail_host(self, key: str, reason: str, now: float) -> None:
        """Answer a Resolve with the end of the host: what it has, and all that will still be found, fails."""
        self._kill(self._hosts[key], "failed", reason, now)
        self._lanes.free_slot(self._hosts[key], None, now)

    def set_robots(self, origin: str, key: str, robots: Robots, now: float) -> None:
        """Take an origin's robots.txt; while it is unreachable its URLs wait and it is asked for again and again."""
        host = self._hosts.get(key)
        if host is None or host.dead or host.robots.has_given_up(origin):
            return
        if (wait_s := host.take_robots(origin, robots, now)) is not None:
            self._delays.add(robots_request(origin, key), now + wait_s)
        elif host.pace.is_skipped_for_crawl_delay:
            self._kill(host, "skipped", "crawl_delay", now)
        else:
            self._lanes.push(host, now)

    def fail_origin(self, origin: str, key: str, reason: str, now: float) -> bool:
        """Wait no more for a robots.txt that no second try would bring: the origin's pages fail with this reason.

        Returns:
            Whether it is so; not if there is an old copy, which still holds.
        """
        host = self._hosts.get(key)
        if host is None or host.dead or not host.fail_robots(origin, reason):
            return False
        self._lanes.push(host, now)
        return True

    def answered(
        self, request: Request, now: float, elapsed_s: float, status: int, retry_after_s: float | None
    ) -> None:
        """Take notice that a response ended: its slot is free, and the host's gap runs from now."""
        host = self._hosts[request.host]
        host.answered(now, elapsed_s, status, retry_after_s)
        if status < 500 and status != 429:
            self._patience.end()
        self._lanes.free_slot(host, request, now)

    def failed(self, request: Request, now: float, reason: str, *, is_network: bool) -> None:
        """Take notice that a fetch ended without an answer; `is_network` as opposed to an answer that we refuse."""
        host = self._hosts[request.host]
        host.failed(now, reason, is_network=is_network)
        self._lanes.free_slot(host, request, now)

    def shed(self, request: Request) -> int:
        """Have fewer requests in flight, because there was no room for this one; returns how many may be."""
        if request.kind == "page":
            self.limits.not_sent(request)
        return self._lanes.shed()

    def grow(self) -> None:
        """Have one more in flight again, up to what was allowed at first."""
        self._lanes.grow()

    def done(self, request: Request, outcome: Outcome, now: float) -> None:
        """Take notice of a final outcome; only after the page's links are in."""
        self._close(request, is_counted=outcome in ("ok", "http_error"), now=now)

    # What goes out

    def next(self, now: float) -> Decision | None:
        """What to do now; None when only what is open can lead on, or all slots are taken."""
        self._wake_retries(now)
        if self._windows.drops:
            return self._windows.drops.popleft()
        if refill := self._windows.next_refill():
            return refill
        if not self.limits.is_closed:
            while (host := self._lanes.pop(now)) is not None:
                decision = self._visit(host, now)
                if host.address:
                    self._lanes.offer_address(host, now)
                if decision is not None:
                    return decision
        return self._wait(now)

    def _visit(self, host: HostQueue, now: float) -> Decision | None:
        """A host's turn has come: what to do there; None if it waits elsewhere now, or has nothing to do."""
        request = host.peek()
        # Its gap may have grown since its turn was scheduled.
        if request is None or host.pace.next_at > now:
            self._lanes.push(host, now)
            return None
        if not host.is_resolved:
            self._lanes.take_slot(host, None)
            return Resolve(host.key, request.url)
        if host.address and self._lanes.waits_for_address(host):
            return None
        if self._crawl.robots:
            self._windows.pass_waiting_for_robots(host, now)
            request = host.peek()
            if request is None:
                return None
            if refusal := host.robots.refusal(request):
                return self._skip(host, *refusal, now)
        if request.kind == "page":
            if not request.is_seed and self.traps.is_closed(request.url, request.host):
                return self._skip(host, "skipped", "trap", now)
            room = self.limits.room_for(request)
            if room == "in_use":
                self.limits.wait(request, host)
                return None
            if room != "free":
                return self._skip(host, "skipped", room, now)
        return self._dispatch(host, now)

    def _skip(self, host: HostQueue, outcome: Outcome, reason: str, now: float) -> Drop:
        request = self._windows.skip(host, now)
        self._lanes.push(host, now)
        return Drop((request,), outcome, reason)

    def _dispatch(self, host: HostQueue, now: float) -> Request:
        request = self._windows.take(host)
        self.open += 1
        self._lanes.take_slot(host, request)
        if request.kind == "page":
            self.waits = host.waits(now)
            self.limits.opened(request)
        else:
            self.waits = NO_WAITS
        host.pace.asked(now)
        self._lanes.push(host, now)
        return request

    # When nothing goes out

    def _wait(self, now: float) -> Decision | None:
        """Nothing can be handed out now: until when, if anything but an open request can change that."""
        self.silence = None
        times = [] if self._delays.next_at is None else [self._delays.next_at]
        if not self.limits.is_closed and (due := self._lanes.next_due()) is not None:
            times.append(due)
        if not times:
            return None
        if self.open or self.in_flight or self._windows.is_refilling or self._lanes.has_patient(now):
            return Wait(max(min(times), now))
        if (retry_at := self._patience.retry_at(now)) is not None:
            return Wait(max(min(*times, retry_at), now))
        self.silence = silence = self._patience.judge(now)
        if silence.overdue:
            self._give_up(silence.overdue, now)
            return self.next(now)
        return None if silence.until is None else Wait(max(min(*times, silence.until), now))

    def _give_up(self, silent: Iterable[HostQueue], now: float) -> None:
        """Nothing is left but hosts, or origins of hosts, that do not answer: the URLs of these fail."""
        reasons = {host.key: "retry_after" if host.pace.is_put_off(now) else host.reason for host in silent}
        for host in silent:
            if host.give_up_waiting_for_robots(now):
                self._lanes.push(host, now)
            elif host.has_requests or self._windows.has_more(host):
                self._kill(host, "failed", reasons[host.key], now)
        for request in self._delays.drain(reasons):
            self._give_up_robots(request)
            reason = request.last_error or reasons[request.host]
            self._windows.drops.append(Drop((request,), "http_error" if reason.isdigit() else "failed", reason))

    def _give_up_robots(self, request: Request) -> None:
        """Ask for a robots.txt no more, for which no page may be waiting."""
        first = request.chain[0] if request.chain else request.url
        host = self._hosts.get(urls.host_key(first))
        if request.kind == "robots" and host is not None:
            host.robots.give_up(urls.origin(first))

    def _kill(self, host: HostQueue, outcome: Outcome, reason: str, now: float) -> None:
        """Give up a host for good: what waits is dropped, and so is what the store has and what will still be found."""
        self._windows.give_up(host, outcome, reason)
        self._lanes.offer_address(host, now)

    # Bookkeeping

    def _close(self, request: Request, *, is_counted: bool, now: float) -> None:
        self.open -= 1
        if request.kind == "page":
            for host in self.limits.closed(request, is_counted=is_counted):
                self._lanes.push(host, now)

    def _wake_retries(self, now: float) -> None:
        for request in self._delays.take_due(now):
            host = self._hosts.of(request, now)
            self._windows.add_again(host, request, now)
            self._lanes.push(host, now)

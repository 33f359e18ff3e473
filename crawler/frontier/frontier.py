"""Which URL is fetched next: hosts sorted by when they may next be visited, each with a window of its URLs.

Pure: no clock and no I/O. `now` (monotonic seconds) is an argument, answers are decisions, and the caller acts on them.
A request is open from `next` until `done`, which is only called when the page's links are in; `finished` counts it.

A host with work always is where something wakes it: in its lane until it is due, behind its own requests in flight, or
waiting for its address, for its site's page limit or for a robots.txt.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from crawler import urls
from crawler.frontier.decisions import NO_WAITS, Admission, Decision, Drop, Hold, Refill, Resolve, Wait
from crawler.frontier.host import HostQueue, robots_request
from crawler.frontier.hosts import Hosts
from crawler.frontier.lanes import Delays, Lanes
from crawler.frontier.limits import AddressSlots, DomainBudget, PageLimits
from crawler.frontier.origins import OriginRules
from crawler.frontier.politeness import PARK_S, GapCause
from crawler.frontier.robots import Robots
from crawler.frontier.traps import TrapGuard
from crawler.frontier.windows import MEMORY_REQUESTS, Windows
from crawler.models import Outcome, Pending, Request
from crawler.scope.scope import Scope
from crawler.settings.groups import CrawlSettings, PolitenessSettings

__all__ = ["Admission", "Decision", "Drop", "Frontier", "Refill", "Resolve", "Wait"]


PROMPT_S = 10.0  # a host whose last answer took longer takes the slots of those that may never answer


class Frontier:
    """A bounded window over the store, one queue for each host.

    Args:
        scope: Owns URLs by site, with the sites' own limits.
        crawl: Limits of the crawl.
        politeness: Gaps and slots of a host.
        concurrency: Requests in flight to hosts that have answered before.
        probation: Requests in flight, beside those, to hosts that never have; 0 makes both share the slots.
        memory_requests: Requests that all windows together may hold.
    """

    def __init__(
        self,
        scope: Scope,
        crawl: CrawlSettings,
        politeness: PolitenessSettings,
        concurrency: int,
        probation: int,
        memory_requests: int = MEMORY_REQUESTS,
    ) -> None:
        self.scope = scope
        self._crawl = crawl
        self._longest_park_s = max(PARK_S[-1], politeness.max_retry_after_s)
        self._lanes = Lanes(politeness.per_host, concurrency, probation)
        self._delays = Delays()
        self._drops: deque[Drop] = deque()
        self._stock = Windows(memory_requests)
        self._hosts = Hosts(scope, politeness, self._stock, self._delays)
        self.traps = TrapGuard(crawl.trap_pages if crawl.trap_guard else 0)
        self._budget = DomainBudget(crawl.max_pages_per_domain if crawl.scope == "any" else 0)
        self._limits = PageLimits(crawl, scope.sites)
        self._addresses = AddressSlots(politeness.per_ip)
        self._patience_until: float | None = None
        self.open = 0
        self.queued = 0
        self.stored = 0
        self.waits = NO_WAITS  # of the request that was handed out last

    def __repr__(self) -> str:
        return (
            f"<Frontier {self.host_count} hosts, {self.queued} queued, {self.open} open, "
            f"{self.in_flight} in flight, {self.pages_done} pages done>"
        )

    # Questions

    @property
    def finished(self) -> bool:
        """Whether nothing is pending and nothing open."""
        return not (self.open or self.queued or self._drops or self.in_flight) and self._stock.is_empty

    @property
    def is_limit_reached(self) -> bool:
        """Whether the page limit of the crawl is used up."""
        return self._limits.is_reached

    @property
    def in_flight(self) -> int:
        """Requests that are being fetched now, and hosts that are being resolved."""
        return self._lanes.in_flight

    @property
    def waiting(self) -> int:
        """Requests that are known and have still to be sent, those that only the store has among them."""
        return self.queued + self.stored

    def pages_left(self, host: HostQueue) -> int:
        """Pages of a host that wait, as far as the limits of crawl, site and domain let them be asked for."""
        site = None
        if self._limits.counts_sites:
            site = self.scope.site_of(host.pages[0].url if host.pages else f"http://{host.key}/")
        return self._limits.left(self._budget.left(host.known, host.key), site)

    @property
    def slots(self) -> int:
        """Requests that may be in flight to hosts that have answered before."""
        return self._lanes.slots

    @property
    def has_room(self) -> bool:
        """Whether a host that answers would find a slot."""
        return self._lanes.has_room

    @property
    def pages_open(self) -> int:
        """Pages that were handed out and have no outcome yet."""
        return self._limits.open

    @property
    def pages_done(self) -> int:
        """Pages that count against the page limits: ok and http_error."""
        return self._limits.done

    @property
    def counts_pages_by_place(self) -> bool:
        """Whether pages are counted by site or domain."""
        return self._limits.counts_sites or self._budget.is_limited

    def max_depth(self, url: str) -> int:
        """How deep links are followed on the site that owns a URL."""
        return self._limits.max_depth(self.scope.site_of(url))

    @property
    def host_count(self) -> int:
        """How many hosts were met; one that was forgotten meanwhile counts again."""
        return self._hosts.met

    def hosts(self) -> Iterable[HostQueue]:
        """All hosts, for progress and reports."""
        return self._hosts

    def gap_s(self, key: str) -> float | None:
        """Seconds between two requests to a host as things are; None for one that is not known."""
        host = self._hosts.get(key)
        return None if host is None else host.pace.gap_s

    def crawl_delay_s(self, key: str) -> float | None:
        """Seconds between two requests that the robots.txt of a host asks for; None if it asks for none."""
        host = self._hosts.get(key)
        return None if host is None else host.pace.crawl_delay_s

    def gap_cause(self, key: str) -> GapCause | None:
        """What makes the gap of a host as long as it is; None for one that is not known."""
        host = self._hosts.get(key)
        return None if host is None else host.pace.gap_cause

    def hold(self, now: float) -> Hold:
        """What keeps the next request from being handed out, when `next` has none."""
        if not self.queued or self._limits.is_closed:
            return "nothing"
        return "slots" if not self.has_room or self._lanes.is_kept_waiting(now) else "turn"

    def next_visit(self, key: str) -> float:
        """When a host may be visited again, monotonic seconds; minus infinity for one that is not known."""
        host = self._hosts.get(key)
        return -math.inf if host is None else host.next_at

    def parked_until(self, key: str) -> float:
        """Until when a host is left alone for longer than its gap, monotonic seconds; minus infinity if it is not."""
        host = self._hosts.get(key)
        return -math.inf if host is None else host.pace.parked_until

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
            host.pace.obey_crawl_delay(each.gap_s)
            if each.next_at is not None and each.next_at > wall:
                # The clock may have been set back since: no longer than hosts are ever left alone.
                host.pace.park(now, min(each.next_at - wall, self._longest_park_s))
            self._stock.set_more(host, True)
            self._leave(host, each.count)
            self._stock.check(host)

    def count_earlier(self, pages: Iterable[str]) -> None:
        """Count pages of earlier sessions, by their URLs, against the limits of the crawl, their sites and domains."""
        for url in pages:
            self._limits.count_earlier(self.scope.site_of(url))
            self._budget.count(urls.host_key(url))

    def pages_done_earlier(self, count: int) -> None:
        """Count pages of earlier sessions against the limit of the crawl, where sites have none."""
        self._limits.done += count

    def ask_robots(self, origin: str, key: str, now: float) -> None:
        """Ask for the robots.txt of an origin although no page waits for it, for the sitemaps that it names."""
        host = self._hosts.of(robots_request(origin, key), now)
        if origin not in host.robots and not host.dead and host.ask_robots(origin):
            self.queued += 1
            self._lanes.push(host, now)

    def readmit(self, request: Request, now: float) -> None:
        """Take a request that was removed from the store's queue, to be fetched whatever its place in that was."""
        host = self._hosts.of(request, now)
        if host.dead:
            self._drops.append(Drop((request,), *host.dead))
            return
        host.put(request)
        host.arrivals.came(now)
        self.queued += 1
        self._lanes.push(host, now)

    def add(self, request: Request, now: float) -> Admission:
        """Take a request that the store reported as new, in the store's order, or a robots or sitemap request.

        Returns:
            accepted, or in_store when the host's window is full, or why it was refused; a refused request has been
            turned into a Drop.
        """
        host = self._hosts.of(request, now)
        if request.kind == "page":
            # What is not judged here is judged when a refill brings it, so that it is judged once.
            if not self._stock.has_room(host) or (request.seq and request.seq <= host.cursor):
                self._leave(host, 1)  # or the last refill brought it already, and took it from what was left
                return "in_store"
            verdict = self._admit(host, request, now)
        elif host.dead:
            self._drops.append(Drop((request,), *host.dead))
            verdict = "dead"
        else:
            host.put(request)
            self.queued += 1
            verdict = "accepted"
        self._lanes.push(host, now)
        return verdict

    def refilled(self, key: str, requests: list[Request], asked: int, now: float) -> None:
        """Take what the store had for a Refill of `asked` requests; fewer mean that there are no more."""
        host = self._hosts[key]
        self._stock.arrived(host)
        self._leave(host, -len(requests))
        if host.dead and requests:
            host.cursor = requests[-1].seq
            self._drops.append(Drop(tuple(requests), *host.dead))
        else:
            for request in requests:
                self._admit(host, request, now)
        if len(requests) == asked:
            self._stock.set_more(host, True)
        self._stock.check(host)
        self._lanes.push(host, now)

    def retry(self, request: Request, at: float) -> None:
        """Take a request again whose last try failed, to be fetched at `at` or later; it is open no more."""
        self._close(request, is_counted=False, now=-math.inf)
        self._delay(request, at)

    def resolved(self, key: str, addresses: tuple[str, ...], limits_address: bool, now: float) -> None:
        """Take the answer to a Resolve; with `limits_address` the per-address limit counts for the first address."""
        host = self._hosts[key]
        host.is_resolved = True
        self._land(host, None, now)
        host.address = addresses[0] if limits_address else ""

    def unresolved(self, key: str, now: float, pause_s: float = 0.0) -> None:
        """Take notice that a Resolve failed for now: the host counts as one that does not answer.

        With `pause_s` it was no fault of the host, which is asked for again after so many seconds.
        """
        host = self._hosts[key]
        if pause_s:
            host.pace.park(now, pause_s, "no_resources")
        else:
            host.pace.failed(now, is_network=True)
        self._land(host, None, now)

    def fail_host(self, key: str, reason: str, now: float) -> None:
        """Answer a Resolve with the end of the host: what it has, and all that will still be found, fails."""
        host = self._hosts[key]
        self._kill(host, "failed", reason, now)
        self._land(host, None, now)

    def set_robots(self, origin: str, key: str, robots: Robots, now: float) -> None:
        """Take an origin's robots.txt; while it is unreachable its URLs wait and it is asked for again and again."""
        host = self._hosts.get(key)
        if host is None or host.dead or host.has_given_up(origin):
            return
        known = host.robots.setdefault(origin, OriginRules())
        if (wait_s := known.take(robots, now)) is not None:
            self._delay(robots_request(origin, key), now + wait_s)
            return
        host.pace.obey_crawl_delay(robots.crawl_delay)
        if host.pace.is_skipped_for_crawl_delay:
            self._kill(host, "skipped", "crawl_delay", now)
            return
        host.release(origin)
        self._lanes.push(host, now)

    def fail_origin(self, origin: str, key: str, reason: str, now: float) -> bool:
        """Wait no more for a robots.txt that no second try would bring: the origin's pages fail with this reason.

        Returns:
            Whether it is so; not if there is an old copy, which still holds.
        """
        host = self._hosts.get(key)
        if host is None or host.dead or host.robots.setdefault(origin, OriginRules()).rules is not None:
            return False
        host.robots[origin].give_up(reason)
        host.robots[origin].is_asked = False  # or it could never be forgotten
        host.release(origin)
        self._lanes.push(host, now)
        return True

    def answered(
        self, request: Request, now: float, elapsed_s: float, status: int, retry_after_s: float | None
    ) -> None:
        """Take notice that a response ended: its slot is free, and the host's gap runs from now."""
        host = self._hosts[request.host]
        host.is_proven = elapsed_s <= PROMPT_S
        host.pace.answered(now, elapsed_s, status, retry_after_s)
        if status < 500 and status != 429:
            self._patience_until = None
        self._land(host, request, now)

    def failed(self, request: Request, now: float, is_network: bool) -> None:
        """Take notice that a fetch ended without an answer; `is_network` as opposed to an answer that we refuse."""
        host = self._hosts[request.host]
        host.is_proven = host.is_proven and not is_network
        host.pace.failed(now, is_network)
        self._land(host, request, now)

    def shed(self, request: Request) -> int:
        """Have fewer requests in flight, because there was no room for this one; returns how many may be."""
        if request.kind == "page" and not request.attempts:
            self._budget.uncount(request.host)
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
        if self._drops:
            return self._drops.popleft()
        if refill := self._stock.next_refill():
            return refill
        if not self._limits.is_closed:
            while (host := self._lanes.pop(now)) is not None:
                decision = self._visit(host, now)
                self._offer_address(host, now)
                if decision is not None:
                    return decision
        return self._wait(now)

    def _visit(self, host: HostQueue, now: float) -> Decision | None:
        """A host's turn has come: what to do there; None if it waits elsewhere now, or has nothing to do."""
        request = host.peek()
        if request is None or host.next_at > now:  # its gap may have grown since it was scheduled
            self._lanes.push(host, now)
            return None
        if not host.is_resolved:
            self._lanes.fly(host, None)
            return Resolve(host.key, request.url)
        if host.address and self._addresses.is_full(host.address):
            self._addresses.wait(host)
            return None
        if self._crawl.robots:
            self.queued += host.pass_waiting_for_robots(now)
            request = host.peek()
            if request is None:
                return None
            if refusal := host.refusal(request):
                return self._drop(host, *refusal, now)
        if request.kind == "page" and not request.is_seed:
            if self.traps.is_closed(request.url, request.host):
                return self._drop(host, "skipped", "trap", now)
            if not request.attempts and self._budget.is_used_up(request.host):
                return self._drop(host, "skipped", "domain_budget", now)
        if request.kind == "page" and self._limits.counts_sites:
            site = self.scope.site_of(request.url)
            match self._limits.of_site(site):
                case "used_up":
                    return self._drop(host, "skipped", "budget", now)
                case "in_use":
                    self._limits.wait(site, host)
                    return None
        return self._dispatch(host, now)

    def _drop(self, host: HostQueue, outcome: Outcome, reason: str, now: float) -> Drop:
        request = self._take(host)
        if request.kind == "page":
            host.arrivals.left(now)
        self._lanes.push(host, now)
        return Drop((request,), outcome, reason)

    def _dispatch(self, host: HostQueue, now: float) -> Request:
        request = self._take(host)
        self._lanes.fly(host, request)
        self.open += 1
        self.waits = NO_WAITS
        if request.kind == "page":
            self.waits = host.arrivals.waits(now, host.due, host.pace.last_at)
            if not request.attempts:
                self._budget.count(request.host)
            self._limits.opened(request, self.scope.site_of(request.url) if self._limits.counts_sites else None)
        if host.address:
            self._addresses.take(host.address)
        host.pace.asked(now)
        self._lanes.push(host, now)
        return request

    # When nothing goes out

    def _wait(self, now: float) -> Decision | None:
        """Nothing can be handed out now: until when, if anything but an open request can change that."""
        times = [] if self._delays.next_at is None else [self._delays.next_at]
        if not self._limits.is_closed and (due := self._lanes.next_due()) is not None:
            times.append(due)
        if not times:
            return None
        if self.open or self.in_flight or self._stock.refilling or self._lanes.has_patient(now):
            return Wait(max(min(times), now))
        if self._patience_until is None:
            self._patience_until = now + self._crawl.patience_s
        if now < self._patience_until:
            return Wait(max(min(*times, self._patience_until), now))
        self._give_up(now)
        return self.next(now)

    def _give_up(self, now: float) -> None:
        """Nothing is left but hosts, or origins of hosts, that do not answer: their URLs fail."""
        for host in self._hosts:
            if host.aside and host.has_rules and not host.pace.is_parked(now):
                host.give_up_waiting_for_robots()
                self._lanes.push(host, now)
            elif not host.dead and (host.aside or host.has_more or host.peek() is not None):
                self._kill(host, "failed", "unreachable", now)
        if delayed := self._delays.drain():
            for request in delayed:
                self._give_up_robots(request)
            self._drops.append(Drop(delayed, "failed", "unreachable"))
            self.queued -= len(delayed)

    def _give_up_robots(self, request: Request) -> None:
        """Ask for a robots.txt no more, for which no page may be waiting."""
        first = request.chain[0] if request.chain else request.url
        host = self._hosts.get(urls.host_key(first))
        if request.kind == "robots" and host is not None and (known := host.robots.get(urls.origin(first))) is not None:
            known.give_up()

    def _kill(self, host: HostQueue, outcome: Outcome, reason: str, now: float) -> None:
        """Give up a host for good: what waits is dropped, and so is what the store has and what will still be found."""
        host.dead = (outcome, reason)
        host.entry = 0
        requests = tuple(host.drain())
        self.queued -= len(requests)
        if requests:
            self._drops.append(Drop(requests, outcome, reason))
        self._stock.check(host)
        self._offer_address(host, now)

    # Bookkeeping

    def _leave(self, host: HostQueue, count: int) -> None:
        """Count pages that the store keeps for later, or gives out where `count` is negative."""
        host.stored += count
        self.stored += count

    def _admit(self, host: HostQueue, request: Request, now: float) -> Admission:
        """Take a page into the window of its host, or drop it."""
        host.cursor = max(host.cursor, request.seq)
        if host.dead:
            self._drops.append(Drop((request,), *host.dead))
            return "dead"
        if self._limits.is_too_deep(request, self.scope):
            self._drops.append(Drop((request,), "skipped", "depth"))
            return "depth"
        host.put(request)
        host.arrivals.came(now)
        self.queued += 1
        return "accepted"

    def _take(self, host: HostQueue) -> Request:
        request = host.take()
        self.queued -= 1
        self._stock.check(host)
        return request

    def _land(self, host: HostQueue, request: Request | None, now: float) -> None:
        self._lanes.land(host, request)
        if host.address:
            self._addresses.free(host.address)
            self._offer_address(host, now)
        self._lanes.push(host, now)

    def _offer_address(self, host: HostQueue, now: float) -> None:
        """Pass a free place at a host's address on to the hosts that wait for one, up to the first that can come."""
        while host.address and (waiting := self._addresses.next_waiting(host.address)) is not None:
            self._lanes.push(waiting, now)
            if waiting.entry and waiting.due <= now:
                return

    def _close(self, request: Request, *, is_counted: bool, now: float) -> None:
        self.open -= 1
        if request.kind == "page":
            for host in self._limits.closed(request, is_counted=is_counted):
                self._lanes.push(host, now)

    def _delay(self, request: Request, at: float) -> None:
        self._delays.add(request, at)
        self.queued += 1

    def _wake_retries(self, now: float) -> None:
        for request in self._delays.take_due(now):
            host = self._hosts.of(request, now)
            if host.dead:
                self.queued -= 1
                self._drops.append(Drop((request,), *host.dead))
            else:
                host.put_back(request)
                if request.kind == "page":
                    host.arrivals.came_back(now)
                self._lanes.push(host, now)

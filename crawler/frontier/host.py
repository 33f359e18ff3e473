"""One host's queue: its window of URLs, its robots.txt and its pace."""

from __future__ import annotations

import math
from collections import deque

from crawler import urls
from crawler.frontier.decisions import Waits
from crawler.frontier.origins import NO_ROBOTS, Origins
from crawler.frontier.outlook import HostView
from crawler.frontier.politeness import Pace
from crawler.frontier.robots import Robots
from crawler.frontier.wait_clock import WaitClock
from crawler.models import Outcome, Request
from crawler.settings.groups import PolitenessSettings

# A host whose last answer took more seconds takes the slots of those that may never answer.
PROMPT_S = 10.0


class HostQueue:
    """What the frontier knows of a host (a politeness key); its own methods alone change it.

    Args:
        key: Politeness key.
        politeness: Gaps and limits.
        delay_s: The site's own delay in seconds, None for the crawl's.
        dead: The outcome and reason of all that is found there, if it was given up before it was forgotten.

    Attributes:
        pace: When it may be visited.
        robots: What is known of the robots.txt of its origins.
        address: Where the limit of an address counts for it, empty where none does.
        cursor: `seq` of the last request of the store that was taken, into the window or to be dropped.
        stored: How many pages the store has behind the cursor.
        in_flight: Requests and look-ups that are under way.
        is_resolved: Whether its name was looked up.
        is_proven: Whether it has answered, the last time promptly.
        has_answered: Whether it has ever answered, however long that took.
        trouble: Why the last request or look-up there failed, a word; empty if none did since the last answer.
        dead: The outcome and reason of all that is found there, once it was given up.
    """

    __slots__ = (
        "_awaiting_count",
        "_awaiting_robots",
        "_due",
        "_entry",
        "_is_proven_lane",
        "_pages",
        "_robots_queue",
        "_sitemap_queue",
        "_wait_clock",
        "_was_sitemap",
        "address",
        "cursor",
        "dead",
        "has_answered",
        "in_flight",
        "is_proven",
        "is_resolved",
        "key",
        "pace",
        "robots",
        "stored",
        "trouble",
    )

    def __init__(
        self,
        key: str,
        politeness: PolitenessSettings,
        delay_s: float | None,
        dead: tuple[Outcome, str] | None = None,
    ) -> None:
        self.key = key
        self.pace = Pace(politeness, delay_s)
        self.robots = Origins()
        self.address = ""
        self.cursor = 0
        self.stored = 0
        self.in_flight = 0
        self.is_resolved = False
        self.is_proven = self.has_answered = False
        self.dead = dead
        self.trouble = ""
        self._pages: deque[Request] = deque()
        self._sitemap_queue: deque[Request] = deque()
        # Beside the robots.txt of its own origins there are those that other hosts redirect to.
        self._robots_queue: deque[Request] = deque()
        self._was_sitemap = False
        self._wait_clock = WaitClock()
        # By origin, this is what waits for its robots.txt.
        self._awaiting_robots: dict[str, list[Request]] = {}
        self._awaiting_count = 0
        # The number of its valid entry in a lane is 0 while it has none.
        self._entry = 0
        self._due = 0.0
        self._is_proven_lane = False

    def __repr__(self) -> str:
        state = f"dead: {self.dead[1]}" if self.dead else f"next at {self.pace.next_at:.1f}"
        queued = f"{len(self._pages)}+{len(self._sitemap_queue)}+{len(self._robots_queue)} queued"
        return f"<HostQueue {self.key} {queued}, {self._awaiting_count} aside, {self.in_flight} in flight, {state}>"

    def view(self, pages_left: int) -> HostView:
        """What there is to say of it; `pages_left` is how many of its pages the limits leave."""
        pace, dead = self.pace, self.dead
        return HostView(
            key=self.key,
            dead=dead[1] if dead else None,
            window=self.window,
            known=self.known,
            pages_left=pages_left,
            in_flight=self.in_flight,
            has_answered=self.has_answered,
            is_wanted=bool(self.known or self._robots_queue or self.in_flight),
            waits_for_robots=self._awaiting_count > 0 and not self._pages,
            lacks_robots=self.robots.lacks_any,
            gap_s=pace.gap_s,
            firm_gap_s=pace.firm_gap_s,
            has_crawl_delay=pace.has_crawl_delay,
            last_at=pace.last_at,
            next_at=pace.next_at,
            parked_until=pace.parked_until,
            park_reason=pace.park_reason,
            failures=pace.failures,
        )

    # Its window

    @property
    def window(self) -> int:
        """Pages in memory; those that wait for a robots.txt count, so that an origin without one cannot fill it."""
        return len(self._pages) + self._awaiting_count

    @property
    def known(self) -> int:
        """Pages that wait here and in the store."""
        return len(self._pages) + self._awaiting_count + self.stored

    @property
    def example_url(self) -> str:
        """A URL there."""
        return self._pages[0].url if self._pages else f"http://{self.key}/"

    def is_low(self, window: int) -> bool:
        """Whether little of a window of so many pages is left, and there is room for more."""
        ready = len(self._pages)
        return ready < window // 4 and ready + self._awaiting_count < window

    def pass_by(self, seq: int) -> None:
        """Move the cursor behind a request that the store gave out."""
        if seq > self.cursor:
            self.cursor = seq

    def leave(self, count: int) -> None:
        """Count pages that the store keeps for later, or gives out where `count` is negative."""
        self.stored += count

    def add_page(self, page: Request, now: float) -> None:
        """Let a page wait behind the others from now on."""
        self._pages.append(page)
        self._wait_clock.came(now)

    def add(self, request: Request) -> None:
        """Let a robots or sitemap request wait behind those of its kind."""
        self._queue(request).append(request)

    def add_again(self, request: Request, now: float) -> None:
        """Let a request that was tried before wait before those of its kind."""
        self._queue(request).appendleft(request)
        if request.kind == "page":
            self._wait_clock.came_back(now)

    def peek(self) -> Request | None:
        """The request whose turn it is: robots first, then sitemaps and pages in turn, so that neither starves."""
        if self._robots_queue:
            return self._robots_queue[0]
        sitemaps, pages = self._sitemap_queue, self._pages
        if sitemaps and not (pages and self._was_sitemap):
            return sitemaps[0]
        return pages[0] if pages else None

    def take(self) -> Request:
        """Remove and return what `peek` shows."""
        request = self.peek()
        assert request is not None
        self._queue(request).popleft()
        self._was_sitemap = request.kind != "page"
        return request

    def waits(self, now: float) -> Waits:
        """What the page that was just taken has waited for."""
        return self._wait_clock.waits(now, self._due, self.pace.last_at)

    def skip(self, now: float) -> Request:
        """Remove and return what `peek` shows, because it will not be asked for."""
        request = self.take()
        if request.kind == "page":
            self._wait_clock.left(now)
        return request

    @property
    def has_requests(self) -> bool:
        """Whether anything waits in memory."""
        return bool(self._awaiting_robots or self._pages or self._sitemap_queue or self._robots_queue)

    @property
    def is_idle(self) -> bool:
        """Whether it can be forgotten as far as it knows: nothing waits, nothing is under way, nothing was wrong."""
        if self.in_flight or self.has_requests or self._entry:
            return False
        return bool(self.dead) or (self.pace.is_calm and not self.robots.is_asking)

    def give_up(self, outcome: Outcome, reason: str) -> tuple[Request, ...]:
        """Ask for nothing there any more: removes and returns everything that waits."""
        self.dead = (outcome, reason)
        self._entry = 0
        for origin in list(self._awaiting_robots):
            self._release(origin)
        queues = (self._robots_queue, self._sitemap_queue, self._pages)
        requests = tuple(request for queue in queues for request in queue)
        for queue in queues:
            queue.clear()
        self._wait_clock.clear()
        return requests

    def _queue(self, request: Request) -> deque[Request]:
        if request.kind == "page":
            return self._pages
        return self._robots_queue if request.kind == "robots" else self._sitemap_queue

    # Its turn, and what is under way

    def next_turn(self, now: float, per_host: int) -> float | None:
        """When its next turn comes, monotonic seconds; None if it has nothing to do, or no slot of its own free.

        Args:
            now: Monotonic seconds.
            per_host: Requests that it may have in flight.
        """
        if self.in_flight >= (per_host if self.is_resolved else 1):
            return None
        if not (self._pages or self._sitemap_queue or self._robots_queue):
            return None
        next_at = self.pace.next_at
        if next_at > now:
            return next_at
        # A host that has just been resolved comes before all that have not, or its look-up could be too old at last.
        return -math.inf if self.is_resolved and next_at == -math.inf else now

    def enter(self, entry: int, due: float, *, is_proven_lane: bool) -> bool:
        """Have an entry in a lane from now on, instead of any other; returns False if it has one that is as good."""
        if self._entry and self._due <= due and self._is_proven_lane is is_proven_lane:
            return False
        self._entry, self._due, self._is_proven_lane = entry, due, is_proven_lane
        return True

    def has_entry(self, entry: int) -> bool:
        """Whether an entry in a lane is the one that is valid."""
        return entry == self._entry

    def leave_lane(self, entry: int) -> bool:
        """Have no entry in a lane any more; returns False if this one was not the valid one."""
        if entry != self._entry:
            return False
        self._entry = 0
        return True

    def is_due(self, now: float) -> bool:
        """Whether it has an entry in a lane whose time has come."""
        return self._entry > 0 and self._due <= now

    def begin(self) -> None:
        """A request, or a look-up of its name, is under way."""
        self.in_flight += 1

    def end(self) -> None:
        """A request, or a look-up of its name, has ended."""
        self.in_flight -= 1

    def resolved(self, address: str) -> None:
        """Its name was looked up; the limit of this address counts for it if that is not empty."""
        self.is_resolved, self.address = True, address

    def answered(self, now: float, elapsed_s: float, status: int, retry_after_s: float | None) -> None:
        """A response ended; the arguments are those of `Pace.answered`."""
        self.is_proven, self.has_answered, self.trouble = elapsed_s <= PROMPT_S, True, ""
        self.pace.answered(now, elapsed_s, status, retry_after_s)

    def failed(self, now: float, reason: str, *, is_network: bool) -> None:
        """A request or a look-up of its name ended without an answer, for a reason; the rest is as in `Pace.failed`."""
        self.is_proven = self.is_proven and not is_network
        self.trouble = reason
        self.pace.failed(now, is_network)

    # Its robots.txt

    def restore_gap(self, gap_s: float) -> None:
        """Begin with a gap in seconds that an earlier session kept, unless a robots.txt was read since."""
        if not self.robots.has_any:
            self.pace.restore_gap(gap_s)

    def pass_waiting_for_robots(self, now: float) -> int:
        """Set aside what waits for the robots.txt of its origin, up to the first request that does not.

        Returns:
            How many requests were put in front because a robots.txt has to be asked for, for the first time or again.
        """
        asked = 0
        while (request := self.peek()) is not None and request.kind != "robots":
            origin = urls.origin(request.url)
            if self.robots.is_known(origin, now):
                break
            self._awaiting_robots.setdefault(origin, []).append(self.take())
            self._awaiting_count += 1
            asked += self._ask_robots(origin)
        return asked

    def ask_robots(self, origin: str) -> bool:
        """Put a request for a robots.txt that nothing is known of in front; returns whether it was."""
        return origin not in self.robots and self._ask_robots(origin)

    def _ask_robots(self, origin: str) -> bool:
        if not self.robots.begin_asking(origin):
            return False
        self.add(robots_request(origin, self.key))
        return True

    def take_robots(self, origin: str, robots: Robots, now: float) -> float | None:
        """Take the robots.txt of an origin, and put back what waited for it.

        Returns:
            None if URLs can be judged, else the seconds until it should be asked for again.
        """
        wait_s = self.robots.take(origin, robots, now)
        if wait_s is None:
            self.pace.obey_crawl_delay(robots.crawl_delay)
            self._release(origin)
        return wait_s

    @property
    def reason(self) -> str:
        """Why its pages fail if it is given up now."""
        return self.trouble or (NO_ROBOTS if self.robots.lacks_any else "unreachable")

    def fail_robots(self, origin: str, reason: str) -> bool:
        """Wait no more for a robots.txt that cannot be had; returns False if there is an old copy, which still holds.

        Args:
            origin: Whose it is.
            reason: With which the pages of that origin fail.
        """
        if not self.robots.fail(origin, reason):
            return False
        self._release(origin)
        return True

    def give_up_waiting_for_robots(self, now: float) -> bool:
        """Put back what waits for robots.txt, to be refused, if another origin of the host answers.

        Returns:
            Whether anything was put back.
        """
        if not self._awaiting_robots or not self.robots.has_any or self.pace.is_parked(now):
            return False
        for origin in list(self._awaiting_robots):
            self.robots.give_up(origin)
            self._release(origin)
        return True

    @property
    def allowed_share(self) -> float:
        """The share of its pages in memory that robots.txt allows, as far as it is known; 1 if none is in memory."""
        pages = self._pages
        return sum(self.robots.may_allow(page.url) for page in pages) / len(pages) if pages else 1.0

    def _release(self, origin: str) -> None:
        """Put back in order what was set aside for an origin."""
        requests = self._awaiting_robots.pop(origin, [])
        self._awaiting_count -= len(requests)
        for request in reversed(requests):
            self._queue(request).appendleft(request)


def robots_request(origin: str, key: str) -> Request:
    """The request for an origin's robots.txt, on the host with politeness key `key`."""
    url = f"{origin}/robots.txt"
    return Request(url, key, urls.fingerprint(url), kind="robots")

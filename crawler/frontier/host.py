"""One host's queue: its window of URLs, its robots.txt and its pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from crawler import urls
from crawler.frontier.decisions import Waits
from crawler.frontier.origins import OriginRules
from crawler.frontier.politeness import Pace
from crawler.models import Outcome, Request
from crawler.settings.groups import PolitenessSettings


class HostQueue:
    """What the frontier knows of a host (a politeness key).

    Args:
        key: Politeness key.
        politeness: Gaps and limits.
        delay_s: The site's own delay in seconds, None for the crawl's.
    """

    __slots__ = (
        "address",
        "arrivals",
        "aside",
        "aside_count",
        "cursor",
        "dead",
        "due",
        "entry",
        "has_more",
        "in_flight",
        "is_hungry",
        "is_proven",
        "is_refilling",
        "is_resolved",
        "key",
        "lane",
        "pace",
        "pages",
        "robots",
        "rules",
        "side",
        "stored",
        "was_side",
    )

    def __init__(self, key: str, politeness: PolitenessSettings, delay_s: float | None) -> None:
        self.key = key
        self.pace = Pace(politeness, delay_s)
        self.pages: deque[Request] = deque()
        self.side: deque[Request] = deque()  # sitemaps
        self.rules: deque[Request] = deque()  # robots.txt, of its own origins and where others redirect to
        self.arrivals = WaitClock()  # of its pages
        self.aside: dict[str, list[Request]] = {}  # by origin: what waits for its robots.txt
        self.aside_count = 0
        self.was_side = False
        self.in_flight = 0
        self.cursor = 0  # `seq` of the last request that was taken into the window
        self.has_more = False  # the store has requests after `cursor`
        self.stored = 0  # and this many
        self.is_hungry = False  # a refill is to be asked for
        self.is_refilling = False
        self.entry = 0  # its valid entry in a heap, 0 for none
        self.due = 0.0  # that entry's time
        self.lane = False  # and its heap
        self.is_resolved = False
        self.is_proven = False  # it has answered at least once
        self.address = ""  # where the per-address limit counts for it
        self.robots: dict[str, OriginRules] = {}
        self.dead: tuple[Outcome, str] | None = None

    def __repr__(self) -> str:
        state = f"dead: {self.dead[1]}" if self.dead else f"next at {self.next_at:.1f}"
        queued = f"{len(self.pages)}+{len(self.side)}+{len(self.rules)} queued, {self.aside_count} aside"
        return f"<HostQueue {self.key} {queued}, {self.in_flight} in flight, {state}>"

    @property
    def next_at(self) -> float:
        """When it may be visited again, monotonic seconds."""
        return self.pace.next_at

    @property
    def window(self) -> int:
        """Pages in memory; those set aside count, so that an origin without robots.txt cannot fill it."""
        return len(self.pages) + self.aside_count

    @property
    def known(self) -> int:
        """Pages that wait here and in the store."""
        return self.window + self.stored

    def peek(self) -> Request | None:
        """The request whose turn it is: robots first, then sitemaps and pages in turn, so that neither starves."""
        if self.rules:
            return self.rules[0]
        side, pages = self.side, self.pages
        if side and not (pages and self.was_side):
            return side[0]
        return pages[0] if pages else None

    def take(self) -> Request:
        """Remove and return what `peek` shows."""
        request = self.peek()
        assert request is not None
        self._queue(request).popleft()
        self.was_side = request.kind != "page"
        return request

    def put(self, request: Request) -> None:
        """Let a request wait behind those of its kind."""
        self._queue(request).append(request)

    def put_back(self, request: Request) -> None:
        """Let a request wait before those of its kind."""
        self._queue(request).appendleft(request)

    def pass_waiting_for_robots(self, now: float) -> int:
        """Set aside what waits for the robots.txt of its origin, up to the first request that does not.

        Returns:
            How many requests were put in front because a robots.txt has to be asked for, for the first time or again.
        """
        asked = 0
        while (request := self.peek()) is not None and request.kind != "robots":
            origin = urls.origin(request.url)
            known = self.robots.get(origin)
            if known is not None and known.is_known(now):
                break
            self.aside.setdefault(origin, []).append(self.take())
            self.aside_count += 1
            asked += self.ask_robots(origin)
        return asked

    def ask_robots(self, origin: str) -> bool:
        """Put a request for an origin's robots.txt in front unless there is one; returns whether it was."""
        known = self.robots.setdefault(origin, OriginRules())
        if known.is_asked:
            return False
        known.is_asked = True
        self.put(robots_request(origin, self.key))
        return True

    def release(self, origin: str) -> None:
        """Put back in order what was set aside for an origin."""
        requests = self.aside.pop(origin, [])
        self.aside_count -= len(requests)
        for request in reversed(requests):
            self.put_back(request)

    @property
    def has_rules(self) -> bool:
        """Whether the robots.txt of any of its origins is known."""
        return any(known.rules is not None and not known.is_given_up for known in self.robots.values())

    @property
    def allowed_share(self) -> float:
        """The share of its pages in memory that robots.txt allows, as far as it is known; 1 if none is in memory."""
        pages = self.pages
        return sum(self._may_be_asked_for(page) for page in pages) / len(pages) if pages else 1.0

    def _may_be_asked_for(self, page: Request) -> bool:
        known = self.robots.get(urls.origin(page.url))
        return known is None or known.rules is None or known.rules.allows(page.url)

    def has_given_up(self, origin: str) -> bool:
        """Whether the robots.txt of an origin is waited for no more."""
        return origin in self.robots and self.robots[origin].is_given_up

    def give_up_waiting_for_robots(self) -> None:
        """Put back all that was set aside; `refusal` fails it, and what else comes of those origins."""
        for origin in list(self.aside):
            self.robots[origin].give_up()
            self.release(origin)

    def refusal(self, request: Request) -> tuple[Outcome, str] | None:
        """With which outcome and reason a request is dropped for the robots.txt of its origin; None if it is not."""
        if request.kind == "robots":
            return None
        known = self.robots[urls.origin(request.url)]
        rules = known.rules
        assert rules is not None
        if rules.is_unreachable:
            return "failed", known.reason
        return None if rules.allows(request.url) else ("skipped", "robots")

    @property
    def is_idle(self) -> bool:
        """Whether it can be forgotten: nothing waits here or in the store, nothing is under way, nothing was wrong."""
        is_busy = self.in_flight or self.window or self.side or self.rules or self.entry
        has_more = self.has_more or self.is_refilling or self.is_hungry
        is_asking = any(known.is_asked for known in self.robots.values())
        return bool(self.dead or (self.pace.is_calm and not is_asking)) and not (is_busy or has_more)

    def drain(self) -> Iterator[Request]:
        """Remove and return everything that waits."""
        for origin in list(self.aside):
            self.release(origin)
        for queue in (self.rules, self.side, self.pages):
            while queue:
                yield queue.popleft()
        self.arrivals.clear()

    def _queue(self, request: Request) -> deque[Request]:
        if request.kind == "page":
            return self.pages
        return self.rules if request.kind == "robots" else self.side


def robots_request(origin: str, key: str) -> Request:
    """The request for an origin's robots.txt, on the host with politeness key `key`."""
    url = f"{origin}/robots.txt"
    return Request(url, key, urls.fingerprint(url), kind="robots")


class WaitClock:
    """Remembers when pages came, in groups, because most come together; they leave about in the order they came in.

    Attributes:
        free_s: Seconds for which the host might have been visited and was not.
    """

    __slots__ = ("_groups", "free_s")

    def __init__(self) -> None:
        self.free_s = 0.0
        self._groups: list[list[float]] = []  # how many pages came together, when, and `free_s` at that moment

    def __repr__(self) -> str:
        return f"<Arrivals {sum(int(group[0]) for group in self._groups)} pages in {len(self._groups)} groups>"

    def came(self, now: float) -> None:
        """A page waits behind the others from now on."""
        groups = self._groups
        if groups and groups[-1][1] == now:
            groups[-1][0] += 1
        else:
            groups.append([1, now, self.free_s])

    def came_back(self, now: float) -> None:
        """A page waits before the others from now on."""
        self._groups.insert(0, [1, now, self.free_s])

    def left(self, now: float) -> tuple[float, float]:
        """A page waits no more: when it came, and what `free_s` was at that moment."""
        if not self._groups:
            return now, self.free_s
        first = self._groups[0]
        first[0] -= 1
        if not first[0]:
            del self._groups[0]
        return first[1], first[2]

    def waits(self, now: float, due: float, busy_at: float) -> Waits:
        """What a page that is handed out now has waited for.

        Args:
            now: Monotonic seconds, as the other two.
            due: When its host's turn had come.
            busy_at: When a request to its host left or ended last.
        """
        known_at, free_s = self.left(now)
        turn_at = due if due > known_at else known_at
        if turn_at < now:
            self.free_s += now - turn_at
        waited_s = now - known_at
        queue_s = min(self.free_s - free_s, waited_s)
        gap_s = turn_at - (busy_at if busy_at > known_at else known_at)
        return Waits(queue_s, waited_s - queue_s, gap_s if gap_s > 0.0 else 0.0)

    def clear(self) -> None:
        """No page waits any more."""
        self._groups.clear()

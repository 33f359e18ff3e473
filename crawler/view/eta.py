"""How long a crawl still takes, as its frontier knows it: each host has a queue, and a pace at which it is emptied."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from crawler.engine.engine import Engine
from crawler.frontier.outlook import HostView, time_for
from crawler.frontier.patience import Silence
from crawler.log.terminal import counted, duration, printable

# Looking through the hosts takes at most one part in so many of the time.
SHARE_OF_TIME = 500
# So many seconds pass between two looks at least.
LOOK_S = 1.0
# A host that alone needs more seconds is worth a line.
TELL_S = 60.0
# The next one that is worth a line, which may be the same if more of it is known, needs this many times as long.
TELL_AGAIN = 3
# For so many seconds from the start sitemaps that are being read are waited for, so that a host is named only once.
SITEMAPS_S = 30.0


# Why a host is left alone that asked for it, as in `Pace.park_reason`.
ASKED = ("retry_after", "retry_after_too_long")


class Left(Struct, frozen=True):
    """What is left of a crawl.

    Args:
        urls: Known URLs that have still to be asked for, as far as limits allow it.
        seconds: For them, about; 0 if it cannot be known.
        host: The host that needs longest, empty if none has to wait between its requests.
        host_urls: How many of them are its.
        host_s: What it needs at least, seconds.
        gap_s: Between two of its requests, seconds.
        has_crawl_delay: Whether its robots.txt asks for that.
        is_cut: Whether the crawl ends before that, because its time is limited; `seconds` is until then.
        is_limited: Whether more URLs are known than limits allow.
        silent: What hosts do not answer, in words; how long their URLs take cannot be known, and is in no figure here.
    """

    urls: int = 0
    seconds: float = 0.0
    host: str = ""
    host_urls: int = 0
    host_s: float = 0.0
    gap_s: float = 0.0
    has_crawl_delay: bool = False
    is_cut: bool = False
    is_limited: bool = False
    silent: str = ""

    @property
    def reason(self) -> str:
        """Why the longest host needs as long as it does, in words."""
        of = " (its crawl-delay)" if self.has_crawl_delay else ""
        return f"{counted(self.host_urls, 'URL')}, {self.gap_s:g} s apart{of}"

    def sentence(self) -> str:
        """How long it takes, in words; empty if it cannot be known."""
        return "; ".join(part for part in (self._time(), self.silent) if part)

    def _time(self) -> str:
        if self.is_cut:
            return f"{duration(self.seconds)} until --max-time"
        if self.host_s >= TELL_S and self.host_s > 0.8 * self.seconds:
            return f"at least {duration(self.host_s)}: {printable(self.host, 60)} alone has {self.reason}"
        if self.seconds < 1:
            return ""
        of = f"the {counted(self.urls, 'URL')} that the limits leave" if self.is_limited else "what is queued"
        return f"about {duration(self.seconds)} for {of}"


class Eta:
    """Looks now and then at what is left, seldom enough to cost next to nothing.

    Args:
        engine: The crawl.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left = Left()
        self._next_at = 0.0
        # This is the longest time that was said.
        self._told_s = 0.0

    def left(self, rate: float) -> Left:
        """What is left, from the last look or a new one; `rate` is how many pages a second are done now."""
        began = time.monotonic()
        if began >= self._next_at:
            self._left = self._look(rate)
            ended = time.monotonic()
            self._next_at = ended + max(LOOK_S, SHARE_OF_TIME * (ended - began))
        return self._left

    def news(self) -> str:
        """A sentence on the host that needs longest, once it is known how long that is; mostly empty."""
        left, engine = self._left, self._engine
        if left.host_s < TELL_S or left.host_s < TELL_AGAIN * self._told_s:
            return ""
        if engine.pipeline.site_files.is_reading and engine.ledger.elapsed_s < SITEMAPS_S:
            return ""
        self._told_s = left.host_s
        return f"{printable(left.host, 60)} alone needs at least {duration(left.host_s)}: {left.reason}"

    def _look(self, rate: float) -> Left:
        engine, frontier = self._engine, self._engine.frontier
        crawl, per_host = engine.settings.crawl, engine.settings.politeness.per_host
        ledger = engine.ledger
        usual_s = ledger.fetch_s / ledger.requests if ledger.requests else 0.0
        now = time.monotonic()
        silent: list[HostView] = []
        hosts: list[HostView] = []
        for host in frontier.hosts:
            if host.is_silent(now):
                silent.append(host)
            elif host.dead is None and host.known:
                hosts.append(host)
        queues = [
            (host.pages_left, host.period_s(ledger.hosts.typical_s(host.key, usual_s), per_host)) for host in hosts
        ]
        urls = sum(count for count, _ in queues)
        longest = self._longest(hosts, now)
        if crawl.max_pages:
            wanted = max(0, crawl.max_pages - frontier.limits.done)
            # Of several hosts the fast ones can bring the pages for which a slow one would take long.
            if len(queues) > 1 and wanted < urls:
                longest = None
            urls = min(urls, wanted)
        left = Left(
            urls,
            max(time_for(urls, queues), urls / rate if rate > 0 else 0.0),
            is_limited=urls < sum(host.known for host in hosts),
            silent="; ".join(filter(None, (silence(silent, now, frontier.silence), resting(hosts, now)))),
        )
        rest_s = max(0.0, crawl.max_time_s - ledger.elapsed_s)
        if crawl.max_time_s and rest_s < left.seconds:
            return replace(left, seconds=rest_s, is_cut=True)
        return left if longest is None else self._with_longest(left, longest, now)

    def _longest(self, hosts: Sequence[HostView], now: float) -> HostView | None:
        """The host that needs longest, None if none has to wait between its requests."""
        if self._engine.settings.crawl.scope in ("domain", "any"):
            # Other hosts of a site can bring what its limit allows.
            hosts = [host for host in hosts if host.pages_left == host.known]
        longest = max(hosts, key=lambda host: host.least_s(host.pages_left, now), default=None)
        return longest if longest and longest.least_s(longest.pages_left, now) else None

    def _with_longest(self, left: Left, host: HostView, now: float) -> Left:
        count = min(host.pages_left, self._engine.frontier.hosts.pages_allowed(host.key))
        return replace(
            left,
            host=host.key,
            host_urls=count,
            host_s=host.least_s(count, now),
            gap_s=host.firm_gap_s,
            has_crawl_delay=host.has_crawl_delay,
        )


def resting(hosts: Sequence[HostView], now: float) -> str:
    """What hosts asked to be left alone for a while, in words; empty if there are none."""
    asking = [host for host in hosts if host.is_parked(now) and host.park_reason in ASKED]
    if not asking:
        return ""
    first = min(asking, key=lambda each: each.parked_until)
    name, left = printable(first.key, 60), duration(first.parked_until - now)
    who = f"{name} asks" if len(asking) == 1 else f"{len(asking):,} hosts ask, like {name},"
    return f"{who} to be left alone for {left} more (Retry-After)"


def silence(hosts: Sequence[HostView], now: float, wait: Silence | None) -> str:
    """What hosts do not answer and when they are given up, in words; empty if there are none.

    Args:
        hosts: They.
        now: Monotonic seconds.
        wait: What is known of the end of that, while nothing else is left to do.
    """
    if not hosts:
        return ""
    first = max(hosts, key=lambda each: each.failures)
    name = printable(first.key, 60)
    one = f"robots.txt of {name}" if first.lacks_robots else name
    said = f"{one} does not answer" if len(hosts) == 1 else f"{len(hosts):,} hosts do not answer, like {name}"
    if wait is not None and wait.until is not None:
        return f"{said}: given up in {duration(max(0.0, wait.until - now))}"
    if first.is_parked(now):
        return f"{said}: it is asked again in {duration(first.parked_until - now)}"
    return f"{said} (try {first.failures + 1})"

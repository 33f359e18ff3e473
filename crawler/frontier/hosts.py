"""The hosts that the frontier has in mind: made when they are first met, forgotten when nothing is left to do there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from crawler.frontier.host import HostQueue
from crawler.frontier.lanes import Delays
from crawler.frontier.limits import PageLimits
from crawler.frontier.outlook import HostDelays, HostView
from crawler.frontier.politeness import own_delay_s
from crawler.frontier.windows import Windows
from crawler.models import Outcome, Request
from crawler.scope.scope import Scope
from crawler.settings.groups import PolitenessSettings
from crawler.store.base import HostState

# Where there are more hosts than this, those at which nothing is left to do are forgotten.
KEPT_HOSTS = 10_000
# A host that waits for more seconds is kept in the store; one gap is kept after a resume anyway.
NOTEWORTHY_WAIT_S = 5.0


class Hosts:
    """Hosts by their politeness key.

    Args:
        scope: Its sites have delays of their own.
        politeness: Gaps and slots of a host.
        windows: Shares the memory among them.
        delays: Requests that will need their hosts again.
    """

    def __init__(self, scope: Scope, politeness: PolitenessSettings, windows: Windows, delays: Delays) -> None:
        self._scope = scope
        self._politeness = politeness
        self._windows = windows
        self._delays = delays
        self._hosts: dict[str, HostQueue] = {}
        # These hosts were given up before they were forgotten.
        self._dead: dict[str, tuple[Outcome, str]] = {}
        # These gaps in seconds were kept by an earlier session, for hosts that have not been met in this one.
        self._gaps: dict[str, float] = {}
        self._forgotten = 0
        self._forget_at = KEPT_HOSTS

    def __getitem__(self, key: str) -> HostQueue:
        return self._hosts[key]

    def __iter__(self) -> Iterator[HostQueue]:
        return iter(self._hosts.values())

    @property
    def met(self) -> int:
        """How many there were; one that was forgotten meanwhile counts again."""
        return len(self._hosts) + self._forgotten

    def get(self, key: str) -> HostQueue | None:
        """The host with a key, None if it is not in mind."""
        return self._hosts.get(key)

    def of(self, request: Request, now: float) -> HostQueue:
        """The host of a request, a new one if it is not in mind."""
        host = self._hosts.get(request.host)
        if host is not None:
            return host
        if len(self._hosts) >= self._forget_at:
            self._forget_idle(now)
        key = request.host
        site_delay_s = self._site_delay_s(request.url)
        host = self._hosts[key] = HostQueue(key, self._politeness, site_delay_s, self._dead.pop(key, None))
        if (gap_s := self._gaps.pop(key, None)) is not None:
            host.restore_gap(gap_s)
        self._windows.divide(len(self._hosts))
        return host

    def _site_delay_s(self, url: str) -> float | None:
        """The delay of the site that owns a URL, seconds; None if it has none of its own."""
        site = self._scope.site_of(url)
        return None if site is None else self._scope.sites[site].delay_s

    def delays(self, key: str) -> HostDelays:
        """What keeps two requests to a host apart; of one that is not in mind, what the user asks for."""
        host = self._hosts.get(key)
        if host is None:
            site_delay_s = self._site_delay_s(f"http://{key}/")
            delay_s = own_delay_s(self._politeness, site_delay_s)
            return HostDelays(own_s=delay_s, gap_s=delay_s, is_of_site=site_delay_s is not None)
        pace = host.pace
        return HostDelays(
            own_s=pace.delay_s,
            gap_s=pace.gap_s,
            is_of_site=pace.has_site_delay,
            crawl_delay_s=pace.crawl_delay_s or 0.0,
            cause=pace.gap_cause,
        )

    def restore_gap(self, key: str, gap_s: float) -> None:
        """Let a host begin with a gap in seconds that an earlier session kept, now or as soon as it is met."""
        host = self._hosts.get(key)
        if host is None:
            self._gaps[key] = gap_s
        else:
            host.restore_gap(gap_s)

    def _forget_idle(self, now: float) -> None:
        """Forget hosts that have nothing to do and may be visited; one that comes back begins with its robots.txt."""
        waiting = {request.host for request in self._delays}
        for host in list(self._hosts.values()):
            is_idle = host.is_idle and not self._windows.has_more(host)
            if is_idle and host.pace.next_at <= now and host.key not in waiting:
                del self._hosts[host.key]
                self._forgotten += 1
                if host.dead:
                    self._dead[host.key] = host.dead
        self._forget_at = max(KEPT_HOSTS, 2 * len(self._hosts))


class HostViews:
    """What others may know of the hosts that are in mind: values of one moment, by politeness key.

    Args:
        hosts: The hosts.
        limits: Say how many of their pages are left.
    """

    def __init__(self, hosts: Hosts, limits: PageLimits) -> None:
        self._hosts = hosts
        self._limits = limits

    def __iter__(self) -> Iterator[HostView]:
        return (host.view(self._limits.left(host)) for host in self._hosts)

    @property
    def keys(self) -> list[str]:
        """The keys of all hosts that are in mind."""
        return [host.key for host in self._hosts]

    @property
    def met(self) -> int:
        """How many hosts there were; one that was forgotten meanwhile counts again."""
        return self._hosts.met

    def get(self, key: str) -> HostView | None:
        """A host; None for one that is not in mind."""
        host = self._hosts.get(key)
        return None if host is None else host.view(self._limits.left(host))

    def pages_allowed(self, key: str) -> int:
        """About how many of the known pages of a host robots.txt allows, judged by those in memory; takes a while."""
        host = self._hosts.get(key)
        return 0 if host is None else round(host.known * host.allowed_share)

    def delays(self, key: str) -> HostDelays:
        """What keeps two requests to a host apart; of one that is not in mind, what the user asks for."""
        return self._hosts.delays(key)

    def to_keep(self, keys: Iterable[str], now: float, wall: float) -> Iterator[HostState]:
        """The hosts among some that a resume has to spare: they may not be visited for a while, or have a crawl delay.

        Args:
            keys: Politeness keys.
            now: Monotonic seconds.
            wall: The same moment on the wall clock, Unix seconds.
        """
        for key in keys:
            host = self._hosts.get(key)
            if host is None:
                continue
            wait_s, crawl_delay_s = host.pace.kept_at - now, host.pace.crawl_delay_s
            is_noteworthy = wait_s > NOTEWORTHY_WAIT_S
            if is_noteworthy or crawl_delay_s:
                yield HostState(key, wall + wait_s if is_noteworthy else None, crawl_delay_s)

    def parked_until(self, key: str) -> float:
        """Until when a host is left alone for longer than its gap, monotonic seconds; minus infinity if it is not."""
        host = self._hosts.get(key)
        return -math.inf if host is None else host.pace.parked_until

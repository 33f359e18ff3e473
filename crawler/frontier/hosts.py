"""The hosts that the frontier has in mind: made when they are first met, forgotten when nothing is left to do there."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.frontier.host import HostQueue
from crawler.frontier.lanes import Delays
from crawler.frontier.windows import Windows
from crawler.models import Outcome, Request
from crawler.scope.scope import Scope
from crawler.settings.groups import PolitenessSettings

KEPT_HOSTS = 10_000  # above it, hosts for which nothing is left to do are forgotten


class Hosts:
    """Hosts by their politeness key.

    Args:
        scope: Its sites have delays of their own.
        politeness: Gaps and slots of a host.
        stock: Shares the memory among them.
        delays: Requests that will need their hosts again.
    """

    def __init__(self, scope: Scope, politeness: PolitenessSettings, stock: Windows, delays: Delays) -> None:
        self._scope = scope
        self._politeness = politeness
        self._stock = stock
        self._delays = delays
        self._hosts: dict[str, HostQueue] = {}
        self._dead: dict[str, tuple[Outcome, str]] = {}  # forgotten ones that were given up
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
        site = self._scope.site_of(request.url)
        own_delay_s = None if site is None else self._scope.sites[site].delay_s
        host = self._hosts[request.host] = HostQueue(request.host, self._politeness, own_delay_s)
        host.dead = self._dead.pop(request.host, None)
        self._stock.divide(len(self._hosts))
        return host

    def _forget_idle(self, now: float) -> None:
        """Forget hosts that have nothing to do and may be visited; one that comes back begins with its robots.txt."""
        waiting = {request.host for request in self._delays}
        for host in list(self._hosts.values()):
            if host.is_idle and host.next_at <= now and host.key not in waiting:
                del self._hosts[host.key]
                self._forgotten += 1
                if host.dead:
                    self._dead[host.key] = host.dead
        self._forget_at = max(KEPT_HOSTS, 2 * len(self._hosts))

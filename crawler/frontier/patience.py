"""How long a crawl that has nothing else to do waits for hosts that do not answer, and which it gives up then."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from crawler.frontier.host import HostQueue
from crawler.frontier.hosts import Hosts
from crawler.frontier.lanes import Delays
from crawler.frontier.windows import Windows

# A host that has never answered is waited for so many seconds, unless the user has less patience.
NEVER_ANSWERED_S = 20.0


class Silence(Struct, frozen=True):
    """The hosts that nothing is heard of while nothing else is left to do.

    Args:
        until: When the next of them is given up, monotonic seconds; None if none will be.
        overdue: Those that are to be given up now.
        hosts: How many are waited for.
        put_off: How many asked to be left alone for longer than the user waits, so that their URLs stay pending.
    """

    until: float | None
    overdue: Sequence[HostQueue]
    hosts: int
    put_off: int


class Patience:
    """Waits for hosts that do not answer, from when they alone are left, for no longer than the user wants.

    Args:
        hosts, windows, delays: Who is wanted something of.
        patience_s: For how long, seconds.
        leaves_pending: Whether a later session can ask the hosts that put the crawl off; if not, they are given up.
    """

    def __init__(self, hosts: Hosts, windows: Windows, delays: Delays, patience_s: float, leaves_pending: bool) -> None:
        self._hosts = hosts
        self._windows = windows
        self._delays = delays
        self._patience_s = patience_s
        self._leaves_pending = leaves_pending
        self._since: float | None = None

    def end(self) -> None:
        """A host has answered: the next wait begins anew."""
        self._since = None

    def retry_at(self, now: float) -> float | None:
        """Until when a retry is waited for at least, None if none is due for sure.

        That is one of a host that answers, or of one that said when it is to be asked again.
        """
        times = []
        for request in self._delays:
            host = self._hosts.get(request.host)
            if host is None or not host.pace.is_waited_for(now):
                continue
            if host.pace.is_parked(now):
                times.append(host.pace.parked_until)
            elif host.has_answered and request.kind != "robots":
                times.append(math.inf)
        return min(times, default=None)

    def judge(self, now: float) -> Silence:
        """Begin to wait, or go on, and tell what has come of it."""
        if self._since is None:
            self._since = now
        retried = {request.host for request in self._delays}
        overdue, until, hosts, put_off = [], [], 0, 0
        for host in self._hosts:
            if host.dead or not (host.key in retried or host.has_requests or self._windows.has_more(host)):
                continue
            if host.pace.is_put_off(now) and self._leaves_pending:
                put_off += 1
                continue
            deadline = self._since + (self._patience_s if host.has_answered else self._for_silent_s)
            hosts += 1
            if now >= deadline or host.pace.is_put_off(now):
                overdue.append(host)
            else:
                until.append(deadline)
        return Silence(min(until, default=None), overdue, hosts, put_off)

    @property
    def _for_silent_s(self) -> float:
        return min(self._patience_s, NEVER_ANSWERED_S)

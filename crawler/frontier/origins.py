"""What is known of the robots.txt of one origin, and for how long it holds."""

from __future__ import annotations

import math

from crawler.frontier.robots import UNREACHABLE, Robots

FRESH_S = 24 * 3600.0  # RFC 9309, 2.4: no longer than a day, unless it is unreachable
STALE_S = 30 * 24 * 3600.0  # and this long an old copy may stand in for one that is
RETRY_S = (300.0, 300.0, 300.0, 3600.0)  # waits while robots.txt is unreachable; the last one repeats


class OriginRules:
    """The robots.txt of one origin: had, asked for, or given up.

    Source: RFC 9309, 2.3.1.4 and 2.4.
    """

    __slots__ = ("_failures", "_fetched_at", "fresh_until", "is_asked", "reason", "rules")

    def __init__(self) -> None:
        self.rules: Robots | None = None  # None: never had; UNREACHABLE: given up
        self.is_asked = False
        self.reason = "unreachable"  # with which its pages fail if it is given up
        self.fresh_until = -math.inf  # monotonic seconds
        self._fetched_at = -math.inf
        self._failures = 0

    def __repr__(self) -> str:
        return f"<OriginRules {self.rules} fresh_until={self.fresh_until:.0f} failures={self._failures}>"

    @property
    def is_given_up(self) -> bool:
        """Whether it is waited for no more."""
        return self.rules is UNREACHABLE

    def is_known(self, now: float) -> bool:
        """Whether URLs can be judged by it at monotonic time `now`."""
        return self.rules is not None and now < self.fresh_until

    def take(self, rules: Robots, now: float) -> float | None:
        """Take an answer.

        Returns:
            None if URLs can be judged, else the seconds until it should be asked for again.
        """
        if not rules.is_unreachable:
            self.rules, self.is_asked, self._failures = rules, False, 0
            self._fetched_at, self.fresh_until = now, now + FRESH_S
            return None
        wait_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        if self.rules is not None and now < self._fetched_at + STALE_S:
            self.is_asked, self.fresh_until = False, now + wait_s
            return None
        self.rules = None
        return wait_s

    def give_up(self, reason: str = "unreachable") -> None:
        """Wait for it no more: what it could allow fails, with this reason."""
        self.rules, self.fresh_until, self.reason = UNREACHABLE, math.inf, reason

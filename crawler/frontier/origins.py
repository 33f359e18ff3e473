"""What is known of the robots.txt of each origin of a host, and for how long it holds."""

from __future__ import annotations

import math

from crawler import urls
from crawler.frontier.robots import UNREACHABLE, Robots
from crawler.models import Outcome, Request

# By RFC 9309, 2.4, a robots.txt holds for no more seconds than a day has, unless it is unreachable then.
FRESH_S = 24 * 3600.0
# An old copy may stand in for one that is unreachable for this many seconds.
STALE_S = 30 * 24 * 3600.0
# While a robots.txt is unreachable, it is asked for again after these seconds; the last wait repeats.
NO_ROBOTS = "robots_unreachable"  # why pages fail whose robots.txt cannot be had
RETRY_S = (300.0, 300.0, 300.0, 3600.0)


class OriginRules:
    """The robots.txt of one origin: had, asked for, or given up.

    Source: RFC 9309, 2.3.1.4 and 2.4.
    """

    __slots__ = ("_failures", "_fetched_at", "_fresh_until", "is_asked", "reason", "rules")

    def __init__(self) -> None:
        # There are no rules before the first answer, and `UNREACHABLE` after it was given up.
        self.rules: Robots | None = None
        self.is_asked = False
        # If it is given up, its pages fail with this reason.
        self.reason = NO_ROBOTS
        self._fresh_until = -math.inf
        self._fetched_at = -math.inf
        self._failures = 0

    def __repr__(self) -> str:
        return f"<OriginRules {self.rules} fresh_until={self._fresh_until:.0f} failures={self._failures}>"

    @property
    def is_given_up(self) -> bool:
        """Whether it is waited for no more."""
        return self.rules is UNREACHABLE

    def is_known(self, now: float) -> bool:
        """Whether URLs can be judged by it at monotonic time `now`."""
        return self.rules is not None and now < self._fresh_until

    def take(self, rules: Robots, now: float) -> float | None:
        """Take an answer.

        Returns:
            None if URLs can be judged, else the seconds until it should be asked for again.
        """
        if not rules.is_unreachable:
            self.rules, self.is_asked, self._failures = rules, False, 0
            self._fetched_at, self._fresh_until = now, now + FRESH_S
            return None
        wait_s = RETRY_S[min(self._failures, len(RETRY_S) - 1)]
        self._failures += 1
        if self.rules is not None and now < self._fetched_at + STALE_S:
            self.is_asked, self._fresh_until = False, now + wait_s
            return None
        self.rules = None
        return wait_s

    def give_up(self, reason: str = NO_ROBOTS) -> None:
        """Wait for it no more: what it could allow fails, with this reason."""
        self.rules, self._fresh_until, self.reason = UNREACHABLE, math.inf, reason


class Origins:
    """The robots.txt of every origin of one host."""

    __slots__ = ("_by_origin",)

    def __init__(self) -> None:
        self._by_origin: dict[str, OriginRules] = {}

    def __contains__(self, origin: str) -> bool:
        return origin in self._by_origin

    @property
    def has_any(self) -> bool:
        """Whether the robots.txt of any of them was had."""
        return any(known.rules is not None and not known.is_given_up for known in self._by_origin.values())

    @property
    def lacks_any(self) -> bool:
        """Whether a robots.txt is asked for of which there is no copy."""
        return any(known.is_asked and known.rules is None for known in self._by_origin.values())

    @property
    def is_asking(self) -> bool:
        """Whether any robots.txt is asked for."""
        return any(known.is_asked for known in self._by_origin.values())

    def is_known(self, origin: str, now: float) -> bool:
        """Whether the URLs of an origin can be judged at monotonic time `now`."""
        known = self._by_origin.get(origin)
        return known is not None and known.is_known(now)

    def has_given_up(self, origin: str) -> bool:
        """Whether the robots.txt of an origin is waited for no more."""
        return origin in self._by_origin and self._by_origin[origin].is_given_up

    def begin_asking(self, origin: str) -> bool:
        """Note that a robots.txt is asked for; returns False if that was so already."""
        known = self._of(origin)
        was_asked, known.is_asked = known.is_asked, True
        return not was_asked

    def take(self, origin: str, rules: Robots, now: float) -> float | None:
        """Take the answer for an origin, as `OriginRules.take` does."""
        return self._of(origin).take(rules, now)

    def fail(self, origin: str, reason: str) -> bool:
        """Ask no more for a robots.txt that cannot be had; returns False if there is a copy, which still holds."""
        known = self._of(origin)
        if known.rules is not None:
            return False
        known.give_up(reason)
        # Its host could never be forgotten while it is asked for.
        known.is_asked = False
        return True

    def give_up(self, origin: str) -> None:
        """Wait no more for a robots.txt that was asked for."""
        if origin in self._by_origin:
            self._by_origin[origin].give_up()

    def refusal(self, request: Request) -> tuple[Outcome, str] | None:
        """With which outcome and reason a request is dropped for the robots.txt of its origin; None if it is not."""
        if request.kind == "robots":
            return None
        known = self._by_origin[urls.origin(request.url)]
        rules = known.rules
        assert rules is not None
        if rules.is_unreachable:
            return "failed", known.reason
        return None if rules.allows(request.url) else ("skipped", "robots")

    def may_allow(self, url: str) -> bool:
        """Whether a URL may be asked for, as far as the robots.txt of its origin is known."""
        known = self._by_origin.get(urls.origin(url))
        return known is None or known.rules is None or known.rules.allows(url)

    def _of(self, origin: str) -> OriginRules:
        return self._by_origin.setdefault(origin, OriginRules())

"""When one host may next be asked: the gap, the slow-down, the breaker. Nothing here sleeps or reads a clock.

What makes a gap as long as it is stands here and nowhere else; whoever forecasts or explains a gap asks.
"""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from crawler.settings.groups import PolitenessSettings

GapCause = Literal["delay", "crawl_delay", "answer_time", "slow_down"]

SLOW_DOWN_STATUSES = frozenset({429, 503})
# A host that is asked without a delay gets a gap of this many seconds at its first slow-down.
MIN_SLOW_GAP_S = 1.0
# A slowed host gains this many requests a second back with each good answer.
RECOVERY_PER_ANSWER = 0.1
# A slowed host has recovered when its gap is shorter than this many seconds.
NEGLIGIBLE_GAP_S = 0.01
# A host that does not answer is left alone for so many seconds the first, the second and every later time.
PARK_S = (300.0, 900.0, 3600.0)
# What an earlier session was asked for and takes more seconds than a week comes of a clock that was set since.
MAX_RESTORED_S = 7 * 24 * 3600.0
# A Retry-After with more characters than this is no date.
MAX_DATE_CHARS = 64
_SECONDS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{0,9})?", re.ASCII)


def own_delay_s(settings: PolitenessSettings, site_delay_s: float | None) -> float:
    """The delay that the user asks for on a host, in seconds.

    Args:
        settings: The crawl's politeness.
        site_delay_s: The delay of the host's own site, seconds; None takes the crawl's.
    """
    return settings.delay_s if site_delay_s is None else site_delay_s


def answer_gap_s(settings: PolitenessSettings, delay_s: float, answer_s: float) -> float:
    """The gap that the time of an answer asks for, in seconds: a slow server is given longer rests.

    A user who asks for no delay has servers that can bear it, so there is no such gap then.

    Args:
        settings: The crawl's politeness.
        delay_s: The delay that the user asks for on the host, seconds.
        answer_s: How long the last answer took, seconds.
    """
    return min(settings.max_adaptive_delay_s, settings.adaptive_factor * answer_s) if delay_s > 0 else 0.0


def steady_gap_s(settings: PolitenessSettings, site_delay_s: float | None, answer_s: float) -> float:
    """The gap of a host that answers well and whose robots.txt asks for none, in seconds.

    Args:
        settings: The crawl's politeness.
        site_delay_s: The delay of the host's own site, seconds; None takes the crawl's.
        answer_s: How long its answers take, seconds.
    """
    delay_s = own_delay_s(settings, site_delay_s)
    return max(delay_s, answer_gap_s(settings, delay_s, answer_s))


class Pace:
    """The pace of one host; the gap runs from the end of the last response.

    Args:
        settings: The crawl's politeness.
        delay_s: The delay that the host's own site asks for, seconds; None takes the crawl's.

    Attributes:
        has_site_delay: Whether the delay that the user asks for is that of the host's own site.
        gap_s: Seconds between the end of a response and the next request.
        last_at: Monotonic time at which a request left or ended last, minus infinity if none did.
        next_at: Monotonic time from which the host may be asked, minus infinity if it never was.
        failures: Network failures in a row.
        parked_until: Monotonic time before which the host is left alone altogether, minus infinity if it is not.
        park_reason: Why it was last parked: `network`, `robots` (its robots.txt cannot be had), `retry_after`, or
            `retry_after_too_long` where the server asks for more than `max_retry_after_s`; None if it never was
            or has recovered.
    """

    __slots__ = (
        "_adaptive_s",
        "_crawl_delay_s",
        "_delay_s",
        "_is_restored",
        "_parks",
        "_settings",
        "_slow_s",
        "_slowed_at",
        "failures",
        "gap_s",
        "has_site_delay",
        "last_at",
        "next_at",
        "park_reason",
        "parked_until",
    )

    def __init__(self, settings: PolitenessSettings, delay_s: float | None = None) -> None:
        self._settings = settings
        self._delay_s = own_delay_s(settings, delay_s)
        self.has_site_delay = delay_s is not None
        self._crawl_delay_s = 0.0
        self._is_restored = False
        self._adaptive_s = 0.0
        self._slow_s = 0.0
        self._slowed_at = -math.inf
        self._parks = 0
        self.failures = 0
        self.gap_s = self._delay_s
        self.last_at = -math.inf
        self.next_at = -math.inf
        self.parked_until = -math.inf
        self.park_reason: str | None = None

    def __repr__(self) -> str:
        return f"<Pace gap={self.gap_s:.3f}s next_at={self.next_at:.3f} failures={self.failures} {self.park_reason}>"

    @property
    def delay_s(self) -> float:
        """The delay that the user asks for here, seconds."""
        return self._delay_s

    @property
    def gap_cause(self) -> GapCause:
        """What makes the gap as long as it is: the user, robots.txt, slow answers, or a request to slow down."""
        if self.gap_s <= self._delay_s:
            return "delay"
        if self.gap_s <= self._crawl_delay_s:
            return "crawl_delay"
        return "slow_down" if self.gap_s <= self._slow_s else "answer_time"

    @property
    def is_skipped_for_crawl_delay(self) -> bool:
        """Whether robots.txt asks for more patience than the user has."""
        return self._crawl_delay_s > self._settings.max_crawl_delay_s

    @property
    def firm_gap_s(self) -> float:
        """The part of the gap that never shrinks: what the user and robots.txt ask for, seconds."""
        return max(self._delay_s, self._crawl_delay_s)

    @property
    def has_crawl_delay(self) -> bool:
        """Whether it is robots.txt that asks for the firm part of the gap."""
        return self._crawl_delay_s > self._delay_s

    @property
    def crawl_delay_s(self) -> float | None:
        """What robots.txt asks for, seconds; None if it asks for nothing."""
        return self._crawl_delay_s or None

    @property
    def is_calm(self) -> bool:
        """Whether the host has given no cause to be spared more than any other."""
        return not (self.failures or self._parks or self._slow_s or self.park_reason)

    def is_parked(self, now: float) -> bool:
        """Whether the host is being left alone for longer than its gap."""
        return now < self.parked_until

    def is_waited_for(self, now: float) -> bool:
        """Whether its turn comes for sure: it cools down, or asked for a time that the user grants."""
        return not self.is_parked(now) or self.park_reason == "retry_after"

    def is_put_off(self, now: float) -> bool:
        """Whether it asked to be left alone for longer than the user waits."""
        return self.is_parked(now) and self.park_reason == "retry_after_too_long"

    def restore_park(self, now: float, seconds: float) -> None:
        """Keep to what an earlier session was asked for: leave the host alone for some seconds from `now`."""
        if seconds > MAX_RESTORED_S:
            seconds = max(PARK_S[-1], self._settings.max_retry_after_s)
        is_short = seconds <= self._settings.max_retry_after_s
        self.park(now, seconds, "retry_after" if is_short else "retry_after_too_long")

    @property
    def kept_at(self) -> float:
        """The `next_at` that a resume has to keep to: what the server asked for and not what it failed to answer."""
        asked_for = self.park_reason in ("retry_after", "retry_after_too_long")
        return self.next_at if asked_for else self.last_at + self.gap_s

    def obey_crawl_delay(self, crawl_delay_s: float | None) -> None:
        """Obey a crawl-delay in seconds, from the last response on; the longest counts, since origins share a host."""
        known_s = 0.0 if self._is_restored else self._crawl_delay_s
        self._crawl_delay_s, self._is_restored = max(known_s, crawl_delay_s or 0.0), False
        self._settle()

    def restore_gap(self, gap_s: float) -> None:
        """Keep a gap in seconds of an earlier session until `obey_crawl_delay` says what robots.txt asks for."""
        self._crawl_delay_s, self._is_restored = gap_s, True
        self._settle()

    def park(self, now: float, seconds: float, reason: str = "robots") -> None:
        """Leave the host alone for some seconds from monotonic time `now`; a longer park that it is in stays."""
        self.parked_until = max(self.parked_until, now + seconds)
        self.next_at = max(self.next_at, self.parked_until)
        self.park_reason = reason

    def asked(self, now: float) -> None:
        """A request leaves at monotonic time `now`, or one may have left before a restart."""
        self.last_at = now
        next_at = now + self.gap_s
        self.next_at = next_at if next_at > self.parked_until else self.parked_until

    def answered(self, now: float, elapsed_s: float, status: int, retry_after_s: float | None = None) -> None:
        """A response ended.

        Args:
            now: Monotonic time.
            elapsed_s: How long the request took, seconds.
            status: HTTP status.
            retry_after_s: What `retry_after_s` made of the answer's Retry-After, used for 4xx and 5xx.
        """
        self.last_at = now
        self.failures = self._parks = 0
        self._adaptive_s = answer_gap_s(self._settings, self._delay_s, elapsed_s)
        if status in SLOW_DOWN_STATUSES:
            self._slow_down(now, elapsed_s)
        elif self._slow_s and status < 500:
            self._recover()
        if retry_after_s and status >= 400:
            is_short = retry_after_s <= self._settings.max_retry_after_s
            self.park(now, retry_after_s, "retry_after" if is_short else "retry_after_too_long")
        elif now >= self.parked_until:
            self.park_reason = None
        self._settle()

    def failed(self, now: float, is_network: bool) -> None:
        """A request ended without an answer.

        Args:
            now: Monotonic time.
            is_network: Whether the host could not be reached or fell silent, in contrast to an answer we refuse.
        """
        self.asked(now)
        if not is_network:
            return
        self.failures += 1
        # Requests that were under way together fail together; that is one reason to park, not several.
        if self.failures >= self._settings.breaker_failures and not self.is_parked(now):
            self.park(now, PARK_S[min(self._parks, len(PARK_S) - 1)], "network")
            self._parks += 1

    def _longest_s(self) -> float:
        return max(self._delay_s, self._crawl_delay_s, self._adaptive_s, self._slow_s)

    def _settle(self) -> None:
        """Reckon the gap, and when it ends, anew."""
        self.gap_s = self._longest_s()
        self.next_at = max(self.last_at + self.gap_s, self.parked_until)

    def _slow_down(self, now: float, elapsed_s: float) -> None:
        # Requests that left before the last slow-down could not know of it.
        if now - elapsed_s < self._slowed_at:
            return
        self._slow_s = min(self._settings.max_backoff_s, max(MIN_SLOW_GAP_S, 2 * self._longest_s()))
        self._slowed_at = now

    def _recover(self) -> None:
        """Additive increase of the rate, but at most a doubling."""
        slow_s = max(self._slow_s / 2, self._slow_s / (1 + self._slow_s * RECOVERY_PER_ANSWER))
        usual_s = max(self._delay_s, self._crawl_delay_s, NEGLIGIBLE_GAP_S)
        self._slow_s = slow_s if slow_s > usual_s else 0.0


def retry_after_s(value: str | None, now_wall: float) -> float | None:
    """Read a Retry-After field.

    Args:
        value: Seconds or an HTTP date, or None.
        now_wall: Wall clock, Unix seconds.

    Returns:
        Seconds from now, 0 for a date that has passed, None for anything that is neither.

    Source: RFC 9110, 10.2.3.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if not text or len(text) > MAX_DATE_CHARS:
        return None
    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return max(0.0, when.timestamp() - now_wall)
    except (ValueError, TypeError, IndexError, OverflowError):
        # The date parser raises any of these on junk.
        return None

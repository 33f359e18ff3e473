"""When one host may next be asked: the gap, the slow-down, the breaker. Nothing here sleeps or reads a clock."""

from __future__ import annotations

import math
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from crawler.settings.groups import PolitenessSettings

GapCause = Literal["delay", "crawl_delay", "answer_time", "slow_down"]

SLOW_DOWN_STATUSES = frozenset({429, 503})
MIN_SLOW_GAP_S = 1.0  # the first slow-down of a host that is asked without a delay
RECOVERY_PER_ANSWER = 0.1  # requests a second that a slowed host gains back with each good answer
NEGLIGIBLE_GAP_S = 0.01
PARK_S = (300.0, 900.0, 3600.0)  # the first, the second and every later stop of a host that does not answer
MAX_DATE_CHARS = 64
_SECONDS = re.compile(r"[0-9]{1,18}(?:\.[0-9]{0,9})?", re.ASCII)


class Pace:
    """The pace of one host; the gap runs from the end of the last response.

    Args:
        settings: The crawl's politeness.
        delay_s: The delay that the host's own site asks for, seconds; None takes the crawl's.

    Attributes:
        parked_until: Monotonic time before which the host is left alone altogether, minus infinity if it is not.
        park_reason: Why it was last parked: `network`, `robots` (its robots.txt cannot be had), `retry_after`, or
            `retry_after_too_long` where the server asks for more than `max_retry_after_s`; None if it never was
            or has recovered.
    """

    __slots__ = (
        "_adaptive_s",
        "_crawl_delay_s",
        "_delay_s",
        "_failures",
        "_parks",
        "_settings",
        "_since",
        "_slow_s",
        "_slowed_at",
        "park_reason",
        "parked_until",
    )

    def __init__(self, settings: PolitenessSettings, delay_s: float | None = None) -> None:
        self._settings = settings
        self._delay_s = settings.delay_s if delay_s is None else delay_s
        self._crawl_delay_s = 0.0
        self._adaptive_s = 0.0
        self._slow_s = 0.0
        self._slowed_at = -math.inf
        self._since = -math.inf
        self._failures = 0
        self._parks = 0
        self.parked_until = -math.inf
        self.park_reason: str | None = None

    def __repr__(self) -> str:
        return f"<Pace gap={self.gap_s:.3f}s next_at={self.next_at:.3f} failures={self._failures} {self.park_reason}>"

    @property
    def gap_s(self) -> float:
        """Seconds between the end of a response and the next request."""
        return max(self._delay_s, self._crawl_delay_s, self._adaptive_s, self._slow_s)

    @property
    def gap_cause(self) -> GapCause:
        """What makes the gap as long as it is: the user, robots.txt, slow answers, or a request to slow down."""
        gap_s = self.gap_s
        if gap_s <= self._delay_s:
            return "delay"
        if gap_s <= self._crawl_delay_s:
            return "crawl_delay"
        return "slow_down" if gap_s <= self._slow_s else "answer_time"

    @property
    def last_at(self) -> float:
        """Monotonic time at which a request left or ended last; minus infinity if none did."""
        return self._since

    @property
    def next_at(self) -> float:
        """Monotonic time from which the host may be asked; minus infinity if it never was."""
        return max(self._since + self.gap_s, self.parked_until)

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
        return not (self._failures or self._parks or self._slow_s or self.park_reason)

    @property
    def failures(self) -> int:
        """Network failures in a row."""
        return self._failures

    def is_parked(self, now: float) -> bool:
        """Whether the host is being left alone for longer than its gap."""
        return now < self.parked_until

    def obey_crawl_delay(self, crawl_delay_s: float | None) -> None:
        """Obey a crawl-delay in seconds, from the last response on; the longest counts, since origins share a host."""
        self._crawl_delay_s = max(self._crawl_delay_s, crawl_delay_s or 0.0)

    def park(self, now: float, seconds: float, reason: str = "robots") -> None:
        """Leave the host alone for some seconds from monotonic time `now`; a longer park that it is in stays."""
        self.parked_until = max(self.parked_until, now + seconds)
        self.park_reason = reason

    def asked(self, now: float) -> None:
        """A request leaves at monotonic time `now`, or one may have left before a restart."""
        self._since = now

    def answered(self, now: float, elapsed_s: float, status: int, retry_after_s: float | None = None) -> None:
        """A response ended.

        Args:
            now: Monotonic time.
            elapsed_s: How long the request took, seconds.
            status: HTTP status.
            retry_after_s: What `retry_after_s` made of the answer's Retry-After, used for 4xx and 5xx.
        """
        self._since = now
        self._failures = self._parks = 0
        settings = self._settings
        # A user who asks for no delay has servers that can bear it; what the server itself asks for still counts.
        if self._delay_s > 0:
            self._adaptive_s = min(settings.max_adaptive_delay_s, settings.adaptive_factor * elapsed_s)
        if status in SLOW_DOWN_STATUSES:
            self._slow_down(now, elapsed_s)
        elif self._slow_s and status < 500:
            self._recover()
        if retry_after_s and status >= 400:
            is_short = retry_after_s <= settings.max_retry_after_s
            self.park(now, retry_after_s, "retry_after" if is_short else "retry_after_too_long")
        elif now >= self.parked_until:
            self.park_reason = None

    def failed(self, now: float, is_network: bool) -> None:
        """A request ended without an answer.

        Args:
            now: Monotonic time.
            is_network: Whether the host could not be reached or fell silent, in contrast to an answer we refuse.
        """
        self._since = now
        if not is_network:
            return
        self._failures += 1
        # Requests that were under way together fail together; that is one reason to park, not several.
        if self._failures >= self._settings.breaker_failures and not self.is_parked(now):
            self.park(now, PARK_S[min(self._parks, len(PARK_S) - 1)], "network")
            self._parks += 1

    def _slow_down(self, now: float, elapsed_s: float) -> None:
        # Requests that left before the last slow-down could not know of it.
        if now - elapsed_s < self._slowed_at:
            return
        self._slow_s = min(self._settings.max_backoff_s, max(MIN_SLOW_GAP_S, 2 * self.gap_s))
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
    except (ValueError, TypeError, IndexError, OverflowError):  # what the date parser raises on junk
        return None

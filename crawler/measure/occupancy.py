"""How much of a crawl is at work at a time: what kept the next request from leaving, and a table of moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crawler.measure.stats import TimelineStats

Hold = Literal["turn", "slots", "hand_off", "nothing"]
# At its `turn` a slot is free, and what waits is for hosts that may not be asked yet; with `slots` all are taken; with
# `hand_off` what was fetched and is not written yet fills its memory; with `nothing` no URL is known to ask for.
HOLDS: tuple[Hold, ...] = ("turn", "slots", "hand_off", "nothing")

COLUMNS = (
    "at_s", "pages", "requests", "failed", "bytes", "in_flight", "slots", "held_bytes", "hand_off_bytes", "parsing",
    "waiting_commit", "main_cpu_s", "parse_cpu_s", "commit_busy_s", "urls_known", "pending",
)  # fmt: skip
MAX_ROWS = 600  # The table has this many rows at most.
FIRST_STEP_S = 0.25  # Two rows are this many seconds apart at first.


class Occupancy:
    """Adds up, from one look to the next, how long what was so.

    Attributes:
        holds: Seconds for which each was what kept the next request from leaving.
        in_flight_s: Requests in flight, summed over time.
        observed_s: Seconds from the first look to the last.
    """

    def __init__(self) -> None:
        self.holds: dict[Hold, float] = dict.fromkeys(HOLDS, 0.0)
        self.in_flight_s = 0.0
        self.observed_s = 0.0
        self._last: float | None = None
        self._hold: Hold = "nothing"
        self._in_flight = 0

    def look(self, now: float, hold: Hold, in_flight: int) -> None:
        """See what is so from this moment on.

        Args:
            now: Monotonic seconds.
            hold: What keeps the next request from leaving.
            in_flight: Requests that are being fetched.
        """
        if self._last is not None:
            span = now - self._last
            self.holds[self._hold] += span
            self.in_flight_s += self._in_flight * span
            self.observed_s += span
        self._last, self._hold, self._in_flight = now, hold, in_flight

    def catch_up(self, now: float) -> None:
        """What was so at the last look is so until now, monotonic seconds."""
        if self._last is not None and now > self._last:
            self.look(now, self._hold, self._in_flight)


class Timeline:
    """Figures of at most `MAX_ROWS` moments, evenly apart, a row each; the step doubles when the table is full."""

    def __init__(self) -> None:
        self.columns: Sequence[str] = COLUMNS
        self.rows: list[tuple[float, ...]] = []
        self.step_s = FIRST_STEP_S

    def add(self, *row: float) -> None:
        """Add a moment's figures, in the order of the columns."""
        self.rows.append(row)
        if len(self.rows) >= MAX_ROWS:
            del self.rows[::2]
            self.step_s *= 2

    def stats(self) -> TimelineStats:
        """The table for stats.json."""
        return TimelineStats(list(self.columns), list(self.rows))

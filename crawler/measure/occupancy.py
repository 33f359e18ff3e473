"""How much of a crawl is at work at a time: what kept the next request from leaving, and a table of moments.

The time of a crawl by the clock is put down to one thing at each moment, so that its parts add up to the whole: what
pages wait for overlaps, and a sum over pages says of a crawl that waits for its delay that it waits for its disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

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


# A crawl waits for `politeness` while the gap of a host, or the time for which it is left alone, is all that keeps the
# next request from leaving; for `servers` while answers are to come; for `parsing` and `writing` while only pages that
# it has can lead on; and `main` is when its own process has something to do.
TimeOf = Literal["politeness", "servers", "parsing", "writing", "main"]
TIMES: tuple[TimeOf, ...] = ("politeness", "servers", "parsing", "writing", "main")


class Queues(Struct, frozen=True):
    """What else there is to know at a look.

    Args:
        cooling: Hosts that have something to be asked for and whose turn is to come.
        parsing: Pages that are being parsed, or wait for a worker.
        writing: Finished requests that are not committed yet.
        busy_s: Seconds for which the main process has been busy so far.
    """

    cooling: int = 0
    parsing: int = 0
    writing: int = 0
    busy_s: float = 0.0


NO_QUEUES = Queues()


class Occupancy:
    """Adds up, from one look to the next, how long what was so.

    Args:
        per_host: Requests that one host may have in flight.

    Attributes:
        holds: Seconds for which each was what kept the next request from leaving.
        times: Seconds that were put down to each of `TIMES`; all together they are `observed_s`.
        in_flight_s: Requests in flight, summed over time.
        observed_s: Seconds from the first look to the last.
    """

    def __init__(self, per_host: int = 1) -> None:
        self.holds: dict[Hold, float] = dict.fromkeys(HOLDS, 0.0)
        self.times: dict[TimeOf, float] = dict.fromkeys(TIMES, 0.0)
        self.in_flight_s = 0.0
        self.observed_s = 0.0
        self._per_host = per_host
        self._last: float | None = None
        self._hold: Hold = "nothing"
        self._in_flight = 0
        self._queues = NO_QUEUES
        self._busy_s = 0.0  # This much of `Queues.busy_s` has been put down to `main`.

    def look(self, now: float, hold: Hold, in_flight: int, queues: Queues = NO_QUEUES) -> None:
        """See what is so from this moment on.

        Args:
            now: Monotonic seconds.
            hold: What keeps the next request from leaving.
            in_flight: Requests that are being fetched.
            queues: What else there is to do.
        """
        if self._last is not None:
            span = now - self._last
            self.holds[self._hold] += span
            self.in_flight_s += self._in_flight * span
            self.observed_s += span
            self._put_down(span, queues.busy_s)
        else:
            self._busy_s = queues.busy_s
        self._last, self._hold, self._in_flight, self._queues = now, hold, in_flight, queues

    def _put_down(self, span: float, busy_s: float) -> None:
        """Put down the seconds since the last look to what they were spent on."""
        busy = min(span, max(0.0, busy_s - self._busy_s))
        self._busy_s += busy
        self.times["main"] += busy
        span -= busy
        if self._hold == "turn":
            polite = span * self._polite_share()
            self.times["politeness"] += polite
            self.times["servers"] += span - polite
        else:
            self.times[self._waited_for()] += span

    def _polite_share(self) -> float:
        """The share of the hosts that are waited for whose gap it is, and not an answer."""
        cooling = self._queues.cooling
        # A host that may be asked for more at a time can be cooling down with all but one of them in flight.
        answering = max(0, self._in_flight - cooling * (self._per_host - 1)) / self._per_host
        if not cooling:
            return 0.0 if self._in_flight else 1.0  # Without either, a try that failed has to wait.
        return cooling / (cooling + answering)

    def _waited_for(self) -> TimeOf:
        """What is waited for where no host's turn is."""
        queues = self._queues
        if self._hold == "slots" or (self._hold == "nothing" and self._in_flight):
            return "servers"
        if queues.parsing:
            return "parsing"
        if queues.writing:
            return "writing"
        return "servers" if self._in_flight else "main"

    def catch_up(self, now: float) -> None:
        """What was so at the last look is so until now, monotonic seconds."""
        if self._last is not None and now > self._last:
            self.look(now, self._hold, self._in_flight, self._queues)


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

"""How long the stages of one page take in a parse worker, by the clock."""

from __future__ import annotations

from time import perf_counter

DECODE, PARSE, EXTRACT, SERIALISE = range(4)  # places in `Parsed.laps_s`


class Laps:
    """A stopwatch that puts the time since it was last looked at down to a stage."""

    __slots__ = ("_at", "_seconds")

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A page begins."""
        self._seconds = [0.0, 0.0, 0.0, 0.0]
        self._at = perf_counter()

    def lap(self, stage: int) -> None:
        """What was done since the last look belongs to this stage."""
        now = perf_counter()
        self._seconds[stage] += now - self._at
        self._at = now

    @property
    def seconds(self) -> tuple[float, float, float, float]:
        """What each stage took, seconds."""
        decode, parse, extract, serialise = self._seconds
        return decode, parse, extract, serialise

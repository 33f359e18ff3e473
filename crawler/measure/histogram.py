"""How long something took, over and over: a histogram with buckets that grow with what they hold."""

from __future__ import annotations

from math import frexp

from crawler.measure.stats import StageStats

_PER_OCTAVE = 4  # A number and its double are this many buckets apart, so a quantile is off by a quarter at most.
_LOWEST = -20  # What takes less than two to the power of this in seconds, a microsecond, counts as that.
_HIGHEST = 20  # What takes longer than two to the power of this in seconds, twelve days, counts as that.
_BUCKETS = (_HIGHEST - _LOWEST) * _PER_OCTAVE
_OFFSET = -_LOWEST * _PER_OCTAVE - _PER_OCTAVE


class Histogram:
    """Durations, counted in buckets a quarter wide; adding one costs about as much as a look into a dictionary."""

    __slots__ = ("_counts", "count", "max_s", "total_s")

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self.max_s = 0.0
        self._counts = [0] * _BUCKETS

    def __repr__(self) -> str:
        return f"<Histogram {self.count} durations, {self.total_s:.3f} s, {self.max_s:.3f} s at most>"

    def add(self, seconds: float) -> None:
        """Count a duration; what is below zero counts as zero."""
        self.count += 1
        if seconds <= 0.0:
            self._counts[0] += 1
            return
        self.total_s += seconds
        if seconds > self.max_s:
            self.max_s = seconds
        mantissa, exponent = frexp(seconds)
        # The mantissa is in [0.5, 1): times twice the buckets of an octave it counts on from their number.
        index = exponent * _PER_OCTAVE + int(mantissa * (2 * _PER_OCTAVE)) + _OFFSET
        if index < 0:
            index = 0
        elif index >= _BUCKETS:
            index = _BUCKETS - 1
        self._counts[index] += 1

    def quantile(self, share: float) -> float:
        """The duration that this share of all does not exceed, seconds: the upper end of its bucket, 0 for none."""
        wanted, seen = share * self.count, 0
        for index, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(_upper_s(index), self.max_s)
        return self.max_s

    def buckets(self) -> list[tuple[float, int]]:
        """The buckets that hold something: their upper ends in seconds, and how many durations are in each."""
        return [(_upper_s(index), count) for index, count in enumerate(self._counts) if count]

    def stats(self) -> StageStats:
        """The figures for stats.json."""
        half, most, nearly_all = (round(self.quantile(share), 6) for share in (0.5, 0.9, 0.99))
        sums = (round(self.total_s, 6), round(self.max_s, 6))
        return StageStats(self.count, *sums, half, most, nearly_all, self.buckets())


def _upper_s(index: int) -> float:
    """The upper end of a bucket, seconds."""
    octave, part = divmod(index - _OFFSET - _PER_OCTAVE, _PER_OCTAVE)
    return float((1 + (part + 1) / _PER_OCTAVE) * 2.0 ** (octave - 1))

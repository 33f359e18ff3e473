"""Measurements, their spread over the rounds, and under which conditions they were made; both commands report these."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable

from msgspec import Struct

US = 1e6  # A second has so many microseconds.


class Sample(Struct, frozen=True, kw_only=True):
    """One measurement.

    Args:
        count: Pages, or whatever else was counted.
        wall_s: How long it took, seconds.
        cpu_s: CPU time by process, seconds.
        bytes_read: Bytes of the bodies.
        peak_bytes: The most memory, by process, bytes.
        detail: Further figures, each named with its unit.
    """

    count: int
    wall_s: float
    cpu_s: dict[str, float] = {}
    bytes_read: int = 0
    peak_bytes: dict[str, int] = {}
    detail: dict[str, float] = {}


class Spread(Struct, frozen=True):
    """The median of several rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of at least one value."""
        kept = list(values)
        return cls(statistics.median(kept), min(kept), max(kept))


class Conditions(Struct, frozen=True, kw_only=True):
    """Under which conditions something was measured.

    Args:
        version, python, system: Of the crawler, the interpreter and the kernel.
        pages_from: The lab, or a folder.
        pages: How many there are.
        page_bytes: Their size on average, bytes.
        concurrency: Requests in flight.
        rounds: How often each thing was measured.
        others_cores: Processors that other programs kept busy meanwhile.
    """

    version: str
    python: str
    system: str
    pages_from: str
    pages: int
    page_bytes: int
    concurrency: int
    rounds: int
    others_cores: float = 0.0


def per_s(samples: Iterable[Sample]) -> Spread:
    """How many pages a second were measured in all rounds."""
    return Spread.of(sample.count / max(sample.wall_s, 1e-9) for sample in samples)


def median(samples: Iterable[Sample], value: Callable[[Sample], float]) -> float:
    """The median over all rounds of a value that each measurement has."""
    return statistics.median(map(value, samples))

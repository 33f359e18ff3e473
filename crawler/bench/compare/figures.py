"""What is measured of each way to crawl, and what all measurements amount to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from crawler.bench.rounds import Measured
from crawler.bench.samples import US, Conditions, Sample, Spread, median, per_s

MODES = ("inline", "threads", "processes")
PARSERS = ("bs4", "lexbor")
BASELINE = ("sequential", "inline")


class CompareConditions(Conditions, frozen=True, kw_only=True):
    """Under which conditions the ways to crawl were compared; `sequential` has one request under way all the same.

    Args:
        cores: Processors that may be used, and parse workers.
        latency_ms: What each answer waited for, milliseconds.
        start_cpu_s: Strategy and parse mode → CPU time of the main process in a crawl of one page, seconds.
        missing: A sentence for each strategy that could not be measured.
    """

    cores: int
    latency_ms: float
    start_cpu_s: dict[str, dict[str, float]]
    missing: list[str]


class Own(Struct, frozen=True, kw_only=True):
    """What was found out about the user's own sites.

    Args:
        run: The folder that keeps what was fetched.
        sites: How many of them answered.
        pages: HTML pages that were kept.
        page_bytes: Their median size, decoded, bytes.
        latency_ms: Median time from a request to the end of its answer, milliseconds.
        polite_per_s: Pages a second that politeness allows on all of them together; None for no bound.
    """

    run: str
    sites: int
    pages: int
    page_bytes: int
    latency_ms: float
    polite_per_s: float | None


class Row(Struct, frozen=True, kw_only=True):
    """Whole crawls in one way.

    Args:
        strategy, parse: Which way.
        pages: Pages of each crawl.
        per_s: Pages a second, from the first request to the end.
        main_s, workers_s: CPU time of the main process without its start, of the workers with theirs, seconds.
        peak_bytes: The most memory of all processes together, bytes.
        computing: Share of the crawl's time that the main process computes; it waits for the rest.
        speedup: Pages a second ÷ those of the baseline.
        rounds: The measurements.
    """

    strategy: str
    parse: str
    pages: int
    per_s: Spread
    main_s: Spread
    workers_s: Spread
    peak_bytes: int
    computing: float
    speedup: float
    rounds: list[Sample]


class Alone(Struct, frozen=True, kw_only=True):
    """The parse stage alone, in one mode with one parser.

    Args:
        parser, parse: Which.
        pages: Pages that were parsed; the same ones again where there were few.
        per_s: Pages a second, once all workers were ready.
        cpu_us: CPU time a page of all processes together, microseconds.
        speedup: Pages a second ÷ those of the same parser inline.
        ready_s: Until every worker had given its first answer, seconds; None without processes.
        packing_us, passing_us, unpacking_us: What a page costs the main process, microseconds: making bytes of it,
            sending them and receiving the answer, and making values of that; None without processes.
        worker_us: CPU time a page of its worker, microseconds; None without processes.
        rounds: The measurements.
    """

    parser: str
    parse: str
    pages: int
    per_s: Spread
    cpu_us: float
    speedup: float
    ready_s: Spread | None = None
    packing_us: float | None = None
    passing_us: float | None = None
    unpacking_us: float | None = None
    worker_us: float | None = None
    rounds: list[Sample] = []

    @property
    def price_us(self) -> float:
        """What a page costs the main process where another one parses it, microseconds."""
        return (self.packing_us or 0.0) + (self.passing_us or 0.0) + (self.unpacking_us or 0.0)


class Lesson(Struct, frozen=True):
    """One of the three lessons.

    Args:
        title: What it teaches.
        shows: Whether the figures bear it out.
        text: The figures.
    """

    title: str
    shows: bool
    text: str


class Way(Struct, frozen=True):
    """What a long crawl in one way would come to, reckoned from what was measured.

    Args:
        strategy, parse: Which way.
        pages_per_s: With as many requests under way as it can use.
        slots: How many those are.
    """

    strategy: str
    parse: str
    pages_per_s: float
    slots: int


class Advice(Struct, frozen=True):
    """What to do.

    Args:
        command: One command line.
        reason: Why.
        ways: What the reason rests on, the fastest first.
    """

    command: str
    reason: str
    ways: list[Way]


class Sameness(Struct, frozen=True):
    """Whether all runs gave the same records.

    Args:
        is_same: Whether they did.
        runs: How many runs.
        records: How many records each gave, of each work that was compared.
        sentence: What was found, with the first difference if there is one.
    """

    is_same: bool
    runs: int
    records: list[int]
    sentence: str


class CompareReport(Struct, frozen=True, kw_only=True):
    """All that a comparison found out.

    Args:
        about: What was compared, where and how.
        own: What was found out about the user's own sites; None where the lab alone was crawled.
        rows: Whole crawls.
        alone: The parse stage.
        same: Whether all gave the same records.
        lessons: The three lessons.
        advice: What to do.
    """

    about: CompareConditions
    own: Own | None
    rows: list[Row]
    alone: list[Alone]
    same: Sameness
    lessons: list[Lesson]
    advice: Advice


def row_of(rows: Iterable[Row], strategy: str, parse: str) -> Row | None:
    """The crawls in one way, None if there were none."""
    return next((row for row in rows if (row.strategy, row.parse) == (strategy, parse)), None)


def alone_of(alone: Iterable[Alone], parser: str, parse: str) -> Alone | None:
    """The parse stage in one mode, None if it was not measured."""
    return next((each for each in alone if (each.parser, each.parse) == (parser, parse)), None)


def rows(measured: Measured) -> list[Row]:
    """What the whole crawls amount to.

    Args:
        measured: Strategy and parse mode → its measurements; the baseline's are among them.
    """
    base = per_s(measured[BASELINE]).median
    return [
        Row(
            strategy=strategy,
            parse=parse,
            pages=samples[0].count,
            per_s=per_s(samples),
            main_s=Spread.of(sample.cpu_s["main"] for sample in samples),
            workers_s=Spread.of(sample.cpu_s["workers"] for sample in samples),
            peak_bytes=max(sum(sample.peak_bytes.values()) for sample in samples),
            computing=min(1.0, median(samples, lambda each: each.cpu_s["main"] / each.detail["crawl_s"])),
            speedup=per_s(samples).median / base,
            rounds=samples,
        )
        for (strategy, parse), samples in measured.items()
    ]


def parsing(measured: Measured) -> list[Alone]:
    """What the measurements of the parse stage amount to.

    Args:
        measured: Parser and parse mode → its measurements; those of `inline` are among them.
    """
    return [
        Alone(
            parser=parser,
            parse=parse,
            pages=samples[0].count,
            per_s=per_s(samples),
            cpu_us=_us(samples, lambda each: sum(each.cpu_s.values())),
            speedup=per_s(samples).median / per_s(measured[parser, "inline"]).median,
            rounds=samples,
            **(_price(samples) if parse == "processes" else {}),
        )
        for (parser, parse), samples in measured.items()
    ]


def _price(samples: Sequence[Sample]) -> dict[str, Any]:
    """What it costs to parse in processes, as fields of `Alone`."""
    return {
        "ready_s": Spread.of(sample.detail["ready_s"] for sample in samples),
        "packing_us": _us(samples, lambda each: each.detail["packing_s"]),
        "passing_us": _us(
            samples, lambda each: each.cpu_s["main"] - each.detail["packing_s"] - each.detail["unpacking_s"]
        ),
        "unpacking_us": _us(samples, lambda each: each.detail["unpacking_s"]),
        "worker_us": _us(samples, lambda each: each.cpu_s["workers"]),
    }


def _us(samples: Sequence[Sample], seconds: Callable[[Sample], float]) -> float:
    """What a page takes of some time, the median of all rounds, microseconds."""
    return median(samples, lambda each: max(0.0, seconds(each)) / each.count * US)

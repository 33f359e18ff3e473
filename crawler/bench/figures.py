"""What is made of measurements: medians with their spread, the limit of the machine, ratios, and what binds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from crawler.bench.samples import US, Conditions, Sample, Spread, median, per_s

NEARLY = 0.85  # A process that is busy for this share of its time binds the line.

Binding = Literal["main", "workers", "server", "cores", "others", "waiting"]


class Result(Struct, frozen=True, kw_only=True):
    """What was measured of one thing in all rounds.

    Args:
        part: Which part of the benchmark.
        variant: Which of the things compared in it.
        count: Pages, or whatever else was counted.
        per_s: Of those, a second.
        cpu_us: CPU time for one of them by process, microseconds.
        peak_bytes: The most memory by process, bytes.
        rounds: The measurements.
    """

    part: str
    variant: str
    count: int
    per_s: Spread
    cpu_us: dict[str, Spread]
    peak_bytes: dict[str, int]
    rounds: list[Sample]


class Limit(Struct, frozen=True, kw_only=True):
    """What no crawler in this language could pass on this machine: its cores, and the least that a page costs.

    Args:
        pages_per_s: Cores ÷ the sum of the three costs.
        cores: Processors that may be used.
        client: What the bare fetch was done with.
        bare_fetch_us, bare_parse_us, server_us: CPU time a page, microseconds.
    """

    pages_per_s: float
    cores: int
    client: str
    bare_fetch_us: float
    bare_parse_us: float
    server_us: float


class Bottleneck(Struct, frozen=True, kw_only=True):
    """What the whole line's figures mean.

    Args:
        strategy: Its strategy.
        of_limit: Its pages/s ÷ the limit's.
        main_of_bare_fetch: CPU time of the main process ÷ that of the bare fetch.
        workers_of_bare_parse: CPU time of the workers ÷ that of the bare parse; None where there are none.
        busy: Share of the time that each process computes, the workers on average; above 1 with several threads.
        binds: Which of them holds the line back.
    """

    strategy: str
    of_limit: float
    main_of_bare_fetch: float
    workers_of_bare_parse: float | None
    busy: dict[str, float]
    binds: Binding


class BenchConditions(Conditions, frozen=True, kw_only=True):
    """Under which conditions the parts and the whole line were measured.

    Args:
        parse, parser: How the whole line parses, and with which library.
    """

    parse: str
    parser: str


class BenchReport(Struct, frozen=True, kw_only=True):
    """All that a run of the benchmarks found out.

    Args:
        about: What was measured, where and how.
        limit: The limit of the machine; None if what it consists of was not measured.
        ratios: Part and variant → its CPU time a page ÷ that of the bare part.
        lines: What the figures of the whole line mean.
        results: All figures.
    """

    about: BenchConditions
    limit: Limit | None
    ratios: dict[str, float]
    lines: list[Bottleneck]
    results: list[Result]

    def of(self, part: str) -> list[Result]:
        """The results of a part, in the order of their variants."""
        return [result for result in self.results if result.part == part]


def summarise(part: str, variant: str, rounds: Sequence[Sample]) -> Result:
    """What the measurements of all rounds amount to."""
    processes = dict.fromkeys(name for sample in rounds for name in sample.cpu_s)
    owners = dict.fromkeys(name for sample in rounds for name in sample.peak_bytes)
    return Result(
        part=part,
        variant=variant,
        count=round(median(rounds, lambda sample: sample.count)),
        per_s=per_s(rounds),
        cpu_us={
            name: Spread.of(sample.cpu_s.get(name, 0.0) / sample.count * US for sample in rounds) for name in processes
        },
        peak_bytes={name: max(sample.peak_bytes.get(name, 0) for sample in rounds) for name in owners},
        rounds=list(rounds),
    )


def judge(about: BenchConditions, results: list[Result], cores: int, workers: int) -> BenchReport:
    """Put results into a report, with the limit and the ratios that they allow.

    Args:
        about: What was measured, where and how.
        results: All results.
        cores: Processors that may be used.
        workers: Parse workers of the whole line; 0 where it has none.
    """
    limit = _limit(results, cores)
    costs = {
        "fetch": _cost(results, "bare fetch", "fetcher"),
        "parse": _cost(results, "bare parse", "parser"),
    }
    ratios = {
        f"{result.part} {result.variant}": result.cpu_us[process].median / cost
        for result in results
        for part, process in (("fetch", "fetcher"), ("parse", "parser"))
        if result.part == part and (cost := costs[part])
    }
    lines = []
    if limit is not None:
        lines = [_line(result, limit, workers, about.others_cores) for result in results if result.part == "line"]
    return BenchReport(about=about, limit=limit, ratios=ratios, lines=lines, results=results)


def _cost(results: Iterable[Result], part: str, process: str) -> float | None:
    return next((result.cpu_us[process].median for result in results if result.part == part), None)


def _limit(results: Sequence[Result], cores: int) -> Limit | None:
    fetch = next((result for result in results if result.part == "bare fetch"), None)
    parse_us = _cost(results, "bare parse", "parser")
    if fetch is None or parse_us is None:
        return None
    fetch_us, server_us = fetch.cpu_us["fetcher"].median, fetch.cpu_us["server"].median
    return Limit(
        pages_per_s=cores * US / (fetch_us + parse_us + server_us),
        cores=cores,
        client=fetch.variant,
        bare_fetch_us=fetch_us,
        bare_parse_us=parse_us,
        server_us=server_us,
    )


def _line(result: Result, limit: Limit, workers: int, others_cores: float) -> Bottleneck:
    def median_of(name: str) -> float:
        return median(result.rounds, lambda sample: sample.detail[name])

    busy = {"main": median_of("main_cores"), "server": median_of("server_cores")}
    if workers:
        busy["workers"] = median_of("workers_cores") / workers
    in_use = busy["main"] + busy["server"] + busy.get("workers", 0.0) * workers
    return Bottleneck(
        strategy=result.variant,
        of_limit=result.per_s.median / limit.pages_per_s,
        main_of_bare_fetch=result.cpu_us["main"].median / limit.bare_fetch_us,
        workers_of_bare_parse=result.cpu_us["workers"].median / limit.bare_parse_us if workers else None,
        busy=busy,
        binds=_binding(busy, in_use / limit.cores, others_cores / limit.cores),
    )


def _binding(busy: dict[str, float], share: float, others: float) -> Binding:
    """What holds a line back.

    Args:
        busy: How busy its processes are.
        share: Which share of all cores they use together.
        others: And which share other programs use.
    """
    names: tuple[Binding, ...] = ("main", "workers", "server")
    busiest = max(names, key=lambda name: busy.get(name, 0.0))
    if busy[busiest] >= NEARLY:
        return busiest
    if share >= NEARLY:
        return "cores"
    return "others" if share + others >= NEARLY else "waiting"

"""The parts of a report about time: speed and occupancy, the stages of the pipeline, slow hosts and pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from crawler.log.terminal import duration, size
from crawler.measure.stats import StageStats, time_shares
from crawler.report import charts
from crawler.report.findings import Findings
from crawler.report.sections.markup import (
    HALF,
    LEFT,
    RIGHT,
    Html,
    details,
    figure,
    folded,
    link,
    more,
    note,
    pair,
    section,
    table,
)
from crawler.report.tally import DELAYS_MS

# Stages are grouped by what a page waits for or is worked on by, in the order in which it goes through them.
KINDS = {
    "turn": ("queue", "politeness"),
    "network": ("dns", "connect", "tls", "first_byte", "download"),
    "computing": ("decode", "parse", "extract", "serialise"),
    "hand-over": ("hand_off", "commit"),
}
_TITLES = {
    "turn": "Queue and politeness",
    "network": "Waiting for the network",
    "computing": "Computing",
    "hand-over": "Waiting to be parsed and written",
}
MAX_POINTS = 150  # A line has this many points at most; more are drawn together.
RATE_POINTS = 60  # A line of rates has this many points at most, because rates over short spans are noise.
# Points of rates are this many seconds apart at least: pages are counted when they are committed, twice a second.
RATE_S = 1.0
MIB = 1024 * 1024

Points = list[tuple[float, float]]
_Pictures = Sequence[tuple[str, str, Sequence[tuple[str, str]], int]]
Rows = Sequence[tuple[str, float, str]]


def speed(facts: Findings) -> Html:
    """Pages per second, and what was in flight, over time."""
    columns, rows = facts.stats.timeline.columns, facts.stats.timeline.rows
    whole = [row for row in rows if len(row) == len(columns)]
    if len(whole) < 2 or "at_s" not in columns:
        points = _fewer(facts.tally.rate.points())
        picture = figure(
            lambda width: charts.lines("Answers over time", [("answers", points)], "s", "per second", width)
        )
        return section("speed", "Speed", picture, note("By the time of each answer in the records."))
    figures = {name: [row[at] for row in whole] for at, name in enumerate(columns)}
    pictures = [_lines(title, unit, _rates(figures, wanted, factor)) for title, unit, wanted, factor in _RATES]
    pictures += [_lines(title, unit, _levels(figures, wanted, factor)) for title, unit, wanted, factor in _LEVELS]
    return section("speed", "Speed and occupancy", pair(*(each for each in pictures if each)))


# Each picture has a title, a unit, columns of the timeline with the names of their lines, and what is one of the unit.
_RATES: _Pictures = (
    ("Speed", "per second", (("requests", "requests"), ("pages", "pages"), ("failed", "failures")), 1),
    ("Received", "MiB per second", (("bytes", "received"),), MIB),
    (
        "Processors in use",
        "cores",
        (("main_cpu_s", "main"), ("parse_cpu_s", "parse workers"), ("commit_busy_s", "writer")),
        1,
    ),
)
_LEVELS: _Pictures = (
    (
        "In flight",
        "at that moment",
        (
            ("in_flight", "requests"),
            ("slots", "allowed"),
            ("parsing", "being parsed"),
            ("waiting_commit", "to be written"),
        ),
        1,
    ),
    ("URLs", "so far", (("urls_known", "known"), ("pending", "pending")), 1),
    ("Held in memory", "MiB", (("held_bytes", "pages"), ("hand_off_bytes", "limit")), MIB),
)


def _lines(title: str, unit: str, series: list[tuple[str, Points]]) -> Html:
    if not series:
        return Html("")
    return figure(lambda width: charts.lines(title, series, "s", unit, width), HALF)


def _rates(
    columns: dict[str, list[float]], wanted: Iterable[tuple[str, str]], factor: float = 1
) -> list[tuple[str, Points]]:
    """How fast counters grew, between moments that are far enough apart."""
    at = columns["at_s"]
    found = []
    for column, name in wanted:
        if values := columns.get(column):
            picked = _spaced(list(zip(at, values, strict=True)))
            steps = ((t1, v1 - v0, t1 - t0) for (t0, v0), (t1, v1) in pairwise(picked) if t1 > t0)
            found.append((name, [(moment, grown / spent / factor) for moment, grown, spent in steps]))
    return found


def _spaced(rows: Points) -> Points:
    """Moments that are far enough apart for rates, the last one among them."""
    gap = max((rows[-1][0] - rows[0][0]) / RATE_POINTS, min(RATE_S, rows[-1][0] / 8))
    picked = rows[:1]
    for row in rows[1:]:
        if row[0] - picked[-1][0] >= gap:
            picked.append(row)
    return picked if picked[-1] == rows[-1] else [*picked[: max(1, len(picked) - 1)], rows[-1]]


def _levels(
    columns: dict[str, list[float]], wanted: Iterable[tuple[str, str]], factor: float = 1
) -> list[tuple[str, Points]]:
    at = columns["at_s"]
    return [
        (name, _fewer([(moment, value / factor) for moment, value in zip(at, columns[column], strict=True)]))
        for column, name in wanted
        if column in columns
    ]


def _fewer(points: Points) -> Points:
    """Points drawn together until there are few enough."""
    while len(points) > MAX_POINTS:
        pairs = zip(points[::2], points[1::2], strict=False)
        points = [(x0, (y0 + y1) / 2) for (x0, y0), (_, y1) in pairs]
    return points


def stages(facts: Findings) -> Html:
    """Where the time of a page went, waiting and computing."""
    delays, clock = _delays(facts), _clock(facts)
    found = facts.stats.stages
    if not found:
        return section("stages", "Where the time went", clock, delays)
    kinds = {kind: [name for name in names if name in found] for kind, names in KINDS.items()}
    pictures = [_stage_bars(facts, _TITLES[kind], names) for kind, names in kinds.items() if names]
    rows = [_stage_row(name, kind, found[name]) for kind, names in kinds.items() for name in names]
    columns = [("Stage", LEFT), ("Kind", LEFT), ("Count", RIGHT), ("Total", RIGHT), ("Median", RIGHT)]
    columns += [("p90", RIGHT), ("p99", RIGHT), ("Max", RIGHT)]
    explained = note(
        "What pages wait for overlaps, so a sum can be longer than the crawl. Nine of ten times were no longer than "
        "the column p90 says. Where no unit stands: milliseconds."
    )
    by_stage = table("Time by stage", columns, rows)
    return section("stages", "Where the time went", clock, pair(*pictures), by_stage, explained, delays)


def _clock(facts: Findings) -> Html:
    """What the time of the crawl was put down to, one thing at each moment."""
    rows = [(label, float(share), f"{share} %") for label, share in time_shares(facts.stats.times_s)]
    if not rows:
        return Html("")
    return figure(lambda width: charts.bars("Time by the clock", rows, "since the first request", width, 100))


def _stage_bars(facts: Findings, title: str, names: Sequence[str]) -> Html:
    return figure(lambda width: charts.bars(title, _totals(facts, names), "summed over pages", width), HALF)


def _stage_row(name: str, kind: str, stage: StageStats) -> Sequence[object]:
    times = (stage.p50_s, stage.p90_s, stage.p99_s, stage.max_s)
    return name.replace("_", " "), kind, f"{stage.count:,}", duration(stage.total_s), *map(_ms, times)


def _totals(facts: Findings, names: Iterable[str]) -> Rows:
    found = facts.stats.stages
    return [(name.replace("_", " "), found[name].total_s, duration(found[name].total_s)) for name in names]


def _ms(seconds: float) -> str:
    """Milliseconds with as many digits as count."""
    return (
        f"{seconds * 1000:,.0f}"
        if seconds >= 0.1
        else f"{seconds * 1000:,.1f}"
        if seconds >= 0.001
        else f"{seconds * 1000:,.2f}"
    )


def _delays(facts: Findings) -> Html:
    counted = facts.tally.delays
    if not counted:
        return Html("")
    rows = [(_span(place), counted[place], f"{counted[place]:,}") for place in range(min(counted), max(counted) + 1)]
    return figure(lambda width: charts.bars("Response times", rows, "pages, from the request to the last byte", width))


def _span(place: int) -> str:
    """The times between two of the bounds."""
    low, high = DELAYS_MS[max(0, place - 1)], DELAYS_MS[min(place, len(DELAYS_MS) - 1)]
    if place == 0 or place == len(DELAYS_MS):
        return f"under {_time(high)}" if place == 0 else f"over {_time(high)}"
    return f"{low}–{high} ms" if high < 1000 else f"{_time(low)} – {_time(high)}"


def _time(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:g} s"


def hosts(facts: Findings) -> Html:
    """The hosts and pages that took most time."""
    times = {each.host: each for each in facts.stats.hosts}
    columns = [("Host", LEFT), ("Records", RIGHT), ("Ok", RIGHT), ("Received", RIGHT), ("Total time", RIGHT)]
    columns += [("Mean ms", RIGHT), ("Max ms", RIGHT)]
    if times:
        columns += [("First byte", RIGHT), ("Politeness", RIGHT), ("Delay", RIGHT)]
    rows = []
    for host in facts.hosts:
        cells = [host.key, f"{host.records:,}", f"{host.ok:,}", size(host.bytes), duration(host.ms / 1000)]
        cells += [f"{host.mean_ms:,.0f}", f"{host.worst_ms:,}"]
        if times:
            own = times.get(host.key)
            cells += (
                [duration(own.first_byte_s), duration(own.politeness_s), duration(own.delay_s)] if own else ["", "", ""]
            )
        rows.append(cells)
    figures = table("Slow hosts", columns, rows) if rows else note("No host was asked.")
    parts = [details("Figures of slow hosts", figures) if len(rows) > 2 else figures]
    parts.append(more(len(rows), facts.host_count, "hosts", facts.command("show")))
    if len(rows) > 2:
        bars = [(host.key, host.ms / 1000, duration(host.ms / 1000)) for host in facts.hosts[:12]]
        parts.insert(0, figure(lambda width: charts.bars("Slow hosts", bars, "waiting for answers", width)))
    return section("hosts", "Slow hosts", *parts)


def slow_pages(facts: Findings) -> Html:
    """The pages that took longest, and the largest."""
    slow = [
        (
            f"{(record.elapsed_ms or 0) / 1000:,.3f}",
            record.status or "–",
            _size(record.wire_bytes),
            link(record.url, facts.short(record.url)),
        )
        for record in facts.tally.slowest
    ]
    large = [
        (_size(record.bytes), _size(record.wire_bytes), link(record.url, facts.short(record.url)))
        for record in facts.tally.largest
    ]
    if not slow and not large:
        return Html("")
    return section(
        "pages",
        "Slow and large pages",
        folded("Slowest pages", [("Seconds", RIGHT), ("Status", RIGHT), ("Received", RIGHT), ("Page", LEFT)], slow),
        folded("Largest pages", [("Size", RIGHT), ("Received", RIGHT), ("Page", LEFT)], large),
    )


def _size(count: int | None) -> str:
    return "–" if count is None else size(count)

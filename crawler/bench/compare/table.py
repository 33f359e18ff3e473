"""A comparison as text of at most 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crawler.bench.compare.figures import Alone, CompareReport, Row
from crawler.bench.samples import Spread
from crawler.bench.text import COLUMNS, columns, joined, paragraph, percent, versions, warning
from crawler.log.terminal import printable, size
from crawler.measure.procfs import MIB

_OPTION = re.compile(" (?=--|https?:)")


def show(report: CompareReport) -> str:
    """All that was found out, as text."""
    same = paragraph(report.same.sentence)
    return joined([_head(report), _crawls(report), _stage(report), same, _lessons(report), _advice(report)])


def _head(report: CompareReport) -> Iterator[str]:
    about, own = report.about, report.own
    yield f"{versions(about)}, {'1 core' if about.cores == 1 else f'{about.cores} cores'}"
    if own is not None:
        found = f"answered in {own.latency_ms:,.0f} ms with pages of {size(own.page_bytes)}"
        yield f"Your sites: {own.sites:,} {found} (medians)"
        yield f"What was fetched is kept: {printable(own.run, 53)}"
    source = printable(about.pages_from, 28)
    yield f"{about.pages:,} pages of {size(about.page_bytes)} from {source}, each {about.latency_ms:,.4g} ms late"
    rounds = "one round" if about.rounds == 1 else f"medians of {about.rounds} rounds (sequential: fewer)"
    yield f"{about.concurrency} requests under way; {rounds}, on this machine"
    yield from warning(about)
    for sentence in about.missing:
        yield from paragraph(sentence)


def _crawls(report: CompareReport) -> Iterator[str]:
    yield "WHOLE CRAWLS (parser lexbor; the main process computes, or waits)"
    head = ("strategy", "parse", "pages/s", "low–high", "×", "main s", "workers", "MiB", "waits", "computes")
    yield from columns([head, *map(_row, report.rows)], left=2)
    yield from paragraph(
        "(×: times sequential × inline. CPU time without the start of Python, but with that of the workers.)"
    )


def _row(row: Row) -> tuple[str, ...]:
    workers = f"{row.workers_s.median:.2f}" if row.parse == "processes" else "–"
    spent = (f"{row.main_s.median:.2f}", workers, f"{row.peak_bytes / MIB:.0f}")
    return *_rate(row.strategy, row, 1), *spent, percent(1 - row.computing), percent(row.computing)


def _stage(report: CompareReport) -> Iterator[str]:
    whose = "your own pages" if report.own is not None else "the same pages"
    yield f"PARSING ALONE ({whose}, out of a WARC, no fetching)"
    head = ("parser", "parse", "pages/s", "low–high", "×", "CPU ms", "ready", "pack", "pass", "unpack")
    yield from columns([head, *map(_parsing, report.alone)], left=2)
    yield from paragraph(
        "(×: times the same parser inline. CPU time of a page. Pack, pass, unpack: µs of the main process for a page; "
        "pass is sending it and receiving the answer.)"
    )


def _parsing(each: Alone) -> tuple[str, ...]:
    start = (*_rate(each.parser, each, 2), f"{each.cpu_us / 1000:.2f}")
    if each.ready_s is None:
        return *start, "", "", "", ""
    price = (f"{cost:.0f}" for cost in (each.packing_us, each.passing_us, each.unpacking_us))
    return *start, f"{each.ready_s.median:.2f} s", *price


def _rate(name: str, of: Row | Alone, digits: int) -> tuple[str, ...]:
    return name, of.parse, number(of.per_s.median), span(of.per_s), f"{of.speedup:.{digits}f}"


def _lessons(report: CompareReport) -> Iterator[str]:
    for at, lesson in enumerate(report.lessons, start=1):
        if at > 1:
            yield ""
        mark = "" if lesson.shows else " (not shown)"
        yield f"{at}. {lesson.title.upper()}{mark}"
        yield from paragraph(lesson.text, "   ")


def _advice(report: CompareReport) -> Iterator[str]:
    yield "USE"
    yield from _command(report.advice.command)
    yield from paragraph(report.advice.reason, "   ")


def _command(command: str) -> Iterator[str]:
    """A command line that a shell can take as it stands, broken before options where it is too long."""
    line = "  "
    for part in _OPTION.split(printable(command)):
        if line.strip() and len(line) + len(part) + 1 > COLUMNS - 2:
            yield f"{line} \\"
            line = "    "
        line += f" {part}"
    yield line


def number(value: float) -> str:
    """A rate with three digits that count."""
    if value >= 9_999.5:
        return f"{value / 1000:.1f}k"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def span(spread: Spread) -> str:
    """The lowest and the highest of what was measured; nothing where it was measured once."""
    return "once" if spread.low == spread.high else f"{number(spread.low)}–{number(spread.high)}"

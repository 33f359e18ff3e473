"""A comparison as text of at most 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from crawler.bench.compare.figures import Alone, Report, Row
from crawler.bench.figures import Spread
from crawler.bench.table import QUIET
from crawler.log.terminal import printable, size
from crawler.measure.procfs import MIB

COLUMNS = 80
_OPTION = re.compile(" (?=--|https?:)")


def show(report: Report) -> str:
    """All that was found out, as text."""
    blocks = [_head(report), _crawls(report), _stage(report), _same(report), _lessons(report), _advice(report)]
    return "\n\n".join("\n".join(lines) for lines in map(list, blocks) if lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    about, own = report.about, report.own
    cores = "1 core" if about.cores == 1 else f"{about.cores} cores"
    yield f"crawler {about.version}, Python {about.python}, {about.system}, {cores}"
    if own is not None:
        found = f"answered in {own.latency_ms:,.0f} ms with pages of {size(own.page_bytes)}"
        yield f"Your sites: {own.sites:,} {found} (medians)"
        yield f"What was fetched is kept: {printable(own.run, 53)}"
    source = printable(about.pages_from, 28)
    yield f"{about.pages:,} pages of {size(about.page_bytes)} from {source}, each {about.latency_ms:,.4g} ms late"
    rounds = "one round" if about.rounds == 1 else f"medians of {about.rounds} rounds (sequential: fewer)"
    yield f"{about.concurrency} requests under way; {rounds}, on this machine"
    if about.others_cores > QUIET:
        yield f"Other programs kept {about.others_cores:.1f} cores busy meanwhile: these figures say little."
    for sentence in about.missing:
        yield from _paragraph(sentence)


def _crawls(report: Report) -> Iterator[str]:
    yield "WHOLE CRAWLS (parser lexbor)"
    yield f"{'':46} CPU s         main process"
    yield (
        f"{'strategy':10} {'parse':9} {'pages/s':>7} {'low–high':>11} {'×':>5} {'main':>5} {'work':>5} {'MiB':>4} "
        f"{'waits':>6} {'computes':>8}"
    )
    for row in report.rows:
        yield _row(row)
    yield from _paragraph(
        "(×: times sequential × inline. CPU time without the start of Python, but with that of the workers.)"
    )


def _row(row: Row) -> str:
    workers = f"{row.workers_s.median:.2f}" if row.parse == "processes" else "–"
    return (
        f"{row.strategy:10} {row.parse:9} {number(row.per_s.median):>7} {span(row.per_s):>11} {row.speedup:>5.1f} "
        f"{row.main_s.median:>5.2f} {workers:>5} {row.peak_bytes / MIB:>4.0f} "
        f"{percent(1 - row.computing):>6} {percent(row.computing):>8}"
    )


def _stage(report: Report) -> Iterator[str]:
    whose = "your own pages" if report.own is not None else "the same pages"
    yield f"PARSING ALONE ({whose}, out of a WARC, no fetching)"
    yield f"{'':46} CPU ms  ready  of main, µs a page"
    yield (
        f"{'parser':10} {'parse':9} {'pages/s':>7} {'low–high':>11} {'×':>5} {'a page':>6} {'after':>6} "
        f"{'pack':>5} {'pass':>5} {'unpack':>6}"
    )
    for each in report.alone:
        yield _parsing(each).rstrip()
    yield from _paragraph("(×: times the same parser inline. Pass: sending the page and receiving the answer.)")


def _parsing(each: Alone) -> str:
    start = (
        f"{each.parser:10} {each.parse:9} {number(each.per_s.median):>7} {span(each.per_s):>11} {each.speedup:>5.2f} "
        f"{each.cpu_us / 1000:>6.2f}"
    )
    if each.ready_s is None:
        return start
    price = f"{each.packing_us:>5.0f} {each.passing_us:>5.0f} {each.unpacking_us:>6.0f}"
    return f"{start} {each.ready_s.median:>4.2f} s {price}"


def _same(report: Report) -> Iterator[str]:
    yield from _paragraph(report.same.sentence)


def _lessons(report: Report) -> Iterator[str]:
    for number_, lesson in enumerate(report.lessons, start=1):
        if number_ > 1:
            yield ""
        mark = "" if lesson.shows else " (not shown)"
        yield f"{number_}. {lesson.title.upper()}{mark}"
        yield from _paragraph(lesson.text, "   ")


def _advice(report: Report) -> Iterator[str]:
    yield "USE"
    yield from _command(report.advice.command)
    yield from _paragraph(report.advice.reason, "   ")


def _command(command: str) -> Iterator[str]:
    """A command line that a shell can take as it stands, broken before options where it is too long."""
    line = "  "
    for part in _OPTION.split(printable(command)):
        if line.strip() and len(line) + len(part) + 1 > COLUMNS - 2:
            yield f"{line} \\"
            line = "    "
        line += f" {part}"
    yield line


def _paragraph(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        printable(text), COLUMNS, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def number(value: float) -> str:
    """A rate with three digits that count."""
    if value >= 9_999.5:
        return f"{value / 1000:.1f}k"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def span(spread: Spread) -> str:
    """The lowest and the highest of what was measured; nothing where it was measured once."""
    return "once" if spread.low == spread.high else f"{number(spread.low)}–{number(spread.high)}"


def percent(share: float) -> str:
    """A share of the whole."""
    return f"{share * 100:.0f} %"

"""The figures of `crawler bench` as text of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.bench.crawls import LATENCY_MS
from crawler.bench.figures import BenchReport, Binding, Bottleneck, Result
from crawler.bench.samples import Spread
from crawler.bench.text import columns, joined, percent, versions, warning
from crawler.log.terminal import printable, size
from crawler.measure.procfs import MIB

FEW_PAGES = 1_000  # With fewer, the start's share of CPU times cannot be told from the pages'.
_ALONE = ("bare fetch", "fetch", "bare parse", "parse", "frontier", "store")
_BINDS: dict[Binding, str] = {
    "main": "the main process",
    "workers": "the parse workers",
    "server": "the server",
    "cores": "all cores together: no process is at its limit, the machine is",
    "others": "other programs, which keep the rest of this machine busy",
    "waiting": "nothing that computes: the line waits for answers or the disk",
}


def show(report: BenchReport) -> str:
    """All figures as text."""
    lines = [_line(report, result) for result in report.of("line")]
    at_scale = [_latency(report), _pages_done(report), _known(report)]
    return joined([_head(report), _limit(report), _alone(report), *lines, _start(report), *at_scale])


def _head(report: BenchReport) -> Iterator[str]:
    about = report.about
    yield versions(about)
    yield f"{about.pages:,} pages of {size(about.page_bytes)} from {printable(about.pages_from, 44)}"
    rounds = "one round" if about.rounds == 1 else f"median of {about.rounds} rounds (lowest–highest)"
    yield f"{about.concurrency} in flight; {rounds}; CPU time in µs a page"
    yield from warning(about)


def _limit(report: BenchReport) -> Iterator[str]:
    if (limit := report.limit) is not None:
        yield f"THE LIMIT of this machine: {limit.pages_per_s:,.0f} pages/s ="
        yield (
            f"{limit.cores} cores ÷ ({limit.bare_fetch_us:.0f} µs bare fetch + {limit.bare_parse_us:.0f} µs bare parse "
            f"+ {limit.server_us:.0f} µs server)"
        )


def _alone(report: BenchReport) -> Iterator[str]:
    rows = [("EACH PART ALONE", "pages/s", "low–high", "CPU", "low–high", "÷ bare")]
    for result in report.results:
        if result.part in _ALONE:
            name = "journal and store" if result.part == "store" else f"{result.part}, {result.variant}"
            ratio = report.ratios.get(f"{result.part} {result.variant}")
            # The first process is the one that the part runs in.
            rows.append((name, *_both(result.per_s), *_both(next(iter(result.cpu_us.values()))), _ratio(ratio)))
    if len(rows) > 1:
        yield from columns(rows)
    if report.of("frontier"):
        yield "(of the frontier: URLs, each added, handed out and finished)"


def _line(report: BenchReport, result: Result) -> Iterator[str]:
    line = next((each for each in report.lines if each.strategy == result.variant), None)
    about = report.about
    how = f"{about.parser} in {about.parse}" if about.parse != "inline" else f"{about.parser} on the event loop"
    yield f"THE WHOLE LINE, {result.variant}, {how}"
    share = f", {percent(line.of_limit)} of the limit" if line is not None else ""
    yield f"{result.per_s.median:,.0f} pages/s ({_range(result.per_s)}){share}"
    rows = [("process", "CPU", "low–high", "busy", "÷ bare", "MiB")]
    rows += [_process(name, result, line) for name in ("main", "workers", "server") if name in result.cpu_us]
    yield from columns(rows, indent="  ")
    if line is not None:
        yield f"  What binds: {_BINDS[line.binds]}."
    if result.count < FEW_PAGES:
        yield "  (So few pages: their CPU times cannot be told from those of the start.)"


def _process(name: str, result: Result, line: Bottleneck | None) -> tuple[str, str, str, str, str, str]:
    memory, busy, ratio = result.peak_bytes.get(name), None, None
    if line is not None:
        busy = line.busy.get(name)
        ratio = {"main": line.main_of_bare_fetch, "workers": line.workers_of_bare_parse}.get(name)
    of_time = "" if busy is None else percent(busy)
    return name, *_both(result.cpu_us[name]), of_time, _ratio(ratio), "" if memory is None else f"{memory / MIB:.0f}"


def _start(report: BenchReport) -> Iterator[str]:
    names = {"crawler --help": "crawler --help", "one page": "a crawl of one page, from the shell and back"}
    results = report.of("start")
    if results:
        yield "THE START"
    for result in results:
        times = Spread.of(sample.wall_s for sample in result.rounds)
        yield f"  {names[result.variant]:46} {times.median:.2f} s ({times.low:.2f}–{times.high:.2f})"


def _latency(report: BenchReport) -> Iterator[str]:
    rows = [("", "in flight", "pages/s", "low–high", "of what is possible")]
    for result in report.of("latency"):
        detail = result.rounds[0].detail
        share = percent(result.per_s.median / detail["possible_pages_per_s"])
        rows.append((result.variant, f"{detail['slots']:.0f}", *_both(result.per_s), share))
    if len(rows) > 1:
        yield f"{LATENCY_MS} ms UNTIL EACH ANSWER, one request at a time to each host"
        yield from columns(rows, indent="  ")


def _pages_done(report: BenchReport) -> Iterator[str]:
    rows = [("page", "main", "low–high", "workers", "MiB", "files", "threads")]
    for result in report.of("pages done"):
        detail, workers = result.rounds[-1].detail, _number(result.cpu_us["workers"].median)
        pages = f"{detail['from_page']:,.0f}–{detail['to_page']:,.0f}"
        held = (f"{result.peak_bytes['all'] / MIB:.0f}", f"{detail['open_files']:.0f}", f"{detail['threads']:.0f}")
        rows.append((pages, *_both(result.cpu_us["main"]), workers, *held))
    if len(rows) > 1:
        yield "AT SCALE: first and last quarter of a crawl of small pages, after its start"
        yield from columns(rows, indent="  ")


def _known(report: BenchReport) -> Iterator[str]:
    rows = [("", "store", "low–high", "links/s", "MiB", "resume")]
    for result in report.of("URLs known"):
        resume_s = Spread.of(sample.detail["resume_s"] for sample in result.rounds).median
        memory = f"{max(result.peak_bytes.values()) / MIB:.0f}"
        links = f"{result.per_s.median * 100:,.0f}"
        rows.append((result.variant, *_both(result.cpu_us["store"]), links, memory, f"{resume_s:.2f} s"))
    if len(rows) > 1:
        yield "AT SCALE: a commit of pages with 100 links, of which 90 are known"
        yield from columns(rows, indent="  ")


def _both(spread: Spread) -> tuple[str, str]:
    """The median, and what lies around it."""
    return _number(spread.median), _range(spread)


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _range(spread: Spread) -> str:
    return f"{_number(spread.low)}–{_number(spread.high)}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

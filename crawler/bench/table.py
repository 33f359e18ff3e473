"""The figures as text of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.bench.crawls import LATENCY_MS
from crawler.bench.figures import Binding, Line, Report, Result, Spread
from crawler.log.terminal import printable, size
from crawler.measure.procfs import MIB

QUIET = 0.15  # of a core that others may keep busy
FEW_PAGES = 1_000  # with fewer, the start's share of CPU times cannot be told from the pages'
_ALONE = ("bare fetch", "fetch", "bare parse", "parse", "frontier", "store")
_BINDS: dict[Binding, str] = {
    "main": "the main process",
    "workers": "the parse workers",
    "server": "the server",
    "cores": "all cores together: no process is at its limit, the machine is",
    "others": "other programs, which keep the rest of this machine busy",
    "waiting": "nothing that computes: the line waits for answers or the disk",
}


def show(report: Report) -> str:
    """All figures as text."""
    blocks = [_head(report), _alone(report)]
    blocks += [_line(report, result) for result in report.of("line")]
    blocks += [_start(report), _latency(report), _pages_done(report), _known(report)]
    return "\n\n".join("\n".join(lines) for lines in map(list, blocks) if lines) + "\n"


def _head(report: Report) -> Iterator[str]:
    about, limit = report.about, report.limit
    yield f"crawler {about.version}, Python {about.python}, {about.system}"
    yield f"{about.pages:,} pages of {size(about.page_bytes)} from {printable(about.pages_from, 44)}"
    rounds = "one round" if about.rounds == 1 else f"median of {about.rounds} rounds (lowest–highest)"
    yield f"{about.concurrency} in flight; {rounds}; CPU time in µs a page"
    if about.others_cores > QUIET:
        yield f"Other programs kept {about.others_cores:.1f} cores busy meanwhile: these figures say little."
    if limit is not None:
        yield ""
        yield f"THE LIMIT of this machine: {limit.pages_per_s:,.0f} pages/s ="
        yield (
            f"{limit.cores} cores ÷ ({limit.bare_fetch_us:.0f} µs bare fetch + {limit.bare_parse_us:.0f} µs bare parse "
            f"+ {limit.server_us:.0f} µs server)"
        )


def _alone(report: Report) -> Iterator[str]:
    results = [result for result in report.results if result.part in _ALONE]
    if results:
        yield f"{'EACH PART ALONE':22} {'pages/s':>8} {'low–high':>17} {'CPU':>6} {'low–high':>13} {'÷ bare':>6}"
    for result in results:
        process = next(iter(result.cpu_us))
        cost = result.cpu_us[process]
        ratio = report.ratios.get(f"{result.part} {result.variant}")
        yield (
            f"{_name(result):22} {_number(result.per_s.median):>8} {_range(result.per_s):>17} "
            f"{_number(cost.median):>6} {_range(cost):>13} {'' if ratio is None else f'{ratio:.2f}':>6}"
        ).rstrip()
    if any(result.part == "frontier" for result in results):
        yield "(of the frontier: URLs, each added, handed out and finished)"


def _name(result: Result) -> str:
    if result.part == "store":
        return "journal and store"
    return f"{result.part}, {result.variant}"


def _line(report: Report, result: Result) -> Iterator[str]:
    line = next((each for each in report.lines if each.strategy == result.variant), None)
    about = report.about
    how = f"{about.parser} in {about.parse}" if about.parse != "inline" else f"{about.parser} on the event loop"
    yield f"THE WHOLE LINE, {result.variant}, {how}"
    share = f", {_percent(line.of_limit)} of the limit" if line is not None else ""
    yield f"{result.per_s.median:,.0f} pages/s ({_range(result.per_s)}){share}"
    yield f"  {'process':10} {'CPU':>6} {'low–high':>13} {'busy':>6} {'÷ bare':>7} {'MiB':>6}"
    for process in ("main", "workers", "server"):
        if process in result.cpu_us:
            yield _process(process, result, line)
    if line is not None:
        yield f"  What binds: {_BINDS[line.binds]}."
    if result.count < FEW_PAGES:
        yield "  (So few pages: their CPU times cannot be told from those of the start.)"


def _process(process: str, result: Result, line: Line | None) -> str:
    cost, memory = result.cpu_us[process], result.peak_bytes.get(process)
    busy = ratio = None
    if line is not None:
        busy = line.busy.get(process)
        ratio = {"main": line.main_of_bare_fetch, "workers": line.workers_of_bare_parse}.get(process)
    cells = (
        f"{_number(cost.median):>6}",
        f"{_range(cost):>13}",
        f"{'' if busy is None else _percent(busy):>6}",
        f"{'' if ratio is None else f'{ratio:.2f}':>7}",
        f"{'' if memory is None else f'{memory / MIB:.0f}':>6}",
    )
    return f"  {process:10} {' '.join(cells)}".rstrip()


def _start(report: Report) -> Iterator[str]:
    names = {"crawler --help": "crawler --help", "one page": "a crawl of one page, from the shell and back"}
    results = report.of("start")
    if results:
        yield "THE START"
    for result in results:
        times = Spread.of(sample.wall_s for sample in result.rounds)
        yield f"  {names[result.variant]:46} {times.median:.2f} s ({times.low:.2f}–{times.high:.2f})"


def _latency(report: Report) -> Iterator[str]:
    results = report.of("latency")
    if results:
        yield f"{LATENCY_MS} ms UNTIL EACH ANSWER, one request at a time to each host"
        yield f"  {'':12} {'in flight':>9} {'pages/s':>8} {'low–high':>13} {'of what is possible':>20}"
    for result in results:
        detail = result.rounds[0].detail
        share = result.per_s.median / detail["possible_pages_per_s"]
        yield (
            f"  {result.variant:12} {detail['slots']:>9.0f} {_number(result.per_s.median):>8} "
            f"{_range(result.per_s):>13} {_percent(share):>20}"
        )


def _pages_done(report: Report) -> Iterator[str]:
    results = report.of("pages done")
    if results:
        yield "AT SCALE: first and last quarter of a crawl of small pages, after its start"
        yield f"  {'page':22} {'main':>6} {'low–high':>13} {'workers':>8} {'MiB':>6} {'files':>6} {'threads':>8}"
    for result in results:
        detail = result.rounds[-1].detail
        pages = f"{detail['from_page']:,.0f}–{detail['to_page']:,.0f}"
        yield (
            f"  {pages:22} "
            f"{_number(result.cpu_us['main'].median):>6} {_range(result.cpu_us['main']):>13} "
            f"{_number(result.cpu_us['workers'].median):>8} {result.peak_bytes['all'] / MIB:>6.0f} "
            f"{detail['open_files']:>6.0f} {detail['threads']:>8.0f}"
        )


def _known(report: Report) -> Iterator[str]:
    results = report.of("URLs known")
    if results:
        yield "AT SCALE: a commit of pages with 100 links, of which 90 are known"
        yield f"  {'':22} {'store':>6} {'low–high':>13} {'links/s':>9} {'MiB':>6} {'resume':>8}"
    for result in results:
        resume_s = Spread.of(sample.detail["resume_s"] for sample in result.rounds).median
        cost = result.cpu_us["store"]
        yield (
            f"  {result.variant:22} {_number(cost.median):>6} {_range(cost):>13} {result.per_s.median * 100:>9,.0f} "
            f"{max(result.peak_bytes.values()) / MIB:>6.0f} {resume_s:>6.2f} s"
        )


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _range(spread: Spread) -> str:
    return f"{_number(spread.low)}–{_number(spread.high)}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"

"""The whole line as a picture: pages a second beside the limit, and which process a page's CPU time goes to.

One SVG file that needs nothing else and is readable on light and on dark ground.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from crawler.bench.figures import BenchReport, Result
from crawler.bench.text import percent
from crawler.report import charts

WIDTH = 760
MARGIN = 20
PARTS = {"main": "main process", "workers": "parse workers", "server": "server"}
_GROUND = "<style>.ground { fill: #ffffff } @media (prefers-color-scheme: dark) { .ground { fill: #14181d } }</style>"
_HEIGHT = re.compile(r'height="([0-9.]+)"')


def draw(report: BenchReport) -> str:
    """The picture of a report that has the whole line in it."""
    about, lines, inner = report.about, report.of("line"), WIDTH - 2 * MARGIN
    rates, costs = _rates(report, lines), _costs(report, lines)
    rounds = "one round" if about.rounds == 1 else f"medians of {about.rounds} rounds"
    said = f"{about.pages:,} pages of {about.page_bytes / 1000:,.0f} KB, {rounds}"
    cores = f", {report.limit.cores} cores" if report.limit else ""
    pictures = [
        charts.bars("The whole line", rates, f"pages a second; {said}{cores}", inner),
        charts.stacked("CPU time a page by process", costs, list(PARTS.values()), "µs", inner),
    ]
    return below_each_other(f"The whole line of crawler {about.version}", pictures)


def _rates(report: BenchReport, lines: Sequence[Result]) -> list[tuple[str, float, str]]:
    limit = report.limit.pages_per_s if report.limit else 0.0
    rows = [("the limit of this machine", limit, f"{limit:,.0f}")] if limit else []
    for result in lines:
        rate = result.per_s
        share = f" ({percent(rate.median / limit)})" if limit else ""
        behind = f"{rate.median:,.0f}{share}, {rate.low:,.0f}–{rate.high:,.0f}"
        rows.append((result.variant, rate.median, behind))
    return rows


def _costs(report: BenchReport, lines: Sequence[Result]) -> list[tuple[str, list[float], str]]:
    """What a page costs each process, the least that it can be above those of the line."""
    costs = [(result.variant, {name: spread.median for name, spread in result.cpu_us.items()}) for result in lines]
    if limit := report.limit:
        least = {"main": limit.bare_fetch_us, "workers": limit.bare_parse_us, "server": limit.server_us}
        costs.insert(0, ("bare fetch and parse", least))
    return [(name, [us.get(part, 0.0) for part in PARTS], f"{sum(us.values()):,.0f}") for name, us in costs]


def below_each_other(title: str, pictures: Sequence[str]) -> str:
    """Several pictures as one.

    Args:
        title: What they show together.
        pictures: Each one SVG, narrower than this one by its margins.
    """
    placed, y = [], float(MARGIN)
    for picture in pictures:
        placed.append(picture.replace("<svg ", f'<svg x="{MARGIN}" y="{y:g}" ', 1))
        found = _HEIGHT.search(picture)
        assert found is not None
        y += float(found[1]) + MARGIN
    ground = f'{_GROUND}<rect class="ground" width="{WIDTH}" height="{y:g}"/>'
    return charts.svg(title, WIDTH, y, [ground, *placed]) + "\n"

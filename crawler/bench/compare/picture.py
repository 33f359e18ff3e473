"""A comparison as one picture: the whole crawls, and the parse stage below them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawler.bench.compare.figures import PARSERS, Report
from crawler.bench.compare.table import number
from crawler.report import charts

WIDTH = 760
MARGIN = 20
_GROUND = "<style>.ground { fill: #ffffff } @media (prefers-color-scheme: dark) { .ground { fill: #14181d } }</style>"
_HEIGHT = re.compile(r'height="([0-9.]+)"')


def draw(report: Report) -> str:
    """The picture of a report, one SVG that needs nothing else."""
    about = report.about
    crawls = [
        (f"{row.strategy} × {row.parse}", row.per_s.median, f"{number(row.per_s.median)} ({row.speedup:.1f}×)")
        for row in report.rows
    ]
    title = f"Whole crawls of {about.pages:,} pages, each {about.latency_ms:,.4g} ms late"
    pictures = [charts.bars(title, crawls, "pages/s", WIDTH - 2 * MARGIN)]
    for parser in PARSERS:
        rows = [
            (each.parse, each.per_s.median, f"{number(each.per_s.median)} ({each.speedup:.2f}×)")
            for each in report.alone
            if each.parser == parser
        ]
        title = f"Parsing alone by {parser}, {about.cores} workers"
        pictures.append(charts.bars(title, rows, "pages/s", WIDTH - 2 * MARGIN))
    return _below_each_other(f"crawler {about.version}: strategies and parse modes compared", pictures)


def _below_each_other(title: str, pictures: Iterable[str]) -> str:
    placed, y = [], float(MARGIN)
    for picture in pictures:
        placed.append(picture.replace("<svg ", f'<svg x="{MARGIN}" y="{y:g}" ', 1))
        found = _HEIGHT.search(picture)
        assert found is not None
        y += float(found[1]) + MARGIN
    ground = f'{_GROUND}<rect class="ground" width="{WIDTH}" height="{y:g}"/>'
    return charts.svg(title, WIDTH, y, [ground, *placed]) + "\n"

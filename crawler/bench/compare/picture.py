"""A comparison as one picture: the whole crawls, and the parse stage below them."""

from __future__ import annotations

from crawler.bench.compare.figures import PARSERS, CompareReport
from crawler.bench.compare.table import number
from crawler.bench.picture import MARGIN, WIDTH, below_each_other
from crawler.report import charts


def draw(report: CompareReport) -> str:
    """The picture of a report, one SVG that needs nothing else."""
    about = report.about
    crawls = [
        (f"{row.strategy} × {row.parse}", row.per_s.median, f"{number(row.per_s.median)} ({row.speedup:.1f}×)")
        for row in report.rows
    ]
    shown = [(f"Whole crawls of {about.pages:,} pages, each {about.latency_ms:,.4g} ms late", crawls)]
    for parser in PARSERS:
        rows = [
            (each.parse, each.per_s.median, f"{number(each.per_s.median)} ({each.speedup:.2f}×)")
            for each in report.alone
            if each.parser == parser
        ]
        shown.append((f"Parsing alone by {parser}, {about.cores} workers", rows))
    pictures = [charts.bars(title, rows, "pages/s", WIDTH - 2 * MARGIN) for title, rows in shown]
    return below_each_other(f"crawler {about.version}: strategies and parse modes compared", pictures)

"""The whole line as a picture: pages a second beside the limit, and which process a page's CPU time goes to.

One SVG file that needs nothing else and is readable on light and on dark ground.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from crawler.bench.figures import Report, Result

WIDTH = 760
LEFT = 170  # where bars begin
RIGHT = 90  # room behind the longest bar for its number
BAR = 22
STEP = 34  # from one bar to the next
TITLE = 28
PARTS = (("main", "main process"), ("workers", "parse workers"), ("server", "server"))
_STYLE = """
  .ground { fill: #ffffff } text { fill: #1f2933; font: 13px system-ui, sans-serif }
  .title { font-weight: 600; font-size: 15px } .quiet { fill: #5b6670; font-size: 12px }
  .line { fill: #3b76c4 } .main { fill: #3b76c4 } .workers { fill: #d9822b } .server { fill: #8a949e }
  .limit { stroke: #b3261e; stroke-width: 2; stroke-dasharray: 6 4 } .word { fill: #b3261e }
  .spread { stroke: #1f2933; stroke-width: 1.5 } .axis { stroke: #9aa5b1 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #14181d } text { fill: #e4e7eb } .quiet { fill: #a3adb8 }
    .line { fill: #6ea8ee } .main { fill: #6ea8ee } .workers { fill: #f0a35c } .server { fill: #77828d }
    .limit { stroke: #ff8a80 } .word { fill: #ff8a80 } .spread { stroke: #e4e7eb } .axis { stroke: #52606d }
  }
"""


def draw(report: Report) -> str:
    """The picture of a report that has the whole line in it."""
    lines = report.of("line")
    rates, height = _rates(report, lines, 54)
    costs, height = _costs(report, lines, height + 34)
    about = report.about
    said = f"{about.pages:,} pages of {about.page_bytes / 1000:,.0f} KB, medians of {about.rounds} rounds"
    cores = f", {report.limit.cores} cores" if report.limit else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + 10}" width="{WIDTH}" '
        f'height="{height + 10}" role="img">',
        f"<title>The whole line of crawler {escape(about.version)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height + 10}"/>',
        _text(16, 26, f"crawler {about.version}: {said}{cores}", "quiet"),
        *rates,
        *costs,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rates(report: Report, lines: Sequence[Result], top: int) -> tuple[list[str], int]:
    """Bars of pages/s with their spread, and the limit as a line through them; and where they end."""
    limit = report.limit.pages_per_s if report.limit else 0.0
    scale = (WIDTH - LEFT - RIGHT) / max(limit, *(result.per_s.high for result in lines))
    parts = [_text(16, top, "The whole line, pages a second", "title")]
    first = top + TITLE
    for at, result in enumerate(lines):
        y, rate = first + at * STEP, result.per_s
        parts += _bar(result.variant, y, [("line", rate.median * scale)])
        share = f" ({rate.median / limit * 100:.0f} %)" if limit else ""
        parts += [
            f'<path class="spread" d="M{LEFT + rate.low * scale:.1f} {y + BAR / 2}H{LEFT + rate.high * scale:.1f}"/>',
            _text(LEFT + rate.high * scale + 8, y + 16, f"{rate.median:,.0f}{share}"),
        ]
    bottom = first + len(lines) * STEP
    parts.append(_axis(first, bottom))
    if limit:
        x = LEFT + limit * scale
        parts.append(f'<path class="limit" d="M{x:.1f} {first - 6}V{bottom}"/>')
        parts.append(_text(x, bottom + 16, f"the limit of this machine: {limit:,.0f}", "word", "end"))
    return parts, bottom + 16


def _costs(report: Report, lines: Sequence[Result], top: int) -> tuple[list[str], int]:
    """Stacked bars of CPU time a page, the least that it can be above those of the line; and where they end."""
    rows = [(result.variant, {name: spread.median for name, spread in result.cpu_us.items()}) for result in lines]
    if limit := report.limit:
        least = {"main": limit.bare_fetch_us, "workers": limit.bare_parse_us, "server": limit.server_us}
        rows.insert(0, ("bare fetch and parse", least))
    scale = (WIDTH - LEFT - RIGHT) / max(max(sum(costs.values()) for _, costs in rows), 1.0)
    parts = [_text(16, top, "CPU time a page by process, µs", "title"), *_legend(top)]
    first = top + TITLE
    for at, (name, costs) in enumerate(rows):
        y = first + at * STEP
        widths = [(part, costs[part] * scale) for part, _ in PARTS if part in costs]
        parts += _bar(name, y, widths)
        parts.append(_text(LEFT + sum(width for _, width in widths) + 8, y + 16, f"{sum(costs.values()):,.0f}"))
    bottom = first + len(rows) * STEP
    return [*parts, _axis(first, bottom)], bottom


def _legend(y: int) -> Iterator[str]:
    x = WIDTH - 330
    for part, name in PARTS:
        yield f'<rect class="{part}" x="{x}" y="{y - 11}" width="12" height="12"/>'
        yield _text(x + 18, y, name, "quiet")
        x += 122


def _bar(name: str, y: int, widths: Sequence[tuple[str, float]]) -> Iterator[str]:
    yield _text(LEFT - 10, y + 16, name, anchor="end")
    x = float(LEFT)
    for kind, width in widths:
        yield f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}"/>'
        x += width


def _axis(top: int, bottom: int) -> str:
    return f'<path class="axis" d="M{LEFT} {top - 6}V{bottom}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'

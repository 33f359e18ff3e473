"""Pictures of figures: horizontal bars and lines, each one SVG that needs nothing else.

They are readable on light and dark ground. Their labels may come from the web; what is drawn of them is text and
nothing else. No element has a style of its own, so that a page may allow `STYLE` by its hash and forbid all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from math import ceil, floor, isfinite, log10
from unicodedata import east_asian_width

from crawler.log.terminal import duration, printable

WIDTH = 720  # A picture that is not told its width has this one, in pixels of its text.
COLOURS = 7  # After this many colours they begin again.
BAR = 20  # A bar is this many pixels high.
STEP = 28  # Two bars are this many pixels apart.
PLOT = 200  # The room that lines are drawn in is this many pixels high.
HEAD, LABEL = 15, 13  # Titles and labels have letters of these sizes, in pixels.
BOLD = 1.2  # Bold letters are this many times as wide as others.
TOP = 42  # A picture begins this many pixels below its title.
CHAR = 8.4  # A usual letter of a label is this many pixels wide in a broad typeface.
SLIM = 5.2  # A character in `_SLIM` is this many pixels wide.
_SLIM = frozenset("fijlrtI.,:;'|!()[]/- \\")
MAX_TICKS = 5  # An axis has about this many ticks.
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")  # These are no characters of XML; `printable` takes care of the others.

STYLE = """
.chart { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums }
.chart text { fill: #1f2933 } .chart .head { font-weight: 600; font-size: 15px }
.chart .soft { fill: #56616b; font-weight: 400 }
.chart .c0 { fill: #3b76c4; stroke: #3b76c4 } .chart .c1 { fill: #d9822b; stroke: #d9822b }
.chart .c2 { fill: #8a949e; stroke: #8a949e } .chart .c3 { fill: #2a8f82; stroke: #2a8f82 }
.chart .c4 { fill: #8662b4; stroke: #8662b4 } .chart .c5 { fill: #b3261e; stroke: #b3261e }
.chart .c6 { fill: #a8901c; stroke: #a8901c } .chart rect { stroke: none }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.chart .axis { stroke: #9aa5b1 } .chart .grid { stroke: #e1e5ea }
@media screen and (prefers-color-scheme: dark) {
.chart text { fill: #e4e7eb } .chart .soft { fill: #a3adb8 }
.chart .c0 { fill: #6ea8ee; stroke: #6ea8ee } .chart .c1 { fill: #f0a35c; stroke: #f0a35c }
.chart .c2 { fill: #77828d; stroke: #77828d } .chart .c3 { fill: #4fc1b2; stroke: #4fc1b2 }
.chart .c4 { fill: #b796e3; stroke: #b796e3 } .chart .c5 { fill: #ff8a80; stroke: #ff8a80 }
.chart .c6 { fill: #d9c250; stroke: #d9c250 } .chart .line { fill: none }
.chart .axis { stroke: #52606d } .chart .grid { stroke: #2a323b } }
"""


def bars(
    title: str, rows: Sequence[tuple[str, float, str]], unit: str = "", width: int = WIDTH, highest: float = 0.0
) -> str:
    """Horizontal bars, the first row on top.

    Args:
        title: What is shown.
        rows: Label, value, and what is written behind the bar.
        unit: Of the values; stands beside the title.
        width: Of the picture.
        highest: What the longest bar could be; if not given, the highest value.
    """
    return stacked(title, [(label, [value], behind) for label, value, behind in rows], (), unit, width, highest)


def stacked(
    title: str,
    rows: Sequence[tuple[str, Sequence[float], str]],
    names: Sequence[str],
    unit: str = "",
    width: int = WIDTH,
    highest: float = 0.0,
) -> str:
    """Horizontal bars of several parts each, the first row on top.

    Args:
        title: What is shown.
        rows: Label, the value of each part, and what is written behind the bar.
        names: Of the parts, for the legend; none if there is one part.
        unit: Of the values; stands beside the title.
        width: Of the picture.
        highest: What the longest bar could be; if not given, the highest sum.
    """
    legend, top = _legend(names, width) if names else ([], TOP)
    left = _left([label for label, _, _ in rows], width)
    room = max((measure(behind) for _, _, behind in rows), default=0.0) + 14
    scale = _scale(width - left - room, (highest, *(sum(values) for _, values, _ in rows)))
    parts = [*legend, *([_nothing()] if not rows else [])]
    for at, (label, values, behind) in enumerate(rows):
        x, y = left, top + at * STEP
        parts.append(f"<g><title>{safe(label)}: {safe(behind)}</title>{_label(label, left, y)}")
        for place, value in enumerate(values):
            long = max(0.0, value) * scale
            parts.append(f'<rect class="c{place % COLOURS}" x="{x:.1f}" y="{y}" width="{long:.1f}" height="{BAR}"/>')
            x += long
        parts.append(text(x + 7, y + 15, behind) + "</g>")
    told = "; ".join(f"{label}: {behind}" for label, _, behind in rows)
    height = top + max(1, len(rows)) * STEP
    return _picture(title, unit, width, height, [*parts, _side(left, len(rows), top)], told)


def lines(
    title: str,
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_unit: str,
    y_unit: str,
    width: int = WIDTH,
) -> str:
    """Lines over a common axis that begins at zero.

    Args:
        title: What is shown.
        series: Name and points `(x, y)` of each line, by growing x; a point that is no number is left out.
        x_unit: Of the x axis; with `s`, it has seconds, minutes and hours.
        y_unit: Of the y axis; stands beside the title.
        width: Of the picture.
    """
    drawn = [(name, [point for point in points if all(map(isfinite, point))]) for name, points in series]
    everything = [point for _, points in drawn for point in points]
    if not everything:
        return _picture(title, y_unit, width, TOP + STEP, [_nothing()], "")
    legend, top = _legend([name for name, _ in drawn], width) if len(drawn) > 1 else ([], TOP)
    ticks = steps(max(y for _, y in everything))
    left = max(measure(number(tick)) for tick in ticks) + 14
    first, last = min(x for x, _ in everything), max(x for x, _ in everything)
    first = 0.0 if 0 <= first <= last / 10 else first
    across = (width - left - 14) / ((last - first) or 1)
    up, bottom = PLOT / ticks[-1], top + PLOT
    parts = legend
    for tick in ticks:
        y = bottom - tick * up
        parts.append(f'<path class="{"grid" if tick else "axis"}" d="M{left:.1f} {y:.1f}H{width - 14}"/>')
        parts.append(text(left - 7, y + 4, number(tick), "soft", "end"))
    for at in _marks(first, last, x_unit, width):
        parts.append(text(left + (at - first) * across, bottom + 20, _mark(at, x_unit), "soft", "middle"))
    for place, (name, points) in enumerate(drawn):
        placed = [(left + (x - first) * across, bottom - max(0.0, y) * up) for x, y in points]
        parts.append(_line(name, place, placed))
    highest = ((name, max(points, key=lambda point: point[1])) for name, points in drawn if points)
    told = "; ".join(f"{name}: at most {number(y)}, at {_mark(x, x_unit)}" for name, (x, y) in highest)
    return _picture(title, y_unit, width, bottom + 30, parts, told)


# These are needed by other pictures, too.


def number(value: float) -> str:
    """A figure for people: `1,234`, `56.7`, `0.12`; what is too small for that keeps two digits that count."""
    if value == floor(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 0.01:
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.2g}"


def steps(highest: float) -> list[float]:
    """Round numbers from zero to above the highest value, evenly spaced."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / (MAX_TICKS - 1)
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [round(step * at, 10) for at in range(ceil(highest / step * 0.999) + 1)]


def measure(told: str) -> float:
    """About how wide a text is drawn at the size of labels; too wide rather than too narrow."""
    return sum(SLIM if char in _SLIM else 13.5 if east_asian_width(char) in "WF" else CHAR for char in told)


def fit(told: str, room: float) -> str:
    """A text cut to the room that there is; an ellipsis says so."""
    # More characters than these fit nowhere; a header may be long, and each step below measures all of it.
    most = int(max(0.0, room) / SLIM) + 1
    if len(told) <= most and measure(told) <= room:
        return told
    told = told[:most]
    while told and measure(told) + CHAR > room:
        told = told[:-1]
    return told.rstrip() + "…"


def safe(told: str) -> str:
    """Any text as SVG and HTML may hold it: escaped, and without what could steer how other text is read."""
    return escape(_NO_CHARACTERS.sub("\ufffd", printable(told)))


def text(x: float, y: float, told: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text at a place; the place is its start, middle or end."""
    at = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text{f" class={chr(34)}{kind}{chr(34)}" if kind else ""} x="{x:.1f}" y="{y:.1f}"{at}>{safe(told)}</text>'


def svg(title: str, width: float, height: float, parts: Iterable[str], told: str = "", kind: str = "chart") -> str:
    """A whole picture; `told` says in words what it shows."""
    described = f"<desc>{safe(told)}</desc>" if told else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">'
        f"<title>{safe(title)}</title>{described}<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


# These are the parts of the pictures.


def _picture(title: str, unit: str, width: int, height: float, parts: Sequence[str], told: str) -> str:
    """A picture with its title, and with its unit beside that, or below where there is no room."""
    larger = BOLD * HEAD / LABEL
    head = f'<text class="head" x="0" y="18">{safe(fit(title, width / larger))}</text>'
    below, beside = 0, measure(title) * larger + 8
    if unit and beside + measure(unit) <= width:
        head = head.replace("</text>", f' <tspan class="soft" font-size="{LABEL}">{safe(unit)}</tspan></text>')
    elif unit:
        below = 20
        head += text(0, 38, fit(unit, width), "soft")
    body = f'<g transform="translate(0 {below})">{"".join(parts)}</g>' if below else "".join(parts)
    return svg(title, width, height + below, [head, body], told)


def _nothing() -> str:
    return text(0, TOP + 15, "nothing to show", "soft")


def _left(labels: Iterable[str], width: int) -> float:
    """Where bars begin: behind the longest label, unless that takes too much of the picture."""
    return min(max(map(measure, map(printable, labels)), default=0.0), width * 0.42) + 10


def _label(label: str, left: float, y: float) -> str:
    return text(left - 9, y + 15, fit(printable(label), left - 9), anchor="end")


def _scale(room: float, values: Iterable[float]) -> float:
    highest = max(values, default=0.0)
    return max(0.0, room) / highest if highest > 0 else 0.0


def _side(left: float, count: int, top: float = TOP) -> str:
    return f'<path class="axis" d="M{left - 0.5:.1f} {top - 4}v{count * STEP}"/>' if count else ""


def _legend(names: Sequence[str], width: int) -> tuple[list[str], float]:
    """The colours and their names below the title, in as many rows as they need; and where the picture begins then."""
    parts, x, y = [], 0.0, 42.0
    for place, name in enumerate(names):
        needed = measure(name) + 34
        if x and x + needed > width:
            x, y = 0.0, y + 20
        parts.append(f'<rect class="c{place % COLOURS}" x="{x:.1f}" y="{y - 10}" width="11" height="11" rx="2"/>')
        parts.append(text(x + 17, y, name, "soft"))
        x += needed
    return parts, y + 18


def _line(name: str, place: int, points: Sequence[tuple[float, float]]) -> str:
    """A line through places of the picture; a single one is a dot."""
    if not points:
        return ""
    corners = "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("h0.1" if len(points) == 1 else "")
    return f'<path class="line c{place % COLOURS}" d="M{corners}"><title>{safe(name)}</title></path>'


def _marks(first: float, last: float, unit: str, width: int) -> Iterator[float]:
    """Round places on the x axis, as many as there is room for."""
    span = last - first
    if span <= 0:
        yield first
        return
    rough = span / (width / 110)
    if unit == "s":
        step = next((each for each in _SPANS if each >= rough), ceil(rough / 86_400) * 86_400.0)
    else:
        step = steps(rough * (MAX_TICKS - 1))[1]
    at = ceil(first / step) * step
    while at <= last + step * 1e-6:
        yield at
        at += step


_SPANS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


def _mark(at: float, unit: str) -> str:
    if unit != "s":
        return f"{number(at)} {unit}".rstrip()
    if at < 60:
        return f"{at:g} s"
    return duration(at).replace(" 0 s", "").replace(" 0 min", "")

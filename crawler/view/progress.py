"""The live view: on a terminal a few lines that are drawn again, elsewhere one plain line now and then."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections import deque
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from crawler.engine.engine import Engine
from crawler.fetch import concurrency_of
from crawler.log.crawl_log import tell
from crawler.log.terminal import WIDTH, counted, duration, printable, size, wrapped
from crawler.measure.stats import time_shares
from crawler.view.eta import Eta

# The live view is drawn again after so many seconds.
REDRAW_S = 0.25
# So many seconds pass between two looks for news.
LOOK_S = 1.0
# At first so many seconds pass between two plain lines.
LINE_S = 10.0
# In a long crawl no more seconds than this pass between two plain lines.
MAX_LINE_S = 60.0
# One part in so many of the time so far passes between two plain lines.
LINE_SHARE = 10
# The rate is taken over so many seconds: a polite crawl has a page in seconds, and over less its rate would jump.
RATE_WINDOW_S = 30.0
# Before so many seconds have passed there is no rate.
FIRST_RATE_S = 1.0
# The sentence on the bottleneck takes no more lines than this.
MAX_BOTTLENECK_LINES = 3
# So many seconds pass between two looks at all hosts for the bottleneck.
BOTTLENECK_S = 1.0
# A terminal with fewer columns than this is drawn for as if it had so many.
MIN_WIDTH = 20


class Progress:
    """Shows a crawl while it runs.

    Args:
        engine: The crawl.
        stream: Where to; a terminal that can move its cursor gets the live view.
        is_plain: Whether it gets plain lines all the same, because other lines are written there too.
    """

    def __init__(self, engine: Engine, stream: TextIO, *, is_plain: bool = False) -> None:
        self._engine = engine
        self._stream = stream
        console = Console(file=stream, highlight=False, markup=False, emoji=False, no_color=True)
        # A stream that only the environment calls a terminal gets no commands for one.
        can_redraw = stream.isatty() and console.is_terminal and not console.is_dumb_terminal and not is_plain
        self._live = Live(console=console, auto_refresh=False, transient=True) if can_redraw else None
        self._every_s = REDRAW_S if self._live else LOOK_S
        self._timer: asyncio.TimerHandle | None = None
        self._eta = Eta(engine)
        self._history: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._line_at = time.monotonic() + LINE_S
        self._looked_at = 0.0
        self._judged_at, self._judged = -BOTTLENECK_S, ""

    def start(self) -> None:
        """Begin to draw."""
        if self._live:
            self._live.start()
            # It is drawn at once, while there are files left to import what that needs.
            self._draw()
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._tick)

    def stop(self) -> None:
        """Clear the live view."""
        if self._timer:
            self._timer.cancel()
        if self._live:
            self._live.stop()

    def _tick(self) -> None:
        now = time.monotonic()
        if now >= self._looked_at + LOOK_S:
            self._looked_at = now
            self._history.append((now, self._engine.ledger.pages))
            while len(self._history) > 2 and now - self._history[0][0] > RATE_WINDOW_S:
                self._history.popleft()
            self._eta.left(self.rate())
            if news := self._eta.news():
                tell(logging.INFO, "long_host", news)
                self._say(news)
        if self._live:
            self._draw()
        elif now >= self._line_at:
            self._line_at = now + min(MAX_LINE_S, max(LINE_S, self._engine.ledger.elapsed_s / LINE_SHARE))
            self._say(self.line())
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._tick)

    def _say(self, text: str) -> None:
        if self._live:
            self._live.console.print(Text(text))
        else:
            self._stream.write(text + "\n")

    def _draw(self) -> None:
        assert self._live is not None
        columns, rows = shutil.get_terminal_size((WIDTH, 24))
        # One row stays free: a terminal that is full scrolls, and what was drawn could not be cleared.
        lines = self.lines(columns - 1)[: max(1, rows - 1)]
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)

    def rate(self) -> float:
        """Pages a second over the last half minute, 0 as long as there are none."""
        begun, pages = self._history[0]
        spent = time.monotonic() - begun
        return (self._engine.ledger.pages - pages) / spent if spent >= FIRST_RATE_S else 0.0

    def _speed(self) -> str:
        rate = self.rate()
        if rate <= 0:
            return "no page lately" if self._engine.ledger.pages else "starting"
        return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"

    def _counts(self) -> list[str]:
        ledger, frontier = self._engine.ledger, self._engine.frontier
        errors = ledger.outcomes["failed"] + ledger.outcomes["quarantined"]
        return [
            counted(ledger.pages, "page"),
            self._speed(),
            f"{frontier.in_flight} in flight",
            f"{frontier.waiting:,} queued",
            f"{errors:,} failed",
            size(ledger.wire_bytes),
        ]

    def line(self) -> str:
        """The state in one line of plain text."""
        ledger = self._engine.ledger
        parts = [f"{duration(ledger.elapsed_s)}: {', '.join(self._counts())}", self._eta.left(self.rate()).sentence()]
        if ledger.pages:
            parts.append(self._bottleneck())
        return "; ".join(part for part in parts if part)

    def lines(self, width: int) -> list[str]:
        """The state on a few lines.

        Args:
            width: Columns that each may have.
        """
        engine, ledger, frontier = self._engine, self._engine.ledger, self._engine.frontier
        more = [
            counted(frontier.hosts.met, "host"),
            f"{engine.pipeline.parsing} parsing",
            f"{ledger.outcomes['http_error']:,} http errors",
        ]
        head = self._counts()
        head[2] = f"{frontier.in_flight} of {concurrency_of(engine.settings.fetch)} in flight"
        shown = _flowing(f"{duration(ledger.elapsed_s)}: ", [*head, *more], width)
        if shares := self._shares():
            shown += _flowing("time       ", shares, width)
        if ledger.pages:
            shown += wrapped("bottleneck ", self._bottleneck(), width)[:MAX_BOTTLENECK_LINES]
        if left := self._eta.left(self.rate()).sentence():
            shown += wrapped("time left  ", left, width)
        return [line[: max(MIN_WIDTH, width)] for line in shown]

    def _bottleneck(self) -> str:
        """What binds the crawl, in words, as of a moment ago."""
        now = time.monotonic()
        if now - self._judged_at >= BOTTLENECK_S:
            self._judged_at, self._judged = now, printable(self._engine.ledger.bottleneck().sentence)
        return self._judged

    def _shares(self) -> list[str]:
        """Where the time goes by the clock, in percent."""
        return [f"{label} {share} %" for label, share in time_shares(self._engine.ledger.times_s)]


def _flowing(label: str, parts: Sequence[str], width: int) -> list[str]:
    """Parts with commas between them on as many lines as they take, none of them torn apart."""
    lines, line = [], label
    indent = " " * len(label)
    for part in parts:
        if line in (label, indent):
            line += part
        elif len(line) + len(", ") + len(part) < width:
            line += f", {part}"
        else:
            lines.append(line + ",")
            line = indent + part
    return [*lines, line]

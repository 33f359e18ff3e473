"""The live view: on a terminal a few lines that are drawn again, elsewhere one plain line now and then."""

from __future__ import annotations

import asyncio
import time
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from crawler.engine import Engine
from crawler.report.terminal import duration, size

REDRAW_S = 0.25
LINE_S = 10.0  # between two lines where there is no terminal
RATE_WINDOW_S = 5.0


class Progress:
    """Shows a crawl while it runs.

    Args:
        engine: The crawl.
        stream: Where to; a terminal gets the live view.
    """

    def __init__(self, engine: Engine, stream: TextIO) -> None:
        self._engine = engine
        self._stream = stream
        self._console = Console(file=stream, highlight=False)
        self._live = (
            Live(console=self._console, auto_refresh=False, transient=True) if self._console.is_terminal else None
        )
        self._every_s = REDRAW_S if self._live else LINE_S
        self._timer: asyncio.TimerHandle | None = None
        self._history: list[tuple[float, int]] = []

    def start(self) -> None:
        """Begin to draw."""
        if self._live:
            self._live.start()
            self._live.update(self._view(), refresh=True)  # now, while there are files left to import what it needs
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._tick)

    def stop(self) -> None:
        """Clear the live view."""
        if self._timer:
            self._timer.cancel()
        if self._live:
            self._live.stop()

    def _tick(self) -> None:
        if self._live:
            self._live.update(self._view(), refresh=True)
        else:
            self._stream.write(self.line() + "\n")
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._tick)

    def rate(self) -> float:
        """Pages a second over the last few seconds."""
        now = time.monotonic()
        self._history.append((now, self._engine.ledger.pages))
        while len(self._history) > 2 and now - self._history[0][0] > RATE_WINDOW_S:
            self._history.pop(0)
        begun, pages = self._history[0]
        return (self._engine.ledger.pages - pages) / (now - begun) if now > begun else 0.0

    def line(self) -> str:
        """The state in one line of plain text."""
        ledger, frontier = self._engine.ledger, self._engine.frontier
        errors = ledger.outcomes["failed"] + ledger.outcomes["quarantined"]
        return (
            f"{duration(ledger.elapsed_s)}: {ledger.pages:,} pages, {self.rate():,.1f}/s, "
            f"{frontier.in_flight} in flight, {frontier.queued:,} queued, {errors:,} failed, {size(ledger.wire_bytes)}"
        )

    def _view(self) -> Group:
        engine, ledger, frontier = self._engine, self._engine.ledger, self._engine.frontier
        busy = ledger.fetch_s + ledger.parse_cpu_s + engine.committer.busy_s
        shares = [ledger.fetch_s, ledger.parse_cpu_s, engine.committer.busy_s]
        fetch, parse, commit = (100 * part / busy if busy else 0.0 for part in shares)
        rows = Table.grid(padding=(0, 2))
        rows.add_row(
            "pages", f"{ledger.pages:,}", "per second", f"{self.rate():,.1f}", "received", size(ledger.wire_bytes)
        )
        rows.add_row(
            "in flight", f"{frontier.in_flight} of {engine.settings.concurrency}",
            "parsing", f"{engine.line.parsing}",
            "queued", f"{frontier.queued:,}",
        )  # fmt: skip
        rows.add_row(
            "hosts", f"{frontier.host_count:,}",
            "http errors", f"{ledger.outcomes['http_error']:,}",
            "failed", f"{ledger.outcomes['failed'] + ledger.outcomes['quarantined']:,}",
        )  # fmt: skip
        shares_text = f"time: waiting for servers {fetch:.0f} %, parsing {parse:.0f} %, committing {commit:.0f} %"
        return Group(Text(f"crawling for {duration(ledger.elapsed_s)}"), rows, Text(shares_text))

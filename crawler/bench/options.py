"""What both commands share: their options, what is checked before anything is measured, progress, and what is shown."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TypeVar

import msgspec

from crawler import fetch
from crawler.bench.rounds import Step
from crawler.errors import UsageError
from crawler.lab.server import CACHE_BYTES
from crawler.log.terminal import duration, printable
from crawler.measure import procfs
from crawler.store.replacing import replacing

PAGE_BYTES = 36_000
CONCURRENCY = 32
Report = TypeVar("Report", bound=msgspec.Struct)


def add_common(parser: argparse.ArgumentParser, rounds: int) -> None:
    """Add the arguments that both commands have.

    Args:
        parser: Of a command.
        rounds: How often it measures if it is not told.
    """
    add = parser.add_argument
    add("--pages", metavar="DIR", help="serve the HTML files of this folder in place of the lab's pages")
    add("--page-bytes", "--weight", type=positive, metavar="N", help=f"size of the lab's pages [{PAGE_BYTES}]")
    add("--rounds", type=positive, default=rounds, metavar="N", help=f"how often to measure everything [{rounds}]")
    add("--concurrency", type=positive, default=CONCURRENCY, metavar="N", help=f"requests in flight [{CONCURRENCY}]")
    add("--json", action="store_true", help="all figures as one JSON object on standard output")
    add("--picture", metavar="FILE.svg", help="draw the figures")


def positive(text: str) -> int:
    """An argument that has to be a whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def check_common(command: str, arguments: argparse.Namespace, count: int) -> None:
    """Find out before anything is measured whether it can be, and whether its results can be kept.

    Args:
        command: What it is called.
        arguments: Those that both commands have.
        count: How many pages of the lab are wanted.

    Raises:
        UsageError: If this system does not tell what is measured, or an option cannot be used.
    """
    procfs.check(f"crawler {command}")
    if arguments.pages and arguments.page_bytes:
        raise UsageError("--page-bytes is about the lab's pages, those of --pages have their size; give one of them")
    page_bytes = arguments.page_bytes or PAGE_BYTES
    if not arguments.pages and count * page_bytes > CACHE_BYTES:
        raise UsageError(
            f"{count:,} pages of {page_bytes:,} bytes are more than the {CACHE_BYTES // procfs.MIB} MiB that the lab "
            "keeps ready; lower --count or --page-bytes"
        )
    if arguments.picture:
        picture = Path(arguments.picture)
        if picture.suffix.lower() != ".svg":
            raise UsageError(f"--picture {picture}: a picture is a file that ends in .svg")
        if not picture.absolute().parent.is_dir():
            raise UsageError(f"--picture {picture}: there is no such folder")


def usable(strategies: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those strategies whose library is installed here, and a sentence for each other one."""
    found, missing = [], []
    for name in strategies:
        try:
            fetch.check(name)
        except UsageError as error:
            missing.append(f"Left out: {error}.")
        else:
            found.append(name)
    return found, missing


def measured(run: Callable[[Step], Report], expected_s: float | None = None) -> Report:
    """Measure, and say on standard error how far it is; a signal ends it as Ctrl-C does.

    Args:
        run: What measures.
        expected_s: About how long it takes, seconds; None where that is not known.
    """
    progress = _Progress(expected_s)
    with _ended_by(signal.SIGTERM, signal.SIGHUP):
        try:
            return run(progress.step)
        finally:
            progress.end()


def deliver(
    arguments: argparse.Namespace, report: Report, show: Callable[[Report], str], draw: Callable[[Report], str]
) -> None:
    """Write a report to standard output, and draw it if a picture is asked for.

    Args:
        arguments: Those that both commands have.
        report: What was measured.
        show: Makes text of it.
        draw: Makes an SVG of it.
    """
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n" if arguments.json else show(report))
    # What was measured is told before the picture, which may find the disk full.
    sys.stdout.flush()
    if arguments.picture:
        with replacing(Path(arguments.picture)) as file:
            file.write(draw(report).encode())


@contextmanager
def _ended_by(*numbers: signal.Signals) -> Iterator[None]:
    """Let signals end the measurements as Ctrl-C does, so that no process and no file is left."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """Says on standard error how far it is: in one line on a terminal, else a line now and then.

    Args:
        expected_s: About how long all of it takes, seconds; None where that is not known.
    """

    def __init__(self, expected_s: float | None) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._width = 0
        self._started = time.monotonic()
        self._expected = duration(max(10.0, expected_s)) if expected_s is not None else ""

    def step(self, number: int, total: int, name: str) -> None:
        """Say what comes next, and before the first measurement, when the pages are there, how long it all takes."""
        if number == 1 and self._expected:
            self.end()
            self._write(f"This takes about {self._expected}; the quieter the machine, the better the figures.\n")
        if self._is_terminal:
            spent = duration(time.monotonic() - self._started)
            of = f" of about {self._expected}" if self._expected else ""
            self._show(f"{number}/{total} {name} ({spent}{of})" if total else name)
        elif total and (number - 1) % max(1, total // 5) == 0:
            self._write(f"{number} of {total}: {name}\n")

    def end(self) -> None:
        """Take the line away."""
        if self._is_terminal:
            self._show("")

    def _show(self, text: str) -> None:
        self._write(f"\r{printable(text):{self._width}}\r{printable(text)}")
        self._width = len(text)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

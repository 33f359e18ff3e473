"""The command `crawler compare`: what it is asked for, checked, measured, and shown."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from crawler import fetch
from crawler.bench.command import check_picture, ended_by, positive
from crawler.bench.compare import own_sites, picture, runs, table
from crawler.bench.compare.figures import Own
from crawler.commands.exit import Exit
from crawler.errors import UsageError
from crawler.lab.server import CACHE_BYTES
from crawler.log.terminal import duration, printable
from crawler.measure import procfs
from crawler.settings import file as settings_file
from crawler.settings.options import add_settings, overrides
from crawler.store.replacing import replacing

COUNT = 60
LATENCY_MS = 50.0
PAGE_BYTES = 36_000
ROUNDS = 3
CONCURRENCY = 32
MOST_CONCURRENCY = 1024  # to one host
PAGES_PER_SITE = 5
ALONE_S = 3.0  # that one by one may take on the user's own latency, about
FEWEST, MOST = 12, 120  # pages of the lab then
_STRATEGIES = ("sequential", "threads", "asyncio", "curl")
_NEEDED = _STRATEGIES[:3]
# What a polite crawl of the user's own sites may be told; the strategy is what is compared.
_LEFT_OUT = ("--strategy", "--concurrency", "--replay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `crawler compare`."""
    add = parser.add_argument
    add("urls", nargs="*", metavar="URL", help="your own sites; without any, the lab's made-up web is crawled")
    add("--sites", action="append", default=[], metavar="FILE", help="a list of them, one a line; - for standard input")
    add("--pages-per-site", type=positive, metavar="N", help=f"how many pages of each are fetched [{PAGES_PER_SITE}]")
    add("--config", metavar="FILE", help="a TOML file of settings for fetching them")
    add("--latency", type=_milliseconds, metavar="MS", help=f"what the lab waits before an answer [{LATENCY_MS:g}]")
    add("--page-bytes", "--weight", type=positive, metavar="N", help=f"size of the lab's pages [{PAGE_BYTES}]")
    add("--pages", metavar="DIR", help="serve the HTML files of this folder in place of the lab's pages")
    add("--count", type=positive, metavar="N", help=f"how many pages each crawl takes [{COUNT}]")
    add("--rounds", type=positive, default=ROUNDS, metavar="N", help=f"how often to measure everything [{ROUNDS}]")
    add("--concurrency", type=positive, default=CONCURRENCY, metavar="N", help=f"requests under way [{CONCURRENCY}]")
    add("--json", action="store_true", help="all figures as one JSON object on standard output")
    add("--picture", metavar="FILE.svg", help="draw the table")
    add(
        "--robots",
        dest="crawl.robots",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="obey the robots.txt of your sites [on]",
    )
    add_settings(parser, ("politeness", "fetch"), without=_LEFT_OUT)
    parser.epilog = (
        "Your own sites are crawled once, politely, and the answers are kept. How strategies fetch is then measured on "
        "the lab, with the latency and page size of your sites; how pages are parsed, on the pages that were kept."
    )


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 60_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number of milliseconds from 0 to 60000")
    return value


def run(arguments: argparse.Namespace) -> int:
    """`crawler compare`."""
    _check(arguments)
    strategies, missing = _strategies()
    found, pages = None, list[str]()
    if arguments.urls or arguments.sites:
        found, pages = own_sites.fetch(arguments, arguments.pages_per_site or PAGES_PER_SITE)
    plan = _plan(arguments, strategies, missing, found, pages)
    progress = _Progress(plan.expected_s())
    with ended_by(signal.SIGTERM, signal.SIGHUP):
        report = runs.run(plan, progress.step)
    progress.end()
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n" if arguments.json else table.show(report))
    sys.stdout.flush()  # what was measured is told before the picture, which may find the disk full
    if arguments.picture:
        with replacing(Path(arguments.picture)) as file:
            file.write(picture.draw(report).encode())
    return Exit.OK if report.same.is_same else Exit.NOTHING


def _check(arguments: argparse.Namespace) -> None:
    """Find out before anything is fetched or measured whether it can be, and whether its results can be kept."""
    procfs.check("crawler compare")
    if arguments.concurrency > MOST_CONCURRENCY:
        raise UsageError(
            f"--concurrency {arguments.concurrency} is more than {MOST_CONCURRENCY}, the most for one host"
        )
    given = {
        "--latency": arguments.latency,
        "--page-bytes": arguments.page_bytes,
        "--pages": arguments.pages,
    }
    if arguments.urls or arguments.sites:
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option} is for the lab; of your own sites it is measured")
    else:
        _check_lab_only(arguments)
    if arguments.pages and arguments.page_bytes:
        raise UsageError("--page-bytes is about the lab's pages, those of --pages have their size; give one of them")
    count, page_bytes = arguments.count or COUNT, arguments.page_bytes or PAGE_BYTES
    if not arguments.pages and count * page_bytes > CACHE_BYTES:
        raise UsageError(f"{count:,} pages of {page_bytes:,} bytes are more than the lab keeps ready; lower --count")
    if arguments.picture:
        check_picture(Path(arguments.picture))


def _check_lab_only(arguments: argparse.Namespace) -> None:
    """What is only about the user's own sites has no meaning without any."""
    options = {"--pages-per-site": arguments.pages_per_site, "--config": arguments.config}
    for option, value in options.items():
        if value is not None:
            raise UsageError(f"{option} is for your own sites; give a URL, or a list of them with --sites FILE")
    for group, values in overrides(arguments).items():
        for name in values:
            flag = settings_file.flag_of(group, name)
            raise UsageError(f"{flag} is for your own sites; give a URL, or a list of them with --sites FILE")


def _strategies() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The strategies that can be measured here, and a sentence for each that cannot."""
    found, missing = [], []
    for name in _STRATEGIES:
        try:
            fetch.check(name)
        except UsageError as error:
            if name in _NEEDED:
                raise
            missing.append(f"Left out: {error}.")
        else:
            found.append(name)
    return tuple(found), tuple(missing)


def _plan(
    arguments: argparse.Namespace,
    strategies: tuple[str, ...],
    missing: tuple[str, ...],
    found: Own | None,
    pages: list[str],
) -> runs.Plan:
    common = {"strategies": strategies, "missing": missing, "rounds": arguments.rounds}
    if found is None:
        return runs.Plan(
            **common,
            concurrency=arguments.concurrency,
            count=arguments.count or COUNT,
            page_bytes=arguments.page_bytes or PAGE_BYTES,
            latency_ms=LATENCY_MS if arguments.latency is None else arguments.latency,
            pages=Path(arguments.pages) if arguments.pages else None,
        )
    fitting = round(ALONE_S * 1000 / max(1.0, found.latency_ms))
    return runs.Plan(
        **common,
        concurrency=arguments.concurrency,
        count=arguments.count or max(FEWEST, min(MOST, fitting)),
        page_bytes=found.page_bytes,
        latency_ms=found.latency_ms,
        own=found,
        own_pages=tuple(pages),
        given=tuple(_given(arguments)),
    )


def _given(arguments: argparse.Namespace) -> Iterator[str]:
    """The words by which a crawl is given the same sites and settings."""
    for name in arguments.sites:
        yield from ("--sites", name)
    yield from arguments.urls
    if arguments.config:
        yield from ("--config", arguments.config)
    for group, values in overrides(arguments).items():
        for name, value in values.items():
            flag = settings_file.flag_of(group, name)
            if isinstance(value, bool):
                yield flag if value else flag.replace("--", "--no-", 1)
                continue
            for each in value if isinstance(value, list) else [value]:
                yield from (flag, str(each))


class _Progress:
    """Says on standard error how far a comparison is: in one line on a terminal, else a line now and then.

    Args:
        expected_s: About how long it takes, seconds.
    """

    def __init__(self, expected_s: float) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._width = 0
        self._started, self._expected = time.monotonic(), duration(max(10.0, expected_s))

    def step(self, number: int, total: int, name: str) -> None:
        """Say what comes next, and before the first measurement, when the pages are there, how long it all takes."""
        if number == 1:
            self.end()
            _say(f"This takes about {self._expected}; the quieter the machine, the better the figures.")
        if self._is_terminal:
            spent = duration(time.monotonic() - self._started)
            self._show(f"{number}/{total} {name} ({spent} of about {self._expected})" if total else name)
        elif total and number % max(1, total // 5) == 1:
            _say(f"{number} of {total}: {name}")

    def end(self) -> None:
        """Take the line away."""
        if self._is_terminal:
            self._show("")

    def _show(self, text: str) -> None:
        sys.stderr.write(f"\r{printable(text):{self._width}}\r{printable(text)}")
        sys.stderr.flush()
        self._width = len(text)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()

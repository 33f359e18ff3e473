"""The command `crawler bench`: what it is asked for, checked, measured, and shown."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import get_args, get_type_hints

import msgspec

from crawler.bench import picture, rounds, table
from crawler.bench.parts import check_strategy
from crawler.commands.exit import Exit
from crawler.errors import UsageError
from crawler.fetch import STRATEGIES
from crawler.measure import procfs
from crawler.settings.groups import ParseSettings

PAGES = 4_000
PAGE_BYTES = 36_000
ROUNDS = 5
CONCURRENCY = 32
SCALE_PAGES = 20_000
SCALE_URLS = 1_000_000
_MEASURABLE = tuple(name for name in STRATEGIES if name != "replay")  # which waits for nothing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `crawler bench`."""
    add = parser.add_argument
    add("--pages", metavar="DIR", help="measure with the HTML files of this folder; without it, with the lab's pages")
    add("--count", type=positive, metavar="N", help=f"how many pages [{PAGES}; all of a folder]")
    add("--page-bytes", type=positive, metavar="N", help=f"size of the lab's pages [{PAGE_BYTES}]")
    add("--rounds", type=positive, default=ROUNDS, metavar="N", help=f"how often to measure everything [{ROUNDS}]")
    add("--concurrency", type=positive, default=CONCURRENCY, metavar="N", help=f"requests in flight [{CONCURRENCY}]")
    add(
        "--strategy",
        action="append",
        choices=_MEASURABLE,
        help="how to fetch (repeatable) [asyncio, and curl where it is installed]",
    )
    add("--parse", choices=_choices("mode"), default="processes", help="where the whole line parses [processes]")
    add("--parser", choices=_choices("parser"), default="lexbor", help="with which library it does [lexbor]")
    add(
        "--only",
        action="append",
        choices=(*rounds.USUAL, *rounds.LONG),
        metavar="PART",
        help=f"measure this part (repeatable): {', '.join(rounds.USUAL)}; and if asked for {', '.join(rounds.LONG)}",
    )
    add("--scale-pages", type=positive, default=SCALE_PAGES, metavar="N", help=f"pages for scale [{SCALE_PAGES}]")
    add("--scale-urls", type=positive, default=SCALE_URLS, metavar="N", help=f"known URLs for scale [{SCALE_URLS}]")
    add("--json", action="store_true", help="all figures as one JSON object on standard output")
    add("--picture", metavar="FILE.svg", help="draw the whole line and the limit")
    parser.epilog = (
        "Each part is measured alone and in the whole line, beside the least that a page can cost on this machine. "
        "Figures of a busy machine say little."
    )


def _choices(setting: str) -> tuple[str, ...]:
    """The values that a setting of the parse stage may have."""
    return get_args(get_type_hints(ParseSettings)[setting])


def positive(text: str) -> int:
    """An argument that has to be a whole number above 0."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """`crawler bench`."""
    plan = _plan(arguments)
    _check(arguments, plan)
    with ended_by(signal.SIGTERM, signal.SIGHUP):
        report = rounds.run(plan, _say)
    if arguments.picture:
        Path(arguments.picture).write_text(picture.draw(report), encoding="utf-8")
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n" if arguments.json else table.show(report))
    return Exit.OK


def _plan(arguments: argparse.Namespace) -> rounds.Plan:
    usual = ["asyncio", *(["curl"] if "curl" in STRATEGIES and importlib.util.find_spec("pycurl") else [])]
    return rounds.Plan(
        parts=tuple(arguments.only or rounds.USUAL),
        strategies=tuple(dict.fromkeys(arguments.strategy or usual)),
        parse=arguments.parse,
        parser=arguments.parser,
        concurrency=arguments.concurrency,
        rounds=arguments.rounds,
        pages=Path(arguments.pages) if arguments.pages else None,
        count=arguments.count or (None if arguments.pages else PAGES),
        page_bytes=arguments.page_bytes or PAGE_BYTES,
        scale_pages=arguments.scale_pages,
        scale_urls=arguments.scale_urls,
    )


def _check(arguments: argparse.Namespace, plan: rounds.Plan) -> None:
    """Find out before anything is measured whether it can be, and whether its results can be kept."""
    procfs.check("crawler bench")
    for strategy in plan.strategies:
        check_strategy(strategy, plan.concurrency)
    if arguments.pages and arguments.page_bytes:
        raise UsageError("--page-bytes is about the lab's pages, those of --pages have their size; give one of them")
    if arguments.picture:
        if "line" not in plan.parts:
            raise UsageError("--picture shows the whole line; give --only line as well")
        check_picture(Path(arguments.picture))


def check_picture(path: Path) -> None:
    """Find out before the work whether a picture can be asked for like this.

    Raises:
        UsageError: If its name is none of an SVG, or there is no such folder.
    """
    if path.suffix.lower() != ".svg":
        raise UsageError(f"--picture {path}: a picture is a file that ends in .svg")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--picture {path}: there is no such folder")


@contextmanager
def ended_by(*numbers: signal.Signals) -> Iterator[None]:
    """Let signals end the measurements as Ctrl-C does, so that no process and no file is left."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[signal.Signals, Callable[..., object] | int | None] = {}
    for number in numbers:
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()

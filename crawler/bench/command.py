"""The command `crawler bench`: what it is asked for, checked, measured, and shown."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import get_args, get_type_hints

from crawler import fetch
from crawler.bench import options, picture, suite, table
from crawler.bench.options import PAGE_BYTES, positive
from crawler.bench.parts import settings_for
from crawler.commands.exit import Exit
from crawler.errors import UsageError
from crawler.fetch import STRATEGIES
from crawler.settings.groups import ParseSettings

PAGES = 4_000
ROUNDS = 5
SCALE_PAGES = 20_000
SCALE_URLS = 1_000_000
# A replay waits for nothing, so its speed says nothing of fetching.
_MEASURABLE = tuple(name for name, strategy in STRATEGIES.items() if not strategy.replays)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `crawler bench`."""
    add = parser.add_argument
    options.add_common(parser, ROUNDS)
    add("--count", type=positive, metavar="N", help=f"how many pages [{PAGES}; all of a folder]")
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
        choices=(*suite.USUAL, *suite.LONG),
        metavar="PART",
        help=f"measure this part (repeatable): {', '.join(suite.USUAL)}; and if asked for {', '.join(suite.LONG)}",
    )
    add("--scale-pages", type=positive, default=SCALE_PAGES, metavar="N", help=f"pages for scale [{SCALE_PAGES}]")
    add("--scale-urls", type=positive, default=SCALE_URLS, metavar="N", help=f"known URLs for scale [{SCALE_URLS}]")
    parser.epilog = (
        "Each part is measured alone and in the whole line, beside the least that a page can cost on this machine. "
        "Figures of a busy machine say little."
    )


def _choices(setting: str) -> tuple[str, ...]:
    """The values that a setting of the parse stage may have."""
    return get_args(get_type_hints(ParseSettings)[setting])


def run(arguments: argparse.Namespace) -> int:
    """`crawler bench`."""
    plan = _plan(arguments)
    options.check_common("bench", arguments, plan.count or 0)
    for strategy in plan.strategies:
        fetch.check(strategy)
        settings_for(strategy, plan.concurrency)
    if arguments.picture and "line" not in plan.parts:
        raise UsageError("--picture shows the whole line; give --only line as well")
    options.deliver(arguments, options.measured(partial(suite.run, plan)), table.show, picture.draw)
    return Exit.OK


def _plan(arguments: argparse.Namespace) -> suite.BenchPlan:
    asked = arguments.strategy or options.usable(("asyncio", "curl"))[0]
    return suite.BenchPlan(
        parts=tuple(arguments.only or suite.USUAL),
        strategies=tuple(dict.fromkeys(asked)),
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

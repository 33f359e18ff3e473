"""The command `crawler compare`: what it is asked for, checked, measured, and shown."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from crawler import fetch
from crawler.bench import options
from crawler.bench.compare import own_sites, picture, runs, table
from crawler.bench.compare.figures import Own
from crawler.bench.options import PAGE_BYTES, positive
from crawler.commands.exit import Exit
from crawler.errors import UsageError
from crawler.settings import file as settings_file
from crawler.settings.options import add_settings, overrides

COUNT = 60
LATENCY_MS = 50.0
ROUNDS = 3
MOST_CONCURRENCY = 1024  # No more requests than that go to one host at once.
PAGES_PER_SITE = 5
ALONE_S = 3.0  # With the user's own latency, a crawl one by one may take about so many seconds.
FEWEST, MOST = 12, 120  # It takes from so many to so many pages of the lab then.
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
    options.add_common(parser, ROUNDS)
    add("--latency", type=_milliseconds, metavar="MS", help=f"what the lab waits before an answer [{LATENCY_MS:g}]")
    add("--count", type=positive, metavar="N", help=f"how many pages each crawl takes [{COUNT}]")
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
    for strategy in _NEEDED:
        fetch.check(strategy)
    strategies, missing = options.usable(_STRATEGIES)
    found, pages = None, list[str]()
    if arguments.urls or arguments.sites:
        found, pages = own_sites.fetch(arguments, arguments.pages_per_site or PAGES_PER_SITE)
    plan = _plan(arguments, strategies, missing, found, pages)
    report = options.measured(partial(runs.run, plan), plan.expected_s())
    options.deliver(arguments, report, table.show, picture.draw)
    return Exit.OK if report.same.is_same else Exit.NOTHING


def _check(arguments: argparse.Namespace) -> None:
    """Find out before anything is fetched or measured whether it can be, and whether its results can be kept."""
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
    options.check_common("compare", arguments, arguments.count or COUNT)


def _check_lab_only(arguments: argparse.Namespace) -> None:
    """What is only about the user's own sites has no meaning without any."""
    for option, value in {"--pages-per-site": arguments.pages_per_site, "--config": arguments.config}.items():
        if value is not None:
            raise UsageError(f"{option} is for your own sites; give a URL, or a list of them with --sites FILE")
    for group, values in overrides(arguments).items():
        for name in values:
            flag = settings_file.flag_of(group, name)
            raise UsageError(f"{flag} is for your own sites; give a URL, or a list of them with --sites FILE")


def _plan(
    arguments: argparse.Namespace,
    strategies: list[str],
    missing: list[str],
    found: Own | None,
    pages: list[str],
) -> runs.ComparePlan:
    plan = runs.ComparePlan(
        strategies=tuple(strategies),
        missing=tuple(missing),
        rounds=arguments.rounds,
        concurrency=arguments.concurrency,
        count=arguments.count or COUNT,
        page_bytes=arguments.page_bytes or PAGE_BYTES,
        latency_ms=LATENCY_MS if arguments.latency is None else arguments.latency,
        pages=Path(arguments.pages) if arguments.pages else None,
    )
    if found is None:
        return plan
    fitting = round(ALONE_S * 1000 / max(1.0, found.latency_ms))
    return msgspec.structs.replace(
        plan,
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

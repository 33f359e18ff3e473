"""The user's own sites: fetched once by the ordinary polite crawl, and what was found out about them."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler import cli, urls
from crawler.bench.compare.figures import Own
from crawler.commands import crawl as commands
from crawler.commands.exit import Exit
from crawler.errors import CrawlerError, RunError
from crawler.frontier.politeness import steady_gap_s
from crawler.run import folder as runs
from crawler.run.folder import Run
from crawler.scope.seeds import Seeds
from crawler.settings import file as settings_file
from crawler.settings.groups import Settings
from crawler.store.journal import read_lines

PATIENCE_S = 10.0  # Sites that do not answer for so many seconds have no part in the comparison.


class _Kept(Struct):
    """Of a record, what tells how its page was come by."""

    url: str
    outcome: str
    elapsed_ms: int | None = None
    bytes: int | None = None
    charset: str | None = None
    complete: bool | None = None


def fetch(arguments: argparse.Namespace, pages_per_site: int) -> tuple[Own, list[str]]:
    """Crawl the user's sites as `crawler crawl` does, and keep the answers.

    Args:
        arguments: Those of the command: URLs, lists of sites, a config file, and settings by their names.
        pages_per_site: How many pages of each site.

    Returns:
        What was found out, and the URLs of the HTML pages that were kept.

    Raises:
        UsageError: If seeds or settings cannot be used.
        RunError: If the crawl was stopped.
        CrawlerError: If nothing was fetched, or nothing that could be parsed.
    """
    folder = str(runs.fresh_folder())
    made = _crawl_arguments(arguments, pages_per_site, folder)
    asked, given = commands.as_given(made)
    sys.stderr.write("Your sites are fetched once, politely; then all ways are compared.\n")
    # A list may allow a site more than that; it is not here to be crawled.
    sites = [msgspec.structs.replace(site, max_pages=_least(site.max_pages, pages_per_site)) for site in given.sites]
    status = commands.crawl_these(made, asked, Seeds(tuple(sites), given.notes))
    if status == Exit.STOPPED:
        raise RunError(f"the crawl of your sites was stopped, so nothing was compared; what it fetched is in {folder}")
    run = Run(Path(folder))
    kept = [record for record in _records(run) if record.outcome == "ok"]
    if not kept:
        raise CrawlerError(
            f"nothing could be fetched, so there is nothing to compare; `crawler show {folder}` says why"
        )
    pages = [record for record in kept if record.charset is not None and record.complete]
    if not pages:
        raise CrawlerError(f"none of the pages that were fetched is HTML, so there is nothing to parse: {folder}")
    chosen = settings_file.load(run.settings, {})
    hosts = {urls.host_key(record.url) for record in kept}
    latency_ms = statistics.median(record.elapsed_ms or 0 for record in kept)
    found = Own(
        run=folder,
        sites=len(hosts),
        pages=len(pages),
        page_bytes=round(statistics.median(record.bytes or 0 for record in pages)),
        latency_ms=latency_ms,
        polite_per_s=_polite_per_s(chosen, hosts, latency_ms / 1000),
    )
    return found, [record.url for record in pages]


def _least(own: int | None, most: int) -> int:
    """A site's own limit, but no more than that; 0 is none."""
    return min(own, most) if own else most


def _crawl_arguments(arguments: argparse.Namespace, pages_per_site: int, folder: str) -> argparse.Namespace:
    """The arguments of the crawl that is to be kept."""
    parser = cli.Parser()
    cli.COMMANDS["crawl"][1](parser)
    made = parser.parse_args([])
    given = {name: value for name, value in vars(arguments).items() if "." in name}
    chosen = {
        "crawl.max_pages_per_site": pages_per_site,
        # A few pages are found by their links, without one request more.
        "crawl.sitemaps": False,
        "crawl.patience_s": PATIENCE_S,
        "output.warc": True,
        "output.run": folder,
    }
    own = {"urls": arguments.urls, "sites": arguments.sites, "config": arguments.config}
    for name, value in {**given, **chosen, **own}.items():
        setattr(made, name, value)
    return made


def _records(run: Run) -> Iterator[_Kept]:
    decode = msgspec.json.Decoder(_Kept).decode
    return map(decode, read_lines(run.journal, run.committed_length()))


def _polite_per_s(chosen: Settings, hosts: set[str], latency_s: float) -> float | None:
    """Pages a second that the delays allow, on all hosts together; None where there is no delay."""
    pace = chosen.politeness
    own = {urls.host_key(site.url): site.delay_s for site in chosen.site if site.delay_s is not None}
    total = 0.0
    for host in hosts:
        gap_s = steady_gap_s(pace, own.get(host), latency_s)
        if not gap_s:
            return None
        total += pace.per_host / (gap_s + latency_s)
    return total

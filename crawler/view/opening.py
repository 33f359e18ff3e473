"""What the terminal says before a crawl: what is crawled and how, and how long politeness alone makes it take."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size

from msgspec import Struct

from crawler import urls
from crawler.frontier.outlook import time_for
from crawler.frontier.politeness import own_delay_s
from crawler.log.terminal import WIDTH, counted, duration, printable, wrapped
from crawler.scope.scope import SeedSite
from crawler.scope.seeds import Seeds
from crawler.settings.groups import Settings

# A crawl that takes fewer seconds is not worth a line.
TELL_S = 10.0


class _Host(Struct):
    """What is known of a host before it is asked for anything.

    Args:
        delay_s: Between two of its requests, seconds.
        seeds: How many seeds it has.
        pages: How many pages limits let it have; infinity if they do not say.
    """

    delay_s: float
    seeds: int = 0
    pages: float = 0


def opening(settings: Settings, seeds: Seeds, folder: Path) -> str:
    """What is crawled and at which pace, where the run is kept, and how long it takes if that can be known."""
    count = len(seeds.sites)
    what = printable(seeds.sites[0].seed, 60) if count == 1 else f"{count:,} sites"
    pace = settings.politeness
    rate = f"{pace.per_host} at a time, {seconds_of(delays_of(settings, seeds.sites))} apart"
    text = f"Crawling {what} (scope {settings.crawl.scope}) by {settings.fetch.strategy}"
    parts = [text, f"{rate} on each host; run: {folder}", shortest(settings, seeds)]
    width = min(WIDTH, get_terminal_size().columns)
    return "\n".join(line for part in parts for line in wrapped("", part, width))


def delays_of(settings: Settings, sites: Sequence[SeedSite]) -> set[float]:
    """The delays that the user asks for on the hosts of some sites, seconds: their own, or that of the whole crawl."""
    delays = {own_delay_s(settings.politeness, site.delay_s) for site in sites}
    # Hosts that are no site's can belong to the crawl, too.
    return delays | {settings.politeness.delay_s} if settings.crawl.scope == "any" or not sites else delays


def seconds_of(delays: Collection[float]) -> str:
    """The shortest and the longest of some delays in seconds, in words."""
    low, high = min(delays), max(delays)
    return f"{low:g} s" if low == high else f"{low:g} to {high:g} s"


def shortest(settings: Settings, seeds: Seeds) -> str:
    """How long the delays alone make a crawl take, as far as its limits and its list of URLs tell; empty if not long.

    robots.txt may ask for more, and that is told when it has been read.
    """
    hosts = _hosts(settings, seeds)
    # Each host may be asked for its robots.txt before its first page.
    asked = 1 if settings.crawl.robots else 0
    limit = settings.crawl.max_pages or math.inf
    if settings.crawl.scope in ("domain", "any"):
        # Other hosts may be found, which have a pace of their own.
        limit = math.inf if limit >= len(seeds.sites) else 0
    if limit < sum(host.pages for host in hosts.values()) and len(hosts) > 1:
        return _for_all(int(limit), hosts, asked)
    if not hosts or not limit:
        return ""

    def needs_s(key: str) -> float:
        pages = min(hosts[key].pages, limit)
        pages = hosts[key].seeds if math.isinf(pages) else pages
        return max(0, pages - 1 + asked) * hosts[key].delay_s

    key = max(hosts, key=needs_s)
    if needs_s(key) < TELL_S:
        return ""
    pages = min(hosts[key].pages, limit)
    many = counted(hosts[key].seeds, "seed") if math.isinf(pages) else counted(int(pages), "page")
    of = f"{many} of {printable(key, 60)}, {hosts[key].delay_s:g} s apart"
    return f"{of}, {'takes' if many.startswith('1 ') else 'take'} at least {duration(needs_s(key))}."


def _for_all(pages: int, hosts: Mapping[str, _Host], asked: int) -> str:
    """What so many pages of several hosts need that are crawled at the same time."""
    # The first request of each host waits for nothing.
    free = 0 if asked else len(hosts)
    queues = [(int(min(host.pages, pages)), host.delay_s) for host in hosts.values()]
    seconds = time_for(max(0, pages - free), queues)
    if seconds < TELL_S:
        return ""
    delays = {host.delay_s for host in hosts.values()}
    apart = f"{delays.pop():g} s apart on each, " if len(delays) == 1 else ""
    return f"{counted(pages, 'page')} of {counted(len(hosts), 'host')}, {apart}take at least {duration(seconds)}."


def _hosts(settings: Settings, seeds: Seeds) -> Mapping[str, _Host]:
    crawl = settings.crawl
    hosts: dict[str, _Host] = {}
    for site in seeds.sites:
        delay_s = own_delay_s(settings.politeness, site.delay_s)
        host = hosts.setdefault(urls.host_key(site.seed), _Host(delay_s))
        host.delay_s = min(host.delay_s, delay_s)
        host.seeds += 1
        depth = crawl.max_depth if site.max_depth is None else site.max_depth
        allowed = crawl.max_pages_per_site if site.max_pages is None else site.max_pages
        if depth == 0:
            host.pages += 1
        else:
            host.pages += allowed if allowed and crawl.scope not in ("domain", "any") else math.inf
    return hosts

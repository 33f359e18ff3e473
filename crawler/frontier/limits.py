"""What hosts have to share: the pages that the crawl and each site may have, and the requests that one address bears.

Both keep the hosts that wait for a turn, so that a turn that comes free is never lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from crawler.frontier.host import HostQueue
from crawler.models import Request
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings
from crawler.urls import domain_of


class PageLimits:
    """Holds pages against the limits of the crawl and of each site; exact, because open pages count until they end.

    Args:
        crawl: Limits of the crawl, and of the sites that have none of their own.
        sites: The sites with their own limits; index None is what no site owns.
    """

    def __init__(self, crawl: CrawlSettings, sites: Sequence[SeedSite]) -> None:
        self._max_pages = crawl.max_pages
        self._per_site = crawl.max_pages_per_site
        self._own = {index: site.max_pages for index, site in enumerate(sites) if site.max_pages is not None}
        self._max_depth = crawl.max_depth
        self._own_depths = {index: site.max_depth for index, site in enumerate(sites) if site.max_depth is not None}
        self.counts_sites = bool(self._per_site or any(self._own.values()))
        self.open = 0
        self.done = 0
        self._site_open: Counter[int | None] = Counter()
        self._site_done: Counter[int | None] = Counter()
        # A scope can grow while a page is open, and its site with it: what was counted is what is given back.
        self._site_by_page: dict[int, int | None] = {}
        self._waiting: dict[int | None, dict[HostQueue, None]] = {}

    def max_depth(self, site: int | None) -> int:
        """How deep links are followed on a site."""
        return self._max_depth if site is None else self._own_depths.get(site, self._max_depth)

    @property
    def is_reached(self) -> bool:
        """Whether the page limit of the crawl is used up."""
        return 0 < self._max_pages <= self.done

    @property
    def is_closed(self) -> bool:
        """Whether the pages that are open now may use up the page limit of the crawl."""
        return 0 < self._max_pages <= self.done + self.open

    def is_too_deep(self, page: Request, scope: Scope) -> bool:
        """Whether a page is further from its seed than links are followed there."""
        site = scope.site_of(page.url) if self._own_depths else None
        return page.depth > self.max_depth(site)

    def of_site(self, site: int | None) -> Literal["free", "in_use", "used_up"]:
        """Whether a site may have one more page: yes, perhaps when its open ones have ended, or never."""
        allowed = self._per_site if site is None else self._own.get(site, self._per_site)
        if not allowed or self._site_done[site] + self._site_open[site] < allowed:
            return "free"
        return "used_up" if self._site_done[site] >= allowed else "in_use"

    def left(self, count: int, site: int | None) -> int:
        """How many of so many pages of a site the limits allow."""
        allowed = self._per_site if site is None else self._own.get(site, self._per_site)
        if allowed:
            count = min(count, max(0, allowed - self._site_done[site] - self._site_open[site]))
        return min(count, max(0, self._max_pages - self.done - self.open)) if self._max_pages else count

    def wait(self, site: int | None, host: HostQueue) -> None:
        """Remember a host whose turn came while its site's limit was in use."""
        self._waiting.setdefault(site, {})[host] = None

    def opened(self, page: Request, site: int | None) -> None:
        """Count a page that is asked for; `site` only matters with limits for sites."""
        self.open += 1
        if self.counts_sites:
            self._site_open[site] += 1
            self._site_by_page[page.fingerprint] = site

    def count_earlier(self, site: int | None) -> None:
        """Count a page of an earlier session."""
        self.done += 1
        if self.counts_sites:
            self._site_done[site] += 1

    def closed(self, page: Request, *, is_counted: bool) -> Iterable[HostQueue]:
        """Count a page that has ended and return the hosts that waited for it; `is_counted` if it uses up a limit."""
        self.open -= 1
        self.done += is_counted
        if not self.counts_sites:
            return ()
        site = self._site_by_page.pop(page.fingerprint)
        self._site_open[site] -= 1
        self._site_done[site] += is_counted
        return self._waiting.pop(site, ()) if self.of_site(site) != "in_use" else ()


class AddressSlots:
    """Requests in flight for each address, which many hosts can share.

    Args:
        per_address: The most that one address bears.
    """

    def __init__(self, per_address: int) -> None:
        self._per_address = per_address
        self._busy: dict[str, int] = {}
        self._waiting: dict[str, dict[HostQueue, None]] = {}

    def is_full(self, address: str) -> bool:
        """Whether an address has all the requests that it bears."""
        return self._busy.get(address, 0) >= self._per_address

    def take(self, address: str) -> None:
        """Count a request that leaves."""
        self._busy[address] = self._busy.get(address, 0) + 1

    def free(self, address: str) -> None:
        """Count a request that has ended."""
        self._busy[address] -= 1
        if not self._busy[address]:
            del self._busy[address]

    def wait(self, host: HostQueue) -> None:
        """Remember a host whose turn came while its address was full."""
        self._waiting.setdefault(host.address, {})[host] = None

    def next_waiting(self, address: str) -> HostQueue | None:
        """Remove and return the host that has waited longest, if there is one and its address has room."""
        waiting = self._waiting.get(address)
        if not waiting or self.is_full(address):
            return None
        host = next(iter(waiting))
        del waiting[host]
        if not waiting:
            del self._waiting[address]
        return host


class DomainBudget:
    """Counts pages of registrable domains against what each may have; for crawls without a border.

    Args:
        limit: Pages of each domain; 0 = no limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pages: dict[str, int] = {}

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self._limit > 0

    def count(self, host: str) -> None:
        """Count a page of a host, by its politeness key, that is asked for."""
        if self._limit:
            name = domain_of(host)
            self._pages[name] = self._pages.get(name, 0) + 1

    def uncount(self, host: str) -> None:
        """Take back a page of a host that was not sent."""
        if self._limit:
            self._pages[domain_of(host)] -= 1

    def left(self, count: int, host: str) -> int:
        """How many of so many pages of a host, by its politeness key, its domain may still have."""
        return min(count, max(0, self._limit - self._pages.get(domain_of(host), 0))) if self._limit else count

    def is_used_up(self, host: str) -> bool:
        """Whether the domain of a host, by its politeness key, has had all its pages."""
        return self._limit > 0 and self._pages.get(domain_of(host), 0) >= self._limit

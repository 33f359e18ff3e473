"""The pages that the crawl, each site and each domain may have, and how deep links are followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from crawler import urls
from crawler.frontier.host import HostQueue
from crawler.models import Request
from crawler.scope.scope import Scope
from crawler.settings.groups import CrawlSettings
from crawler.urls import domain_of


class PageLimits:
    """Holds pages against all limits; exact, because open pages count until they end.

    It keeps the hosts that wait for a turn at their site's limit, so that a turn that comes free is never lost.

    Args:
        crawl: Limits of the crawl, and of the sites that have none of their own.
        scope: Its sites have limits of their own; index None is what no site owns.

    Attributes:
        open: Pages that were handed out and have no outcome yet.
        done: Pages that count: ok and http_error.
    """

    def __init__(self, crawl: CrawlSettings, scope: Scope) -> None:
        sites = scope.sites
        self._scope = scope
        self._max_pages = crawl.max_pages
        self._per_site = crawl.max_pages_per_site
        self._own = {index: site.max_pages for index, site in enumerate(sites) if site.max_pages is not None}
        self._max_depth = crawl.max_depth
        self._own_depths = {index: site.max_depth for index, site in enumerate(sites) if site.max_depth is not None}
        self._counts_sites = bool(self._per_site or any(self._own.values()))
        self._domains = DomainBudget(crawl.max_pages_per_domain if crawl.scope == "any" else 0)
        self.open = 0
        self.done = 0
        self._site_open: Counter[int | None] = Counter()
        self._site_done: Counter[int | None] = Counter()
        # A scope can grow while a page is open, and its site with it: what was counted is what is given back.
        self._site_by_page: dict[int, int | None] = {}
        self._waiting: dict[int | None, dict[HostQueue, None]] = {}
        # The sites and the domains of which pages were kept back.
        self._cut_sites: set[int | None] = set()
        self._cut_domains: set[str] = set()

    @property
    def is_reached(self) -> bool:
        """Whether the page limit of the crawl is used up."""
        return 0 < self._max_pages <= self.done

    @property
    def is_closed(self) -> bool:
        """Whether the pages that are open now may use up the page limit of the crawl."""
        return 0 < self._max_pages <= self.done + self.open

    @property
    def counts_by_place(self) -> bool:
        """Whether pages are counted by site or domain."""
        return self._counts_sites or self._domains.is_limited

    @property
    def ending(self) -> Literal["finished", "max_pages_per_site", "max_pages_per_domain"]:
        """What a crawl ends by that has nothing left to do: by itself, or by limits that kept pages back."""
        if self._cut_sites:
            return "max_pages_per_site"
        return "max_pages_per_domain" if self._cut_domains else "finished"

    @property
    def reached(self) -> dict[str, int]:
        """Of how many sites or domains pages were kept back, by the name of the limit; see `Stats.limits_reached`."""
        own = sum(site in self._own for site in self._cut_sites)
        counts = {
            "max_pages_per_site": len(self._cut_sites) - own,
            "site.max_pages": own,
            "max_pages_per_domain": len(self._cut_domains),
        }
        return {name: count for name, count in counts.items() if count}

    def max_depth(self, url: str) -> int:
        """How deep links are followed on the site that owns a URL."""
        site = self._scope.site_of(url) if self._own_depths else None
        return self._max_depth if site is None else self._own_depths.get(site, self._max_depth)

    def left(self, host: HostQueue) -> int:
        """How many of the pages of a host that wait the limits let be asked for."""
        count = self._domains.left(host.known, host.key)
        if self._counts_sites:
            site = self._scope.site_of(host.example_url)
            if allowed := self._allowed(site):
                count = min(count, max(0, allowed - self._site_done[site] - self._site_open[site]))
        return min(count, max(0, self._max_pages - self.done - self.open)) if self._max_pages else count

    def room_for(self, page: Request) -> Literal["free", "in_use", "budget", "domain_budget"]:
        """Whether a page may be asked for: yes, perhaps when open ones of its site have ended, or never, and why."""
        if not page.is_seed and not page.attempts and self._domains.is_used_up(page.host):
            self._cut_domains.add(domain_of(page.host))
            return "domain_budget"
        if not self._counts_sites:
            return "free"
        site = self._scope.site_of(page.url)
        room = self._room_of(site)
        if room == "budget":
            self._cut_sites.add(site)
        return room

    def _room_of(self, site: int | None) -> Literal["free", "in_use", "budget"]:
        allowed = self._allowed(site)
        if not allowed or self._site_done[site] + self._site_open[site] < allowed:
            return "free"
        return "budget" if self._site_done[site] >= allowed else "in_use"

    def _allowed(self, site: int | None) -> int:
        return self._per_site if site is None else self._own.get(site, self._per_site)

    def wait(self, page: Request, host: HostQueue) -> None:
        """Remember a host whose turn came while the limit of a page's site was in use."""
        self._waiting.setdefault(self._scope.site_of(page.url), {})[host] = None

    def done_earlier(self, count: int) -> None:
        """Count pages of earlier sessions where they are not counted by place."""
        self.done += count

    def count_earlier(self, pages: Iterable[str]) -> None:
        """Count pages of earlier sessions, by their URLs."""
        for url in pages:
            self.done += 1
            if self._counts_sites:
                self._site_done[self._scope.site_of(url)] += 1
            self._domains.count(urls.host_key(url))

    def kept_back_earlier(self, pages: Iterable[tuple[str, str | None]]) -> None:
        """Take notice of pages that earlier sessions skipped, by their URLs and the reasons why."""
        for url, reason in pages:
            if reason == "budget" and self._counts_sites:
                self._cut_sites.add(self._scope.site_of(url))
            elif reason == "domain_budget" and self._domains.is_limited:
                self._cut_domains.add(domain_of(urls.host_key(url)))

    def reopen(self) -> bool:
        """Forget of which sites earlier sessions kept pages back that may have more now; whether there are any."""
        before = len(self._cut_sites)
        self._cut_sites = {site for site in self._cut_sites if self._room_of(site) == "budget"}
        return len(self._cut_sites) < before

    def opened(self, page: Request) -> None:
        """Count a page that is asked for."""
        if not page.attempts:
            self._domains.count(page.host)
        self.open += 1
        if self._counts_sites:
            site = self._site_by_page[page.fingerprint] = self._scope.site_of(page.url)
            self._site_open[site] += 1

    def not_sent(self, page: Request) -> None:
        """Take back that a page counts for its domain, because it was not sent after all."""
        if not page.attempts:
            self._domains.uncount(page.host)

    def closed(self, page: Request, *, is_counted: bool) -> Iterable[HostQueue]:
        """Count a page that has ended and return the hosts that waited for it; `is_counted` if it uses up a limit."""
        self.open -= 1
        self.done += is_counted
        if not self._counts_sites:
            return ()
        site = self._site_by_page.pop(page.fingerprint)
        self._site_open[site] -= 1
        self._site_done[site] += is_counted
        return self._waiting.pop(site, ()) if self._room_of(site) != "in_use" else ()


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

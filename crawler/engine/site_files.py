"""robots.txt and sitemaps: what a site says about itself, asked for like any page and never recorded as one."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from crawler import urls
from crawler.engine.answers import REDIRECTS, redirect_target
from crawler.engine.commit import Committer
from crawler.errors import UrlError
from crawler.frontier import robots
from crawler.frontier.frontier import Frontier
from crawler.frontier.robots import Robots
from crawler.log.crawl_log import tell
from crawler.log.terminal import counted
from crawler.measure.ledger import Ledger
from crawler.models import MAX_ROBOTS_BYTES, Parsed, Request, Response
from crawler.parse.decode import undo_codings
from crawler.settings.groups import Settings
from crawler.store.base import Found

MAX_ROBOTS_REDIRECTS = 5  # RFC 9309, 2.3.1.2
MAX_SITEMAPS_PER_HOST = 1000
MAX_INDEX_DEPTH = 3  # sitemaps that name sitemaps that name sitemaps
SITEMAP_DEPTH = 1  # Pages that a sitemap names have this depth.


class Changes(Struct, frozen=True):
    """What a resume has to know of sites, as far as it changed.

    Args:
        reading: Origins whose sitemaps began to be read.
        read: Origins whose sitemaps have been read.
        delayed: Politeness keys of hosts whose robots.txt asks for a delay.
        aliases: Hosts that belong to a site because its seed redirects there: the seed's URL, and the host's key.
    """

    reading: Sequence[str]
    read: Sequence[str]
    delayed: Sequence[str]
    aliases: Sequence[tuple[str, str]] = ()


class SiteFiles:
    """Takes the answers to robots and sitemap requests and tells the frontier what follows.

    Args:
        settings: All settings.
        frontier: Waits for the robots of each origin.
        committer: Takes the URLs that sitemaps name.
        ledger: Counts.
    """

    def __init__(self, settings: Settings, frontier: Frontier, committer: Committer, ledger: Ledger) -> None:
        self._settings = settings
        self._frontier = frontier
        self._committer = committer
        self._ledger = ledger
        self._seen: set[int] = set()  # fingerprints of the sitemaps asked for
        self._named = Counter[str]()  # How many sitemaps each host has named.
        # For each sitemap under way, the origin whose robots.txt led to it.
        self._origins: dict[tuple[int, tuple[str, ...]], str] = {}
        self._open = Counter[str]()  # sitemaps under way, by that origin
        self._begun: list[str] = []
        self._ended: list[str] = []
        self._delayed: list[str] = []

    @property
    def is_reading(self) -> bool:
        """Whether there are sitemaps that were asked for and have not been read."""
        return bool(self._origins)

    def answer_robots(self, request: Request, page: Response | None) -> None:
        """Take the answer to a robots request, None if none came; a redirect is followed wherever it leads."""
        self._ledger.robots += 1
        if page is None or not page.complete or page.truncated == "time":
            self.take_robots(request, None, b"")  # half a file may lack the very rule that matters
        elif page.status in REDIRECTS:
            self._redirect_robots(request, page)
        elif 200 <= page.status < 300:
            # One byte more than is read, so that the reader knows whether the last line is whole.
            decoded = undo_codings(page.body, page.header_all("content-encoding"), MAX_ROBOTS_BYTES + 1)
            is_broken = decoded.is_unreadable or not (decoded.complete or page.truncated is not None)
            self.take_robots(request, None if is_broken else page.status, decoded.body)
        else:
            self.take_robots(request, page.status, b"")
        self._frontier.done(request, "ok", time.monotonic())

    def fail_robots(self, request: Request, reason: str) -> None:
        """Take notice that a robots.txt cannot be had, and that no second try would help."""
        self._ledger.robots += 1
        first = request.chain[0] if request.chain else request.url
        now = time.monotonic()
        if not self._frontier.fail_origin(urls.origin(first), urls.host_key(first), reason, now):
            self.take_robots(request, None, b"")
        self._frontier.done(request, "ok", now)

    def _redirect_robots(self, request: Request, page: Response) -> None:
        try:
            target = redirect_target(page)
        except UrlError:
            target = None
        chain = (*request.chain, request.url)
        is_too_long = target is not None and len(target) > self._settings.crawl.max_url_chars
        if target is None or is_too_long or target in chain or len(chain) > MAX_ROBOTS_REDIRECTS:
            self.take_robots(request, 404, b"")  # RFC 9309: may be taken as unavailable, which means no rules
            return
        key = urls.host_key(target)
        hop = Request(target, key, urls.fingerprint(target), kind="robots", chain=chain)
        self._frontier.add(hop, time.monotonic())

    def take_robots(self, request: Request, status: int | None, body: bytes) -> None:
        """Give the origin that a chain of robots requests began at its rules."""
        first = request.chain[0] if request.chain else request.url
        origin, key = urls.origin(first), urls.host_key(first)
        rules = robots.from_answer(status, body, self._settings.fetch.user_agent)
        self._frontier.set_robots(origin, key, rules, time.monotonic())
        self._tell_robots(origin, key, status, rules)
        if rules.is_unreachable:
            self._ledger.note(
                f"robots {origin}",
                f"{origin}/robots.txt could not be had; the pages of that origin wait for it or fail",
            )
        delay, longest = rules.crawl_delay or 0.0, self._settings.politeness.max_crawl_delay_s
        if delay:
            self._delayed.append(key)
            self._committer.add_states()
        if delay > longest:
            sentence = (
                f"{origin} asks for {delay:g} s between requests and is skipped; --max-crawl-delay {delay:g} obeys it"
            )
            self._ledger.note(f"crawl-delay {origin}", sentence)
        follows_sitemaps = self._settings.crawl.sitemaps and self._frontier.limits.max_depth(first) >= SITEMAP_DEPTH
        if follows_sitemaps and delay <= longest:
            for url in rules.sitemaps:
                self._add_sitemap(url, key, origin)

    def _tell_robots(self, origin: str, host: str, status: int | None, rules: Robots) -> None:
        """Say in the log what a robots.txt asks for; what it was answered with stands there already."""
        found = [f"a crawl-delay of {rules.crawl_delay:g} s"] if rules.crawl_delay else []
        found += [counted(len(rules.sitemaps), "sitemap")] if rules.sitemaps else []
        what = "cannot be had" if rules.is_unreachable else " and ".join(found) or "no delay, no sitemap"
        level = logging.INFO if rules.crawl_delay else logging.DEBUG
        fields = {"host": host, "status": status, "crawl_delay_s": rules.crawl_delay, "sitemaps": len(rules.sitemaps)}
        tell(level, "robots", f"robots.txt of {origin}: {what}", url=f"{origin}/robots.txt", **fields)

    def _add_sitemap(self, url: str, host: str, origin: str, depth: int = 0, chain: tuple[str, ...] = ()) -> None:
        """Ask for a sitemap once, if it is on the host that names it or within the scope."""
        try:
            url = urls.canonicalize(url)
        except UrlError:
            return
        key = urls.host_key(url)
        if len(url) > self._settings.crawl.max_url_chars:
            self._ledger.left_out(key, "too_long", url)
            return
        if key != host and self._frontier.scope.site_of(url) is None:
            self._ledger.left_out(key, "scope", url)
            return
        fingerprint = urls.fingerprint(url)
        if fingerprint in self._seen:
            return
        if self._named[host] >= MAX_SITEMAPS_PER_HOST:
            self._ledger.note(
                f"sitemaps {host}", f"{host} names more than {MAX_SITEMAPS_PER_HOST} sitemaps; the rest is left"
            )
            return
        self._seen.add(fingerprint)
        self._named[host] += 1
        sitemap = Request(url, key, fingerprint, kind="sitemap", depth=depth, chain=chain)
        self._origins[fingerprint, chain] = origin
        if not self._open[origin]:
            self._begun.append(origin)
        self._open[origin] += 1
        self._frontier.add(sitemap, time.monotonic())

    def _origin_of(self, request: Request) -> str:
        return self._origins.get((request.fingerprint, request.chain), urls.origin(request.url))

    def take_changes(self) -> Changes:
        """What changed since this was asked last."""
        changes = Changes(self._begun, [origin for origin in self._ended if not self._open[origin]], self._delayed)
        self._begun, self._ended, self._delayed = [], [], []
        return changes

    def end_sitemap(self, request: Request) -> None:
        """A sitemap has been read, or never will be."""
        origin = self._origins.pop((request.fingerprint, request.chain), None)
        if origin is None:
            return
        self._open[origin] -= 1
        if not self._open[origin]:
            self._ended.append(origin)
            self._committer.add_states()

    def answer_sitemap(self, request: Request, page: Response | None) -> None:
        """Take an answer to a sitemap request that holds no sitemap."""
        self._ledger.sitemaps += 1
        if page is not None and page.status in REDIRECTS and len(request.chain) < self._settings.fetch.max_redirects:
            try:
                target = redirect_target(page)
            except UrlError:
                target = None
            if target is not None:
                self._add_sitemap(
                    target, request.host, self._origin_of(request), request.depth, (*request.chain, request.url)
                )
        self.end_sitemap(request)
        self._frontier.done(request, "ok", time.monotonic())

    def take_sitemap(self, request: Request, parsed: Parsed) -> None:
        """Take a parsed sitemap: its pages wait for the next commit, the sitemaps it names for their turn."""
        self._ledger.sitemaps += 1
        counts = {"links": len(parsed.links), "sitemaps": len(parsed.sitemaps)}
        found = f"{counted(len(parsed.links), 'page')}, {counted(len(parsed.sitemaps), 'sitemap')}"
        tell(logging.DEBUG, "sitemap", f"sitemap {request.url}: {found}", url=request.url, host=request.host, **counts)
        if request.depth < MAX_INDEX_DEPTH:
            for url in parsed.sitemaps:
                self._add_sitemap(url, request.host, self._origin_of(request), request.depth + 1)
        elif parsed.sitemaps:
            sentence = f"{request.url} names sitemaps more than {MAX_INDEX_DEPTH} levels deep, which are left"
            self._ledger.note(f"sitemap levels {request.host}", sentence)
        if parsed.links:
            self._committer.add_found(Found(parsed.links, SITEMAP_DEPTH, request.url))
        self.end_sitemap(request)
        self._frontier.done(request, "ok", time.monotonic())

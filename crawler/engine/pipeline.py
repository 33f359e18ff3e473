"""One request on its way down the line: resolve, fetch, judge, parse, hand over to the commit.

What is decided here is what comes of an answer; when a request is sent is the engine's and the frontier's business.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from crawler import urls
from crawler.engine.answers import judge
from crawler.engine.commit import Committer
from crawler.engine.parts import Parts
from crawler.engine.shortage import SHED_PAUSE_S, Shortage
from crawler.engine.site_files import Changes, SiteFiles
from crawler.errors import FetchError, ParseError, RunError
from crawler.fetch import strategy_of
from crawler.fetch.base import REFUSED
from crawler.frontier.frontier import Drop, Frontier, Refill, Resolve
from crawler.frontier.politeness import retry_after_s
from crawler.frontier.retry import RetryBudget, RetryPolicy
from crawler.log.crawl_log import EventLog
from crawler.measure.ledger import Ledger
from crawler.models import CANNOT_SAVE, Link, Parsed, Request
from crawler.records import dropped_line, empty_body, record_line
from crawler.scope.scope import Scope
from crawler.settings.groups import Settings
from crawler.store.archive import Exchange
from crawler.store.base import Done, Found

_NOT_FOR_REDIRECTS = ("segments", "repeats")  # a path that a server leads to did not grow by accident
# Where a seed leads stands for the seed, which the user has named whatever --include says.
_NOT_FOR_SEEDS = (*_NOT_FOR_REDIRECTS, "include")


class Pipeline:
    """Takes requests down the line, each to its outcome.

    Args:
        settings: All settings.
        scope: What belongs to the crawl; seeds that redirect to other hosts widen it.
        parts: What the crawl is made of.
        frontier, committer, ledger: Told of everything that ends.
        on_parsed: Called when a page has left the parse stage.
        on_failure: Called with what ends the crawl.
        on_crash: Called with a fault of the crawler itself.
    """

    def __init__(
        self,
        settings: Settings,
        scope: Scope,
        parts: Parts,
        frontier: Frontier,
        committer: Committer,
        ledger: Ledger,
        on_parsed: Callable[[], None],
        on_failure: Callable[[RunError], None],
        on_crash: Callable[[Exception], None],
    ) -> None:
        self.settings = settings
        self.scope = scope
        self.parts = parts
        self.frontier = frontier
        self.committer = committer
        self.ledger = ledger
        self.site_files = SiteFiles(settings, frontier, committer, ledger)
        self.events = EventLog()
        self._aliases: list[tuple[str, str]] = []
        self.parsing = 0  # pages in the parse stage
        self._is_replay = strategy_of(settings.fetch.strategy).replays  # In a replay there is no server to spare.
        self.lone = 0  # the `seq` of the request that runs alone, 0 for none
        self._on_parsed = on_parsed
        self._on_crash = on_crash
        pace = settings.politeness
        self._retry = RetryPolicy(pace.retries, pace.backoff_s, pace.max_backoff_s)
        self._retry_budget = RetryBudget()
        self._shortage = Shortage(parts, frontier, self.ledger, on_failure)

    # Before the fetch

    async def resolve(self, wanted: Resolve) -> None:
        """Find the addresses of a host."""
        started = time.monotonic()
        try:
            addresses = await self.parts.targets.resolve(wanted.url)
        except FetchError as error:
            now = time.monotonic()
            self.ledger.resolved(now - started)
            self.events.unresolved(wanted.host, error)
            if error.reason == "no_resources":
                self.frontier.unresolved(wanted.host, now, error.reason, SHED_PAUSE_S)
            elif error.is_retryable:
                self.frontier.unresolved(wanted.host, now, error.reason)
                self.events.paused(wanted.host, self.frontier.hosts.parked_until(wanted.host), now)
            else:
                self.frontier.fail_host(wanted.host, error.reason, now)
            return
        shared, now = self.parts.targets.has_address_limit(addresses), time.monotonic()
        self.ledger.resolved(now - started)
        self.frontier.resolved(wanted.host, addresses, shared, now)

    async def refill(self, wanted: Refill) -> None:
        """Bring more of a host's requests from the store."""
        requests = await self.committer.ask(self.parts.store.take, wanted.host, wanted.after, wanted.count)
        self.frontier.refilled(wanted.host, requests, wanted.count, time.monotonic())

    def drop(self, drop: Drop) -> None:
        """Give requests that are not sent their outcome."""
        for request in drop.requests:
            if request.kind == "robots":
                self.site_files.take_robots(request, None, b"")
            elif request.kind == "sitemap":
                self.site_files.end_sitemap(request)
            elif request.kind == "page":
                # What was never asked for has an outcome, but a record only if the user named it.
                is_due = request.is_seed or request.attempts > 0
                line = dropped_line(request, drop.outcome, drop.reason) if is_due else b""
                self.events.dropped(request, drop.outcome, drop.reason)
                if drop.outcome == "failed":
                    self._forget(request)
                self.committer.add(Done(request, drop.outcome, drop.reason, line, was_open=False))

    # The fetch and what comes of it

    async def fetch(self, request: Request) -> None:
        """Send a request, and take what comes of it."""
        self.ledger.asked(request.host)
        self._retry_budget.count_request()
        if self.parts.in_progress is not None:
            self.parts.in_progress.enter(request.seq, alone=request.seq == self.lone)
        started = time.monotonic()
        try:
            target = await self.parts.targets.target(request, started)
            page = await self.parts.fetcher.fetch(request, target)
        except FetchError as error:
            self._no_answer(request, error, time.monotonic() - started)
        else:
            self._answer(Exchange(page, target.headers))

    def _no_answer(self, request: Request, error: FetchError, elapsed_s: float) -> None:
        now = time.monotonic()
        request = self._count_sends(request, error.sends)
        if error.reason == "no_resources":  # no fault of the host
            self.ledger.not_sent(request.host, elapsed_s)
            self._shortage.shed(request, error, now)
            return
        self._shortage.is_over()
        self.ledger.no_answer(request.host, elapsed_s, error.reason)
        self.events.failed_try(request.host, error)
        if error.is_not_tls:
            sentence = f"{request.host} does not speak TLS; perhaps http://{request.host}/ is meant"
            self.ledger.note(f"tls {request.host}", sentence)
        self.frontier.failed(request, now, error.reason, is_network=error.is_retryable)
        self.events.paused(request.host, self.frontier.hosts.parked_until(request.host), now)
        if self._try_again(request, now, error=error):
            return
        if request.kind == "page":
            line = record_line(
                request, "failed", error=error.reason, elapsed_s=elapsed_s, strategy=self.settings.fetch.strategy
            )
            self._finish(Done(request, "failed", error.reason, line), detail=error.detail)
        else:
            self.events.ended(request, "failed", error.reason, error.detail)
            if request.kind == "robots" and error.reason == "tls_failed":
                self.site_files.fail_robots(request, error.reason)
            else:
                self._side_answer(request, None)

    def _count_sends(self, request: Request, sends: int) -> Request:
        """A request as it stands after so many sends, of which the first is counted already."""
        if sends == 1:
            return request
        self.ledger.requests += sends - 1
        return msgspec.structs.replace(request, attempts=request.attempts + sends - 1)

    def _answer(self, exchange: Exchange) -> None:
        page = exchange.page
        if page.sends > 1:
            page = msgspec.structs.replace(page, request=self._count_sends(page.request, page.sends), sends=1)
            exchange = Exchange(page, exchange.sent)
        request, now = page.request, time.monotonic()
        self._shortage.answered()
        status = 200 if self._is_replay else page.status  # as far as the host's pace is concerned
        wait_s = retry_after_s(page.header("retry-after"), time.time()) if status >= 400 else None
        self.ledger.answered(page)
        self.events.fetched(page)
        self.parts.targets.learn(page)
        longest_s = self.settings.politeness.max_retry_after_s
        if wait_s is not None and wait_s > longest_s:
            sentence = f"{request.host} asks to be left alone for {wait_s:.0f} s; its pages wait for it or fail"
            self.ledger.note(f"retry-after {request.host}", sentence)
        self.frontier.answered(request, now, page.elapsed_s, status, wait_s)
        if status >= 400:
            self.events.paused(request.host, self.frontier.hosts.parked_until(request.host), now)
        if page.truncated == REFUSED:
            self._give_back(request, now, REFUSED)
        elif self._try_again(request, now, status=page.status, complete=page.complete, retry_after_s=wait_s):
            self.parts.held.add(-len(page.body))
        elif request.kind == "page":
            self._page(exchange)
        else:
            self._side_answer(request, exchange)

    def _finish(self, done: Done, exchange: Exchange | None = None, detail: str = "") -> None:
        """A page has its outcome, which takes effect with the next commit."""
        if self.parts.in_progress is not None:
            self.parts.in_progress.leave(done.request.seq)
        self.events.ended(done.request, done.outcome, done.reason, detail)
        if done.outcome != "ok":
            self._forget(done.request)
        self.committer.add(done, exchange)

    def _forget(self, request: Request) -> None:
        """What has come of a file will not be gone on with."""
        if self.parts.downloads is not None:
            self.parts.downloads.forget(request.url)

    def _try_again(self, request: Request, now: float, **facts: Any) -> bool:
        """Give a request back to the frontier if a second try can help and the budget allows it."""
        wait_s = self._retry.after(request.attempts + 1, rand=random.random(), **facts)
        if wait_s is None or wait_s > self.settings.politeness.max_retry_after_s or not self._retry_budget.take():
            return False
        error, status = facts.get("error"), facts.get("status")
        reason = error.reason if error else "incomplete" if not facts.get("complete", True) else str(status)
        self.events.retried(request, reason, error.detail if error else "", wait_s)
        self._give_back(request, now + wait_s, reason)
        return True

    def _give_back(self, request: Request, at: float, reason: str) -> None:
        """Have a request sent again, at this time or later, because of this word or status."""
        self.ledger.retries += 1
        if self.parts.in_progress is not None:
            self.parts.in_progress.leave(request.seq)
        again = msgspec.structs.replace(request, attempts=request.attempts + 1, last_error=reason)
        self.frontier.retry(again, at)

    def _page(self, exchange: Exchange) -> None:
        page = exchange.page
        request = page.request
        step = judge(page, self.settings.fetch.max_redirects)
        if step.action == "parse":
            self._parse(exchange)
            return
        self.parts.held.add(-len(page.body))
        found = None
        if step.action == "redirect" and step.target is not None:
            found = self._follow(request, step.target)
        line = record_line(
            request, step.outcome, page=page, error=step.error, redirect_to=step.target, **empty_body(page)
        )
        reason = step.error or (None if step.outcome == "ok" else str(page.status))
        self._finish(Done(request, step.outcome, reason, line, found), exchange)

    def _follow(self, request: Request, target: str) -> Found | None:
        """The target of a redirect as a link: judged like any other, but of the same depth and with its chain."""
        key, seed = urls.host_key(target), request.chain[0] if request.chain else request.url
        # A run that is parsed again has the URLs that it had, and no others.
        is_again = self._is_replay and bool(self.settings.output.parent)
        if request.is_seed and self.scope.site_of(target) is None and (is_again or not self.scope.is_excluded(target)):
            self.widen(seed, key)
        is_seeds = request.is_seed and not is_again
        refusal = self.scope.refusal(target, _NOT_FOR_SEEDS if is_seeds else _NOT_FOR_REDIRECTS)
        if refusal is not None:
            self.ledger.left_out(key, refusal, target)
            if is_seeds:
                self.ledger.note(f"seed {seed}", self.events.seed_left(seed, target, refusal))
            return None
        link = Link(target, key, urls.fingerprint(target))
        return Found([link], request.depth, request.url, (*request.chain, request.url), request.is_seed)

    def widen(self, seed: str, key: str) -> None:
        """A seed that redirects to another host means that host."""
        site = self.scope.site_of(seed)
        if site is not None and self.scope.sites[site].kind != "prefix":
            self.scope.add_alias(site, key)
            self._aliases.append((seed, key))
            self.committer.add_states()
            self.parts.pool.update((site, key))

    def take_changes(self) -> Changes:
        """What changed of sites since this was asked last."""
        aliases, self._aliases = self._aliases, []
        return msgspec.structs.replace(self.site_files.take_changes(), aliases=aliases)

    # Parsing

    def _parse(self, exchange: Exchange) -> None:
        self.parsing += 1
        page = exchange.page
        if page.request.kind == "page" and self.frontier.traps.wants(page.request.url, page.request.host):
            page = msgspec.structs.replace(page, wants_novelty=True)
        self.parts.pool.submit(page, partial(self._parsed, exchange, time.monotonic()))

    def _parsed(self, exchange: Exchange, handed_at: float, parsed: Parsed | ParseError) -> None:
        try:
            self._take_parsed(exchange, parsed, time.monotonic() - handed_at)
        except Exception as error:
            self._on_crash(error)
        self._on_parsed()

    def _take_parsed(self, exchange: Exchange, parsed: Parsed | ParseError, elapsed_s: float) -> None:
        page = exchange.page
        request = page.request
        self.parsing -= 1
        self.parts.held.add(-len(page.body))
        if isinstance(parsed, Parsed) and parsed.error == CANNOT_SAVE:
            raise RunError("cannot write into the run's files/: the disk is full or failing; make room, then resume")
        if isinstance(parsed, ParseError):
            line = record_line(request, "quarantined", page=page, error=parsed.reason)
            if request.kind == "page":
                self._finish(Done(request, "quarantined", parsed.reason, line), exchange, parsed.detail)
            else:
                self.events.ended(request, "quarantined", parsed.reason, parsed.detail)
                self.site_files.end_sitemap(request)
                self.frontier.done(request, "quarantined", time.monotonic())
        elif parsed.complete or not self._try_again(request, time.monotonic(), complete=False):
            self.ledger.parsed_page(parsed, elapsed_s)
            fault = parsed.extract_error
            if fault is not None and self.ledger.extract_errors.add(request.url, fault):
                self.events.not_extracted(request, fault)
            if parsed.outcome == "ok" or parsed.followed:  # a maze whose pages all break off is one as well
                self.frontier.traps.saw(request.url, request.host, parsed.novelty)
            found = Found(parsed.links, request.depth + 1, request.url) if parsed.links else None
            reason = parsed.error or (None if parsed.outcome == "ok" else str(page.status))
            if request.kind == "sitemap":
                self.site_files.take_sitemap(request, parsed)
            else:
                self._finish(Done(request, parsed.outcome, reason, parsed.line, found), exchange)

    # Robots and sitemaps

    def _side_answer(self, request: Request, exchange: Exchange | None) -> None:
        page = None
        if exchange is not None:
            page = exchange.page
            self.committer.add_exchange(exchange)
            if request.kind == "sitemap" and 200 <= page.status < 300 and page.body:
                self._parse(exchange)
                return
        if request.kind == "robots":
            self.site_files.answer_robots(request, page)
        else:
            self.site_files.answer_sitemap(request, page)
        if page is not None:
            self.parts.held.add(-len(page.body))

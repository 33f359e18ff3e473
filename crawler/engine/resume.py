"""Going on with a run: what an earlier session left is put in order before the engine starts."""

from __future__ import annotations

import logging
import time

from crawler import urls
from crawler.engine.engine import Engine
from crawler.log.crawl_log import tell
from crawler.log.terminal import counted
from crawler.models import Request
from crawler.records import record_line
from crawler.settings.groups import Settings
from crawler.store.base import Done
from crawler.store.sqlite import SqliteStore

MAX_CRASHES = 3  # of the process while a URL was under way; from then on it runs alone


def prepare(engine: Engine, store: SqliteStore, before: Settings) -> None:
    """Give an engine what the store knows, and charge the URLs that may have killed the session before.

    Args:
        engine: Made for this session, not started.
        store: Its store.
        before: The settings of the run, to which the engine's may have higher limits.

    Raises:
        RunError: If the store is damaged.
    """
    was_new = not store.counts()
    was_clean = store.begin_session()
    _restore_aliases(engine, store)
    quarantined = 0 if was_clean else _charge(engine, store)
    if engine.parts.in_progress is not None:
        engine.parts.in_progress.clear()
    store.restore_queues()
    _restore_traps(engine, store, before)
    if reasons := _lifted(before, engine.settings):
        count = store.revive(reasons)
        sentence = f"{counted(count, 'URL')} that limits had kept back may be asked for again"
        tell(logging.INFO, "revived", sentence, count=count)
    engine.suspects.extend(each for each in store.take_suspects(MAX_CRASHES) if each.seq != quarantined)
    engine.before = store.counts()
    if engine.frontier.limits.counts_by_place:
        pages = (url for url, outcome, _ in store.outcomes() if outcome in ("ok", "http_error"))
        engine.frontier.limits.count_earlier(pages)
    else:
        engine.frontier.limits.done_earlier(engine.before.get("ok", 0) + engine.before.get("http_error", 0))
    engine.frontier.restore(store.pending(), time.monotonic(), time.time())
    if not was_new:
        _ask_for_sitemaps(engine, store)


def _restore_traps(engine: Engine, store: SqliteStore, before: Settings) -> None:
    """What was closed stays so, unless the user now has more patience with it."""
    if _allows_more_traps(before, engine.settings):
        store.keep_traps(())
    engine.frontier.traps.restore(store.traps())


def _allows_more_traps(before: Settings, now: Settings) -> bool:
    return before.crawl.trap_guard and (not now.crawl.trap_guard or now.crawl.trap_pages > before.crawl.trap_pages)


def _ask_for_sitemaps(engine: Engine, store: SqliteStore) -> None:
    """Sitemaps have no place in the store, so those that were not read to their end are begun again."""
    crawl = engine.settings.crawl
    if crawl.sitemaps and crawl.robots:
        for origin in store.reading():
            engine.frontier.ask_robots(origin, urls.host_key(origin + "/"), time.monotonic())


def _restore_aliases(engine: Engine, store: SqliteStore) -> None:
    """Hosts that seeds redirected to belong to the scope again."""
    for seed in store.seeds():
        if seed.chain and engine.scope.site_of(seed.url) is None:
            engine.pipeline.widen(seed.chain[0], urls.host_key(seed.url))


def _charge(engine: Engine, store: SqliteStore) -> int:
    """Give what was under way one crash more; returns the position of the URL that is quarantined, 0 for none."""
    in_progress = engine.parts.in_progress
    if in_progress is None:
        return 0
    alone, under_way = in_progress.left_over()
    store.charge(under_way)
    if alone and (guilty := store.request(alone)) is not None:
        sentence = f"quarantined {guilty.url}: the crawler died while nothing but it was under way"
        tell(logging.WARNING, "quarantined", sentence, url=guilty.url, host=guilty.host, reason="killed_the_crawler")
        engine.committer.add(_quarantine(guilty))
        return alone
    return 0


def _quarantine(request: Request) -> Done:
    line = record_line(request, "quarantined", error="killed_the_crawler")
    return Done(request, "quarantined", "killed_the_crawler", line, was_open=False)


def _lifted(before: Settings, now: Settings) -> list[str]:
    """The reasons of skipped URLs that may not hold any more under new settings."""
    reasons = []
    if before.crawl.max_pages_per_site != now.crawl.max_pages_per_site:
        reasons.append("budget")
    if before.crawl.max_pages_per_domain != now.crawl.max_pages_per_domain:
        reasons.append("domain_budget")
    if before.crawl.max_depth != now.crawl.max_depth:
        reasons.append("depth")
    if _allows_more_traps(before, now):
        reasons.append("trap")
    if before.crawl.robots and not now.crawl.robots:
        reasons += ["robots", "crawl_delay"]
    if before.politeness.max_crawl_delay_s != now.politeness.max_crawl_delay_s:
        reasons.append("crawl_delay")
    return reasons

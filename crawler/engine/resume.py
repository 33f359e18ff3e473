"""Going on with a run: what an earlier session left is put in order before the engine starts."""

from __future__ import annotations

import logging
import time
from collections.abc import Container, Iterable, Sequence

import msgspec

from crawler import urls
from crawler.engine.engine import Earlier, Engine
from crawler.log.crawl_log import tell
from crawler.log.terminal import counted
from crawler.models import Request
from crawler.records import record_line
from crawler.settings.groups import Settings
from crawler.store.base import ALL_SHARDS, Done

MAX_CRASHES = 3  # A URL during whose fetch the process died this often runs alone from then on.


def prepare(engine: Engine, before: Settings) -> Earlier:
    """Begin a session of a crawl that has one machine, and give its engine all that the store knows.

    Args:
        engine: Made for this session, not started.
        before: The settings of the run, to which the engine's may have higher limits.

    Raises:
        RunError: If the store is damaged.
    """
    quarantined = begin(engine, before)
    earlier = take_over(engine, ALL_SHARDS)
    return msgspec.structs.replace(earlier, suspects=[each for each in earlier.suspects if each.seq != quarantined])


def begin(engine: Engine, before: Settings) -> int:
    """Begin a session: charge the URLs that may have killed the one before, and take up what higher limits allow.

    Args:
        engine: Made for this session, not started.
        before: The settings of the run, to which the engine's may have higher limits.

    Returns:
        The `seq` of the URL that is quarantined now, 0 for none.

    Raises:
        RunError: If the store is damaged.
    """
    store = engine.parts.store
    was_clean = store.begin_session()
    quarantined = 0 if was_clean else _charge(engine)
    if engine.parts.in_progress is not None:
        engine.parts.in_progress.clear()
    if _allows_more_traps(before, engine.settings):
        store.keep_traps(())
    if reasons := _lifted(before, engine.settings):
        _revive(engine, reasons)
    return quarantined


def _revive(engine: Engine, reasons: Sequence[str]) -> None:
    """Let URLs be asked for that were skipped for reasons which may not hold any more."""
    count = engine.parts.store.revive(reasons)
    sentence = f"{counted(count, 'URL')} that limits had kept back may be asked for again"
    tell(logging.INFO, "revived", sentence, count=count)


def take_over(engine: Engine, shards: Container[int]) -> Earlier:
    """Give an engine what the store knows of some shards.

    Args:
        engine: Made for this session, which has begun.
        shards: The shards (`urls.shard_of`), `ALL_SHARDS` for a crawl on one machine.

    Raises:
        RunError: If the store is damaged.
    """
    store, frontier = engine.parts.store, engine.frontier
    territory = store.take_over(shards, MAX_CRASHES)
    for site, host in territory.aliases:
        if not engine.scope.owns_host(host):
            engine.pipeline.widen(site, host)
    frontier.traps.restore(territory.traps)
    counts = store.counts()
    if (limits := frontier.limits).counts_by_place:
        limits.count_earlier(url for url, outcome, _ in store.outcomes() if outcome in ("ok", "http_error"))
        limits.kept_back_earlier((url, reason) for url, outcome, reason in store.outcomes() if outcome == "skipped")
        if limits.reopen():  # somebody has raised a site's own limit in the run's settings
            _revive(engine, ["budget"])
            territory = store.take_over(shards, MAX_CRASHES)
            counts = store.counts()
    else:
        limits.done_earlier(counts.get("ok", 0) + counts.get("http_error", 0))
    frontier.restore(territory.hosts, time.monotonic(), time.time())
    _ask_for_sitemaps(engine, territory.reading)
    return Earlier(counts, territory.suspects)


def _allows_more_traps(before: Settings, now: Settings) -> bool:
    return before.crawl.trap_guard and (not now.crawl.trap_guard or now.crawl.trap_pages > before.crawl.trap_pages)


def _ask_for_sitemaps(engine: Engine, origins: Iterable[str]) -> None:
    """Sitemaps have no place in the store, so those that were not read to their end are begun again."""
    crawl = engine.settings.crawl
    if crawl.sitemaps and crawl.robots:
        for origin in origins:
            engine.frontier.ask_robots(origin, urls.host_key(origin + "/"), time.monotonic())


def _charge(engine: Engine) -> int:
    """Give what was under way one crash more, and quarantine what was so alone; returns its `seq`, 0 for none."""
    in_progress, store = engine.parts.in_progress, engine.parts.store
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

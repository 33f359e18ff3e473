"""The traps of the lab, crawled to their end without a network: after how many pages guard and rules end them."""

from __future__ import annotations

from collections import deque

import pytest
from msgspec import Struct

from crawler import urls
from crawler.frontier.trap_tree import Trap
from crawler.frontier.traps import TrapGuard
from crawler.lab import World, WorldSpec
from crawler.lab.traps import HOSTS, SHOP_ITEMS
from crawler.parse import lexbor
from crawler.parse.hrefs import LinkJoiner
from crawler.scope.patterns import NO_NOVELTY, novelty_of, path_fault
from crawler.scope.rewrite import UrlRules

LIMIT = 500


class Crawled(Struct):
    """What a crawl of a trap came to: pages fetched, different things said, URLs found, what closed, what is left."""

    pages: int
    things: int
    found: int
    traps: list[Trap]
    queued: int
    merged: int


def crawl(seed: str, rules: UrlRules | None = None, max_pages: int = 20_000, limit: int = LIMIT) -> Crawled:
    """Crawl a domain of the lab breadth first, without a network, as the line does."""
    world = World(WorldSpec(hosts=1, pages_per_host=1, page_bytes=0, traps=True))
    guard, rules = TrapGuard(limit), rules or UrlRules()
    waiting, found, said, pages, merged = deque([seed]), {seed}, set[int](), 0, 0
    while waiting and pages < max_pages:
        url = waiting.popleft()
        if guard.is_closed(url, urls.host_key(url)):
            continue
        pages += 1
        novelty, hrefs = _novelty(world, url)
        said.add(novelty)
        host = urls.host_key(url)
        guard.saw(url, host, novelty if guard.wants(url, host) else NO_NOVELTY)
        for href in hrefs:
            link, rule = rules.rewrite(href)
            merged += bool(rule)
            if link not in found and path_fault(link) is None:
                waiting.append(link)
            found.add(link)
    return Crawled(pages, len(said), len(found), guard.reports(), len(waiting), merged)


def _novelty(world: World, url: str) -> tuple[int, list[str]]:
    host = urls.host_key(url)
    answer = world.answer(host, url[url.index("/", 8) :])
    assert answer.status == 200, url
    document = lexbor.read(answer.body, url, LinkJoiner(), 5000)
    return novelty_of(url, document.title, document.text), document.hrefs


@pytest.mark.parametrize(
    ("seed", "pages", "pattern"),
    [
        # The first pages of a domain, which are only counted, then the limit and what the domain had to say before,
        # and what was not judged because it came after news.
        ("http://site-000.lab/calendar/2024-01.html", 604, "site-000.lab/calendar/#-#.html"),  # scenario 76
        ("http://site-000.lab/shop/item-1.html?sid=0", 604, "site-000.lab/shop/item-#.html?sid=*"),  # scenario 77
        ("http://sessions.lab/", 683, "sessions.lab/item-#.html;jsessionid=*"),
        ("http://maze.lab/", 627, "maze.lab/*/*.html"),  # scenario 79
        ("http://words.lab/", 5101, "words.lab/**"),
        ("http://tarpit.lab/", 626, "tarpit.lab/*/*.html"),  # scenario 80
        ("http://www1.mirror.lab/", 2276, "{other}.mirror.lab/page-#.html"),
    ],
)
def test_a_trap_ends_after_so_many_pages(seed: str, pages: int, pattern: str) -> None:
    crawled = crawl(seed)
    assert (crawled.pages, crawled.queued) == (pages, 0)
    assert pattern in [trap.pattern for trap in crawled.traps]
    says = HOSTS[urls.host_key(seed)].says if urls.host_key(seed) in HOSTS else 1
    assert crawled.things == says


@pytest.mark.parametrize("seed", ["http://site-000.lab/loop/", "http://paths.lab/"])
def test_a_path_that_grows_ends_by_its_repeats(seed: str) -> None:  # scenario 78
    crawled = crawl(seed)
    assert crawled.pages <= 4
    assert not crawled.traps


def test_facets_in_every_order_end_and_sorting_them_leaves_each_page_once() -> None:  # scenario 76
    guarded, is_sorted = crawl("http://facets.lab/"), crawl("http://facets.lab/", UrlRules(sort_query=True))
    assert guarded.queued == is_sorted.queued == 0
    assert guarded.pages < 8000 < 40_000
    assert (is_sorted.pages, is_sorted.things) == (1024, HOSTS["facets.lab"].says)
    assert not is_sorted.traps
    assert is_sorted.merged > 0


@pytest.mark.parametrize("seed", ["http://site-000.lab/shop/item-1.html", "http://sessions.lab/"])
def test_without_session_ids_a_shop_is_as_large_as_it_is(seed: str) -> None:  # scenario 77
    crawled = crawl(seed, UrlRules(strip_session_ids=True))
    assert crawled.pages in (SHOP_ITEMS, SHOP_ITEMS + 1)
    assert not crawled.traps


def test_babble_is_news_without_end_which_only_a_budget_ends() -> None:
    crawled = crawl("http://babble.lab/", max_pages=3000)
    assert (crawled.pages, crawled.things) == (3000, 3000)
    assert not crawled.traps


def test_no_two_pages_of_the_labs_sites_say_the_same() -> None:
    world = World(WorldSpec(hosts=1, pages_per_host=500, page_bytes=3000))
    said = {_novelty(world, truth.url)[0] for truth in world.truth() if truth.kind == "page"}
    assert len(said) == sum(truth.kind == "page" for truth in world.truth())

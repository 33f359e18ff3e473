"""A run with many URLs is opened, restored and asked in memory that does not depend on how many there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.frontier.frontier import Frontier
from crawler.models import Link
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from crawler.store.base import ALL_SHARDS, Found
from crawler.store.sqlite import SqliteStore

HOSTS = 20
MIB = 1024 * 1024


def fill(path: Path, urls: int) -> None:
    """A store with so many pending URLs, as a crawl leaves it."""
    store = SqliteStore(path, is_new=True)
    store.begin_session()
    for start in range(0, urls, 10_000):
        numbers = range(start, min(urls, start + 10_000))
        links = [Link(f"http://h{n % HOSTS}.example/{n}", f"h{n % HOSTS}.example", n * 7919 + 1) for n in numbers]
        store.commit([], [Found(links, 1, "http://h0.example/")])
    store.close(is_clean=True)


def resume(path: Path) -> int:
    """Open a store, give it to a frontier and take a window of a host; returns the most memory that Python held."""
    tracemalloc.start()
    try:
        store = SqliteStore(path, is_new=False)
        store.begin_session()
        scope = Scope([SeedSite(f"http://h{number}.example/") for number in range(HOSTS)])
        frontier = Frontier(scope, CrawlSettings(robots=False), PolitenessSettings(), 64, 64)
        frontier.restore(store.take_over(ALL_SHARDS, 3).hosts, 0.0, 0.0)
        assert frontier.hosts.met == HOSTS
        assert len(store.take("h7.example", 0, 64)) == 64
        store.close(is_clean=True)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    folder = tmp_path_factory.mktemp("stores")

    def of(urls: int) -> Path:
        path = folder / f"{urls}.sqlite"
        if not path.exists():
            fill(path, urls)
        return path

    return of


def test_a_resume_takes_as_much_memory_for_200000_urls_as_for_2000(stores: Callable[[int], Path]) -> None:
    # scenario 110
    assert resume(stores(200_000)) < resume(stores(2_000)) + MIB


def test_every_url_is_known_and_handed_out_once_however_many_there_are(stores: Callable[[int], Path]) -> None:
    """The seen-set is exact: nothing that was queued is new, and each comes back in its order."""
    # scenario 110
    store = SqliteStore(stores(200_000), is_new=False)
    known = [Link(f"http://h3.example/{n}", "h3.example", n * 7919 + 1) for n in range(3, 200_000, HOSTS)]
    fresh = Link("http://h3.example/new", "h3.example", -1)
    assert [each.url for each in store.commit([], [Found([*known, fresh], 1, "http://h0.example/")])] == [fresh.url]
    taken: list[str] = []
    after = 0
    while requests := store.take("h3.example", after, 1_000):
        taken += [each.url for each in requests]
        after = requests[-1].seq
    assert taken == [link.url for link in known] + [fresh.url]
    store.close(is_clean=True)

"""Sitemaps that name sitemaps: each is asked for once, and no host can name them without end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from crawler import urls
from crawler.engine import site_files
from crawler.engine.commit import Committer
from crawler.engine.site_files import MAX_SITEMAPS_PER_HOST, SiteFiles
from crawler.frontier.frontier import Frontier
from crawler.frontier.limits import PageLimits
from crawler.frontier.robots import Robots
from crawler.measure.ledger import Ledger
from crawler.models import Parsed, Request, Response
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, Settings
from crawler.store.base import Found

OWN = "https://a.example/"


class Waiting:
    """Stands for the frontier: it takes requests and hands out none."""

    def __init__(self, *seeds: str) -> None:
        self.scope = Scope([SeedSite(seed) for seed in seeds])
        self.limits = PageLimits(CrawlSettings(), self.scope)
        self.requests: list[Request] = []

    def add(self, request: Request, now: float) -> None:
        self.requests.append(request)

    def done(self, request: Request, outcome: str, now: float) -> None:
        pass

    def set_robots(self, origin: str, key: str, rules: Robots, now: float) -> None:
        pass


class Crawl:
    """Sitemaps of made-up sites: what is asked for is answered at once, until nothing is left.

    Args:
        answers: URL of a sitemap → the sitemaps that it names.
        seeds: Of the crawl.
    """

    def __init__(self, answers: dict[str, list[str]], *seeds: str) -> None:
        self.answers = answers
        self.ledger = Ledger()
        self.frontier = Waiting(*(seeds or (OWN,)))
        self.found: list[Found] = []
        committer = SimpleNamespace(add_found=self.found.append, add_states=lambda: None)
        self.site_files = SiteFiles(Settings(), cast(Frontier, self.frontier), cast(Committer, committer), self.ledger)

    def run(self, *named: str, host: str = "a.example") -> list[str]:
        """Read sitemaps that a host's robots.txt names, and all that follows from them."""
        text = "\n".join(f"Sitemap: {url}" for url in named).encode()
        self.site_files.take_robots(Request(f"https://{host}/robots.txt", host, 1, kind="robots"), 200, text)
        asked = []
        while self.frontier.requests:
            request = self.frontier.requests.pop(0)
            assert request.kind == "sitemap"
            asked.append(request.url)
            sitemaps = tuple(self.answers.get(request.url, ()))
            self.site_files.take_sitemap(request, Parsed(b"", "ok", sitemaps=sitemaps))
        return asked


def test_an_index_that_names_itself_is_read_once() -> None:
    """And so are two that name each other."""
    # scenario 61
    loop, one, two = (f"{OWN}{name}.xml" for name in ("loop", "one", "two"))
    crawl = Crawl({loop: [loop, one], one: [two, loop], two: [one, two, loop]})
    assert crawl.run(loop, loop) == [loop, one, two]


def test_a_host_has_a_limited_number_of_sitemaps() -> None:
    """The rest is left, and the user is told."""
    # scenario 61
    index = f"{OWN}index.xml"
    crawl = Crawl({index: [f"{OWN}{number}.xml" for number in range(5_000)]})
    assert len(crawl.run(index)) == MAX_SITEMAPS_PER_HOST == 1_000
    assert any("more than 1000 sitemaps" in note for note in crawl.ledger.notes.values())


def test_indexes_are_followed_three_levels_deep() -> None:
    """Each names the next, and nothing else would ever end it."""
    # scenario 61
    crawl = Crawl({f"{OWN}{number}.xml": [f"{OWN}{number + 1}.xml"] for number in range(5_000)})
    assert crawl.run(f"{OWN}0.xml") == [f"{OWN}{number}.xml" for number in range(4)]


def test_a_sitemap_that_several_hosts_name_is_read_once() -> None:
    # scenario 61
    shared = "https://b.example/s.xml"
    crawl = Crawl({shared: []}, OWN, "https://b.example/", "https://c.example/")
    assert [crawl.run(shared, host=f"{name}.example") for name in "abc"] == [[shared], [], []]


def test_a_hundred_thousand_sitemap_lines_are_a_thousand_sitemaps() -> None:
    # scenario 65
    crawl = Crawl({})
    assert len(crawl.run(*(f"{OWN}{number}.xml" for number in range(100_000)))) <= MAX_SITEMAPS_PER_HOST


@pytest.mark.parametrize("named", ["https://other.example/s.xml", "file:///etc/passwd", "/relative.xml", "https://[/"])
def test_a_sitemap_of_another_site_is_not_asked_for(named: str) -> None:
    """Neither if robots.txt names it, nor if an index does; the scope and the host that names it decide."""
    # scenario 65
    assert Crawl({}).run(named) == []
    index = f"{OWN}index.xml"
    assert Crawl({index: [named]}).run(index) == [index]


def test_a_sitemap_of_another_site_of_the_crawl_is_read() -> None:
    # scenario 65
    shared = "https://b.example/s.xml"
    assert Crawl({}, OWN, "https://b.example/").run(shared) == [shared]


def test_a_redirect_of_a_sitemap_leads_to_no_other_site() -> None:
    # scenarios 65, 72
    crawl = Crawl({})
    request = Request(f"{OWN}s.xml", "a.example", urls.fingerprint(f"{OWN}s.xml"), kind="sitemap")
    for target, asked in (("https://evil.example/s.xml", []), ("file:///etc/passwd", []), ("/t.xml", [f"{OWN}t.xml"])):
        page = Response(request, 302, (("Location", target),), b"", 0.0, 0.0, "asyncio")
        crawl.site_files.answer_sitemap(request, page)
        assert [each.url for each in crawl.frontier.requests] == asked


def test_the_pages_of_a_sitemap_wait_for_the_next_commit() -> None:
    """They have the depth of a link from the seed, and the sitemap as the place where they were found."""
    crawl = Crawl({})
    request = Request(f"{OWN}s.xml", "a.example", 1, kind="sitemap")
    crawl.site_files.take_sitemap(request, Parsed(b"", "ok", links=("link",)))  # type: ignore[arg-type]
    assert [(each.links, each.depth, each.via) for each in crawl.found] == [(("link",), 1, request.url)]
    assert site_files.SITEMAP_DEPTH == 1

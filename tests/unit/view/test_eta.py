"""How long a crawl still takes: from queues and delays, said before it begins and while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.frontier import Frontier, Resolve
from crawler.frontier.outlook import time_for
from crawler.frontier.robots import parse
from crawler.measure.ledger import Ledger
from crawler.models import Pending, Request
from crawler.scope.scope import Scope, SeedSite
from crawler.scope.seeds import Seeds
from crawler.settings.file import build
from crawler.settings.groups import PolitenessSettings, Settings
from crawler.view.eta import Eta
from crawler.view.opening import opening, shortest
from tests.unit.frontier.driver import Crawl, pages, request

NOW = 1000.0


def made_engine(sites: tuple[SeedSite, ...] = (), **tables: Any) -> Any:
    """What the forecast reads of an engine: a frontier, a ledger and the settings."""
    settings = build(tables, "the test")
    frontier = Frontier(Scope(sites), settings.crawl, settings.politeness, 64, 0, memory_requests=0)
    line = SimpleNamespace(parsing=0, site_files=SimpleNamespace(is_reading=False))
    return SimpleNamespace(frontier=frontier, ledger=Ledger(), settings=settings, pipeline=line)


def fill(engine: Any, host: str, count: int, now: float = NOW) -> None:
    """Let the frontier know so many pages of a host."""
    for number, url in enumerate(pages(host, count), 1):
        engine.frontier.add(request(url, seq=number), now)


def ask(engine: Any, now: float) -> Request:
    """Let the frontier look the only host up and ask it for something."""
    wanted = engine.frontier.next(now)
    assert isinstance(wanted, Resolve)
    engine.frontier.resolved(wanted.host, ("192.0.2.1",), limits_address=False, now=now)
    asked = engine.frontier.next(now)
    assert isinstance(asked, Request)
    return asked


def test_a_host_needs_its_delay_for_each_page_that_is_known_in_memory_or_not() -> None:
    """Of 1,000 pages the frontier holds a window of 64."""
    engine = made_engine(politeness={"delay_s": 10.0})
    fill(engine, "a.example", 1000)
    fill(engine, "b.example", 10)
    left = Eta(engine).left(0.0)
    assert (left.host, left.host_urls, left.host_s, left.urls) == ("a.example", 1000, 10_000.0, 1010)
    assert left.sentence() == "at least 2 h 46 min: a.example alone has 1,000 URLs, 10 s apart"
    assert engine.frontier.waiting == 1010


def test_what_a_refill_brings_was_counted_already() -> None:
    """Whichever of commit and refill comes first for a page, it counts once; the driver looks at the end."""
    crawl = Crawl(pages("a.example", 500), politeness=PolitenessSettings(delay_s=1.0), store_s=lambda: 0.7)
    crawl.run(until=100)
    frontier = crawl.frontier
    assert frontier.waiting > frontier.queued
    assert frontier.waiting == 500 - len(crawl.fetches)
    crawl.run()


def test_the_pages_of_a_run_that_goes_on_are_known_by_their_number() -> None:
    """None of them is in memory yet."""
    engine = made_engine()
    engine.frontier.restore([Pending("a.example", "http://a.example/", None, 5000)], time.monotonic(), 0.0)
    assert Eta(engine).left(0.0).host_s == pytest.approx(5000, abs=1)


def test_a_crawl_delay_is_named_when_robots_txt_was_read() -> None:
    """It is told once, and again only when it turns out to be much longer."""
    engine = made_engine()
    fill(engine, "a.example", 30)
    eta = Eta(engine)
    eta.left(0.0)
    assert eta.news() == ""
    frontier = engine.frontier
    frontier.set_robots("http://a.example", "a.example", parse(b"User-agent: *\nCrawl-delay: 20\n", "crawler/1"), NOW)
    eta = Eta(engine)
    eta.left(0.0)
    assert eta.news() == "a.example alone needs at least 10 min 0 s: 30 URLs, 20 s apart (its crawl-delay)"
    assert eta.news() == ""


def test_nothing_is_told_of_a_host_while_its_sitemaps_are_being_read() -> None:
    """What they hold decides how long it takes."""
    engine = made_engine()
    fill(engine, "a.example", 1000)
    engine.pipeline.site_files.is_reading = True
    eta = Eta(engine)
    eta.left(0.0)
    assert eta.news() == ""
    engine.pipeline.site_files.is_reading = False
    assert eta.news().startswith("a.example alone needs at least 16 min 40 s")


def test_limits_shorten_what_is_left() -> None:
    """Of one host by the limit; of several the fast ones can bring what a slow one would take long for."""
    engine = made_engine(crawl={"max_pages": 100})
    fill(engine, "a.example", 1000)
    assert Eta(engine).left(0.0).host_s == 100
    fill(engine, "b.example", 1000)
    left = Eta(engine).left(0.0)
    assert (left.host, left.urls) == ("", 100)
    assert left.seconds == pytest.approx(50, rel=0.01)
    timed = made_engine(crawl={"max_time_s": 5.0})
    fill(timed, "a.example", 1000)
    assert Eta(timed).left(0.0).sentence().endswith("s until --max-time")


def test_what_will_never_be_asked_for_keeps_no_host() -> None:
    """What robots.txt forbids, and what is above the limit of a domain that two hosts share."""
    engine = made_engine()
    fill(engine, "a.example", 50)
    rules = b"User-agent: *\nDisallow: /\nCrawl-delay: 20\n"
    engine.frontier.set_robots("http://a.example", "a.example", parse(rules, "crawler/1"), NOW)
    assert Eta(engine).left(0.0).host_s == 0
    shared = made_engine(crawl={"scope": "any", "max_pages_per_domain": 10, "max_pages": 9000})
    fill(shared, "a.example", 5000)
    assert Eta(shared).left(0.0).urls == 10
    fill(shared, "b.a.example", 5000)
    assert Eta(shared).left(0.0).host == ""


def test_the_limit_of_a_site_holds_before_any_of_its_pages_is_in_memory() -> None:
    """A run that goes on has them all in its store."""
    engine = made_engine(crawl={"max_pages_per_site": 100}, sites=(SeedSite("http://a.example/"),))
    engine.frontier.limits.count_earlier([f"http://a.example/{number}" for number in range(95)])
    engine.frontier.restore([Pending("a.example", "http://a.example/", None, 5000)], NOW, 0.0)
    assert Eta(engine).left(0.0).urls == 5


def test_the_gap_that_has_passed_is_not_waited_for_again() -> None:
    """The last URL of a host with a long delay is due as soon as that is over."""
    engine = made_engine(politeness={"delay_s": 100.0})
    engine.frontier.restore([Pending("a.example", "http://a.example/", None, 1)], time.monotonic() - 60, 0.0)
    assert Eta(engine).left(0.0).host_s == pytest.approx(40, abs=1)


def test_without_delays_the_rate_tells() -> None:
    """And nothing is said where nothing is known."""
    engine = made_engine(politeness={"delay_s": 0.0})
    assert Eta(engine).left(0.0).sentence() == ""
    fill(engine, "a.example", 1000)
    left = Eta(engine).left(20.0)
    assert left.sentence() == "about 50 s for what is queued"
    assert left.host == ""


def test_urls_that_a_limit_leaves_are_not_told_as_all_that_are_known() -> None:
    """A hundred of a thousand."""
    engine = made_engine(crawl={"max_pages": 100}, politeness={"delay_s": 0.5})
    fill(engine, "a.example", 1000)
    assert Eta(engine).left(0.0).sentence() == "about 50 s for the 100 URLs that the limits leave"


def test_of_a_host_that_does_not_answer_it_is_said_and_no_time() -> None:
    """What failed is its robots.txt; after more failures it is left alone for a while."""
    engine, now = made_engine(politeness={"delay_s": 0.0}), time.monotonic()
    fill(engine, "a.example", 1, now)
    asked = ask(engine, now)
    assert asked.kind == "robots"
    assert "does not answer" not in Eta(engine).left(0.0).sentence()
    engine.frontier.failed(asked, now, "refused", is_network=True)
    assert Eta(engine).left(0.0).sentence() == "robots.txt of a.example does not answer (try 2)"
    for _ in range(4):
        engine.frontier.retry(asked, now)
        assert engine.frontier.next(now) == asked
        engine.frontier.failed(asked, now, "refused", is_network=True)
    assert Eta(engine).left(0.0).sentence() == "robots.txt of a.example does not answer: it is asked again in 5 min 0 s"


def test_a_host_that_does_not_answer_adds_nothing_to_the_time_of_the_others() -> None:
    """It is told behind it."""
    engine, now = made_engine(crawl={"robots": False}), time.monotonic()
    fill(engine, "b.example", 50, now)
    engine.frontier.failed(ask(engine, now), now, "refused", is_network=True)
    fill(engine, "a.example", 10, now)
    assert Eta(engine).left(0.0).sentence() == "about 10 s for what is queued; b.example does not answer (try 2)"


def test_a_first_answer_that_has_taken_long_is_told() -> None:
    """No try has failed yet."""
    engine, began = made_engine(crawl={"robots": False}), time.monotonic() - 5
    fill(engine, "a.example", 1, began)
    ask(engine, began)
    assert Eta(engine).left(0.0).sentence() == "a.example does not answer (try 1)"


QUEUES = st.lists(st.tuples(st.integers(1, 1000), st.floats(0.001, 100)), min_size=1, max_size=20)


@given(QUEUES, st.floats(0, 1))
def test_in_the_time_that_it_takes_so_many_can_be_done(queues: list[tuple[int, float]], share: float) -> None:
    """Not much more time than that, and never more than until the longest queue is empty."""
    urls = int(share * sum(count for count, _ in queues))
    seconds = time_for(urls, queues)
    assert seconds <= max(count * each_s for count, each_s in queues)
    assert sum(min(count, 1.0001 * seconds / each_s) for count, each_s in queues) >= urls * 0.9999


@pytest.mark.parametrize(
    ("urls", "tables", "said"),
    [
        (["http://a.example/"], {}, ""),
        (["http://a.example/"], {"crawl": {"max_pages": 10_000}},
         "10,000 pages of a.example, 1 s apart, take at least 2 h 46 min."),
        (["http://a.example/"], {"crawl": {"max_pages": 1000, "max_pages_per_site": 50}},
         "50 pages of a.example, 1 s apart, take at least 50 s."),
        (["http://a.example/"], {"crawl": {"max_pages": 1000}, "politeness": {"delay_s": 0.0}}, ""),
        ([f"http://a.example/{n}" for n in range(600)], {"crawl": {"max_depth": 0}},
         "600 pages of a.example, 1 s apart, take at least 10 min 0 s."),
        ([f"http://a.example/{n}" for n in range(600)], {},
         "600 seeds of a.example, 1 s apart, take at least 10 min 0 s."),
        ([f"http://{n}.example/" for n in range(600)], {}, ""),
        ([f"http://{n}.example/" for n in "abc"], {"crawl": {"max_pages": 9000}},
         "9,000 pages of 3 hosts, 1 s apart on each, take at least 50 min 0 s."),
        ([f"http://{n}.example/" for n in "abc"], {"crawl": {"max_pages": 9000, "scope": "domain"}}, ""),
        ([f"http://{n}.example/" for n in "abc"], {"crawl": {"max_pages_per_site": 100}},
         "100 pages of a.example, 1 s apart, take at least 1 min 40 s."),
        (["http://a.example/"], {"crawl": {"max_pages": 100, "robots": False}},
         "100 pages of a.example, 1 s apart, take at least 1 min 39 s."),
    ],
)  # fmt: skip
def test_what_politeness_alone_takes_is_told_before_the_crawl(
    urls: list[str], tables: dict[str, Any], said: str
) -> None:
    settings = build(tables, "the test")
    seeds = Seeds(tuple(SeedSite(url, settings.crawl.scope) for url in urls), ())
    assert shortest(settings, seeds) == said


def test_a_site_with_a_delay_of_its_own_is_the_one_that_takes_long() -> None:
    sites = (SeedSite("http://a.example/", max_pages=50), SeedSite("http://b.example/", max_pages=100, delay_s=30.0))
    said = opening(Settings(), Seeds(sites, ()), Path("data/run"))
    assert said.splitlines()[-1] == "100 pages of b.example, 30 s apart, take at least 50 min 0 s."
    assert max(map(len, said.splitlines())) <= 80


def test_on_a_narrow_terminal_the_opening_breaks_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    sites = (SeedSite("http://a.example/", max_pages=50),)
    lines = opening(Settings(), Seeds(sites, ()), Path("data/run")).splitlines()
    assert max(map(len, lines)) <= 40
    assert "on each host; run: data/run" in " ".join(lines)


def test_the_pace_that_is_told_before_the_crawl_is_that_of_the_sites() -> None:
    """The delay of all is not told where no site has it."""
    slow, slower = SeedSite("http://a.example/", delay_s=5.0), SeedSite("http://b.example/", delay_s=30.0)
    usual = SeedSite("http://c.example/")

    def told(*sites: SeedSite) -> str:
        return " ".join(opening(Settings(), Seeds(sites, ()), Path("data/run")).split())

    assert "1 at a time, 5 s apart on each host;" in told(slow)
    assert "1 at a time, 5 to 30 s apart on each host;" in told(slow, slower)
    assert "1 at a time, 1 to 5 s apart on each host;" in told(slow, usual)
    assert "1 at a time, 1 s apart on each host;" in told(usual)
    assert "5 s" in told(slow, msgspec.structs.replace(slow, seed="http://d.example/", kind="any"))


def test_hosts_outside_of_all_sites_have_the_delay_of_all() -> None:
    """Under --scope any they belong to the crawl."""
    settings = build({"crawl": {"scope": "any", "max_pages": 5}}, "the test")
    sites = (SeedSite("http://a.example/", "any", delay_s=5.0),)
    assert "1 to 5 s apart" in opening(settings, Seeds(sites, ()), Path("data/run"))


def test_a_site_with_a_delay_of_its_own_is_forecast_by_it() -> None:
    """And by its robots.txt where that asks for more."""
    engine = made_engine(sites=(SeedSite("http://a.example/", delay_s=5.0),))
    fill(engine, "a.example", 100)
    assert Eta(engine).left(0.0).sentence() == "at least 8 min 20 s: a.example alone has 100 URLs, 5 s apart"
    rules = parse(b"User-agent: *\nCrawl-delay: 20\n", "crawler/1")
    engine.frontier.set_robots("http://a.example", "a.example", rules, NOW)
    assert Eta(engine).left(0.0).reason == "100 URLs, 20 s apart (its crawl-delay)"


def test_a_host_whose_last_answer_was_slow_is_not_said_to_be_silent() -> None:
    """It answers, and its next answer drips."""
    engine, began = made_engine(crawl={"robots": False}, politeness={"delay_s": 0.0}), time.monotonic() - 60
    fill(engine, "a.example", 2, began)
    first = ask(engine, began)
    engine.frontier.answered(first, began + 30, 30.0, 200, None)
    assert isinstance(engine.frontier.next(began + 30), Request)
    assert "does not answer" not in Eta(engine).left(0.0).sentence()

"""What the time of a crawl is put down to, on a clock that jumps: each kind of politeness, and servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from crawler.measure.occupancy import Occupancy, Queues
from crawler.models import Request
from crawler.scope.scope import SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from tests.unit.frontier.driver import NO_ROBOTS, START, Answer, Crawl, pages

COUNT = 50
EVEN = {"adaptive_factor": 0.0}


@dataclass
class Timed(Crawl):
    """A crawl that looks at itself as the engine does, whenever nothing can be handed out."""

    occupancy: Occupancy = field(default_factory=Occupancy)

    def pump(self) -> None:
        super().pump()
        frontier = self.frontier
        self.occupancy.look(self.now, frontier.hold(self.now), frontier.in_flight, Queues(cooling=frontier.cooling))


def shares(politeness: PolitenessSettings, answer: Any, **options: Any) -> dict[str, float]:
    """The shares of the time of a crawl of some pages of one host, after its proper end."""
    crawl = Timed(pages("a.example", COUNT), answer, politeness=politeness, **{"crawl": NO_ROBOTS} | options).run()
    assert isinstance(crawl, Timed)
    seen = crawl.occupancy
    assert sum(seen.times.values()) == pytest.approx(seen.observed_s)
    assert seen.observed_s == pytest.approx(crawl.now - START)
    return {name: spent / seen.observed_s for name, spent in seen.times.items()}


def quick(wanted: Request, now: float) -> Answer:
    """An answer that takes a tenth of a second."""
    return Answer(elapsed_s=0.1)


def test_a_delay_is_politeness_and_the_answers_between_are_the_servers() -> None:
    """Nine tenths of a second to one; the last page has no gap behind it."""
    found = shares(PolitenessSettings(delay_s=0.9, **EVEN), quick)
    assert found["politeness"] == pytest.approx(0.9, abs=0.01)
    assert found["servers"] == pytest.approx(0.1, abs=0.01)


def test_without_a_delay_all_is_waiting_for_servers() -> None:
    """One request at a time of one host."""
    assert shares(PolitenessSettings(delay_s=0.0), quick)["servers"] == pytest.approx(1.0)


def test_a_delay_of_the_sites_own_is_politeness() -> None:
    """However short that of all is."""
    sites = [SeedSite("http://a.example/", delay_s=9.9)]
    found = shares(PolitenessSettings(delay_s=0.0, **EVEN), quick, sites=sites)
    assert found["politeness"] == pytest.approx(0.99, abs=0.01)


def test_a_crawl_delay_of_robots_txt_is_politeness() -> None:
    """The user asks for none."""

    def answer(wanted: Request, now: float) -> Answer:
        body = b"User-agent: *\nCrawl-delay: 4.9\n" if wanted.kind == "robots" else b""
        return Answer(elapsed_s=0.1, body=body)

    found = shares(PolitenessSettings(delay_s=0.0), answer, crawl=CrawlSettings(sitemaps=False))
    assert found["politeness"] == pytest.approx(0.98, abs=0.01)


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_is_politeness(status: int) -> None:
    """One answer asks for a hundred times what all others take."""
    asked: list[str] = []

    def answer(wanted: Request, now: float) -> Answer:
        asked.append(wanted.url)
        if len(asked) == 10:
            return Answer(status, elapsed_s=0.1, retry_after_s=500.0)
        return Answer(elapsed_s=0.1)

    found = shares(PolitenessSettings(delay_s=0.0, max_retry_after_s=600.0), answer)
    assert found["politeness"] > 0.98


def test_of_many_hosts_the_time_is_shared_as_they_share_it() -> None:
    """Each waits three quarters of its time for its delay, and they do so at once."""
    seeds = [f"http://h{host}.example/{page}" for page in range(COUNT) for host in range(20)]
    crawl = Timed(seeds, lambda wanted, now: Answer(elapsed_s=1.0), NO_ROBOTS, PolitenessSettings(delay_s=3.0, **EVEN))
    crawl.run()
    assert crawl.occupancy.times["politeness"] / crawl.occupancy.observed_s == pytest.approx(0.75, abs=0.02)

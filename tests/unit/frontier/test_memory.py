"""What the frontier remembers: robots.txt for a day, hosts for as long as there is something to do there."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from crawler.frontier import hosts as in_mind
from crawler.frontier.frontier import Drop, Frontier, Resolve
from crawler.models import Request
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from tests.unit.frontier.driver import NO_DELAY, START, Answer, Crawl, pages, request

ROBOTS = CrawlSettings(sitemaps=False)
DEEP = CrawlSettings(sitemaps=False, max_depth=1000)
HOUR_S = 3600.0
SLOW = PolitenessSettings(delay_s=100.0, adaptive_factor=0)  # 1,000 pages take 28 hours


def robots_times(crawl: Crawl) -> list[float]:
    return [fetch.start - START for fetch in crawl.fetches if fetch.request.kind == "robots"]


def test_robots_txt_is_asked_for_again_after_a_day_and_judges_what_was_queued_before() -> None:  # scenario 57
    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots":
            return Answer(body=b"User-agent: *\nDisallow: /" if now - START > HOUR_S else b"")
        return Answer()

    crawl = Crawl(pages("a.example", 1000), answer, ROBOTS, SLOW).run()
    first, second = robots_times(crawl)
    assert first == 0
    assert 24 * HOUR_S <= second <= 24 * HOUR_S + 200
    late = [fetch for fetch in crawl.fetches if fetch.request.kind == "page" and fetch.start - START > second]
    assert not late
    refused = [outcome for outcome, reason, _ in crawl.outcomes.values() if (outcome, reason) == ("skipped", "robots")]
    assert len(refused) == 1000 - (len(crawl.fetches) - 2) > 100


def test_an_old_robots_txt_stands_in_while_a_new_one_cannot_be_had() -> None:  # scenarios 53 and 57
    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots":
            is_late = now - START > HOUR_S
            return Answer(503) if is_late else Answer(body=b"User-agent: *\nDisallow: /7")
        return Answer()

    crawl = Crawl(pages("a.example", 1000), answer, ROBOTS, SLOW).run()
    first, *others = robots_times(crawl)
    assert first == 0
    assert len(others) > 1, "it is asked for again and again"
    assert all(later - earlier >= 300 for earlier, later in pairwise(others))
    fetched = [fetch.request.url for fetch in crawl.fetches if fetch.request.kind == "page"]
    allowed = [url for url in pages("a.example", 1000) if "/7" not in url]
    assert sorted(set(fetched)) == sorted(allowed)


def test_hosts_with_nothing_left_to_do_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:  # scenario 4
    monkeypatch.setattr(in_mind, "KEPT_HOSTS", 20)
    hosts = [f"h{number}.example" for number in range(400)]

    def answer(wanted: Request, now: float) -> Answer:
        number = int(wanted.host.removeprefix("h").partition(".")[0])
        links = [f"http://{hosts[number + 1]}/"] if wanted.kind == "page" and number < 399 else []
        return Answer(links=links)

    crawl = Crawl(["http://h0.example/"], answer, DEEP, NO_DELAY).run()
    assert len(crawl.fetches) == 800, "a page and a robots.txt of each"
    assert crawl.frontier.hosts.met == 400
    assert len(crawl.frontier.hosts.keys) <= 41
    crawl.check_conservation()


def test_a_host_whose_robots_txt_will_never_come_can_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pages have failed; a crawl of many such hosts keeps none of them in mind."""
    monkeypatch.setattr(in_mind, "KEPT_HOSTS", 1)
    scope = Scope([SeedSite("https://bad.example/", "any")])
    frontier = Frontier(scope, ROBOTS, NO_DELAY, 4, 0)
    frontier.add(request("https://bad.example/", seq=1), START)
    assert isinstance(frontier.next(START), Resolve)
    frontier.resolved("bad.example", ("192.0.2.1",), limits_address=False, now=START)
    asked = frontier.next(START)
    assert isinstance(asked, Request)
    assert asked.kind == "robots"
    frontier.failed(asked, START + 1, is_network=False)
    assert frontier.fail_origin("https://bad.example", "bad.example", "tls_failed", START + 1)
    frontier.done(asked, "ok", START + 1)
    dropped = frontier.next(START + 2)
    assert isinstance(dropped, Drop)
    assert (dropped.outcome, dropped.reason) == ("failed", "tls_failed")
    assert frontier.next(START + 2) is None
    assert frontier.finished
    frontier.add(request("https://good.example/", seq=2), START + 2)
    assert frontier.hosts.keys == ["good.example"]


def test_a_forgotten_host_that_was_given_up_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_mind, "KEPT_HOSTS", 20)
    hosts = [f"h{number}.example" for number in range(100)]

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.host == "gone.example":
            raise AssertionError("a host that cannot be resolved is not asked")
        number = int(wanted.host.removeprefix("h").partition(".")[0])
        links = [f"http://gone.example/{number}", f"http://{hosts[(number + 1) % 100]}/"]
        return Answer(links=links)

    crawl = Crawl(
        ["http://h0.example/"],
        answer,
        msgspec.structs.replace(DEEP, robots=False),
        NO_DELAY,
        resolve=lambda host: "not_found" if host == "gone.example" else "",
    ).run()
    assert crawl.resolves["gone.example"] == 1
    lost = [reason for outcome, reason, _ in crawl.outcomes.values() if outcome == "failed"]
    assert lost == ["not_found"] * 100

"""What the frontier remembers: robots.txt for a day, hosts for as long as there is something to do there."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from crawler.frontier import hosts as in_mind
from crawler.frontier import robots
from crawler.frontier.frontier import Drop, Frontier, Resolve
from crawler.frontier.outlook import HostDelays
from crawler.models import Pending, Request
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from tests.unit.frontier.driver import NO_DELAY, START, Answer, Crawl, pages, request, with_robots

ROBOTS = CrawlSettings(sitemaps=False)
DEEP = CrawlSettings(sitemaps=False, max_depth=1000)
HOUR_S = 3600.0
SLOW = PolitenessSettings(delay_s=100.0, adaptive_factor=0)  # 1,000 pages take 28 hours


def gap_of(frontier: Frontier) -> float | None:
    """The gap that the only host keeps, seconds; None while it is not in mind."""
    host = frontier.hosts.get("a.example")
    return None if host is None else host.gap_s


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
    frontier.failed(asked, START + 1, "tls_failed", is_network=False)
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


# The gap of an earlier session

DELAY_7 = "User-agent: *\nCrawl-delay: 7"
USUAL = PolitenessSettings(adaptive_factor=0)


def resumed(gap_s: float, text: str, crawl: CrawlSettings = ROBOTS, *, is_gap_first: bool = False) -> Crawl:
    """A crawl that goes on with five pages of one host, whose robots.txt says now what `text` does."""
    made = Crawl(pages("a.example", 5), lambda wanted, now: Answer(body=text.encode(), elapsed_s=0.0), crawl, USUAL)
    if is_gap_first:
        made.frontier.restore_gap("a.example", gap_s)
    made.frontier.restore([Pending("a.example", "http://a.example/", None, 0)], START, 0.0)
    if not is_gap_first:
        made.frontier.restore_gap("a.example", gap_s)
    return made


def starts(crawl: Crawl) -> list[float]:
    return [fetch.start - START for fetch in crawl.fetches]


@pytest.mark.parametrize("is_gap_first", [True, False])
def test_a_crawl_delay_survives_a_resume(is_gap_first: bool) -> None:
    """The robots.txt of the host is the first that waits for it, and what is to be kept stays what it was."""
    before = Crawl(pages("a.example", 9), with_robots(lambda wanted, now: Answer(), DELAY_7), ROBOTS, USUAL)
    before.run(until=20)
    kept_s = gap_of(before.frontier)
    assert kept_s == 7.0
    crawl = resumed(kept_s, DELAY_7, is_gap_first=is_gap_first)
    assert gap_of(crawl.frontier) == 7.0
    assert starts(crawl.run()) == [7, 14, 21, 28, 35, 42]
    assert gap_of(crawl.frontier) == 7.0
    crawl.check_conservation()


def test_a_crawl_delay_that_is_no_longer_asked_for_holds_until_robots_txt_says_so() -> None:
    assert starts(resumed(7.0, "").run()) == [7, 8, 9, 10, 11, 12]


def test_a_kept_gap_does_not_shorten_the_delay_that_the_user_asks_for_now() -> None:
    assert starts(resumed(0.25, "").run()) == [1, 2, 3, 4, 5, 6]


def test_a_crawl_that_reads_no_robots_txt_has_no_use_for_the_gap_of_one_that_did() -> None:
    assert starts(resumed(7.0, "", CrawlSettings(robots=False)).run()) == [1, 2, 3, 4, 5]


def test_a_host_that_is_met_later_begins_with_its_kept_gap_until_its_robots_txt_is_read() -> None:
    """A robots.txt that was read in this session knows better."""
    frontier = Frontier(Scope([SeedSite("http://a.example/", "any")]), ROBOTS, USUAL, 4, 0)
    frontier.restore_gap("a.example", 7.0)
    assert gap_of(frontier) is None
    frontier.add(request("http://a.example/", seq=1), START)
    assert gap_of(frontier) == 7.0
    frontier.set_robots("http://a.example", "a.example", robots.allow_all(), START)
    assert gap_of(frontier) == 1.0
    frontier.restore_gap("a.example", 7.0)
    assert gap_of(frontier) == 1.0


def test_what_keeps_requests_apart_is_known_of_each_host() -> None:
    """Its site's own delay or that of all, and what its robots.txt asks for; of others what the user asks for."""
    sites = (SeedSite("http://a.example/", delay_s=5.0), SeedSite("http://b.example/"))
    frontier = Frontier(Scope(sites), ROBOTS, PolitenessSettings(delay_s=2.0), 64, 0)
    asked = [HostDelays(own_s=5.0, gap_s=5.0, is_of_site=True), HostDelays(own_s=2.0, gap_s=2.0)]
    assert [frontier.hosts.delays(key) for key in ("a.example", "b.example")] == asked
    for key in ("a.example", "b.example"):
        frontier.add(request(f"http://{key}/", seq=1), START)
        rules = robots.parse(b"User-agent: *\nCrawl-delay: 4\n", "crawler/1")
        frontier.set_robots(f"http://{key}", key, rules, START)
    own, usual = (frontier.hosts.delays(key) for key in ("a.example", "b.example"))
    assert own == HostDelays(own_s=5.0, gap_s=5.0, is_of_site=True, crawl_delay_s=4.0, cause="delay")
    assert usual == HostDelays(own_s=2.0, gap_s=4.0, crawl_delay_s=4.0, cause="crawl_delay")

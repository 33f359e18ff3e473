"""The frontier: robots.txt first, a bounded window over the store, sitemaps in turn; the clock is moved by hand."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.frontier.frontier import Frontier, Refill, Resolve
from crawler.frontier.host import HostQueue
from crawler.frontier.windows import WINDOW_REQUESTS
from crawler.models import Request
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from tests.unit.frontier.driver import START, Answer, Crawl, Fetch, limits, pages, polite, request, with_robots

ROBOTS = CrawlSettings(robots=True)


def gaps(fetches: list[Fetch]) -> list[float]:
    """From the end of each request to the start of the next."""
    return [later.start - earlier.end for earlier, later in pairwise(fetches)]


# robots.txt ------------------------------------------------------------------------------------------------------


def test_robots_txt_is_a_hosts_first_request_and_everything_waits_behind_it() -> None:
    crawl = Crawl(pages("a.example", 3), with_robots(lambda request, now: Answer()), ROBOTS, polite(per_host=4)).run()
    first, *others = crawl.fetches
    assert first.request.url == "http://a.example/robots.txt"
    assert [fetch.request.url for fetch in others] == pages("a.example", 3)
    assert all(fetch.start >= first.end for fetch in others)
    crawl.check_conservation()


def test_http_and_https_of_a_host_have_robots_of_their_own_but_one_pace() -> None:
    # scenario 60
    seeds = ["http://a.example/1", "https://a.example/1", "https://a.example/2"]
    crawl = Crawl(
        seeds, with_robots(lambda request, now: Answer()), ROBOTS, PolitenessSettings(adaptive_factor=0)
    ).run()
    assert Counter(crawl.order) == Counter([*seeds, "http://a.example/robots.txt", "https://a.example/robots.txt"])
    assert min(gaps(crawl.fetches)) >= 1.0
    assert len(list(crawl.frontier.hosts)) == 1


def test_a_robots_redirect_does_not_wait_for_the_robots_of_where_it_leads() -> None:
    """Its rules count for the host that it came from."""  # scenario 55

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.url == "http://a.example/robots.txt":
            return Answer(301, to="http://b.example/r")
        return Answer(body=b"User-agent: *\nDisallow: /1") if wanted.kind == "robots" else Answer()

    crawl = Crawl(pages("a.example", 2), answer, ROBOTS).run()
    assert crawl.order == ["http://a.example/robots.txt", "http://b.example/r", "http://a.example/0"]
    assert crawl.outcomes["http://a.example/1"][:2] == ("skipped", "robots")


def test_a_robots_redirect_passes_the_sitemaps_that_wait_for_it() -> None:
    """On one host, its https robots.txt redirects while a sitemap and a page of https are first in line."""

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.url == "https://a.example/robots.txt":
            return Answer(302, to="https://a.example/r")
        return Answer()

    crawl = Crawl(["https://a.example/"], answer, ROBOTS)
    crawl.frontier.add(request("https://a.example/map.xml", kind="sitemap"), START)
    crawl.run()
    assert crawl.order[:2] == ["https://a.example/robots.txt", "https://a.example/r"]
    assert set(crawl.order[2:]) == {"https://a.example/map.xml", "https://a.example/"}


def test_unreachable_robots_are_asked_for_again_and_nothing_is_dropped_meanwhile() -> None:
    """After 5 minutes three times, then hourly; once the file is there, the URLs are fetched."""  # scenario 53

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots":
            return Answer(503, elapsed_s=0.0) if now < START + 9000 else Answer(404)
        return Answer()

    crawl = Crawl(pages("a.example", 2), answer, CrawlSettings(patience_s=1e6), polite(max_backoff_s=1.0)).run()
    assert crawl.times("http://a.example/robots.txt") == [0, 300, 600, 900, 4500, 8100, 11700]
    assert crawl.count("ok") == 2


@pytest.mark.parametrize(("retry_after_s", "second_at"), [(None, 300), (60.0, 300), (1200.0, 1200)])
def test_a_robots_txt_that_answers_429_is_asked_for_again_when_the_server_allows_it(
    retry_after_s: float | None, second_at: float
) -> None:
    """Nothing else of the host is asked for meanwhile."""  # scenario 54

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots" and now < START + 1000:
            return Answer(429, elapsed_s=0.0, retry_after_s=retry_after_s)
        return Answer(404) if wanted.kind == "robots" else Answer()

    crawl = Crawl(pages("a.example", 2), answer, CrawlSettings(patience_s=1e6), polite(max_backoff_s=1.0)).run()
    assert crawl.times("http://a.example/robots.txt")[:2] == [0, second_at]
    assert crawl.order.index("http://a.example/0") == crawl.order.count("http://a.example/robots.txt")
    assert crawl.count("ok") == 2


def test_unreachable_robots_hold_back_their_own_origin_only() -> None:
    """Port 80 is closed: https of the same host goes on, and http fails when the patience ends."""  # scenario 53

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.url.startswith("http:"):
            return Answer(is_silent=True)
        return Answer()

    seeds = ["http://a.example/", *(f"https://a.example/{number}" for number in range(200))]
    crawl = Crawl(seeds, answer, ROBOTS, max_events=10_000).run()
    assert crawl.count("ok") == 200
    assert crawl.outcomes["http://a.example/"][:2] == ("failed", "robots_unreachable")
    assert crawl.now - START < 200
    crawl.check_conservation()


def test_an_unreachable_origin_cannot_fill_the_memory() -> None:
    """What waits for its robots.txt stays within the window; when the patience ends, the other origin gets the room."""

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(is_silent=wanted.url.startswith("http:"))

    seeds = [f"{scheme}://a.example/{number}" for number in range(1000) for scheme in ("https", "http")]
    crawl = Crawl(seeds, answer, ROBOTS).run()
    assert crawl.largest_window <= WINDOW_REQUESTS
    assert (crawl.count("ok"), crawl.count("failed", "robots_unreachable")) == (1000, 1000)
    assert crawl.now - START < 250
    crawl.check_conservation()


def test_a_window_full_of_disallowed_urls_is_refilled() -> None:
    answer = with_robots(lambda wanted, now: Answer(), "User-agent: *\nDisallow: /1")
    crawl = Crawl(
        [f"http://a.example/1{number}" for number in range(500)] + ["http://a.example/2"], answer, ROBOTS
    ).run()
    assert crawl.order == ["http://a.example/robots.txt", "http://a.example/2"]
    assert crawl.count("skipped", "robots") == 500
    crawl.check_conservation()


@pytest.mark.parametrize("delay", ["61", "1000000000"])
def test_a_crawl_delay_above_the_maximum_skips_the_host_at_once(delay: str) -> None:
    # scenario 60
    answer = with_robots(
        lambda wanted, now: Answer(links=pages("a.example", 200)), f"User-agent: *\nCrawl-delay: {delay}"
    )
    crawl = Crawl(["http://b.example/", *pages("a.example", 100)], answer, ROBOTS).run()
    assert crawl.count("skipped", "crawl_delay") == 101
    assert crawl.now - START < 1
    crawl.check_conservation()


def test_a_crawl_delay_is_obeyed_without_a_delay_of_ours() -> None:
    answer = with_robots(lambda wanted, now: Answer(), "User-agent: *\nCrawl-delay: 7")
    crawl = Crawl(pages("a.example", 5), answer, ROBOTS).run()
    assert min(gaps(crawl.fetches)) >= 7.0


def test_without_robots_none_is_asked_for() -> None:
    assert Crawl(pages("a.example", 3)).run().order == pages("a.example", 3)


def test_unreachable_robots_end_a_crawl_after_the_patience() -> None:
    crawl = Crawl(pages("a.example", 3), lambda wanted, now: Answer(500), CrawlSettings(patience_s=30)).run()
    assert crawl.count("failed", "robots_unreachable") == 3
    assert 30 <= crawl.now - START < 32
    crawl.check_conservation()


# The window over the store -------------------------------------------------------------------------------------------


def test_a_window_holds_64_requests_and_is_refilled_from_the_store() -> None:
    crawl = Crawl(pages("a.example", 1000)).run()
    assert crawl.order == pages("a.example", 1000)
    assert crawl.largest_window <= WINDOW_REQUESTS
    assert len(crawl.refills) < 1000 / 40
    crawl.check_conservation()


@given(
    lags=st.lists(st.floats(0, 3), min_size=1, max_size=30),
    fan=st.integers(1, 40),
    hosts=st.integers(1, 3),
    max_depth=st.integers(1, 4),
    dead_at=st.sampled_from([1e9, 5.0]),
    memory_requests=st.sampled_from([0, 300, 900, 100_000]),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_or_handed_out_twice_when_links_come_during_a_refill(
    lags: list[float], fan: int, hosts: int, max_depth: int, dead_at: float, memory_requests: int
) -> None:
    """Commits and refills take their time and overlap; links run into windows that are full, low, or being refilled."""
    turn = iter(range(10**9))

    def answer(wanted: Request, now: float) -> Answer:
        if now > START + dead_at and wanted.host == "h0.example":
            return Answer(is_silent=True, elapsed_s=0.1)
        number = wanted.fingerprint
        links = [f"http://h{(number + each) % hosts}.example/{(number * 31 + each) % 700}" for each in range(fan)]
        return Answer(links=links, elapsed_s=0.05)

    crawl = Crawl(
        pages("h0.example", 100),
        answer,
        limits(max_depth=max_depth, patience_s=10.0),
        polite(per_host=3),
        store_s=lambda: lags[next(turn) % len(lags)],
        memory_requests=memory_requests,
    ).run()
    crawl.check_conservation()
    assert crawl.largest_window <= max(WINDOW_REQUESTS, memory_requests)


def hand_out(frontier: Frontier) -> tuple[list[Request], Refill | None]:
    """What goes out until nothing does or a refill is asked for; each is answered and done at once."""
    taken: list[Request] = []
    while not isinstance(decision := frontier.next(START), Refill):
        if isinstance(decision, Resolve):
            frontier.resolved(decision.host, (), False, START)
        elif isinstance(decision, Request):
            taken.append(decision)
            frontier.answered(decision, START, 0.0, 200, None)
            frontier.done(decision, "ok", START)
        else:
            return taken, None
    return taken, decision


def test_a_refill_that_comes_back_before_the_links_it_already_holds() -> None:
    """The request is in the window once."""
    frontier = Crawl([]).frontier
    requests = [request(url, seq=number + 1) for number, url in enumerate(pages("a.example", 70))]
    for each in requests[:65]:
        frontier.add(each, START)
    first, refill = hand_out(frontier)
    assert refill is not None
    frontier.refilled("a.example", requests[refill.after :], refill.count, START)
    assert [frontier.add(each, START) for each in requests[65:]] == ["in_store"] * 5
    rest, _ = hand_out(frontier)
    assert first + rest == requests
    assert frontier.finished


def test_a_frontier_is_not_finished_while_a_refill_is_due_or_under_way() -> None:
    frontier = Crawl([]).frontier
    requests = [request(url, seq=number + 1) for number, url in enumerate(pages("a.example", 66))]
    for each in requests[:65]:
        frontier.add(each, START)
    _, refill = hand_out(frontier)
    assert refill is not None
    hand_out(frontier)
    assert (frontier.queued, frontier.open, frontier.finished) == (0, 0, False)
    frontier.add(requests[65], START)  # committed after the store was asked
    frontier.refilled("a.example", [], refill.count, START)
    assert (frontier.queued, frontier.open, frontier.finished) == (0, 0, False)
    _, refill = hand_out(frontier)
    assert refill == Refill("a.example", 64, 64)
    frontier.refilled("a.example", requests[64:], refill.count, START)
    taken, refill = hand_out(frontier)
    assert (taken, refill, frontier.finished) == (requests[64:], None, True)


def test_windows_are_long_while_hosts_are_few_and_shrink_when_they_become_many() -> None:
    """A refill that is due when the room shrinks asks for a little all the same, and no URL is lost."""
    frontier = Crawl([], memory_requests=400).frontier
    for number, url in enumerate(pages("a.example", 500)):
        frontier.add(request(url, seq=number + 1), START)
    taken = []
    while len(taken) < 301:
        decision = frontier.next(START)
        if isinstance(decision, Resolve):
            frontier.resolved(decision.host, (), False, START)
        else:
            assert isinstance(decision, Request)
            taken.append(decision)
            frontier.answered(decision, START, 0.0, 200, None)
    for number in range(100):
        frontier.add(request(f"http://h{number}.example/"), START)
    assert frontier.next(START) == Refill("a.example", 400, 1)


# Sitemaps ------------------------------------------------------------------------------------------------------------


def test_sitemaps_and_pages_of_a_host_take_turns() -> None:
    crawl = Crawl(pages("a.example", 6))
    for number in range(4):
        crawl.frontier.add(request(f"http://a.example/map{number}.xml", kind="sitemap"), START)
    crawl.run()
    kinds = [fetch.request.kind for fetch in crawl.fetches]
    assert kinds == ["sitemap", "page"] * 4 + ["page"] * 2


def test_a_sitemap_for_a_dead_host_is_dropped() -> None:
    crawl = Crawl(["http://gone.example/"], resolve=lambda host: "dns_not_found").run()
    assert crawl.frontier.add(request("http://gone.example/map.xml", kind="sitemap"), crawl.now) == "dead"
    assert crawl.run().order == []


# Its state -----------------------------------------------------------------------------------------------------------


def test_repr_tells_the_state() -> None:
    crawl = Crawl(pages("a.example", 3)).run(until=0.05)
    assert repr(crawl.frontier) == "<Frontier 1 hosts, 2 queued, 1 open, 1 in flight, 0 pages done>"
    host = HostQueue("a.example", PolitenessSettings(), None)
    host.add_page(request("http://a.example/"), START)
    host.begin()
    assert repr(host) == "<HostQueue a.example 1+0+0 queued, 0 aside, 1 in flight, next at -inf>"

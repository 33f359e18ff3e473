"""What slow, dead and flooded hosts cost the healthy ones, and what a stop of the clock does: all in simulated time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from crawler.frontier.frontier import Frontier
from crawler.models import Pending, Request
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from tests.unit.frontier.driver import NO_DELAY, START, Answer, Crawl, limits, pages, polite

SLOTS = 16
ANSWER_S = 0.1
SILENCE_S = 30.0
HEALTHY = [url for number in range(24) for url in pages(f"fast{number}.example", 150)]
SLOW = pages("slow.example", 100_000)
DEAD = [f"http://dead{number}.example/{page}" for number in range(200) for page in range(3)]


def web(wanted: Request, now: float) -> Answer:
    """Healthy hosts answer in a tenth of a second, one takes ten, and some say nothing for half a minute."""
    if wanted.host.startswith("dead"):
        return Answer(elapsed_s=SILENCE_S, is_silent=True)
    return Answer(elapsed_s=10.0 if wanted.host == "slow.example" else ANSWER_S)


def crawl_of(*seeds: str, probation: int = SLOTS) -> Crawl:
    crawl = Crawl(seeds, web, limits(patience_s=0.0), concurrency=SLOTS, probation=probation, retry_s=1.0)
    return crawl.run(until=600)


def span_of(crawl: Crawl) -> tuple[float, float]:
    """When the healthy hosts were first asked and when the last of their pages was there, seconds from the start."""
    healthy = [fetch for fetch in crawl.fetches if fetch.request.host.startswith("fast")]
    assert len(healthy) == len(HEALTHY)
    return min(fetch.start for fetch in healthy) - START, max(fetch.end for fetch in healthy) - START


@pytest.fixture(scope="module")
def alone_s() -> float:
    """How long the healthy hosts take by themselves, with every slot in use."""
    spent = span_of(crawl_of(*HEALTHY))[1]
    assert spent == pytest.approx(len(HEALTHY) * ANSWER_S / SLOTS)
    return spent


@pytest.mark.parametrize("ill_first", [True, False])
def test_a_slow_host_with_100000_urls_costs_the_others_no_more_than_its_slot(ill_first: bool, alone_s: float) -> None:
    # scenario 115
    crawl = crawl_of(*SLOW, *HEALTHY) if ill_first else crawl_of(*HEALTHY, *SLOW)
    assert span_of(crawl)[1] <= 1.1 * alone_s


def test_200_hosts_that_never_answer_cost_those_that_do_nothing(alone_s: float) -> None:
    """Hosts that have answered once keep every slot of theirs, whatever waits beside them."""
    # scenarios 6, 36
    assert span_of(crawl_of(*HEALTHY, *DEAD))[1] <= 1.1 * alone_s


def test_a_slow_host_and_200_dead_ones_together_cost_less_than_a_tenth(alone_s: float) -> None:
    # scenarios 36, 115
    assert span_of(crawl_of(*HEALTHY, *SLOW, *DEAD))[1] <= 1.1 * alone_s


def test_hosts_behind_200_dead_ones_wait_for_the_probation_slots_once(alone_s: float) -> None:
    """Nobody can know who will answer: each of the dead is asked once before them, none of them twice."""
    # scenarios 36, 115
    first, last = span_of(crawl_of(*DEAD, *SLOW, *HEALTHY))
    assert first <= SILENCE_S * (1 + 200 // SLOTS)
    assert last - first <= 1.1 * alone_s


def test_with_a_probation_slot_for_each_dead_host_nobody_waits(alone_s: float) -> None:
    # scenarios 36, 115
    assert span_of(crawl_of(*DEAD, *SLOW, *HEALTHY, probation=256))[1] <= 1.1 * alone_s


# The clock


def test_after_ten_minutes_of_standstill_no_host_is_asked_in_a_burst() -> None:
    """SIGSTOP, a suspended laptop: everything is due at once, and each host still gets one request and its gap."""
    # scenario 111
    seeds = [url for number in range(20) for url in pages(f"h{number}.example", 20)]
    crawl = Crawl(seeds, politeness=PolitenessSettings(delay_s=1.0), concurrency=64, probation=64).run(until=5.0)
    crawl.now += 600.0
    woken = crawl.now
    crawl.run()
    crawl.check_conservation()
    at_once = Counter(fetch.request.host for fetch in crawl.fetches if woken <= fetch.start < woken + 1.0)
    assert set(at_once.values()) == {1}
    for number in range(20):
        starts = [fetch.start for fetch in crawl.of(f"h{number}.example")]
        assert min(later - earlier for earlier, later in pairwise(starts)) >= 1.0


@pytest.mark.parametrize("jump_s", [-3600.0, 0.0, 3600.0])
def test_a_wall_clock_that_was_set_while_the_run_rested_hurries_no_host(jump_s: float) -> None:
    """After a resume one gap passes at least, whatever the wall clock says of the time between."""
    # scenario 111
    now, wall = 50.0, 1_800_000_000.0
    frontier = Frontier(Scope([SeedSite("http://a.example/")]), CrawlSettings(), PolitenessSettings(delay_s=2.0), 4, 4)
    frontier.restore([Pending("a.example", "http://a.example/", wall + 10.0)], now, wall + jump_s)
    wait_s = frontier.hosts.get("a.example").next_at - now
    assert 2.0 <= wait_s <= 3610.0


# Many


def test_100000_requests_that_time_out_leave_no_slot_taken() -> None:
    """The driver checks each of them against the slots; at the end all are free, and every URL has its outcome."""
    # scenario 117
    seeds = [url for number in range(500) for url in pages(f"dead{number}.example", 200)]
    crawl = Crawl(
        seeds,
        lambda wanted, now: Answer(elapsed_s=1.0, is_silent=True),
        limits(patience_s=10**7),
        polite(breaker_failures=10**6),
        max_events=10**6,
    ).run()
    crawl.check_conservation()
    assert len(crawl.fetches) == 100_000
    assert crawl.frontier.in_flight == crawl.frontier.open == crawl.frontier.queued == 0
    assert crawl.in_flight == []


def test_hosts_on_one_address_share_its_limit_and_others_do_not_wait_for_them() -> None:
    """Fifty hosts on one address get no more than four requests at a time; one beside them is as fast as alone."""
    # scenario 116
    crowd = [url for number in range(50) for url in pages(f"h{number}.crowd.example", 20)]
    lone = pages("lone.example", 100)

    def address(host: str) -> str:
        return "192.0.2.1" if host.endswith("crowd.example") else "192.0.2.2"

    crawl = Crawl([*crowd, *lone], politeness=NO_DELAY, resolve=address, concurrency=16, probation=16).run()
    crawl.check_conservation()
    alone = Crawl(lone, politeness=NO_DELAY, resolve=address).run()
    assert max(fetch.end for fetch in crawl.of("lone.example")) <= 1.1 * (alone.now - START) + START


def test_a_host_that_was_resolved_is_asked_before_other_hosts_are_resolved() -> None:
    """1,000 names take a second each: the first page does not wait for the last name."""  # scenario 2
    seeds = [f"http://h{number}.example/" for number in range(1000)]
    crawl = Crawl(seeds, resolve_s=1.0, concurrency=10, probation=10).run()
    first = min(fetch.start for fetch in crawl.fetches) - START
    assert first < 5.0


def test_names_that_hang_do_not_keep_a_name_that_was_resolved_waiting() -> None:
    """More names than slots hang; the site that was resolved first goes on."""  # scenario 2
    seeds = ["http://a.example/", *(f"http://slow{number}.example/" for number in range(100))]
    crawl = Crawl(
        seeds,
        lambda wanted, now: Answer(links=[f"{wanted.url}{n}/" for n in range(2)] if wanted.depth < 3 else ()),
        resolve=lambda host: "dns_failed" if host.startswith("slow") else "",
        is_permanent=False,
        resolve_s=10.0,
        concurrency=8,
        probation=8,
    ).run(until=30.0)
    assert len(crawl.of("a.example")) == 15


def test_hosts_that_hang_after_their_robots_txt_do_not_starve_the_others() -> None:
    """200 hosts answer robots.txt and are then silent for 30 s a page: each costs the others one turn and no more."""
    # scenario 36
    good = [f"http://good{number}.example/{page}" for page in range(20) for number in range(10)]
    slow = [f"http://slow{number}.example/{page}" for page in range(20) for number in range(200)]

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots" or wanted.host.startswith("good"):
            return Answer()
        return Answer(elapsed_s=30.0, is_silent=True)

    def end_of_the_good(seeds: list[str]) -> float:
        crawl = Crawl(seeds, answer, CrawlSettings(robots=True), polite(delay_s=1.0), memory_requests=10**6)
        crawl.run(until=600.0)
        return max(fetch.end for fetch in crawl.fetches if fetch.request.host.startswith("good")) - START

    assert end_of_the_good([*good, *slow]) <= end_of_the_good(good) + 30.0 * 4  # 200 hosts in turns of 64


def test_a_wall_clock_in_1970_does_not_park_hosts_for_decades() -> None:
    # scenario 111
    frontier = Frontier(Scope([SeedSite("http://a.example/")]), CrawlSettings(), PolitenessSettings(), 4, 4)
    frontier.restore([Pending("a.example", "http://a.example/", 1_800_000_000.0)], 50.0, 1_000.0)
    assert frontier.hosts.get("a.example").next_at - 50.0 <= 3600.0

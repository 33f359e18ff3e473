"""Whom the frontier asks when: no host is hurried or left waiting, no slot is lost; the driver checks every request."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import urls
from crawler.models import Request
from crawler.scope.scope import SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings
from tests.unit.frontier.driver import START, Answer, Crawl, Fetch, limits, pages, polite, with_robots

ROBOTS = CrawlSettings(robots=True)
NEVER = Answer(elapsed_s=10.0, is_silent=True)


def gaps(fetches: list[Fetch]) -> list[float]:
    """From the end of each request to the start of the next."""
    return [later.start - earlier.end for earlier, later in pairwise(fetches)]


def required_gap(fetch: Fetch, politeness: PolitenessSettings) -> float:
    adaptive = min(politeness.max_adaptive_delay_s, politeness.adaptive_factor * (fetch.end - fetch.start))
    return max(politeness.delay_s, adaptive if politeness.delay_s else 0.0)


@given(
    times=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=40),
    hosts=st.integers(1, 12),
    per_host=st.integers(1, 4),
    concurrency=st.integers(1, 6),
    probation=st.integers(0, 3),
    delay_s=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_host_is_ever_hurried_and_nothing_is_lost(
    times: list[float], hosts: int, per_host: int, concurrency: int, probation: int, delay_s: float
) -> None:
    politeness = PolitenessSettings(delay_s=delay_s, per_host=per_host)

    def answer(wanted: Request, now: float) -> Answer:
        spread = times[wanted.fingerprint % len(times)]
        links = [f"http://h{(wanted.fingerprint >> 8) % hosts}.example/{wanted.depth}/{n}" for n in range(3)]
        return Answer(elapsed_s=spread, links=links if wanted.depth < 4 else ())

    seeds = [f"http://h{number}.example/" for number in range(hosts)]
    crawl = Crawl(seeds, with_robots(answer), ROBOTS, politeness, concurrency=concurrency, probation=probation).run()
    crawl.check_conservation()
    for host in {fetch.request.host for fetch in crawl.fetches}:
        mine = crawl.of(host)
        for index, fetch in enumerate(mine):
            for earlier in mine[:index]:
                assert fetch.start - earlier.start >= delay_s - 1e-9
                if earlier.end <= fetch.start:
                    assert fetch.start - earlier.end >= delay_s - 1e-9
        if per_host == 1:
            for earlier, gap in zip(mine, gaps(mine), strict=False):
                assert gap >= required_gap(earlier, politeness) - 1e-9


def test_with_several_requests_for_a_host_a_gap_is_between_their_starts() -> None:
    politeness = PolitenessSettings(delay_s=1.0, per_host=3, adaptive_factor=0)
    crawl = Crawl(pages("a.example", 9), lambda wanted, now: Answer(elapsed_s=2.5), politeness=politeness).run()
    starts = [fetch.start for fetch in crawl.fetches]
    assert min(later - earlier for earlier, later in pairwise(starts)) >= 1.0
    assert max(sum(f.start <= start < f.end for f in crawl.fetches) for start in starts) > 1


def test_a_gap_that_shrinks_is_not_waited_for_in_its_old_length() -> None:
    """A slow answer asks for a gap of 24 s; a quick one a second later asks for no more than the delay of 10 s."""
    crawl = Crawl(
        pages("a.example", 3),
        lambda wanted, now: Answer(elapsed_s=12.0 if wanted.url == "http://a.example/0" else 3.0),
        politeness=PolitenessSettings(delay_s=10.0, per_host=2),
    ).run()
    assert [fetch.start - START for fetch in crawl.fetches] == [0, 10, 23]


def test_hosts_that_never_answer_use_slots_of_their_own() -> None:
    """200 dead hosts take the 2 probation slots; the living ones keep theirs busy."""  # scenario 36

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.host.startswith("dead"):
            return NEVER
        return Answer(links=[f"{wanted.url}{number}/" for number in range(2)] if wanted.depth < 5 else ())

    dead = [f"http://dead{number}.example/" for number in range(200)]
    crawl = Crawl(["http://a.example/", *dead], answer, limits(patience_s=1.0), concurrency=2, probation=2).run(
        until=20
    )
    assert sum(fetch.request.host == "a.example" for fetch in crawl.fetches) == 63
    assert max(fetch.end for fetch in crawl.of("a.example")) - START < 7.0


def test_a_host_leaves_probation_with_its_first_answer() -> None:
    """With several requests of a host in flight, the rest keep their probation slots, and its next take proper ones."""

    def answer(wanted: Request, now: float) -> Answer:
        quick = wanted.url.endswith("/0") or wanted.depth
        return Answer(
            elapsed_s=0.1 if quick else 8.0, links=pages("b.example", 30) if wanted.url == "http://a.example/0" else ()
        )

    crawl = Crawl(pages("a.example", 9), answer, politeness=polite(per_host=3), concurrency=4, probation=3).run()
    assert [fetch.on_probation for fetch in crawl.of("a.example")] == [True] * 3 + [False] * 6
    crawl.check_conservation()


def test_without_probation_both_kinds_of_hosts_take_turns() -> None:
    """One request at a time: a host that answers does not keep those that have not been asked yet waiting."""
    crawl = Crawl([*pages("a.example", 50), *pages("b.example", 50)], concurrency=1, probation=0).run()
    hosts = [urls.host_key(url) for url in crawl.order]
    assert abs(hosts[:20].count("a.example") - 10) <= 1


def test_one_slow_host_does_not_delay_the_others() -> None:
    """100,000 URLs of one host that takes 10 s for each: 99 others finish as if they were alone."""  # scenario 115
    others = [url for number in range(99) for url in pages(f"fast{number}.example", 10)]

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(elapsed_s=10.0 if wanted.host == "slow.example" else 0.1)

    politeness = PolitenessSettings(delay_s=1.0)
    alone = Crawl(others, answer, politeness=politeness, concurrency=16).run()
    crawl = Crawl([*pages("slow.example", 100_000), *others], answer, politeness=politeness, concurrency=16).run(
        until=60
    )
    fast = [fetch for fetch in crawl.fetches if fetch.request.host != "slow.example"]
    assert len(fast) == 990
    assert max(fetch.end for fetch in fast) <= 1.1 * (max(fetch.end for fetch in alone.fetches) - START) + START


def test_a_slot_of_an_address_is_passed_on_whatever_becomes_of_the_host_that_got_it() -> None:
    """Many hosts on one address, some with nothing but refused URLs: no host waits for ever."""  # scenarios 4, 116
    hosts = [f"h{number}.example" for number in range(30)]

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots":
            return Answer(body=b"User-agent: *\nDisallow: /1\nDisallow: /2" if wanted.host[1] in "02468" else b"")
        return Answer(links=[f"http://h{wanted.fingerprint % 30}.example/x{wanted.fingerprint % 7}"])

    crawl = Crawl(
        [url for host in hosts for url in pages(host, 5)],
        answer,
        ROBOTS,
        polite(per_ip=2, per_host=2),
        resolve=lambda host: "192.0.2.1",
    ).run()
    crawl.check_conservation()
    assert crawl.count("skipped", "robots") > 0


def test_a_host_whose_urls_are_all_refused_passes_its_turn_at_the_address_on() -> None:
    """b and c wait while a's page takes 10 s; b is woken first, and has nothing that may be fetched."""

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots":
            return Answer(body=b"User-agent: *\nDisallow: /" if wanted.host == "b.example" else b"")
        return Answer(elapsed_s=10.0 if wanted.host == "a.example" else 0.1)

    seeds = ["http://b.example/", "http://c.example/", "http://a.example/"]
    sites = [SeedSite(seeds[0]), SeedSite(seeds[1]), SeedSite(seeds[2], delay_s=0.0)]
    politeness = PolitenessSettings(per_ip=1)
    crawl = Crawl(seeds, answer, ROBOTS, politeness, sites, resolve=lambda host: "192.0.2.1").run()
    assert crawl.order[-2:] == ["http://a.example/", "http://c.example/"]


def test_a_host_that_is_skipped_passes_its_turn_at_the_address_on() -> None:
    """b's robots.txt, at which b itself and c wait for the address, says that b is to be skipped."""

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.url == "http://b.example/robots.txt":
            return Answer(body=b"User-agent: *\nCrawl-delay: 99", elapsed_s=10.0)
        return Answer()

    seeds = ["http://c.example/", "http://b.example/", "https://b.example/"]
    sites = [SeedSite(seeds[0], delay_s=5.0), SeedSite(seeds[1])]
    politeness = polite(per_ip=1, per_host=2)
    crawl = Crawl(seeds, answer, ROBOTS, politeness, sites, resolve=lambda host: "192.0.2.1").run()
    assert crawl.order == ["http://c.example/robots.txt", "http://b.example/robots.txt", "http://c.example/"]


@given(
    assignment=st.lists(st.integers(0, 3), min_size=8, max_size=8),
    kinds=st.lists(st.sampled_from(["good", "refuses", "dead", "busy", "long_delay"]), min_size=8, max_size=8),
    per_ip=st.integers(1, 3),
    per_host=st.integers(1, 2),
    delay_s=st.sampled_from([0.0, 1.0]),
    per_site=st.sampled_from([0, 7]),
    lags=st.lists(st.floats(0, 2), min_size=1, max_size=20),
)
@settings(max_examples=100, deadline=None)
def test_every_host_gets_its_turn_on_shared_addresses(
    assignment: list[int],
    kinds: list[str],
    per_ip: int,
    per_host: int,
    delay_s: float,
    per_site: int,
    lags: list[float],
) -> None:
    """The driver fails if nothing is in flight, nothing is waited for and work is left."""

    def answer(wanted: Request, now: float) -> Answer:
        kind = kinds[int(wanted.host[1])]
        lag = lags[wanted.fingerprint % len(lags)]
        if kind == "dead":
            return Answer(elapsed_s=lag, is_silent=True)
        if wanted.kind == "robots":
            rules = {"refuses": b"User-agent: *\nDisallow: /", "long_delay": b"User-agent: *\nCrawl-delay: 99"}
            return Answer(elapsed_s=lag, body=rules.get(kind, b""))
        if kind == "busy" and wanted.fingerprint % 3 == 0:
            return Answer(503, elapsed_s=lag, retry_after_s=5.0)
        return Answer(elapsed_s=lag, links=[f"http://h{wanted.fingerprint % 8}.example/{wanted.depth}"])

    crawl = Crawl(
        [url for number in range(8) for url in pages(f"h{number}.example", 4)],
        answer,
        CrawlSettings(max_pages_per_site=per_site),
        PolitenessSettings(delay_s=delay_s, per_ip=per_ip, per_host=per_host),
        resolve=lambda host: f"192.0.2.{assignment[int(host[1])]}",
        concurrency=5,
        probation=2,
        retry_s=1.0,
    ).run()
    crawl.check_conservation()


def test_a_storm_of_503_slows_the_whole_host_and_it_recovers() -> None:
    # scenario 114
    def answer(wanted: Request, now: float) -> Answer:
        return Answer(503) if now < START + 120 else Answer()

    crawl = Crawl(pages("a.example", 400), answer, politeness=polite(per_host=4), retry_s=1.0).run()
    during = [fetch for fetch in crawl.fetches if fetch.start < START + 120]
    assert len(during) <= 12
    crawl.check_conservation()

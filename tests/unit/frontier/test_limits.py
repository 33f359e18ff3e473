"""Where the frontier stops: page limits met exactly, depth, retries, and hosts that are given up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import urls
from crawler.frontier.patience import NEVER_ANSWERED_S
from crawler.models import Request
from crawler.scope.scope import SeedSite
from crawler.settings.groups import CrawlSettings
from tests.unit.frontier.driver import START, Answer, Crawl, limits, pages, polite, with_robots

ROBOTS = CrawlSettings(robots=True)


# Limits --------------------------------------------------------------------------------------------------------------


@given(
    limit=st.integers(1, 40),
    bad=st.sets(st.integers(0, 9), max_size=8),
    lags=st.lists(st.floats(0.01, 3), min_size=1, max_size=10),
    retry_s=st.sampled_from([None, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_the_page_limit_is_met_exactly(limit: int, bad: set[int], lags: list[float], retry_s: float | None) -> None:
    """Redirects and failures do not count, so their places are given to others."""

    def answer(wanted: Request, now: float) -> Answer:
        lag = lags[wanted.fingerprint % len(lags)]
        if wanted.fingerprint % 10 in bad:
            if wanted.fingerprint % 2:
                return Answer(301, to=f"{wanted.url}x", elapsed_s=lag)
            return Answer(elapsed_s=lag, is_silent=True)
        return Answer(404 if wanted.fingerprint % 3 else 200, elapsed_s=lag)

    seeds = [url for number in range(10) for url in pages(f"h{number}.example", 20)]
    crawl = Crawl(seeds, answer, limits(max_pages=limit), concurrency=8, retry_s=retry_s).run()
    counted = sum(outcome in ("ok", "http_error") for outcome, _, _ in crawl.outcomes.values())
    possible = {each.request.url for each in crawl.fetches if each.request.fingerprint % 10 not in bad}
    assert counted == crawl.frontier.limits.done == len(possible)
    assert counted == limit or crawl.frontier.finished


@given(
    per_site=st.integers(1, 15),
    own=st.integers(0, 15),
    bad=st.sets(st.integers(0, 9), max_size=5),
    per_host=st.integers(1, 3),
    retry_s=st.sampled_from([None, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_the_page_limit_of_each_site_is_met_exactly(
    per_site: int, own: int, bad: set[int], per_host: int, retry_s: float | None
) -> None:
    """A site's own limit wins; 0 is none; what is over is skipped with the reason."""
    sites = [SeedSite(f"http://h{number}.example/") for number in range(5)]
    sites[0] = SeedSite("http://h0.example/", max_pages=own)

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(is_silent=wanted.fingerprint % 10 in bad)

    seeds = [url for number in range(5) for url in pages(f"h{number}.example", 20)]
    crawl = Crawl(
        seeds, answer, limits(max_pages_per_site=per_site), polite(per_host=per_host), sites, retry_s=retry_s
    ).run()
    crawl.check_conservation()
    for number in range(5):
        mine = {url: each for url, each in crawl.outcomes.items() if urls.host_key(url) == f"h{number}.example"}
        allowed = (own or 20) if number == 0 else per_site
        good = sum(urls.fingerprint(url) % 10 not in bad for url in mine)
        skipped = sum(each[:2] == ("skipped", "budget") for each in mine.values())
        dead = sum(each[0] == "failed" and each[1] != "silent" for each in mine.values())
        counted = sum(each[0] == "ok" for each in mine.values())
        assert counted <= min(allowed, good)
        assert dead or counted == min(allowed, good)
        assert not skipped or counted == allowed


def test_sites_on_one_host_do_not_hold_each_other_up_for_good() -> None:
    sites = [
        SeedSite("http://a.example/x/", "prefix", max_pages=2),
        SeedSite("http://a.example/y/", "prefix", max_pages=3),
    ]
    seeds = [f"http://a.example/{folder}/{number}" for number in range(10) for folder in "xy"]
    crawl = Crawl(seeds, sites=sites, politeness=polite(per_host=4)).run()
    assert Counter(url.split("/")[3] for url in crawl.order) == {"x": 2, "y": 3}
    crawl.check_conservation()


def test_a_scope_that_grows_while_a_page_is_open_does_not_upset_the_count() -> None:
    crawl = Crawl(
        ["http://a.example/"],
        lambda wanted, now: Answer(links=pages("b.example", 9) if wanted.depth == 0 else ()),
        limits(max_pages_per_site=5),
        sites=[SeedSite("http://a.example/")],
    )
    crawl.run(until=0.15)
    assert crawl.in_flight[0].request.host == "b.example"
    crawl.frontier.scope.add_alias(0, "b.example")
    crawl.run()
    # One of b while it was nobody's, then those of the site until its five are used up.
    assert crawl.count("ok") == 6
    crawl.check_conservation()


def test_links_are_followed_to_their_depth_and_seeds_are_exempt() -> None:
    sites = [
        SeedSite("http://a.example/"),
        SeedSite("http://b.example/", max_depth=3),
        SeedSite("http://c.example/", max_depth=0),
    ]

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(links=[wanted.url + "x"])

    crawl = Crawl([site.seed for site in sites], answer, limits(max_depth=1), sites=sites).run()
    reached = Counter(urls.host_key(url) for url in crawl.order)
    assert reached == {"a.example": 2, "b.example": 4, "c.example": 1}
    assert crawl.count("skipped", "depth") == 3
    crawl.check_conservation()


def test_a_redirect_adds_no_depth() -> None:
    def answer(wanted: Request, now: float) -> Answer:
        return Answer(301, to=wanted.url + "x") if len(wanted.chain) < 3 else Answer()

    assert Crawl(["http://a.example/"], answer, limits(max_depth=0)).run().order[-1] == "http://a.example/xxx"


def test_what_is_too_deep_is_dropped_once_though_a_refill_could_bring_it_again() -> None:
    def answer(wanted: Request, now: float) -> Answer:
        return Answer(links=[f"http://a.example/{wanted.depth}/{wanted.fingerprint}/{n}" for n in range(3)])

    crawl = Crawl(pages("a.example", 100), answer, limits(max_depth=0)).run()
    assert (crawl.count("ok"), crawl.count("skipped", "depth")) == (100, 300)
    crawl.check_conservation()


# Failing and giving up -----------------------------------------------------------------------------------------------


def test_a_retry_comes_at_its_time_and_not_earlier() -> None:
    failing = {"http://a.example/0"}

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(is_silent=wanted.url in failing and wanted.attempts < 2)

    crawl = Crawl(pages("a.example", 3), answer, retry_s=7.0).run()
    first, second, third = crawl.times("http://a.example/0")
    assert (second, third) == pytest.approx((first + 7.1, second + 7.1))
    assert crawl.count("ok") == 3
    crawl.check_conservation()


def test_a_retry_gives_its_place_under_the_page_limit_to_others() -> None:
    def answer(wanted: Request, now: float) -> Answer:
        return Answer(is_silent=wanted.host == "bad.example", elapsed_s=0.1)

    seeds = ["http://bad.example/", "http://a.example/"]
    crawl = Crawl(seeds, answer, limits(max_pages=1), retry_s=50.0).run()
    assert crawl.outcomes["http://a.example/"][2] < 1.0


def test_a_retry_of_a_host_that_was_given_up_meanwhile_is_dropped() -> None:
    """Its https pages turn out to ask for a crawl-delay that is too long while an http page waits for its next try."""

    def answer(wanted: Request, now: float) -> Answer:
        if wanted.kind == "robots":
            return Answer(body=b"User-agent: *\nCrawl-delay: 99" if wanted.url.startswith("https:") else b"")
        return Answer(500)

    crawl = Crawl(["http://a.example/", "https://a.example/"], answer, ROBOTS, retry_s=60.0).run()
    assert crawl.order.count("http://a.example/") == 1
    assert crawl.count("skipped", "crawl_delay") == 2
    crawl.check_conservation()


def test_when_only_hosts_that_do_not_answer_are_left_the_crawl_waits_for_its_patience_and_ends() -> None:
    def answer(wanted: Request, now: float) -> Answer:
        return Answer(is_silent=wanted.host == "dead.example", elapsed_s=1.0)

    seeds = [*pages("dead.example", 500), *pages("a.example", 10)]
    crawl = Crawl(seeds, answer, limits(patience_s=120.0)).run()
    assert crawl.count("ok") == 10
    assert crawl.count("failed", "silent") == 5  # then the breaker parks it
    assert crawl.count("failed", "refused") == 495
    last = max(fetch.end for fetch in crawl.fetches) - START
    assert crawl.now - START == pytest.approx(last + NEVER_ANSWERED_S, abs=0.1)
    crawl.check_conservation()


def test_a_host_that_comes_back_within_the_patience_is_crawled_to_its_end() -> None:
    """Each good answer starts the patience anew."""

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(503, retry_after_s=100.0) if wanted.attempts == 0 else Answer()

    crawl = Crawl(
        pages("a.example", 5), answer, limits(patience_s=120.0), polite(max_backoff_s=1.0), retry_s=100.0
    ).run()
    assert crawl.count("ok") == 5
    assert crawl.now - START > 120


def test_a_host_that_is_only_slow_is_never_given_up() -> None:
    answer = with_robots(lambda wanted, now: Answer(), "User-agent: *\nCrawl-delay: 50")
    crawl = Crawl(pages("a.example", 20), answer, CrawlSettings(patience_s=1.0)).run()
    assert crawl.count("ok") == 20


def test_a_crawl_without_patience_ends_at_once() -> None:
    crawl = Crawl(pages("a.example", 20), lambda wanted, now: Answer(is_silent=True), limits(patience_s=0.0)).run()
    assert crawl.now - START < 2
    crawl.check_conservation()


def test_a_name_that_does_not_exist_fails_all_its_urls_with_one_look_up() -> None:
    """Also those that the store holds, and those that are found later."""  # scenario 1

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(links=[f"http://gone.example/later/{wanted.fingerprint}"])

    crawl = Crawl(
        [*pages("gone.example", 10_000), *pages("a.example", 5)],
        answer,
        limits(max_depth=1),
        resolve=lambda host: "dns_not_found" if host == "gone.example" else "",
    ).run()
    assert crawl.count("failed", "dns_not_found") == 10_005
    assert crawl.resolves == {"gone.example": 1, "a.example": 1}
    assert len(crawl.refills) < 15
    crawl.check_conservation()


def test_a_name_that_cannot_be_resolved_for_now_is_tried_again() -> None:
    """The host counts as one that does not answer; the others go on."""  # scenario 2

    answers = iter(["dns_failed"] * 3)
    crawl = Crawl(
        [*pages("flaky.example", 100), *pages("a.example", 100)],
        resolve=lambda host: next(answers, "") if host == "flaky.example" else "",
        is_permanent=False,
        resolve_s=5.0,
    ).run()
    assert crawl.count("ok") == 200
    assert crawl.resolves["flaky.example"] == 4
    crawl.check_conservation()


def test_a_host_that_is_being_resolved_is_not_asked_for_twice() -> None:
    """Links to it come in meanwhile; the driver fails at a second look-up."""

    def answer(wanted: Request, now: float) -> Answer:
        return Answer(links=[f"http://b.example/{wanted.fingerprint}"] if wanted.host == "a.example" else ())

    crawl = Crawl(pages("a.example", 20), answer, politeness=polite(per_host=2), resolve_s=1.0).run()
    assert crawl.resolves == {"a.example": 1, "b.example": 1}
    crawl.check_conservation()


def test_a_host_that_has_just_one_answer_left_keeps_the_crawl_unfinished_until_its_links_are_in() -> None:
    crawl = Crawl(["http://a.example/"], lambda wanted, now: Answer(links=["http://a.example/x"] * (not wanted.depth)))
    crawl.store_s = lambda: 5.0
    crawl.run(until=12.0)  # the answer came at 10.1 s, its commit comes at 20.1
    assert crawl.in_flight == []
    assert crawl.frontier.next(crawl.now) is None
    assert not crawl.frontier.finished
    crawl.run()
    assert crawl.count("ok") == 2


@pytest.mark.parametrize("patience_s", [0.0, 120.0])
def test_a_robots_txt_for_which_no_page_waits_does_not_keep_a_crawl_from_ending(patience_s: float) -> None:
    """A run that goes on asks for its seeds' robots.txt for their sitemaps, though the server may be gone."""
    crawl = Crawl([], lambda request, now: Answer(is_silent=True), CrawlSettings(patience_s=patience_s))
    crawl.frontier.ask_robots("http://a.example", "a.example", crawl.now)
    crawl.run()
    assert crawl.frontier.finished

"""What a crawl waits for when nothing else is left to do, and what comes of the URLs that it waits for in vain."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from crawler.frontier.frontier import Frontier, Wait
from crawler.frontier.patience import NEVER_ANSWERED_S
from crawler.models import Pending, Request
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import CrawlSettings, PolitenessSettings

from .driver import START, Answer, Crawl, pages, request

PATIENT = PolitenessSettings(delay_s=0.0, max_retry_after_s=600.0)
IMPATIENT = CrawlSettings(robots=False, patience_s=50.0)


def busy_once(wait_s: float) -> Callable[[Request, float], Answer]:
    """A server that has the first page answered by 503 and asks for a time, and from then on answers well."""
    asked: list[float] = []

    def answer(wanted: Request, now: float) -> Answer:
        asked.append(now)
        return Answer(503, retry_after_s=wait_s) if len(asked) == 1 else Answer()

    return answer


def test_a_retry_after_is_waited_for_longer_than_silence() -> None:
    crawl = Crawl(pages("a.example", 3), busy_once(200.0), IMPATIENT, PATIENT, retry_s=200.0).run()
    assert crawl.count("ok") == 3
    assert crawl.now - START > 200
    crawl.check_conservation()


@pytest.mark.parametrize("leaves_pending", [True, False])
def test_a_retry_after_beyond_the_limit_leaves_what_waits_pending_where_a_later_session_can_come(
    leaves_pending: bool,
) -> None:
    frontier = Frontier(Scope([SeedSite("http://a.example/")]), IMPATIENT, PATIENT, 8, 8, leaves_pending=leaves_pending)
    for number in range(3):
        frontier.add(request(f"http://a.example/{number}", seq=number + 1), START)
    frontier.next(START)
    frontier.resolved("a.example", ("192.0.2.1",), False, START)
    asked = frontier.next(START)
    assert isinstance(asked, Request)
    frontier.answered(asked, START, 0.1, 503, 601.0)
    frontier.done(asked, "http_error", START)
    decision = frontier.next(START)
    if leaves_pending:
        assert decision is None
        assert frontier.is_put_off
        assert not frontier.finished
    else:
        assert not frontier.is_put_off
        assert [decision.outcome, decision.reason] == ["failed", "retry_after"]  # type: ignore[union-attr]
        assert frontier.next(START) is None
        assert frontier.finished


def test_a_host_that_never_answered_is_waited_for_a_short_while_and_another_as_long_as_the_user_likes() -> None:
    def answer(wanted: Request, now: float) -> Answer:
        is_silent = "never" in wanted.host or now > START + 1
        return Answer(is_silent=is_silent, elapsed_s=0.1)

    politeness = msgspec.structs.replace(PATIENT, breaker_failures=2, delay_s=0.5)
    crawl = Crawl([*pages("never.example", 5), *pages("once.example", 9)], answer, IMPATIENT, politeness).run()
    ends = {url: at for url, (outcome, reason, at) in crawl.outcomes.items() if reason == "refused"}
    never = [at for url, at in ends.items() if "never" in url]
    once = [at for url, at in ends.items() if "once" in url]
    assert min(never) >= NEVER_ANSWERED_S
    assert min(once) - max(never) == pytest.approx(IMPATIENT.patience_s - NEVER_ANSWERED_S, abs=1)


def test_a_retry_that_is_given_up_has_the_outcome_that_it_had_last() -> None:
    frontier = Frontier(Scope([SeedSite("http://a.example/")]), IMPATIENT, PATIENT, 8, 8)
    again = request("http://a.example/", attempts=2, last_error="503")
    frontier.add(request("http://a.example/"), START)
    frontier.next(START)
    frontier.resolved("a.example", ("192.0.2.1",), False, START)
    asked = frontier.next(START)
    assert isinstance(asked, Request)
    frontier.failed(asked, START, "connect_timeout", is_network=True)
    frontier.retry(again, START + 1000)
    wait = frontier.next(START)
    assert isinstance(wait, Wait)
    assert wait.until == START + NEVER_ANSWERED_S
    assert frontier.silence is not None
    assert frontier.silence.hosts == 1
    drop = frontier.next(wait.until)
    assert (drop.requests, drop.outcome, drop.reason) == ((again,), "http_error", "503")  # type: ignore[union-attr]


@pytest.mark.parametrize(("ahead_s", "is_put_off"), [(300.0, False), (2000.0, True)])
def test_a_resume_keeps_to_what_a_host_asked_for(ahead_s: float, is_put_off: bool) -> None:
    frontier = Frontier(Scope([SeedSite("http://a.example/")]), IMPATIENT, PATIENT, 8, 8)
    wall = 1_800_000_000.0
    frontier.restore([Pending("a.example", "http://a.example/", wall + ahead_s, 1, None)], START, wall)
    frontier.next(START)
    frontier.refilled("a.example", [request("http://a.example/", seq=1)], 64, START)
    decision = frontier.next(START)
    assert frontier.is_put_off is is_put_off
    assert decision is None if is_put_off else decision == Wait(START + ahead_s)

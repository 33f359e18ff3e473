"""The pace of one host, with the clock moved by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.politeness import Pace, retry_after_s
from crawler.settings.groups import PolitenessSettings

DEFAULTS = PolitenessSettings()  # delay 1 s, factor 2 up to 30 s, breaker after 5, crawl-delay up to 60 s
AT_ONCE = -math.inf


def impatient(**changes: float) -> PolitenessSettings:
    return PolitenessSettings(delay_s=0.0, **changes)  # type: ignore[arg-type]


def answer_times(pace: Pace, now: float, statuses: list[int], elapsed_s: float = 0.1) -> list[float]:
    """The gaps that follow each answer when every request leaves as early as it may."""
    gaps = []
    for status in statuses:
        now = max(now, pace.next_at)
        pace.asked(now)
        now += elapsed_s
        pace.answered(now, elapsed_s, status)
        gaps.append(pace.next_at - now)
    return gaps


# The gap ---------------------------------------------------------------------------------------------------------


def test_a_host_that_was_never_asked_may_be_asked_at_once() -> None:
    assert Pace(DEFAULTS).next_at == AT_ONCE


def test_the_gap_runs_from_the_end_of_the_response() -> None:
    pace = Pace(DEFAULTS)
    pace.asked(100.0)
    pace.answered(100.25, 0.25, 200)
    assert pace.next_at == 101.25


def test_starts_are_spaced_as_well() -> None:
    """With several requests for one host at once, the second leaves a gap after the first."""
    pace = Pace(DEFAULTS)
    pace.asked(100.0)
    assert pace.next_at == 101.0


def test_a_slow_host_is_asked_less_often() -> None:
    pace = Pace(DEFAULTS)
    pace.answered(100.0, 3.0, 200)
    assert pace.gap_s == 6.0
    pace.answered(200.0, 40.0, 200)
    assert pace.gap_s == 30.0
    pace.answered(300.0, 0.1, 200)
    assert pace.gap_s == 1.0


def test_the_longest_of_delay_crawl_delay_and_adaptive_gap_counts() -> None:
    pace = Pace(DEFAULTS, delay_s=5.0)
    assert pace.gap_s == 5.0
    pace.answered(100.0, 4.0, 200)
    assert pace.gap_s == 8.0
    pace.obey_crawl_delay(12.0)
    assert pace.gap_s == 12.0


def test_a_site_may_have_a_shorter_delay_than_the_crawl() -> None:
    assert Pace(DEFAULTS, delay_s=0.25).gap_s == 0.25


def test_no_delay_turns_the_adaptive_part_off_but_never_the_crawl_delay() -> None:
    pace = Pace(impatient())
    pace.answered(100.0, 10.0, 200)
    assert pace.next_at == 100.0
    pace.obey_crawl_delay(2.0)
    assert pace.next_at == 102.0


def test_a_crawl_delay_counts_from_the_response_that_brought_it() -> None:
    pace = Pace(DEFAULTS)
    pace.answered(100.0, 0.1, 200)
    pace.obey_crawl_delay(10.0)
    assert pace.next_at == 110.0


def test_a_second_origin_of_the_host_does_not_shorten_the_crawl_delay() -> None:
    pace = Pace(DEFAULTS)
    pace.obey_crawl_delay(10.0)
    pace.obey_crawl_delay(None)
    assert pace.gap_s == 10.0


@pytest.mark.parametrize(("crawl_delay", "is_skipped"), [(None, False), (60.0, False), (60.1, True), (1e9, True)])
def test_a_crawl_delay_beyond_the_limit_skips_the_host(crawl_delay: float | None, is_skipped: bool) -> None:
    # scenario 60
    pace = Pace(DEFAULTS)
    pace.obey_crawl_delay(crawl_delay)
    assert pace.is_skipped_for_crawl_delay is is_skipped


# Slow-down -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_overload_doubles_the_gap_up_to_a_limit(status: int) -> None:
    # scenario 114
    gaps = answer_times(Pace(DEFAULTS), 100.0, [status] * 12)
    assert gaps[:4] == pytest.approx([2.0, 4.0, 8.0, 16.0])
    assert gaps[-1] == pytest.approx(DEFAULTS.max_backoff_s)


def test_overload_slows_hosts_without_a_delay_too() -> None:
    # scenario 114
    assert answer_times(Pace(impatient()), 100.0, [429, 429, 429]) == pytest.approx([1.0, 2.0, 4.0])


def test_a_storm_costs_few_requests() -> None:
    """An hour of 503 is about a dozen requests, not 3,600."""
    # scenario 114
    pace, now, asked = Pace(DEFAULTS), 0.0, 0
    while (now := max(now, pace.next_at)) < 3600.0:
        asked += 1
        pace.asked(now)
        pace.answered(now, 0.0, 503)
    assert asked <= 15


def test_requests_that_were_under_way_together_slow_the_host_once() -> None:
    # scenario 114
    pace = Pace(DEFAULTS)
    for end in (100.0, 100.1, 100.2, 100.3):
        pace.answered(end, 0.5, 429)
    assert pace.gap_s == 2.0
    pace.answered(103.0, 0.5, 429)
    assert pace.gap_s == 4.0


@pytest.mark.parametrize("settings", [DEFAULTS, impatient()])
def test_a_slowed_host_recovers_step_by_step(settings: PolitenessSettings) -> None:
    """Never more than twice as fast as before, and in the end as fast as it was."""
    # scenario 114
    pace = Pace(settings)
    slowest = answer_times(pace, 0.0, [429] * 8)[-1]
    gaps = [slowest, *answer_times(pace, pace.next_at, [200] * 2000)]
    steps = [(before, after) for before, after in pairwise(gaps) if after > 0.02]
    assert all(after <= before <= 2.0001 * after for before, after in steps)
    assert gaps[3] > settings.delay_s + 1
    assert gaps[-1] == pytest.approx(settings.delay_s)


def test_a_new_overload_undoes_the_recovery() -> None:
    pace = Pace(DEFAULTS)
    gaps = answer_times(pace, 100.0, [503, 503, 503, 200, 503])
    assert gaps[2] > gaps[3]
    assert gaps[4] == pytest.approx(2 * gaps[3])


def test_other_server_errors_neither_slow_nor_heal() -> None:
    assert answer_times(Pace(DEFAULTS), 100.0, [500, 502, 429, 500, 502]) == pytest.approx([1.0, 1.0, 2.0, 2.0, 2.0])


# Retry-After -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503, 500, 403])
def test_retry_after_parks_the_host(status: int) -> None:
    # scenario 113
    pace = Pace(DEFAULTS)
    pace.answered(100.0, 0.1, status, retry_after_s=120.0)
    assert (pace.next_at, pace.park_reason) == (220.0, "retry_after")
    assert pace.is_parked(219.9)
    assert not pace.is_parked(220.0)


def test_retry_after_beyond_the_limit_is_told_apart() -> None:
    # scenario 113
    pace = Pace(DEFAULTS)
    pace.answered(100.0, 0.1, 503, retry_after_s=1e9)
    assert pace.is_parked(100.0 + DEFAULTS.max_retry_after_s)
    assert pace.park_reason == "retry_after_too_long"


def test_retry_after_shorter_than_the_gap_changes_nothing() -> None:
    pace = Pace(DEFAULTS, delay_s=10.0)
    pace.answered(100.0, 0.1, 404, retry_after_s=2.0)
    assert pace.next_at == 110.0


def test_retry_after_of_a_good_answer_is_no_reason_to_wait() -> None:
    pace = Pace(DEFAULTS)
    pace.answered(100.0, 0.1, 200, retry_after_s=120.0)
    assert pace.next_at == 101.0


def test_a_later_answer_does_not_shorten_the_park() -> None:
    pace = Pace(DEFAULTS)
    pace.answered(100.0, 0.1, 503, retry_after_s=120.0)
    pace.answered(101.0, 2.0, 503, retry_after_s=5.0)
    pace.answered(102.0, 3.0, 200)
    assert pace.next_at == 220.0
    assert pace.park_reason is not None
    pace.answered(300.0, 0.1, 200)
    assert pace.park_reason is None


NOW = datetime(2031, 5, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("1000000000", 1e9),
        (format_datetime(NOW.replace(minute=2), usegmt=True), 120.0),
        ("Sun, 04 May 2031 12:00:30 GMT", 30.0),
        ("Sunday, 04-May-31 12:00:30 GMT", 30.0),
        ("Sun May  4 12:00:30 2031", 30.0),
        ("Sun, 04 May 2031 14:00:30 +0200", 30.0),
        ("Sun, 04 May 2031 11:00:00 GMT", 0.0),  # has passed
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Sun, 99 May 2031 12:00:30 GMT", None),
        ("Sun, 04 May 2031 12:00:30 GMT" * 100, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    # scenario 113
    assert retry_after_s(value, NOW.timestamp()) == seconds


@given(st.text(max_size=80) | st.from_regex(r"\A\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]\d+\Z"), st.floats(0, 4e9))
def test_no_retry_after_is_an_error(value: str, now_wall: float) -> None:
    # scenario 113
    seconds = retry_after_s(value, now_wall)
    assert seconds is None or seconds >= 0


# The breaker -----------------------------------------------------------------------------------------------------


def test_a_host_that_does_not_answer_is_parked_ever_longer() -> None:
    # scenario 6
    pace, now = Pace(DEFAULTS), 0.0
    parks = []
    for _ in range(9):
        now = max(now, pace.next_at)
        pace.asked(now)
        pace.failed(now, is_network=True)
        parks.append(pace.next_at - now)
    assert parks == [1.0, 1.0, 1.0, 1.0, 300.0, 900.0, 3600.0, 3600.0, 3600.0]
    assert pace.park_reason == "network"


def test_failures_that_were_under_way_together_park_once() -> None:
    pace = Pace(DEFAULTS)
    for _ in range(20):
        pace.failed(100.0, is_network=True)
    assert pace.next_at == 400.0


def test_an_answer_of_any_kind_resets_the_breaker() -> None:
    pace = Pace(DEFAULTS)
    for _ in range(5):
        pace.failed(100.0, is_network=True)
    pace.answered(401.0, 0.1, 500)
    for _ in range(4):
        pace.failed(500.0, is_network=True)
    assert (pace.next_at, pace.park_reason) == (501.0, None)
    pace.failed(500.0, is_network=True)
    assert pace.next_at == 800.0  # 5 minutes again


def test_answers_that_we_refuse_do_not_count_as_silence() -> None:
    pace = Pace(DEFAULTS)
    for _ in range(50):
        pace.failed(100.0, is_network=False)
    assert pace.next_at == 101.0


def test_the_frontier_can_park_a_host_for_its_own_reason() -> None:
    pace = Pace(DEFAULTS)
    pace.park(100.0, 300.0)
    assert (pace.next_at, pace.park_reason) == (400.0, "robots")
    pace.park(100.0, 60.0)
    assert pace.next_at == 400.0


def test_a_pace_is_light() -> None:
    """Ten thousand hosts are live at once, so there is no dict in each."""
    assert not hasattr(Pace(DEFAULTS), "__dict__")


@given(
    st.floats(0, 20),
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from([200, 304, 404, 429, 500, 503, None]), st.floats(0, 5000))),
)
def test_next_at_is_never_before_the_gap_has_passed(
    delay_s: float, events: list[tuple[float, int | None, float]]
) -> None:
    pace, now = Pace(DEFAULTS, delay_s), 0.0
    for elapsed_s, status, wait_s in events:
        now += elapsed_s
        if status is None:
            pace.failed(now, is_network=True)
        else:
            pace.answered(now, elapsed_s, status, wait_s)
        assert now + delay_s <= pace.next_at < math.inf
        assert repr(pace)

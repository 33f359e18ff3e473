"""The ledger: histograms, hosts, moments, and how long what was so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.decisions import Waits
from crawler.frontier.outlook import HostDelays
from crawler.frontier.wait_clock import WaitClock
from crawler.measure import host_times, procfs
from crawler.measure import machine as machine_module
from crawler.measure.histogram import Histogram
from crawler.measure.host_times import OTHER_HOSTS, HostTable
from crawler.measure.ledger import STAGES, Ledger
from crawler.measure.machine import Machine
from crawler.measure.occupancy import COLUMNS, MAX_ROWS, Occupancy, Queues, Timeline
from crawler.measure.stats import percentages
from crawler.models import Parsed, Request, Response
from crawler.settings.groups import Settings

DURATIONS = st.floats(min_value=0, max_value=1e5, allow_nan=False)
REQUEST = Request("http://a.example/", "a.example", 1)


def histogram(*durations: float) -> Histogram:
    """A histogram of durations."""
    made = Histogram()
    for seconds in durations:
        made.add(seconds)
    return made


@given(st.lists(DURATIONS, min_size=1))
def test_every_duration_is_in_a_bucket_that_reaches_as_far(durations: list[float]) -> None:
    """What was added is counted once, and no bucket ends more than a quarter beyond what it holds."""
    made = histogram(*durations)
    shown = made.buckets()
    assert sum(count for _, count in shown) == made.count == len(durations)
    for seconds in durations:
        upper_s = min(upper_s for upper_s, _ in shown if upper_s >= seconds)
        assert upper_s <= max(1.25 * seconds, 1e-6)


@given(st.lists(DURATIONS, min_size=1), st.sampled_from((0.5, 0.9, 0.99, 1.0)))
def test_a_quantile_is_off_by_a_quarter_at_most(durations: list[float], share: float) -> None:
    """It is never below the true one."""
    true_s = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    assert true_s <= histogram(*durations).quantile(share) <= max(1.25 * true_s, 1e-6)


def test_an_empty_histogram_has_figures_too() -> None:
    """All are zero."""
    assert msgspec.to_builtins(histogram().stats()) == {
        "count": 0,
        "total_s": 0,
        "max_s": 0,
        "p50_s": 0,
        "p90_s": 0,
        "p99_s": 0,
        "buckets": [],
    }


def test_durations_that_make_no_sense_are_kept_out_of_the_sum() -> None:
    """A clock may be set back; what takes years counts as the longest that is told apart."""
    made = histogram(-1.0, 1e9)
    assert (made.count, made.total_s) == (2, 1e9)
    assert made.quantile(0.5) <= 1e-6


def test_time_is_put_down_to_what_was_so_before_the_look() -> None:
    """The first look begins it."""
    seen = Occupancy()
    seen.look(10.0, "slots", in_flight=4)
    seen.look(11.0, "turn", in_flight=1)
    seen.look(14.0, "nothing", in_flight=0)
    assert seen.holds == {"turn": 3.0, "slots": 1.0, "hand_off": 0.0, "nothing": 0.0}
    assert (seen.in_flight_s, seen.observed_s) == (7.0, 4.0)


def test_all_time_is_put_down_to_one_thing_each() -> None:
    """What the crawl waited for adds up to the time that it took; politeness is what a gap of a host alone takes."""
    seen = Occupancy()
    seen.look(0.0, "nothing", 1)
    seen.look(2.0, "turn", 0, Queues(cooling=1))  # two seconds for the only request in flight
    seen.look(9.0, "turn", 1, Queues(cooling=3))  # seven for the gap of the only host
    seen.look(13.0, "slots", 64)  # four, in which three hosts of four had their gap, and one an answer to come
    seen.look(14.0, "hand_off", 3, Queues(parsing=5, writing=1))
    seen.look(16.0, "hand_off", 3, Queues(writing=1))
    seen.look(19.0, "hand_off", 3)
    seen.look(20.0, "nothing", 0, Queues(parsing=1, writing=5))
    seen.look(21.0, "nothing", 0, Queues(writing=5))
    seen.look(22.0, "turn", 0)
    seen.look(25.0, "nothing", 0)  # three for a try that has to wait
    seen.look(26.0, "nothing", 0)
    assert (seen.times["politeness"], seen.times["servers"]) == (7 + 3 + 3, 2 + 1 + 1 + 1)
    assert (seen.times["parsing"], seen.times["writing"], seen.times["main"]) == (2 + 1, 3 + 1, 1)
    assert sum(seen.times.values()) == seen.observed_s == 26.0


def test_what_the_main_process_was_busy_for_is_no_waiting() -> None:
    """No more of a span than it is long; the rest counts in the next one."""
    seen = Occupancy()
    seen.look(0.0, "slots", 64, Queues(busy_s=1.0))
    seen.look(4.0, "slots", 64, Queues(busy_s=2.0))
    assert seen.times["main"] == 1.0
    assert seen.times["servers"] == 3.0
    seen.look(5.0, "slots", 64, Queues(busy_s=4.0))
    seen.catch_up(7.0)
    assert seen.times["main"] == 3.0
    assert sum(seen.times.values()) == seen.observed_s == 7.0


def test_a_host_that_may_have_several_requests_in_flight_waits_for_its_gap_all_the_same() -> None:
    """Three answers are to come, and the host would be asked for a fourth page if its gap let it."""
    seen = Occupancy(per_host=8)
    seen.look(0.0, "turn", 3, Queues(cooling=1))
    seen.look(1.0, "turn", 8)
    seen.look(2.0, "turn", 8)
    assert (seen.times["politeness"], seen.times["servers"]) == (1.0, 1.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8))
def test_percentages_add_up(times: list[float]) -> None:
    """To a hundred, whatever is rounded; none is off by one or more."""
    shares = percentages({str(number): spent for number, spent in enumerate(times)})
    total = sum(times)
    if total == 0:
        assert shares == {}
    else:
        assert sum(shares.values()) == 100
        assert all(abs(share - 100 * times[int(name)] / total) < 1 for name, share in shares.items())


def test_a_timeline_never_has_more_rows_than_it_may() -> None:
    """Every second one goes when it is full, so that those that are left are as far apart as the new ones."""
    timeline = Timeline()
    begun_s, at_s = timeline.step_s, 0.0
    for _ in range(5 * MAX_ROWS):
        timeline.add(at_s, *[0.0] * (len(COLUMNS) - 1))
        at_s += timeline.step_s
        assert len(timeline.rows) < MAX_ROWS
    steps = {later[0] - earlier[0] for earlier, later in zip(timeline.rows, timeline.rows[1:], strict=False)}
    assert steps == {timeline.step_s}
    assert timeline.step_s > begun_s


def test_hosts_that_took_least_time_become_one_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their requests are not lost."""
    monkeypatch.setattr(host_times, "KEPT_HOSTS", 4)
    table = HostTable()
    for number in range(20):
        times = table.of(f"{number}.example")
        times.requests += 1
        times.fetch_s += number
    rows = msgspec.to_builtins(table.stats(lambda host: 1.0))
    assert len(table) <= 8
    assert rows[0]["host"] == "19.example"
    assert rows[-1]["host"] == OTHER_HOSTS
    assert sum(row["requests"] for row in rows) == 20  # type: ignore[misc]


def test_a_page_waits_for_its_turn_or_for_a_slot() -> None:
    """What its host allowed and nobody did is the queue; the rest is politeness."""
    clock = WaitClock()
    clock.came(now=0.0)
    clock.came(now=0.0)
    # The host's turn had come at 1, a slot was free at 3; the gap had run from the beginning.
    assert clock.waits(now=3.0, due=1.0, busy_at=float("-inf")) == Waits(2.0, 1.0, 1.0)
    # A request ended at 4, the gap is 5: the second page has waited for the slot of the first as well.
    assert clock.waits(now=9.0, due=9.0, busy_at=4.0) == Waits(2.0, 7.0, 5.0)


def test_a_page_that_comes_late_has_not_waited_for_what_was_before() -> None:
    """Nor does a host with nothing to do wait for anything."""
    clock = WaitClock()
    clock.came(now=100.0)
    assert clock.waits(now=100.5, due=2.0, busy_at=1.0) == Waits(0.5, 0.0, 0.0)
    assert clock.waits(now=101.0, due=2.0, busy_at=1.0) == Waits(0.0, 0.0, 0.0)


def test_stages_add_up_to_the_time_of_a_page() -> None:
    """From the start of the fetch to its end, and from there to what the worker gave back."""
    ledger = Ledger()
    ledger.asked("a.example")
    page = Response(REQUEST, 200, (), b"x" * 10, 0.0, 2.0, "asyncio", first_byte_s=1.5, connect_s=0.25, tls_s=0.5)
    ledger.answered(page)
    ledger.parsed_page(Parsed(b"", "ok", laps_s=(0.25, 0.5, 0.0, 0.125)), elapsed_s=1.0)
    ledger.committed([0.5], commit_s=0.25)
    totals = {name: ledger.stage(name).total_s for name in STAGES if ledger.stage(name).count}
    assert totals == {
        "connect": 0.25,
        "tls": 0.5,
        "first_byte": 0.75,
        "download": 0.5,
        "hand_off": 0.125,
        "decode": 0.25,
        "parse": 0.5,
        "serialise": 0.125,
        "commit": 0.5,
    }


def test_figures_are_there_before_anything_has_happened() -> None:
    """Every key of stats.json, and a verdict that says nothing."""
    figures = msgspec.to_builtins(Ledger().stats())
    assert list(figures["stages"]) == list(STAGES)  # type: ignore[call-overload]
    assert figures["timeline"] == {"columns": list(COLUMNS), "rows": []}
    assert figures["verdict"]["bound_by"] == "unknown"  # type: ignore[index]
    assert figures["hosts"] == []


def test_the_rate_of_a_host_is_that_between_its_first_and_last_request() -> None:
    """One request has none."""
    times = host_times.HostTimes()
    times.asked(10.0)
    assert times.per_s == 0
    for now in (11.0, 12.0):
        times.asked(now)
    assert times.per_s == 1.0


def test_a_host_that_never_answered_is_not_what_a_verdict_is_about() -> None:
    """Its requests took most of the time, and failed."""
    ledger = Ledger()
    ledger.asked("dead.example")
    ledger.no_answer("dead.example", 30.0, "connect_timeout")
    evidence = ledger.evidence()
    assert (evidence.host, evidence.held_hosts, evidence.failure) == (None, 0, "connect timeout")
    assert evidence.is_unanswered
    ledger.asked("a.example")
    ledger.answered(Response(REQUEST, 200, (), b"x", 0.0, 1.0, "asyncio", first_byte_s=0.5))
    assert ledger.evidence().host == "a.example"


def test_there_is_one_measure_of_requests_under_way() -> None:
    """The summary's line on speed and the verdict have the same."""
    ledger = Ledger()
    ledger.asked("a.example")
    begun = ledger.first_request
    assert begun is not None
    ledger.look(begun + 1, "turn", 5)
    ledger.look(begun + 2, "turn", 0)
    assert ledger.effective_concurrency == pytest.approx(3.0)
    assert ledger.evidence().in_flight == ledger.effective_concurrency


def test_a_first_answer_that_does_not_come_is_seen_to_take_time() -> None:
    """Nothing else happens meanwhile that would have the crawl look."""
    ledger = Ledger()
    ledger.asked("a.example")
    begun = ledger.first_request
    assert begun is not None
    ledger.occupancy.catch_up(begun + 20)
    assert ledger.evidence().elapsed_s == pytest.approx(20)
    assert ledger.bottleneck().sentence == "nothing was answered yet: 1 request in 20 s"


def test_what_other_programs_compute_is_nothing_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No crawl ends for that."""
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    machine = Machine()
    machine.start()
    machine.stop()
    assert machine.others_s == 0.0


def test_what_this_process_computes_is_not_that_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the machine did, less its own."""
    spent = iter((100.0, 103.0))
    monkeypatch.setattr(procfs, "machine_s", lambda: next(spent))
    monkeypatch.setattr(procfs, "children", lambda pid: [])
    monkeypatch.setattr(procfs, "ended_s", lambda: 0.0)
    own = iter((5.0, 7.0))
    monkeypatch.setattr(machine_module.time, "process_time", lambda: next(own))
    monkeypatch.setattr(machine_module, "cores", lambda: machine_module.os.cpu_count())
    machine = Machine()
    machine.start()
    machine.stop()
    assert machine.others_s == pytest.approx(1.0)


def test_a_request_that_has_not_ended_is_seen_to_take_time() -> None:
    """Its host is what is waited for, and the time is not put down to the main process."""
    ledger = Ledger()
    ledger.asked("a.example")
    ledger.answered(Response(REQUEST, 200, (), b"x", 0.0, 0.0, "asyncio", first_byte_s=0.001))
    ledger.asked("a.example")
    begun = ledger.first_request
    assert begun is not None
    ledger.ended = begun + 20
    evidence = ledger.evidence()
    assert evidence.unanswered_s == pytest.approx(20, abs=0.1)
    assert evidence.host_fetch_s == pytest.approx(10, abs=0.1)
    ledger.no_answer("a.example", 20.0, "timeout")
    assert ledger.evidence().unanswered_s == pytest.approx(20, abs=0.1)
    assert ledger.evidence().host_fetch_s == pytest.approx(10, abs=0.1)


def test_a_request_that_there_was_no_room_for_is_not_under_way() -> None:
    """It is given back, and leaves again later."""
    ledger = Ledger()
    ledger.asked("a.example")
    ledger.not_sent("a.example", 0.5)
    begun = ledger.first_request
    assert begun is not None
    ledger.ended = begun + 20
    assert ledger.evidence().unanswered_s == 0.0


def test_the_delay_that_a_host_is_judged_by_is_its_own() -> None:
    """Of its site, and of its robots.txt."""
    known = HostDelays(own_s=5.0, is_of_site=True, crawl_delay_s=2.0, gap_s=5.0, cause="delay")
    ledger = Ledger(Settings(), lambda host: known)
    ledger.asked("a.example")
    ledger.answered(Response(REQUEST, 200, (), b"x", 0.0, 0.5, "asyncio", first_byte_s=0.25))
    seen = ledger.evidence()
    assert (seen.delay_s, seen.has_site_delay, seen.host_crawl_delay_s) == (5.0, True, 2.0)
    assert seen.host_gap_cause == "delay"
    assert ledger.stats().hosts[0].delay_s == 5.0

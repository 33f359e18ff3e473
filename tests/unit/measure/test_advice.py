"""What a crawl is advised: nothing that is worth nothing, and nothing that speaks of another host's delay."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from crawler.measure.bottleneck import Cause, judge
from tests.unit.measure.test_bottleneck import IDLE, seen

FACTOR = re.compile(r"up to ([0-9.]+) x")


def advice_of(cause: Cause, **changes: Any) -> str:
    """All that is advised to a crawl that is bound by this, but for what is changed."""
    judged = judge(seen(cause, **changes))
    assert judged.bound_by == cause
    return "; ".join(judged.advice)


# What makes each cause's crawl as fast as it can become: another part is busy for nearly all of the time as well.
BOUND = {
    "politeness": {"work_s": 0.0, "main_cpu_s": 46.0},
    "latency": {"writer_s": 47.9, "main_cpu_s": 46.0},
    "bandwidth": {"writer_s": 47.9, "main_cpu_s": 46.0},
    "parse": {"parser": "bs4", "main_cpu_s": 57.0},
    "extraction": {"parser": "bs4", "main_cpu_s": 57.0},
    "disk": {"main_cpu_s": 47.9, "work_s": 160.0, "in_flight": 63.9, "waiting_s": 3800.0, "writes_warc": True},
    "event_loop": {"in_flight": 63.9, "waiting_s": 3800.0, "writer_s": 59.0},
    "supply": {},
}


@pytest.mark.parametrize("cause", [each for each in get_args(Cause) if each != "unknown"])
@pytest.mark.parametrize("cores", [1, 4])
@pytest.mark.parametrize("parse", ["processes", "threads"])
def test_what_gains_nothing_is_not_advised(cause: Cause, cores: int, parse: str) -> None:
    """Below a twentieth it is not worth a word, whichever part the advice is about."""
    judged = judge(seen(cause, **BOUND[cause], cores=cores, parse=parse))
    factors = [float(found) for each in judged.advice for found in FACTOR.findall(each)]
    assert all(factor > 1.0 for factor in factors), judged.advice


def test_the_strategy_is_not_advised_where_the_slots_are_what_comes_next() -> None:
    """The case of a main process that is as busy as everything else."""
    assert "--strategy curl" in advice_of("event_loop", in_flight=20.0)
    assert "--strategy curl" not in advice_of("event_loop", in_flight=63.9, waiting_s=3800.0)


def test_a_faster_disk_is_not_advised_where_something_else_comes_next() -> None:
    """Nor is leaving the WARC out."""
    assert "faster disk" in advice_of("disk", writes_warc=True)
    assert advice_of("disk", writes_warc=True, main_cpu_s=47.0, work_s=165.0, in_flight=63.9, waiting_s=3800.0) == ""


def test_processes_are_not_advised_on_one_core_that_is_full() -> None:
    """They would have to share it with what parses now."""
    threads = {"parse": "threads", "workers": 1, "main_cpu_s": 57.0, "parse_cpu_s": 35.0, "work_s": 45.0}
    assert "--parse processes" in advice_of("parse", **threads, cores=4)
    assert "--parse processes" not in advice_of("parse", **threads, cores=1)


def test_a_few_sites_more_than_there_are_are_not_advised() -> None:
    """Of a hundred that are waited for, three more are a thirtieth."""
    crowded = {"cores": 2, "workers": 2, "main_cpu_s": 27.0, "parse_cpu_s": 27.0, "others_cpu_s": 60.0}
    assert "more sites" in advice_of("politeness", held_hosts=100, in_flight=20.0)
    assert "more sites" not in advice_of("politeness", held_hosts=100, in_flight=20.0, **crowded)


# Whose delay it is


def test_a_delay_of_the_sites_own_is_what_is_advised_to_be_lowered() -> None:
    """The option --delay does nothing for it."""
    own = {"host_gap_s": 4.0, "delay_s": 4.0, "has_site_delay": True}
    said = advice_of("politeness", **own)
    assert "delay=2 for a.example" in said
    assert "up to 2.0 x" in said
    assert "--delay" not in said


def test_a_gap_that_is_as_long_as_the_sites_own_delay_is_not_told_as_too_long() -> None:
    """It was not made longer by the host; one that was is compared with that delay."""
    own = {"delay_s": 5.0, "has_site_delay": True}
    assert "longer than" not in advice_of("politeness", **own, host_gap_s=5.0)
    slow = advice_of("politeness", **own, host_gap_s=12.0, host_gap_cause="slow_down")
    assert "a gap of 12 s, longer than its own delay of 5 s" in slow


@pytest.mark.parametrize("crawl_delay_s", [1.0, 1.1])
def test_a_crawl_delay_that_rules_is_named_and_the_delay_is_not(crawl_delay_s: float) -> None:
    """A lower delay of ours would change nothing."""
    said = advice_of("politeness", host_gap_s=crawl_delay_s, host_crawl_delay_s=crawl_delay_s)
    assert "its robots.txt asks for it" in said
    assert "--delay 0.5" not in said
    assert "up to" not in said


def test_a_lower_delay_promises_no_more_than_the_crawl_delay_leaves() -> None:
    """Half a second is less than the eight tenths that robots.txt asks for."""
    assert "--delay 0.5: up to 1.2 x" in advice_of("politeness", host_crawl_delay_s=0.8)
    assert "--delay" not in advice_of("politeness", host_crawl_delay_s=0.97)


def test_a_lower_delay_promises_no_more_than_slow_answers_leave() -> None:
    """A gap is never shorter than so many times the last answer."""
    assert "up to 1.7 x" in advice_of("politeness", host_fetch_s=0.2, adaptive_factor=1.0)
    assert "--delay" not in advice_of("politeness", host_fetch_s=0.5, adaptive_factor=2.0, host_gap_s=1.0)


# What other programs do


def test_what_little_a_crawl_computes_can_double_on_a_busy_machine() -> None:
    """Whoever computes next to nothing gets it, whatever others have."""
    said = advice_of("politeness", cores=2, workers=2, work_s=0.0, main_cpu_s=0.6, others_cpu_s=119.0)
    assert "--delay 0.5: up to 2.0 x" in said


def test_no_quieter_machine_is_advised_where_cores_are_left() -> None:
    """One program has one of many cores, and this process has all of its own."""
    assert "quieter" not in advice_of("event_loop", cores=16, workers=16, others_cpu_s=60.0)
    assert "quieter" in advice_of("event_loop", cores=2, workers=2, others_cpu_s=60.0)


def test_the_cores_are_only_said_to_be_in_use_where_they_are() -> None:
    """More workers can also be of no use because of the main process."""
    assert "are in use" not in advice_of("parse", cores=16, main_cpu_s=54.0, work_s=230.0)
    assert "are in use" in advice_of("parse", cores=16, others_cpu_s=900.0, parse_cpu_s=200.0)


def test_more_slots_are_not_advised_where_those_that_there_are_stay_idle() -> None:
    """A crawl with one download under way has room for sixty-three more."""
    one = {"holds": IDLE | {"nothing": 58.0}, "in_flight": 1.0, "waiting_s": 1.0, "download_s": 55.0}
    judged = judge(seen("supply", **one))
    assert judged.bound_by == "bandwidth"
    assert not any("--concurrency" in each for each in judged.advice)

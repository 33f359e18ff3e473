"""The verdict by figures alone: which cause it names, in what words, and what it advises."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from crawler.measure.bottleneck import Cause, judge
from crawler.measure.evidence import Evidence

IDLE = {"turn": 0.0, "slots": 0.0, "hand_off": 0.0, "nothing": 0.0}
# A crawl of a minute that nothing kept busy; each case changes what it is about.
MINUTE = Evidence(elapsed_s=60.0, cores=4, workers=4, requests=3000, fetches=3000, parsed=3000, work_s=2.0, commits=100)
CASES: dict[Cause, dict[str, Any]] = {
    "politeness": {
        "holds": IDLE | {"turn": 55.0},
        "in_flight": 0.8,
        "host": "a.example",
        "host_gap_s": 1.0,
        "host_requests": 60,
    },
    "latency": {"holds": IDLE | {"slots": 50.0}, "in_flight": 63.0, "waiting_s": 3000.0, "download_s": 100.0},
    "bandwidth": {"holds": IDLE | {"slots": 50.0}, "in_flight": 63.0, "waiting_s": 100.0, "download_s": 3000.0},
    "parse": {"work_s": 230.0, "parse_cpu_s": 200.0},
    "extraction": {"work_s": 230.0, "extract_s": 200.0},
    "disk": {"writer_s": 55.0},
    "event_loop": {"main_cpu_s": 57.0, "holds": IDLE | {"slots": 50.0}, "in_flight": 63.0},
    "supply": {"holds": IDLE | {"nothing": 55.0}, "in_flight": 1.0},
    "unknown": {"elapsed_s": 1.0},
}


def seen(cause: Cause, **changes: Any) -> Evidence:
    """A crawl that is bound by this, but for what is changed."""
    return msgspec.structs.replace(MINUTE, **(CASES[cause] | changes))


@pytest.mark.parametrize("cause", get_args(Cause))
def test_what_keeps_a_crawl_busy_is_what_binds_it(cause: Cause) -> None:
    """Every cause has its sentence, and every one but the unknown has advice."""
    verdict = judge(seen(cause))
    assert verdict.bound_by == cause
    assert verdict.sentence
    assert bool(verdict.advice) == (cause != "unknown")
    assert set(verdict.shares) == {"slots", "workers", "main", "writer", "polite_wait"}
    assert all(0 <= share <= 1 for share in verdict.shares.values())


def test_where_both_sides_are_busy_it_is_the_busier_one() -> None:
    """The main process against a worker."""
    assert judge(seen("event_loop", work_s=200.0)).bound_by == "event_loop"
    assert judge(seen("event_loop", work_s=236.0)).bound_by == "parse"


def test_where_all_cores_are_in_use_the_busiest_is_to_blame() -> None:
    """Nobody gets a whole core then."""
    assert judge(seen("latency", cores=2, workers=2, main_cpu_s=45.0, parse_cpu_s=70.0)).bound_by == "event_loop"
    assert judge(seen("latency", cores=2, workers=2, main_cpu_s=35.0, parse_cpu_s=80.0)).bound_by == "parse"


def test_one_process_for_everything_can_use_one_core() -> None:
    """However many there are."""
    busy = {"parse": "inline", "workers": 1, "main_cpu_s": 57.0}
    assert judge(seen("latency", **busy, parse_cpu_s=35.0, work_s=36.0)).bound_by == "parse"
    assert judge(seen("latency", **busy, parse_cpu_s=20.0, work_s=21.0)).bound_by == "event_loop"


def test_memory_full_of_bodies_that_arrive_slowly_is_no_fault_of_the_workers() -> None:
    """It is, when they are busy."""
    full = {"holds": IDLE | {"hand_off": 50.0}}
    assert judge(seen("bandwidth", **full)).bound_by == "bandwidth"
    assert judge(seen("bandwidth", **full, work_s=150.0)).bound_by == "parse"
    assert judge(seen("bandwidth", **full, writer_s=40.0)).bound_by == "disk"


def test_pages_that_wait_for_the_workers_before_they_lead_on_are_bound_by_parsing() -> None:
    """Nothing else is known, but only because it has not been read yet."""
    assert judge(seen("supply", work_s=150.0)).bound_by == "parse"
    assert judge(seen("supply", writer_s=40.0)).bound_by == "disk"


def test_no_advice_promises_more_than_the_next_limit_leaves() -> None:
    """Twice the slots cannot help a main process that computes nine tenths of the time already by much."""
    assert "up to 2.0 x" in judge(seen("latency")).advice[0]
    assert "up to 1.2 x" in judge(seen("latency", main_cpu_s=46.0)).advice[0]


def test_nobody_is_advised_to_be_impolite_without_being_told_whose_server_it_takes() -> None:
    """A lower delay and more requests at once are for one's own servers."""
    for changes in ({}, {"host_fetch_s": 3.0}):
        impolite = [each for each in judge(seen("politeness", **changes)).advice if each.startswith("--")]
        assert impolite
        assert all("only where the server is yours" in each for each in impolite)


def test_more_slots_are_advised_with_more_for_each_host_where_few_hosts_could_not_take_them() -> None:
    """A crawl of one host has no use for a slot above what the host may have."""
    assert judge(seen("latency", hosts=1, per_host=64)).advice[0].startswith("--concurrency 128 --per-host 128: ")
    assert judge(seen("latency", hosts=500)).advice[0].startswith("--concurrency 128: ")
    assert "--per-host 1024:" in judge(seen("latency", hosts=1, concurrency=2048, per_host=1024)).advice[0]


def test_a_host_that_asked_to_be_left_alone_is_not_advised_to_be_asked_more() -> None:
    """Its answers and gaps are a small part of the time."""
    verdict = judge(seen("politeness", host_requests=4, host_fetch_s=0.01, host_gap_s=0.0))
    assert "left alone for most of the time" in verdict.sentence
    assert not any("--" in each for each in verdict.advice)


def test_a_crawl_that_has_hardly_begun_is_told_in_plain_figures() -> None:
    """One request is one, and no time is not told as none."""
    assert judge(seen("unknown", requests=1, elapsed_s=1.0)).sentence.startswith("1 request in 1.0 s: ")
    assert judge(seen("unknown", requests=2, elapsed_s=0.01)).sentence.startswith("2 requests: ")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("crawl_delay", "its robots.txt asks for it; --max-crawl-delay"),
        ("answer_time", "a gap is 2 times the last answer"),
        ("slow_down", "it answered 429 or 503"),
        (None, "for a part of the crawl"),
    ],
)
def test_a_gap_that_is_longer_than_the_delay_is_told_with_its_cause(cause: Any, words: str) -> None:
    """It is not ours to lower; the host is named."""
    advice = judge(seen("politeness", host_gap_s=10.0, host_gap_cause=cause, adaptive_factor=2.0)).advice
    assert not any("up to" in each for each in advice)
    assert any(each.startswith("a.example ha") and words in each for each in advice)


def test_the_sentence_on_politeness_names_host_rate_and_idle_slots() -> None:
    """One host, then many."""
    assert judge(seen("politeness")).sentence == (
        "bound by politeness: a.example lets 1 request/s through; 63 of 64 slots were idle"
    )
    assert "20 hosts were waited for" in judge(seen("politeness", held_hosts=20)).sentence


def test_a_host_name_cannot_steer_the_terminal() -> None:
    """It comes from the web."""
    assert "\x1b" not in judge(seen("politeness", host="a\x1b[2J.example")).sentence


def test_a_loop_that_has_to_share_its_processor_is_busy_all_the_same() -> None:
    """It is told that others had it, for then a quieter machine is what helps."""
    verdict = judge(seen("event_loop", main_cpu_s=20.0, loop_s=57.0))
    assert verdict.bound_by == "event_loop"
    assert "left it a processor for 33% only" in verdict.sentence
    assert any("quieter" in each for each in verdict.advice)
    assert "processor" not in judge(seen("event_loop")).sentence


def test_curl_is_advised_where_it_is_not_in_use_already() -> None:
    """For a main process that is busy."""
    assert "--strategy curl" in judge(seen("event_loop")).advice[0]
    assert not any("--strategy" in each for each in judge(seen("event_loop", strategy="curl")).advice)


def test_workers_beyond_the_cores_are_advised_for_a_larger_machine() -> None:
    """Twice as many as there are."""
    assert "--parse-workers 8 on a machine with as many cores" in judge(seen("parse")).advice[0]
    assert "machine" not in judge(seen("parse", cores=16)).advice[0]
    assert "--parse processes" in judge(seen("parse", parse="threads")).advice[0]


def test_where_nothing_was_answered_that_is_the_verdict() -> None:
    """However long it took, and whatever the pace of the host was."""
    silent = {"requests": 3, "fetches": 0, "no_answers": 3, "failure": "connect timeout"}
    verdict = judge(seen("politeness", **silent))
    assert (verdict.bound_by, verdict.host, verdict.advice) == ("unknown", None, ())
    assert verdict.sentence == (
        "nothing was answered with a page: 3 of 3 requests in 1 min 0 s failed (mostly connect timeout)"
    )
    faulty = {"requests": 100, "fetches": 100, "server_errors": 95, "failure": "HTTP 503"}
    assert judge(seen("politeness", **faulty)).sentence.startswith(
        "hardly anything was answered with a page: 95 of 100"
    )
    assert judge(seen("politeness", **faulty | {"server_errors": 50})).bound_by == "politeness"


def test_before_the_first_answer_no_host_is_judged() -> None:
    """One request is under way."""
    verdict = judge(seen("politeness", requests=1, fetches=0, elapsed_s=8.0))
    assert verdict.sentence == "nothing was answered yet: 1 request in 8.0 s"


def test_a_machine_that_other_programs_keep_busy_is_what_binds() -> None:
    """Whatever requests seem to wait for; the part of the crawl that has most of the processors is named."""
    busy = {"cores": 2, "workers": 2, "main_cpu_s": 40.0, "parse_cpu_s": 20.0, "others_cpu_s": 50.0}
    verdict = judge(seen("politeness", host_fetch_s=3.0, **busy))
    assert verdict.bound_by == "event_loop"
    assert verdict.sentence == (
        "bound by this machine's processors: all 2 cores were 92% busy; "
        "the main process had 0.7, parsing 0.3, other programs 0.8"
    )
    assert any("quieter" in each for each in verdict.advice)
    assert not any("several crawls" in each for each in verdict.advice)


def test_no_advice_promises_more_than_the_cores_that_are_left() -> None:
    """Two cores of which 1.6 are in use; one interpreter has the use of one alone."""
    half = {"cores": 2, "host_fetch_s": 3.0, "host_requests": 30, "others_cpu_s": 50.0}
    crowded = judge(seen("politeness", main_cpu_s=26.0, parse_cpu_s=20.0, **half)).advice
    assert any(each.startswith("--per-host 2: up to 1.2 x") for each in crowded)
    inline = {"parse": "inline", "main_cpu_s": 48.0, "parse_cpu_s": 20.0, "work_s": 20.0}
    alone = judge(seen("politeness", host_fetch_s=3.0, host_requests=30, **inline)).advice
    assert any(each.startswith("--per-host 2: up to 1.2 x") for each in alone)


def test_the_number_of_sites_that_cost_no_time_is_what_the_machine_can_compute() -> None:
    """Slots alone would have it be sixty-four and more; where nothing limits it, no figure is made up."""
    assert "about 80 like these fill the slots" in judge(seen("politeness")).advice[0]
    computed = judge(seen("politeness", main_cpu_s=6.0)).advice[0]
    assert "about 9 like these are what this machine can compute" in computed
    assert "at least several hundred like these" in judge(seen("politeness", in_flight=0.001, work_s=0.0)).advice[0]
    assert not any("more sites" in each for each in judge(seen("politeness", main_cpu_s=40.0)).advice)


def test_no_host_lets_more_through_than_its_gap_allows() -> None:
    """Of four requests, one second apart, the first needed no gap."""
    assert seen("politeness", elapsed_s=3.05, host_requests=4, host_per_s=0.99).host_rate == 0.99
    assert seen("politeness", elapsed_s=3.05, host_requests=4).host_rate == 1.0


@pytest.mark.parametrize("cause", ["politeness", "latency", "bandwidth", "disk", "supply"])
@pytest.mark.parametrize("main_cpu_s", [0.0, 6.0, 24.0])
def test_processors_are_not_blamed_by_what_other_programs_do(cause: Cause, main_cpu_s: float) -> None:
    """A crawl that neither computes nor waits for a processor is not kept by those who do."""
    quiet = {"cores": 2, "workers": 2, "work_s": 1.0, "main_cpu_s": main_cpu_s}
    verdict = judge(seen(cause, **quiet, others_cpu_s=118.0 - main_cpu_s))
    assert verdict.bound_by == cause
    assert "processor" not in verdict.sentence
    assert not any("quieter" in each or "more cores" in each for each in verdict.advice)


def test_a_crawl_that_waits_for_a_processor_is_bound_by_it() -> None:
    """The event loop has something to do for most of the time, and others compute."""
    verdict = judge(seen("latency", cores=2, workers=2, main_cpu_s=6.0, loop_s=40.0, others_cpu_s=112.0))
    assert verdict.bound_by == "event_loop"
    assert "processors" in verdict.sentence


def test_requests_that_have_not_ended_are_not_blamed_on_the_main_process() -> None:
    """All slots are taken by answers that drip; the main process does nothing."""
    verdict = judge(seen("latency", waiting_s=10.0, download_s=10.0, unanswered_s=3700.0))
    assert verdict.bound_by == "latency"
    assert verdict.sentence == (
        "bound by latency: 63.0 of 64 slots were taken, most of them by requests that have not ended, "
        "or ended without an answer"
    )
    assert judge(seen("latency", waiting_s=10.0, download_s=10.0)).bound_by == "latency"
    assert judge(seen("latency", waiting_s=10.0, download_s=10.0, main_cpu_s=40.0)).bound_by == "event_loop"


def test_a_download_that_is_all_there_is_binds_the_crawl() -> None:
    """Nothing else is known to ask for, but it is the download that is waited for, not the links of pages."""
    one = {"in_flight": 1.0, "waiting_s": 2.0}
    assert judge(seen("supply", **one, download_s=50.0)).bound_by == "bandwidth"
    assert judge(seen("supply", **one, unanswered_s=50.0)).bound_by == "latency"
    assert judge(seen("supply", in_flight=1.0, waiting_s=50.0, download_s=2.0)).bound_by == "supply"


def test_a_host_lets_no_more_through_than_its_answers_take() -> None:
    """It was asked twice within a second, and has not ended the second answer for a minute."""
    drips = seen("politeness", host_requests=2, host_per_s=1.0, host_fetch_s=30.0, host_gap_s=1.0)
    assert drips.host_rate == pytest.approx(1 / 30)
    assert "at a time that take 30 s each" in judge(drips).sentence

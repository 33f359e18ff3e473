"""What `crawler compare` makes of its measurements: sameness, lessons, advice, table and picture."""

from __future__ import annotations

import argparse
import re
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from crawler import cli, fetch
from crawler.bench import options
from crawler.bench.compare import advice, command, figures, lessons, picture, runs, table
from crawler.bench.compare.figures import MODES, Advice, CompareConditions, CompareReport, Own, Sameness
from crawler.bench.compare.same_records import Comparison
from crawler.bench.samples import Sample
from crawler.errors import UsageError
from crawler.measure.procfs import MIB

PAGES = 60
LATENCY_MS = 50.0
START_S = 0.02
STRATEGIES = ("sequential", "threads", "asyncio", "curl")
# CPU time that a page costs the main process besides parsing, and a page's parsing: microseconds.
FETCH_US = {"sequential": 1500.0, "threads": 1500.0, "asyncio": 300.0, "curl": 250.0}
PARSE_US = {"lexbor": 600.0, "bs4": 17_000.0}
OWN = Own(run="data/2026-01-01_00-00-00", sites=20, pages=100, page_bytes=50_000, latency_ms=120.0, polite_per_s=17.9)


def about(**changes: Any) -> CompareConditions:
    """A quiet machine with two cores, the lab with its usual pages."""
    usual = CompareConditions(
        version="0.1.0",
        python="3.11.9",
        system="Linux 6.1",
        cores=2,
        pages_from="the lab",
        pages=PAGES,
        page_bytes=36_000,
        latency_ms=LATENCY_MS,
        concurrency=32,
        rounds=3,
        start_cpu_s={strategy: {"inline": START_S, "processes": START_S} for strategy in STRATEGIES},
        missing=[],
    )
    return msgspec.structs.replace(usual, **changes)


def crawl_sample(strategy: str, mode: str, fetch_us: dict[str, float], latency_ms: float) -> Sample:
    """A crawl as a machine without noise would do it."""
    slots = 1 if strategy == "sequential" else 32
    inside_us = fetch_us[strategy] + (PARSE_US["lexbor"] if mode != "processes" else 0.0)
    main_s, wait_s = inside_us * (PAGES - 1) / 1e6, latency_ms / 1000 * PAGES / slots
    wall_s = main_s + wait_s
    workers_s = PARSE_US["lexbor"] * PAGES / 1e6 + 0.4 if mode == "processes" else 0.0
    return Sample(
        count=PAGES,
        wall_s=wall_s,
        cpu_s={"main": main_s + START_S, "workers": workers_s},
        peak_bytes={"main": 60 * MIB, "workers": 80 * MIB},
        detail={"crawl_s": wall_s + 0.05, "workers_bytes": 80.0 * MIB},
    )


def parse_sample(parser: str, mode: str, speedup: float) -> Sample:
    """The parse stage, so many times as fast as inline."""
    work_s = PARSE_US[parser] * PAGES / 1e6
    is_apart = mode == "processes"
    cpu_s = {"main": 100e-6 * PAGES, "workers": work_s} if is_apart else {"main": work_s, "workers": 0.0}
    detail = {"ready_s": 0.3, "packing_s": 10e-6 * PAGES, "unpacking_s": 30e-6 * PAGES}
    return Sample(count=PAGES, wall_s=work_s / speedup, cpu_s=cpu_s, detail=detail)


def report(
    *,
    own: Own | None = None,
    fetch_us: dict[str, float] = FETCH_US,
    threads: float = 0.95,
    processes: float = 1.85,
    **changes: Any,
) -> CompareReport:
    """What is made of a comparison in which threads and processes parse so many times as fast as inline."""
    said = about(**changes)
    gains = {"inline": 1.0, "threads": threads, "processes": processes}
    crawls = {(s, m): [crawl_sample(s, m, fetch_us, said.latency_ms)] * 3 for s in STRATEGIES for m in MODES}
    parsing = {(p, m): [parse_sample(p, m, gains[m])] * 3 for p in PARSE_US for m in MODES}
    rows, alone = figures.rows(crawls), figures.parsing(parsing)
    return CompareReport(
        about=said,
        own=own,
        rows=rows,
        alone=alone,
        same=Sameness(True, 49, [PAGES], "All 49 runs gave the same 60 records."),
        lessons=lessons.draw(said, rows, alone),
        advice=advice.give(said, own, rows, alone),
    )


def line(url: str, **fields: object) -> bytes:
    """A record's line."""
    return msgspec.json.encode({"url": url, "outcome": "ok", "status": 200, "title": "Home", **fields})


# Sameness


def test_records_are_the_same_in_any_order_and_at_any_time() -> None:
    """What differs from crawl to crawl does not count: when, how long, by which strategy and way."""
    found = Comparison()
    found.take("the lab", "lexbor", "one", [line("http://a/", strategy="threads", attempts=1), line("http://b/")])
    later = {"fetched_at": "2026", "elapsed_ms": 5, "strategy": "curl", "via": "http://c/", "depth": 3, "attempts": 2}
    found.take("the lab", "lexbor", "two", [line("http://b/", **later), line("http://a/", **later)])
    verdict = found.verdict()
    assert verdict.is_same
    assert verdict.sentence == "All 2 runs gave the same 2 records."
    assert (verdict.runs, verdict.records) == (2, [2])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([line("http://a/"), line("http://b/", title="Hom\u202ee")], ("title of http://b/", '"Home"', "\\u202e")),
        ([line("http://a/")], ("http://b/ is in one and not in two",)),
        ([line("http://a/"), line("http://b/"), line("http://c/")], ("http://c/ is in two and not in one",)),
        ([line("http://a/"), line("http://b/", lang=None)], ("lang of http://b/", "missing in one", "null in two")),
        (
            [line("http://a/"), line("http://b/"), line("http://b/", status=500)],
            ("two records of http://b/",),
        ),
        ([line("http://a/"), line("http://b/"), line("http://b/")], ("two has two records of http://b/",)),
    ],
)
def test_a_planted_difference_is_found_and_named(lines: list[bytes], words: tuple[str, ...]) -> None:
    """A value, a record too few, a record too many, a field too many, and two records of one URL, alike or not."""
    found = Comparison()
    found.take("the lab", "lexbor", "one", [line("http://a/"), line("http://b/")])
    found.take("the lab", "lexbor", "two", lines)
    found.take("the lab", "lexbor", "three", [line("http://b/"), line("http://a/")])
    verdict = found.verdict()
    assert not verdict.is_same
    assert verdict.sentence.startswith("The 3 runs did NOT give the same records: ")
    for word in words:
        assert word in verdict.sentence


def test_a_run_over_some_of_the_pages_is_compared_on_those() -> None:
    """Fewer are no difference there, and another title is."""
    found = Comparison()
    found.take("the lab", "lexbor", "whole", [line("http://a/"), line("http://b/")])
    found.take("the lab", "lexbor", "part", [line("http://b/")], is_part=True)
    assert found.verdict().is_same
    found.take("the lab", "lexbor", "other part", [line("http://b/", title="Away")], is_part=True)
    assert "title of http://b/" in found.verdict().sentence


def test_parts_are_compared_with_each_other_in_full() -> None:
    """Where no run is whole, one that lacks a page is found out."""
    found = Comparison()
    found.take("your sites", "bs4", "inline", [line("http://a/"), line("http://b/")], is_part=True)
    found.take("your sites", "bs4", "threads", [line("http://b/")], is_part=True)
    assert "http://a/ is in inline and not in threads" in found.verdict().sentence


def test_parts_are_compared_with_each_other_beside_a_whole_run() -> None:
    """A page that one of them has lost is in no other way missed there."""
    found = Comparison()
    found.take("the lab", "lexbor", "whole", [line("http://a/"), line("http://b/"), line("http://c/")])
    found.take("the lab", "lexbor", "inline", [line("http://a/"), line("http://b/")], is_part=True)
    found.take("the lab", "lexbor", "threads", [line("http://b/")], is_part=True)
    assert "http://a/ is in inline and not in threads" in found.verdict().sentence


def test_parsers_may_read_malformed_pages_in_different_ways_and_it_is_said() -> None:
    """All runs of one parser agree, so it is no fault of a strategy or mode."""
    found = Comparison()
    for parser, title in (("lexbor", "One"), ("bs4", "Two")):
        for mode in ("inline", "threads"):
            found.take("your sites", parser, f"{parser} × {mode}", [line("http://a/", title=title), line("http://b/")])
    verdict = found.verdict()
    assert verdict.is_same
    assert "All 4 runs gave the same 2 records." in verdict.sentence
    assert "bs4 reads 1 of the pages otherwise than lexbor" in verdict.sentence
    assert "title of http://a/" in verdict.sentence


def test_different_works_are_counted_apart() -> None:
    """The lab's records are never held against those of the user's sites."""
    found = Comparison()
    found.take("the lab", "lexbor", "one", [line("http://a/")])
    found.take("your sites", "lexbor", "two", [line("http://b/"), line("http://c/")])
    assert found.verdict().sentence == "All 2 runs gave the same records: 1 of the lab, 2 of your sites."


# Lessons


def test_the_lessons_show_on_a_quiet_machine_with_two_cores() -> None:
    """Each with its own figures: pages × latency, the GIL, and the price of processes."""
    waiting, threads, processes = report().lessons
    assert waiting.shows
    assert threads.shows
    assert processes.shows
    assert "60 of them are 3.00 s of waiting" in waiting.text
    assert "58.8 pages/s on the event loop" in threads.text
    assert "(0.95 times as many)" in threads.text
    assert "1.85 times as many as inline" in processes.text
    assert "costs the main process 100 µs (10 packing, 60 sending and receiving, 30 unpacking)" in processes.text
    assert "0.30 s after the start" in processes.text
    # 0.3 s ÷ (17 ms − 17 ms ÷ 1.85)
    assert "after 38 pages with BeautifulSoup" in processes.text


def test_with_one_core_the_third_lesson_cannot_show_and_that_is_said() -> None:
    """Its price is shown all the same."""
    made = report(cores=1, processes=0.9)
    assert not made.lessons[2].shows
    assert "one core, so this lesson cannot show" in made.lessons[2].text
    assert "100 µs" in made.lessons[2].text
    assert "in 1 thread" in made.lessons[1].text


def test_figures_that_contradict_a_lesson_are_not_called_a_proof() -> None:
    """Without waiting there is nothing to overlap; on a busy machine anything can be measured."""
    made = report(latency_ms=0.0, threads=1.6, processes=1.0)
    assert [lesson.shows for lesson in made.lessons] == [False, False, False]
    assert all("does not show" in lesson.text for lesson in made.lessons)
    assert table.show(made).count("(not shown)") == 3


# Advice


def test_the_default_is_advised_with_the_requests_that_hide_the_waiting() -> None:
    """2 cores ÷ (300 + 600) µs are 2,222 pages/s; at 50 ms that takes 111 requests under way, and a quarter more."""
    made = report().advice
    assert made.command == "crawler crawl --sites FILE --strategy asyncio --parse processes --concurrency 144"
    assert made.ways[0].pages_per_s == pytest.approx(2 / 850e-6, rel=0.01)  # curl's, which is no tenth better
    assert "comes to about 2,200 pages/s" in made.reason
    assert "--parse inline is sooner done" in made.reason
    # A thread for each request has its limit, and one by one is what it is.
    slots = {way.strategy: way.slots for way in made.ways}
    assert slots["sequential"] == 1
    assert slots["threads"] <= 64


def test_more_requests_than_the_default_are_not_advised_for_a_twentieth() -> None:
    """At 28 ms the default's 64 are 2,286 pages/s, which is all there is; at 29.5 ms 66 would be 2 % faster."""
    for latency_ms, is_worth in ((28.0, False), (29.5, False), (34.0, True)):
        made = report(latency_ms=latency_ms).advice
        assert ("--concurrency" in made.command) == is_worth, latency_ms
        assert is_worth or "takes 64 requests under way" in made.reason


def test_more_sites_are_not_advised_where_those_that_there_are_do() -> None:
    """They let through nearly all that the machine can do."""
    own = msgspec.structs.replace(OWN, polite_per_s=2200.0)
    made = report(own=own).advice
    assert made.reason.startswith("Politeness binds")
    assert "more sites would" not in made.reason
    assert "more sites would, up to" in report(own=OWN).advice.reason


def test_a_strategy_that_is_clearly_faster_is_advised() -> None:
    """Where asyncio costs four times as much as curl."""
    made = report(fetch_us={**FETCH_US, "asyncio": 1000.0}).advice
    assert "--strategy curl --parse processes" in made.command


def test_on_one_core_a_page_costs_what_all_its_processes_cost() -> None:
    """So processes bring nothing there but safety, which is said."""
    made = report(cores=1).advice
    assert made.ways[0].pages_per_s == pytest.approx(1 / 850e-6, rel=0.01)
    assert "--parse processes" in made.command
    assert "costs little here and keeps a page that hangs or swells" in made.reason


def test_politeness_that_binds_is_said_and_no_strategy_is_praised() -> None:
    """20 sites, one request a second each: every way is fast enough but one by one."""
    made = report(own=OWN).advice
    assert made.reason.startswith("Politeness binds: your 20 sites allow 18 pages/s together")
    assert "One by one is too slow even so" in made.reason
    assert "--strategy asyncio --parse processes" in made.command
    assert "--concurrency" not in made.command


def test_without_a_delay_the_user_own_latency_counts() -> None:
    """120 ms take more requests under way than the lab's 50."""
    own = msgspec.structs.replace(OWN, polite_per_s=None)
    assert "--concurrency 336" in report(own=own).advice.command


def test_words_of_the_command_line_are_quoted() -> None:
    """A list with a space in its name can be pasted as it stands."""
    made = report()
    given = advice.give(made.about, None, made.rows, made.alone, ("--sites", "my sites.txt"))
    assert "--sites 'my sites.txt'" in given.command


# What is shown


@pytest.mark.parametrize("own", [None, OWN])
def test_the_table_fits_80_columns_whatever_it_holds(own: Own | None) -> None:
    """Large numbers, long names and escapes too; every way has its row."""
    hostile = "/home/\x1b[31m" + "x" * 200
    made = report(own=own, pages_from=hostile, others_cores=1.5, missing=["Left out: curl is not here. " * 4])
    command_line = (
        f"crawler crawl --sites {'y' * 40} --strategy asyncio --parse processes --concurrency 144 --delay 0.5"
    )
    made = msgspec.structs.replace(made, advice=Advice(command_line, made.advice.reason, made.advice.ways))
    text = table.show(made)
    assert max(map(len, text.splitlines())) <= 80, text
    assert "\x1b" not in text
    for strategy in STRATEGIES:
        for mode in MODES:
            assert re.search(rf"^{strategy} +{mode} ", text, re.MULTILINE)
    for word in (
        "All 49 runs gave the same 60 records.",
        "Other programs kept 1.5 cores",
        "\nUSE\n",
        "1. ",
        "2. ",
        "3. ",
    ):
        assert word in text
    assert " ".join(text.partition("USE\n")[2].replace("\\\n", " ").split()).startswith(command_line)


def test_the_picture_is_an_svg_that_stands_alone() -> None:
    """It is XML, names nothing outside of itself, and has a bar for every way."""
    text = picture.draw(report())
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert re.findall(r"(?:href|src|url\(|@import)", text) == []
    labels = "".join(root.itertext())
    for strategy in STRATEGIES:
        for mode in MODES:
            assert f"{strategy} × {mode}" in labels
    assert "bs4" in labels


def test_a_report_survives_json() -> None:
    """What `--json` prints is the whole report."""
    made = report(own=OWN)
    assert msgspec.json.decode(msgspec.json.encode(made), type=CompareReport) == made


# The command


def arguments(*given: str) -> argparse.Namespace:
    """The parsed arguments of `crawler compare`."""
    parser = cli.Parser(prog="crawler compare")
    command.add_arguments(parser)
    return parser.parse_args(given)


def test_the_default_takes_less_than_a_minute() -> None:
    """As it says itself at its start."""
    plan = runs.ComparePlan(
        strategies=STRATEGIES,
        missing=(),
        rounds=command.ROUNDS,
        concurrency=options.CONCURRENCY,
        count=command.COUNT,
        page_bytes=options.PAGE_BYTES,
        latency_ms=command.LATENCY_MS,
    )
    assert 20 < plan.expected_s() < 60


def test_without_curl_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left out; what everybody has is measured."""

    def check(name: str) -> None:
        if name == "curl":
            raise UsageError("the strategy 'curl' needs pycurl, which is not installed: pip install pycurl")

    monkeypatch.setattr(fetch, "check", check)
    found, missing = options.usable(STRATEGIES)
    assert found == ["sequential", "threads", "asyncio"]
    (sentence,) = missing
    assert "pip install pycurl" in sentence


@pytest.mark.parametrize(("is_same", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_tells_whether_all_were_the_same(
    is_same: bool, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the table all the same."""
    found = Sameness(is_same, 2, [1], "The 2 runs did so.")
    monkeypatch.setattr(runs, "run", lambda plan, step: msgspec.structs.replace(report(), same=found))
    assert command.run(arguments()) == status
    assert "The 2 runs did so." in capsys.readouterr().out


def test_the_advised_command_keeps_what_the_user_asked_for() -> None:
    """Lists, URLs, the config file and every setting."""
    given = "--sites a.txt http://b.example/ --delay 0.5 --no-robots --resolve x:1.2.3.4 --resolve y:1.2.3.5".split()
    assert sorted(command._given(arguments(*given))) == sorted(given)

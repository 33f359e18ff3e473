"""One figure for one thing: terminal, report, stats.json and dashboard say the same of one crawl."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from crawler.log.terminal import duration, rate, size
from crawler.measure.stats import time_shares
from tests.integration.conftest import LAB_OPTIONS, run_cli
from tests.integration.report_reader import Reader
from tests.integration.watched import watched

OPTIONS = [*LAB_OPTIONS, "--parse-workers", "1", "--report"]


class Told(NamedTuple):
    """What was said of one crawl: on the terminal, in its report and stats.json, and last by its dashboard."""

    terminal: str
    report: Reader
    stats: dict[str, Any]
    state: dict[str, Any]


@pytest.fixture(scope="module")
def told(seeds: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A crawl of the lab with errors and redirects; what it got for its robots.txt files is no record."""
    run = tmp_path_factory.mktemp("figures") / "run"
    with watched("crawl", *seeds, *OPTIONS, "--run", run, "--dashboard") as crawl:
        with crawl.events() as events:
            *_, (_, last) = events
        assert crawl.wait() == 0
    return Told(unwrapped(crawl.said), Reader(run / "report.html"), stats_of(run), last)


def stats_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "stats.json").read_bytes())
    return found


def unwrapped(said: str) -> str:
    """Each line of a summary with those that go on with it."""
    return re.sub(r"\n {13}", " ", said)


def test_the_speed_is_one(told: Told) -> None:
    """The rate is that since the first request, with the same digits."""
    shown = rate(told.stats["pages_per_s"])
    assert f"  speed      {shown} pages/s" in told.terminal
    assert told.report.figure("pages per second") == shown
    assert told.state["pages_per_s"] == told.stats["pages_per_s"]
    assert f"{told.state['pages_per_s']:,.1f}" == shown


def test_the_pages_are_one(told: Told) -> None:
    outcomes = told.stats["outcomes"]
    assert outcomes["http_error"]
    assert outcomes["redirect"]
    assert told.stats["pages"] == outcomes["ok"] + outcomes["http_error"]
    assert f"  outcomes   {outcomes['ok']:,} ok" in told.terminal
    assert told.report.figure("pages") == f"{told.stats['pages']:,}"
    assert told.state["pages"] == told.stats["pages"] == told.stats["sessions"][0]["pages"]
    assert told.state["outcomes"] == outcomes
    assert told.report.figure("redirects") == f"{outcomes['redirect']:,}"
    assert told.report.figure("errors") == f"{outcomes['http_error'] + outcomes.get('failed', 0):,}"


def test_what_was_received_is_one(told: Told) -> None:
    """What robots.txt and further tries brought is in it."""
    shown = size(told.stats["wire_bytes"])
    assert f" {shown} received" in told.terminal
    assert told.report.figure("received") == shown
    assert told.state["bytes"] == told.stats["wire_bytes"] == told.stats["sessions"][0]["wire_bytes"]


def test_the_time_is_one(told: Told) -> None:
    shown = duration(told.stats["elapsed_s"])
    assert f"has its outcome after {shown}" in told.terminal
    assert told.report.figure("time") == shown
    assert told.state["at_s"] == told.stats["elapsed_s"] == told.stats["sessions"][0]["elapsed_s"]


def test_the_requests_in_flight_are_one(told: Told) -> None:
    shown = f"{told.stats['effective_concurrency']:.1f}"
    assert f" {shown} of {told.stats['concurrency']} slots busy" in told.terminal
    assert f"{shown} requests were in flight on average, of {told.stats['concurrency']}" in told.report.text(
        "bottleneck"
    )


def test_the_hosts_are_one(told: Told) -> None:
    assert told.report.figure("hosts") == f"{told.state['hosts_met']}" == f"{len(told.stats['hosts'])}"


def test_where_the_time_went_is_one(told: Told) -> None:
    """Each share, and they add up."""
    shares = time_shares(told.stats["times_s"])
    assert [list(each) for each in shares] == told.state["time_shares"]
    assert told.state["times_s"] == told.stats["times_s"]
    assert "  time       " + ", ".join(f"{label} {share}%" for label, share in shares) in told.terminal
    for label, share in shares:
        assert f"{label} {share} %" in re.sub(r"\s+", " ", told.report.text("stages"))


def test_the_bottleneck_and_the_advice_are_one(told: Told) -> None:
    """In the same words."""
    found = told.stats["verdict"]
    assert told.state["verdict"] == found
    assert f"  bottleneck {found['sentence']}\n" in told.terminal
    assert found["sentence"][1:] in unescape(told.report.text("bottleneck"))
    for each in found["advice"]:
        assert f"  advice     {each}\n" in told.terminal
        assert each[1:] in unescape(told.report.text("bottleneck"))


def test_of_a_run_of_two_sessions_the_figures_of_all_are_one(seeds: Sequence[str], tmp_path: Path) -> None:
    """The terminal tells them beside those of the session; the report is about the run."""
    run = tmp_path / "run"
    first = run_cli("crawl", *seeds, *OPTIONS, "--run", run, "--max-pages", 20)
    assert "  whole run" not in first.stderr
    said = unwrapped(run_cli("resume", run, "--max-pages", 60).stderr)
    stats, report = stats_of(run), Reader(run / "report.html")
    assert [each["pages"] for each in stats["sessions"]] == [20, 40]
    assert (stats["pages"], stats["run_pages"]) == (40, 60)
    received = size(sum(each["wire_bytes"] for each in stats["sessions"]))
    spent = duration(sum(each["elapsed_s"] for each in stats["sessions"]))
    speed = report.figure("pages per second")
    assert f"  whole run  60 pages in 2 sessions, {spent}, {speed} pages/s, {received} received\n" in said
    assert (report.figure("pages"), report.figure("time"), report.figure("received")) == ("60", spent, received)


def test_pages_of_a_session_that_was_killed_are_counted_in_the_whole_run(seeds: Sequence[str], tmp_path: Path) -> None:
    """Nothing is known of how long it took; its pages are in the records."""
    run = tmp_path / "run"
    run_cli("crawl", *seeds, *OPTIONS, "--run", run, "--max-pages", 10)
    (run / "stats.json").unlink()  # as a session leaves it that is killed
    said = unwrapped(run_cli("resume", run, "--max-pages", 36).stderr)
    stats, report = stats_of(run), Reader(run / "report.html")
    assert (stats["pages"], stats["run_pages"]) == (26, 36)
    assert "  whole run  36 pages, of which 10 in sessions that left no figures\n" in said
    assert report.figure("pages") == "36"
    assert "the last session that came to its end: 26 of 36 pages" in report.text("summary")

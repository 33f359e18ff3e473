"""What a run says of itself at its end: the summary on the terminal and stats.json, over two sessions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from crawler.measure.ledger import STAGES
from crawler.measure.occupancy import COLUMNS, TIMES
from tests.integration.conftest import run_cli
from tests.integration.serving import QUICK, Routes, serve

PAGES = 6


class Sessions(NamedTuple):
    """A crawl that a limit stopped, and its resume: what each said, and the stats.json that each left."""

    first: subprocess.CompletedProcess[str]
    first_stats: dict[str, Any]
    second: subprocess.CompletedProcess[str]
    stats: dict[str, Any]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    """A site of some pages, crawled in two sessions."""
    run = tmp_path_factory.mktemp("stats") / "run"
    html = {"Content-Type": "text/html"}
    links = b"".join(b"<a href=/%d>x</a>" % number for number in range(1, PAGES))
    routes: Routes = {f"/{number}": (200, html, b"<title>x</title>text") for number in range(1, PAGES)}
    with serve(routes | {"/": (200, html, links)}) as (site, _):
        first = run_cli("crawl", site, *QUICK, "--max-pages", 2, "--run", run, "--parse-workers", 1)
        first_stats = json.loads((run / "stats.json").read_bytes())
        second = run_cli("resume", run, "--max-pages", 0)
    return Sessions(first, first_stats, second, json.loads((run / "stats.json").read_bytes()))


def test_the_summary_says_where_the_time_went_and_what_bound_the_crawl(sessions: Sessions) -> None:
    """On lines that fit a terminal of eighty columns, paths aside."""
    lines = sessions.first.stderr.splitlines()
    for label in ("waiting", "computing", "bottleneck"):
        assert any(line.startswith(f"  {label} ") for line in lines), sessions.first.stderr
    assert all(len(line) <= 80 for line in lines if "/" not in line)


def test_the_keys_of_stats_json_are_those_that_programs_know(sessions: Sessions) -> None:
    """None is renamed or moved, whatever moves in the code."""
    known = (
        "why error strategy parse parser concurrency elapsed_s pages pages_per_s outcomes reasons statuses requests"
        " retries robots sitemaps wire_bytes links urls_discovered fetch_s first_byte_s parse_cpu_s main_cpu_s"
        " effective_concurrency outside outside_by_reason merged extract_errors notes stages timeline verdict hosts"
        " traps commits commit_cpu_s commit_s sessions run_pages times_s limits_reached"
    )
    assert list(sessions.stats) == known.split()
    assert list(sessions.stats["verdict"]) == ["bound_by", "host", "sentence", "advice", "shares"]
    assert list(sessions.stats["sessions"][0]) == [
        *("started_at", "elapsed_s", "pages", "why", "pages_per_s", "wire_bytes")
    ]
    row = "host requests pages failures bytes fetch_s first_byte_s politeness_s delay_s"
    assert list(sessions.stats["hosts"][0]) == row.split()
    assert list(sessions.stats["stages"]["parse"]) == "count total_s max_s p50_s p90_s p99_s buckets".split()


def test_every_stage_of_every_page_is_counted(sessions: Sessions) -> None:
    """A page is handed out, answered, parsed and committed once."""
    stages = sessions.first_stats["stages"]
    assert list(stages) == list(STAGES)
    for name in ("queue", "politeness", "parse", "serialise", "commit"):
        assert stages[name]["count"] == 2, name
    assert stages["connect"]["count"] == stages["first_byte"]["count"] == sessions.first_stats["requests"]
    assert stages["tls"]["count"] == stages["extract"]["count"] == 0
    for name, stage in stages.items():
        assert sum(count for _, count in stage["buckets"]) == stage["count"], name
        assert stage["p50_s"] <= stage["p90_s"] <= stage["p99_s"] <= stage["max_s"], name


def test_the_timeline_ends_with_what_the_figures_say(sessions: Sessions) -> None:
    """Its last row is of the end."""
    timeline = sessions.stats["timeline"]
    assert timeline["columns"] == list(COLUMNS)
    last = dict(zip(timeline["columns"], timeline["rows"][-1], strict=True))
    assert (last["pages"], last["requests"]) == (sessions.stats["pages"], sessions.stats["requests"])
    assert (last["urls_known"], last["pending"], last["in_flight"]) == (PAGES, 0, 0)


def test_the_time_by_the_clock_adds_up_to_that_since_the_first_request(sessions: Sessions) -> None:
    """Nothing counts twice, and nothing is left out."""
    for stats in (sessions.first_stats, sessions.stats):
        assert list(stats["times_s"]) == list(TIMES)
        assert sum(stats["times_s"].values()) == pytest.approx(
            stats["pages"] / stats["pages_per_s"], rel=0.01, abs=0.01
        )


def test_hosts_are_told_with_what_they_cost(sessions: Sessions) -> None:
    """The one there is has all pages."""
    (host,) = sessions.stats["hosts"]
    assert host["pages"] == sessions.stats["pages"]
    assert host["requests"] == sessions.stats["requests"]
    assert host["delay_s"] == 0


def test_a_resumed_run_keeps_the_sessions_before(sessions: Sessions) -> None:
    """In order; all figures else are those of the last one."""
    assert [each["why"] for each in sessions.first_stats["sessions"]] == ["max_pages"]
    told = sessions.stats["sessions"]
    assert [(each["pages"], each["why"]) for each in told] == [(2, "max_pages"), (PAGES - 2, "finished")]
    assert told[0] == sessions.first_stats["sessions"][0]
    assert told[0]["started_at"] <= told[1]["started_at"]


def test_rows_of_earlier_sessions_stay_as_another_version_wrote_them(tmp_path: Path) -> None:
    """Keys that this version does not know are carried on, and those that it misses are not made up."""
    html = {"Content-Type": "text/html"}
    earlier = [{"pages": 1, "mood": "fine"}, {"why": "stopped"}]
    with serve({"/": (200, html, b"<a href=/1>x</a>"), "/1": (200, html, b"text")}) as (site, _):
        run = tmp_path / "run"
        assert run_cli("crawl", site, *QUICK, "--max-pages", 1, "--run", run).returncode == 0
        stats = json.loads((run / "stats.json").read_bytes())
        (run / "stats.json").write_text(json.dumps({**stats, "sessions": earlier, "of_tomorrow": 7}))
        assert run_cli("resume", run, "--max-pages", 0).returncode == 0
    sessions = json.loads((run / "stats.json").read_bytes())["sessions"]
    assert sessions[:-1] == earlier
    assert sessions[-1]["pages"] == 1

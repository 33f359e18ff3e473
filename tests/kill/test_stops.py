"""Every stop leaves a run that goes on: signals, a second process, pages that kill."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from tests.integration.conftest import LAB_OPTIONS, read_records
from tests.kill.campaign import OPTIONS, Bench, assert_goes_on
from tests.kill.session import FAST, SESSION_LIMIT_S, Session, assert_refused, look, run_session
from tests.kill.site import Site, serving

SLOW = ["--delay", "0.2"]  # a crawl that does not end before it is stopped
HAMMERING_S = 0.05  # between two signals


@contextmanager
def under_way(bench: Bench, run: Path) -> Iterator[Session]:
    """A slow crawl that has committed its first record."""
    arguments = ["crawl", *bench.seeds, *OPTIONS, *SLOW, "--run", run, "-o", "-"]
    with Session(*arguments, output=subprocess.PIPE) as session:
        assert session.process.stdout is not None
        session.process.stdout.readline()
        yield session


# Signals


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 3), (signal.SIGTERM, 3), (signal.SIGHUP, None)])
def test_one_signal_leaves_a_run_that_goes_on(
    number: signal.Signals, status: int | None, bench: Bench, tmp_path: Path
) -> None:
    """After SIGINT and SIGTERM, which end a crawl in order, nothing is asked for twice."""
    # scenario 102
    before = bench.requests()
    with under_way(bench, tmp_path / "run") as session:
        session.send(number)
        ended = session.wait()
    assert ended.status == status or (status is None and ended.status in (3, -number)), ended
    assert_goes_on(bench, tmp_path / "run")
    if status is not None:
        assert set((bench.requests() - before).values()) == {1}


def test_ctrl_c_again_and_again_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    """The second SIGINT does not wait for an answer that would never come, and no further one does harm."""
    # scenario 102
    with serving(Site({"/": [], "/never": []}, holds=("/never",))) as site:
        run = tmp_path / "run"
        seeds = [site.url("/"), site.url("/never")]
        with Session("crawl", *seeds, *OPTIONS, "--run", run) as session:
            site.wait_for("/never")
            for _ in range(int(SESSION_LIMIT_S / HAMMERING_S)):
                if session.process.poll() is not None:
                    break
                session.send(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    session.process.wait(HAMMERING_S)
            ended = session.wait()
        assert ended.status in (3, -signal.SIGINT), ended  # the interpreter's own end can be interrupted, too
        assert look(run).faults == []
        assert look(run).outcomes[site.url("/never")] == "pending"
        site.holds = ()
        ended = run_session("resume", run, *FAST)
        assert ended.status == 0, ended.said
    assert {record["url"]: record["outcome"] for record in read_records(run)} == dict.fromkeys(seeds, "ok")


def test_a_host_is_left_alone_for_one_gap_across_a_kill(bench: Bench, tmp_path: Path) -> None:
    """The delay between two requests to a host holds between the sessions of a run, too."""
    # scenario 116
    delay_s = 0.4
    before = {host: len(starts) for host, starts in bench.lab.counts().starts.items()}
    options = [*LAB_OPTIONS, "--delay", delay_s, "--quiet", "--run", tmp_path / "run", "--max-depth", 1, "-o", "-"]
    with Session("crawl", *bench.seeds[:2], *options, output=subprocess.PIPE) as session:
        assert session.process.stdout is not None
        for _ in range(4):
            session.process.stdout.readline()
        session.kill_after(0)
    assert run_session("resume", tmp_path / "run", "--quiet", "--max-pages", 12).status == 0
    gaps = [
        later - earlier
        for host, starts in bench.lab.counts().starts.items()
        for earlier, later in pairwise(starts[before[host] :])
    ]
    assert len(gaps) > 8
    assert min(gaps) > 0.9 * delay_s


def test_a_second_process_is_refused_while_the_first_runs(bench: Bench, tmp_path: Path) -> None:
    """Neither `resume` nor `crawl` touches a run that is being crawled."""
    # scenario 107
    run = tmp_path / "run"
    with under_way(bench, run) as session:
        assert_refused(run_session("resume", run, *FAST), str(run), "another process")
        assert_refused(run_session("crawl", *bench.seeds, *OPTIONS, "--run", run), str(run), "already holds a run")
        assert session.process.poll() is None
        session.kill_after(0)
    assert_goes_on(bench, run)


# Pages that kill

GOOD = ("/one", "/two", "/three")


def test_a_page_that_kills_the_crawler_each_time_is_quarantined_and_a_slow_one_beside_it_is_not(tmp_path: Path) -> None:
    """It is alone when the process dies for the last time; whatever was under way with it before is crawled."""
    # scenario 109
    pages: dict[str, list[str]] = {"/": ["/slow", "/deadly", *GOOD], "/slow": [], "/deadly": []}
    run = tmp_path / "run"
    with serving(Site(pages | {path: [] for path in GOOD}, slow=("/slow",), follows={"/deadly": "/slow"})) as site:
        point = "page", site.url("/deadly")
        ended = run_session("crawl", site.url("/"), *OPTIONS, "--parse", "inline", "--run", run, point=point)
        deaths = 0
        while ended.was_killed and deaths < 10:
            deaths += 1
            assert look(run).faults == []
            ended = run_session("resume", run, *FAST, point=point)
        assert ended.status == 0, ended.said
        outcomes = {record["url"].removeprefix(site.url("")): record["outcome"] for record in read_records(run)}
    assert site.requests["/slow"] >= deaths - 1  # it was under way each time but the last
    assert outcomes == {"/": "ok", "/slow": "ok", "/deadly": "quarantined", **dict.fromkeys(GOOD, "ok")}
    assert 3 <= deaths <= 5
    assert look(run).faults == []


def test_a_page_that_ran_alone_and_was_finished_is_not_blamed_for_a_later_death(tmp_path: Path) -> None:
    """It was under way at three kills, so it runs alone; the fourth kill comes when it waits for its commit."""
    # scenario 109
    run = tmp_path / "run"
    with serving(Site({"/": ["/slow"], "/slow": []}, holds=("/slow",))) as site:
        arguments: tuple[object, ...] = ("crawl", site.url("/"), *OPTIONS, "--run", run)
        for _ in range(3):
            with Session(*arguments) as session:
                site.wait_for("/slow")
                assert session.kill_after(0).was_killed
            arguments = ("resume", run, *FAST)
        site.holds = ()
        site.is_over.set()
        # The first commit of a session is that of the seeds.
        assert run_session(*arguments, point=("gathered", 2)).was_killed
        assert look(run).outcomes[site.url("/slow")] == "pending"
        assert run_session(*arguments).status == 0
    assert {record["outcome"] for record in read_records(run)} == {"ok"}

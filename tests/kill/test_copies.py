"""Copies of a run that was killed: with less of its state on the disk, resumed twice, opened by another version."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from crawler.export.formats import FORMATS
from crawler.run.verify import verify
from tests.integration.conftest import VOLATILE, read_records, run_cli
from tests.kill.campaign import OPTIONS, Bench
from tests.kill.session import FAST, assert_refused, run_session

WAL = "state.sqlite-wal"


@pytest.fixture(scope="module")
def killed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed after some commits, with all that it left."""
    run = tmp_path_factory.mktemp("killed") / "run"
    assert run_session("crawl", *bench.seeds, *OPTIONS, "--run", run, point=("heard", 8)).was_killed
    return run


@contextmanager
def copy_of(run: Path, folder: Path) -> Iterator[Path]:
    """A copy that is thrown away afterwards."""
    copy = Path(shutil.copytree(run, folder / "copy"))
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


def commits_in(run: Path) -> int:
    with closing(sqlite3.connect(run / "state.sqlite")) as db:
        (count,) = db.execute("SELECT count(*) FROM batches").fetchone()
    return int(count)


def test_state_that_the_power_took_with_it_is_done_again(bench: Bench, killed: Path, tmp_path: Path) -> None:
    """The log of the state is not waited for, so its end may be missing, anywhere; the journal before it is there.

    The run is then an earlier one, whole and sound, and ends as if nothing had been.
    """
    # scenario 104
    size = (killed / WAL).stat().st_size
    with copy_of(killed, tmp_path) as whole:
        all_commits = commits_in(whole)
    left: list[int] = []
    for part in range(12, 21):
        with copy_of(killed, tmp_path) as run:
            with (run / WAL).open("r+b") as file:
                file.truncate(size * part // 20 + part % 3)
            (run / "state.sqlite-shm").unlink()
            assert verify(run) == []
            left.append(commits_in(run))
            if part in (12, 17):
                ended = run_session("resume", run, *FAST)
                assert ended.status == 0, ended.said
                assert bench.differences(run) == []
                assert verify(run) == []
    assert left == sorted(left)
    assert left[0] < left[-1] == all_commits


def test_a_snapshot_may_be_resumed_as_often_as_one_likes(bench: Bench, killed: Path, tmp_path: Path) -> None:
    """Each copy goes its own way to the same end, and nothing of it is outside of its folder."""
    # scenario 108
    before = {path.name: path.read_bytes() for path in killed.iterdir()}
    ends = []
    for name in ("first", "second"):
        run = Path(shutil.copytree(killed, tmp_path / name))
        assert run_session("resume", run, *FAST).status == 0
        assert bench.differences(run) == []
        stable = [{k: v for k, v in record.items() if k not in VOLATILE} for record in read_records(run)]
        ends.append(sorted(stable, key=lambda record: str(record["url"])))
    assert ends[0] == ends[1]
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == before


def test_a_run_of_another_version_is_refused_and_left_as_it_is(killed: Path, tmp_path: Path) -> None:
    # scenario 107
    with copy_of(killed, tmp_path) as run:
        with closing(sqlite3.connect(run / "state.sqlite")) as db:
            db.execute("PRAGMA user_version = 99")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        state = (run / "state.sqlite").read_bytes()
        ended = run_session("resume", run, *FAST)
        assert_refused(ended, "99", "state.sqlite")
        assert ended.status == 3
        assert (run / "state.sqlite").read_bytes() == state


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], check=False).returncode:
        pytest.skip("this system does not let root mount a tmpfs")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_run_on_a_read_only_file_system_is_refused_and_goes_on_elsewhere(
    bench: Bench, killed: Path, small_disk: Path, tmp_path: Path
) -> None:
    """EROFS: one sentence, status 3; the records can be exported, and a copy of the run goes on."""
    # scenario 101
    run = Path(shutil.copytree(killed, small_disk / "run"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert_refused(run_session("resume", run, *FAST), str(run))
    assert run_session("resume", run, *FAST).status == 3
    exported = run_cli("export", run, tmp_path / "out.jsonl")
    assert exported.returncode == 0, exported.stderr
    assert run_cli("export", run, small_disk / "out.jsonl").returncode == 2
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    assert run_session("resume", copy, *FAST).status == 0
    assert bench.differences(copy) == []


def test_changed_settings_count_for_the_session_that_has_them(bench: Bench, killed: Path, tmp_path: Path) -> None:
    """What a resume is told is not written into the run, and settings that cannot be are refused before anything."""
    # scenario 107
    with copy_of(killed, tmp_path) as run:
        settings = (run / "run.toml").read_bytes()
        assert_refused(run_session("resume", run, "--delay", "-1"))
        assert_refused(run_session("resume", run, "--no-such-option"))
        ended = run_session("resume", run, *FAST, "--strategy", "threads", "--parse", "inline")
        assert ended.status == 0, ended.said
        assert bench.differences(run) == []
        assert (run / "run.toml").read_bytes() == settings


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix in (".jsonl", ".csv")])
def test_each_url_stands_in_each_format_once_after_a_kill(
    suffix: str, bench: Bench, killed: Path, tmp_path: Path
) -> None:
    # scenarios 90, 103
    with copy_of(killed, tmp_path) as run:
        out = tmp_path / f"out{suffix}"
        assert run_session("resume", run, *FAST, "-o", out).status == 0
        text = out.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.split("\n")[:-1]] if suffix == ".jsonl" else None
        with out.open(encoding="utf-8", newline="") as file:
            rows = lines or list(csv.DictReader(file))
        urls = [row["url"] for row in rows]
        assert sorted(urls) == sorted(bench.truth)
        assert run_cli("export", run, tmp_path / f"again{suffix}").returncode == 0
    assert (tmp_path / f"again{suffix}").read_bytes() == out.read_bytes()

"""A full disk stops a crawl that goes on later; a damaged run is refused in a sentence and left as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from crawler.commands.exit import Exit
from tests.kill.campaign import OPTIONS, Bench, assert_goes_on
from tests.kill.session import FAST, assert_refused, look, run_session

KIB = 1024
MIB = 1024 * KIB
ROOM = 900 * KIB  # for a file that would grow longer


# Full disks


def test_a_file_that_may_not_grow_stops_the_crawl_and_it_goes_on_later(bench: Bench, tmp_path: Path) -> None:
    """EFBIG is told like a full disk: status 3, a sentence, nothing torn."""
    # scenario 101
    run = tmp_path / "run"
    assert_refused(run_session("crawl", *bench.seeds, *OPTIONS, "--run", run, point=("room", ROOM)))
    assert look(run).recorded
    assert_goes_on(bench, run)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for part of a run."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk; RLIMIT_FSIZE is tested in its place")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={2 * MIB}", "tmpfs", place], check=False).returncode:
        pytest.skip("this system does not let root mount a tmpfs; RLIMIT_FSIZE is tested in its place")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_stops_the_crawl_and_it_goes_on_when_there_is_room(bench: Bench, small_disk: Path) -> None:
    """ENOSPC: status 3, a sentence, nothing torn; a resume on a disk that still is full is no worse."""
    # scenario 101
    run = small_disk / "run"
    ended = run_session("crawl", *bench.seeds, *OPTIONS, "--run", run)
    assert_refused(ended)
    assert "disk is full" in ended.said or "No space left" in ended.said
    left = look(run)
    assert left.faults == []
    assert left.recorded
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4 * KIB)):
            pass
    assert_refused(run_session("resume", run, *FAST))
    assert look(run).faults == []
    assert set(look(run).recorded) >= set(left.recorded)
    ballast.unlink()
    subprocess.run(["mount", "-o", f"remount,size={64 * MIB}", small_disk], check=True)
    assert_goes_on(bench, run)


# Damage


@pytest.fixture(scope="module")
def killed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed after a commit, its state in one file."""
    run = tmp_path_factory.mktemp("killed") / "run"
    ended = run_session("crawl", *bench.seeds, *OPTIONS, "--run", run, point=("heard", 5))
    assert ended.was_killed
    with closing(sqlite3.connect(run / "state.sqlite")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return run


def zero(state: Path, table: str) -> None:
    """Fill the first page of a table with zeros."""
    with closing(sqlite3.connect(state)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with state.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))


def cut(path: Path, share: float) -> None:
    """Cut a file to a share of its length."""
    os.truncate(path, int(path.stat().st_size * share))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put other bytes into a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


STATE, JOURNAL = "state.sqlite", "records.jsonl"
# what is wrong → the file that a sentence has to name, how it comes about
DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "its header is zero": (STATE, lambda run: overwrite(run / STATE, 0, bytes(100))),
    **{
        f"its table {table} is zero": (STATE, lambda run, table=table: zero(run / STATE, table))  # type: ignore[misc]
        for table in ("meta", "counts", "hosts", "urls", "details", "pending", "outputs", "batches")
    },
    "it is cut in half": (STATE, lambda run: cut(run / STATE, 0.5)),
    "it is empty": (STATE, lambda run: cut(run / STATE, 0)),
    "it is missing": (STATE, lambda run: (run / STATE).unlink()),
    "it is something else": (STATE, lambda run: (run / STATE).write_bytes(b"something else\n" * 999)),
    "the journal is shorter": (JOURNAL, lambda run: cut(run / JOURNAL, 0.9)),
    "the journal is missing": (JOURNAL, lambda run: (run / JOURNAL).unlink()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_refused_and_left_as_it_is_until_it_is_repaired(
    damage: str, bench: Bench, killed: Path, tmp_path: Path
) -> None:
    """Never a fresh start: one sentence that names the file, status 5, and the records stay; they make a new state."""
    # scenario 105
    run = Path(shutil.copytree(killed, tmp_path / "run"))
    name, make = DAMAGES[damage]
    make(run)
    before = {each: (run / each).read_bytes() for each in ("run.toml", JOURNAL) if (run / each).exists()}
    ended = run_session("resume", run, *FAST)
    assert_refused(ended, name)
    assert ended.status == Exit.DAMAGED
    assert "verify" in ended.said or "export" in ended.said
    for each, data in before.items():
        assert (run / each).read_bytes() == data, each
    repaired = run_session("verify", run, "--repair")
    if name == JOURNAL:
        assert_refused(repaired, JOURNAL)
        assert repaired.status == Exit.DAMAGED
        return
    assert repaired.status == 0, repaired
    assert (run / "state.damaged.sqlite").exists() == (damage != "it is missing")
    assert_goes_on(bench, run)


def test_a_lost_write_ahead_log_makes_no_record_wrong(bench: Bench, tmp_path: Path) -> None:
    """What only stood in state.sqlite-wal is done again, or the run is refused and its records stay."""
    # scenario 105
    run = tmp_path / "run"
    assert run_session("crawl", *bench.seeds, *OPTIONS, "--run", run, point=("heard", 5)).was_killed
    (run / "state.sqlite-wal").unlink()
    (run / "state.sqlite-shm").unlink()
    records = (run / JOURNAL).read_bytes()
    ended = run_session("resume", run, *FAST)
    if ended.status == 0:
        assert look(run).faults == []
        assert bench.differences(run) == []
    else:
        assert_refused(ended, STATE)
        assert (run / JOURNAL).read_bytes() == records

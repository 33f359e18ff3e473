"""A state of an earlier format: read as it is, migrated when its run goes on, with a copy kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import RunError
from crawler.models import OUTCOMES
from crawler.store.base import ALL_SHARDS, Done, Found, HostState, States
from crawler.store.checks import StateChecks
from crawler.store.faults import Faults
from crawler.store.rewind import Rewind
from crawler.store.snapshot import SqliteSnapshot
from crawler.store.sqlite import SqliteStore

from .conftest import found, link
from .formats import as_format

A, B = "http://a.example/", "http://[::1]:8000/"


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A state of format 2: a seed that redirected to another host, and a host that is an IPv6 address."""
    path = tmp_path / "state.sqlite"
    store = SqliteStore(path, is_new=True)
    store.begin_session()
    (seed, _) = store.commit([], [found(A, B, are_seeds=True)])
    target = Found([link("http://b.example/")], 0, A, (A,), are_seeds=True)
    store.commit([Done(seed, "redirect", "301", found=target)], [], (), States(reading=["http://a.example"]))
    store.close(is_clean=False)
    as_format(path, 2)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE hosts SET shard = 0 WHERE key LIKE '[%'")
        db.commit()
    return path


def test_readers_read_it_and_leave_it_as_it_is(old: Path) -> None:
    with SqliteSnapshot(old) as snapshot:
        assert [(each.url, each.outcome) for each in snapshot.known()] == [
            (A, "redirect"),
            (B, "pending"),
            ("http://b.example/", "pending"),
        ]
    assert version(old) == 2
    assert sorted(each.name for each in old.parent.iterdir() if each.suffix == ".sqlite") == ["state.sqlite"]


def test_a_run_that_goes_on_has_it_migrated_and_keeps_a_copy(old: Path) -> None:
    store = SqliteStore(old, is_new=False)
    assert store.begin_session() is False
    territory = store.take_over(ALL_SHARDS, 3)
    assert list(territory.aliases) == [(A, "b.example")]
    assert [(each.key, each.gap_s) for each in territory.hosts] == [("[::1]:8000", None), ("b.example", None)]
    assert list(territory.reading) == ["http://a.example"]
    store.close(is_clean=True)
    assert version(old) == 4
    copy = old.with_name("state.format-2.sqlite")
    assert version(copy) == 2
    with SqliteSnapshot(old) as now, SqliteSnapshot(copy) as before:
        assert list(now.known()) == list(before.known())


@pytest.mark.parametrize("number", [2, 3])
def test_a_migrated_state_is_as_good_as_a_new_one(tmp_path: Path, number: int) -> None:
    path = tmp_path / "state.sqlite"
    store = SqliteStore(path, is_new=True)
    store.begin_session()
    (seed, other) = store.commit([], [found(A, B, are_seeds=True)])
    store.commit([Done(seed, "ok")], [], (), States([HostState("[::1]:8000", 5.0, 2.5)], aliases=[(A, "b.example")]))
    store.keep_traps([("a.example", "/x", "{}")])
    store.charge([other.seq])
    store.close(is_clean=False)
    as_format(path, number)
    store = SqliteStore(path, is_new=False)
    store.begin_session()
    territory = store.take_over(ALL_SHARDS, 1)
    assert [each.url for each in territory.suspects] == [B]
    assert list(territory.traps) == [("a.example", "/x", "{}")]
    assert list(territory.aliases) == ([(A, "b.example")] if number > 2 else [])
    store.close(is_clean=True)
    faults = Faults()
    with StateChecks(path, faults) as checks:
        for check in (checks.open, checks.check_file, checks.check_rows, checks.check_counts, checks.check_pending):
            assert checks.passes(check)
    assert faults.sentences() == []


def test_the_copy_of_a_migration_that_came_to_nothing_is_made_anew(old: Path) -> None:
    old.with_name("state.format-2.sqlite").write_bytes(b"torn")
    old.with_name("state.format-2.sqlite.part").write_bytes(b"torn")
    SqliteStore(old, is_new=False).close(is_clean=True)
    assert version(old.with_name("state.format-2.sqlite")) == 2
    assert not old.with_name("state.format-2.sqlite.part").exists()


def test_a_run_that_is_parsed_again_begins_with_a_state_of_today(old: Path) -> None:
    path = old.with_name("again.sqlite")
    with SqliteSnapshot(old) as snapshot:
        rewind = Rewind(snapshot, path)
        rewind.finish(())
        rewind.close()
    assert version(path) == 4
    assert version(old) == 2


def test_damage_is_told_and_nothing_is_changed(old: Path) -> None:
    with closing(sqlite3.connect(old)) as db:
        db.execute("UPDATE details SET chain = 'no list' WHERE chain IS NOT NULL")
        db.commit()
    with pytest.raises(RunError, match=r"state\.sqlite is damaged \(a URL that was redirected cannot be read"):
        SqliteStore(old, is_new=False)
    assert version(old) == 2


@pytest.mark.parametrize("number", [1, 5])
def test_another_format_is_refused_and_left_as_it_is(old: Path, number: int) -> None:
    with closing(sqlite3.connect(old)) as db:
        db.execute(f"PRAGMA user_version = {number}")
    for read in (lambda: SqliteStore(old, is_new=False), lambda: SqliteSnapshot(old)):
        with pytest.raises(RunError, match=rf"has the format {number}, this crawler reads 2 and 3 and 4"):
            read()
    assert version(old) == number


def test_the_numbers_of_outcomes_are_those_in_the_files_of_runs() -> None:
    """A new outcome comes behind these."""
    assert OUTCOMES[:7] == ("ok", "http_error", "redirect", "failed", "skipped", "quarantined", "pending")

"""A run's state as it stood at one moment, read beside whoever may be writing it, and never changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from crawler.errors import RunError
from crawler.store.sqlite_file import damaged

CACHE_KIB = 64 * 1024


def scratch() -> sqlite3.Connection:
    """A private database that lives in a temporary file and is gone when it is closed."""
    db = sqlite3.connect("", isolation_level=None, uri=True)
    db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return db


def attach(db: sqlite3.Connection, state: Path) -> None:
    """Attach a run's state to a scratch database, as `state`, in a read transaction that sees one moment of it.

    Args:
        db: From `scratch`.
        state: The run's state file.

    Raises:
        sqlite3.DatabaseError: If it is missing, damaged, or may not be read; nothing is attached then.
    """
    address = f"{state.resolve().as_uri()}?mode=ro"
    try:
        _attach(db, address)
    except sqlite3.OperationalError as error:
        # SQLite wants to make its shared memory beside the file. Where nobody may, nobody is writing it either.
        if error.sqlite_errorname != "SQLITE_READONLY_DIRECTORY":
            raise
        _attach(db, f"{address}&immutable=1")
    except UnicodeDecodeError:  # of SQLite's own message, in which it names the table that it cannot make out
        raise sqlite3.DatabaseError("malformed database schema") from None


def _attach(db: sqlite3.Connection, address: str) -> None:
    db.execute("ATTACH ? AS state", (address,))
    try:
        db.execute(f"PRAGMA state.cache_size = -{CACHE_KIB}")
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM state.sqlite_schema").fetchone()  # the moment is that of the first read
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        if db.in_transaction:
            db.execute("ROLLBACK")
        with suppress(sqlite3.DatabaseError):
            db.execute("DETACH state")
        raise


def committed_length(state: Path, name: str) -> int:
    """How much of an output is committed, in bytes, asked beside whoever may be writing.

    Args:
        state: The run's state file.
        name: The output's file name.

    Raises:
        RunError: If the state is missing or damaged.
    """
    rows = _rows(state, "SELECT length FROM state.outputs WHERE name = ?", name)
    return int(rows[0][0]) if rows else 0


def committed_batches(state: Path, name: str) -> list[tuple[int, int, int]]:
    """What each commit appended to an output: where it begins and how long it is, bytes, and its CRC-32.

    Args:
        state: The run's state file.
        name: The output's file name.

    Raises:
        RunError: If the state is missing or damaged.
    """
    return _rows(state, "SELECT offset, length, crc32 FROM state.batches WHERE output = ? ORDER BY id", name)


def _rows(state: Path, query: str, *parameters: object) -> list[Any]:
    if not state.is_file():
        raise RunError(f"{state} is missing")
    try:
        with closing(scratch()) as db:
            attach(db, state)
            return db.execute(query, parameters).fetchall()
    except sqlite3.DatabaseError as error:
        raise damaged(state, error) from None

"""The file of a run's state: how it is made and opened."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from crawler.errors import RunError
from crawler.models import OUTCOMES
from crawler.store import checksums
from crawler.store.migration import keep_copy, migrate
from crawler.store.schema import APPLICATION_ID, CACHE_KIB, SCHEMA_VERSION, TABLES, check_version, damaged


def open_file(path: Path, *, is_new: bool) -> sqlite3.Connection:
    """Open a state file.

    Args:
        path: The file.
        is_new: Whether it has to be made; a missing file is an error otherwise.

    Raises:
        RunError: If it is missing, damaged, of another version, or cannot be made.
    """
    if not is_new and not path.is_file():
        raise RunError(
            f"{path} is missing; `crawler verify --repair` makes it anew of the run's records, "
            "`crawler export` still reads them"
        )
    try:
        if is_new:
            _create(path)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        version = check_version(db, path)  # before anything is written, because it may be somebody else's file
        db.execute("PRAGMA journal_mode = WAL")
        # A commit lost with the power only shortens the run: its outputs are cut back to the commit before.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        checksums.teach(db)
        if version < SCHEMA_VERSION:
            keep_copy(db, path, version)
            migrate(db, version)
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from None
    except UnicodeDecodeError:  # of SQLite's own message, in which it names the table that it cannot make out
        raise damaged(path, sqlite3.DatabaseError("malformed database schema")) from None
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}") from None
    return db


def _create(path: Path) -> None:
    """Make an empty state; it has its name only when it is whole, whatever dies meanwhile."""
    if path.exists():
        raise RunError(f"{path} exists already")
    fresh = path.with_name(f"{path.name}.part")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = MEMORY")
        db.executescript(";\n".join(("BEGIN", *TABLES.values())))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("INSERT INTO meta VALUES ('epoch', 0), ('is_clean', 1)")
        db.executemany("INSERT INTO counts VALUES (?, 0)", ((number,) for number in range(len(OUTCOMES))))
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")  # now, because a file that dies while it changes cannot be read beside
    fresh.replace(path)

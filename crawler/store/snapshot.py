"""A run's state as it stood at one moment, read beside whoever may be writing it, and never changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from crawler.errors import RunError
from crawler.models import OUTCOMES, Outcome
from crawler.store.base import Known, Output
from crawler.store.schema import check_version, damaged

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


class SqliteSnapshot:
    """See `Snapshot`; of a state of this or an earlier format.

    Args:
        path: The state's file.

    Raises:
        RunError: If it is missing, damaged, or of a format that this version does not know.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise RunError(f"{path} is missing; `crawler export` still reads the run's records")
        if not path.stat().st_size:
            raise damaged(path, sqlite3.DatabaseError("it is empty"))
        self.db = scratch()
        try:
            attach(self.db, path)
            self.version = check_version(self.db, path, "state")
        except sqlite3.DatabaseError as error:
            self.close()
            raise damaged(path, error) from error
        except RunError:
            self.close()
            raise

    def __enter__(self) -> SqliteSnapshot:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the state."""
        self.db.close()

    def _rows(self, query: str, *values: object) -> Iterator[Any]:
        try:
            yield from self.db.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from error

    def outputs(self) -> dict[str, int]:
        """See `Snapshot.outputs`."""
        return dict(self._rows("SELECT name, length FROM state.outputs"))

    def batches(self, name: str) -> Iterator[Output]:
        """See `Snapshot.batches`."""
        query = "SELECT output, offset, length, crc32, records FROM state.batches WHERE output = ? ORDER BY id"
        return (Output(*row) for row in self._rows(query, name))

    def known(self, outcomes: Sequence[Outcome] = ()) -> Iterator[Known]:
        """See `Snapshot.known`."""
        numbers = ",".join(str(OUTCOMES.index(outcome)) for outcome in outcomes)
        return self._known(f"WHERE d.outcome IN ({numbers})" if outcomes else "")

    def seeds(self) -> Iterator[Known]:
        """See `Snapshot.seeds`."""
        return self._known("WHERE d.is_seed")

    def _known(self, chosen: str) -> Iterator[Known]:
        query = f"""
            SELECT d.url, h.key, d.outcome, d.reason, d.attempts, d.chain IS NOT NULL
            FROM state.details d LEFT JOIN state.hosts h ON h.id = d.host {chosen} ORDER BY d.seq
        """
        names = dict(enumerate(OUTCOMES))
        for url, host, number, reason, attempts, is_target in self._rows(query):
            yield Known(url, host or "", names.get(number, "unknown"), reason, attempts, bool(is_target))

    def host_count(self) -> int:
        """See `Snapshot.host_count`."""
        ((count,),) = self._rows("SELECT count(*) FROM state.hosts")
        return int(count)

    def largest_hosts(self, count: int) -> list[str]:
        """See `Snapshot.largest_hosts`."""
        query = """
            SELECT h.key FROM (SELECT host, count(*) AS urls FROM state.urls GROUP BY host) u
            JOIN state.hosts h ON h.id = u.host ORDER BY u.urls DESC, u.host LIMIT ?
        """
        return [key for (key,) in self._rows(query, count)]

    def is_clean(self) -> bool:
        """See `Snapshot.is_clean`."""
        row = next(self._rows("SELECT value FROM state.meta WHERE key = 'is_clean'"), None)
        return row is None or bool(row[0])

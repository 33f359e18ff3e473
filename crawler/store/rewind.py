"""A copy of a run's state in which URLs are pending again that had an outcome; for going through a run once more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from crawler.errors import RunError
from crawler.models import OUTCOMES
from crawler.store import checksums
from crawler.store.base import Output
from crawler.store.migration import migrate
from crawler.store.rows import PENDING, batch_crc
from crawler.store.schema import SCHEMA_VERSION, damaged
from crawler.store.snapshot import SqliteSnapshot


class Rewind:
    """A copy of a state; it has its name when `finish` returns, and leaves nothing behind if that is never called.

    What is pending in the state is left out of the copy, which is about what became of the other URLs.

    Args:
        snapshot: The state as of one moment.
        path: Where the copy goes.

    Raises:
        RunError: If the state is damaged, or the copy cannot be written.
    """

    def __init__(self, snapshot: SqliteSnapshot, path: Path) -> None:
        self._source = snapshot.path
        self._path = path
        self._fresh = path.with_name(f"{path.name}.part")
        self._fresh.unlink(missing_ok=True)
        try:
            self._db = sqlite3.connect(self._fresh, isolation_level=None)
            snapshot.db.backup(self._db, name="state")
            if snapshot.version < SCHEMA_VERSION:
                migrate(self._db, snapshot.version)
            checksums.teach(self._db)
            self._db.execute("PRAGMA journal_mode = MEMORY")
            self._db.execute("CREATE TEMP TABLE again (seq INTEGER PRIMARY KEY)")
            self._db.execute("BEGIN")
        except sqlite3.DatabaseError as error:
            raise self._error(error) from None

    def _error(self, error: sqlite3.DatabaseError) -> RunError:
        """What went wrong: the copy is new, so if it is not the disk's fault, the state was damaged."""
        is_of_disk = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR"))
        return damaged(self._path if is_of_disk else self._source, error)

    def ask_again(self, urls: Iterable[tuple[str, int]]) -> int:
        """Make URLs pending, given by politeness key and fingerprint; returns how many of them the state knows.

        Raises:
            RunError: If the state is damaged or the copy cannot be written.
        """
        query = """
            INSERT OR IGNORE INTO again
            SELECT u.seq FROM hosts h JOIN urls u ON u.host = h.id WHERE h.key = ? AND u.fingerprint = ?
        """
        try:
            return self._db.executemany(query, urls).rowcount
        except sqlite3.DatabaseError as error:
            raise self._error(error) from None

    def finish(self, outputs: Sequence[Output]) -> None:
        """Complete the copy.

        Args:
            outputs: What has been written already of the outputs of the run that begins with it.

        Raises:
            RunError: If it cannot be written.
        """
        try:
            self._forget_pending()
            self._rewind()
            for output in outputs:
                values = (1, output.name, output.offset, output.length, output.crc32, output.records, 0)
                self._db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, batch_crc(*values)))
                self._db.execute("INSERT INTO outputs VALUES (?, ?)", (output.name, output.offset + output.length))
            self._db.execute("COMMIT")
            self._db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as error:
            raise self._error(error) from None
        self._db.close()
        self._fresh.replace(self._path)

    def _forget_pending(self) -> None:
        execute = self._db.execute
        execute(f"DELETE FROM urls WHERE seq IN (SELECT seq FROM details WHERE outcome = {PENDING})")
        execute(f"DELETE FROM details WHERE outcome = {PENDING}")
        execute("DELETE FROM pending")

    def _rewind(self) -> None:
        execute = self._db.execute
        execute(f"""
            UPDATE details SET outcome = {PENDING}, reason = NULL, attempts = max(attempts - 1, 0)
            WHERE seq IN (SELECT seq FROM again)
        """)
        checksums.renew(self._db, "details", "seq IN (SELECT seq FROM again)")
        execute("DELETE FROM crashed")
        execute(f"INSERT INTO pending SELECT host, seq FROM details WHERE outcome = {PENDING} ORDER BY host, seq")
        execute("UPDATE hosts SET next_at = NULL, gap_s = NULL")
        checksums.renew(self._db, "hosts")
        for number in range(len(OUTCOMES)):
            execute(
                "UPDATE counts SET urls = (SELECT count(*) FROM details WHERE outcome = ?1) WHERE outcome = ?1",
                (number,),
            )
        execute("DELETE FROM outputs")
        execute("DELETE FROM batches")
        execute("UPDATE meta SET value = 0 WHERE key = 'epoch'")
        execute("UPDATE meta SET value = 1 WHERE key = 'is_clean'")

    def close(self) -> None:
        """Remove the copy if it is not complete."""
        self._db.close()
        self._fresh.unlink(missing_ok=True)

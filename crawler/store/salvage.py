"""What a damaged state still holds: its rows that are as they were written, one by one where need be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from crawler import urls
from crawler.models import OUTCOMES, Outcome, Request
from crawler.store import checksums, snapshot
from crawler.store.base import HostState, Output, States
from crawler.store.rows import request_of
from crawler.store.schema import APPLICATION_ID, SCHEMA_VERSION

MAX_GAP_ROWS = 100_000  # Where so many rows in a row cannot be read, there are no more.
_DETAILS = """
SELECT url, depth, via, chain, attempts, is_seed, seq, {extra}, outcome, reason FROM state.details
WHERE seq > ? AND {is_intact} ORDER BY seq
"""


class Kept(Struct, frozen=True):
    """A row of `details` that is as it was written.

    Args:
        request: The URL.
        outcome, reason: What became of it.
    """

    request: Request
    outcome: Outcome
    reason: str | None


class Salvage:
    """A damaged state, of which whatever cannot be read or was altered is passed over.

    Args:
        path: The state's file, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self._db = snapshot.scratch()
        checksums.teach(self._db)
        self._version = 0
        try:
            if path.is_file():
                snapshot.attach(self._db, path)
                ((mark,),) = self._db.execute("PRAGMA state.application_id")
                ((version,),) = self._db.execute("PRAGMA state.user_version")
                self._version = version if mark == APPLICATION_ID else 0
        except sqlite3.DatabaseError:
            pass  # then nothing is left of it

    def close(self) -> None:
        """Let go of the state."""
        self._db.close()

    def _rows(self, query: str, *values: object) -> Iterator[Any]:
        """The rows of an answer up to the first that cannot be read."""
        try:
            yield from self._db.execute(query, values)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return

    def _is_intact(self, table: str) -> str:
        if self._version < SCHEMA_VERSION:
            return "1"
        return f"row_crc32 = crc_of({checksums.COLUMNS[table]})"

    def urls(self) -> Iterator[Kept]:
        """The URLs whose rows are intact, in the order of discovery."""
        extra = "extra" if self._version > 2 else "NULL"
        query = _DETAILS.format(extra=extra, is_intact=self._is_intact("details"))
        last = 0
        for row in self._rows(query, 0):
            last = row[6]
            yield from _kept(row)
        end = max((row[0] or 0 for table in ("details", "urls", "pending") for row in self._ends(table)), default=0)
        misses = 0
        for seq in range(last + 1, end + 1):  # what lies behind a row that cannot be read is asked for one by one
            row = next(self._rows(query.replace("seq > ?", "seq = ?"), seq), None)
            misses = misses + 1 if row is None else 0
            if row is not None:
                yield from _kept(row)
            elif misses > MAX_GAP_ROWS:
                return

    def _ends(self, table: str) -> Iterator[Any]:
        return self._rows(f"SELECT max(seq) FROM state.{table}")

    @property
    def is_readable(self) -> bool:
        """Whether anything can be read at all."""
        return self._version > 0

    def fingerprints(self) -> set[int]:
        """The fingerprints of all URLs, as far as they can be read."""
        return {number for (number,) in self._rows("SELECT fingerprint FROM state.urls") if isinstance(number, int)}

    def states(self) -> States:
        """What was kept beside URLs."""
        gap_s = "gap_s" if self._version > 2 else "NULL"
        hosts = self._rows(f"SELECT key, next_at, {gap_s} FROM state.hosts WHERE {self._is_intact('hosts')}")
        reading = self._rows(f"SELECT origin FROM state.reading WHERE {self._is_intact('reading')}")
        aliases = self._rows(f"SELECT site, host FROM state.aliases WHERE {self._is_intact('aliases')}")
        return States(
            hosts=[HostState(*row) for row in hosts if row[1] is not None or row[2] is not None],
            reading=[origin for (origin,) in reading],
            aliases=list(aliases),
        )

    def batches(self, name: str) -> list[Output]:
        """What commits appended to an output, as far as that is known for sure, oldest first."""
        query = "SELECT output, offset, length, crc32, records FROM state.batches WHERE output = ? AND {} ORDER BY id"
        return [Output(*row) for row in self._rows(query.format(self._is_intact("batches")), name)]


def _kept(row: Any) -> Iterator[Kept]:
    """The row of a URL, unless it makes no sense."""
    url, *columns, outcome, reason = row
    try:
        request = request_of(url, urls.host_key(url), *columns)
        yield Kept(request, OUTCOMES[outcome], reason)
    except (ValueError, TypeError, IndexError):
        return

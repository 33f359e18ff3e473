"""Whether a run's state is at one with itself: its URLs, their fingerprints, its queues, hosts and counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crawler import urls
from crawler.errors import RunError
from crawler.log.terminal import printable
from crawler.models import OUTCOMES
from crawler.store import checksums, snapshot
from crawler.store.base import STATE
from crawler.store.batches import Batch
from crawler.store.faults import EXAMPLES, Faults
from crawler.store.rows import PENDING
from crawler.store.schema import APPLICATION_ID, READABLE_VERSIONS, SCHEMA_VERSION, is_whole_schema

DAMAGE = "damage to the state"  # a kind of fault
MAX_URL_CHARS = 200  # A URL in a sentence is cut to this length.

_NUMBERS = {outcome: number for number, outcome in enumerate(OUTCOMES)}
# What was asked for has a record; failed and skipped are given to URLs that never were, too.
_ASKED = ",".join(str(_NUMBERS[outcome]) for outcome in ("ok", "http_error", "redirect", "quarantined"))
_MAYBE = ",".join(str(_NUMBERS[outcome]) for outcome in ("failed", "skipped"))
_IS_DUE = f"outcome IN ({_ASKED}) OR (outcome IN ({_MAYBE}) AND (attempts > 0 OR is_seed))"
# As bytes, because damaged text cannot be decoded; NULL where it is no text at all.
_TEXT_OF_URL = "CASE typeof(url) WHEN 'text' THEN CAST(url AS BLOB) END"
_KNOWN = """
CREATE TABLE known (
    host INTEGER, fingerprint INTEGER, seq INTEGER, outcome INTEGER, is_due INTEGER,
    PRIMARY KEY (host, fingerprint, seq)
) WITHOUT ROWID
"""


class StateChecks:
    """Questions to a state, each row of whose answer is a fault; ask them by `passes`.

    Args:
        path: The state's file, of this or an earlier format.
        faults: Where faults go.
    """

    def __init__(self, path: Path, faults: Faults) -> None:
        self._path = path
        self._db = db = snapshot.scratch()
        self._faults = faults
        self.is_open = False
        self._is_of_today = False  # Whether the state has the format of today.
        self.count = 0  # How many URLs there are, once they were counted.
        db.execute(_KNOWN)
        checksums.teach(db)
        db.create_function("fingerprint_of", 1, _fingerprint, deterministic=True)
        db.create_function("host_of", 1, _host, deterministic=True)

    def __enter__(self) -> StateChecks:
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()

    @property
    def db(self) -> sqlite3.Connection:
        """A scratch database, to which the state is attached as `state` once it is open."""
        return self._db

    def passes(self, check: Callable[[], None]) -> bool:
        """Make a check, and a fault of what cannot be read; returns whether it came to its end.

        Raises:
            RunError: If there is no room for temporary files.
        """
        try:
            check()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":  # the state is only read, so it is not there
                folder = self._path.parent
                raise RunError(f"cannot verify {folder}: the disk has no room for temporary files") from None
            self._faults.add(DAMAGE, f"{STATE} cannot be read: {error}")
            return False
        return True

    def open(self) -> None:
        """Attach the state as of this moment."""
        if not self._path.is_file():
            raise sqlite3.DatabaseError("it is missing")
        snapshot.attach(self._db, self._path)
        ((mark,),) = self._db.execute("PRAGMA state.application_id")
        ((version,),) = self._db.execute("PRAGMA state.user_version")
        if mark != APPLICATION_ID:
            raise sqlite3.DatabaseError("it does not carry the mark of a crawler's state")
        if version not in READABLE_VERSIONS:
            known = " and ".join(map(str, READABLE_VERSIONS))
            raise sqlite3.DatabaseError(f"it has the format {version}, this crawler reads {known}")
        self.is_open, self._is_of_today = True, version == SCHEMA_VERSION

    def outputs(self) -> list[tuple[str, int]]:
        """The outputs by name, with their committed lengths in bytes."""
        rows = self._db.execute("SELECT name, length FROM state.outputs ORDER BY name").fetchall()
        good = [
            row for row in rows if isinstance(row[0], str) and Path(row[0]).name == row[0] and isinstance(row[1], int)
        ]
        for name, length in rows:
            if (name, length) not in good:
                sentence = f"{STATE} names an output {name!r} of {length!r} bytes, which cannot be"
                self._faults.add("outputs", sentence)
        return good

    def batches(self, name: str) -> Iterator[Batch]:
        """What each commit appended to an output."""
        query = "SELECT id, offset, length, crc32, records FROM state.batches WHERE output = ? ORDER BY id"
        for row in self._db.execute(query, (name,)):
            if all(isinstance(value, int) and value >= 0 for value in row):
                yield Batch(*row)
            else:
                self._faults.add("batches", f"{STATE} has a batch of {name} whose numbers cannot be: {row}")

    def sort_details(self) -> None:
        """Sort all URLs in the order of `urls`, so that what follows is merges."""
        self._db.execute(f"""
            INSERT INTO known SELECT host, fingerprint_of({_TEXT_OF_URL}) AS fingerprint, seq, outcome, {_IS_DUE}
            FROM state.details ORDER BY host, fingerprint, seq
        """)

    def check_file(self) -> None:
        """What SQLite itself says of the file, and the rows without which it cannot be opened."""
        for (said,) in self._db.execute(f"PRAGMA state.integrity_check({EXAMPLES})"):
            if said != "ok":
                self._faults.add(DAMAGE, f"{STATE} is damaged: {'; '.join(said.splitlines())}")
        for key in ("epoch", "is_clean"):
            row = self._db.execute("SELECT typeof(value) FROM state.meta WHERE key = ?", (key,)).fetchone()
            if row != ("integer",):
                self._faults.add(DAMAGE, f"{STATE} has no row {key!r} with a number in meta")
        if self._is_of_today:
            schema = self._db.execute("SELECT sql FROM state.sqlite_schema WHERE sql IS NOT NULL")
            if not is_whole_schema(sql for (sql,) in schema):
                self._faults.add(DAMAGE, f"{STATE} does not have the tables that a crawler makes")

    def check_rows(self) -> None:
        """Every row that has a checksum is the one that was written."""
        if not self._is_of_today:
            return
        for table, columns in checksums.COLUMNS.items():
            key = "seq" if table == "details" else "CAST(key AS BLOB)" if table == "hosts" else "NULL"
            self._faults.extend(
                "altered rows",
                self._db.execute(f"SELECT {key} FROM state.{table} WHERE row_crc32 IS NOT crc_of({columns})"),
                lambda key, table=table: f"{STATE}: {self._row(table, key)} is not as it was written",
            )

    def _row(self, table: str, key: object) -> str:
        return self.named(key) if table == "details" else f"a row of {table}{'' if key is None else f' ({short(key)})'}"

    def check_counts(self) -> None:
        """The counts that are kept are those of the URLs."""
        sums = ", ".join(f"coalesce(sum(outcome = {number}), 0)" for number in range(len(OUTCOMES)))
        self.count, *found = self._db.execute(f"SELECT count(*), {sums} FROM state.details").fetchone()
        said = dict(self._db.execute("SELECT outcome, urls FROM state.counts"))
        for number, count in enumerate(found):
            if said.get(number, 0) != count:
                sentence = f"{STATE} counts {said.get(number)} URLs as {OUTCOMES[number]}, but holds {count}"
                self._faults.add("counts", sentence)
        self._faults.extend(
            "outcomes",
            self._db.execute(
                f"SELECT seq, outcome FROM state.details WHERE outcome NOT IN ({','.join(map(str, _NUMBERS.values()))})"
            ),
            lambda seq, outcome: f"{STATE}: {self.named(seq)} has the outcome {outcome!r}, which there is not",
        )

    def check_pending(self) -> None:
        """The queues hold the pending URLs and nothing else; suspects of a crash may be out of theirs."""
        crashed = "EXISTS (SELECT 1 FROM state.crashed c WHERE c.seq = d.seq)" if self._is_of_today else "crashes"
        self._faults.extend(
            "URLs in a wrong queue",
            self._db.execute(f"""
                SELECT p.host, p.seq FROM state.pending p LEFT JOIN state.details d ON d.seq = p.seq
                WHERE d.host IS NOT p.host OR d.outcome IS NOT {PENDING}
            """),
            lambda host, seq: f"{STATE}: {self.named(seq)} is queued for host {host}, but not pending there",
        )
        self._faults.extend(
            "URLs in no queue",
            self._db.execute(f"""
                SELECT seq FROM state.details d WHERE outcome = {PENDING} AND NOT {crashed}
                AND NOT EXISTS (SELECT 1 FROM state.pending p WHERE p.host = d.host AND p.seq = d.seq)
            """),
            lambda seq: f"{STATE}: {self.named(seq)} is pending, but in no queue",
        )

    def check_hosts(self) -> None:
        """Every URL belongs to the host that its row names; the first one of each host stands for all."""
        self._faults.extend(
            "hosts",
            self._db.execute("""
                SELECT k.host, h.key, CAST(d.url AS BLOB) AS url, k.urls
                FROM (SELECT host, min(seq) AS seq, count(*) AS urls FROM known GROUP BY host) k
                JOIN state.details d ON d.seq = k.seq LEFT JOIN state.hosts h ON h.id = k.host
                WHERE h.key IS NOT host_of(CAST(d.url AS BLOB))
            """),
            lambda host, key, url, count: (
                f"{STATE}: host {host} {'has no row' if key is None else f'is named {key!r}'}, "
                f"but has {count} URLs such as {short(url)}"
            ),
        )

    def check_urls(self) -> None:
        """Every URL can be found by its fingerprint, and every fingerprint has its URL."""
        self._faults.extend(
            "URLs that urls does not know",
            self._db.execute("""
                SELECT k.seq FROM known k LEFT JOIN state.urls u ON u.host = k.host AND u.fingerprint = k.fingerprint
                WHERE u.seq IS NOT k.seq
            """),
            lambda seq: f"{STATE}: {self.named(seq)} has no row of its own in urls",
        )
        self._faults.extend(
            "fingerprints without a URL",
            self._db.execute("""
                SELECT u.host, u.fingerprint, u.seq FROM state.urls u LEFT JOIN known k
                ON k.host = u.host AND k.fingerprint = u.fingerprint AND k.seq = u.seq WHERE k.seq IS NULL
            """),
            lambda host, fingerprint, seq: (
                f"{STATE}: urls has the fingerprint {fingerprint} of host {host}, row {seq} of details does not"
            ),
        )

    # For sentences

    def named(self, seq: object) -> str:
        """A URL of the store and its row."""
        row = self._db.execute("SELECT CAST(url AS BLOB) FROM state.details WHERE seq = ?", (seq,)).fetchone()
        return f"row {seq} of details" if row is None else f"{short(row[0])} (row {seq} of details)"


def _text(url: object) -> str:
    """A URL of the store, which damage may have made anything."""
    return url.decode("utf-8", "backslashreplace") if isinstance(url, bytes) else str(url)


def _fingerprint(url: object) -> int:
    return urls.fingerprint(_text(url))


def _host(url: object) -> str | None:
    try:
        return urls.host_key(_text(url))
    except ValueError:
        return None


def short(url: object) -> str:
    """A URL for a sentence."""
    return printable(_text(url), MAX_URL_CHARS)


def outcome_name(number: Any) -> str:
    """The name of an outcome of the store, which damage may have made anything."""
    is_known = isinstance(number, int) and 0 <= number < len(OUTCOMES)
    return OUTCOMES[number] if is_known else repr(number)

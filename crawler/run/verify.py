"""Whether a run keeps its promise: outputs as committed, no URL twice, none lost, the store at one with itself.

Read beside a crawl that goes on: the state is seen as of one moment, outputs up to what was committed by then. Memory
stays flat, however large the run, because what has to be compared is sorted in a temporary database.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler import urls, warc
from crawler.errors import RunError, UsageError
from crawler.models import OUTCOMES, Record
from crawler.run import file_checks
from crawler.settings import file as settings_file
from crawler.store import snapshot
from crawler.store.batches import Batch, Lines, checked_lines, whole_lines
from crawler.store.checks import DAMAGE, MAX_URL_CHARS, STATE, StoreChecks, outcome_name, short
from crawler.store.faults import Faults
from crawler.store.sqlite_file import APPLICATION_ID, SCHEMA_VERSION

MAX_HOST_IDS = 200_000  # kept in memory
JOURNAL = "records.jsonl"
ARCHIVE = "pages.warc.gz"
_NUMBERS = {outcome: number for number, outcome in enumerate(OUTCOMES)}


class Verification(Struct):
    """What a check of a run found.

    Args:
        faults: A sentence each; of each kind at most 20, and one that counts the others.
        records: Whole records in the journal.
        urls: URLs in the store.
    """

    faults: list[str]
    records: int
    urls: int


def verify(folder: Path) -> list[str]:
    """Check a run's folder against what a run promises; returns its faults, a sentence each.

    Args:
        folder: The run's folder; nothing in it is changed.

    Raises:
        RunError: If there is no room for temporary files.
    """
    return examine(folder).faults


def examine(folder: Path) -> Verification:
    """See `verify`; tells as well how much was found."""
    with closing(snapshot.scratch()) as db:
        return _Check(folder, db).findings()


class _Check:
    """One check of one run.

    Args:
        folder: The run's folder.
        db: A scratch database.
    """

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        self._folder = folder
        self._db = db
        self._faults = Faults()
        self._store = StoreChecks(db, self._faults)
        self._has_state = False
        self._keeps_answers = False
        self._records = 0
        self._host_ids: dict[str, int] = {}
        db.execute(
            "CREATE TABLE recorded"
            " (host INTEGER, fingerprint INTEGER, position INTEGER, outcome INTEGER, has_answer INTEGER)"
        )

    def findings(self) -> Verification:
        """Check everything, in an order in which what cannot be read spoils no later check."""
        self._check_settings()
        if self._guarded(self._open_state):
            self._check_with_state()
        else:
            self._guarded(self._check_journal_alone)
        return Verification(self._faults.sentences(), self._records, self._store.count)

    def _check_with_state(self) -> None:
        store = self._store
        self._guarded(store.check_file)
        has_read = self._guarded(self._check_outputs) and self._guarded(self._check_twice)
        has_sorted = self._guarded(store.sort_details)
        self._guarded(store.check_counts)
        self._guarded(store.check_pending)
        if has_sorted:
            self._guarded(store.check_hosts)
            self._guarded(store.check_urls)
        if has_read and has_sorted:
            self._guarded(self._check_records)
            self._guarded(self._check_missing)
        if has_read and self._keeps_answers:
            self._guarded(self._check_archive)

    def _check_journal_alone(self) -> None:
        """Without a state: which records are left."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        self._take_down(whole_lines(self._folder / JOURNAL, self._faults.add))
        self._check_twice()

    def _guarded(self, check: Callable[[], None]) -> bool:
        """Make a fault of what SQLite cannot read; returns whether the check came to its end."""
        try:
            check()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":  # the state is only read, so it is not there
                raise RunError(f"cannot verify {self._folder}: the disk has no room for temporary files") from None
            self._faults.add(DAMAGE, f"{STATE} cannot be read: {error}")
            return False
        return True

    # The files

    def _check_settings(self) -> None:
        try:
            self._keeps_answers = settings_file.load(self._folder / "run.toml", {}).output.warc
        except UsageError as error:
            self._faults.add("settings", str(error))

    def _open_state(self) -> None:
        path = self._folder / STATE
        if not path.is_file():
            raise sqlite3.DatabaseError("it is missing")
        snapshot.attach(self._db, path)
        ((mark,),) = self._db.execute("PRAGMA state.application_id")
        ((version,),) = self._db.execute("PRAGMA state.user_version")
        if mark != APPLICATION_ID:
            raise sqlite3.DatabaseError("it does not carry the mark of a crawler's state")
        if version != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it has the format {version}, this crawler reads {SCHEMA_VERSION}")
        self._has_state = True

    # The outputs

    def _check_outputs(self) -> None:
        """Compare every output with its batches, and take the journal's records down."""
        for name, length in self._db.execute("SELECT name, length FROM state.outputs ORDER BY name").fetchall():
            if not isinstance(name, str) or Path(name).name != name or not isinstance(length, int):
                self._faults.add("outputs", f"{STATE} names an output {name!r} of {length!r} bytes, which cannot be")
                continue
            lines = checked_lines(self._folder / name, length, self._batches(name), self._faults.add)
            if name == JOURNAL:
                self._take_down(lines)
            else:
                deque(lines, maxlen=0)

    def _batches(self, name: str) -> Iterator[Batch]:
        query = "SELECT id, offset, length, crc32, records FROM state.batches WHERE output = ? ORDER BY id"
        for row in self._db.execute(query, (name,)):
            if all(isinstance(value, int) and value >= 0 for value in row):
                number, offset, length, checksum, records = row
                yield Batch(number, offset, length, checksum, records if name == JOURNAL else None)
            else:
                self._faults.add("batches", f"{STATE} has a batch of {name} whose numbers cannot be: {row}")

    def _take_down(self, lines: Lines) -> None:
        """Note of every record where it is and which URL it is about."""
        self._db.executemany("INSERT INTO recorded VALUES (?, ?, ?, ?, ?)", self._rows(lines))

    def _rows(self, lines: Lines) -> Iterator[tuple[int, int, int, int, bool]]:
        decode = msgspec.json.Decoder(Record).decode
        for position, line in lines:
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("it has no end")
                record = decode(line)
                key = urls.host_key(record.url)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                sentence = f"{JOURNAL}: the line at byte {position:,} is no record: {str(error)[:MAX_URL_CHARS]}"
                self._faults.add("lines that are no record", sentence)
            else:
                self._records += 1
                if (fault := file_checks.fault_of(self._folder, record)) is not None:
                    self._faults.add("saved files", fault)
                outcome, has_answer = _NUMBERS[record.outcome], record.status is not None
                yield self._host_id(key), urls.fingerprint(record.url), position, outcome, has_answer

    def _host_id(self, key: str) -> int:
        """The id of a host in the store, 0 if it is unknown there."""
        if not self._has_state:
            return 0
        known = self._host_ids.get(key)
        if known is None:
            if len(self._host_ids) >= MAX_HOST_IDS:
                self._host_ids.clear()
            row = self._db.execute("SELECT id FROM state.hosts WHERE key = ?", (key,)).fetchone()
            known = self._host_ids[key] = row[0] if row else 0
        return known

    # The store and the journal

    def _check_twice(self) -> None:
        """No URL has two records."""
        self._db.execute("CREATE INDEX by_url ON recorded (host, fingerprint, position, outcome)")
        self._faults.extend(
            "URLs with several records",
            self._db.execute("""
                SELECT count(*), min(position), max(position) FROM recorded INDEXED BY by_url
                GROUP BY host, fingerprint HAVING count(*) > 1
            """),
            lambda count, first, last: (
                f"{JOURNAL} has {count} records of {self._url_at(first)}, the first at byte {first:,}, "
                f"the last at byte {last:,}"
            ),
        )

    def _check_records(self) -> None:
        """Every record is about a URL of the store that was asked for, and says the same of it."""
        self._faults.extend(
            "records at odds with the state",
            self._db.execute("""
                SELECT r.position, r.outcome, k.outcome, k.is_due FROM recorded r INDEXED BY by_url
                LEFT JOIN known k ON k.host = r.host AND k.fingerprint = r.fingerprint
                WHERE k.outcome IS NOT r.outcome OR NOT k.is_due
            """),
            self._at_odds,
        )

    def _at_odds(self, position: int, recorded: int, known: int, is_due: int | None) -> str:
        start = f"{JOURNAL}: the record of {self._url_at(position)} at byte {position:,}"
        if is_due is None:
            return f"{start} is of a URL that {STATE} does not know"
        if recorded != known:
            return f"{start} says {OUTCOMES[recorded]}, {STATE} says {outcome_name(known)}"
        return f"{start} is not due: {STATE} says that it was never asked for"

    def _check_missing(self) -> None:
        """Every URL that was asked for has its record."""
        self._faults.extend(
            "URLs without a record",
            self._db.execute("""
                SELECT seq, outcome FROM known k WHERE is_due
                AND NOT EXISTS (SELECT 1 FROM recorded r WHERE r.host = k.host AND r.fingerprint = k.fingerprint)
            """),
            lambda seq, outcome: (
                f"{JOURNAL} has no record of {self._store.named(seq)}, which is {outcome_name(outcome)} in {STATE}"
            ),
        )

    # The answers that were kept

    def _check_archive(self) -> None:
        """Every record of an answer has that answer in the WARC."""
        self._db.execute(
            "CREATE TABLE archived (host INTEGER, fingerprint INTEGER, PRIMARY KEY (host, fingerprint)) WITHOUT ROWID"
        )
        row = self._db.execute("SELECT length FROM state.outputs WHERE name = ?", (ARCHIVE,)).fetchone()
        try:
            self._db.executemany("INSERT OR IGNORE INTO archived VALUES (?, ?)", self._answers(row[0] if row else 0))
        except RunError as error:
            self._faults.add("answers", str(error))
            return
        except OSError:  # told with its batches
            return
        self._faults.extend(
            "records without their answer",
            self._db.execute("""
                SELECT position FROM recorded r WHERE has_answer
                AND NOT EXISTS (SELECT 1 FROM archived a WHERE a.host = r.host AND a.fingerprint = r.fingerprint)
            """),
            lambda position: f"{ARCHIVE} has no answer of {self._url_at(position)}, which has a record",
        )

    def _answers(self, length: int) -> Iterator[tuple[int, int]]:
        for entry in warc.entries(self._folder / ARCHIVE, length) if length else ():
            if entry.is_answer:
                try:
                    yield self._host_id(urls.host_key(entry.url)), urls.fingerprint(entry.url)
                except ValueError:
                    sentence = f"{ARCHIVE}: the answer at byte {entry.offset:,} is of no URL: {short(entry.url)}"
                    self._faults.add("answers", sentence)

    def _url_at(self, position: int) -> str:
        """The URL of a record that was read before, for a sentence."""
        with (self._folder / JOURNAL).open("rb") as file:
            file.seek(position)
            return short(msgspec.json.decode(file.readline(), type=Record).url)


# The command

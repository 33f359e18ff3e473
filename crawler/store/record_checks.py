"""Whether records and answers of a run are those that its state says there are: none twice, none lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from crawler import urls
from crawler.errors import RunError
from crawler.models import OUTCOMES
from crawler.store.base import STATE
from crawler.store.checks import StateChecks, outcome_name
from crawler.store.faults import Faults

MAX_HOST_IDS = 200_000  # ids of hosts that are kept in memory

Recorded = tuple[str, int, int, int, bool]  # host key, fingerprint, byte in the journal, outcome, has an answer


class RecordChecks:
    """Compares the records of a journal, sorted in a scratch database, with the state; ask by `StateChecks.passes`.

    Args:
        state: The checks of the state, which know whether it is open.
        faults: Where faults go.
        journal: The journal's name, for sentences.
        url_at: The URL of the record at a byte of the journal, for sentences.
    """

    def __init__(self, state: StateChecks, faults: Faults, journal: str, url_at: Callable[[int], str]) -> None:
        self._state = state
        self._db = state.db
        self._faults = faults
        self._journal = journal
        self._url_at = url_at
        self._host_ids: dict[str, int] = {}
        self._db.execute(
            "CREATE TABLE recorded"
            " (host INTEGER, fingerprint INTEGER, position INTEGER, outcome INTEGER, has_answer INTEGER)"
        )

    def take_down(self, records: Iterable[Recorded]) -> None:
        """Note of every record where it is and which URL it is about."""
        if not self._db.in_transaction:  # the state, if there is one, is attached in one
            self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO recorded VALUES (?, ?, ?, ?, ?)", ((self._host_id(key), *rest) for key, *rest in records)
        )

    def _host_id(self, key: str) -> int:
        """The id of a host in the state, 0 if it is unknown there."""
        if not self._state.is_open:
            return 0
        known = self._host_ids.get(key)
        if known is None:
            if len(self._host_ids) >= MAX_HOST_IDS:
                self._host_ids.clear()
            row = self._db.execute("SELECT id FROM state.hosts WHERE key = ?", (key,)).fetchone()
            known = self._host_ids[key] = row[0] if row else 0
        return known

    def check_twice(self) -> None:
        """No URL has two records."""
        self._db.execute("CREATE INDEX by_url ON recorded (host, fingerprint, position, outcome)")
        self._faults.extend(
            "URLs with several records",
            self._db.execute("""
                SELECT count(*), min(position), max(position) FROM recorded INDEXED BY by_url
                GROUP BY host, fingerprint HAVING count(*) > 1
            """),
            lambda count, first, last: (
                f"{self._journal} has {count} records of {self._url_at(first)}, the first at byte {first:,}, "
                f"the last at byte {last:,}"
            ),
        )

    def check_records(self) -> None:
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
        start = f"{self._journal}: the record of {self._url_at(position)} at byte {position:,}"
        if is_due is None:
            return f"{start} is of a URL that {STATE} does not know"
        if recorded != known:
            return f"{start} says {OUTCOMES[recorded]}, {STATE} says {outcome_name(known)}"
        return f"{start} is not due: {STATE} says that it was never asked for"

    def check_missing(self) -> None:
        """Every URL that was asked for has its record."""
        self._faults.extend(
            "URLs without a record",
            self._db.execute("""
                SELECT seq, outcome FROM known k WHERE is_due
                AND NOT EXISTS (SELECT 1 FROM recorded r WHERE r.host = k.host AND r.fingerprint = k.fingerprint)
            """),
            lambda seq, outcome: (
                f"{self._journal} has no record of {self._state.named(seq)}, "
                f"which is {outcome_name(outcome)} in {STATE}"
            ),
        )

    def check_answers(self, archive: str, answered: Iterable[str]) -> None:
        """Every record of an answer has it in the archive.

        Args:
            archive: The archive's name, for sentences.
            answered: The URLs whose answers it holds.
        """
        self._db.execute(
            "CREATE TABLE archived (host INTEGER, fingerprint INTEGER, PRIMARY KEY (host, fingerprint)) WITHOUT ROWID"
        )
        try:
            self._db.executemany("INSERT OR IGNORE INTO archived VALUES (?, ?)", self._keys(answered))
        except RunError as error:
            self._faults.add("answers", str(error))
            return
        except OSError:  # The check of its batches has said that it cannot be read.
            return
        self._faults.extend(
            "records without their answer",
            self._db.execute("""
                SELECT position FROM recorded r WHERE has_answer
                AND NOT EXISTS (SELECT 1 FROM archived a WHERE a.host = r.host AND a.fingerprint = r.fingerprint)
            """),
            lambda position: f"{archive} has no answer of {self._url_at(position)}, which has a record",
        )

    def _keys(self, answered: Iterable[str]) -> Iterator[tuple[int, int]]:
        return ((self._host_id(urls.host_key(url)), urls.fingerprint(url)) for url in answered)

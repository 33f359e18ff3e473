"""The store on disk: one SQLite file, one transaction a commit, memory flat however many URLs are known.

Four tables carry it. `urls` answers "seen?" and nothing else: (host, fingerprint) → seq, clustered by host, a few bytes
a row, so that a crawl's working set of it stays in the page cache. `details` has everything about a URL in the order
of discovery. `pending` is the queue of each host, in the same order. `batches` has a row for each commit and output,
by which a journal that is longer than committed is cut back and one that was altered is found.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crawler import urls
from crawler.models import OUTCOMES, Link, Outcome, Pending, Request
from crawler.store.base import NO_STATES, Done, Found, Output, States, Territory, TrapRow
from crawler.store.checksums import crc_as, text_crc
from crawler.store.fingerprints import FingerprintSet
from crawler.store.rows import (
    PENDING,
    batch_crc,
    crc_of_request,
    host_crc,
    novel_request,
    novel_row,
    outcome_row,
    request_of,
)
from crawler.store.schema import damaged
from crawler.store.sqlite_file import open_file

ROWS_PER_INSERT = 500  # SQLite takes 32,766 parameters a statement
RECENT = 50_000  # fingerprints known to be seen that are kept where they are found fastest; 4 MB
MAX_HOST_IDS = 200_000  # ids of hosts that are kept in memory

_REQUEST = (
    "d.url, h.key, d.depth, d.via, d.chain, d.attempts, d.is_seed, d.seq, d.extra, d.host, d.row_crc32"
    " FROM details d JOIN hosts h ON h.id = d.host"
)
# Each host that has pending URLs, found by jumping from host to host in the queues: its first URL, and how many.
_WAITING_HOSTS = """
    WITH RECURSIVE waiting (host) AS (
        SELECT min(host) FROM pending
        UNION ALL SELECT (SELECT min(host) FROM pending WHERE host > waiting.host) FROM waiting
        WHERE waiting.host IS NOT NULL
    )
    SELECT h.key, d.url, h.next_at, (SELECT count(*) FROM pending WHERE host = waiting.host), h.gap_s
    FROM waiting JOIN hosts h ON h.id = waiting.host
    JOIN details d ON d.seq = (SELECT min(seq) FROM pending WHERE host = waiting.host)
    WHERE is_ours(h.shard)
"""


class SqliteStore:
    """A store in a file.

    Args:
        path: The file.
        is_new: Whether it has to be made; a missing file is an error otherwise.

    Raises:
        RunError: If it is missing, damaged, of another version, or cannot be made.
    """

    def __init__(self, path: Path, *, is_new: bool) -> None:
        self.path = path
        self._db = open_file(path, is_new=is_new)
        try:
            self._next_seq = self._one("SELECT coalesce(max(seq), 0) + 1 FROM details")
            self._next_batch = self._one("SELECT coalesce(max(id), 0) + 1 FROM batches")
            self.epoch = self._one("SELECT value FROM meta WHERE key = 'epoch'")
        except sqlite3.DatabaseError as error:
            raise damaged(path, error) from None
        self._host_ids: dict[str, int] = {}
        self._recent: set[int] = set()
        self._seen = FingerprintSet()  # What was seen before the recent ones.

    def _one(self, query: str, *values: object) -> int:
        number: int = next(self._rows(query, values))[0]
        return number

    def _rows(self, query: str, values: Sequence[object] = ()) -> Iterator[Any]:
        """The rows that answer a question; damage is told in a sentence."""
        try:
            yield from self._db.execute(query, values)
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from error

    # The commit

    def commit(
        self,
        done: Sequence[Done],
        found: Sequence[Found],
        outputs: Sequence[Output] = (),
        states: States = NO_STATES,
    ) -> list[Request]:
        """See `Store.commit`."""
        try:
            with self._transaction():
                novel = self._insert([*found, *(each.found for each in done if each.found is not None)])
                self._mark(done)
                self._mark_outputs(outputs)
                self._note(states)
        except BaseException:
            self._recent.clear()  # what was rolled back is not seen
            self._seen = FingerprintSet()
            self._host_ids.clear()
            raise
        return novel

    def _note(self, states: States) -> None:
        rows = (
            (host.next_at, host.gap_s, host_crc(host.key, host.next_at, host.gap_s), host.key) for host in states.hosts
        )
        self._db.executemany("UPDATE hosts SET next_at = ?, gap_s = ?, row_crc32 = ? WHERE key = ?", rows)
        reading = ((origin, text_crc(origin)) for origin in states.reading)
        self._db.executemany("INSERT OR IGNORE INTO reading VALUES (?, ?)", reading)
        self._db.executemany("DELETE FROM reading WHERE origin = ?", ((origin,) for origin in states.read))
        aliases = ((*alias, text_crc(*alias)) for alias in states.aliases)
        self._db.executemany("INSERT OR IGNORE INTO aliases VALUES (?, ?, ?)", aliases)

    def _insert(self, groups: Iterable[Found]) -> list[Request]:
        """Insert links that were never seen, and give them their place in the order of discovery."""
        fresh: dict[int, tuple[Link, Found]] = {}
        recent, seen = self._recent, self._seen
        for group in groups:
            for link in group.links:
                key = link.fingerprint
                if key not in recent and key not in fresh and key not in seen:
                    fresh[key] = (link, group)
        if not fresh:
            return []
        ids = self._ids({link.host for link, _ in fresh.values()})
        rows = [(ids[link.host], key, seq) for seq, (key, (link, _)) in enumerate(fresh.items(), self._next_seq)]
        new = self._insert_urls(sorted(rows))
        self._remember(fresh)
        self._next_seq += len(rows)
        novel = [
            novel_request(link, group, seq)
            for (_, _, seq), (key, (link, group)) in zip(rows, fresh.items(), strict=True)
            if key in new
        ]
        self._db.executemany(
            "INSERT INTO details VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (novel_row(r, ids[r.host]) for r in novel),
        )
        self._db.executemany("INSERT INTO pending VALUES (?, ?)", sorted((ids[r.host], r.seq) for r in novel))
        self._count({"pending": len(novel)})
        return novel

    def _insert_urls(self, rows: Sequence[tuple[int, int, int]]) -> set[int]:
        """Insert (host, fingerprint, seq) rows, sorted by key; returns the fingerprints that were new."""
        new: set[int] = set()
        for start in range(0, len(rows), ROWS_PER_INSERT):
            chunk = rows[start : start + ROWS_PER_INSERT]
            places = ",".join(["(?,?,?)"] * len(chunk))
            statement = f"INSERT OR IGNORE INTO urls VALUES {places} RETURNING fingerprint"
            new.update(row[0] for row in self._db.execute(statement, [value for row in chunk for value in row]))
        return new

    def _remember(self, fingerprints: Iterable[int]) -> None:
        self._recent.update(fingerprints)
        if len(self._recent) > RECENT:
            self._seen.update(self._recent)
            self._recent.clear()

    def _ids(self, keys: set[str]) -> dict[str, int]:
        """Ids of hosts by key; a host that is new gets its row."""
        if len(self._host_ids) > MAX_HOST_IDS:
            self._host_ids.clear()
        missing = sorted(keys - self._host_ids.keys())
        for key in missing:
            row = self._db.execute("SELECT id FROM hosts WHERE key = ?", (key,)).fetchone()
            if row is None:
                values = (key, urls.shard_of(key), host_crc(key))
                cursor = self._db.execute("INSERT INTO hosts (key, shard, row_crc32) VALUES (?, ?, ?)", values)
                row = (cursor.lastrowid,)
            self._host_ids[key] = row[0]
        return {key: self._host_ids[key] for key in keys}

    def _mark(self, done: Sequence[Done]) -> None:
        rows = [each for each in done if each.request.seq]
        ids = self._ids({each.request.host for each in rows})
        self._db.executemany(
            "UPDATE details SET outcome = ?, reason = ?, attempts = ?, extra = ?, row_crc32 = ? WHERE seq = ?",
            (outcome_row(each, ids[each.request.host]) for each in rows),
        )
        self._db.executemany(
            "DELETE FROM pending WHERE host = ? AND seq = ?", ((ids[d.request.host], d.request.seq) for d in rows)
        )
        changes = Counter[Outcome](d.outcome for d in rows)
        changes["pending"] -= len(rows)
        self._count(changes)

    def _count(self, changes: Mapping[Outcome, int]) -> None:
        self._db.executemany(
            "INSERT INTO counts VALUES (?, ?) ON CONFLICT (outcome) DO UPDATE SET urls = urls + excluded.urls",
            ((OUTCOMES.index(outcome), change) for outcome, change in changes.items() if change),
        )

    def _mark_outputs(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            values = (
                self._next_batch,
                output.name,
                output.offset,
                output.length,
                output.crc32,
                output.records,
                self.epoch,
            )
            self._db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, batch_crc(*values)))
            self._db.execute(
                "INSERT INTO outputs VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET length = excluded.length",
                (output.name, output.offset + output.length),
            )
        self._next_batch += 1

    # Questions

    def take(self, host: str, after: int, count: int) -> list[Request]:
        """See `Store.take`."""
        query = f"""
            SELECT {_REQUEST} JOIN pending p ON p.seq = d.seq AND p.host = d.host
            WHERE h.key = ? AND p.host = h.id AND p.seq > ? ORDER BY p.seq LIMIT ?
        """
        return [self._request(*row) for row in self._rows(query, (host, after, count))]

    def counts(self) -> dict[Outcome, int]:
        """How many URLs have which outcome."""
        rows = self._rows("SELECT outcome, urls FROM counts WHERE urls")
        return {OUTCOMES[outcome]: count for outcome, count in rows}

    def outcomes(self) -> Iterator[tuple[str, Outcome, str | None]]:
        """See `Store.outcomes`."""
        for url, outcome, reason in self._rows("SELECT url, outcome, reason FROM details ORDER BY seq"):
            yield url, OUTCOMES[outcome], reason

    def output_length(self, name: str) -> int:
        """Committed length of an output in bytes, 0 if it never had one."""
        row = next(self._rows("SELECT length FROM outputs WHERE name = ?", (name,)), None)
        return 0 if row is None else int(row[0])

    # A session begins

    def begin_session(self) -> bool:
        """See `Store.begin_session`."""
        was_clean = bool(self._one("SELECT value FROM meta WHERE key = 'is_clean'"))
        with self._transaction():
            self.epoch += 1
            self._db.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (self.epoch,))
            self._db.execute("UPDATE meta SET value = 0 WHERE key = 'is_clean'")
        return was_clean

    def charge(self, seqs: Iterable[int]) -> None:
        """See `Store.charge`."""
        with self._transaction():
            self._db.executemany(
                "INSERT INTO crashed SELECT seq, 1 FROM details WHERE seq = ? AND outcome = ?"
                " ON CONFLICT (seq) DO UPDATE SET crashes = crashes + 1",
                ((seq, PENDING) for seq in seqs),
            )

    def revive(self, reasons: Sequence[str]) -> int:
        """See `Store.revive`."""
        skipped, marks = OUTCOMES.index("skipped"), ",".join("?" * len(reasons))
        with self._transaction():
            # Seeds and what was tried have a record already, and no URL gets a second one in a run.
            chosen = f"outcome = {skipped} AND reason IN ({marks}) AND NOT is_seed AND NOT attempts"
            self._db.execute(f"INSERT OR IGNORE INTO pending SELECT host, seq FROM details WHERE {chosen}", reasons)
            changes = f"outcome = {PENDING}, reason = NULL, row_crc32 = {crc_as(PENDING)}"
            count = self._db.execute(f"UPDATE details SET {changes} WHERE {chosen}", reasons).rowcount
            self._count({"skipped": -count, "pending": count})
        return count

    def take_over(self, shards: Container[int], max_crashes: int) -> Territory:
        """See `Store.take_over`."""
        self._db.create_function("is_ours", 1, shards.__contains__)
        suspects = self._sort_out_suspects(max_crashes)
        return Territory(
            hosts=[Pending(*row) for row in self._rows(_WAITING_HOSTS)],
            suspects=suspects,
            aliases=[
                (site, host)
                for site, host in self._rows("SELECT site, host FROM aliases")
                if urls.shard_of(host) in shards
            ],
            reading=[
                origin
                for (origin,) in self._rows("SELECT origin FROM reading")
                if urls.shard_of(urls.host_key(f"{origin}/")) in shards
            ],
            traps=[
                (domain, pattern, state)
                for domain, pattern, state in self._rows("SELECT domain, pattern, state FROM traps")
                if urls.shard_of_domain(domain) in shards
            ],
        )

    def _sort_out_suspects(self, max_crashes: int) -> list[Request]:
        """Queue again what an earlier session took out of its queues, and take out those that are suspects now."""
        crashed = f"""
            FROM crashed c JOIN details d ON d.seq = c.seq JOIN hosts h ON h.id = d.host
            WHERE d.outcome = {PENDING} AND is_ours(h.shard)
        """
        with self._transaction():
            self._db.execute(f"INSERT OR IGNORE INTO pending SELECT d.host, d.seq {crashed}")
            rows = list(self._rows(f"SELECT d.host, d.seq {crashed} AND c.crashes >= ? ORDER BY d.seq", (max_crashes,)))
            self._db.executemany("DELETE FROM pending WHERE host = ? AND seq = ?", rows)
        return [request for _, seq in rows if (request := self.request(seq)) is not None]

    def request(self, seq: int) -> Request | None:
        """The pending request at a position, None if it has an outcome."""
        row = next(self._rows(f"SELECT {_REQUEST} WHERE d.seq = ? AND d.outcome = ?", (seq, PENDING)), None)
        return None if row is None else self._request(*row)

    def _request(self, *row: Any) -> Request:
        """A pending request by its row.

        Raises:
            RunError: If the row was altered.
        """
        *columns, host_id, row_crc32 = row
        request = request_of(*columns)
        if crc_of_request(request, host_id) != row_crc32:
            raise damaged(self.path, sqlite3.DatabaseError(f"row {request.seq} of details was altered"))
        return request

    def keep_traps(self, rows: Sequence[TrapRow]) -> None:
        """See `Store.keep_traps`."""
        with self._transaction():
            self._db.execute("DELETE FROM traps")
            self._db.executemany("INSERT INTO traps VALUES (?, ?, ?, ?)", ((*row, text_crc(*row)) for row in rows))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from error

    def close(self, *, is_clean: bool) -> None:
        """See `Store.close`; what is committed is merged into the file."""
        try:
            if is_clean:
                self._db.execute("UPDATE meta SET value = 1 WHERE key = 'is_clean'")
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from error
        finally:
            self._db.close()

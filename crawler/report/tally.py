"""One pass over the journal of a run: counters, the slowest and largest pages, and tables to be joined.

However many records there are, memory stays flat: what grows with them is in a temporary file of SQLite's.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter
from datetime import datetime
from math import floor, log2
from sqlite3 import Connection
from typing import Annotated

from msgspec import Meta, Struct

from crawler import urls
from crawler.measure.stats import pages_of
from crawler.report.sources import EXAMPLES, MAX_REASONS, AsOf, Reason
from crawler.store.journal import read_records

TOP = 20  # This many pages, hosts and groups are kept.
MAX_BINS = 600  # There are this many bins of time at most before they become twice as wide.
MAX_KIND = 100  # This many characters of a content type are looked at.
MAX_KINDS = 1_000  # This many content types are counted one by one.
# Response times are counted between these bounds, milliseconds.
DELAYS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000)
_BATCH = 1_000  # This many rows are inserted at once.
BROKEN = frozenset(("http_error", "failed", "quarantined"))
_SCHEMA = """
    CREATE TABLE pages (
        place INTEGER PRIMARY KEY, host TEXT, is_ok INTEGER, ms INTEGER, bytes INTEGER, title INTEGER, digest INTEGER
    );
    CREATE TABLE redirects (url TEXT PRIMARY KEY, target TEXT) WITHOUT ROWID;
    CREATE TABLE broken (url TEXT PRIMARY KEY, said TEXT, via TEXT) WITHOUT ROWID;
"""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # SQLite can hold no larger number.


class TalliedRecord(Struct):
    """What the report needs of a record; the rest of the line is skipped unread."""

    url: str
    outcome: str
    depth: Count
    status: int | None = None
    error: str | None = None
    redirect_to: str | None = None
    via: str | None = None
    fetched_at: datetime | None = None
    elapsed_ms: Count | None = None
    content_type: str | None = None
    wire_bytes: Count | None = None
    bytes: Count | None = None
    digest: str | None = None
    title: str | None = None
    text_length: int | None = None
    description: str | None = None
    noindex: bool | None = None

    @property
    def reason(self) -> str:
        """Why it ended as it did; empty where there is no reason."""
        return self.error or ("" if self.outcome == "ok" or self.status is None else str(self.status))


class AnswerRate:
    """Answers over time, in steps that become longer as the crawl does."""

    def __init__(self) -> None:
        self.step_s = 0.25
        self.counts: Counter[int] = Counter()

    def add(self, at_s: float) -> None:
        """Count an answer that came then, Unix seconds."""
        place = int(at_s // self.step_s)
        is_new = place not in self.counts
        self.counts[place] += 1
        while is_new and max(self.counts) - min(self.counts) > MAX_BINS:
            self.step_s *= 2
            wider = Counter[int]()
            for at, count in self.counts.items():
                wider[at // 2] += count
            self.counts = wider

    def points(self) -> list[tuple[float, float]]:
        """Seconds since the beginning and answers a second then; moments without any are zero."""
        if not self.counts:
            return []
        first, last = min(self.counts), max(self.counts)
        return [((at - first) * self.step_s, self.counts[at] / self.step_s) for at in range(first, last + 1)]


class Tally:
    """What all records of a run say together."""

    def __init__(self) -> None:
        self.records = 0
        self.origin = ""  # The origin of the first record.
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[Reason] = Counter()
        self.examples: dict[Reason, list[str]] = {}
        self.statuses: Counter[int] = Counter()
        self.depths: Counter[int] = Counter()
        self.types: Counter[str] = Counter()
        self.sizes: Counter[int] = Counter()  # Pages by the power of two, in bytes, that their body is smaller than.
        # Answers by the first of `DELAYS_MS` that is above the time that they took.
        self.delays: Counter[int] = Counter()
        self.rate = AnswerRate()
        self.wire_bytes = 0
        self.parsed = 0
        self.untitled = 0
        self.undescribed = 0
        self.noindex = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._slow: list[tuple[int, int, TalliedRecord]] = []
        self._large: list[tuple[int, int, TalliedRecord]] = []

    @property
    def pages(self) -> int:
        """Records of pages that have an answer: ok and http_error."""
        return pages_of(self.outcomes)

    @property
    def elapsed_s(self) -> float:
        """Seconds between the first and the last answer."""
        return (self.last - self.first).total_seconds() if self.first and self.last else 0.0

    @property
    def slowest(self) -> list[TalliedRecord]:
        """The pages that took longest, the slowest first."""
        return [record for _, _, record in sorted(self._slow, reverse=True)]

    @property
    def largest(self) -> list[TalliedRecord]:
        """The largest pages, the largest first."""
        return [record for _, _, record in sorted(self._large, reverse=True)]

    def add(self, record: TalliedRecord) -> None:
        """Count a record."""
        self.records += 1
        self.origin = self.origin or _origin(record.url)
        self.outcomes[record.outcome] += 1
        self._explain(record)
        if record.status is not None:
            self.statuses[record.status] += 1
            self.depths[record.depth] += 1
        self.wire_bytes += record.wire_bytes or 0
        if (at := record.fetched_at) is not None:
            self.first = at if self.first is None else min(self.first, at)
            self.last = at if self.last is None else max(self.last, at)
            self.rate.add(at.timestamp())
        if record.elapsed_ms is not None:
            self.delays[bisect_right(DELAYS_MS, record.elapsed_ms)] += 1
            _keep(self._slow, record.elapsed_ms, self.records, record)
        if record.outcome == "ok":
            self._look_into(record)

    def _explain(self, record: TalliedRecord) -> None:
        key = (record.outcome, record.reason)
        if key not in self.reasons and len(self.reasons) >= MAX_REASONS:
            key = (record.outcome, "other")
        self.reasons[key] += 1
        known = self.examples.setdefault(key, [])
        if len(known) < EXAMPLES:
            known.append(record.url)

    def _look_into(self, record: TalliedRecord) -> None:
        kind = (record.content_type or "none").partition(";")[0].strip().lower()[:MAX_KIND]
        self.types[kind if kind in self.types or len(self.types) < MAX_KINDS else "other"] += 1
        if record.bytes is not None:
            self.sizes[_power(record.bytes)] += 1
            _keep(self._large, record.bytes, self.records, record)
        if record.text_length is not None:
            self.parsed += 1
            self.untitled += not record.title
            self.undescribed += not record.description
            self.noindex += bool(record.noindex)


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _power(value: int) -> int:
    """The exponent of the first power of two that is above a value."""
    return floor(log2(value)) + 1 if value > 0 else 0


def _keep(heap: list[tuple[int, int, TalliedRecord]], value: int, number: int, record: TalliedRecord) -> None:
    """Keep the record if it is among the greatest; of equal ones the earlier."""
    row = (value, -number, record)
    if len(heap) < TOP:
        heapq.heappush(heap, row)
    elif row > heap[0]:
        heapq.heapreplace(heap, row)


def read(run: AsOf, db: Connection) -> Tally:
    """Count all records of a run.

    Args:
        run: The run.
        db: A scratch database; afterwards it has the tables `pages`, `redirects` and `broken`.

    Raises:
        RunError: If the journal cannot be read, or a line of it is no record.
    """
    db.executescript(_SCHEMA)
    tally = Tally()
    pages: list[tuple[object, ...]] = []
    db.execute("BEGIN")
    for place, _, record in read_records(run.journal, run.committed_length(), TalliedRecord):
        tally.add(record)
        pages.append(_row(place, record))
        if record.redirect_to is not None:
            db.execute("INSERT OR IGNORE INTO redirects VALUES (?, ?)", (record.url, record.redirect_to))
        if record.outcome in BROKEN:
            db.execute("INSERT OR IGNORE INTO broken VALUES (?, ?, ?)", (record.url, record.reason, record.via))
        if len(pages) >= _BATCH:
            _insert(db, pages)
    _insert(db, pages)
    db.execute("COMMIT")
    return tally


def _insert(db: Connection, pages: list[tuple[object, ...]]) -> None:
    db.executemany("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?)", pages)
    pages.clear()


def _row(place: int, record: TalliedRecord) -> tuple[object, ...]:
    is_ok = record.outcome == "ok"
    # Titles and digests are only compared, which their hashes are enough for.
    title = hash(record.title) if is_ok and record.title else None
    digest = hash(record.digest) if is_ok and record.digest else None
    return place, host_of(record.url), is_ok, record.elapsed_ms, record.wire_bytes, title, digest


def host_of(url: str) -> str:
    """The politeness key of a URL, or the URL itself where it has none."""
    try:
        return urls.host_key(url)
    except ValueError:
        return url

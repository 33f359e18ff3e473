"""Pages of a run that say the same, by their digests, and pages that say nearly the same, by their SimHashes.

Not all pairs are compared. A SimHash is cut into five blocks; two that differ in three bits agree in two blocks at
least. So for each two of the five blocks the hashes are sorted by these, and compared where they agree in them. The
sorting is SQLite's, in a temporary file; memory is taken only by what looks alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import combinations
from sqlite3 import Connection
from typing import BinaryIO

import msgspec
from msgspec import Struct

from crawler.errors import RunError
from crawler.log.terminal import printable
from crawler.run.folder import Run
from crawler.store import snapshot
from crawler.store.journal import read_records

MAX_DISTANCE = 3  # The SimHashes of near duplicates differ in this many bits at most.
# A SimHash is cut into these blocks: where each begins, and its bits.
_BLOCKS = ((51, 13), (38, 13), (25, 13), (12, 13), (0, 12))
# Of the hashes that agree in two blocks, each is compared with this many; a crowd is joined by its links.
_CROWD = 256
_SIGNED, _UNSIGNED = 1 << 63, (1 << 64) - 1

_SCHEMA = """
    CREATE TABLE pages (place INTEGER PRIMARY KEY, digest INTEGER, simhash INTEGER);
"""
_FIRST_OF_EACH = """
    CREATE INDEX pages_digest ON pages (digest);
    CREATE TABLE looks (simhash INTEGER, place INTEGER, PRIMARY KEY (simhash, place)) WITHOUT ROWID;
    INSERT INTO looks SELECT simhash, min(place) FROM pages WHERE simhash IS NOT NULL GROUP BY digest;
"""


class _Page(Struct):
    """What is needed of a record; the rest of the line is skipped unread."""

    url: str
    digest: str | None = None
    simhash: str | None = None


def duplicates(chosen: Run) -> Iterator[str]:
    """A line for each page that is not alone: `same` or `alike`, number of its group and URL with tabs between them.

    Pages that are the same byte for byte are in groups of the first kind. A group of the second kind has one page of
    each content, and the first of all pages with it stands for the others.

    Args:
        chosen: The run; a crawl may be going on in it.

    Raises:
        RunError: If its journal is missing, or it or the state is damaged.
    """
    try:
        with closing(snapshot.scratch()) as db, chosen.journal.open("rb") as journal:
            db.executescript(_SCHEMA)
            db.execute("BEGIN")
            db.executemany("INSERT INTO pages VALUES (?, ?, ?)", _pages(chosen))
            db.executescript(_FIRST_OF_EACH)
            yield from _same(db, journal)
            yield from _alike(db, journal)
    except OSError as error:
        raise RunError(f"cannot read {chosen.journal}: {error.strerror}") from None
    except (msgspec.DecodeError, ValueError):  # A digest that is no number is a ValueError.
        raise RunError(f"a line of {chosen.journal} is no record; `crawler verify` tells more") from None


def _pages(chosen: Run) -> Iterator[tuple[int, int, int | None]]:
    """Where the record of each page with a content stands, and 64 bits of its digest and its SimHash."""
    for place, _, page in read_records(chosen.journal, chosen.committed_length(), _Page):
        if page.digest is not None:
            digest = _number(page.digest.removeprefix("sha256:")[:16])
            yield place, digest, None if page.simhash is None else _number(page.simhash)


def _number(digits: str) -> int:
    """Hexadecimal digits as SQLite's signed 64 bits."""
    return (int(digits, 16) ^ _SIGNED) - _SIGNED


def _same(db: Connection, journal: BinaryIO) -> Iterator[str]:
    groups = "SELECT digest FROM pages GROUP BY digest HAVING count(*) > 1 ORDER BY min(place)"
    for number, (digest,) in enumerate(db.execute(groups), start=1):
        for (place,) in db.execute("SELECT place FROM pages WHERE digest = ? ORDER BY place", (digest,)):
            yield _line("same", number, journal, place)


def _alike(db: Connection, journal: BinaryIO) -> Iterator[str]:
    groups = []
    for hashes in _groups(db):
        found = (db.execute("SELECT place FROM looks WHERE simhash = ?", (value,)) for value in hashes)
        groups.append(sorted(place for rows in found for (place,) in rows))
    for number, places in enumerate(sorted(groups), start=1):
        for place in places:
            yield _line("alike", number, journal, place)


def _line(kind: str, number: int, journal: BinaryIO, place: int) -> str:
    journal.seek(place)
    page = msgspec.json.decode(journal.readline(), type=_Page)
    return f"{kind}\t{number}\t{printable(page.url)}"


def _groups(db: Connection) -> list[list[int]]:
    """SimHashes that several contents have, or that are near to others, in groups."""
    # Each hash leads to one that is nearer to the leader of its group; a leader leads to itself.
    leader: dict[int, int] = {}

    def lead(value: int) -> int:
        while leader.setdefault(value, value) != value:
            leader[value] = value = leader[leader[value]]
        return value

    for (value,) in db.execute("SELECT simhash FROM looks GROUP BY simhash HAVING count(*) > 1"):
        lead(value)
    for chosen in combinations(_BLOCKS, 2):
        for left, right in _near(db, chosen):
            leader[lead(left)] = lead(right)
    groups: dict[int, list[int]] = {}
    for value in leader:
        groups.setdefault(lead(value), []).append(value)
    return list(groups.values())


def _near(db: Connection, chosen: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    """Pairs of SimHashes that agree in the chosen blocks and differ in few bits."""
    blocks = [f"simhash >> {start} & {(1 << bits) - 1}" for start, bits in chosen]
    key, before = None, deque[int](maxlen=_CROWD)
    query = f"SELECT DISTINCT {blocks[0]} AS a, {blocks[1]} AS b, simhash FROM looks ORDER BY a, b, simhash"
    for a, b, value in db.execute(query):
        if (a, b) != key:
            key = (a, b)
            before.clear()
        for other in before:
            if ((value ^ other) & _UNSIGNED).bit_count() <= MAX_DISTANCE:
                yield other, value
        before.append(value)

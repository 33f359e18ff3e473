"""The format of a run's state: its tables, its versions, and what is said of a file that is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from crawler.errors import DamageError, RunError

SCHEMA_VERSION = 4
READABLE_VERSIONS = (2, 3, 4)  # Readers read these formats; a run of an older one is migrated when it goes on.
APPLICATION_ID = 0x43524C52  # "CRLR": what `file` and other tools see in the header
CACHE_KIB = 64 * 1024
# Rows that nothing else could be compared with have a checksum; `verify` compares the others with these and with the
# outputs. See `checksums.py`.
TABLES = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "counts": "CREATE TABLE counts (outcome INTEGER PRIMARY KEY, urls INTEGER NOT NULL)",
    "hosts": """CREATE TABLE hosts (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, shard INTEGER NOT NULL, next_at REAL, gap_s REAL,
    row_crc32 INTEGER NOT NULL
)""",
    "urls": """CREATE TABLE urls (
    host INTEGER NOT NULL, fingerprint INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (host, fingerprint)
) WITHOUT ROWID""",
    "details": """CREATE TABLE details (
    seq INTEGER PRIMARY KEY, host INTEGER NOT NULL, url TEXT NOT NULL, depth INTEGER NOT NULL, via TEXT, chain TEXT,
    is_seed INTEGER NOT NULL, outcome INTEGER NOT NULL, reason TEXT, attempts INTEGER NOT NULL, extra BLOB,
    row_crc32 INTEGER NOT NULL
)""",
    "seeds": "CREATE INDEX seeds ON details (is_seed) WHERE is_seed",
    "pending": """CREATE TABLE pending (
    host INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (host, seq)
) WITHOUT ROWID""",
    "crashed": "CREATE TABLE crashed (seq INTEGER PRIMARY KEY, crashes INTEGER NOT NULL)",
    "outputs": "CREATE TABLE outputs (name TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID",
    "batches": """CREATE TABLE batches (
    id INTEGER NOT NULL, output TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, crc32 INTEGER NOT NULL,
    records INTEGER NOT NULL, epoch INTEGER NOT NULL, row_crc32 INTEGER NOT NULL, PRIMARY KEY (id, output)
) WITHOUT ROWID""",
    "reading": "CREATE TABLE reading (origin TEXT PRIMARY KEY, row_crc32 INTEGER NOT NULL) WITHOUT ROWID",
    "aliases": """CREATE TABLE aliases (
    site TEXT NOT NULL, host TEXT NOT NULL, row_crc32 INTEGER NOT NULL, PRIMARY KEY (site, host)
) WITHOUT ROWID""",
    "traps": """CREATE TABLE traps (
    domain TEXT NOT NULL, pattern TEXT NOT NULL, state TEXT NOT NULL, row_crc32 INTEGER NOT NULL,
    PRIMARY KEY (domain, pattern)
) WITHOUT ROWID""",
}


def is_whole_schema(statements: Iterable[str]) -> bool:
    """Whether SQLite's own statements for tables and indexes are those of a state of this format, line ends aside."""
    return {"".join(sql.split()) for sql in statements} == {"".join(sql.split()) for sql in TABLES.values()}


def check_version(db: sqlite3.Connection, path: Path, schema: str = "main") -> int:
    """The format of a state that is open or attached.

    Args:
        db: The connection.
        path: The state's file, for errors.
        schema: The name that it is attached by.

    Raises:
        DamageError: If it is no state.
        RunError: If it is of a format that this version does not know.
    """
    if db.execute(f"PRAGMA {schema}.application_id").fetchone()[0] != APPLICATION_ID:
        raise DamageError(f"{path} is not a crawler's state; `crawler export` still reads the run's records")
    version: int = db.execute(f"PRAGMA {schema}.user_version").fetchone()[0]
    if version not in READABLE_VERSIONS:
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise RunError(f"{path} has the format {version}, this crawler reads {known}; use the one that made it")
    return version


def damaged(path: Path, error: sqlite3.DatabaseError) -> RunError:
    """What SQLite says of a file, as a sentence that tells a full disk from a damaged file."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return RunError(f"{path}: the disk is full")
    if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return RunError(f"{path} cannot be written: {error}")
    return DamageError(
        f"{path} is damaged ({error}); `crawler verify --repair` makes it anew of the run's records, "
        "`crawler export` still reads them"
    )

"""Bringing a run's state of an earlier format to that of today, when the run goes on."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from crawler import urls
from crawler.store import checksums
from crawler.store.journal import sync_folder
from crawler.store.schema import SCHEMA_VERSION, TABLES

_CHANGED = tuple(checksums.COLUMNS)  # The tables that format 4 gave checksums.


def keep_copy(db: sqlite3.Connection, path: Path, version: int) -> None:
    """Keep a copy of a state as an earlier version of the crawler reads it; it has its name when it is whole."""
    copy = path.with_name(f"{path.stem}.format-{version}{path.suffix}")
    fresh = copy.with_name(f"{copy.name}.part")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as target:
        db.backup(target)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(copy)
    sync_folder(copy.parent)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a state to the format of today in one transaction, so that whatever dies meanwhile leaves the old one.

    Format 3 has the delays that robots.txt asks for, the hosts that seeds redirected to, and room for what later
    features keep of a URL; and hosts that are IPv6 addresses are of the shard of their domain. Format 4 has a checksum
    in each row that cannot be compared with another, and the crashes in a table of their own.

    Args:
        db: The connection.
        version: The state's format.

    Raises:
        sqlite3.DatabaseError: If it is damaged.
    """
    checksums.teach(db)
    db.create_function("shard_of", 1, urls.shard_of, deterministic=True)
    db.execute("BEGIN IMMEDIATE")
    try:
        _put_aside(db, version)
        _fill(db, version)
        for table in _CHANGED:
            db.execute(f"DROP TABLE IF EXISTS old_{table}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, ValueError):  # a chain or a URL that cannot be: the state was damaged before
            raise sqlite3.DatabaseError(f"a URL that was redirected cannot be read: {error}") from None
        raise


def _put_aside(db: sqlite3.Connection, version: int) -> None:
    """Make the tables that have changed anew, with the old ones beside them."""
    for table in _CHANGED:
        if table != "aliases" or version > 2:
            db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    db.execute("DROP INDEX crashed")
    db.execute("DROP INDEX seeds")
    for name in (*_CHANGED, "seeds", "crashed"):
        db.execute(TABLES[name])


def _fill(db: sqlite3.Connection, version: int) -> None:
    """Put in what the old tables have, and what format 3 has and format 2 leaves to be found out."""
    gap_s, extra = ("gap_s", "extra") if version > 2 else ("NULL", "NULL")
    db.execute(f"INSERT INTO hosts SELECT id, key, shard_of(key), next_at, {gap_s}, 0 FROM old_hosts")
    db.execute(f"""
        INSERT INTO details
        SELECT seq, host, url, depth, via, chain, is_seed, outcome, reason, attempts, {extra}, 0 FROM old_details
    """)
    db.execute("INSERT INTO crashed SELECT seq, crashes FROM old_details WHERE crashes > 0")
    db.execute("INSERT INTO reading SELECT origin, 0 FROM old_reading")
    db.execute("INSERT INTO batches SELECT id, output, offset, length, crc32, records, epoch, 0 FROM old_batches")
    db.execute("INSERT INTO traps SELECT domain, pattern, state, 0 FROM old_traps")
    if version > 2:
        db.execute("INSERT INTO aliases SELECT site, host, 0 FROM old_aliases")
    else:
        redirected = db.execute("SELECT url, chain FROM details WHERE is_seed AND chain IS NOT NULL").fetchall()
        aliases = ((msgspec.json.decode(chain)[0], urls.host_key(url)) for url, chain in redirected)
        db.executemany("INSERT OR IGNORE INTO aliases VALUES (?, ?, 0)", aliases)
    for table in _CHANGED:
        checksums.renew(db, table)

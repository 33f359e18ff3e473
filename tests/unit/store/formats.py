"""States as earlier versions of the crawler made them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from crawler.store.schema import APPLICATION_ID

FORMAT_2 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE counts (outcome INTEGER PRIMARY KEY, urls INTEGER NOT NULL);
CREATE TABLE hosts (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, shard INTEGER NOT NULL, next_at REAL);
CREATE TABLE urls (
    host INTEGER NOT NULL, fingerprint INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (host, fingerprint)
) WITHOUT ROWID;
CREATE TABLE details (
    seq INTEGER PRIMARY KEY, host INTEGER NOT NULL, url TEXT NOT NULL, depth INTEGER NOT NULL, via TEXT, chain TEXT,
    is_seed INTEGER NOT NULL, outcome INTEGER NOT NULL, reason TEXT, attempts INTEGER NOT NULL, crashes INTEGER NOT NULL
);
CREATE INDEX crashed ON details (crashes) WHERE crashes > 0;
CREATE INDEX seeds ON details (is_seed) WHERE is_seed;
CREATE TABLE pending (host INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (host, seq)) WITHOUT ROWID;
CREATE TABLE outputs (name TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE batches (
    id INTEGER NOT NULL, output TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, crc32 INTEGER NOT NULL,
    records INTEGER NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (id, output)
) WITHOUT ROWID;
CREATE TABLE reading (origin TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE traps (domain TEXT NOT NULL, pattern TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (domain, pattern))
    WITHOUT ROWID;
"""
FORMAT_3 = (
    FORMAT_2.replace("next_at REAL)", "next_at REAL, gap_s REAL)").replace(
        "crashes INTEGER NOT NULL\n)", "crashes INTEGER NOT NULL, extra BLOB\n)"
    )
    + "CREATE TABLE aliases (site TEXT NOT NULL, host TEXT NOT NULL, PRIMARY KEY (site, host)) WITHOUT ROWID;"
)
FORMATS = {2: FORMAT_2, 3: FORMAT_3}


def as_format(path: Path, version: int) -> None:
    """Make a state of today one of an earlier format, with the same URLs in it."""
    old = path.with_name("old.sqlite")
    with closing(sqlite3.connect(old, isolation_level=None)) as db:
        db.executescript(FORMATS[version])
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("ATTACH ? AS now", (str(path),))
        tables = [name for (name,) in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")]
        for table in tables:
            columns = ", ".join(name for _, name, *_ in db.execute(f"PRAGMA main.table_info({table})"))
            values = columns.replace(
                "crashes", "coalesce((SELECT c.crashes FROM now.crashed c WHERE c.seq = d.seq), 0)"
            )
            db.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM now.{table} d")
        db.execute("DETACH now")
        db.execute("PRAGMA journal_mode = WAL")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    old.replace(path)

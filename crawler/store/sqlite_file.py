"""The file of a run's state: its format, and how it is made, opened and found damaged."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from crawler import urls
from crawler.errors import RunError
from crawler.models import OUTCOMES
from crawler.store.journal import sync_folder

SCHEMA_VERSION = 3
READABLE_VERSIONS = (2, 3)  # Readers read these formats; a run of an older one is migrated when it goes on.
APPLICATION_ID = 0x43524C52  # "CRLR": what `file` and other tools see in the header
CACHE_KIB = 64 * 1024
MAX_CHECKED_BYTES = 512 * 1024 * 1024  # A larger file takes SQLite too long to be read whole at every start.
ALIASES = "CREATE TABLE aliases (site TEXT NOT NULL, host TEXT NOT NULL, PRIMARY KEY (site, host)) WITHOUT ROWID;"
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE counts (outcome INTEGER PRIMARY KEY, urls INTEGER NOT NULL);
CREATE TABLE hosts (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, shard INTEGER NOT NULL, next_at REAL, gap_s REAL
);
CREATE TABLE urls (
    host INTEGER NOT NULL, fingerprint INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (host, fingerprint)
) WITHOUT ROWID;
CREATE TABLE details (
    seq INTEGER PRIMARY KEY, host INTEGER NOT NULL, url TEXT NOT NULL, depth INTEGER NOT NULL, via TEXT, chain TEXT,
    is_seed INTEGER NOT NULL, outcome INTEGER NOT NULL, reason TEXT, attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL, extra BLOB
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
{ALIASES}
"""


def open_file(path: Path, *, is_new: bool) -> sqlite3.Connection:
    """Open a state file.

    Args:
        path: The file.
        is_new: Whether it has to be made; a missing file is an error otherwise.

    Raises:
        RunError: If it is missing, damaged, of another version, or cannot be made.
    """
    if not is_new and not path.is_file():
        raise RunError(f"{path} is missing; without it the run cannot go on, `crawler export` still reads its records")
    try:
        if is_new:
            _create(path)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        version = check_version(db, path)  # before anything is written, because it may be somebody else's file
        db.execute("PRAGMA journal_mode = WAL")
        # A commit lost with the power only shortens the run: its outputs are cut back to the commit before.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not is_new and path.stat().st_size <= MAX_CHECKED_BYTES:
            _check_whole(db)
        if version < SCHEMA_VERSION:
            _keep_copy(db, path, version)
            migrate(db)
    except sqlite3.DatabaseError as error:
        raise damaged(path, error) from None
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}") from None
    return db


def _check_whole(db: sqlite3.Connection) -> None:
    said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise sqlite3.DatabaseError(" ".join(said.split()))


def check_version(db: sqlite3.Connection, path: Path, schema: str = "main") -> int:
    """The format of a state that is open or attached.

    Args:
        db: The connection.
        path: The state's file, for errors.
        schema: The name that it is attached by.

    Raises:
        RunError: If it is no state, or of a format that this version does not know.
    """
    if db.execute(f"PRAGMA {schema}.application_id").fetchone()[0] != APPLICATION_ID:
        raise RunError(f"{path} is not a crawler's state; `crawler export` still reads the run's records")
    version: int = db.execute(f"PRAGMA {schema}.user_version").fetchone()[0]
    if version not in READABLE_VERSIONS:
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise RunError(f"{path} has the format {version}, this crawler reads {known}; use the one that made it")
    return version


def _keep_copy(db: sqlite3.Connection, path: Path, version: int) -> None:
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


def migrate(db: sqlite3.Connection) -> None:
    """Bring a state of format 2 to format 3 in one transaction, so that whatever dies meanwhile leaves the old one.

    Format 3 has the delays that robots.txt asks for, the hosts that seeds redirected to, and room for what later
    features keep of a URL; and hosts that are IPv6 addresses are of the shard of their domain.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("ALTER TABLE hosts ADD COLUMN gap_s REAL")
        db.execute("ALTER TABLE details ADD COLUMN extra BLOB")
        db.execute(ALIASES)
        _fill(db)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, ValueError):  # a chain or a URL that cannot be: the state was damaged before
            raise sqlite3.DatabaseError(f"a URL that was redirected cannot be read: {error}") from None
        raise


def _fill(db: sqlite3.Connection) -> None:
    """Put in what format 3 has and format 2 leaves to be found out."""
    redirected = db.execute("SELECT url, chain FROM details WHERE is_seed AND chain IS NOT NULL").fetchall()
    aliases = ((msgspec.json.decode(chain)[0], urls.host_key(url)) for url, chain in redirected)
    db.executemany("INSERT OR IGNORE INTO aliases VALUES (?, ?)", aliases)
    literals = db.execute("SELECT key, id FROM hosts WHERE key LIKE '[%'").fetchall()
    shards = ((urls.shard_of(key), number) for key, number in literals)
    db.executemany("UPDATE hosts SET shard = ? WHERE id = ?", shards)


def _create(path: Path) -> None:
    """Make an empty state; it has its name only when it is whole, whatever dies meanwhile."""
    if path.exists():
        raise RunError(f"{path} exists already")
    fresh = path.with_name(f"{path.name}.part")
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = MEMORY")
        db.executescript(f"BEGIN; {_SCHEMA}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("INSERT INTO meta VALUES ('epoch', 0), ('is_clean', 1)")
        db.executemany("INSERT INTO counts VALUES (?, 0)", ((number,) for number in range(len(OUTCOMES))))
        db.execute("COMMIT")
        db.execute("PRAGMA journal_mode = WAL")  # now, because a file that dies while it changes cannot be read beside
    fresh.replace(path)


def damaged(path: Path, error: sqlite3.DatabaseError) -> RunError:
    """What SQLite says of a file, as a sentence that tells a full disk from a damaged file."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return RunError(f"{path}: the disk is full")
    if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return RunError(f"{path} cannot be written: {error}")
    return RunError(
        f"{path} is damaged ({error}); `crawler verify` tells what is left, `crawler export` still reads its records"
    )

"""The checksum of a row, by which damage to a state is found wherever it is and before anything is made of it."""

from __future__ import annotations

import sqlite3
from zlib import crc32

import msgspec

# The columns that the checksum of a table's row is made of. Text is taken as bytes, because damaged text is no text.
_DETAILS = "seq, host, CAST(url AS BLOB), depth, CAST(via AS BLOB), CAST(chain AS BLOB), is_seed"
DETAILS = f"{_DETAILS}, outcome, CAST(reason AS BLOB), attempts, extra"
COLUMNS = {
    "details": DETAILS,
    "hosts": "CAST(key AS BLOB), shard, next_at, gap_s",
    "batches": "id, CAST(output AS BLOB), offset, length, crc32, records, epoch",
    "aliases": "CAST(site AS BLOB), CAST(host AS BLOB)",
    "reading": "CAST(origin AS BLOB)",
    "traps": "CAST(domain AS BLOB), CAST(pattern AS BLOB), CAST(state AS BLOB)",
}

_encode = msgspec.msgpack.Encoder().encode


def crc_of(*values: object) -> int:
    """The CRC-32 of a row's values: numbers, bytes and None; text has to be given as bytes."""
    return crc32(_encode(values))


def text_crc(*texts: str) -> int:
    """The CRC-32 of a row that has nothing but text."""
    return crc_of(*(text.encode() for text in texts))


def teach(db: sqlite3.Connection) -> None:
    """Let SQL on a connection compute `crc_of`."""
    db.create_function("crc_of", -1, crc_of, deterministic=True)


def crc_as(outcome: int) -> str:
    """SQL for the checksum that a row of `details` has with another outcome and no reason."""
    return f"crc_of({_DETAILS}, {outcome}, NULL, attempts, extra)"


def renew(db: sqlite3.Connection, table: str, where: str = "1") -> None:
    """Give the rows of a table that meet a condition the checksum of what they hold."""
    db.execute(f"UPDATE {table} SET row_crc32 = crc_of({COLUMNS[table]}) WHERE {where}")

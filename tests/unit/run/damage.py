"""What the tests of `verify` do to a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from zlib import crc32

from crawler.models import OUTCOMES
from crawler.store.rows import batch_crc
from tests.unit.made_run import alter

NUMBER = {outcome: number for number, outcome in enumerate(OUTCOMES)}
Damage = Callable[[Path], None]


def journal_of(folder: Path) -> Path:
    return folder / "records.jsonl"


def batches_of(folder: Path) -> list[tuple[int, int, int]]:
    with closing(sqlite3.connect(folder / "state.sqlite")) as db:
        return db.execute("SELECT id, offset, length FROM batches ORDER BY id").fetchall()


def flip(path: Path, place: int, mask: int = 1) -> None:
    """Change a byte of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= mask
    path.write_bytes(data)


def replace(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def rewrite(change: Callable[[list[bytes]], list[bytes]]) -> Damage:
    """Change the journal's lines and let the store believe that it committed them so: only their meaning is wrong."""

    def damage(folder: Path) -> None:
        lines = change(journal_of(folder).read_bytes().splitlines(keepends=True))
        data = b"".join(lines)
        journal_of(folder).write_bytes(data)
        batch = (1, "records.jsonl", 0, len(data), crc32(data), len(lines), 1)
        alter(
            folder,
            "DELETE FROM batches",
            f"INSERT INTO batches VALUES {(*batch, batch_crc(*batch))}",
            f"UPDATE outputs SET length = {len(data)}",
        )

    return damage

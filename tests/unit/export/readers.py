"""Readers of every format that are not ours: what a file holds, with its rows as the journal has them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet
import zstandard

from crawler.records import timestamp

Row = dict[str, Any]


OBJECTS = ("og", "jsonld", "alternates", "rules", "extracted")  # of no fixed shape
PARTS = ("headings", "images", "link_details")
TRUTHS = ("complete", "nofollow", "noindex")
NESTED = (*OBJECTS, *PARTS, "links", "feeds", "article")


def decompressed(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def read_jsonl(path: Path) -> list[Row]:
    return [json.loads(line) for line in decompressed(path).split(b"\n")[:-1]]


def read_csv(path: Path) -> list[Row]:
    """Cells as they are, but for lists and objects; `as_cells` makes the same of the journal."""
    csv.field_size_limit(1 << 30)
    rows = list(csv.DictReader(io.StringIO(decompressed(path).decode("utf-8"), newline=""), strict=True))
    return [{name: json.loads(cell) if cell and name in NESTED else cell for name, cell in row.items()} for row in rows]


def as_cells(row: Row) -> Row:
    def cell(name: str, value: Any) -> Any:
        if value is None:
            return ""
        if isinstance(value, str):
            return value.replace("\0", "\ufffd")
        return value if name in NESTED else json.dumps(value)

    return {name: cell(name, value) for name, value in row.items()}


def read_parquet(path: Path) -> list[Row]:
    def value_of(name: str, value: Any) -> Any:
        if value is None:
            return None
        if name in OBJECTS:
            return json.loads(value)
        if name in PARTS:
            return [list(part.values()) for part in value]
        if name == "fetched_at":
            return timestamp(value.timestamp())
        return value

    rows = pyarrow.parquet.read_table(path).to_pylist()
    return [{name: value_of(name, value) for name, value in row.items()} for row in rows]


def read_sqlite(path: Path) -> list[Row]:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.row_factory = sqlite3.Row
        rows = [dict(row) for row in database.execute("SELECT * FROM pages ORDER BY id")]
        database.row_factory = None
        for row in rows:
            number = row.pop("id")
            for name in row:
                if row[name] is not None and name in TRUTHS:
                    row[name] = {0: False, 1: True}[row[name]]
                elif row[name] is not None and name in NESTED and name != "links":
                    row[name] = json.loads(row[name])
            query = "SELECT position, target FROM links WHERE page = ? ORDER BY position"
            found = database.execute(query, [number]).fetchall()
            assert [position for position, _ in found] == list(range(row["links"] or 0))
            row["links"] = None if row["links"] is None else [target for _, target in found]
    return rows


def same(row: Row) -> Row:
    return row


READERS: dict[str, tuple[Callable[[Path], list[Row]], Callable[[Row], Row]]] = {
    ".jsonl": (read_jsonl, same),
    ".jsonl.gz": (read_jsonl, same),
    ".jsonl.zst": (read_jsonl, same),
    ".csv": (read_csv, as_cells),
    ".csv.gz": (read_csv, as_cells),
    ".csv.zst": (read_csv, as_cells),
    ".parquet": (read_parquet, same),
    ".sqlite": (read_sqlite, same),
    ".db": (read_sqlite, same),
}

"""A journal of a few records, and what the tests of exports ask of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler.export import formats as table
from crawler.export.selection import select
from crawler.models import Record

RECORDS = [
    Record(url="https://a.example/", outcome="ok", status=200, depth=0, title="One", links=["https://a.example/2"]),
    Record(url="https://a.example/2", outcome="http_error", status=404, depth=1, via="https://a.example/"),
    Record(url="https://a.example/3", outcome="ok", status=200, depth=1, headings=[(1, 'x, "y"\r\nz')], nofollow=False),
    Record(url="https://b.example/", outcome="failed", error="dns_not_found", depth=0),
]


def export(
    journal: Path,
    length: int | None,
    target: Path,
    *,
    fields: Sequence[str] = (),
    only: Sequence[str] = (),
    spreadsheet_safe: bool = False,
) -> int:
    return table.export(journal, length, target, select(fields, only), spreadsheet_safe)


def lines_of(records: list[Record]) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def fault_of(error: type[Exception], *arguments: Any, **named: Any) -> str:
    with pytest.raises(error) as caught:
        export(*arguments, **named)
    return str(caught.value)


def others_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "records.jsonl")

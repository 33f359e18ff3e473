"""Records and what they are exported to: a line of JSON, and files from which the same can be read again."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator

import msgspec

from crawler import urls
from crawler.export import csv_text, jsonl
from crawler.models import Document, Record, Request
from crawler.records import FIELDS, line_of, record_line
from tests.fuzz.promise import expect

URL = "https://a.example/dir/page"
FORMULA = tuple("=+-@")
_CONTROL = re.compile(rb"[\x00-\x1f]")

csv.field_size_limit(1 << 30)  # the reader's own limit is smaller than a text may be


def check(data: bytes) -> None:
    """Text of any kind in the fields of a record, lone surrogates too."""
    title, description, heading, lang, *rest = data.decode("utf-8", "surrogateescape").split("\n", 4) + [""] * 4
    text = "\n".join(rest)
    document = Document(title, description, None, lang, heading, headings=[(1, heading)], text=text, hrefs=[URL])
    request = Request(URL, urls.host_key(URL), urls.fingerprint(URL))
    line = record_line(request, "ok", document=document, error=title or None)
    expect_record(line)
    _check_exports(line)


def expect_record(line: bytes) -> None:
    """Everything that is so of a record's line."""
    expect(line.endswith(b"\n") and not _CONTROL.search(line[:-1]), "a record is one line", line)
    text = line.decode("utf-8", "replace")
    expect(text.encode() == line, "a record is UTF-8", line)
    expect(tuple(json.loads(line)) == FIELDS, "a record has its keys in order", line)
    expect(line_of(msgspec.json.decode(line, type=Record)) == line, "a record can be read back", line)


def _check_exports(line: bytes) -> None:
    """A record can be read back from what it is exported to."""
    record = json.loads(line)
    for name, text in _cells(line, csv_text.cell):
        value = record[name]
        if value is None or isinstance(value, str):
            expect(text == (value or "").replace("\0", "\ufffd"), "a cell holds its text", (name, text))
        else:
            expect(json.loads(text) == value, "a cell holds its value", (name, text))
    for name, text in _cells(line, csv_text.safe_cell):
        if isinstance(record[name], str):
            expect(text.lstrip()[:1] not in FORMULA, "a safe cell is no formula", (name, text))
    chosen = io.BytesIO()
    jsonl.write(iter([line]), FIELDS, chosen)
    expect(json.loads(chosen.getvalue()) == record, "chosen fields are those of the record", chosen.getvalue())


def _cells(line: bytes, cell: Callable[[object], str]) -> Iterator[tuple[str, str]]:
    """Names and cells of a record's row in a table, as a reader of CSV has them."""
    table = io.BytesIO()
    csv_text.write(iter([line]), None, table, cell)
    rows = list(csv.reader(io.StringIO(table.getvalue().decode(), newline=""), strict=True))
    expect(len(rows) == 2 and tuple(rows[0]) == FIELDS, "a record is a row of the table", rows[:3])
    return zip(FIELDS, rows[1], strict=True)

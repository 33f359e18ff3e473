"""Parts of fields as columns: `--fields rules.price,og.title`."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import pytest

from crawler.errors import UsageError
from crawler.export import formats
from crawler.export.selection import select
from crawler.models import Article, Record
from crawler.records import line_of

NAMES = ("rules.price", "url", "og.og:title", "rules", "article.title", "rules.deep.list")
RECORDS = [
    Record(
        url="https://a.example/",
        outcome="ok",
        depth=0,
        og={"og:title": 'One, "two"'},
        rules={"price": 9.50, "deep": {"list": [1, None]}},
        article=Article(text="body", title="Main"),
    ),
    Record(url="https://a.example/2", outcome="ok", depth=1, rules={"price": "9", "deep": 3}),
    Record(url="https://a.example/3", outcome="failed", depth=1),
]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b"".join(map(line_of, RECORDS)))
    return path


def exported(journal: Path, name: str, fields: Sequence[str] = NAMES, filters: Sequence[str] = ()) -> Path:
    target = journal.with_name(name)
    formats.export(journal, None, target, select(fields, filters=filters))
    return target


def test_json_has_them_as_keys_with_what_stands_in_the_record(journal: Path) -> None:
    rows = [json.loads(line) for line in exported(journal, "a.jsonl").read_text().splitlines()]
    assert [tuple(row) for row in rows] == [NAMES] * 3
    assert [tuple(row.values()) for row in rows] == [
        (9.5, "https://a.example/", 'One, "two"', {"price": 9.5, "deep": {"list": [1, None]}}, "Main", [1, None]),
        ("9", "https://a.example/2", None, {"price": "9", "deep": 3}, None, None),
        (None, "https://a.example/3", None, None, None, None),
    ]


def test_csv_has_them_as_columns(journal: Path) -> None:
    rows = list(csv.reader(exported(journal, "a.csv").read_text().splitlines()))
    assert rows == [
        list(NAMES),
        ["9.5", "https://a.example/", 'One, "two"', '{"price":9.5,"deep":{"list":[1,null]}}', "Main", "[1,null]"],
        ["9", "https://a.example/2", "", '{"price":"9","deep":3}', "", ""],
        ["", "https://a.example/3", "", "", "", ""],
    ]


def test_sqlite_keeps_numbers_and_text_apart(journal: Path) -> None:
    with closing(sqlite3.connect(exported(journal, "a.db"))) as database:
        query = 'SELECT "rules.price", "og.og:title", "rules.deep.list" FROM pages ORDER BY id'
        assert database.execute(query).fetchall() == [
            (9.5, 'One, "two"', "[1,null]"),
            ("9", None, None),
            (None, None, None),
        ]


def test_parquet_has_them_as_text(journal: Path) -> None:
    table = pyarrow.parquet.read_table(exported(journal, "a.parquet"))
    assert table.column_names == list(NAMES)
    assert table["rules.price"].to_pylist() == ["9.5", "9", None]
    assert table["article.title"].to_pylist() == ["Main", None, None]
    assert table["rules.deep.list"].to_pylist() == ["[1,null]", None, None]


def test_a_filter_and_a_column_have_the_same_names(journal: Path) -> None:
    target = exported(journal, "b.csv", ["rules.price", "url"], ["rules.price > 9"])
    assert target.read_text().splitlines() == ["rules.price,url", "9.5,https://a.example/"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("title.x", "there is no field 'title.x'; title has no parts"),
        ("links.0", "there is no field 'links.0'; links has no parts"),
        ('rules.a"b', "a part cannot be called 'rules.a\"b'; it has a quote, a backslash or a control character"),
        ("rule.price", "there is no field 'rule.price'; did you mean rules?"),
    ],
)
def test_a_part_of_what_has_none_is_refused(field: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select([field])
    assert str(caught.value) == message


def test_two_names_that_sqlite_takes_for_one_are_told(journal: Path) -> None:
    with pytest.raises(UsageError, match="SQLite takes two of these columns for the same"):
        exported(journal, "d.db", ["rules.price", "rules.Price"])
    assert not journal.with_name("d.db").exists()

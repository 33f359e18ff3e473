"""What stands in the journal, read back from every format by a reader that is not ours."""

from __future__ import annotations

import csv
import json
import sqlite3
import types
import typing
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.errors import RunError
from crawler.export import parquet
from crawler.export.formats import FORMATS, export
from crawler.export.selection import select
from crawler.models import Article, Record
from crawler.records import line_of, timestamp
from tests.unit.export.readers import OBJECTS, READERS, Row

RECORDS = [
    Record(
        url="https://a.example/",
        outcome="ok",
        status=200,
        depth=0,
        fetched_at="2026-07-01T12:00:00.125Z",
        elapsed_ms=0,
        bytes=2**63 - 1,
        title="",
        text="NUL \0, separators \u2028\u2029\x85, a mark \ufeff, 'quotes' \"twice\",\r\nlines, \t😀 and \x1b[2J",
        headings=[(1, 'x, "y"\r\nz'), (2, "")],
        links=["https://a.example/2", "https://a.example/?q=a,b"],
        nofollow=False,
        noindex=True,
        og={"og:title": "A", "og:image": ["one", "two"], "": ""},
        jsonld=[{"@type": "Thing", "deep": [[[None, 1.5, 2**70, "\u2028"]]]}, 7, "text", None],
        alternates={"de": "https://a.example/de"},
        feeds=["https://a.example/feed"],
        images=[("https://a.example/i.png", None), ("https://a.example/j.png", "")],
        link_details=[("https://a.example/2", "two", None, True), ("https://b.example/", "", "nofollow", False)],
        article=Article(text="body", title=None, author="A, B"),
        rules={"price": ["1", 2.5, None]},
        extracted={"a": {"b": [1, "\0"]}},
    ),
    Record(url="https://a.example/2", outcome="http_error", status=404, depth=1, via="https://a.example/"),
    Record(
        url="https://a.example/3",
        outcome="ok",
        depth=2,
        title="half \ud83d of a pair",
        text="",
        headings=[],
        links=[],
        og={},
        jsonld=[],
        feeds=[],
        images=[],
        rules={},
    ),
    Record(url="https://b.example/", outcome="failed", error="dns_not_found", depth=0, bytes=-(2**63)),
]


def write_journal(folder: Path, records: Sequence[Record]) -> Path:
    path = folder / "records.jsonl"
    path.write_bytes(b"".join(line_of(record) for record in records))
    return path


def journal_rows(journal: Path) -> list[Row]:
    return [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]


def assert_holds_the_journal(suffix: str, journal: Path) -> None:
    read, as_there = READERS[suffix]
    rows = journal_rows(journal)
    target = journal.with_name(f"out{suffix}")
    assert export(journal, None, target) == len(rows)
    assert json.dumps(read(target)) == json.dumps([as_there(row) for row in rows])


def test_every_format_has_a_reader() -> None:
    assert READERS.keys() == FORMATS.keys()


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_holds_the_journal(tmp_path: Path, suffix: str) -> None:
    """Null and empty, NUL and U+2028, half pairs, numbers of 64 bits and more, what is nested and of any shape."""
    # scenarios 88, 90
    assert_holds_the_journal(suffix, write_journal(tmp_path, RECORDS))


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_holds_very_long_text(tmp_path: Path, suffix: str) -> None:
    # scenario 88
    text = 'long, "long" text\n\0' * 500_000
    records = [Record(url="https://a.example/", outcome="ok", depth=0, text=text, links=["u" * 100_000])]
    assert_holds_the_journal(suffix, write_journal(tmp_path, records))


# Any record ------------------------------------------------------------------------------------------------------

TEXT = st.text(max_size=8)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3),
    max_leaves=5,
)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(
    lambda t: timestamp(t.replace(tzinfo=UTC).timestamp())
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a field may have."""
    plain = {str: TEXT, int: NUMBERS, float: FLOATS, bool: st.booleans(), type(None): st.none(), Any: ANYTHING}
    if hint in plain:
        return plain[hint]
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Literal:
        return st.sampled_from(parts)
    if kind in (Union, types.UnionType):
        return st.one_of([values_of(part) for part in parts])
    if kind is list:
        return st.lists(values_of(parts[0]), max_size=3)
    if kind is tuple:
        return st.tuples(*map(values_of, parts))
    if kind is dict:
        return st.dictionaries(TEXT, values_of(parts[1]), max_size=3)
    fields = get_type_hints(hint)
    return st.builds(hint, **{name: values_of(part) for name, part in fields.items()})


ANY_RECORD = st.builds(
    Record,
    **{
        name: st.none() | TIMES if name == "fetched_at" else values_of(hint)
        for name, hint in typing.get_type_hints(Record).items()
    },
)


@settings(max_examples=20, deadline=None)
@given(st.lists(ANY_RECORD, max_size=3))
def test_any_records_come_back(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    # scenario 88
    journal = write_journal(tmp_path_factory.mktemp("export"), records)
    for suffix in (".csv", ".parquet", ".sqlite"):
        assert_holds_the_journal(suffix, journal)


# CSV -------------------------------------------------------------------------------------------------------------


def test_csv_tells_null_from_empty_text(tmp_path: Path) -> None:
    journal = write_journal(
        tmp_path,
        [Record(url="u", outcome="ok", depth=0, title=title) for title in (None, "", "x")],
    )
    export(journal, None, tmp_path / "out.csv", select(["depth", "title"]))
    assert (tmp_path / "out.csv").read_bytes() == b'depth,title\r\n0,\r\n0,""\r\n0,x\r\n'


def test_a_csv_of_one_column_has_a_row_for_each_record(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, RECORDS)
    export(journal, None, tmp_path / "out.csv", select(["error"]))
    rows = list(csv.reader((tmp_path / "out.csv").read_text().splitlines()))
    assert rows == [["error"], [""], [""], [""], ["dns_not_found"]]


def test_the_same_records_are_the_same_file(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, RECORDS)
    for suffix in (".jsonl.gz", ".csv.zst", ".parquet"):
        export(journal, None, tmp_path / f"a{suffix}")
        export(journal, None, tmp_path / f"b{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


# Parquet ---------------------------------------------------------------------------------------------------------


def test_parquet_columns_have_types(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, [])
    export(journal, None, tmp_path / "out.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "out.parquet")
    assert schema.names == list(Record.__struct_fields__)
    text = pa.string()
    assert schema.field("fetched_at").type == pa.timestamp("ms", "UTC")
    assert schema.field("status").type == pa.int64()
    assert schema.field("nofollow").type == pa.bool_()
    assert schema.field("links").type == pa.list_(text)
    assert schema.field("headings").type == pa.list_(pa.struct([("level", pa.int64()), ("text", text)]))
    assert schema.field("images").type == pa.list_(pa.struct([("url", text), ("alt", text)]))
    assert schema.field("article").type.get_field_index("author") >= 0
    assert {schema.field(name).type for name in (*OBJECTS, "url", "outcome", "published")} == {text}


def test_every_list_of_parts_has_names_for_them() -> None:
    """A field that is added needs some in `parquet.PARTS`, or its column would be JSON."""
    for name, hint in get_type_hints(Record).items():
        if "tuple" in str(hint):
            assert parquet.column_of(name).type != pa.string(), name


def test_row_groups_end_by_rows_and_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Record(url=f"https://a.example/{n}", outcome="ok", depth=n, text="x" * 1_000) for n in range(5_000)]
    journal, target = write_journal(tmp_path, records), tmp_path / "out.parquet"
    monkeypatch.setattr(parquet, "MAX_GROUP_ROWS", 2_000)
    export(journal, None, target)
    assert [2_000 <= rows < 3_000 for rows in group_rows(target)] == [True, True, False]
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 1_500_000)
    export(journal, None, target)
    rows = group_rows(target)
    assert sum(rows) == 5_000
    assert max(rows) < 2_000
    assert pyarrow.parquet.read_table(target)["depth"].to_pylist() == list(range(5_000))


def group_rows(path: Path) -> list[int]:
    metadata = pyarrow.parquet.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert {group.column(0).compression for group in groups} == {"ZSTD"}
    return [group.num_rows for group in groups]


# SQLite ----------------------------------------------------------------------------------------------------------

PAGES = [
    Record(
        url="https://a.example/", outcome="ok", status=200, depth=0, title="Harbour news", text="The ferry is late."
    ),
    Record(
        url="https://a.example/2", outcome="ok", status=200, depth=0, title="Weather", text="Rain.\nAt the harbour."
    ),
    Record(
        url="https://a.example/3", outcome="ok", status=200, depth=0, links=["https://a.example/", "https://b.example/"]
    ),
]


def database_of(folder: Path, records: Sequence[Record], fields: Sequence[str] = ()) -> sqlite3.Connection:
    export(write_journal(folder, records), None, folder / "out.db", select(fields))
    return sqlite3.connect(folder / "out.db")


def test_full_text_search_finds_words_of_title_and_text(tmp_path: Path) -> None:
    query = "SELECT url FROM search JOIN pages ON pages.id = search.rowid WHERE search MATCH ? ORDER BY id"
    with closing(database_of(tmp_path, PAGES)) as database:
        assert database.execute(query, ["harbour"]).fetchall() == [("https://a.example/",), ("https://a.example/2",)]
        assert database.execute(query, ["title: harbour"]).fetchall() == [("https://a.example/",)]
        assert database.execute(query, ['"ferry is"']).fetchall() == [("https://a.example/",)]
        assert database.execute(query, ["lighthouse"]).fetchall() == []
        assert database.execute("SELECT snippet(search, 1, '<', '>', '', 9) FROM search('rain')").fetchall() == [
            ("<Rain>.\nAt the harbour.",)
        ]


def test_the_index_agrees_with_the_pages_and_holds_no_second_copy(tmp_path: Path) -> None:
    with closing(database_of(tmp_path, PAGES)) as database:
        database.execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        assert "search_content" not in names


def test_links_are_found_from_either_end_by_an_index(tmp_path: Path) -> None:
    with closing(database_of(tmp_path, PAGES)) as database:
        assert database.execute("SELECT * FROM linked").fetchall() == [
            ("https://a.example/3", 0, "https://a.example/"),
            ("https://a.example/3", 1, "https://b.example/"),
        ]
        for query in (
            "SELECT url FROM linked WHERE target = ''",
            "SELECT target FROM linked WHERE url = ''",
            "SELECT id FROM pages WHERE status = 404",
            "SELECT id FROM pages WHERE outcome = 'failed'",
        ):
            plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
            assert not [step for step in plan if step.startswith("SCAN")], plan


def test_chosen_fields_make_only_the_tables_that_they_need(tmp_path: Path) -> None:
    def tables(*fields: str) -> set[str]:
        with closing(database_of(tmp_path, PAGES, fields)) as database:
            found = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type <> 'index'")}
        return {name for name in found if not name.startswith("search_")}

    assert tables("url", "status") == {"pages"}
    assert tables("title") == {"pages", "search"}
    assert tables("links") == {"pages", "links"}
    assert tables("links", "url") == {"pages", "links", "linked"}


# What a format cannot hold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".sqlite"])
def test_a_number_that_no_column_holds_is_told_and_the_old_file_stays(tmp_path: Path, suffix: str) -> None:
    # scenario 88
    journal, target = tmp_path / "records.jsonl", tmp_path / f"out{suffix}"
    journal.write_bytes(b'{"url":"u","outcome":"ok","depth":0,"bytes":99999999999999999999}\n')
    target.write_text("old")
    with pytest.raises(RunError, match=r"int64|SQLite INTEGER"):
        export(journal, None, target)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, journal.name]


def test_a_time_that_is_none_is_told(tmp_path: Path) -> None:
    journal = tmp_path / "records.jsonl"
    journal.write_bytes(b'{"url":"u","outcome":"ok","depth":0,"fetched_at":"yesterday"}\n')
    with pytest.raises(RunError, match=r"fetched_at.*yesterday"):
        export(journal, None, tmp_path / "out.parquet")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("damage", [b'{"url":"u","outcome":"ok","depth":0,"og":{"a":"\xff"}}\n', b"{}\n", b"\0\0\n"])
def test_a_damaged_line_stops_an_export_that_reads_it(tmp_path: Path, suffix: str, damage: bytes) -> None:
    # scenario 105
    journal = write_journal(tmp_path, RECORDS)
    journal.write_bytes(journal.read_bytes() + damage)
    with pytest.raises(RunError, match=r"is (no record|not UTF-8)"):
        export(journal, None, tmp_path / f"out{suffix}", select(["url", "outcome", "og"]))
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]


def test_a_field_of_a_later_version_is_never_dropped_in_silence(tmp_path: Path) -> None:
    journal = tmp_path / "records.jsonl"
    journal.write_bytes(msgspec.json.encode({"url": "u", "outcome": "ok", "depth": 0, "novelty": 1}) + b"\n")
    for suffix in (".csv", ".parquet", ".sqlite"):
        with pytest.raises(RunError, match="does not know: novelty"):
            export(journal, None, tmp_path / f"out{suffix}")

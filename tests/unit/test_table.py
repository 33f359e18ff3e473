"""Files made from a journal: whole, chosen outcomes, chosen fields; never half a file."""

from __future__ import annotations

import csv
import json
import os
import resource
import tracemalloc
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import RunError, UsageError
from crawler.export import table
from crawler.export.columns import FIELDS
from crawler.export.selection import select
from crawler.export.table import FORMATS
from crawler.models import Record, Request
from crawler.records import record_line

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


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(lines_of(RECORDS))
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def fault_of(error: type[Exception], *arguments: Any, **named: Any) -> str:
    with pytest.raises(error) as caught:
        export(*arguments, **named)
    return str(caught.value)


def others_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "records.jsonl")


# JSON lines ------------------------------------------------------------------------------------------------------


def test_a_whole_journal_goes_out_byte_for_byte(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert export(journal, None, target) == 4
    assert target.read_bytes() == journal.read_bytes()


def test_only_the_asked_outcome(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert export(journal, None, target, only=["ok"]) == 2
    assert [json.loads(line)["url"] for line in target.read_bytes().splitlines()] == [
        "https://a.example/",
        "https://a.example/3",
    ]
    assert export(journal, None, target, only=["quarantined"]) == 0
    assert target.read_bytes() == b""


def test_only_the_asked_fields_in_the_asked_order(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert export(journal, None, target, fields=["title", "url", "links"]) == 4
    first = target.read_bytes().splitlines()[0]
    assert first == b'{"title":"One","url":"https://a.example/","links":["https://a.example/2"]}'
    assert json.loads(target.read_bytes().splitlines()[3]) == {
        "title": None,
        "url": "https://b.example/",
        "links": None,
    }


def test_a_field_asked_twice_comes_once(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    export(journal, None, target, fields=["url", "status", "url"])
    assert target.read_bytes().splitlines()[0] == b"url,status"


# CSV -------------------------------------------------------------------------------------------------------------


def test_columns_are_those_of_a_record_in_its_order(journal: Path, tmp_path: Path) -> None:
    """Whatever the first record lacks, no column is missing and none moves."""
    target = tmp_path / "out.csv"
    assert export(journal, None, target) == 4
    assert target.read_bytes().split(b"\r\n")[0].decode().split(",") == list(Record.__struct_fields__)
    assert all(set(row) == set(FIELDS) for row in rows_of(target))


def test_cells_hold_text_numbers_and_json(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    export(journal, None, target)
    rows = rows_of(target)
    assert (rows[0]["title"], rows[0]["status"], rows[0]["error"]) == ("One", "200", "")
    assert json.loads(rows[0]["links"]) == ["https://a.example/2"]
    assert json.loads(rows[2]["headings"]) == [[1, 'x, "y"\r\nz']]
    assert rows[2]["nofollow"] == "false"


def test_csv_can_be_cut_to_fields_and_outcome(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert export(journal, None, target, fields=["status", "url"], only=["http_error"]) == 1
    assert target.read_bytes() == b"status,url\r\n404,https://a.example/2\r\n"


def test_an_empty_journal_gives_a_head_line(tmp_path: Path) -> None:
    journal, target = tmp_path / "records.jsonl", tmp_path / "out.csv"
    journal.touch()
    assert export(journal, None, target, fields=["url"]) == 0
    assert target.read_bytes() == b"url\r\n"


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(_TEXT, _TEXT, st.lists(_TEXT, max_size=3)), max_size=5))
def test_any_text_reads_back(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[str, str, list[str]]]
) -> None:
    """NUL becomes U+FFFD, because many readers end a cell there; all else comes back as it was."""
    # scenario 88
    folder = tmp_path_factory.mktemp("export")
    records = [Record(url=url, outcome="ok", depth=0, title=title, links=links) for url, title, links in contents]
    (folder / "records.jsonl").write_bytes(lines_of(records))
    export(folder / "records.jsonl", None, folder / "out.csv")
    rows = rows_of(folder / "out.csv")
    plain = [(url.replace("\0", "\ufffd"), title.replace("\0", "\ufffd"), links) for url, title, links in contents]
    assert [(row["url"], row["title"], json.loads(row["links"])) for row in rows] == plain


def test_numbers_beyond_64_bits_stay_what_they_are(tmp_path: Path) -> None:
    # scenario 88
    journal, target = tmp_path / "records.jsonl", tmp_path / "out.csv"
    journal.write_bytes(b'{"url":"u","outcome":"ok","bytes":123456789012345678901234567890}\n')
    export(journal, None, target, fields=["bytes"])
    assert target.read_bytes() == b"bytes\r\n123456789012345678901234567890\r\n"


def cells_of(data: bytes) -> list[list[str]]:
    """RFC 4180 read character by character, because the module that wrote a file should not be its only reader."""
    rows, row, cell, is_quoted = [], [], "", False
    text = iter(data.decode("utf-8"))
    for char in text:
        if is_quoted:
            if char != '"':
                cell += char
                continue
            char = next(text)
            if char == '"':
                cell += char
                continue
            is_quoted = False
        if char == '"':
            assert cell == ""
            is_quoted = True
        elif char == ",":
            row.append(cell)
            cell = ""
        elif char == "\r":
            assert next(text) == "\n"
            rows.append([*row, cell])
            row, cell = [], ""
        else:
            cell += char
    assert not is_quoted
    assert (row, cell) == ([], "")
    return rows


NASTY = [
    "a\u2028b\u2029c",
    "\x00",
    'q"q',
    "x,\ry\r\nz\n",
    "\ufeffmark",
    "\u202ereversed",
    "😀\x1b[2J",
    " ",
    ",",
    "\x85\x0c",
]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_what_a_format_could_stumble_over_is_read_by_another_reader(tmp_path: Path, suffix: str) -> None:
    """Line separators of Unicode, NUL, half pairs, marks, and numbers that no machine word holds."""
    # scenario 88
    lines = [record_line(Request("https://a.example/", "a.example", 1), "failed", error=text) for text in NASTY]
    lines.append(record_line(Request("https://a.example/", "a.example", 1), "failed", error="half \ud83d of a pair"))
    lines.append(b'{"url":"u","outcome":"ok","error":"big","bytes":99999999999999999999}\n')
    journal, target = tmp_path / "records.jsonl", tmp_path / f"out{suffix}"
    journal.write_bytes(b"".join(lines))
    assert export(journal, None, target, fields=["error", "bytes"]) == len(lines)
    expected = [(text, None) for text in NASTY] + [("half \ufffd of a pair", None), ("big", 99999999999999999999)]
    data = target.read_bytes()
    if suffix == ".csv":
        plain = [[text.replace("\0", "\ufffd"), str(number or "")] for text, number in expected]
        assert cells_of(data) == [["error", "bytes"], *plain]
    else:
        read = [json.loads(line) for line in data.decode("utf-8").split("\n")[:-1]]
        assert [(record["error"], record["bytes"]) for record in read] == expected


# Spreadsheets

STARTS = "=+-@\t\r\n＝＋－＠"
UNSEEN = (
    "",
    " ",
    "\u200b",
    "\ufeff",
    "\xa0",
    "\u2060\u200d",
    "\x1f",
    "\xad",
    "\u3164",
    "\u202e",
    "\ufe0f",
    "\U000e0041",
    "\u3000",
)


def safe_cells(tmp_path: Path, *titles: str) -> list[str]:
    journal, target = tmp_path / "records.jsonl", tmp_path / "out.csv"
    journal.write_bytes(lines_of([Record(url="u", outcome="ok", depth=0, title=title) for title in titles]))
    export(journal, None, target, fields=["title"], spreadsheet_safe=True)
    return [row[0] for row in cells_of(target.read_bytes())[1:]]


def test_a_formula_is_text_to_a_spreadsheet_whatever_stands_unseen_before_it(tmp_path: Path) -> None:
    # scenario 86
    titles = [f"{unseen}{start}1+1" for unseen in UNSEEN for start in STARTS]
    assert safe_cells(tmp_path, *titles) == [f"'{title}" for title in titles]


def test_every_character_that_shows_nothing_is_passed_over(tmp_path: Path) -> None:
    """Separators, controls and formats as the Unicode database has them."""
    # scenario 86
    kinds = ("Cc", "Cf", "Zs", "Zl", "Zp")
    titles = [f"{char}=1" for char in map(chr, range(1, 0x110000)) if unicodedata.category(char) in kinds]
    assert safe_cells(tmp_path, *titles) == [f"'{title}" for title in titles]


def test_other_text_and_numbers_are_as_they_were(tmp_path: Path) -> None:
    # scenario 86
    titles = ["plain", "a=b", "1-2", "'=quoted", " indented", "(=x)", "a\tb", "é-", "\u200bhidden", ""]
    assert safe_cells(tmp_path, *titles) == titles
    journal, target = tmp_path / "records.jsonl", tmp_path / "out.csv"
    journal.write_bytes(b'{"url":"=u","outcome":"ok","bytes":-5,"elapsed_ms":-1.5,"links":["=x"],"nofollow":true}\n')
    export(journal, None, target, fields=["url", "bytes", "elapsed_ms", "links", "nofollow"], spreadsheet_safe=True)
    assert cells_of(target.read_bytes())[1] == ["'=u", "-5", "-1.5", '["=x"]', "true"]


def test_without_the_option_and_in_other_formats_nothing_is_put_in_front(tmp_path: Path) -> None:
    # scenario 86
    journal = tmp_path / "records.jsonl"
    journal.write_bytes(lines_of([Record(url="u", outcome="ok", depth=0, title="=1+1")]))
    export(journal, None, tmp_path / "out.csv", fields=["title"])
    assert (tmp_path / "out.csv").read_bytes() == b"title\r\n=1+1\r\n"
    export(journal, None, tmp_path / "out.jsonl", fields=["title"], spreadsheet_safe=True)
    assert (tmp_path / "out.jsonl").read_bytes() == b'{"title":"=1+1"}\n'


def test_a_long_run_of_unseen_characters_costs_linear_work(tmp_path: Path) -> None:
    # scenarios 86, 94
    title = " \u200b" * 500_000 + "x"
    assert safe_cells(tmp_path, title) == [title]


def test_fields_that_are_not_known_are_never_dropped_in_silence(tmp_path: Path) -> None:
    journal, target = tmp_path / "records.jsonl", tmp_path / "out.csv"
    journal.write_bytes(b'{"url":"u","outcome":"ok","novelty":1}\n')
    assert "novelty" in fault_of(RunError, journal, None, target)
    assert export(journal, None, tmp_path / "out.jsonl") == 1


# The journal's end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_reading_stops_at_the_committed_length(journal: Path, tmp_path: Path, suffix: str) -> None:
    # scenario 106
    committed = len(lines_of(RECORDS[:3]))
    assert export(journal, committed, tmp_path / f"out{suffix}") == 3
    assert export(journal, 0, tmp_path / f"out{suffix}") == 0


def test_a_torn_last_line_is_left_out(journal: Path, tmp_path: Path) -> None:
    # scenario 106
    target = tmp_path / "out.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"url":"https://a.example/torn')
    assert export(journal, None, target) == 4
    assert target.read_bytes() == lines_of(RECORDS)


def test_a_journal_shorter_than_committed_is_refused(journal: Path, tmp_path: Path) -> None:
    # scenario 105
    message = fault_of(RunError, journal, journal.stat().st_size + 1, tmp_path / "out.csv")
    assert "verify" in message
    assert others_in(tmp_path) == []


def test_a_committed_length_inside_a_line_is_refused(journal: Path, tmp_path: Path) -> None:
    assert "inside a line" in fault_of(RunError, journal, 10, tmp_path / "out.jsonl")


@pytest.mark.parametrize("damage", [b"\0\0\0\0\n", b"{}\n", b"[1]\n", b'{"url":"\xff"}\n', b"not json\n"])
def test_a_damaged_line_is_refused(journal: Path, tmp_path: Path, damage: bytes) -> None:
    # scenario 105
    journal.write_bytes(journal.read_bytes() + damage)
    assert "verify" in fault_of(RunError, journal, None, tmp_path / "out.csv", only=["ok"])
    assert others_in(tmp_path) == []


def test_a_run_without_a_journal_is_named(tmp_path: Path) -> None:
    journal = tmp_path / "records.jsonl"
    assert (
        fault_of(RunError, journal, None, tmp_path / "out.csv") == f"cannot read {journal}: No such file or directory"
    )
    assert others_in(tmp_path) == []


# The target ------------------------------------------------------------------------------------------------------


def test_suffixes_have_no_case(journal: Path, tmp_path: Path) -> None:
    assert export(journal, None, tmp_path / "OUT.CSV", fields=["url"]) == 4


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.gz", "out.parquet.gz", ".csv", ".csv.gz"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(journal: Path, tmp_path: Path, name: str) -> None:
    message = fault_of(UsageError, journal, None, tmp_path / name)
    assert all(suffix in message for suffix in FORMATS)


def test_an_unknown_field_or_outcome_is_named(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    assert "'titel'" in fault_of(UsageError, journal, None, target, fields=["url", "titel"])
    assert "'okay'" in fault_of(UsageError, journal, None, target, only=["okay"])
    assert not target.exists()


def test_an_old_file_is_replaced_and_nothing_else_is_left(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    export(journal, None, target)
    assert target.read_bytes() == journal.read_bytes()
    assert others_in(tmp_path) == ["out.jsonl"]


def test_an_old_file_outlives_an_export_that_fails(journal: Path, tmp_path: Path) -> None:
    # scenario 84
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    journal.write_bytes(journal.read_bytes() + b"damage\n")
    fault_of(RunError, journal, None, target, fields=["url"])
    assert target.read_text() == "old"
    assert others_in(tmp_path) == ["out.jsonl"]


@pytest.mark.parametrize("make", [os.link, os.symlink, lambda source, target: None])
def test_the_journal_is_never_its_own_target(journal: Path, tmp_path: Path, make: Callable[[Path, Path], None]) -> None:
    target = tmp_path / "out.jsonl"
    make(journal, target)
    before = journal.read_bytes()
    fault_of(UsageError, journal, None, target if target.exists() else journal, only=["ok"])
    assert journal.read_bytes() == before


def test_a_folder_is_no_target(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").mkdir()
    assert "folder" in fault_of(UsageError, journal, None, tmp_path / "out.csv")


def test_a_target_in_no_folder_is_refused(journal: Path, tmp_path: Path) -> None:
    target = tmp_path / "none" / "out.csv"
    assert fault_of(UsageError, journal, None, target) == f"cannot write {target}: there is no folder {target.parent}"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_is_told_and_leaves_nothing(journal: Path, tmp_path: Path, suffix: str) -> None:
    """A limit on the size of files stands for the disk."""
    # scenario 101
    target = tmp_path / f"out{suffix}"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        message = fault_of(RunError, journal, None, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    reason = "disk I/O error" if suffix in (".sqlite", ".db") else "File too large"
    assert message == f"{target} could not be written: {reason}"
    assert others_in(tmp_path) == []


def test_a_link_planted_at_the_temporary_name_is_not_followed(journal: Path, tmp_path: Path) -> None:
    # scenario 83
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / ".out.jsonl.part").symlink_to(victim)
    export(journal, None, tmp_path / "out.jsonl")
    assert victim.read_text() == "untouched"
    assert not (tmp_path / "out.jsonl").is_symlink()


@pytest.mark.parametrize("suffix", FORMATS)
def test_memory_does_not_grow_with_the_journal(tmp_path: Path, suffix: str) -> None:
    journal = tmp_path / "records.jsonl"
    line = lines_of([Record(url="https://a.example/", outcome="ok", depth=0, text="x" * 20_000)])
    with journal.open("wb") as file:
        file.writelines([line] * 2_000)
    tracemalloc.start()
    try:
        export(journal, None, tmp_path / f"out{suffix}", fields=["url", "text"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < journal.stat().st_size / 10

"""CSV: read by other readers, and harmless to a spreadsheet if that is asked for."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.export.columns import FIELDS
from crawler.models import Record, Request
from crawler.records import record_line
from tests.unit.export.exporting import RECORDS, export, lines_of, rows_of


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(lines_of(RECORDS))
    return path


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

"""Files made from a journal: whole, chosen outcomes, chosen fields; never half a file."""

from __future__ import annotations

import json
import os
import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.errors import RunError, UsageError
from crawler.export.formats import FORMATS
from crawler.models import Record
from tests.unit.export.exporting import RECORDS, export, fault_of, lines_of, others_in


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(lines_of(RECORDS))
    return path


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


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_journal_from_before_a_field_was_there_is_read_with_null_for_it(suffix: str, tmp_path: Path) -> None:
    line = json.loads(lines_of(RECORDS[:1]))
    del line["charset_source"]
    (tmp_path / "records.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    target = tmp_path / f"out{suffix}"
    assert export(tmp_path / "records.jsonl", None, target, fields=["url", "charset_source"]) == 1
    told = {".csv": f"{line['url']},", ".jsonl": f'{{"url":"{line["url"]}","charset_source":null}}'}
    assert target.read_text(encoding="utf-8").splitlines()[-1] == told[suffix]

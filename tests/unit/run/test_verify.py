"""`verify` finds nothing wrong with a good run, however it was left, and says so as a command."""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from zlib import crc32

import pytest

from crawler.cli import Parser
from crawler.commands import verify as command
from crawler.errors import DamageError, RunError
from crawler.records import record_line
from crawler.run import verify
from crawler.settings.file import render
from crawler.settings.groups import Settings, SiteSettings
from crawler.store import snapshot
from crawler.store.base import ALL_SHARDS, Done, Output
from crawler.store.sqlite import SqliteStore
from tests.unit.made_run import MadeRun, alter, done, found, full_run
from tests.unit.run.damage import flip

NOBODY = 65_534  # a user that owns nothing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good run that has ended."""
    return full_run(tmp_path / "run").close()


# Good runs


def test_a_good_run_has_no_fault(folder: Path) -> None:
    findings = verify.examine(folder)
    assert findings == verify.Verification([], records=10, urls=13)
    assert verify.verify(folder) == []


def test_a_run_that_has_hardly_begun_is_good(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "run")
    assert verify.verify(run.folder) == []
    run.commit(groups=[found("http://a.example/", are_seeds=True)])
    assert verify.verify(run.folder) == []
    run.close()


def test_a_crawl_may_go_on_beside_it(tmp_path: Path) -> None:
    """What is committed counts; what is appended and not yet committed does not, torn or whole."""
    run = full_run(tmp_path / "run")
    run.journal.append([b'{"url":"http://a.example/9","outcome":"ok","depth":1}\n', b'{"url":"htt'])
    assert verify.examine(run.folder) == verify.Verification([], records=10, urls=13)
    run.close()


def test_a_commit_during_the_check_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = full_run(tmp_path / "run")
    (last,) = run.store.take("a.example", 0, 1)
    attach = snapshot.attach

    def attach_then_commit(db: sqlite3.Connection, state: Path) -> None:
        attach(db, state)
        run.commit([done(last, "ok")], [found("http://d.example/")])

    monkeypatch.setattr(snapshot, "attach", attach_then_commit)
    assert verify.examine(run.folder) == verify.Verification([], records=10, urls=13)
    monkeypatch.undo()
    assert verify.examine(run.folder) == verify.Verification([], records=11, urls=14)
    run.close()


def test_what_a_killed_crawl_leaves_is_good(tmp_path: Path) -> None:
    """Its last commits stand in the write-ahead log only, and its journal has a torn end."""
    # scenario 103
    run = full_run(tmp_path / "run")
    run.journal.append([b'{"url":'])
    left = tmp_path / "left"
    left.mkdir()
    for name in ("run.toml", "state.sqlite", "state.sqlite-wal", "records.jsonl"):
        shutil.copy(run.folder / name, left)
    run.close()
    assert verify.examine(left) == verify.Verification([], records=10, urls=13)


def test_checking_changes_neither_state_nor_outputs(folder: Path) -> None:
    # scenario 108
    names = ("run.toml", "state.sqlite", "records.jsonl")
    before = [(folder / name).read_bytes() for name in names]
    verify.verify(folder)
    assert [(folder / name).read_bytes() for name in names] == before


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_may_only_be_read_can_be_checked(folder: Path) -> None:
    # scenario 108
    folder.chmod(0o555)
    try:
        assert verify.verify(folder) == []
    finally:
        folder.chmod(0o755)


def test_a_folder_whose_name_looks_like_a_uri_can_be_checked(tmp_path: Path) -> None:
    folder = full_run(tmp_path / "run?mode=memory&x=%41#1 ü").close()
    assert verify.examine(folder) == verify.Verification([], records=10, urls=13)


def test_a_suspect_of_a_crash_may_be_out_of_its_queue(tmp_path: Path) -> None:
    # scenario 109
    run = full_run(tmp_path / "run")
    (request,) = run.store.take("a.example", 0, 9)
    run.store.charge([request.seq])
    assert run.store.take_over(ALL_SHARDS, 1).suspects == [request]
    assert verify.verify(run.folder) == []
    run.close()


def test_revived_urls_are_pending_again(tmp_path: Path) -> None:
    run = full_run(tmp_path / "run")
    assert run.store.revive(["depth"]) == 1
    assert verify.verify(run.folder) == []
    run.close()


def test_an_output_that_is_no_journal_is_checked_byte_by_byte(tmp_path: Path) -> None:
    run = full_run(tmp_path / "run")
    data = b"\x1f\x8b\n\n\xff" * 9
    (run.folder / "pages.warc.gz").write_bytes(data + b"not committed")
    run.store.commit([], [], [Output("pages.warc.gz", 0, len(data), crc32(data), 3)])
    folder = run.close()
    assert verify.verify(folder) == []
    flip(folder / "pages.warc.gz", len(data) - 1)
    assert verify.verify(folder) == [
        "pages.warc.gz, bytes 0 to 45 (batch 5): the checksum is not that of what was committed"
    ]


# The command


def parsed(*arguments: str) -> argparse.Namespace:
    parser = Parser()
    command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_command_says_that_all_is_good(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(parsed(str(folder))) == 0
    assert capsys.readouterr().out == f"{folder}: 10 records, 13 URLs, all good\n"


def test_the_command_lists_faults_and_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(folder, "DELETE FROM pending")
    assert command.run(parsed(str(folder))) == 1
    assert capsys.readouterr().out == (
        "state.sqlite: http://a.example/9 (row 13 of details) is pending, but in no queue\n"
        f"{folder}: 10 records, 13 URLs, not as promised\n"
        f"If it is the state: crawler verify {folder} --repair makes it anew of the records.\n"
    )


def test_the_command_makes_a_damaged_state_anew_and_keeps_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.toml").write_text(render(Settings(site=(SiteSettings(url="http://a.example/"),))))
    alter(folder, "DELETE FROM pending", "UPDATE details SET url = 'http://a.example/other' WHERE outcome = 0")
    assert command.run(parsed(str(folder), "--repair")) == 0
    said = capsys.readouterr().out
    assert "The state was made anew: 10 records, 1 URL still to be fetched.\n" in said
    assert f"The damaged one is kept as {folder}/state.damaged.sqlite.\n" in said
    assert said.endswith("all good\n")


def test_the_newest_run_is_taken_if_none_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.parent / "data").mkdir()
    folder.rename(folder.parent / "data" / "newest")
    monkeypatch.chdir(folder.parent)
    assert command.run(parsed()) == 0
    assert capsys.readouterr().out == "data/newest: 10 records, 13 URLs, all good\n"


def test_a_line_that_a_store_committed_twice_is_found(tmp_path: Path) -> None:
    """Not damage but a fault of the crawler: everything matches, and still a URL has two records."""
    run = full_run(tmp_path / "run")
    (request,) = run.store.take("a.example", 0, 9)
    line = record_line(request, "ok")
    run.commit([done(request, "ok"), Done(request, "ok", None, line)])
    faults = verify.verify(run.close())
    assert any("records.jsonl has 2 records of http://a.example/9," in fault for fault in faults)


def test_the_store_can_still_be_opened_after_a_check(folder: Path) -> None:
    verify.verify(folder)
    SqliteStore(folder / "state.sqlite", is_new=False).close(is_clean=True)
    assert verify.verify(folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_another_user_may_not_read_is_no_damage() -> None:
    """Whoever may read the outputs can check them, run.toml aside, which may hold secrets; the rest is told."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = full_run(Path(place) / "run").close()
        folder.chmod(0o755)
        try:
            os.seteuid(NOBODY)
            assert verify.verify(folder) == []
            os.seteuid(0)
            (folder / "records.jsonl").chmod(0o600)
            os.seteuid(NOBODY)
            with pytest.raises(RunError, match=r"cannot read .*records\.jsonl: permission denied") as caught:
                verify.verify(folder)
        finally:
            os.seteuid(0)
    assert not isinstance(caught.value, DamageError)

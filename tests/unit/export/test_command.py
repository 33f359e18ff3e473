"""Exports as they are asked for and as they end: options, standard output, what is missing, kills, memory."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest

from crawler.cli import main
from crawler.export import sqlite
from crawler.export.formats import FORMATS
from crawler.models import Record
from crawler.records import line_of
from tests.unit.made_run import MadeRun, done, found

ROOT = Path(__file__).parents[3]
RECORDS = [
    Record(url="https://a.example/", outcome="ok", status=200, depth=0, title="One", og={"type": "article"}),
    Record(url="https://a.example/2", outcome="http_error", status=404, depth=1),
    Record(url="https://a.example/3", outcome="ok", status=200, depth=1),
    Record(url="https://b.example/", outcome="failed", error="dns_not_found", depth=0),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that has lost its state."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.toml").touch()
    (folder / "records.jsonl").write_bytes(b"".join(line_of(record) for record in RECORDS))
    return folder


def exported(*arguments: object) -> int:
    return main(["export", *map(str, arguments)])


# Options ---------------------------------------------------------------------------------------------------------


def test_one_call_writes_several_formats(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = [tmp_path / f"out{suffix}" for suffix in FORMATS]
    assert exported(run, *targets) == 0
    assert all(target.stat().st_size for target in targets)
    assert capsys.readouterr().err == "".join(f"{target}: 4 records\n" for target in targets)


def test_outcomes_fields_and_filters_count_for_every_format(run: Path, tmp_path: Path) -> None:
    def export_to(name: str, *options: str) -> Path:
        assert exported(run, tmp_path / name, *options) == 0
        return tmp_path / name

    both = ["--only", "failed", "--only", "http_error", "--fields", "status, url"]
    expected = [(404, "https://a.example/2"), (None, "https://b.example/")]
    rows = json.loads(b"[%s]" % b",".join(gzip.open(export_to("a.jsonl.gz", *both)).read().splitlines()))
    assert [tuple(row.items()) for row in rows] == [(("status", a), ("url", b)) for a, b in expected]
    table = pyarrow.parquet.read_table(export_to("a.parquet", *both))
    assert [tuple(row.values()) for row in table.to_pylist()] == expected
    database = sqlite3.connect(export_to("a.db", *both))
    assert database.execute("SELECT status, url FROM pages").fetchall() == expected
    database.close()
    filters = ["--where", "status = 200 and depth >= 0", "--where", "og.type", "--fields", "title"]
    rows = list(csv.reader(export_to("a.csv", *filters).read_text().splitlines()))
    assert rows == [["title"], ["One"]]


def test_a_minus_is_json_lines_on_standard_output(run: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert exported(run, "-", "--where", "status = 404", "--fields", "url,title") == 0
    assert capfdbinary.readouterr() == (b'{"url":"https://a.example/2","title":null}\n', b"-: 1 record\n")


def test_a_journal_that_changed_since_it_was_written_is_told_with_who_finds_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The export is made all the same: one byte need not make the rest worthless."""
    made = MadeRun(tmp_path / "run")
    (first,) = made.commit(groups=[found("https://a.example/", are_seeds=True)])
    made.commit([done(first, "failed", "refused")])
    made.close()
    assert exported(made.folder, tmp_path / "a.csv") == 0
    assert capsys.readouterr().err == f"{tmp_path}/a.csv: 1 record\n"
    journal = made.folder / "records.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"refused", b"refuted"))
    assert exported(made.folder, tmp_path / "a.csv") == 0
    said = capsys.readouterr().err
    assert "warning: 1 commit to " in said
    assert f"`crawler verify {made.folder}` tells where" in said


def test_a_reader_that_leaves_early_is_no_crash(run: Path) -> None:
    with (run / "records.jsonl").open("ab") as journal:
        journal.writelines([line_of(RECORDS[0])] * 2_000)
    command = [sys.executable, "-m", "crawler", "export", str(run), "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline().startswith(b'{"url":"https://a.example/"')
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait() == 3


def test_nothing_is_written_unless_all_that_is_asked_for_makes_sense(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, words in (
        (["b.txt"], ".parquet, .sqlite, .db"),
        (["--only", "okay"], "'okay'"),
        (["--fields", "titel"], "'titel'"),
        (["--where", "status >"], "no value at character 9"),
    ):
        assert exported(run, tmp_path / "a.csv", *arguments) == 2
        told = capsys.readouterr().err
        assert words in told
        assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["state.sqlite", "../run/state.sqlite", "records.jsonl"])
def test_the_run_itself_is_no_target(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run / "records.jsonl").read_bytes()
    assert exported(run, run / name) == 2
    assert "the run's own" in capsys.readouterr().err
    assert sorted(path.name for path in run.iterdir()) == ["records.jsonl", "run.toml"]
    assert (run / "records.jsonl").read_bytes() == before


# What is missing -------------------------------------------------------------------------------------------------


def test_without_pyarrow_parquet_is_refused_before_the_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    target = tmp_path / "out.parquet"
    assert main(["crawl", "http://127.0.0.1:8099/", "--run", str(tmp_path / "new"), "-o", str(target)]) == 2
    assert capsys.readouterr().err == (
        f"crawler: {target} needs pyarrow, which is not installed: pip install pyarrow\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_without_full_text_search_a_database_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def connect(path: str) -> sqlite3.Connection:
        connection = sqlite3.Connection(path)
        connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_CREATE_VTABLE else sqlite3.SQLITE_OK
        )
        return connection

    assert sqlite.has_full_text_search()
    monkeypatch.setattr("crawler.export.sqlite.sqlite3.connect", connect)
    assert exported(run, tmp_path / "out.db") == 2
    assert "FTS5" in capsys.readouterr().err
    assert not (tmp_path / "out.db").exists()


# Kills and memory ------------------------------------------------------------------------------------------------

STOPS_BEFORE_RENAME = """
import signal, sys

def stop(event, arguments):
    if event == "os.rename":
        print("written", flush=True)
        signal.pause()

from crawler.cli import main
sys.addaudithook(stop)
main(["export", *sys.argv[1:]])
"""


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_kill_leaves_the_old_file_or_none_and_the_next_export_clears_up(
    run: Path, tmp_path: Path, suffix: str
) -> None:
    """Killed at the last moment, when all is written; nothing has the final name before."""
    # scenarios 84, 103
    new, old = tmp_path / f"new{suffix}", tmp_path / f"old{suffix}"
    old.write_bytes(b"old")
    for target in (new, old):
        command = [sys.executable, "-c", STOPS_BEFORE_RENAME, str(run), str(target)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"written\n"
            child.kill()
    assert not new.exists()
    assert old.read_bytes() == b"old"
    assert exported(run, new, old) == 0
    assert new.read_bytes() == old.read_bytes() != b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, old.name, "run"]


MEASURES_MEMORY = """
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from crawler.export import parquet
from crawler.export.formats import export

parquet.MAX_GROUP_BYTES = 4 * 1024 * 1024
export(Path(sys.argv[1]), None, Path(sys.argv[2]))
print(getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.parametrize("suffix", [".jsonl.zst", ".csv.gz", ".parquet", ".sqlite"])
def test_memory_follows_the_bounds_and_not_the_journal(tmp_path: Path, suffix: str) -> None:
    """Five times the records take less than half of what the journal has grown by, though row groups are small here."""
    peaks, sizes = [], []
    for count in (6_000, 30_000):
        journal = tmp_path / "records.jsonl"
        with journal.open("wb") as file:
            for number in range(count):
                url, text = f"https://a.example/{number}", f"word {number} " * 150
                links = [f"{url}/{link}" for link in range(10)]
                file.write(line_of(Record(url=url, outcome="ok", depth=0, title=url, text=text, links=links)))
        sizes.append(journal.stat().st_size)
        command = [sys.executable, "-c", MEASURES_MEMORY, journal, tmp_path / f"out{suffix}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < (sizes[1] - sizes[0]) / 2

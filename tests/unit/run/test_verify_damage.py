"""`verify` names every damage to a run's outputs and its state."""

from __future__ import annotations

import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import RunError
from crawler.log.terminal import printable
from crawler.run import verify
from crawler.store import snapshot
from tests.unit.made_run import MadeRun, alter, done, found, full_run
from tests.unit.run.damage import Damage, batches_of, flip, journal_of, rewrite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good run that has ended."""
    return full_run(tmp_path / "run").close()


# Damaged outputs


def test_every_flipped_byte_of_the_journal_is_found(folder: Path) -> None:
    # scenario 105
    path = journal_of(folder)
    good = path.read_bytes()
    places = random.Random(1).sample(range(len(good)), 60)
    for place in places:
        flip(path, place, 1 << place % 8)
        (number, start, length) = next(row for row in batches_of(folder) if row[1] <= place < row[1] + row[2])
        expected = f"records.jsonl, bytes {start:,} to {start + length:,} (batch {number}): the checksum"
        assert any(fault.startswith(expected) for fault in verify.verify(folder)), place
        path.write_bytes(good)
    assert verify.verify(folder) == []


def test_every_cut_of_the_journal_is_found(folder: Path) -> None:
    # scenario 105
    path = journal_of(folder)
    good = path.read_bytes()
    for size in (0, 1, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:size])
        faults = verify.verify(folder)
        assert faults[0] == f"records.jsonl has {size:,} bytes of {len(good):,} that were committed"
        assert any("records.jsonl has no record of http://a.example/8 " in fault for fault in faults)


def remove_journal(folder: Path) -> None:
    journal_of(folder).unlink()


def journal_is_a_folder(folder: Path) -> None:
    journal_of(folder).unlink()
    journal_of(folder).mkdir()


def append_a_copy(lines: list[bytes]) -> list[bytes]:
    return [*lines, lines[0]]


def drop_one(lines: list[bytes]) -> list[bytes]:
    assert b"http://a.example/1" in lines[4]
    return lines[:4] + lines[5:]


def break_one(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3][:9] + b"\n", *lines[4:]]


def join_two(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3][:-1] + lines[4], *lines[5:]]


def no_line_end(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:-1]]


def add_a_stranger(lines: list[bytes]) -> list[bytes]:
    return [*lines, b'{"url":"http://a.example/\\u001b[31m","outcome":"ok","depth":0}\n']


def add_one_of_an_unknown_host(lines: list[bytes]) -> list[bytes]:
    return [*lines, b'{"url":"http://z.example/","outcome":"ok","depth":0}\n']


def add_one_that_is_pending(lines: list[bytes]) -> list[bytes]:
    return [*lines, b'{"url":"http://a.example/9","outcome":"ok","depth":0}\n']


def add_one_that_was_never_asked_for(lines: list[bytes]) -> list[bytes]:
    return [*lines, b'{"url":"http://a.example/4","outcome":"skipped","depth":0}\n']


def say_another_outcome(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"outcome":"ok"', b'"outcome":"failed"'), *lines[1:]]


def say_no_known_outcome(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"outcome":"ok"', b'"outcome":"fine"'), *lines[1:]]


def name_no_url(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b"http://a.example/", b"a.example"), *lines[1:]]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            remove_journal,
            r"records\.jsonl cannot be read: No such file or directory; [\d,]+ bytes of it were committed",
        ),
        (journal_is_a_folder, r"records\.jsonl cannot be read: Is a directory; [\d,]+ bytes of it were committed"),
        (rewrite(append_a_copy), r"records\.jsonl has 2 records of http://a\.example/, the first at byte 0, the last"),
        (
            rewrite(drop_one),
            r"records\.jsonl has no record of http://a\.example/1 \(row 5 of details\), which is http_",
        ),
        (rewrite(break_one), r"records\.jsonl: the line at byte [\d,]+ is no record: JSON is malformed: invalid char"),
        (rewrite(break_one), r"records\.jsonl has no record of http://a\.example/0 \(row 4 of details\), which is ok"),
        (rewrite(join_two), r"records\.jsonl: the line at byte [\d,]+ is no record: JSON is malformed"),
        (rewrite(no_line_end), r"records\.jsonl: the line at byte [\d,]+ is no record: it has no end"),
        (rewrite(add_a_stranger), r"the record of http://a\.example/\\x1b\[31m at byte [\d,]+ is of a URL that state"),
        (rewrite(add_one_of_an_unknown_host), r"the record of http://z\.example/ at byte [\d,]+ is of a URL that sta"),
        (
            rewrite(add_one_that_is_pending),
            r"the record of http://a\.example/9 at byte [\d,]+ says ok, .* says pending",
        ),
        (rewrite(add_one_that_was_never_asked_for), r"the record of http://a\.example/4 at byte [\d,]+ is not due"),
        (
            rewrite(say_another_outcome),
            r"the record of http://a\.example/ at byte 0 says failed, state\.sqlite says ok",
        ),
        (rewrite(say_no_known_outcome), r"the line at byte 0 is no record: Invalid enum value 'fine'"),
        (rewrite(name_no_url), r"the line at byte 0 is no record"),
    ],
)
def test_a_damaged_journal_is_named(folder: Path, damage: Damage, fault: str) -> None:
    damage(folder)
    faults = verify.verify(folder)
    assert any(re.search(fault, each) for each in faults), faults


def test_a_line_that_was_copied_into_the_journal_is_found(folder: Path) -> None:
    lines = journal_of(folder).read_bytes().splitlines(keepends=True)
    journal_of(folder).write_bytes(b"".join([lines[0], *lines]))
    faults = verify.verify(folder)
    assert any("the checksum is not that of what was committed" in fault for fault in faults)
    assert any("records.jsonl has 2 records of http://a.example/," in fault for fault in faults)


# A damaged store

ZERO = r"records\.jsonl: the record of http://a\.example/0 at byte [\d,]+ "


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM details WHERE seq = 4", ZERO + r"is of a URL that state\.sqlite does not know"),
        ("DELETE FROM details WHERE seq = 4", r"urls has the fingerprint -?\d+ of host 1, row 4 of details does not"),
        ("DELETE FROM details WHERE seq = 4", r"state\.sqlite counts 3 URLs as ok, but holds 2"),
        ("DELETE FROM details WHERE seq = 13", r"row 13 of details is queued for host 1, but not pending there"),
        ("UPDATE details SET url = 'http://a.example/x' WHERE seq = 4", r"http://a\.example/x \(row 4 of .* no row of"),
        (
            "UPDATE details SET url = CAST(url AS BLOB) WHERE seq = 4",
            r"/0 \(row 4 of details\) has no row of its own in",
        ),
        (
            "UPDATE details SET url = X'ff61' WHERE seq = 4",
            r"\\xffa \(row 4 of details\) has no row of its own in urls",
        ),
        (
            "UPDATE details SET url = 'http://a.example/0' WHERE seq = 5",
            r"/0 \(row 5 of details\) has no row of its own",
        ),
        (
            "UPDATE details SET host = 2 WHERE seq = 4",
            r"http://a\.example/0 \(row 4 of details\) has no row of its own",
        ),
        ("UPDATE details SET outcome = 3 WHERE seq = 4", ZERO + r"says ok, state\.sqlite says failed"),
        (
            "UPDATE details SET outcome = 99 WHERE seq = 4",
            r"/0 \(row 4 of details\) has the outcome 99, which there is",
        ),
        ("UPDATE details SET outcome = 'ok' WHERE seq = 4", r"/0 \(row 4 of details\) has the outcome 'ok', which the"),
        ("UPDATE details SET outcome = 6 WHERE seq = 4", r"/0 \(row 4 of details\) is pending, but in no queue"),
        ("UPDATE details SET attempts = 0 WHERE seq = 6", r"record of http://a\.example/2 at byte [\d,]+ is not due"),
        (
            "UPDATE details SET attempts = 1 WHERE seq = 8",
            r"no record of http://a\.example/4 .*, which is skipped in st",
        ),
        ("UPDATE details SET is_seed = 1 WHERE seq = 9", r"no record of http://a\.example/5 .*, which is failed in st"),
        ("DELETE FROM urls WHERE seq = 4", r"http://a\.example/0 \(row 4 of details\) has no row of its own in urls"),
        ("UPDATE urls SET seq = 5 WHERE seq = 4", r"/0 \(row 4 of details\) has no row of its own in urls"),
        ("UPDATE urls SET seq = 5 WHERE seq = 4", r"urls has the fingerprint -?\d+ of host 1, row 5 of details does n"),
        ("INSERT INTO urls VALUES (2, 17, 99)", r"urls has the fingerprint 17 of host 2, row 99 of details does not"),
        ("DELETE FROM pending", r"http://a\.example/9 \(row 13 of details\) is pending, but in no queue"),
        ("UPDATE pending SET host = 2", r"http://a\.example/9 \(row 13 of details\) is queued for host 2, but not pen"),
        ("INSERT INTO pending VALUES (1, 4)", r"http://a\.example/0 \(row 4 of details\) is queued for host 1, but no"),
        ("INSERT INTO pending VALUES (1, 99)", r"row 99 of details is queued for host 1, but not pending there"),
        ("UPDATE counts SET urls = 7 WHERE outcome = 0", r"state\.sqlite counts 7 URLs as ok, but holds 3"),
        ("DELETE FROM counts WHERE outcome = 6", r"state\.sqlite counts None URLs as pending, but holds 1"),
        ("DELETE FROM hosts WHERE id = 1", r"host 1 has no row, but has 11 URLs such as http://a\.example/"),
        ("UPDATE hosts SET key = 'x' WHERE id = 2", r"host 2 is named 'x', but has 1 URLs such as http://b\.example:8"),
        (
            "DELETE FROM batches WHERE id = 3",
            r"batch 4 of records\.jsonl leaves a gap: it begins at byte [\d,]+, not at",
        ),
        ("DELETE FROM batches WHERE id = 4", r"the batches of records\.jsonl end at byte [\d,]+, not at [\d,]+, its c"),
        ("DELETE FROM batches", r"the batches of records\.jsonl end at byte 0, not at [\d,]+, its committed length"),
        ("UPDATE batches SET offset = offset - 9 WHERE id = 3", r"batch 3 of .* overlaps what came before"),
        (
            "UPDATE batches SET id = 9 WHERE id = 2",
            r"batch 3 of records\.jsonl leaves a gap: it begins at byte [\d,]+, no",
        ),
        (
            "UPDATE batches SET length = length + 1 WHERE id = 4",
            r"end at byte ([\d,]+), not at [\d,]+, its committed l",
        ),
        (
            "UPDATE batches SET crc32 = crc32 + 1 WHERE id = 3",
            r"bytes [\d,]+ to [\d,]+ \(batch 3\): the checksum is not",
        ),
        ("UPDATE batches SET records = 9 WHERE id = 3", r"\(batch 3\): there are 3 records of 9 that were committed"),
        (
            "UPDATE batches SET length = 'x' WHERE id = 3",
            r"has a batch of records\.jsonl whose numbers cannot be: \(3,",
        ),
        ("UPDATE batches SET offset = -1 WHERE id = 3", r"has a batch of records\.jsonl whose numbers cannot be: \(3,"),
        ("UPDATE outputs SET length = length - 9", r"the batches of records\.jsonl end at byte [\d,]+, not at [\d,]+"),
        ("UPDATE outputs SET length = length + 9", r"records\.jsonl has [\d,]+ bytes of [\d,]+ that were committed"),
        ("UPDATE outputs SET length = 1 << 60", r"records\.jsonl has [\d,]+ bytes of [\d,]+ that were committed"),
        ("UPDATE outputs SET length = 'x'", r"names an output 'records\.jsonl' of 'x' bytes, which cannot be"),
        (
            "UPDATE outputs SET name = '../records.jsonl'",
            r"names an output '\.\./records\.jsonl' of \d+ bytes, which ca",
        ),
        (
            "DELETE FROM outputs",
            r"no record of http://a\.example/8 \(row 12 of details\), which is http_error in state",
        ),
        ("DELETE FROM meta WHERE key = 'epoch'", r"state\.sqlite has no row 'epoch' with a number in meta"),
        ("DROP TABLE pending", r"state\.sqlite cannot be read: no such table: state\.pending"),
        ("PRAGMA user_version = 99", r"state\.sqlite cannot be read: it has the format 99, this crawler reads 2"),
        ("PRAGMA application_id = 0", r"state\.sqlite cannot be read: it does not carry the mark of a crawler's state"),
    ],
)
def test_a_store_at_odds_with_itself_or_its_outputs_is_named(folder: Path, statement: str, fault: str) -> None:
    alter(folder, statement)
    faults = verify.verify(folder)
    assert any(re.search(fault, each) for each in faults), faults


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (None, "state.sqlite cannot be read: it is missing"),
        (b"", "state.sqlite cannot be read: it does not carry the mark of a crawler's state"),
        (b"no database" * 999, "state.sqlite cannot be read: file is not a database"),
    ],
)
def test_a_lost_state_is_named_and_the_records_that_are_left_are_counted(
    folder: Path, data: bytes | None, fault: str
) -> None:
    # scenario 105
    (folder / "state.sqlite").unlink()
    if data is not None:
        (folder / "state.sqlite").write_bytes(data)
    with journal_of(folder).open("ab") as journal:
        journal.write(b'{"url":"http://torn')
    assert verify.examine(folder) == verify.Verification([fault], records=10, urls=0)


def test_with_a_lost_state_copies_of_records_are_still_found(folder: Path) -> None:
    (folder / "state.sqlite").unlink()
    with journal_of(folder).open("ab") as journal:
        journal.write(b'{"url":"http://a.example/0","outcome":"ok","depth":0}\n{}\n')
    faults = "\n".join(verify.verify(folder))
    assert "records.jsonl has 2 records of http://a.example/0," in faults
    assert "is no record: Object missing required field" in faults


def test_a_folder_without_anything_is_named_file_by_file(tmp_path: Path) -> None:
    faults = "\n".join(verify.verify(tmp_path))
    assert "run.toml: No such file" in faults
    assert "state.sqlite cannot be read: it is missing" in faults
    assert "records.jsonl cannot be read: No such file" in faults


@pytest.mark.parametrize("text", ["[fetch]\nconcurrency = 'x", "[fetch]\nno_such_key = 1\n"])
def test_damaged_settings_are_named(folder: Path, text: str) -> None:
    (folder / "run.toml").write_text(text)
    (fault,) = verify.verify(folder)
    assert "run.toml" in fault


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A good run whose tables have many pages."""
    run = MadeRun(tmp_path / "large")
    links = [f"http://{number % 7}.example/{number:04}/{'x' * 60}" for number in range(700)]
    requests = run.commit(groups=[found(*links)])
    run.commit([done(request, "ok") for request in requests[:400]])
    return run.close()


def test_no_damage_to_the_state_is_more_than_sentences(large: Path) -> None:
    """Bytes are overwritten anywhere, whole pages are zeroed: what can be told is told, and nothing is raised."""
    # scenario 105
    path = large / "state.sqlite"
    good, dice = path.read_bytes(), random.Random(7)
    named = 0
    for _ in range(150):
        data = bytearray(good)
        width = dice.choice((1, 1, 1, 16, 4096))
        place = dice.randrange(len(data) - width + 1)
        data[place : place + width] = dice.randbytes(width) if dice.random() < 0.7 else bytes(width)
        path.write_bytes(data)
        faults = verify.verify(large)
        assert all(fault == printable(fault) for fault in faults)
        named += bool(faults)
    assert named > 75  # not all: much of a page is free space, and some columns are nobody's copy


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_state_that_was_cut_is_named(large: Path, share: float) -> None:
    # scenario 105
    path = large / "state.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert any(fault.startswith("state.sqlite") for fault in verify.verify(large))


def test_a_zeroed_page_of_each_table_is_named(large: Path) -> None:
    # scenario 105
    path = large / "state.sqlite"
    good = path.read_bytes()
    with closing(sqlite3.connect(path)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
        tables = db.execute("SELECT name, rootpage FROM sqlite_schema WHERE rootpage").fetchall()
    for name, root in tables:
        path.write_bytes(good[: (root - 1) * size] + bytes(size) + good[root * size :])
        assert any(re.match(r"state\.sqlite (is damaged|cannot be read): ", fault) for fault in verify.verify(large)), (
            name
        )


def test_of_many_faults_of_a_kind_the_first_are_told_and_the_others_counted(large: Path) -> None:
    alter(large, "DELETE FROM pending")
    faults = verify.verify(large)
    assert len(faults) == 21
    assert faults[0].endswith("is pending, but in no queue")
    assert faults[-1] == "and 280 more: URLs in no queue"


def test_no_room_for_temporary_files_is_no_fault_of_the_run(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = snapshot.scratch

    def small() -> sqlite3.Connection:
        db = scratch()
        db.execute("PRAGMA max_page_count = 8")
        return db

    monkeypatch.setattr(snapshot, "scratch", small)
    with pytest.raises(RunError, match="no room for temporary files"):
        verify.verify(large)

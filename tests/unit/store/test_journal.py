"""The journal: appended to, cut back, read to its committed length."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.errors import RunError
from crawler.store.journal import Journal, read_lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond a size, as on a disk that is nearly full: the last write is cut short, the next fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_lines_are_read_back_in_order(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([b"1\n", b"2\n"])
        journal.append([])
        journal.append([b"3\n"])
        journal.sync()
        assert journal.length == 6
    assert list(read_lines(path)) == [b"1", b"2", b"3"]


def test_a_large_batch_is_written_whole(path: Path) -> None:
    lines = [b"x" * 9999 + b"\n"] * 1000
    with Journal(path) as journal:
        journal.append(lines)
        assert journal.length == path.stat().st_size == 10_000_000


def test_what_lies_behind_the_committed_length_is_cut_off_when_it_is_opened(path: Path) -> None:
    # scenario 106
    path.write_bytes(b"committed\nnot committed\nto")
    with Journal(path, 10) as journal:
        journal.append([b"next\n"])
        assert journal.length == 15
    assert path.read_bytes() == b"committed\nnext\n"


def test_a_file_that_is_shorter_than_committed_is_refused_and_left_alone(path: Path) -> None:
    # scenario 106
    path.write_bytes(b"half")
    with pytest.raises(RunError, match=r"records\.jsonl has 4 bytes of 10 .*verify"):
        Journal(path, 10)
    assert path.read_bytes() == b"half"


def test_a_missing_file_is_not_made_up_for(path: Path) -> None:
    with pytest.raises(RunError):
        Journal(path, 10)


def test_cutting_back_takes_the_end_and_the_place_of_the_next_line(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([b"1\n", b"2\n"])
        journal.cut(2)
        journal.append([b"3\n"])
        assert journal.length == 5 - 1
    assert path.read_bytes() == b"1\n3\n"


def test_a_full_disk_is_an_error_and_what_was_written_of_the_batch_can_be_cut(path: Path) -> None:
    # scenario 101
    with Journal(path) as journal:
        journal.append([b"x" * 99 + b"\n"])
        with largest_file(150), pytest.raises(OSError, match="too large") as caught:
            journal.append([b"y" * 99 + b"\n"])
        assert caught.value.errno == errno.EFBIG
        assert path.stat().st_size == journal.length == 150
        journal.cut(100)
        journal.append([b"z\n"])
    assert [len(line) for line in read_lines(path)] == [99, 1]


def test_a_torn_last_line_is_not_read(path: Path) -> None:
    # scenario 106
    path.write_bytes(b"1\n2\n3")
    assert list(read_lines(path)) == [b"1", b"2"]


@pytest.mark.parametrize(("length", "lines"), [(0, []), (1, []), (2, [b"1"]), (3, [b"1"]), (4, [b"1", b"2"])])
def test_a_reader_stops_at_the_committed_length(path: Path, length: int, lines: list[bytes]) -> None:
    path.write_bytes(b"1\n2\n3\n")
    assert list(read_lines(path, length)) == lines


def test_a_reader_sees_the_lines_that_were_there_when_it_began(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([b"1\n", b"2\n"])
        reader = read_lines(path)
        assert next(reader) == b"1"
        journal.append([b"3\n"])
        assert list(reader) == [b"2"]


def test_lines_of_any_bytes_and_length_come_back(path: Path) -> None:
    lines = [b"", b"\r", b"\x00\xff\xe2\x80\xa8", b"x" * 3_000_000]
    with Journal(path) as journal:
        journal.append([line + b"\n" for line in lines])
    assert list(read_lines(path)) == lines


def test_the_file_is_not_handed_to_children(path: Path) -> None:
    with Journal(path) as journal:
        assert not os.get_inheritable(journal._descriptor)

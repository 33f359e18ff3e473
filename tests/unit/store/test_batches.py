"""An output against its batches: how long a line may be."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import pytest

from crawler.store import batches
from crawler.store.batches import Batch, checked_lines, whole_lines


def test_a_line_is_as_long_as_its_batch_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of control characters makes a record six times its size, which is a record all the same."""
    # scenario 88
    monkeypatch.setattr(batches, "MAX_LINE_BYTES", 100)
    line = b"x" * 1_000 + b"\n"
    path = tmp_path / "records.jsonl"
    path.write_bytes(line * 2)
    faults: list[tuple[str, str]] = []
    known = [Batch(1, 0, len(line), crc32(line), 1), Batch(2, len(line), len(line), crc32(line), 1)]
    found = checked_lines(path, 2 * len(line), known, lambda *fault: faults.append(fault))
    assert list(found) == [(0, line), (len(line), line)]
    assert faults == []


def test_without_its_batches_a_line_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of gigabytes that lost its line ends is not taken into memory."""
    # scenario 105
    monkeypatch.setattr(batches, "MAX_LINE_BYTES", 100)
    path = tmp_path / "records.jsonl"
    path.write_bytes(b"x" * 250 + b"\n")
    assert [len(line) for _, line in whole_lines(path, lambda *fault: None)] == [51]

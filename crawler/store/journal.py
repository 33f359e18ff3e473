"""records.jsonl: one record a line, only ever appended to and cut back to what was committed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import msgspec

from crawler.errors import RunError

_READ_BYTES = 1024 * 1024
Kind = TypeVar("Kind")


class Journal:
    """An append-only file of lines.

    Args:
        path: Where it is; made if missing.
        length: Committed length in bytes; what lies behind it is cut off.

    Raises:
        RunError: If the file is shorter than what was committed.
        OSError: If it cannot be opened.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._descriptor).st_size
        if size < length:
            os.close(self._descriptor)
            raise RunError(f"{path} has {size:,} bytes of {length:,} that were committed; `crawler verify` tells more")
        self.cut(length)
        sync_folder(path.parent)  # The file's own name could be lost with the power otherwise.

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines that end in a newline; nothing is durable before `sync`.

        Raises:
            OSError: If the disk is full or failing; `cut` brings the file back to a good length.
        """
        data = memoryview(b"".join(lines))
        while data:
            written = os.write(self._descriptor, data)
            data = data[written:]
            self.length += written

    def sync(self) -> None:
        """Wait until all that was appended is on the disk."""
        # macOS has no fdatasync.
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._descriptor)

    def cut(self, length: int) -> None:
        """Cut the file back to a committed length in bytes."""
        os.ftruncate(self._descriptor, length)
        os.lseek(self._descriptor, length, os.SEEK_SET)
        self.length = length

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; what the files hold is another matter."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path, length: int | None = None) -> Iterator[bytes]:
    """The whole lines of a journal, without their newline.

    Args:
        path: The file.
        length: Committed length in bytes; None reads all, and leaves out a torn last line.
    """
    left = path.stat().st_size if length is None else length
    with path.open("rb", buffering=_READ_BYTES) as source:
        for line in source:
            left -= len(line)
            if left < 0 or not line.endswith(b"\n"):
                return
            yield line[:-1]


def read_records(path: Path, length: int | None, kind: type[Kind]) -> Iterator[tuple[int, bytes, Kind]]:
    """The records of a journal, each with the byte at which its line begins, and with that line.

    Args:
        path: The file.
        length: Committed length in bytes; None reads all, and leaves out a torn last line.
        kind: A struct with the fields that are wanted of a record; the others are skipped unread.

    Raises:
        RunError: If the journal cannot be read, or a line of it is no record.
    """
    if length == 0:  # nothing was ever committed, so there may be no file
        return
    decode = msgspec.json.Decoder(kind).decode
    place = 0
    try:
        for line in read_lines(path, length):
            yield place, line, decode(line)
            place += len(line) + 1
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RunError(f"a line of {path} is no record; `crawler verify` tells more") from None

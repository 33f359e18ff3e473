"""Files made from a run's journal, one record at a time: the whole of it, chosen outcomes, chosen fields."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, get_args

import msgspec
from msgspec import Struct

from crawler.errors import RunError, UsageError
from crawler.models import Outcome, Record

FIELDS: tuple[str, ...] = Record.__struct_fields__
OUTCOMES: tuple[str, ...] = get_args(Outcome)


class _Judged(Struct):
    """The one key that `only` asks for; the rest of the line is skipped unread."""

    outcome: str


def export(
    journal: Path,
    length: int | None,
    target: Path,
    fields: Sequence[str] | None = None,
    only: str | None = None,
) -> int:
    """Write a file from a journal; it appears under its name when it is whole, never before.

    Args:
        journal: The run's `records.jsonl`.
        length: Committed length of the journal, bytes; None reads to its last complete line.
        target: File to write; its suffix is the format. One that exists is replaced.
        fields: Fields to write, in this order; None writes all in the record's order.
        only: The outcome to write; None writes all.

    Returns:
        How many records were written.

    Raises:
        UsageError: If the suffix, a field or the outcome is unknown, or the target cannot be written.
        RunError: If the journal is missing, shorter than committed or damaged, or the disk is full.
    """
    check(target, fields, only)
    if target.exists() and journal.exists() and target.samefile(journal):
        raise UsageError(f"{target} is the run's own journal; export to another file")
    write = FORMATS[target.suffix.lower()]
    columns = list(dict.fromkeys(fields)) if fields else None
    with _replacing(target) as output:
        return write(_lines(journal, length, only), columns, output)


def check(target: Path, fields: Sequence[str] | None = None, only: str | None = None) -> None:
    """Find out before the work whether an export can be asked for like this.

    Raises:
        UsageError: If the suffix, a field or the outcome is unknown, or there is no such folder.
    """
    if target.suffix.lower() not in FORMATS:
        raise UsageError(f"{target} has no known format; the suffixes are {', '.join(FORMATS)}")
    for field in fields or ():
        if field not in FIELDS:
            raise UsageError(f"there is no field {field!r}; the fields are {', '.join(FIELDS)}")
    if only is not None and only not in OUTCOMES:
        raise UsageError(f"there is no outcome {only!r}; the outcomes are {', '.join(OUTCOMES)}")
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: there is no folder {target.parent}")


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its name once all is on the disk, and goes away if anything fails."""
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)  # of an export that was killed, or a link that somebody put there
        file = part.open("xb")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise RunError(f"{target} could not be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # closing writes what is left to the same full disk; the first error is told
            file.close()
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(journal: Path, length: int | None, only: str | None) -> Iterator[bytes]:
    """The journal's complete lines up to its committed length, each with its newline."""
    decode = msgspec.json.Decoder(_Judged).decode
    try:
        file = journal.open("rb")
    except OSError as error:
        raise RunError(f"cannot read {journal}: {error.strerror}") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        if length is not None and size < length:
            raise RunError(f"{journal} has {size} bytes where {length} were committed; `crawler verify` tells more")
        left = size if length is None else length
        while left > 0:
            line = file.readline(left)
            if not line.endswith(b"\n"):
                if length is None:  # the last line of a run that is still being written, or was killed
                    return
                raise RunError(f"{journal} breaks off inside a line; `crawler verify` tells more")
            left -= len(line)
            if only is None or _read(decode, line).outcome == only:
                yield line


def _read(decode: Callable[[bytes], Any], line: bytes) -> Any:
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RunError(f"a line of the journal is no record: {line[:200]!r}; `crawler verify` tells more") from None


def _write_jsonl(lines: Iterator[bytes], columns: list[str] | None, file: BinaryIO) -> int:
    """One JSON object a line; whole records go out byte for byte as they are in the journal."""
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    encode = msgspec.json.Encoder().encode
    null = msgspec.Raw(b"null")
    count = 0
    for line in lines:
        count += 1
        if columns is None:
            file.write(line)
        else:
            record = _read(decode, line)
            file.write(encode({column: record.get(column, null) for column in columns}) + b"\n")
    return count


def _write_csv(lines: Iterator[bytes], columns: list[str] | None, file: BinaryIO) -> int:
    """RFC 4180 in UTF-8 with a head line: null is empty, lists and truth values are JSON, U+FFFD stands for NUL."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    rows = csv.writer(_Utf8(file))
    names = columns or list(FIELDS)
    rows.writerow(names)
    count = 0
    for line in lines:
        count += 1
        record = _read(decode, line)
        if columns is None and (strangers := record.keys() - set(FIELDS)):
            raise RunError(f"the journal holds fields that this version does not know: {', '.join(sorted(strangers))}")
        rows.writerow([_cell(record.get(name)) for name in names])
    return count


class _Utf8:
    """The text file that the csv module wants, without a buffer of its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        self._file.write(text.encode())


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        value = msgspec.json.encode(value).decode()
    return value.replace("\0", "\ufffd")  # many readers take NUL for the end


# suffix → writer(lines, columns or None for all, file) → records written
FORMATS: dict[str, Callable[[Iterator[bytes], list[str] | None, BinaryIO], int]] = {
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
}

"""Files made from a run's journal, one record at a time, in the format that their suffix names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from msgspec import Struct

from crawler.errors import UsageError
from crawler.export import csv_text, jsonl, sqlite
from crawler.export.compressed import compressed
from crawler.export.selection import ALL, Selection, selected_lines
from crawler.export.stream import Sink
from crawler.store.base import STATE
from crawler.store.replacing import replacing

Write = Callable[[Iterator[bytes], Sequence[str] | None, BinaryIO], int]


class Format(Struct, frozen=True):
    """How files of one suffix are made.

    Args:
        write: Takes lines, fields or None for all, and a file; gives back how many records it wrote.
        coding: What they are compressed with, see `compressed`.
        missing: Says what this machine lacks for it, a sentence without its subject; an empty one if nothing.
    """

    write: Write
    coding: str = ""
    missing: Callable[[], str] | None = None


def export(
    journal: Path, length: int | None, target: Path, selection: Selection = ALL, spreadsheet_safe: bool = False
) -> int:
    """Write a file from a journal; it appears under its name when it is whole, never before.

    Args:
        journal: The run's `records.jsonl`.
        length: Committed length of the journal, bytes; None reads to its last complete line.
        target: File to write; its suffix is the format. One that exists is replaced.
        selection: Which records, and what of them.
        spreadsheet_safe: Whether text in CSV that a spreadsheet would take for a formula gets an apostrophe in front.

    Returns:
        How many records were written.

    Raises:
        UsageError: If the suffix is unknown, or the target cannot be written.
        RunError: If the journal is missing, shorter than committed or damaged, or the disk is full.
    """
    check(target)
    for own in (journal, journal.with_name(STATE)):
        if target.resolve() == own.resolve() or (target.exists() and own.exists() and target.samefile(own)):
            raise UsageError(f"{target} is the run's own {own.name}; export to another file")
    form = FORMATS[_suffix(target)]
    write = form.write
    if spreadsheet_safe and write is csv_text.write:
        write = partial(csv_text.write, cell=csv_text.safe_cell)
    with replacing(target) as file, compressed(file, form.coding) as output:
        return write(selected_lines(journal, length, selection), selection.names, output)


def stream(journal: Path, length: int | None, output: Sink, selection: Selection = ALL) -> int:
    """Write records to a stream as JSON Lines.

    Args:
        journal: The run's `records.jsonl`.
        length: Committed length of the journal, bytes; None reads to its last complete line.
        output: Where to.
        selection: Which records, and what of them.

    Returns:
        How many records were written.

    Raises:
        RunError: If the journal is missing, shorter than committed or damaged.
        OSError: If the stream cannot be written to.
    """
    count = jsonl.write(selected_lines(journal, length, selection), selection.names, output)
    output.flush()
    return count


def check(target: Path) -> None:
    """Find out before the work whether a file can be asked for like this.

    Raises:
        UsageError: If the suffix is unknown, its format needs what is not installed, or nothing can be written there.
    """
    suffix = _suffix(target)
    if suffix not in FORMATS:
        raise UsageError(f"{target} has no known format; the suffixes are {', '.join(FORMATS)}")
    missing = FORMATS[suffix].missing
    if missing is not None and (sentence := missing()):
        raise UsageError(f"{target} {sentence}")
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: there is no folder {target.parent}")
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder")
    try:
        with TemporaryFile(dir=target.parent):  # as the file itself will be made beside the one that it replaces
            pass
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None


def _suffix(target: Path) -> str:
    """The longest end of a name that is a format, or its last suffix."""
    suffixes = [each.lower() for each in target.suffixes[-2:]]
    both = "".join(suffixes)
    return both if both in FORMATS else "".join(suffixes[-1:])


def _write_parquet(lines: Iterator[bytes], names: Sequence[str] | None, file: BinaryIO) -> int:
    # Its library is large and optional, so it is imported when it is asked for, and not before.
    count: int = import_module("crawler.export.parquet").write(lines, names, file)
    return count


def _missing_for_parquet() -> str:
    if find_spec("pyarrow"):
        return ""
    return "needs pyarrow, which is not installed: pip install pyarrow"


def _missing_for_sqlite() -> str:
    if sqlite.has_full_text_search():
        return ""
    return "needs an SQLite with full-text search (FTS5), which this Python does not have"


FORMATS: dict[str, Format] = {
    ".jsonl": Format(jsonl.write),
    ".jsonl.gz": Format(jsonl.write, ".gz"),
    ".jsonl.zst": Format(jsonl.write, ".zst"),
    ".csv": Format(csv_text.write),
    ".csv.gz": Format(csv_text.write, ".gz"),
    ".csv.zst": Format(csv_text.write, ".zst"),
    ".parquet": Format(_write_parquet, missing=_missing_for_parquet),
    ".sqlite": Format(sqlite.write, missing=_missing_for_sqlite),
    ".db": Format(sqlite.write, missing=_missing_for_sqlite),
}

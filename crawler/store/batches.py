"""An output read against the batches by which it was committed: what is missing, altered, or claimed by none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from msgspec import Struct

from crawler.store.base import Output

BUFFER_BYTES = 1024 * 1024
# Outside of a batch, whose own length is known: what is longer is no record, but a file that lost its line ends.
MAX_LINE_BYTES = 256 * 1024 * 1024

Lines = Iterator[tuple[int, bytes]]  # each with its position, and with its newline if it has one
OnFault = Callable[[str, str], None]  # takes the kind of a fault, and the sentence that says where it is


class Batch(Struct, frozen=True):
    """What one commit appended to an output, as the store has it.

    Args:
        number: Of the commit.
        offset: Where it begins, bytes.
        length: How long it is, bytes.
        crc32: Its checksum.
        records: How many lines it has; None where that is not to be compared.
    """

    number: int
    offset: int
    length: int
    crc32: int
    records: int | None


class _Stretch(Struct, frozen=True):
    """A part of an output, and the batch that it is; None where there is nothing to compare it with."""

    start: int
    end: int
    batch: Batch | None = None


def checked_lines(path: Path, length: int, batches: Iterable[Batch], on_fault: OnFault) -> Lines:
    """The committed lines of an output; each batch is compared when the last of its lines has been taken.

    Args:
        path: The output.
        length: Committed length, bytes; what lies behind it is not read.
        batches: In the order of their commits.
        on_fault: Called for everything that is wrong.
    """
    name = path.name
    try:
        with path.open("rb", BUFFER_BYTES) as file:
            size = file.seek(0, 2)
            if size < length:
                on_fault("outputs", f"{name} has {size:,} bytes of {length:,} that were committed")
            for stretch in _stretches(name, length, size, batches, on_fault):
                yield from _checked_stretch(name, file, stretch, on_fault)
    except OSError as error:
        if length or not isinstance(error, FileNotFoundError):  # the first session may die before there is an output
            on_fault("outputs", f"{name} cannot be read: {error.strerror}; {length:,} bytes of it were committed")


def altered(path: Path, batches: Iterable[Output]) -> int:
    """How many of an output's batches are not what was committed.

    Args:
        path: The output.
        batches: What each commit appended to it.
    """
    count = 0
    with path.open("rb", BUFFER_BYTES) as file:
        for batch in batches:
            count += checksum(file, batch.offset, batch.length) != batch.crc32
    return count


def checksum(file: BinaryIO, offset: int, length: int) -> int:
    """The CRC-32 of a stretch of a file, as far as there is one; offset and length in bytes."""
    file.seek(offset)
    found = 0
    while length > 0 and (piece := file.read(min(length, BUFFER_BYTES))):
        found = crc32(piece, found)
        length -= len(piece)
    return found


def whole_lines(path: Path, on_fault: OnFault) -> Lines:
    """The lines of an output of which nobody knows how much was committed; a torn last one is left out."""
    try:
        with path.open("rb", BUFFER_BYTES) as file:
            for position, line in _lines(file, 0, file.seek(0, 2), MAX_LINE_BYTES):
                if line.endswith(b"\n"):
                    yield position, line
    except OSError as error:
        on_fault("outputs", f"{path.name} cannot be read: {error.strerror}")


def _stretches(name: str, length: int, size: int, batches: Iterable[Batch], on_fault: OnFault) -> Iterator[_Stretch]:
    """Cut an output into its batches and what they leave out, up to its committed length or its end."""
    place, end = 0, min(length, size)
    for batch in batches:
        start, stop = batch.offset, batch.offset + batch.length
        if start != place:
            what = "leaves a gap" if start > place else "overlaps what came before"
            sentence = f"batch {batch.number} of {name} {what}: it begins at byte {start:,}, not at {place:,}"
            on_fault("batches", sentence)
            yield _Stretch(place, min(start, end))
        if place <= start and stop <= end:
            yield _Stretch(start, stop, batch)
        else:  # it overlaps, or the file is too short for it, which is known already
            yield _Stretch(max(place, start), min(stop, end))
        place = max(place, stop)
    if place != length:
        on_fault("batches", f"the batches of {name} end at byte {place:,}, not at {length:,}, its committed length")
        yield _Stretch(place, end)


def _checked_stretch(name: str, file: BinaryIO, stretch: _Stretch, on_fault: OnFault) -> Lines:
    checksum = count = 0
    longest = stretch.batch.length if stretch.batch else MAX_LINE_BYTES
    for position, line in _lines(file, stretch.start, stretch.end, longest):
        checksum = crc32(line, checksum)
        count += 1
        yield position, line
    batch = stretch.batch
    if batch is None:
        return
    place = f"{name}, bytes {stretch.start:,} to {stretch.end:,} (batch {batch.number})"
    if checksum != batch.crc32:
        on_fault("altered batches", f"{place}: the checksum is not that of what was committed")
    if batch.records is not None and count != batch.records:
        on_fault("altered batches", f"{place}: there are {count:,} records of {batch.records:,} that were committed")


def _lines(file: BinaryIO, start: int, end: int, longest: int) -> Lines:
    """The lines between two places of a file, longer ones in pieces."""
    file.seek(start)
    while start < end and (line := file.readline(min(end - start, longest))):
        yield start, line
        start += len(line)

"""JSON Lines: one object a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from crawler.export.columns import reader
from crawler.export.stream import Sink


def write(lines: Iterator[bytes], names: Sequence[str] | None, file: Sink) -> int:
    """Write records; whole ones go out byte for byte as they are in the journal.

    Args:
        lines: The records, each with its newline.
        names: Fields in the order in which they are written; None for all.
        file: Where to.

    Returns:
        How many records were written.

    Raises:
        RunError: If a line is no record.
    """
    count = 0
    if names is None:
        check = reader({"url": str, "outcome": str}, is_whole=False)
        for line in lines:
            check(line)
            file.write(line)
            count += 1
        return count
    read = reader(dict.fromkeys(names, Raw), is_whole=False)
    encode = msgspec.json.Encoder().encode
    for line in lines:
        file.write(encode(read(line)) + b"\n")
        count += 1
    return count

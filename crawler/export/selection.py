"""Which records of a journal are exported: up to its committed length, of chosen outcomes, that pass the filters."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from crawler.errors import RunError, UsageError
from crawler.export import where
from crawler.export.columns import FIELDS, has_parts, reader
from crawler.models import OUTCOMES

_READ_BYTES = 256 * 1024
_NO_KEY = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')  # a column cannot be called so in every format


class Selection(Struct, frozen=True):
    """What of a run is exported.

    Args:
        fields: Fields and parts of fields to write, in this order; none stands for all in the record's order.
        only: Outcomes to write; none stands for all.
        conditions: What must hold of a record.
    """

    fields: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    conditions: tuple[where.Filter, ...] = ()

    @property
    def names(self) -> tuple[str, ...] | None:
        """The chosen fields, each once; None for all."""
        return tuple(dict.fromkeys(self.fields)) or None


ALL = Selection()


def select(fields: Sequence[str] = (), only: Sequence[str] = (), filters: Sequence[str] = ()) -> Selection:
    """Make a selection of what a user asked for.

    Args:
        fields: Names of fields and of their parts, as `og.title`, in order; empty for all.
        only: Outcomes; empty for all.
        filters: Filters as `where.parse` reads them.

    Raises:
        UsageError: If a field or an outcome is unknown, or a filter cannot be read.
    """
    for field in fields:
        name, *keys = field.split(".")
        if keys and name in FIELDS and not has_parts(name):
            raise UsageError(f"there is no field {field!r}; {name} has no parts")
        if keys and _NO_KEY.search(field):
            raise UsageError(f"a part cannot be called {field!r}; it has a quote, a backslash or a control character")
        if name not in FIELDS:
            close = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(FIELDS)}"
            raise UsageError(f"there is no field {field!r}; {hint}")
    for outcome in only:
        if outcome not in OUTCOMES:
            raise UsageError(f"there is no outcome {outcome!r}; the outcomes are {', '.join(OUTCOMES)}")
    return Selection(tuple(fields), frozenset(only), where.parse(filters))


def selected_lines(journal: Path, length: int | None, selection: Selection) -> Iterator[bytes]:
    """The lines of a journal that a selection takes, each in UTF-8 and with its newline.

    Args:
        journal: The run's `records.jsonl`.
        length: Committed length of the journal, bytes; None reads to its last complete line.
        selection: Which.

    Raises:
        RunError: If the journal is missing, shorter than committed or damaged.
    """
    lines = _lines(journal, length)
    if not selection.only and not selection.conditions:
        return lines
    return _passing(lines, selection)


def _passing(lines: Iterator[bytes], selection: Selection) -> Iterator[bytes]:
    only, conditions = selection.only, selection.conditions
    # The rest of a line is skipped unread.
    names = frozenset(("outcome", "url")).union(*(each.fields for each in conditions))
    read = reader(dict.fromkeys(names, Any), is_whole=False)
    for line in lines:
        record = read(line)
        if (not only or record.outcome in only) and all(each.holds(record) for each in conditions):
            yield line


def _lines(journal: Path, length: int | None) -> Iterator[bytes]:
    try:
        file = journal.open("rb", _READ_BYTES)
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
            try:
                line.decode()  # What is passed on unread could be no text otherwise.
            except UnicodeDecodeError as error:
                raise RunError(
                    f"a line of the journal is not UTF-8 ({error.reason}): {line[:200]!r}; `crawler verify` tells more"
                ) from None
            yield line

"""CSV: RFC 4180 in UTF-8 with a head line, and on request nothing that a spreadsheet would take for a formula."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import msgspec
from msgspec import Raw, structs

from crawler.export.columns import is_part, is_scalar, json_text, names_or_all, reader

# What a reader does not see, and a spreadsheet may pass over: white space, controls, formats, fillers.
_UNSEEN = (
    r"\s\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Any of these at the start of a cell makes a spreadsheet take it for a formula; the wide forms do in some languages.
_FORMULA = re.compile(rf"[{_UNSEEN}]*(?:[=+\-@＝＋－＠]|(?<=[\t\r\n]))")


def cell(value: object) -> str | None:
    """Text as it is but for NUL, which becomes U+FFFD; null as None; all else as JSON."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")  # many readers take NUL for the end
    if isinstance(value, Raw):
        return json_text(value)
    return msgspec.json.encode(value).decode()


def safe_cell(value: object) -> str | None:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers (CWE-1236)."""
    text = cell(value)
    return f"'{text}" if text and isinstance(value, str) and _FORMULA.match(text) else text


def write(
    lines: Iterator[bytes], names: Sequence[str] | None, file: BinaryIO, cell: Callable[[object], str | None] = cell
) -> int:
    """Write records as rows, in columns that do not depend on what the records hold.

    Args:
        lines: The records.
        names: Fields in the order of the columns; None for all.
        file: Where to.
        cell: Makes the text of a cell: `cell` or `safe_cell`.

    Returns:
        How many records were written.

    Raises:
        RunError: If a line is no record, or holds what there is no column for.
    """
    columns = names_or_all(names)
    # Lists and objects are JSON in the line already.
    hints = {name: Any if is_part(name) or is_scalar(name) else Raw for name in columns}
    read = reader(hints, is_whole=names is None)
    file.write(_row(columns))
    count = 0
    for line in lines:
        file.write(_row([cell(value) for value in structs.astuple(read(line))]))
        count += 1
    return count


def _row(cells: Sequence[str | None]) -> bytes:
    """A line of the file (RFC 4180); the csv module takes four times as long for pages."""
    line = ",".join(["" if each is None else _quoted(each) for each in cells])
    return (line or '""').encode() + b"\r\n"  # readers pass over a line without anything


def _quoted(text: str) -> str:
    """A cell in quotes where it needs them; empty text too, which tells it from null."""
    if '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return text if text and not ("," in text or "\n" in text or "\r" in text) else f'"{text}"'

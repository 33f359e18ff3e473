"""Text from the web made safe for terminals and logs."""

from __future__ import annotations

import re
import textwrap
from typing import BinaryIO

WIDTH = 80  # columns that what is printed fits into where its words allow it

# C0 and C1 controls, DEL, line and paragraph separators, bidirectional controls, lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # others it has as escapes


def printable(text: str, limit: int | None = None) -> str:
    """Escape what could steer a terminal or forge a line of a log.

    Args:
        text: Anything.
        limit: Longest result in characters, None for no limit.
    """
    safe = _UNSAFE.sub(
        lambda match: f"\\x{ord(match[0]):02x}" if ord(match[0]) < 256 else f"\\u{ord(match[0]):04x}", text
    )
    return safe if limit is None or len(safe) <= limit else safe[: limit - 1] + "…"


def printable_json(text: str) -> str:
    """The same JSON without what could steer a terminal: such characters stand in its strings, as escapes then."""
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class JsonTerminal:
    """A terminal that JSON in UTF-8 is written to, as `printable_json` makes it.

    Args:
        stream: The terminal.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Write whole lines."""
        self._stream.write(printable_json(data.decode()).encode())

    def flush(self) -> None:
        """Flush the terminal."""
        self._stream.flush()


def counted(count: int, what: str) -> str:
    """A number of things for people: `1 URL`, `1,200 URLs`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def wrapped(label: str, text: str, width: int = WIDTH) -> list[str]:
    """Text behind a label, on as many lines as it takes; a word that is longer than a line stays whole.

    Args:
        label: What stands before the first line; the others are indented as far.
        text: What is broken between words.
        width: Columns.
    """
    return textwrap.wrap(
        text,
        max(width, len(label) + 20),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )


def rate(per_s: float) -> str:
    """A rate for people, wherever it is told: `0.4`, `516.9`, `1,234.5`."""
    return f"{per_s:,.1f}"


def duration(seconds: float) -> str:
    """A span of time for people: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 46 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(count: float) -> str:
    """A number of bytes for people: `312 B`, `4.1 KiB`, `38.0 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"

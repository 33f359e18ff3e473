"""What the tables of both commands are made of: text of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from crawler.bench.samples import Conditions
from crawler.log.terminal import printable

COLUMNS = 80
QUIET = 0.15  # Others may keep so many cores busy.


def joined(blocks: Iterable[Iterable[str]]) -> str:
    """Blocks of lines as one text, with an empty line between two that are not empty."""
    return "\n\n".join("\n".join(lines) for lines in map(list, blocks) if lines) + "\n"


def versions(about: Conditions) -> str:
    """What was measured and on what, in one line."""
    return f"crawler {about.version}, Python {about.python}, {about.system}"


def warning(about: Conditions) -> Iterator[str]:
    """The line that says that the machine was busy, if it was."""
    if about.others_cores > QUIET:
        yield f"Other programs kept {about.others_cores:.1f} cores busy meanwhile: these figures say little."


def columns(rows: Sequence[Sequence[str]], left: int = 1, indent: str = "") -> Iterator[str]:
    """A table whose columns are as wide as they need to be.

    Args:
        rows: The cells of each row, the first row above all others.
        left: So many columns are flush left, all others flush right.
        indent: What stands before each row.
    """
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    wide = len(indent) + sum(widths) + 2 * (len(widths) - 1) <= COLUMNS
    gap = "  " if wide else " "
    for row in rows:
        cells = (f"{cell:{'<' if at < left else '>'}{widths[at]}}" for at, cell in enumerate(row))
        yield (indent + gap.join(cells)).rstrip()


def paragraph(text: str, indent: str = "") -> list[str]:
    """Sentences as lines."""
    return textwrap.wrap(
        printable(text), COLUMNS, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def percent(share: float) -> str:
    """A share of the whole."""
    return f"{share * 100:.0f} %"

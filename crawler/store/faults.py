"""Faults that a check finds, a sentence each, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from crawler.log.terminal import printable

EXAMPLES = 20  # This many faults of each kind are told one by one.


class Faults:
    """Sentences by kind, of which the first `EXAMPLES` are kept and the others are counted."""

    def __init__(self) -> None:
        self._kept: dict[str, list[str]] = {}
        self._more: dict[str, int] = {}

    def add(self, kind: str, sentence: str) -> None:
        """Note a fault; what several checks come upon is noted once."""
        safe = printable(sentence)
        if safe not in self._kept.get(kind, ()):
            self.extend(kind, [()], lambda: safe)

    def extend(self, kind: str, rows: Iterable[tuple[Any, ...]], sentence: Callable[..., str]) -> None:
        """Note a fault for every row; its sentence is made of the row's values, and only if it is kept."""
        kept = self._kept.setdefault(kind, [])
        for row in rows:
            if len(kept) < EXAMPLES:
                kept.append(printable(sentence(*row)))
            else:
                self._more[kind] = self._more.get(kind, 0) + 1

    def sentences(self) -> list[str]:
        """All that are kept, each kind followed by how many more there are."""
        lines: list[str] = []
        for kind, kept in self._kept.items():
            lines += kept
            if more := self._more.get(kind):
                lines.append(f"and {more:,} more: {kind}")
        return lines

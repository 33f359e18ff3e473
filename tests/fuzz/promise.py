"""How a check says that something which has to be so of every input is not."""

from __future__ import annotations


class BrokenPromise(Exception):
    """A property that does not hold.

    Args:
        rule: The property in words, the same for every input that breaks it.
        detail: What was found instead.
    """

    def __init__(self, rule: str, detail: object = "") -> None:
        super().__init__(rule, detail)
        self.rule = rule
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail!r}"


def expect(holds: bool, rule: str, detail: object = "") -> None:
    """Raise BrokenPromise if a property does not hold; unlike `assert` it is never left out."""
    if not holds:
        raise BrokenPromise(rule, detail)

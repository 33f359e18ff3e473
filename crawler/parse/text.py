"""Text as a reader sees it: white space folded, lines where block elements begin and end."""

from __future__ import annotations

import re

_RUN = re.compile("  ")  # looking for it takes two thirds of the time that `in` takes
EDGE = "\0"  # marks where a line ends; no parsed page can hold it


def fold(text: str) -> str:
    """Replace each run of HTML white space by one space, none at the ends."""
    text = text.replace("\n", " ").replace("\t", " ").replace("\r", " ").replace("\f", " ")
    if _RUN.search(text):  # taking the runs apart is several times faster than any substitution
        text = " ".join([piece.strip(" ") for piece in text.split("  ") if piece])
    return text.strip(" ")


def fold_line(text: str) -> str:
    """Fold text and put all of it on one line."""
    return fold(text.replace(EDGE, " "))


def lines(text: str) -> str:
    """Fold text and turn its edges into line ends, without empty lines."""
    return "\n".join([line for piece in fold(text).split(EDGE) if (line := piece.strip(" "))])

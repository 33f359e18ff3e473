"""Numbers as pages write them: with currencies, with thousands set apart, with a decimal comma."""

from __future__ import annotations

import re

MAX_NUMBER_CHARS = 40

_GAP = r"[ \u00a0\u202f\u2009'’]"  # between groups of three digits
# The first way of writing that fits is the one. A point with three digits after it is the decimal point unless there is
# more to it; a comma with three digits after it sets thousands apart, or hundreds and thousands as in India.
_NUMBER = re.compile(
    r"(?:(?<!\w)(?P<sign>[-−]))?(?:(?:[$€£¥₹₽₩₺₴]|[A-Z]{3}) ?)?(?:"
    r"(?P<points>\d{1,3}(?:(?:\.\d{3})+(?=,\d)|(?:\.\d{3}){2,}(?!\d)))(?:,(?P<a>\d+))?"
    r"|(?P<commas>[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?!\d))(?:\.(?P<b>\d+))?"
    rf"|(?P<gaps>\d{{1,3}}(?:{_GAP}\d{{3}})+(?!\d))(?:[.,](?P<c>\d+))?"
    r"|(?P<plain>\d+)(?:[.,](?P<d>\d+))?"
    r"|(?<!\w)\.(?P<e>\d+))",
    re.ASCII,
)
_NO_DIGIT = re.compile(r"\D", re.ASCII)


def number_in(text: str) -> int | float | None:
    """The first number in a text, `1,234.50`, `1.234,50 €` or `1 234,5`; None if there is none."""
    match = _NUMBER.search(text)
    if match is None or len(match[0]) > MAX_NUMBER_CHARS:
        return None
    whole = match["points"] or match["commas"] or match["gaps"] or match["plain"] or "0"
    whole = _NO_DIGIT.sub("", whole)
    fraction = next(filter(None, map(match.__getitem__, "abcde")), "")
    sign = -1 if match["sign"] else 1
    return sign * float(f"{whole}.{fraction}") if fraction else sign * int(whole)

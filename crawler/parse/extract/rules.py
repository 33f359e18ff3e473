"""Declarative extraction: `[extract.NAME]` tables, each of which takes a value, or a list of them, from every page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from crawler.errors import UsageError
from crawler.models import ExtractRule
from crawler.parse.dates import iso_date
from crawler.parse.extract.elements import Element, Select, by_css, by_xpath
from crawler.parse.extract.page import ExtractPage
from crawler.parse.text import fold

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

# Rules take this many characters from one page at most; `*` as HTML could give each page many times over.
MAX_CHARS = 1024 * 1024
_VALUE_CHARS = 16  # Each value counts as this many characters beside its text.
# Where an element has what it says for machines, by type; its text is read where it has none of these.
_USUAL_ATTRIBUTES = {
    "text": ("content",),
    "number": ("content", "value"),
    "date": ("datetime", "content"),
    "url": ("href", "src", "content"),
}

Value = str | int | float | bool


class Rules:
    """The rules of a crawl, ready to be applied to many pages.

    Args:
        rules: By name.

    Raises:
        UsageError: If one of them cannot be used; it names the rule, its key and the fault.
    """

    def __init__(self, rules: Mapping[str, ExtractRule]) -> None:
        self._rules = {name: _Rule(name, rule) for name, rule in rules.items()}

    def read(self, page: ExtractPage) -> tuple[dict[str, Any], list[str]]:
        """What the rules take from a page, by name, and sentences about what went wrong.

        A rule that is for other pages, or finds nothing, gives None; one for a list that finds nothing an empty list.
        """
        values: dict[str, Any] = {}
        missing: list[str] = []
        faults: list[str] = []
        room = _Room(MAX_CHARS)
        for name, rule in self._rules.items():
            values[name] = None
            if not rule.is_for(page.url):
                continue
            try:
                values[name] = rule.read(page, room)
            except etree.XPathError as error:
                faults.append(f"extract.{name}: {error}")
            if rule.is_required and values[name] in (None, []):
                missing.append(name)
        if missing:
            faults.insert(0, f"missing: {', '.join(missing)}")
        if room.left < 0:
            faults.append(f"the rules take more than {MAX_CHARS:,} characters of this page; the rest was left out")
        return values, faults


class _Room:
    """How many more characters may be taken from a page."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, value: Value) -> bool:
        self.left -= _VALUE_CHARS + (len(value) if isinstance(value, str) else 0)
        return self.left >= 0


class _Rule:
    """One rule, compiled."""

    def __init__(self, name: str, rule: ExtractRule) -> None:
        if bool(rule.css) == bool(rule.xpath):
            which = "both css and xpath are given" if rule.css else "neither css nor xpath is given"
            raise UsageError(f"extract.{name}: {which}; give one of them")
        self.is_required = rule.required
        self._rule = rule
        key, compiler = ("css", by_css) if rule.css else ("xpath", by_xpath)
        self._select: Select = _compiled(f"extract.{name}.{key}", compiler, rule.css or rule.xpath)
        self._regex = _compiled(f"extract.{name}.regex", _pattern, rule.regex)
        self._url_pattern = _compiled(f"extract.{name}.url_pattern", _pattern, rule.url_pattern)

    def is_for(self, url: str) -> bool:
        return self._url_pattern.search(url) is not None

    def read(self, page: ExtractPage, room: _Room) -> Value | list[Value] | None:
        """The first value, or all of them."""
        taken: list[Value] = []
        for found in self._select(page):
            value = self._value(found, page)
            if value is None:
                continue
            if not room.take(value):
                break
            if not self._rule.list:
                return value
            taken.append(value)
        return taken if self._rule.list else None

    def _value(self, found: Element | str | float | bool, page: ExtractPage) -> Value | None:
        """What was found as a value of the rule's type; None if it is none."""
        if isinstance(found, bool):
            return found
        text = self._text(found)
        if text is not None and self._rule.regex:
            match = self._regex.search(text)
            text = match[1 if self._regex.groups else 0] if match else None
        return None if text is None else _typed(text, self._rule.type, page)

    def _text(self, found: Element | str | float) -> str | None:
        if isinstance(found, str):
            return found
        if isinstance(found, float):
            return f"{found:.15g}"
        attributes, wanted = found.attributes, self._rule.attribute
        if wanted:
            return (attributes[wanted] or "") if wanted in attributes else None
        if self._rule.type == "html":
            return found.html()
        usual = (attributes[name] for name in _USUAL_ATTRIBUTES[self._rule.type] if name in attributes)
        return next(filter(None, usual), None) or found.text()


def _typed(text: str, kind: str, page: ExtractPage) -> Value | None:
    match kind:
        case "number":
            return number_in(text)
        case "date":
            return iso_date(text)
        case "url":
            return page.join(text)
        case "html":
            return text
    return fold(text) or None


def _pattern(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{expression!r} is not a regular expression: {error}") from None


def _compiled(key: str, compiler: Callable[[str], Any], expression: str) -> Any:
    try:
        return compiler(expression)
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from None


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

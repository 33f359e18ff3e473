"""A filter over records: `status >= 400 and not error`. It is read once into functions; nothing is run as code."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct, inspect

from crawler.errors import UsageError
from crawler.export.columns import FIELDS, has_parts, kind_of

Test = Callable[[Any], bool]

_SPACE = re.compile(r"\s*")
_OPEN, _CLOSE = re.compile(r"\("), re.compile(r"\)")
_OPERATOR = re.compile(r"!=|<=|>=|==|=|<|>|~")
_PATH = re.compile(r"""[^\s"'=!<>~()]+""")
_BARE = re.compile(r"""[^\s"'=!<>~]\S*""")  # a value needs quotes where it holds a space or begins like an operator
_QUOTED = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\])*)\1""", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,4})?", re.ASCII)
_WORDS = {"null": None, "true": True, "false": False}
_OWN_WORDS = frozenset(("and", "or", "not", "is"))
# What other languages have, at the place where a fault is found: what to write here.
_FOREIGN = (
    (re.compile(r"&"), "write `and`"),
    (re.compile(r"\|"), "write `or`"),
    (re.compile(r"!~"), "write `not FIELD ~ EXPRESSION`"),
    (re.compile(r"!"), "write `not`"),
    (re.compile(r"~"), "write FIELD ~ EXPRESSION to search"),
    (re.compile(r"(?<=<)>"), "write FIELD != VALUE"),
    (re.compile(r"(like|contains|matches)\b", re.IGNORECASE), "write FIELD ~ EXPRESSION to search"),
    (re.compile(r"in\b", re.IGNORECASE), "write FIELD = A or FIELD = B"),
)
MAX_DEPTH = 50  # Parentheses may be nested this deep.
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition(Struct, frozen=True):
    """One question that a record answers with yes or no.

    Args:
        path: A field, and the keys that lead into it.
        test: Asked of the value that is found there, of None where there is none.
    """

    path: tuple[str, ...]
    test: Test

    @property
    def fields(self) -> frozenset[str]:
        """The fields that it looks at."""
        return frozenset(self.path[:1])

    def holds(self, record: Any) -> bool:
        """Whether the answer is yes, for an object with the field as an attribute."""
        value = getattr(record, self.path[0])
        for key in self.path[1:]:
            value = value.get(key) if isinstance(value, dict) else None
        return self.test(value)


class Combination(Struct, frozen=True):
    """Questions that are answered together.

    Args:
        parts: Each of them.
        is_any: Whether one yes is enough, where otherwise all have to be.
        is_negated: Whether it is the opposite that is asked for.
    """

    parts: tuple[Condition | Combination, ...]
    is_any: bool = False
    is_negated: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """The fields that they look at."""
        return frozenset().union(*(part.fields for part in self.parts))

    def holds(self, record: Any) -> bool:
        """Whether the answer is yes, for an object with the fields as attributes."""
        answers = (part.holds(record) for part in self.parts)
        return (any(answers) if self.is_any else all(answers)) is not self.is_negated


Filter = Condition | Combination


class _Value(Struct, frozen=True):
    """What stands behind an operator: its text, and the number, truth value or null that it may also be."""

    text: str
    plain: object


def parse(filters: Iterable[str]) -> tuple[Filter, ...]:
    """What some filters ask, all of which must hold.

    A filter is conditions with `and`, `or` and `not` between them, `and` before `or`, and parentheses round what
    belongs together. A condition is `field OPERATOR value` or `field`. A field may lead into an object: `og.title`.
    Operators are `=` (or `==`, `is`), `!=` (or `is not`), `<`, `<=`, `>`, `>=`, and `~`, which searches for a regular
    expression, in a list in each item. A value is compared as what the record holds: text with text, a number with a
    number. Where a field has only one type, what cannot be compared with it is a fault; elsewhere it is not equal, and
    neither less nor greater. A field alone holds unless it is null, false, zero or empty.

    Args:
        filters: The text of each.

    Raises:
        UsageError: If one cannot be read; the sentence says where.
    """
    return tuple(_Reader(text).whole() for text in filters)


class _Reader:
    """Reads one filter from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0  # How many parentheses are open.

    def whole(self) -> Filter:
        """All of it, or the first fault."""
        found = self._either()
        if not self._is_at_end():
            raise self._fault("has something else than `and` or `or`", hint="a value with a space in it needs quotes")
        return found

    def _either(self) -> Filter:
        parts = [self._both()]
        while self._take_word("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Combination(tuple(parts), is_any=True)

    def _both(self) -> Filter:
        parts = [self._one()]
        while self._take_word("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Combination(tuple(parts))

    def _one(self) -> Filter:
        if self._take_word("not"):
            return Combination((self._one_positive(),), is_negated=True)
        return self._one_positive()

    def _one_positive(self) -> Filter:
        if not self._take(_OPEN):
            return self._condition()
        if self._depth == MAX_DEPTH:
            raise self._fault(f"has more than {MAX_DEPTH} parentheses inside of each other")
        self._depth += 1
        found = self._either()
        if not self._take(_CLOSE):
            raise self._fault("has a parenthesis that is not closed" if self._is_at_end() else "has no `and` or `or`")
        self._depth -= 1
        return found

    def _condition(self) -> Condition:
        path = self._path()
        if self._take_word("is"):
            return Condition(path, self._test("!=" if self._take_word("not") else "=", path))
        sign = self._take(_OPERATOR)
        return Condition(path, bool if sign is None else self._test(sign[0], path))

    def _path(self) -> tuple[str, ...]:
        self._is_at_end()
        start = self._at
        word = self._take(_PATH)
        if word is None or word[0].lower() in _OWN_WORDS:
            raise self._fault("has no field", start)
        path = tuple(word[0].split("."))
        if path[0] not in FIELDS:
            close = difflib.get_close_matches(path[0], FIELDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(FIELDS)}"
            raise self._fault("asks for a field that no record has", start, hint)
        if len(path) > 1 and not has_parts(path[0]):
            raise self._fault(f"looks for a part of {path[0]}, which has none,", start)
        return path

    def _test(self, sign: str, path: tuple[str, ...]) -> Test:
        self._is_at_end()
        start = self._at
        value = self._value()
        if sign == "~":
            return self._search(value.text, start)
        if len(path) == 1 and (what := _misfit(path[0], sign, value)):
            raise self._fault(what, start)
        if sign in ("=", "=="):
            return lambda found: _is_equal(found, value)
        if sign == "!=":
            return lambda found: not _is_equal(found, value)
        order = _ORDERS[sign]
        return lambda found: _is_ordered(order, found, value)

    def _search(self, pattern: str, start: int) -> Test:
        try:
            search = re.compile(pattern).search
        except (re.error, OverflowError, RecursionError) as error:
            raise self._fault("has no regular expression", start, str(error)) from None
        return lambda found: any(search(text) for text in _texts(found))

    def _value(self) -> _Value:
        if quoted := self._take(_QUOTED):
            # A backslash stands for itself but before the quote, so that expressions need no second one.
            text = quoted[2].replace("\\" + quoted[1], quoted[1])
            return _Value(text, text)
        bare = self._take(_BARE)
        if bare is None:
            raise self._fault("has no value")
        text = bare[0]
        while self._depth and text.endswith(")") and text.count("(") < text.count(")"):
            text = text[:-1]  # that closes what was opened before
            self._at -= 1
        if _NUMBER.fullmatch(text):
            return _Value(text, int(text) if text.lstrip("-").isdecimal() else float(text))
        return _Value(text, _WORDS.get(text.lower(), text))

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._is_at_end()
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
        return match

    def _take_word(self, word: str) -> bool:
        self._is_at_end()
        match = _PATH.match(self._text, self._at)
        if match is None or match[0].lower() != word:
            return False
        self._at = match.end()
        return True

    def _is_at_end(self) -> bool:
        """Pass over white space, and tell whether there is anything behind it."""
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._at == len(self._text)

    def _fault(self, what: str, at: int | None = None, hint: str = "") -> UsageError:
        place = self._at if at is None else at
        hint = next((say for sign, say in _FOREIGN if sign.match(self._text, place)), hint)
        rest = f"before {self._text[place:]!r}" if place < len(self._text) else "at its end"
        return UsageError(
            f"the filter {self._text!r} {what} at character {place + 1}, {rest}{f'; {hint}' if hint else ''}"
        )


def _misfit(field: str, sign: str, value: _Value) -> str:
    """What is wrong with comparing a field with a value, if that can never hold; else empty."""
    kind = kind_of(field)
    shown = "null" if value.plain is None else repr(value.text)
    if isinstance(kind, inspect.ListType) and value.plain is not None:
        return f"compares {field}, which is a list (search it with ~),"
    if value.plain is None and sign in ("=", "==", "!="):
        return ""
    if isinstance(kind, inspect.IntType | inspect.FloatType) and not _is_number(value.plain):
        text = "the text " if _NUMBER.fullmatch(value.text) else ""  # in quotes
        return f"compares {field}, which is a number, with {text}{shown}"
    if isinstance(kind, inspect.BoolType) and not (isinstance(value.plain, bool) and sign in ("=", "==", "!=")):
        return f"compares {field}, which is true or false, by {sign} with {shown}"
    return ""


def _is_equal(found: object, value: _Value) -> bool:
    if isinstance(found, str):
        return found == value.text
    if found is None or isinstance(found, bool) or isinstance(value.plain, bool):
        return found is value.plain
    return found == value.plain


def _is_ordered(order: Callable[[Any, Any], bool], found: object, value: _Value) -> bool:
    if isinstance(found, str):
        return order(found, value.text)
    return _is_number(found) and _is_number(value.plain) and order(found, value.plain)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(found: object) -> list[str]:
    """What an expression is searched in: each item of a list, and JSON where that is no text."""
    items = found if isinstance(found, list) else [found]
    return [each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in items if each is not None]

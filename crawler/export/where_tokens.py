"""The words of a filter, each with its place: what SQLite would take for something else is refused here."""

from __future__ import annotations

import difflib
import re

from msgspec import Struct

from crawler.errors import UsageError
from crawler.export.columns import FIELDS, has_parts, is_scalar

MAX_CHARS = 50_000  # A filter is this long at most.
MAX_DEPTH = 50  # Parentheses may be nested this deep.
SEARCH = frozenset(("~", "regexp"))
COMPARISONS = frozenset(("=", "==", "!=", "<>", "<", "<=", ">", ">=", "is"))
_CONNECTIVES = frozenset(("and", "or", "not", "when", "then", "else", "case", "between", "where"))
_KEYWORDS = (
    COMPARISONS
    | _CONNECTIVES
    | SEARCH
    | frozenset(
        """
    as cast collate end escape exists glob in isnull like notnull null true false""".split()
    )
)
_VALUES = frozenset(("null", "true", "false", "end", "isnull", "notnull"))  # An operator may stand behind these.

_KEY = r"""(?:[^\s"'=!<>~(),;|&+*/%\-\0]|-(?!>))+"""
_TOKEN = re.compile(
    rf"""
    (?P<text>'(?:[^']|'')*')
  | (?P<date>[0-9]{{4}}-[0-9]{{2}}(?:-[0-9]{{2}}(?:T[0-9:.]*Z?)?)?(?![\w.-]))
  | (?P<url>[A-Za-z][\w+.-]*://[^\s"']*)
  | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
  | (?P<bare>\d[\w.]*)
  | (?P<path>[^\W\d]\w*(?:\.{_KEY})+)
  | (?P<word>[^\W\d]\w*)
  | (?P<sign>->>?|<[=>]?|>=?|!=(?!~)|==?|\|\||[~(),+\-*/%])
    """,
    re.VERBOSE,
)
_SPACE = re.compile(r"\s*")
_PATTERN = re.compile(r"""'(?:[^']|'')*'|[^\s"'=!<>~]\S*""")  # needs quotes where it has a space in it
_RUN = re.compile(r"""[^\s"'=!<>~(),]+""")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # in JSON of a record there is no such character, and SQL ends at NUL
# What other languages have, at the place where a fault is found: what to write here.
_FOREIGN = (
    (re.compile(r"&"), "write `and`"),
    (re.compile(r"\|"), "write `or`"),
    (re.compile(r"!~"), "write `not FIELD ~ EXPRESSION`"),
    (re.compile(r"!"), "write `not`"),
    (re.compile(r"~"), "write FIELD ~ EXPRESSION to search"),
    (re.compile(r"(contains|match(es)?)\b", re.IGNORECASE), "write FIELD ~ EXPRESSION to search"),
)


class Token(Struct, frozen=True):
    """A word of a filter.

    Args:
        kind: field, text, number, pattern, word or sign.
        text: A field, number or sign as it stands there, a word in lower case, text and pattern without their quotes.
        at: Its place, characters from the beginning.
        path: Of a field: its name and the keys that lead into it.
    """

    kind: str
    text: str
    at: int
    path: tuple[str, ...] = ()


def fault(text: str, what: str, at: int, hint: str = "") -> UsageError:
    """The sentence that tells what a filter has at a place, with what to write instead where that is known."""
    hint = next((say for sign, say in _FOREIGN if sign.match(text, at)), hint)
    rest = f"before {text[at:]!r}" if at < len(text) else "at its end"
    return UsageError(f"the filter {text!r} {what} at character {at + 1}, {rest}{f'; {hint}' if hint else ''}")


def gap_after(before: Token | None, is_inside: bool) -> str:
    """What is missing behind a word, if something else stands there.

    Args:
        before: The word; None for the beginning.
        is_inside: Whether a parenthesis is open.
    """
    word = before.text if before is not None and before.kind in ("word", "sign") else ""
    if before is None or word in _CONNECTIVES or word == "(":
        return "has no field"
    if word != ")" and (before.kind == "sign" or word in _KEYWORDS - _VALUES):
        return "has no value"
    return "has no `and` or `or`" if is_inside else "has something else than `and` or `or`"


def quoted(text: str) -> str:
    """Text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def tokens_of(text: str) -> list[Token]:
    """The words of a filter.

    Raises:
        UsageError: If there is one that no filter may have; the sentence says where.
    """
    if len(text) > MAX_CHARS:
        raise UsageError(f"the filter that begins with {text[:50]!r} has more than {MAX_CHARS} characters")
    if strange := _NO_TEXT.search(text):
        raise fault(text, "has a character that is in no record", strange.start())
    return _Reader(text).whole()


class _Reader:
    """Reads one filter from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[Token] = []
        self._open: list[bool] = []  # For each parenthesis that is open, whether it is round a SELECT.

    def whole(self) -> list[Token]:
        """All of it, or the first fault."""
        at = 0
        while (at := self._behind_space(at)) < len(self._text):
            at = self._pattern(at) if self._before in SEARCH else self._next(at)
        if self._open:
            raise fault(self._text, "has a parenthesis that is not closed", at)
        return self._tokens

    @property
    def _before(self) -> str:
        token = self._tokens[-1] if self._tokens else None
        return token.text if token and token.kind in ("word", "sign") else ""

    def _behind_space(self, at: int) -> int:
        space = _SPACE.match(self._text, at)
        return space.end() if space else at

    def _gap(self, at: int, hint: str = "") -> UsageError:
        return fault(self._text, gap_after(self._tokens[-1] if self._tokens else None, bool(self._open)), at, hint)

    def _add(self, kind: str, text: str, at: int, path: tuple[str, ...] = ()) -> None:
        self._tokens.append(Token(kind, text, at, path))

    def _pattern(self, at: int) -> int:
        match = _PATTERN.match(self._text, at)
        if match is None:
            raise self._double_quoted(at) if self._text[at] == '"' else self._gap(at)
        found = match[0]
        is_quoted = found.startswith("'")
        found = found if is_quoted else self._trimmed(found)
        self._add("pattern", found[1:-1].replace("''", "'") if is_quoted else found, at)
        return at + len(found)

    def _trimmed(self, found: str) -> str:
        """Without what closes a parenthesis that was opened before, or stands between the values of a list."""
        while self._open and (found.endswith(",") or (found.endswith(")") and found.count("(") < found.count(")"))):
            found = found[:-1]
        return found

    def _next(self, at: int) -> int:
        match = _TOKEN.match(self._text, at)
        if match is None:
            raise self._double_quoted(at) if self._text[at] == '"' else self._gap(at)
        kind, found = str(match.lastgroup), match[0]
        if kind == "text":
            self._quoted_text(found, at)
        elif kind == "url":
            found = self._trimmed(found)
            self._add("text", found, at)
        elif kind == "date":
            self._add("text", found, at)
        elif kind == "number":
            self._number(found, at)
        elif kind == "sign":
            self._sign(found, at)
        else:
            self._word(found, at)
        return at + len(found)

    def _quoted_text(self, found: str, at: int) -> None:
        end = at + len(found)
        if found.endswith("\\'") and self._text[end : end + 1].isalnum():
            raise fault(self._text, "has a backslash before a quote", end - 2, "a quote in a text is written twice: ''")
        self._add("text", found[1:-1].replace("''", "'"), at)

    def _number(self, found: str, at: int) -> None:
        before = self._tokens[-1] if self._tokens else None
        if before and before.text == "-" and before.kind == "sign" and before.at == at - 1:
            self._tokens.pop()
            if "has no" in gap_after(self._tokens[-1] if self._tokens else None, False):
                return self._add("number", f"-{found}", at - 1)
            self._tokens.append(before)
        self._add("number", found, at)

    def _sign(self, found: str, at: int) -> None:
        if found == "(":
            if len(self._open) == MAX_DEPTH:
                raise fault(self._text, f"has more than {MAX_DEPTH} parentheses inside of each other", at + 1)
            self._open.append(False)
        elif found == ")":
            if not self._open:
                raise self._gap(at)
            self._open.pop()
        before = self._tokens[-1] if self._tokens else None
        if before and before.kind == "pattern" and found[0] in "|+-*/%":
            raise self._gap(at)
        if found.startswith("->") and before and before.kind == "field" and len(before.path) == 1:
            self._require_json(before.path[0], before.at)
        self._add("sign", found, at)

    def _require_json(self, name: str, at: int) -> None:
        if is_scalar(name):
            raise fault(self._text, f"looks for a part of {name}, which has none,", at)

    def _word(self, found: str, at: int) -> None:
        name, *keys = found.split(".")
        word = found.lower()
        is_name = not found[0].isdigit()
        is_called = is_name and self._text[self._behind_space(at + len(found)) :].startswith("(")
        if is_name and self._before in ("as", "collate"):
            self._add("word", word, at)
        elif name in FIELDS:
            if keys and not has_parts(name):
                raise fault(self._text, f"looks for a part of {name}, which has none,", at)
            self._add("field", found, at, (name, *keys))
        elif word == "select" and self._before == "(":
            self._open[-1] = True
            self._add("word", word, at)
        elif (
            word in _KEYWORDS
            or (is_called and not keys)
            or (is_name and any(self._open) and re.fullmatch(r"[\w.]+", word))
        ):
            self._add("word", word, at)  # SQLite knows which functions there are, and what a SELECT has
        else:
            raise self._stranger(found, at)

    def _stranger(self, found: str, at: int) -> UsageError:
        name = found.partition(".")[0]
        close = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.7)
        gap = gap_after(self._tokens[-1] if self._tokens else None, False)
        is_value = "no value" in gap or (self._before == "(" and not self._is_first_of_group())
        if is_value:
            run = next(each for each in _RUN.finditer(self._text) if each.end() > at)
            hint = f"write {quoted(run[0])} if it is text{f', {close[0]} if it is the field' if close else ''}"
            return fault(self._text, f"has the word {found}, which is no field,", at, hint)
        if "something else" in gap:
            return self._gap(at, "a value with a space in it needs quotes")
        hint = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(FIELDS)}"
        return fault(self._text, "asks for a field that no record has", at, hint)

    def _is_first_of_group(self) -> bool:
        """Whether the last parenthesis begins a group, and no list of values or arguments."""
        behind = self._tokens[-2] if len(self._tokens) > 1 else None
        return behind is None or behind.kind == "sign" or (behind.kind == "word" and behind.text in _CONNECTIVES)

    def _double_quoted(self, at: int) -> UsageError:
        end = self._text.find('"', at + 1)
        inner = self._text[at + 1 : end] if end > at else ""
        hint = f"write {quoted(inner)}" if inner.isprintable() and inner else "write it in single quotes"
        if inner in FIELDS:
            hint = f"write {inner} for the field, {quoted(inner)} for the text"
        return fault(self._text, "has a double quote", at, hint)

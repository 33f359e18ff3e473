"""The words of a filter as an expression of SQLite: what SQLite lacks, or reads otherwise, in its own terms."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct, inspect

from crawler.export.columns import has_parts, kind_of
from crawler.export.where_tokens import COMPARISONS, SEARCH, Token, fault, quoted

# How a field stands in the expression, see `where.VIEWS`.
Use = tuple[tuple[str, ...], str]

_EQUALITY = {"=": "IS", "==": "IS", "is": "IS", "!=": "IS NOT", "<>": "IS NOT"}  # null is equal to null alone
_OTHER_COMPARISONS = SEARCH | {"in", "like", "glob", "between", "isnull", "notnull"}
_CLAUSES = frozenset(("select", "from", "where", "on", "group", "having", "order", "limit", "union"))
_CONDITIONS = frozenset(("where", "on", "having", "when"))
_EMPTY = "('', 0, '[]', '{}')"
_LITERALS = {"true": "1", "false": "0"}
_NAMED = {"number": "a number", "text": "text", "truth": "true or false"}


class Group(Struct, frozen=True):
    """Words that belong together: in parentheses, or from CASE to END."""

    items: list[Item]
    close: str


Item = Token | Group


def word_of(item: Item) -> str:
    """A keyword, name or sign; empty for everything else."""
    return item.text if isinstance(item, Token) and item.kind in ("word", "sign") else ""


class Translation:
    """A filter as SQL, with what it needs.

    Args:
        text: The filter, for faults.
        tokens: Its words.

    Raises:
        UsageError: If it compares what can never be equal.
    """

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self._text = text
        self._rest = list(reversed(tokens))
        self.uses: list[Use] = []  # In the order of their places: what is written first stands first.
        self.patterns: list[re.Pattern[str]] = []
        self.searched: list[tuple[str, ...]] = []
        items = self._nested("")
        for item in items:
            if isinstance(item, Token) and word_of(item) == ",":
                raise fault(text, "has something else than `and` or `or`", item.at)
        self.sql = self._expression(items, is_question=True)

    def _nested(self, close: str) -> list[Item]:
        items: list[Item] = []
        while self._rest and not (close and word_of(self._rest[-1]) in (close, ")")):
            token = self._rest.pop()
            items.append(token)
            if inner := {"(": ")", "case": "end"}.get(word_of(token)):
                items[-1] = Group(self._nested(inner), inner)
                if self._rest and word_of(self._rest[-1]) == inner:
                    self._rest.pop()
        return items

    def _expression(self, items: list[Item], *, is_question: bool) -> str:
        """Operands with AND, OR and NOT between them, each of which is then asked whether it holds."""
        pieces: list[str | list[Item]] = [[]]
        is_between = False
        for item in items:
            word, last = word_of(item), pieces[-1]
            if word == "and" and is_between:
                is_between = False
            elif word in ("and", "or"):
                pieces += [word, []]
                continue
            elif word == "not" and not last:
                pieces[-1:] = [word, []]
                continue
            is_between |= word == "between"
            if isinstance(last, list):
                last.append(item)
        is_question |= len(pieces) > 1
        return " ".join(each if isinstance(each, str) else self._operand(each, is_question) for each in pieces)

    def _operand(self, items: list[Item], is_question: bool) -> str:
        first = items[0] if len(items) == 1 else None
        if isinstance(first, Group) and first.close == ")" and not _is_select(first):
            return f"({self._list(first.items, is_question=is_question)})"
        signs = [place for place, item in enumerate(items) if word_of(item) in COMPARISONS | _OTHER_COMPARISONS]
        if signs:
            return self._comparison(items, signs)
        if not is_question or not items:
            return self._run(items)
        if isinstance(first, Token) and first.kind == "field":
            return self._use(first, "truth")
        self._refuse_joined(items)
        return f"(({self._run(items)}) NOT IN {_EMPTY}) IS TRUE"

    def _comparison(self, items: list[Item], signs: list[int]) -> str:
        """One that is true or false; with null it is false, and so it is not null where NOT stands before it."""
        at = signs[0]
        if len(signs) > 1:
            return f"(({self._run(items)}) IS TRUE)"
        field, pattern = items[0], items[-1]
        if isinstance(field, Token) and isinstance(pattern, Token) and at == 1 and len(items) == 3:
            if field.kind == "field" and pattern.kind == "pattern":
                # The value stays in Python: lists have items there, and nothing is copied.
                self.searched.append(field.path)
                return f'"~"({len(self.searched) - 1}, {self._pattern(pattern)})'
        if word_of(items[at]) in _OTHER_COMPARISONS:
            if at and word_of(items[at - 1]) == "not":
                return f"(NOT {self._comparison(items[: at - 1] + items[at:], [at - 1])})"
            return f"(({self._run(items)}) IS TRUE)"
        sign, behind = word_of(items[at]), at + 1
        if sign == "is" and [word_of(item) for item in items[behind : behind + 1]] == ["not"]:
            sign, behind = "!=", behind + 1
        left, right = items[:at], items[behind:]
        shown = [self._side(left, right, sign), self._side(right, left, sign)]
        return f"(({f' {_EQUALITY.get(sign, sign)} '.join(shown)}) IS TRUE)"

    def _side(self, items: list[Item], others: list[Item], sign: str) -> str:
        """One side of a comparison, as it has to be beside the other."""
        kind, other = self._kind(items), self._kind(others)
        item = items[0] if len(items) == 1 else None
        beside = others[0] if len(others) == 1 else None
        if isinstance(item, Token) and item.kind == "field":
            self._refuse_misfit(item, kind, sign, others, other)
            if kind == "any" and isinstance(beside, Token) and beside.kind != "field":
                return self._use(item, {"text": "text", "truth": "flag", "number": "plain"}.get(other, "json"))
        if isinstance(item, Token) and item.kind == "number" and isinstance(beside, Token) and beside.kind == "field":
            if other == "text":
                return quoted(item.text)
            if other == "any":  # compared as what the record holds
                value = self._use(beside, "plain")
                return f"CASE typeof({value}) WHEN 'text' THEN {quoted(item.text)} ELSE {item.text} END"
        return self._run(items)

    def _kind(self, items: list[Item]) -> str:
        """What one side of a comparison is: number, text, truth, list, null, or any of them."""
        if any(word_of(item) == "||" for item in items):
            return "text"
        item = items[0] if len(items) == 1 else None
        if not isinstance(item, Token):
            return "any"
        if item.kind == "field":
            return kind_of_field(item.path)
        if item.kind == "word":
            return {"true": "truth", "false": "truth", "null": "null"}.get(item.text, "any")
        return item.kind

    def _refuse_misfit(self, field: Token, kind: str, sign: str, others: list[Item], other: str) -> None:
        """Comparing a field with what it can never be equal to is a mistake of whoever wrote it."""
        if kind == "number" and other == "text":
            self._refuse_joined(others)
        beside = others[0] if len(others) == 1 else None
        if not isinstance(beside, Token) or other == "any":
            return
        is_equality = sign in _EQUALITY
        at = max(field.at, beside.at)
        if beside.kind == "field":
            if kind != other and kind in _NAMED and other in _NAMED:
                what = f"compares {field.text}, which is {_NAMED[kind]}, with {beside.text}, which is {_NAMED[other]},"
                raise fault(self._text, what, at)
        elif other == "null" and is_equality:
            return
        elif kind == "list":
            raise fault(self._text, f"compares {field.text}, which is a list (search it with ~),", at)
        elif kind == "truth" and (other != "truth" or not is_equality):
            what = f"compares {field.text}, which is true or false, by {sign} with {beside.text!r}"
            raise fault(self._text, what, at)
        elif (
            other == "null" or (kind in ("number", "text") and other == "truth") or (kind, other) == ("number", "text")
        ):
            shown = {"null": "null", "text": f"the text {beside.text!r}"}.get(other, repr(beside.text))
            what = f"compares {field.text}, which is {_NAMED.get(kind, 'anything')}, with {shown}"
            raise fault(self._text, what, at, f"write {quoted(beside.text)} if it is text" if kind == "text" else "")

    def _refuse_joined(self, items: list[Item]) -> None:
        """`||` joins texts; where a text makes no sense, it was meant as `or`."""
        for item in items:
            if isinstance(item, Token) and word_of(item) == "||":
                raise fault(self._text, "has something else than `and` or `or`", item.at)

    def _run(self, items: list[Item]) -> str:
        """Words as they stand, but for fields and what is not SQLite's."""
        return " ".join(self._item(items, place) for place in range(len(items)))

    def _item(self, items: list[Item], place: int) -> str:
        item = items[place]
        if isinstance(item, Group):
            return self._group(item)
        if item.kind == "field":
            kind = kind_of_field(item.path)
            if kind in ("list", "any"):
                return self._use(item, "json")
            # As a column has an affinity: text beside a number is then compared as text.
            return f"CAST({self._use(item, 'json')} AS {'TEXT' if kind == 'text' else 'NUMERIC'})"
        if item.kind == "text":
            return quoted(item.text)
        if item.kind == "pattern":
            return self._pattern(item)
        word = _EQUALITY.get(item.text, "REGEXP" if item.text in SEARCH else item.text)
        return _LITERALS.get(word, word) if item.kind in ("word", "sign") else item.text

    def _pattern(self, token: Token) -> str:
        try:
            self.patterns.append(re.compile(token.text))
        except (re.error, OverflowError, RecursionError) as error:
            raise fault(self._text, "has no regular expression", token.at, str(error)) from None
        return str(len(self.patterns) - 1)

    def _group(self, group: Group) -> str:
        if group.close == ")":
            return f"({self._clauses(group.items, _CLAUSES) if _is_select(group) else self._list(group.items)})"
        return f"case {self._clauses(group.items, frozenset(('when', 'then', 'else')))} end"

    def _clauses(self, items: list[Item], words: frozenset[str]) -> str:
        """What has words between its parts, some of which are questions."""
        parts: list[tuple[str, list[Item]]] = [("", [])]
        for item in items:
            if word_of(item) in words:
                parts.append((word_of(item), []))
            else:
                parts[-1][1].append(item)
        is_plain = bool(parts[0][1])  # CASE with a value compares it with what stands behind WHEN
        return " ".join(
            f"{word} {self._list(part, is_question=word in _CONDITIONS and not (is_plain and word == 'when'))}"
            for word, part in parts
        )

    def _list(self, items: list[Item], *, is_question: bool = False) -> str:
        parts: list[list[Item]] = [[]]
        for item in items:
            if word_of(item) == ",":
                parts.append([])
            else:
                parts[-1].append(item)
        return ", ".join(self._expression(part, is_question=is_question) for part in parts)

    def _use(self, field: Token, view: str) -> str:
        self.uses.append((field.path, view))
        return "?"


def kind_of_field(path: tuple[str, ...]) -> str:
    """What a field is where it is not null: number, text, truth, list, or any of them where it may have parts."""
    kind = kind_of(path[0])
    if isinstance(kind, inspect.ListType):
        return "list"
    if has_parts(path[0]):
        return "any"
    if isinstance(kind, inspect.BoolType):
        return "truth"
    return "number" if isinstance(kind, inspect.IntType | inspect.FloatType) else "text"


def _is_select(group: Group) -> bool:
    return bool(group.items) and word_of(group.items[0]) == "select"

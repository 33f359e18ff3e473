"""A filter over records, `status >= 400 and not error`: an expression of SQLite, which is asked about each record."""

from __future__ import annotations

import bisect
import re
import signal
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import msgspec

from crawler.errors import UsageError
from crawler.export.columns import is_scalar
from crawler.export.where_sql import Translation, Use
from crawler.export.where_tokens import Token, fault, gap_after, quoted, tokens_of

LIMIT_S = 2.0  # One record takes this many seconds of CPU time, and at most twice as many.
MAX_TERMS = 1_000  # So many operators may stand inside of each other, or in a row.
_STEPS = 10_000  # The time is looked at after this many instructions of SQLite.
_MAX_VALUE_BYTES = 256 * 1024 * 1024  # Text and JSON that SQLite is given or makes are this large at most.
_TABLES = ("json_each", "json_tree")
_FUNCTIONS = frozenset(
    """
    ~ -> ->> abs avg char coalesce count date datetime glob group_concat hex ifnull instr json json_array
    json_array_length json_extract json_group_array json_group_object json_object json_quote json_type json_valid
    julianday length like lower ltrim max min nullif regexp replace round rtrim strftime substr substring sum time total
    trim typeof unicode unixepoch upper""".split()
)
_NAME = re.compile(
    r"no such column: (?P<column>.+)|function:? (?P<function>[\w>-]+)|table: (?P<table>\w+)|to (?P<read>\w+)\."
)


class _Work:
    """What an evaluation shares with the callbacks of its connection.

    Attributes:
        record: What is asked about.
        is_running: Whether a record is being evaluated.
        deadline_s: CPU time of this thread at which it is given up; 0 before it was looked at.
    """

    __slots__ = ("deadline_s", "is_running", "record")

    def __init__(self) -> None:
        self.record: Any = None
        self.is_running = False
        self.deadline_s = 0.0

    def is_late(self) -> bool:
        """Whether it is to be given up."""
        now_s = time.thread_time()
        if not self.deadline_s:
            self.deadline_s = now_s + LIMIT_S
        return now_s > self.deadline_s


class _Alarm:
    """Ends a search by a regular expression that takes too long.

    `re` lets signals through while it searches, and Python gives them to the main thread only; a search in another
    thread has no limit. Setting the timer for each record would cost more than most searches. So it runs on, and a
    record is given up that is still under way when it rings for the second time.
    """

    def __init__(self) -> None:
        self._work: _Work | None = None
        self._is_armed = False
        self._seen: object = None  # What was under way when it rang last.

    def watch(self, work: _Work) -> None:
        """See to it that what begins now ends."""
        if threading.get_ident() == threading.main_thread().ident:
            self._work = work
            if not self._is_armed:
                self._arm()

    def _arm(self) -> None:
        self._is_armed = True
        signal.signal(signal.SIGVTALRM, self._ring)
        signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_S)

    def _ring(self, *_: object) -> None:
        self._is_armed = False
        record = self._work.record if self._work and self._work.is_running else None
        is_late, self._seen = record is not None and self._seen is record, record
        if self._work and is_late:
            self._seen, self._work.is_running = None, False
            raise TimeoutError
        if record is not None:
            self._arm()


_ALARM = _Alarm()


class Filter:
    """A question that a record answers with yes or no; one thread at a time may ask it.

    Args:
        text: What the user wrote.

    Raises:
        UsageError: If it cannot be read; the sentence says where.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        translation = Translation(text, self._tokens)
        self._getters = [_getter(use) for use in translation.uses]
        self._has_patterns = bool(translation.patterns)
        self._fields = frozenset(path[0] for path in (*translation.searched, *(path for path, _ in translation.uses)))
        self._sql = f"SELECT (({translation.sql}))"
        self._work = _Work()
        connection = _connection(self._work, translation)
        weakref.finalize(self, connection.close)
        self._cursor = connection.cursor()
        try:
            self._cursor.execute(f"EXPLAIN {self._sql}", [None] * len(self._getters)).close()
        except (sqlite3.Error, ValueError) as error:
            raise self._explained(str(error), connection) from None
        self._cursor = connection.cursor()

    @property
    def fields(self) -> frozenset[str]:
        """The fields that it looks at."""
        return self._fields

    def holds(self, record: Any) -> bool:
        """Whether the answer is yes, for an object with the fields as attributes.

        Raises:
            UsageError: If this record takes too long, or SQLite cannot evaluate what it holds.
        """
        values = [get(record) for get in self._getters]
        work = self._work
        work.deadline_s = 0.0
        try:
            if self._has_patterns:
                _ALARM.watch(work)
                work.record, work.is_running = record, True
            try:
                found = self._cursor.execute(self._sql, values).fetchone()
            except (OverflowError, UnicodeEncodeError):
                found = self._cursor.execute(self._sql, [_bindable(value) for value in values]).fetchone()
        except (sqlite3.Error, TimeoutError) as error:
            is_late = (self._has_patterns and not work.is_running) or "interrupt" in str(error)
            why = f"it takes longer than {LIMIT_S:g} s" if is_late else str(error)
            url = getattr(record, "url", None)
            raise UsageError(f"the filter {self._text!r} cannot be answered for {url}: {why}") from None
        finally:
            work.is_running = False
        return bool(found[0])

    def _explained(self, said: str, connection: sqlite3.Connection) -> UsageError:
        """What SQLite says, with its place and in the words of filters."""
        if "syntax error" in said or "incomplete input" in said:
            return self._syntax_fault(connection)
        if name := _NAME.search(said):
            kind, word = next((kind, word) for kind, word in name.groupdict().items() if word)
            is_called = f"gives {word}() a wrong number of values"
            is_unknown = f"calls {word}(), which is no function of filters,"
            what = {
                "column": f"has the word {word}, which is no field,",
                "function": is_called if "wrong number" in said else is_unknown,
            }.get(kind, f"reads {word}, where a SELECT may read only json_each() and json_tree(),")
            hint = f"write {quoted(word)} if it is text" if kind == "column" else ""
            place = next((token.at for token in self._tokens if token.text.lower() == word.lower()), None)
            if place is not None:
                return fault(self._text, what, place, hint)
            return UsageError(f"the filter {self._text!r} {what.rstrip(',')}")
        if said == "not authorized":
            what = "reads what is no record, where a SELECT may read only json_each() and json_tree(),"
            return fault(self._text, what, next(token.at for token in self._tokens if token.text == "select"))
        if "stack overflow" in said or "too large" in said:
            return UsageError(f"the filter {self._text!r} has too much inside of each other ({said})")
        return UsageError(f"the filter {self._text!r} cannot be evaluated: {said}")

    def _syntax_fault(self, connection: sqlite3.Connection) -> UsageError:
        """The first word that cannot stand where it stands: with it, SQLite no longer waits for more."""

        def is_wrong(count: int) -> bool:
            words = " ".join(_plain(token) for token in self._tokens[:count])
            try:
                connection.execute(f"SELECT ({words}")
            except sqlite3.Error as error:
                return "incomplete" not in str(error)
            return True

        count = bisect.bisect_left(range(len(self._tokens) + 1), True, key=is_wrong) - 1
        depth = [token.text for token in self._tokens[:count] if token.kind == "sign"]
        at = self._tokens[count].at if count < len(self._tokens) else len(self._text)
        before = self._tokens[count - 1] if count else None
        return fault(self._text, gap_after(before, depth.count("(") > depth.count(")")), at)


def parse(filters: Iterable[str]) -> tuple[Filter, ...]:
    """What some filters ask, all of which must hold.

    A filter is an expression of SQLite over the fields of a record; lists and objects are JSON text. Beyond SQLite, a
    value alone holds unless it is null, false, zero or empty; `og.title` is a part of an object; `~` searches for a
    regular expression, in a list in each item; and a comparison is never null: null is equal to null alone, so that
    `author != 'x'` and `author not like 'x%'` hold where there is no author. A number beside text is compared as text.
    Where a field has only one type, what it can never be equal to is a fault.

    Args:
        filters: The text of each.

    Raises:
        UsageError: If one cannot be read; the sentence says where.
    """
    return tuple(Filter(text) for text in filters)


def _connection(work: _Work, translation: Translation) -> sqlite3.Connection:
    """A database without anything in it, which may only be asked expressions."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for table in _TABLES:  # They are declared when they are first used, which nobody may do later.
        connection.execute(f"SELECT 1 FROM {table}('[]')").close()
    searches = [pattern.search for pattern in translation.patterns]
    getters = [_getter((path, "as it is")) for path in translation.searched]

    def search_field(field: int, pattern: int) -> bool:
        found = getters[field](work.record)
        if isinstance(found, list):
            return any(searches[pattern](_text(item)) for item in found if item is not None)
        return found is not None and searches[pattern](_text(found)) is not None

    def search_value(pattern: int, value: object) -> bool:
        return value is not None and searches[pattern](str(value)) is not None

    connection.create_function("~", 2, search_field)
    connection.create_function("regexp", 2, search_value)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, MAX_TERMS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_progress_handler(work.is_late, _STEPS)
    connection.set_authorizer(_may)
    return connection


def _may(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Only expressions with functions that reach nothing outside, and SELECT from JSON."""
    is_allowed = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and first in _TABLES)
        or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS)
    )
    return sqlite3.SQLITE_OK if is_allowed else sqlite3.SQLITE_DENY


def _plain(token: Token) -> str:
    """A word as it may stand in SQL, for finding out which of them is wrong there."""
    if token.kind in ("field", "pattern", "text"):
        return "?" if token.kind == "field" else "''"
    return "REGEXP" if token.text == "~" else token.text


def _getter(use: Use) -> Callable[[Any], Any]:
    """A function that takes of a record what stands in the expression."""
    (name, *keys), view = use
    get = attrgetter(name)
    show = None if view == "json" and is_scalar(name) else VIEWS.get(view)
    if not keys:
        return get if show is None else lambda record: show(get(record))

    def part(record: Any) -> Any:
        value = get(record)
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if show is None else show(value)

    return part


def _json(value: Any) -> Any:
    """A value as SQLite knows it: lists and objects are JSON text."""
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else value


def _text(value: Any) -> str:
    """What a regular expression is searched in: JSON where that is no text."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# How a value stands in an expression: as it is, or as what a value of another type is not equal to.
VIEWS: dict[str, Callable[[Any], Any]] = {
    "json": _json,
    "truth": bool,
    "text": lambda value: value if isinstance(value, str) else None,
    "flag": lambda value: value if isinstance(value, bool) else None,
    "plain": lambda value: None if isinstance(value, bool | list | dict) else value,
}


def _bindable(value: Any) -> Any:
    """A value in the nearest form that SQLite has for it: it knows integers of 64 bits, and text in UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value

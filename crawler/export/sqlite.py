"""SQLite: the tables `pages` and `links`, indexed, and a full-text index of what the pages say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Raw, inspect, structs

from crawler.errors import RunError, UsageError
from crawler.export.columns import HINTS, is_part, is_scalar, json_text, kind_of, names_or_all, reader

LINKS = "links"  # the field that has a table of its own
INDEXED = ("url", "outcome", "status")
SEARCHED = ("title", "text")

_TYPES: dict[type[inspect.Type], str] = {
    inspect.IntType: "INTEGER",
    inspect.BoolType: "INTEGER",
    inspect.FloatType: "REAL",
}
_CACHE_KIB = 16 * 1024  # rows come in order, so that more would not be faster

# The file has no name yet and is built again after a crash, so nothing in it needs to survive one.
_BUILDING = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -{_CACHE_KIB};
"""


def has_full_text_search() -> bool:
    """Whether this Python's SQLite has FTS5."""
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
        except sqlite3.Error:
            return False
    return True


def write(lines: Iterator[bytes], names: Sequence[str] | None, file: BinaryIO) -> int:
    """Write records as rows of `pages`, and their links as rows of `links`.

    `pages` has a column for each field: text, numbers, truth values as 0 and 1, and JSON text for lists and objects.
    A part of a field is what JSON has there, in a column without a type. Its column `links` counts the page's rows in
    `links`, and the view `linked` has these with the URL of their page.
    `search` is an FTS5 index of title and text, which are stored in `pages` alone.

    Args:
        lines: The records.
        names: Fields in the order of the columns; None for all.
        file: An empty file that has a name.

    Returns:
        How many records were written.

    Raises:
        UsageError: If two parts differ in upper and lower case alone, which makes no two columns.
        RunError: If a line is no record, or holds a number of more than 64 bits.
        OSError: If the disk is full or failing.
    """
    columns = names_or_all(names)
    if len({name.lower() for name in columns}) < len(columns):
        raise UsageError(f"SQLite takes two of these columns for the same: {', '.join(columns)}")
    hints = {name: _hint_of(name) for name in columns}
    read = reader(hints, is_whole=names is None)
    try:
        with closing(sqlite3.connect(Path(file.name), isolation_level=None)) as database:
            database.executescript(_BUILDING)
            database.execute("BEGIN")
            for statement in _tables(columns):
                database.execute(statement)
            count = _insert(database, map(read, lines), hints)
            for statement in _indexes(columns):
                database.execute(statement)
            database.execute("COMMIT")
    except sqlite3.Error as error:
        raise OSError(str(error)) from error
    except OverflowError as error:
        raise RunError(f"a record holds a number that SQLite has no room for: {error}") from None
    return count


def _insert(database: sqlite3.Connection, records: Iterator[Any], hints: Mapping[str, Any]) -> int:
    into_pages = f"INSERT INTO pages VALUES (?{', ?' * len(hints)})"
    into_links = "INSERT INTO links VALUES (?, ?, ?)"
    json = [place for place, hint in enumerate(hints.values(), 1) if hint is Raw]
    parts = [place for place, name in enumerate(hints, 1) if is_part(name)]
    links = [place for place, name in enumerate(hints, 1) if name == LINKS]
    count = 0

    def rows() -> Iterator[list[Any]]:
        nonlocal count
        for record in records:
            count += 1
            row = [count, *structs.astuple(record)]
            for place in json:
                row[place] = json_text(row[place])
            for place in parts:
                if isinstance(row[place], list | dict):
                    row[place] = msgspec.json.encode(row[place]).decode()
            for place in links:
                targets = row[place]
                if targets is not None:
                    row[place] = len(targets)
                    database.executemany(into_links, [(count, at, target) for at, target in enumerate(targets)])
            yield row

    database.executemany(into_pages, rows())
    return count


def _hint_of(name: str) -> Any:
    if is_part(name):
        return Any
    return HINTS[name] if is_scalar(name) or name == LINKS else Raw


def _type_of(name: str) -> str:
    if is_part(name):
        return ""  # a number stays a number, text stays text
    return "INTEGER" if name == LINKS else _TYPES.get(type(kind_of(name)), "TEXT")


def _tables(columns: Sequence[str]) -> Iterator[str]:
    """The statements before the rows."""
    described = ", ".join(f'"{name}" {_type_of(name)}' for name in columns)
    yield f"CREATE TABLE pages (id INTEGER PRIMARY KEY, {described})"
    if LINKS in columns:
        yield (
            "CREATE TABLE links (page INTEGER NOT NULL REFERENCES pages (id), position INTEGER NOT NULL,"
            " target TEXT NOT NULL, PRIMARY KEY (page, position)) WITHOUT ROWID"
        )


def _indexes(columns: Sequence[str]) -> Iterator[str]:
    """The statements behind the rows: an index is made faster of all than row by row."""
    for name in INDEXED:
        if name in columns:
            yield f"CREATE INDEX pages_{name} ON pages ({name})"
    if LINKS in columns:
        yield "CREATE INDEX links_target ON links (target)"
        if "url" in columns:
            yield (
                "CREATE VIEW linked AS SELECT pages.url AS url, links.position AS position, links.target AS target"
                " FROM links JOIN pages ON pages.id = links.page"
            )
    if searched := [name for name in SEARCHED if name in columns]:
        yield f"CREATE VIRTUAL TABLE search USING fts5({', '.join(searched)}, content='pages', content_rowid='id')"
        yield "INSERT INTO search (search) VALUES ('rebuild')"

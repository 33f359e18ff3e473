"""The crawler, made to die at a chosen point: `python -m tests.kill.child POINT COUNT ARGUMENTS…`. For tests only.

The process kills itself as if the machine had done it: no exception, no `finally`, no flush.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

from crawler import cli
from crawler.engine.commit import Committer
from crawler.engine.engine import Engine
from crawler.engine.pipeline import Pipeline
from crawler.parse.stage import PageParser
from crawler.run import folder as run
from crawler.store import migration, sqlite_file
from crawler.store.in_progress import InProgress
from crawler.store.journal import Journal
from crawler.store.sqlite import SqliteStore


def die() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def _around(owner: Any, name: str, count: int, *, after: bool = False) -> None:
    """Die before the count-th call of a method, or when it has returned."""
    method = getattr(owner, name)
    calls = 0

    @wraps(method)
    def mortal(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        is_time = calls == count
        if is_time and not after:
            die()
        answer = method(*arguments, **named)
        if is_time:
            die()
        return answer

    setattr(owner, name, mortal)


def _torn(count: int) -> None:
    """Die when half of the count-th batch has been written."""
    append = Journal.append
    calls = 0

    def mortal(journal: Journal, lines: Sequence[bytes]) -> None:
        nonlocal calls
        calls += bool(lines)
        if lines and calls == count:
            data = b"".join(lines)
            append(journal, [data[: len(data) // 2]])
            die()
        append(journal, lines)

    Journal.append = mortal  # type: ignore[method-assign]


def _half_made(count: int) -> None:
    """Die when the state's file has its tables and not yet what makes it a crawler's."""
    connect = sqlite3.connect

    class Mortal(sqlite3.Connection):
        def executescript(self, script: str, /) -> sqlite3.Cursor:
            super().executescript(script)
            die()
            raise AssertionError

    sqlite_file.sqlite3 = SimpleNamespace(  # type: ignore[assignment]
        **{**vars(sqlite3), "connect": partial(connect, factory=Mortal)}
    )


class Point(NamedTuple):
    """Where a crawl can be killed.

    Args:
        where: In words, for the table.
        arm: Makes the process die at the count-th time that it passes.
        passes: How often a short crawl passes at least, about.
        session: Which sessions pass there: those that begin a run, those that resume one, or any.
    """

    where: str
    arm: Callable[[int], None]
    passes: int = 1
    session: Literal["first", "resumed", "any"] = "any"


COMMITS = 10  # of a short crawl, at least
before, after = partial(partial, _around), partial(partial, _around, after=True)
POINTS = {
    "created": Point("new run: settings written, no state yet", after(run, "create"), session="first"),
    "half made": Point("new run: state half made", _half_made, session="first"),
    "dispatched": Point("request noted, not sent", after(InProgress, "enter"), 80),
    "answered": Point("between fetch and parse", before(Pipeline, "_answer"), 80),
    "parsed": Point("between parse and hand-over", before(Pipeline, "_parsed"), 60),
    "gathered": Point("between hand-over and append", before(Committer, "_commit"), COMMITS),
    "torn": Point("in the middle of the append", _torn, COMMITS),
    "appended": Point("between append and fdatasync", before(Journal, "sync"), COMMITS),
    "synced": Point("between fdatasync and transaction", after(Journal, "sync"), COMMITS),
    "marked": Point("inside the transaction", after(SqliteStore, "_mark_outputs"), COMMITS),
    "committed": Point("committed, the loop not told", after(SqliteStore, "commit"), COMMITS),
    "heard": Point("committed, the loop told", after(Engine, "_committed"), COMMITS),
    "begun": Point("resume: session noted", after(SqliteStore, "begin_session"), session="resumed"),
    "cut": Point("resume: outputs cut", after(Journal, "cut"), session="resumed"),
    "charged": Point("resume: crashes charged", after(SqliteStore, "charge"), session="resumed"),
    "cleared": Point("resume: what was in progress is forgotten", after(InProgress, "clear"), session="resumed"),
    "queued": Point("resume: queues restored", after(SqliteStore, "take_over"), session="resumed"),
    "closing": Point("at the end, before the state is closed", before(SqliteStore, "close")),
    "closed": Point("at the end, after the state is closed", after(SqliteStore, "close")),
}
# Of a resume that finds a state of an earlier format; no other session passes there.
MIGRATION_POINTS = {
    "found": Point("migration: found, nothing done", before(sqlite_file, "keep_copy")),
    "half copied": Point(
        "migration: the copy has a name that is not on the disk yet", before(migration, "sync_folder")
    ),
    "copied": Point("migration: the copy is kept", after(sqlite_file, "keep_copy")),
    "half migrated": Point("migration: inside the transaction", before(migration, "_fill")),
    "filled": Point("migration: before the transaction ends", after(migration, "_fill")),
    "migrated": Point("migration: done", after(sqlite_file, "migrate")),
}


def arm_page(url: str) -> None:
    """Die whenever a page is parsed in this process."""
    parse = PageParser.parse

    def mortal(parser: PageParser, page: Any) -> Any:
        if page.request.url == url:
            die()
        return parse(parser, page)

    PageParser.parse = mortal  # type: ignore[method-assign]


def _stop_after(commits: int) -> None:
    """Have the crawl stopped by SIGTERM as soon as there were so many commits."""
    committed = Engine._committed

    def stopping(engine: Engine, *arguments: Any) -> None:
        nonlocal commits
        committed(engine, *arguments)
        commits -= 1
        if not commits:
            os.kill(os.getpid(), signal.SIGTERM)

    Engine._committed = stopping  # type: ignore[method-assign]


def main(point: str, count: str, *arguments: str) -> int:
    """Arm a point, with `page` a URL, with `room` limit the bytes of a file, with `stop` stop it; run the crawler."""
    if point == "page":
        arm_page(count)
    elif point == "stop":
        _stop_after(int(count))
    elif point == "room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(count), int(count)))
    else:
        (POINTS | MIGRATION_POINTS)[point].arm(int(count))
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

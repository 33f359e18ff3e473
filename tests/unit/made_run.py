"""A run's folder made by driving store and journal as the commit does, for tests that read or damage one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from zlib import crc32

from crawler import urls
from crawler.models import Link, Outcome, Request, Response
from crawler.records import record_line
from crawler.settings.file import render
from crawler.settings.groups import Settings
from crawler.store.base import Done, Found, Output
from crawler.store.journal import Journal
from crawler.store.sqlite import SqliteStore


def link(url: str) -> Link:
    return Link(url, urls.host_key(url), urls.fingerprint(url))


def found(*given: str, depth: int = 0, are_seeds: bool = False) -> Found:
    return Found([link(url) for url in given], depth, are_seeds=are_seeds)


def done(request: Request, outcome: Outcome, reason: str | None = None, *, was_open: bool = True) -> Done:
    """An end with the record that is due for it."""
    is_due = was_open or request.is_seed or request.attempts > 0
    line = record_line(request, outcome, error=reason) if is_due else b""
    return Done(request, outcome, reason, line, was_open=was_open)


def answered(request: Request, elapsed_s: float, body: bytes = b"") -> Done:
    """An end as ok after so many seconds."""
    page = Response(request, 200, (), body, 0.0, elapsed_s, "asyncio")
    return Done(request, "ok", None, record_line(request, "ok", page=page))


class MadeRun:
    """An open run; nobody is crawling, the test commits.

    Args:
        folder: Is made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "run.toml").write_text(render(Settings()))
        self.folder = folder
        self.store = SqliteStore(folder / "state.sqlite", is_new=True)
        self.journal = Journal(folder / "records.jsonl")
        self.store.begin_session()

    def commit(self, ends: Sequence[Done] = (), groups: Sequence[Found] = ()) -> list[Request]:
        lines = [each.line for each in ends if each.line]
        offset = self.journal.length
        self.journal.append(lines)
        data = b"".join(lines)
        outputs = [Output("records.jsonl", offset, len(data), crc32(data), len(lines))] if lines else []
        return self.store.commit(ends, groups, outputs)

    def close(self) -> Path:
        self.store.close(is_clean=True)
        self.journal.close()
        return self.folder


def full_run(folder: Path) -> MadeRun:
    """A run in which there is every outcome, asked for and not, in three batches; 10 records of 13 URLs."""
    run = MadeRun(folder)
    home, other, refused = run.commit(
        groups=[found("http://a.example/", "http://b.example:8080/", "http://c.example/", are_seeds=True)]
    )
    names = [f"http://a.example/{name}" for name in "0123456789"]
    pages = run.commit([done(home, "ok"), done(refused, "skipped", "robots", was_open=False)], [found(*names, depth=1)])
    run.commit([done(other, "redirect", "301"), done(pages[0], "ok"), done(pages[1], "http_error", "404")])
    run.commit(
        [
            done(pages[2], "failed", "read_timeout"),
            done(pages[3], "quarantined", "parse_timeout"),
            done(pages[4], "skipped", "depth", was_open=False),
            done(pages[5], "failed", "dns_not_found", was_open=False),
            done(pages[6], "ok"),
            done(pages[7], "redirect", "302"),
            done(pages[8], "http_error", "500"),
        ]
    )
    return run


def alter(folder: Path, *statements: str) -> None:
    """Change a run's state behind its back."""
    with closing(sqlite3.connect(folder / "state.sqlite", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)

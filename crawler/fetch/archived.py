"""Answers out of a WARC, by URL; for the strategy `replay`."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from crawler import urls, warc
from crawler.errors import FetchError, RunError, UrlError, UsageError
from crawler.fetch.answer import AnswerParser
from crawler.fetch.dial.target import Limits
from crawler.models import Request, Response

NAME = "replay"
_TRUNCATED = {"length": "length", "time": "time", "unspecified": "type"}  # to `Response.truncated`


class ArchivedAnswers:
    """The answers in a WARC; of several for one URL, the last. Which are there is noted in a temporary file.

    Args:
        path: A `.warc.gz` with a gzip member for each record.
        length: Committed length in bytes; None takes all, but for a torn last record.

    Raises:
        UsageError: If it cannot be read.
        RunError: If it is damaged, or no such file.
    """

    def __init__(self, path: Path, length: int | None = None) -> None:
        self._path = path
        self._index = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._index.execute("CREATE TABLE answers (url INTEGER PRIMARY KEY, offset INTEGER)")
        self._index.execute("CREATE TABLE bodies (digest INTEGER PRIMARY KEY, offset INTEGER)")
        try:
            self._file = path.open("rb")
            self._read_through(length)
        except OSError as error:
            self._index.close()
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        except RunError:
            self.close()
            raise

    def _read_through(self, length: int | None) -> None:
        execute = self._index.execute
        execute("BEGIN")
        for entry in warc.entries(self._path, length):
            if not entry.is_answer:
                continue
            try:
                key = urls.fingerprint(urls.canonicalize(entry.url))
            except UrlError:
                continue
            execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, entry.offset))
            if entry.kind == "response" and (digest := entry.fields.get("warc-payload-digest")):
                execute("INSERT OR REPLACE INTO bodies VALUES (?, ?)", (urls.fingerprint(digest), entry.offset))
        execute("COMMIT")

    def __contains__(self, url: str) -> bool:
        return self._offset("SELECT offset FROM answers WHERE url = ?", url) is not None

    def find(self, request: Request, limits: Limits) -> Response:
        """The answer to a request, at the time at which it was received.

        Args:
            request: What is asked for.
            limits: Of the head; of the body, as much is read as these need to cut it.

        Raises:
            FetchError: `not_in_replay` if there is none, or what the answer itself deserves.
            RunError: If the file was damaged meanwhile.
        """
        offset = self._offset("SELECT offset FROM answers WHERE url = ?", request.url)
        if offset is None:
            raise FetchError("not_in_replay", request.url[:200])
        entry, answer, body = self._read(offset, limits)
        is_complete = answer.broken is None
        if entry.kind == "revisit":
            digest = entry.fields.get("warc-payload-digest", "")
            original = self._offset("SELECT offset FROM bodies WHERE digest = ?", digest)
            if original is None:
                raise FetchError("not_in_replay", f"the body that {request.url[:200]} refers to")
            _, first, body = self._read(original, limits)
            is_complete = first.broken is None
        mark = entry.fields.get("warc-truncated", "").lower()
        truncated = _TRUNCATED.get(mark)
        is_complete = truncated is not None or (is_complete and mark != "disconnect")
        headers = warc.received_fields(answer.headers)
        return Response(request, answer.status, headers, body, _received_at(entry), 0.0, NAME, is_complete, truncated)

    def _read(self, offset: int, limits: Limits) -> tuple[warc.Entry, AnswerParser, bytes]:
        """The record at a place, its answer with the head complete, and the answer's body."""
        # Twice, because stored fields can be more than those received, and a body can still be in chunks.
        limits = msgspec.structs.replace(
            limits, max_header_bytes=2 * limits.max_header_bytes, max_header_fields=2 * limits.max_header_fields
        )
        entry = warc.entry_at(self._path, self._file, offset, limits.max_header_bytes + 2 * limits.max_body_bytes)
        block = entry.block
        if block.startswith((b"HTTP/2", b"HTTP/3")):  # some crawlers name the version that HTTP/1 syntax stands for
            block = b"HTTP/1.1" + block[block.find(b" ") :]
        answer = AnswerParser(limits)
        body = answer.feed(block)
        answer.feed_eof()
        return entry, answer, body

    def _offset(self, query: str, text: str) -> int | None:
        row = self._index.execute(query, (urls.fingerprint(text),)).fetchone()
        return None if row is None else int(row[0])

    def close(self) -> None:
        """Let go of the file and of the notes about it."""
        self._file.close()
        self._index.close()


def _received_at(entry: warc.Entry) -> float:
    """When an answer was complete, Unix seconds; when its capture began where no more is known."""
    try:
        when = datetime.fromisoformat(entry.fields.get("warc-date", ""))
    except ValueError:
        return 0.0
    began = when.replace(tzinfo=when.tzinfo or UTC).timestamp()
    elapsed_ms = entry.fields.get(warc.ELAPSED.lower(), "")
    return began + (int(elapsed_ms[:12]) / 1000 if elapsed_ms.isascii() and elapsed_ms.isdigit() else 0.0)

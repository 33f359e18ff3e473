"""HTTP/1.1 answers from bytes: one parser without I/O for every strategy, so that one answer has one meaning.

The client libraries disagree about malformed answers, and one of them even with itself, depending on how the bytes
were cut into packets. Here framing is judged strictly and everything else as leniently as browsers do.
"""

from __future__ import annotations

import re
from functools import lru_cache

from crawler.errors import FetchError
from crawler.fetch.base import check_head
from crawler.fetch.dial.target import Limits
from crawler.models import Headers
from crawler.settings.groups import KIB

MAX_LENGTH = 2**63 - 1
MAX_LENGTH_DIGITS = 19
MAX_INFORMATIONAL = 16  # 1xx answers before the one that counts
MAX_CHUNK_LINE_BYTES = 16 * KIB  # size and extensions of one chunk
MAX_TRAILER_BYTES = 16 * KIB
KNOWN_FIELD_CHARS = 200  # longer header lines are not remembered
HEAD_SLACK_BYTES = 16 * KIB  # status line, white space and 1xx answers beside the fields that the limit is about

_STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9][0-9])(?: .*)?\r?", re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEX = re.compile(rb"[0-9a-fA-F]{1,16}")
_NOT_IN_VALUES = str.maketrans({"\0": " ", "\r": " "})


class AnswerParser:
    """One answer to a GET, fed with bytes as they come.

    Args:
        limits: Those of the header fields are kept here, those of the body are not.

    Attributes:
        status: The status of the final answer, 0 until its head is complete.
        headers: Its header fields.
        received: Bytes fed before the head was complete.
        is_complete: Whether the body has come to its proper end.
        broken: None, or why the body cannot come to a proper end.
        has_extra: Whether bytes came after the end.
    """

    def __init__(self, limits: Limits) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.received = 0
        self.is_complete = False
        self.broken: str | None = None
        self.has_extra = False
        self._limits = limits
        self._buffer = b""
        self._informational = 0
        self._keeps_alive = False
        self._is_chunked = False
        self._left: int | None = None  # bytes of the body or the chunk that are still to come, None: until the end
        self._state = "size"  # Where a chunked body stands: size, data, end (of the data), trailer.
        self._trailer_size = 0

    @property
    def can_reuse(self) -> bool:
        """Whether the connection may carry another request."""
        return self.is_complete and self._keeps_alive and not self.has_extra and self.broken is None

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection and return those that belong to the body.

        Raises:
            FetchError: If the head is no HTTP (`protocol_error`) or too large (`header_too_large`).
        """
        if not self.status:
            data = self._feed_head(data)
            if not self.status:
                return b""
        if self.is_complete or self.broken is not None:
            self.has_extra = self.has_extra or bool(data)
            return b""
        if self._is_chunked:
            return self._feed_chunked(data)
        if self._left is None:
            return data
        body = data[: self._left]
        self._left -= len(body)
        if not self._left:
            self.is_complete = True
            self.has_extra = len(data) > len(body)
        return body

    def feed_eof(self, is_clean: bool = True) -> None:
        """The connection has ended; `is_clean` is false where it was reset.

        Raises:
            FetchError: `connection_lost` if the head was not complete.
        """
        if not self.status:
            raise FetchError(
                "connection_lost", "closed before an answer" if not self.received else "closed in the head"
            )
        if self.is_complete or self.broken is not None:
            return
        if self._left is None and not self._is_chunked and is_clean:
            self.is_complete = True
        else:
            self.broken = "the connection ended before the body"

    def _feed_head(self, data: bytes) -> bytes:
        """Collect the head; the bytes after it are returned."""
        self.received += len(data)
        start = max(0, len(self._buffer) - 3)
        data = self._buffer + data
        while True:
            if not start:
                data = data.lstrip(b"\r\n")  # empty lines before an answer (RFC 9112, 2.2)
            end, after = _end_of_head(data, start)
            if end < 0:
                self._buffer = data
                if self.received > self._limits.max_header_bytes + HEAD_SLACK_BYTES:
                    raise FetchError("header_too_large", f"{self.received} bytes and no end")
                if len(data) >= 5 and not data.startswith(b"HTTP/"):
                    raise FetchError("protocol_error", f"no HTTP: {data[:40]!r}")
                return b""
            status, minor, headers = parse_head(data[:end], self._limits)
            data = data[after:]
            if status >= 200:
                self._buffer = b""
                self._frame(status, minor, headers)
                return data
            self._informational += 1
            if status == 101 or self._informational > MAX_INFORMATIONAL:
                raise FetchError("protocol_error", f"status {status} that nobody asked for")
            start = 0

    def _frame(self, status: int, minor: int, headers: Headers) -> None:
        """Decide where the body ends (RFC 9112, 6.3)."""
        fields: dict[str, list[str]] = {}
        for name, value in headers:
            name = name.lower()
            if name in _FRAMING:
                fields.setdefault(name, []).extend(part.strip(" \t").lower() for part in value.split(","))
        codings = [coding for coding in fields.get("transfer-encoding", ()) if coding not in ("", "identity")]
        lengths = set(fields.get("content-length", ()))
        connection = fields.get("connection", ())
        self._keeps_alive = "close" not in connection and (minor > 0 or "keep-alive" in connection)
        self.status, self.headers = status, headers
        if status in (204, 304):
            self.is_complete = True
        elif codings:
            if codings != ["chunked"]:
                raise FetchError("protocol_error", f"transfer coding {', '.join(codings)[:100]}")
            self._is_chunked = True
            if lengths or not minor:  # faulty framing: the coding counts, and nothing after it
                self._keeps_alive = False
        elif lengths:
            self._left = _content_length(lengths)
            self.is_complete = self._left == 0
            self._keeps_alive = self._keeps_alive and self._left is not None
        else:
            self._keeps_alive = False

    def _feed_chunked(self, data: bytes) -> bytes:
        """Undo the chunked coding (RFC 9112, 7.1); extensions and trailers are passed over."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        body: list[bytes] = []
        at, size = 0, len(data)
        while at < size:
            if self._state == "data":
                assert self._left is not None
                piece = data[at : at + self._left] if at or self._left < size else data
                body.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = "end"
                continue
            end = data.find(b"\n", at)
            line = data[at : end + 1] if end >= 0 else data[at:]
            if not self._take_line(line, end >= 0):
                self._buffer = line if end < 0 else b""
                break
            at = end + 1
            if self.is_complete:
                self.has_extra = at < size
                break
        return body[0] if len(body) == 1 else b"".join(body)

    def _take_line(self, line: bytes, has_end: bool) -> bool:
        """Take one line of the chunked coding; False if it is not complete or not valid."""
        limit = {"size": MAX_CHUNK_LINE_BYTES, "end": 2, "trailer": MAX_TRAILER_BYTES - self._trailer_size}[self._state]
        if len(line) > limit or (self._state == "end" and line not in (b"\r\n", b"\n", b"\r")):
            self.broken = f"the chunked coding breaks at {line[:40]!r}"
        if self.broken is not None or not has_end:
            return False
        if self._state == "end":
            self._state = "size"
        elif self._state == "trailer":
            self._trailer_size += len(line)
            self.is_complete = line in (b"\r\n", b"\n")
        else:
            digits = line.partition(b";")[0].rstrip(b" \t\r\n")
            if not _HEX.fullmatch(digits) or (length := int(digits, 16)) > MAX_LENGTH:
                self.broken = f"{line[:40]!r} is not the size of a chunk"
                return False
            self._left = length
            self._state = "data" if length else "trailer"
        return True


_FRAMING = frozenset({"transfer-encoding", "content-length", "connection"})


def _end_of_head(data: bytes, start: int) -> tuple[int, int]:
    """Where the head ends and what comes after it begins; lines may end in LF alone. (-1, 0) if it is not complete."""
    end = data.find(b"\n\r\n", start)
    bare = data.find(b"\n\n", start, end + 1 if end >= 0 else len(data))
    if bare >= 0:
        return bare, bare + 2
    return (end, end + 3) if end >= 0 else (-1, 0)


def parse_head(head: bytes, limits: Limits) -> tuple[int, int, Headers]:
    """Read a status line and header fields.

    What is no field (no colon, no name, a name that is no token) is passed over. Folded lines are joined, and NUL
    and bare CR in values become spaces, so that no value can forge a line where it is written.

    Returns:
        Status, minor version of HTTP/1, and the fields as latin-1 text.

    Raises:
        FetchError: `protocol_error` if the status line is not one, `header_too_large` beyond the limits.

    Source: RFC 9112, 4 and 5; RFC 9110, 5.5.
    """
    lines = head.decode("latin-1").split("\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise FetchError("protocol_error", f"no status line: {lines[0][:40]!r}")
    if len(head) > limits.max_header_bytes + HEAD_SLACK_BYTES:
        raise FetchError("header_too_large", f"{len(head)} bytes")
    fields: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line[:1] in (" ", "\t"):
            if fields:
                name, value = fields[-1]
                fields[-1] = (name, f"{value} {_value(line)}".strip())
            continue
        if field := _known_field(line) if len(line) <= KNOWN_FIELD_CHARS else _field(line):
            fields.append(field)
    headers = tuple(fields)
    if len(headers) > limits.max_header_fields or 2 * len(head) > limits.max_header_bytes:
        check_head(headers, limits)
    return int(match[2]), int(match[1]), headers


def _field(line: str) -> tuple[str, str] | None:
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t")
    return (name, _value(value)) if colon and _TOKEN.fullmatch(name) else None


_known_field = lru_cache(maxsize=1024)(_field)  # a server says most things the same way each time


def _value(text: str) -> str:
    text = text.strip(" \t\r")
    return text.translate(_NOT_IN_VALUES).strip(" \t") if "\r" in text or "\0" in text else text


def _content_length(values: set[str]) -> int | None:
    """The one length that all values say; None for one that nothing has, where the body ends with the connection."""
    text = next(iter(values))
    if len(values) > 1 or not (text.isascii() and text.isdigit()):
        raise FetchError("protocol_error", f"Content-Length {', '.join(sorted(values))[:100]!r}")
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= MAX_LENGTH_DIGITS and int(digits) <= MAX_LENGTH else None

"""WARC 1.1 as bytes: records, each a gzip member of its own, are made here and read back one after another.

Source: ISO 28500:2017, "WARC file format", and its annexes on compression and on HTTP.
"""

from __future__ import annotations

import zlib
from base64 import b32encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from msgspec import Struct

from crawler.errors import RunError
from crawler.models import Headers

try:
    from isal.isal_zlib import compress  # a third of zlib's CPU time for files of the same size
except ImportError:
    from zlib import compress


# This level of compression is one that both libraries have; zlib's 6 takes 2.5 times as long for files 10 % smaller.
LEVEL = 2
MAX_HEAD_BYTES = 64 * 1024  # The named fields of one record have this many bytes at most.
HIDDEN = "X-Crawler-"  # put before the names of framing fields that are not true of a stored body
ELAPSED = "X-Crawler-Elapsed-Ms"  # This field tells the milliseconds from the request to the end of the answer.

_GZIP = 31  # window bits that mean: with gzip's header and checksum
_READ_BYTES = 16 * 1024
_BUFFER_BYTES = 1024 * 1024
_INFLATE_BYTES = 256 * 1024  # at a time, so that a bomb is only ever counted
_END = b"\r\n\r\n"
_FRAMING = frozenset({"transfer-encoding", "content-length"})
_BODILESS = frozenset({204, 304})
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_LINE_BREAKS = str.maketrans({"\r": " ", "\n": " "})


# Making records


def record_id() -> str:
    """A name for a record, which no other record has."""
    return f"<urn:uuid:{uuid4()}>"


def digest(*parts: bytes) -> str:
    """The digest of bytes as WARC writes it."""
    hasher = sha256()
    for part in parts:
        hasher.update(part)
    return f"sha256:{b32encode(hasher.digest()).decode()}"


def member(kind: str, fields: Sequence[tuple[str, str]], content_type: str, *block: bytes) -> bytes:
    """One record as a gzip member.

    Args:
        kind: `WARC-Type`.
        fields: Named fields, `WARC-Record-ID` and `WARC-Date` among them.
        content_type: Of the block.
        block: Its content, in pieces.
    """
    named = (
        ("WARC-Type", kind),
        *fields,
        ("WARC-Block-Digest", digest(*block)),
        ("Content-Type", content_type),
        ("Content-Length", str(sum(map(len, block)))),
    )
    return compress(b"".join((_head("WARC/1.1", named, "utf-8"), *block, _END)), LEVEL, _GZIP)


def request_head(method_line: str, headers: Headers) -> bytes:
    """The head of an HTTP request."""
    return _head(method_line, headers, "latin-1")


def response_head(status: int, headers: Headers, body_bytes: int) -> bytes:
    """The head of an HTTP answer, as it stands before a body of which the transfer-coding is undone.

    Fields stand as they were received and in that order. Only where they frame a body other than the stored one, they
    are kept under names that begin with `X-Crawler-`, and a `Content-Length` of the stored body is added, so that the
    answer is valid HTTP. The reason phrase is that of the standard.
    """
    return _head(
        f"HTTP/1.1 {status} {_PHRASES.get(status, '')}", _stored_fields(status, headers, body_bytes), "latin-1"
    )


def _stored_fields(status: int, headers: Headers, body_bytes: int) -> Headers:
    if status in _BODILESS or not any(_is_untrue(name.lower(), value, body_bytes) for name, value in headers):
        return headers
    renamed = ((HIDDEN + name if name.lower() in _FRAMING else name, value) for name, value in headers)
    return (*renamed, ("Content-Length", str(body_bytes)))


def _is_untrue(name: str, value: str, body_bytes: int) -> bool:
    return name == "transfer-encoding" or (name == "content-length" and value != str(body_bytes))


def received_fields(headers: Headers) -> Headers:
    """The fields of an answer as they were received, of those that `response_head` has stored."""
    hidden = [name for name, _ in headers if _hidden_name(name)]
    if not hidden:
        return headers
    kept = headers[:-1] if headers[-1][0] == "Content-Length" else headers
    return tuple((_hidden_name(name) or name, value) for name, value in kept)


def _hidden_name(name: str) -> str:
    """What a field was called before it was hidden, empty if it was not."""
    original = name.removeprefix(HIDDEN)
    return original if len(original) < len(name) and original.lower() in _FRAMING else ""


def _head(first: str, fields: Sequence[tuple[str, str]], encoding: str) -> bytes:
    text = "".join([f"{name}: {value}\r\n" for name, value in fields])
    if text.count("\n") != len(fields) or text.count("\r") != len(fields):  # no value may forge a line
        text = "".join(
            [f"{name.translate(_LINE_BREAKS)}: {value.translate(_LINE_BREAKS)}\r\n" for name, value in fields]
        )
    return f"{first}\r\n{text}\r\n".encode(encoding, "replace")


# Reading them


class Entry(Struct, frozen=True):
    """One record of a file.

    Args:
        offset: Where its gzip member begins, bytes.
        end: Where the next one begins.
        fields: Named fields, names in lower case.
        block: Its content, as far as that was wanted.
    """

    offset: int
    end: int
    fields: dict[str, str]
    block: bytes

    @property
    def kind(self) -> str:
        """`WARC-Type`."""
        return self.fields.get("warc-type", "")

    @property
    def url(self) -> str:
        """`WARC-Target-URI`, empty where the record is about none; older files put it between angle brackets."""
        return self.fields.get("warc-target-uri", "").removeprefix("<").removesuffix(">")

    @property
    def is_answer(self) -> bool:
        """Whether it holds an HTTP answer, or the head of one and where its body is."""
        content_type = self.fields.get("content-type", "").lower()
        return self.kind in ("response", "revisit") and content_type.startswith("application/http")


class _TornError(ValueError):
    """The file ends within a record."""


def entries(path: Path, length: int | None = None) -> Iterator[Entry]:
    """The records of a file, without their blocks.

    Args:
        path: The file.
        length: Committed length in bytes; None reads all, and leaves out a torn last record.

    Raises:
        RunError: If something in it is no record in a gzip member of its own.
        OSError: If it cannot be read.
    """
    offset = 0
    with path.open("rb", _BUFFER_BYTES) as file:
        end = file.seek(0, 2) if length is None else length
        while offset < end:
            try:
                entry = _entry(file, offset, end, 0)
            except _TornError as error:
                if length is None:
                    return
                raise _fault(path, offset, error) from None
            except (ValueError, zlib.error) as error:
                raise _fault(path, offset, error) from None
            yield entry
            offset = entry.end


def entry_at(path: Path, file: BinaryIO, offset: int, max_block_bytes: int) -> Entry:
    """The record at a place, with its block or so many bytes of it.

    Args:
        path: The file's name, for errors.
        file: The file.
        offset: Where the record's gzip member begins, bytes.
        max_block_bytes: The most that is kept of the block.

    Raises:
        RunError: If there is none.
    """
    try:
        return _entry(file, offset, file.seek(0, 2), max_block_bytes)
    except (ValueError, zlib.error) as error:
        raise _fault(path, offset, error) from None


def _fault(path: Path, offset: int, error: Exception) -> RunError:
    return RunError(f"{path}: at byte {offset:,} there is no WARC record in a gzip member of its own: {error}")


def _entry(file: BinaryIO, offset: int, end: int, max_block_bytes: int) -> Entry:
    text, size, after = _inflate(file, offset, end, MAX_HEAD_BYTES + max_block_bytes)
    start = text.find(_END)
    if not text.startswith(b"WARC/1.") or not 0 <= start <= MAX_HEAD_BYTES:
        raise ValueError("it does not begin with the named fields of a record")
    fields = _fields(text[:start].decode("utf-8", "replace"))
    start += len(_END)
    length = fields.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or size != start + int(length[:18]) + len(_END):
        raise ValueError(f"it is not as long as its Content-Length {length[:20]!r} says")
    return Entry(offset, after, fields, text[start : start + min(int(length), max_block_bytes)])


def _inflate(file: BinaryIO, offset: int, end: int, keep: int) -> tuple[bytes, int, int]:
    """Unpack the member at a place: its first `keep` bytes, how many there are, and where the next member begins."""
    file.seek(offset)
    left = end - offset
    inflater = zlib.decompressobj(_GZIP)
    kept, size, data = bytearray(), 0, b""
    while not inflater.eof:
        out = inflater.decompress(data, _INFLATE_BYTES)
        size += len(out)
        kept += out[: max(0, keep - len(kept))]
        data = inflater.unconsumed_tail
        if not data and len(out) < _INFLATE_BYTES and not inflater.eof:
            data = file.read(min(_READ_BYTES, left))
            left -= len(data)
            if not data:
                raise _TornError("the file ends before the record")
    return bytes(kept), size, end - left - len(inflater.unused_data)


def _fields(head: str) -> dict[str, str]:
    """The named fields of a record; a line that begins with white space goes on with the one before."""
    fields: dict[str, str] = {}
    name = ""
    for line in head.split("\r\n")[1:]:
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = value.strip()
    return fields

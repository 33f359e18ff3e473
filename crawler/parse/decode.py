"""From the bytes received to the bytes meant: content-coding undone under a limit, and what kind of thing they are.

Servers lie about codings. One policy for all lies: if not one byte can be decoded, the body is taken as it is; if it
breaks off later, what came before is kept and the body is not complete. Both are told, neither raises.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence

import brotli  # type: ignore[import-untyped]
import zstandard
from msgspec import Struct

from crawler.files.coding import GZIP_MAGIC, MAX_CODINGS, ZSTD_STEP_BYTES, ZSTD_WINDOW_BYTES, codings_of

_SALVAGE_STEP_BYTES = 64  # a call that fails gives nothing back, so the way to the fault is gone again in small steps
_MEMBER_STEP_BYTES = 1024  # input for a further gzip member at first: what it leaves is copied each time


class Decoded(Struct, frozen=True):
    """A body with its content-coding undone.

    Args:
        body: As much as could be decoded, at most the limit.
        complete: False when the coded data broke off or was damaged behind its start.
        truncated: `length` when there was more than the limit, else None.
        fault: None, or `bad_coding` (not one byte could be decoded: the body is as received), `unknown_coding` (as
            received), `broken_coding` (a prefix) or `too_many_codings` (refused, empty).
    """

    body: bytes
    complete: bool = True
    truncated: str | None = None
    fault: str | None = None

    @property
    def is_as_received(self) -> bool:
        """Whether the body is still what the server sent although it named a coding."""
        return self.fault in ("bad_coding", "unknown_coding")

    @property
    def is_unreadable(self) -> bool:
        """Whether nobody can tell what the server said: its codings were not undone, and what is left is no text."""
        is_binary = self.is_as_received and _BINARY_BYTE.search(self.body[:_SNIFF_BYTES]) is not None
        return is_binary or self.fault == "too_many_codings"


class _Layer(Struct):
    """What one coding gave: output, and how it ended: `end`, `short`, `limit` or `fault`."""

    output: bytes
    ending: str


def undo_codings(body: bytes, fields: Iterable[str], limit_bytes: int) -> Decoded:
    """Undo the content-codings of a body.

    Memory is bounded by twice the limit and 8 MiB, whatever the body would unpack to; time is linear in what is read.

    Args:
        body: As received.
        fields: The values of all Content-Encoding fields in order.
        limit_bytes: Longest output of any layer; the rest is not decoded.

    Source: RFC 9110, 8.4; RFC 1950 to 1952; RFC 7932; RFC 8878.
    """
    codings = codings_of(fields)
    if len(codings) > MAX_CODINGS:
        return Decoded(b"", fault="too_many_codings")
    complete, truncated, fault = True, None, None
    for coding in reversed(codings):
        if not body:
            break  # a coded nothing is often sent as nothing
        undo = _CODINGS.get(coding)
        if undo is None:
            fault = "unknown_coding"
            break
        layer = undo(body, limit_bytes)
        if layer.ending == "fault" and not layer.output:
            fault = "bad_coding"
            break
        if layer.ending in ("fault", "short") and truncated is None:
            complete, fault = False, "broken_coding"
        if layer.ending == "limit":
            truncated = "length"
        body = layer.output
    if len(body) > limit_bytes:
        body, truncated = body[:limit_bytes], "length"
    return Decoded(body, complete, truncated, fault)


def _gzip(data: bytes, limit: int) -> _Layer:
    first = _inflate(data, zlib.MAX_WBITS | 16, limit)
    if first.layer.ending != "end":
        return first.layer
    parts, room, at = [first.layer.output], limit - len(first.layer.output), first.used
    while data.startswith(GZIP_MAGIC, at):  # what else follows is padding
        member = _inflate(data, zlib.MAX_WBITS | 16, room, at, _MEMBER_STEP_BYTES)
        parts.append(member.layer.output)
        room -= len(member.layer.output)
        at = member.used
        if member.layer.ending != "end":
            return _Layer(b"".join(parts), member.layer.ending)
    return _Layer(b"".join(parts), "end")


def _deflate(data: bytes, limit: int) -> _Layer:
    # RFC 1950 wants the zlib wrapper; many servers send the bare stream.
    is_zlib = len(data) > 1 and data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
    return _inflate(data, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS, limit).layer


class _Inflated(Struct):
    layer: _Layer
    used: int  # position behind the stream


def _inflate(data: bytes, wbits: int, limit: int, at: int = 0, step: int = 0) -> _Inflated:
    """Decode one deflate stream from a position on, `step` bytes at first and then twice as many; 0: all at once."""
    stream, start = zlib.decompressobj(wbits), at
    parts: list[bytes] = []
    room, size = limit, step or len(data) - at
    is_salvage = step == _SALVAGE_STEP_BYTES
    try:
        while at < len(data) and not stream.eof:
            piece = data[at : at + size]
            output = stream.decompress(piece, room + 1)
            at += len(piece)
            parts.append(output[:room])
            if len(output) > room:
                return _Inflated(_Layer(b"".join(parts), "limit"), at)
            room -= len(output)
            size = size if is_salvage else size * 2
    except zlib.error:
        if not is_salvage:
            return _inflate(data, wbits, limit, start, _SALVAGE_STEP_BYTES)
        return _Inflated(_Layer(b"".join(parts), "fault"), at)
    return _Inflated(_Layer(b"".join(parts), "end" if stream.eof else "short"), at - len(stream.unused_data))


def _brotli(data: bytes, limit: int) -> _Layer:
    # The library refuses a piece of input as a whole when it holds a fault or goes on behind the end of the stream.
    layer, refused = _brotli_pieces(data, (0,), limit)
    if refused is not None:
        layer, refused = _brotli_pieces(data, range(0, len(data), _SALVAGE_STEP_BYTES), limit)
    if refused is not None:
        single = range(refused, min(refused + _SALVAGE_STEP_BYTES + 1, len(data)))
        layer, _ = _brotli_pieces(data, (*range(0, refused, _SALVAGE_STEP_BYTES), *single), limit)
    return layer


def _brotli_pieces(data: bytes, starts: Sequence[int], limit: int) -> tuple[_Layer, int | None]:
    """Decode a stream in pieces that begin at these positions; also says where a piece begins that was refused."""
    stream = brotli.Decompressor()
    parts: list[bytes] = []
    room = limit
    for at, end in zip(starts, (*starts[1:], len(data)), strict=True):
        piece = data[at:end]
        while True:
            try:
                output = stream.process(piece, output_buffer_limit=room + 1)
            except brotli.error:
                return _Layer(b"".join(parts), "fault"), at
            parts.append(output[:room])
            if len(output) > room:
                return _Layer(b"".join(parts), "limit"), None
            room -= len(output)
            if stream.is_finished():
                return _Layer(b"".join(parts), "end"), None
            if stream.can_accept_more_data():
                break
            piece = b""
    return _Layer(b"".join(parts), "short"), None


def _zstd(data: bytes, limit: int) -> _Layer:
    decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    stream = decoder.decompressobj()
    parts: list[bytes] = []
    room, at = limit, 0
    try:
        while at < len(data):
            piece = data[at : at + ZSTD_STEP_BYTES]
            output = stream.decompress(piece)
            at += len(piece) - len(stream.unused_data)
            parts.append(output[:room])
            if len(output) > room:
                return _Layer(b"".join(parts), "limit")
            room -= len(output)
            if stream.eof:
                if not data.startswith(zstandard.FRAME_HEADER, at):  # what else follows is padding
                    return _Layer(b"".join(parts), "end")
                stream = decoder.decompressobj()
    except zstandard.ZstdError:
        return _Layer(b"".join(parts), "fault")
    return _Layer(b"".join(parts), "short")


_CODINGS: dict[str, Callable[[bytes, int], _Layer]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}

# What a body begins with that is certainly no text (WHATWG MIME Sniffing, 6 and 7.1).
_BINARY_SIGNATURES = (
    b"%PDF-", b"%!PS-Adobe-", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"\xff\xd8\xff", b"RIFF", b"OggS\x00", b"ID3",
    b"PK\x03\x04", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"wOFF", b"wOF2", b"\x1aE\xdf\xa3", GZIP_MAGIC,
    zstandard.FRAME_HEADER,
)  # fmt: skip
_BINARY_BYTE = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_SNIFF_BYTES = 1445  # WHATWG MIME Sniffing, 5.2: the resource header
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*<(?:!--|(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|"
    rb"body|br|p)[ >])",
    re.IGNORECASE,
)
_UNKNOWN_TYPES = ("", "unknown/unknown", "application/unknown", "*/*")
_HTML_TYPES = ("text/html", "application/xhtml+xml")


def is_html(content_type: str | None, body: bytes, *, is_as_received: bool = False) -> bool:
    """Whether a body goes to the HTML parser: labelled so and not plainly something else, or unlabelled and looks so.

    Args:
        content_type: The Content-Type field, or None.
        body: The decoded body or its beginning.
        is_as_received: Whether its content-coding could not be undone; then binary data is no page either.

    Source: WHATWG MIME Sniffing Standard, 7.1; it trusts the label text/html, this function not for binary signatures.
    """
    head = body[:_SNIFF_BYTES]
    essence = (content_type or "").partition(";")[0].strip().lower()
    if head.startswith(_BINARY_SIGNATURES) or (is_as_received and _BINARY_BYTE.search(head)):
        return False
    if essence in _HTML_TYPES:
        return True
    return (essence in _UNKNOWN_TYPES or "/" not in essence) and _HTML_START.match(head) is not None

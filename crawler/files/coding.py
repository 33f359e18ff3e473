"""Content-coding undone piece by piece, for bodies that are too large for memory."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

import brotli  # type: ignore[import-untyped]
import zstandard

MAX_CODINGS = 5  # More layers of content-coding than this are an attack.
STEP_BYTES = 256 * 1024  # A step of decoding gives this many bytes at most.
ZSTD_WINDOW_BYTES = 8 * 1024 * 1024  # RFC 9659: what a decoder on the web has to hold
# A zstd block of 4 bytes can stand for 128 KiB and the library has no output limit: 256 bytes in are at most 8 MiB out.
ZSTD_STEP_BYTES = 256
_MEMBER_STEP_BYTES = 16 * 1024  # what follows a gzip member is copied, so there is never much of it
GZIP_MAGIC = b"\x1f\x8b"

Pieces = Iterator[bytes]


class CodingError(Exception):
    """Coded data that is damaged or ends early."""


def codings_of(fields: Iterable[str]) -> list[str]:
    """The codings that Content-Encoding fields name, in the order in which they were applied."""
    names = (name.strip().lower() for field in fields for name in field.split(","))
    return [name for name in names if name not in ("", "identity")]


def can_undo(codings: list[str]) -> bool:
    """Whether all codings are known, and no more than a server would use."""
    return len(codings) <= MAX_CODINGS and all(coding in _CODINGS for coding in codings)


def decoded(pieces: Pieces, codings: list[str]) -> Pieces:
    """Undo codings; memory is bounded, whatever the data would unpack to.

    Raises:
        CodingError: While it is read, if the data are damaged or end early.

    Source: RFC 9110, 8.4; RFC 1950 to 1952; RFC 7932; RFC 8878.
    """
    for coding in reversed(codings):
        pieces = _CODINGS[coding](pieces)
    return pieces


def _gzip(pieces: Pieces) -> Pieces:
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for data in _cut(pieces, _MEMBER_STEP_BYTES):
        while data:
            if stream.eof:  # another member, or padding
                if not data.startswith(GZIP_MAGIC[: len(data)]):
                    return
                stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield _inflated(stream, data)
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
        while not stream.eof and (more := _inflated(stream, b"")):
            yield more
    if not stream.eof:
        raise CodingError("it ends early")


def _deflate(pieces: Pieces) -> Pieces:
    # RFC 1950 wants the zlib wrapper; many servers send the bare stream.
    stream = None
    start = b""
    for data in pieces:
        if stream is None:
            start += data
            if len(start) < 2:
                continue
            is_zlib = start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0
            stream, data = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS), start
        while data and not stream.eof:
            yield _inflated(stream, data)
            data = stream.unconsumed_tail
        while not stream.eof and (more := _inflated(stream, b"")):
            yield more
    if stream is None or not stream.eof:
        raise CodingError("it ends early")


def _inflated(stream: zlib._Decompress, data: bytes) -> bytes:
    try:
        return stream.decompress(data, STEP_BYTES)
    except zlib.error as error:
        raise CodingError(str(error)) from None


def _brotli(pieces: Pieces) -> Pieces:
    stream = brotli.Decompressor()
    for data in pieces:
        while data or not stream.can_accept_more_data():
            yield _from_brotli(stream, data)
            if stream.is_finished():
                return
            data = b""
    while output := _from_brotli(stream, b""):  # what it held back, being full
        yield output
    if not stream.is_finished():
        raise CodingError("it ends early")


def _from_brotli(stream: brotli.Decompressor, data: bytes) -> bytes:
    try:
        output: bytes = stream.process(data, output_buffer_limit=STEP_BYTES)
    except brotli.error as error:
        raise CodingError(str(error)) from None
    return output


def _zstd(pieces: Pieces) -> Pieces:
    decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    stream = decoder.decompressobj()
    for data in _cut(pieces, ZSTD_STEP_BYTES):
        while data:
            if stream.eof:  # another frame, or padding
                if not data.startswith(zstandard.FRAME_HEADER[: len(data)]):
                    return
                stream = decoder.decompressobj()
            try:
                yield stream.decompress(data)
            except zstandard.ZstdError as error:
                raise CodingError(str(error)) from None
            data = stream.unused_data
    if not stream.eof:
        raise CodingError("it ends early")


def _cut(pieces: Pieces, size: int) -> Pieces:
    """The same bytes in pieces of at most this size."""
    for piece in pieces:
        for at in range(0, len(piece), size):
            yield piece[at : at + size]


_CODINGS: dict[str, Callable[[Pieces], Pieces]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}

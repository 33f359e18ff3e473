"""Streams that compress what is written to them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from typing import BinaryIO, cast

import zstandard

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3
_BUFFER_BYTES = 1024 * 1024  # rows are short, and a call of a compressor is dear


@contextmanager
def compressed(file: BinaryIO, coding: str) -> Iterator[BinaryIO]:
    """What is written is compressed into a file, which stays open.

    Args:
        file: Where to.
        coding: `.gz` or `.zst`; empty for the file itself.

    Source: RFC 1952, RFC 8878.
    """
    if not coding:
        yield file
        return
    with _compressor(file, coding) as stream, io.BufferedWriter(cast(io.RawIOBase, stream), _BUFFER_BYTES) as buffer:
        yield buffer


def _compressor(file: BinaryIO, coding: str) -> BinaryIO:
    if coding == ".gz":
        # No name and no time, so that the same records are the same file.
        return cast(BinaryIO, GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0))
    return cast(BinaryIO, zstandard.ZstdCompressor(level=_ZSTD_LEVEL).stream_writer(file, closefd=False))

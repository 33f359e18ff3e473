"""How the lab's pages are written: the character encodings with their ways of being declared, and the compressions."""

from __future__ import annotations

import codecs
import gzip

import brotli  # type: ignore[import-untyped]
import zstandard
from msgspec import Struct

# Each content coding, "" for none, is as frequent as it stands here.
CODINGS = ("", "", "gzip", "gzip", "br", "zstd")


class Charset(Struct, frozen=True):
    """One way of writing and declaring a page's encoding.

    Args:
        label: The encoding that a reader must come to, WHATWG label.
        codec: Python's name of it.
        header: What Content-Type says, or None.
        meta: What the meta element says, or None.
        bom: Byte order mark in front.
        language: `en` or `ja`.
    """

    label: str
    codec: str
    header: str | None = None
    meta: str | None = None
    bom: bytes = b""
    language: str = "en"


PLAIN = Charset("utf-8", "utf-8", "utf-8", "utf-8")
CHARSETS = (
    PLAIN,
    Charset("utf-8", "utf-8", None, "utf-8"),
    Charset("windows-1252", "cp1252", "windows-1252"),
    Charset("windows-1252", "cp1252", None, "iso-8859-1"),  # The label means windows-1252 on the web.
    Charset("windows-1252", "cp1252", "ISO-8859-1", "utf-8"),  # The header wins over the element.
    Charset("shift_jis", "shift_jis", "Shift_JIS", language="ja"),
    Charset("shift_jis", "shift_jis", None, "x-sjis", language="ja"),
    Charset("utf-8", "utf-8", "utf-8", language="ja"),
    Charset("utf-16le", "utf-16-le", bom=codecs.BOM_UTF16_LE, language="ja"),
    Charset("utf-16be", "utf-16-be", "utf-8", bom=codecs.BOM_UTF16_BE),  # The mark wins over the header.
    Charset("utf-8", "utf-8", "windows-1252", bom=codecs.BOM_UTF8),
)


def encode(html: bytes, charset: Charset) -> bytes:
    """Write a page's UTF-8 in another encoding, with its mark."""
    if charset.codec != "utf-8":
        html = html.decode().encode(charset.codec)
    return charset.bom + html


def compress(body: bytes, coding: str) -> bytes:
    """Apply a content coding: gzip, br, zstd, or none."""
    if coding == "gzip":
        return gzip.compress(body, compresslevel=4, mtime=0)  # The bytes hold no clock.
    if coding == "br":
        compressed: bytes = brotli.compress(body, quality=4)
        return compressed
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(body)
    return body

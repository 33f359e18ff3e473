"""Content-codings undone piece by piece: however the pieces are cut, in bounded memory, and never half in silence."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.files.coding import CodingError, can_undo, codings_of, decoded
from tests.unit.bounded import within

PLAIN = b"some text, again and again. " * 40_000 + os.urandom(3_000)
MIB = 1024 * 1024


def bare_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip of two members": ("x-gzip", lambda body: gzip.compress(body[:5000]) + gzip.compress(body[5000:])),
    "gzip with padding": ("gzip", lambda body: gzip.compress(body) + bytes(5000)),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "brotli": ("br", lambda body: brotli.compress(body, quality=4)),
    "zstd": ("zstd", zstandard.compress),
    "zstd of two frames": ("zstd", lambda body: zstandard.compress(body[:5000]) + zstandard.compress(body[5000:])),
    "gzip in brotli": ("gzip, br", lambda body: brotli.compress(gzip.compress(body), quality=4)),
}
CODED = {name: (codings_of([field]), coder(PLAIN)) for name, (field, coder) in CODERS.items()}


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("size", [1, 7, 255, 256, 257, 16 * 1024, MIB])
def test_however_the_pieces_are_cut_what_was_packed_comes_out(name: str, size: int) -> None:
    codings, body = CODED[name]
    assert b"".join(decoded(cut(body, size), codings)) == PLAIN


@pytest.mark.parametrize("name", [name for name in CODED if "two" not in name and "padding" not in name])
@settings(deadline=None)
@given(share=st.floats(0.01, 0.99), size=st.sampled_from([1000, 64 * 1024]))
def test_what_ends_early_is_told_after_all_that_came(name: str, share: float, size: int) -> None:
    codings, body = CODED[name]
    pieces: list[bytes] = []
    with pytest.raises(CodingError):
        pieces.extend(decoded(cut(body[: int(len(body) * share)], size), codings))
    assert PLAIN.startswith(b"".join(pieces))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@settings(deadline=None)
@given(data=st.binary(min_size=1, max_size=200))
def test_what_is_something_else_is_told(coding: str, data: bytes) -> None:
    """Nothing but a CodingError ever comes of it."""
    try:
        b"".join(decoded(iter([data]), [coding]))
    except CodingError:
        pass


def bomb(coding: str) -> bytes:
    """256 MiB of nothing, packed without ever being there."""
    zeros = bytes(MIB)
    if coding == "br":
        stream = brotli.Compressor(quality=4)
        return b"".join(stream.process(zeros) for _ in range(256)) + stream.finish()
    packer = {
        "gzip": lambda: zlib.compressobj(wbits=zlib.MAX_WBITS | 16),
        "deflate": zlib.compressobj,
        "zstd": lambda: zstandard.ZstdCompressor().compressobj(),
    }[coding]()
    return b"".join(packer.compress(zeros) for _ in range(256)) + packer.flush()


def swallow(coding: str) -> int:
    return sum(map(len, decoded(cut(bomb(coding), 64 * 1024), [coding])))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_takes_no_more_memory_than_a_piece(coding: str) -> None:
    # scenario 30
    assert within(60, 64, swallow, coding) == 256 * MIB


def swallow_members() -> int:
    return sum(map(len, decoded(cut(gzip.compress(b"") * 50_000, MIB), ["gzip"])))


def test_a_gzip_file_of_empty_members_takes_linear_time() -> None:
    assert within(20, 256, swallow_members) == 0


def test_more_codings_than_a_server_would_use_are_not_undone() -> None:
    # scenario 31
    assert can_undo(["gzip"] * 5)
    assert not can_undo(["gzip"] * 6)
    assert not can_undo(["gzip", "sdch"])
    assert codings_of([" GZIP , identity", "", "br"]) == ["gzip", "br"]

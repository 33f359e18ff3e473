"""Ten gigabytes in a few kilobytes: a body is decoded as far as it is wanted, and no memory is taken for the rest."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard

from crawler.parse.decode import Decoded, undo_codings

MIB = 1024 * 1024
PIECE = 64 * MIB
PIECES = 160  # 10 GiB in all
LIMIT = 10 * MIB
PAGE = b"<title>Page</title>" * 1000

# A process's own high-water mark, since Linux hands getrusage's on from the parent.
CHILD = """
import re, sys
from pathlib import Path
from crawler.parse.decode import undo_codings

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

body, limit = Path(sys.argv[1]).read_bytes(), int(sys.argv[3])
before = peak()
decoded = undo_codings(body, [sys.argv[2]], limit)
print(len(decoded.body), decoded.truncated, peak() - before)
"""


def deflate_bomb() -> bytes:
    """A bare stream whose blocks are one block again and again."""
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (coder.compress(bytes(PIECE)) + coder.flush(zlib.Z_FULL_FLUSH)) * PIECES


def gzip_bomb() -> bytes:
    return b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + deflate_bomb()


def brotli_bomb() -> bytes:
    coder = brotli.Compressor(quality=1)
    return b"".join([*(coder.process(bytes(PIECE)) for _ in range(PIECES)), coder.finish()])


def zstd_bomb() -> bytes:
    """A frame with a window of 8 MiB, then blocks of 4 bytes that say: this byte, 128 KiB of it."""
    block = struct.pack("<I", 128 * 1024 << 3 | 1 << 1)[:3] + b"\0"
    return zstandard.FRAME_HEADER + b"\x00\x68" + block * (PIECES * PIECE // (128 * 1024))


BOMBS = {
    "gzip": gzip_bomb,
    "deflate": deflate_bomb,
    "br": brotli_bomb,
    "zstd": zstd_bomb,
    "gzip, gzip": lambda: gzip.compress(gzip_bomb()),
    "zstd, br": lambda: brotli.compress(zstd_bomb()),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
@pytest.mark.parametrize("codings", BOMBS)
def test_ten_gigabytes_of_bomb_take_no_more_memory_than_the_limit(codings: str, tmp_path: Path) -> None:
    # scenarios 30 and 33
    bomb = tmp_path / "bomb"
    bomb.write_bytes(BOMBS[codings]())
    arguments = [sys.executable, "-c", CHILD, str(bomb), codings, str(LIMIT)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    size, truncated, growth = done.stdout.split()
    assert (int(size), truncated) == (LIMIT, "length")
    assert int(growth) < 2 * LIMIT + 24 * MIB


@pytest.mark.parametrize("junk", [b"junk", bytes(100_000), b"\xff" * 100_000], ids=["word", "zeros", "ones"])
@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)),
        ("deflate", zlib.compress(PAGE, wbits=-zlib.MAX_WBITS)),
        ("br", brotli.compress(PAGE)),
        ("zstd", zstandard.ZstdCompressor().compress(PAGE)),
    ],
    ids=["gzip", "zlib", "bare deflate", "br", "zstd"],
)
def test_junk_behind_a_compressed_body_is_passed_over(coding: str, coded: bytes, junk: bytes) -> None:
    # scenario 19
    assert undo_codings(coded + junk, [coding], LIMIT) == Decoded(PAGE)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_twenty_codings_are_refused_unread(coding: str) -> None:
    # scenario 31
    assert undo_codings(b"\x1f\x8b" * 9, [coding] * 20, LIMIT) == Decoded(b"", fault="too_many_codings")
    assert undo_codings(b"\x1f\x8b" * 9, [", ".join([coding] * 20)], LIMIT).fault == "too_many_codings"

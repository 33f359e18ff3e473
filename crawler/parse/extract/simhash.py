"""SimHash: 64 bits of a text that differ in few places where texts differ in few words.

Each distinct word votes on every bit by its own hash, and the majority decides. Votes are counted by adding integers in
which every bit of a hash has a lane of its own. Most of the time goes into taking the text apart into words.

Source: Moses Charikar, Similarity Estimation Techniques from Rounding Algorithms (2002).
"""

from __future__ import annotations

import struct
from hashlib import blake2b

BITS = 64
_CACHED_WORDS = 100_000  # about 15 MiB
# Scripts like Chinese and Thai set no spaces between words: what is longer than this, in characters, is taken apart
# into all runs of three characters.
_MAX_WORD_CHARS = 20
_NARROW = 255  # votes that a lane of one byte can count
_WIDE = struct.Struct(f"<{BITS}I")  # lanes in which the sums of these are added up
# A byte → its bits, each in a lane of one byte.
_SPREAD = [sum((byte >> bit & 1) << 8 * bit for bit in range(8)).to_bytes(8, "big") for byte in range(256)]


class SimHasher:
    """Makes SimHashes and remembers words, which repeat from page to page; for one thread."""

    def __init__(self) -> None:
        self._votes = _Votes()

    def of(self, text: str) -> str | None:
        """The SimHash of a text as 16 hexadecimal digits; None where it has no word."""
        words = set(text.split())
        if not words:
            return None
        if not text.isascii():
            _take_apart(words)
        if len(self._votes) > _CACHED_WORDS:
            self._votes.clear()
        counts = _counted(list(map(self._votes.__getitem__, words)))
        return f"{int(''.join(['1' if 2 * count > len(words) else '0' for count in counts]), 2):016x}"


class _Votes(dict[str, int]):
    """Word → its votes, each in a lane of one byte."""

    def __missing__(self, word: str) -> int:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=BITS // 8).digest()
        votes = self[word] = int.from_bytes(b"".join([_SPREAD[byte] for byte in digest]), "big")
        return votes


def _take_apart(words: set[str]) -> None:
    for word in [each for each in words if len(each) > _MAX_WORD_CHARS and not each.isascii()]:
        words.remove(word)
        words.update(map("".join, zip(word, word[1:], word[2:], strict=False)))


def _counted(votes: list[int]) -> tuple[int, ...]:
    """How many votes each bit has."""
    total = 0
    for start in range(0, len(votes), _NARROW):
        lanes = bytearray(_WIDE.size)
        lanes[:: _WIDE.size // BITS] = sum(votes[start : start + _NARROW]).to_bytes(BITS, "big")
        total += int.from_bytes(lanes, "little")
    return _WIDE.unpack(total.to_bytes(_WIDE.size, "little"))

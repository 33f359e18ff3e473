"""Fingerprints that were seen, in a few bytes each."""

from __future__ import annotations

from collections.abc import Iterable

BUCKETS = 1 << 16
KEY_BYTES = 8
MAX_KEYS = 10_000_000  # 170 MiB


class FingerprintSet:
    """A set of fingerprints that takes 17 bytes for each, where that of Python takes 60.

    It may forget, and then the store is asked; it never takes a new one for one that it has seen.

    Args:
        limit: How many it remembers; what comes later it forgets at once.
    """

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self._room = limit
        self._buckets: list[bytearray] = []  # Keys by their last bits; the buckets are made with the first key.

    def __contains__(self, key: int) -> bool:
        if not self._buckets:
            return False
        bucket, wanted = self._buckets[key % BUCKETS], key.to_bytes(KEY_BYTES, "big", signed=True)
        place = bucket.find(wanted)
        while place > 0 and place % KEY_BYTES:  # a match that is not aligned is made of the ends of two keys
            place = bucket.find(wanted, place + 1)
        return place >= 0

    def update(self, keys: Iterable[int]) -> None:
        """Remember keys that it does not hold yet, 64 bits with a sign each."""
        buckets = self._buckets = self._buckets or [bytearray() for _ in range(BUCKETS)]
        for key in keys:
            if not self._room:
                return
            self._room -= 1
            buckets[key % BUCKETS] += key.to_bytes(KEY_BYTES, "big", signed=True)

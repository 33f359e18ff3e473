"""The memory of fingerprints: a set that may forget, and never takes a new one for a known one."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from crawler.store.fingerprints import BUCKETS, KEY_BYTES, FingerprintSet

KEYS = st.integers(-(2**63), 2**63 - 1)


@given(st.sets(KEYS), st.sets(KEYS))
def test_it_holds_what_it_was_given_and_nothing_else(given_keys: set[int], others: set[int]) -> None:
    seen = FingerprintSet()
    seen.update(given_keys)
    assert all(key in seen for key in given_keys)
    assert [key for key in others if key in seen] == [key for key in others if key in given_keys]


def test_the_ends_of_two_keys_are_no_key() -> None:
    seen = FingerprintSet()
    given_keys = [0x0102_0304_0506_0007, 0x0007_0708_090A_0007]  # both in one bucket
    seen.update(given_keys)
    between = 0x0304_0506_0007_0007  # in that bucket as well; its bytes are there, from the third on
    joined = b"".join(key.to_bytes(KEY_BYTES, "big") for key in given_keys)
    assert between.to_bytes(KEY_BYTES, "big") in joined
    assert between % BUCKETS == given_keys[0] % BUCKETS
    assert between not in seen


def test_it_holds_so_many_and_no_more() -> None:
    draws = random.Random(1)
    keys = [draws.getrandbits(64) - 2**63 for _ in range(1000)]
    seen = FingerprintSet(limit=300)
    seen.update(keys[:200])
    seen.update(keys[200:])
    assert [key in seen for key in keys] == [True] * 300 + [False] * 700

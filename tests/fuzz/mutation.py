"""Mutations that know what an input is made of; the engine's own, which knows bytes alone, takes turns with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

OWN_SHARE = 0.65  # of the mutations
START_SHARE = 0.1  # of the places, for byte order marks and header fields
_MAX_STEPS = 5
_MAX_REPEATS = 3000
_BORDER = re.compile(rb"[<>\n&;=/?#:, \"']")
_NUMBER = re.compile(rb"[0-9]+")
_NUMBERS = (
    b"0",
    b"1",
    b"-1",
    b"255",
    b"256",
    b"65535",
    b"65536",
    b"2147483648",
    b"9223372036854775808",
    b"1e309",
    b"00",
)


class Mutator:
    """Makes inputs of inputs.

    Args:
        tokens: What is put in.
        pool: Inputs that pieces are taken from.
        engine: The fuzzing engine's own mutation: input and longest output in, output out.
    """

    def __init__(self, tokens: Sequence[bytes], pool: Sequence[bytes], engine: Callable[[bytes, int], bytes]) -> None:
        self._tokens = tokens
        self._pool = pool
        self._engine = engine
        self._random = Random()
        self._steps = (
            *(self._insert, self._insert, self._replace_token, self._delete, self._repeat),
            *(self._splice, self._swap, self._number, self._cut),
        )

    def mutate(self, data: bytes, max_bytes: int, seed: int) -> bytes:
        """An input made from another one; the same for the same arguments where the engine is not asked."""
        rand = self._random
        rand.seed(seed)
        if rand.random() >= OWN_SHARE:
            return self._engine(data, max_bytes)
        for _ in range(rand.randint(1, _MAX_STEPS)):
            data = rand.choice(self._steps)(data)
            if len(data) > max_bytes:
                data = data[:max_bytes]
        return data

    def _place(self, data: bytes) -> int:
        """A position, more often than not where something begins or ends; at times the very beginning."""
        if self._random.random() < START_SHARE:
            return 0
        at = self._random.randint(0, len(data))
        if self._random.random() < 0.7 and (border := _BORDER.search(data, at)):
            return border.start() + self._random.randint(0, 1)
        return at

    def _slice(self, data: bytes) -> tuple[int, int]:
        start = self._place(data)
        length = int(self._random.expovariate(1 / 30))
        if self._random.random() < 0.5 and (border := _BORDER.search(data, min(start + length, len(data)))):
            return start, border.start()
        return start, min(start + length, len(data))

    def _insert(self, data: bytes) -> bytes:
        at = self._place(data)
        return data[:at] + self._random.choice(self._tokens) + data[at:]

    def _replace_token(self, data: bytes) -> bytes:
        start, end = self._slice(data)
        return data[:start] + self._random.choice(self._tokens) + data[end:]

    def _delete(self, data: bytes) -> bytes:
        start, end = self._slice(data)
        return data[:start] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._slice(data)
        times = int(min(self._random.paretovariate(0.7), _MAX_REPEATS))
        return data[:end] + data[start:end] * times + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._random.choice(self._pool)
        start, end = self._slice(other)
        at = self._place(data)
        return data[:at] + other[start:end] + data[at:]

    def _swap(self, data: bytes) -> bytes:
        a, b, c, d = sorted((*self._slice(data), *self._slice(data)))
        return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]

    def _number(self, data: bytes) -> bytes:
        found = _NUMBER.search(data, self._random.randint(0, len(data)))
        if found is None:
            return self._insert(data)
        return data[: found.start()] + self._random.choice(_NUMBERS) + data[found.end() :]

    def _cut(self, data: bytes) -> bytes:
        return data[: self._place(data)] if self._random.random() < 0.2 else self._insert(data)

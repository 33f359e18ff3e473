"""SimHashes: near where texts differ in few words, far apart where they have nothing to do with each other."""

from __future__ import annotations

import random
import sys
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.lab.words import NOUNS
from crawler.parse import lexbor
from crawler.parse.extract.simhash import SimHasher
from crawler.parse.hrefs import LinkJoiner

DOCUMENTATION = Path("/usr/share/doc/python3.11/html/library")


def simhash(text: str) -> int:
    found = SimHasher().of(text)
    assert found is not None
    return int(found, 16)


def distance(left: str, right: str) -> int:
    return (simhash(left) ^ simhash(right)).bit_count()


def made_text(seed: int, words: int) -> list[str]:
    chosen = random.Random(seed)
    return [f"{chosen.choice(NOUNS)}{chosen.randrange(20)}" for _ in range(words)]


def by_the_book(text: str) -> int:
    """Charikar's definition, word by word and bit by bit."""
    hashes = [int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big") for word in set(text.split())]
    majority = [sum(value >> bit & 1 for value in hashes) * 2 > len(hashes) for bit in range(64)]
    return sum(is_set << bit for bit, is_set in enumerate(majority))


@given(st.text("abc ", max_size=60).filter(str.strip))
def test_every_distinct_word_has_one_vote_on_each_bit(text: str) -> None:
    assert simhash(text) == by_the_book(text)


@pytest.mark.parametrize("words", [1, 254, 255, 256, 700])
def test_the_votes_of_many_words_are_all_counted(words: int) -> None:
    """A lane of one byte is full at 255 votes."""
    text = " ".join(f"w{number}" for number in range(words))
    assert simhash(text) == by_the_book(text)


def test_order_and_white_space_do_not_matter() -> None:
    words = made_text(1, 300)
    assert simhash(" ".join(words)) == simhash("\n".join(sorted(words)))


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_text_without_words_has_none(text: str) -> None:
    assert SimHasher().of(text) is None


def test_it_is_sixteen_hexadecimal_digits_and_the_same_in_every_process() -> None:
    assert SimHasher().of("one small page about nothing") == "35875503216e1e57"


def test_a_few_changed_words_change_a_few_bits_and_other_texts_differ_in_many() -> None:
    texts = [made_text(seed, 500) for seed in range(40)]
    near = []
    for seed, words in enumerate(texts):
        changed = list(words)
        for place in random.Random(seed).sample(range(len(words)), 3):
            changed[place] = "changed"
        near.append(distance(" ".join(words), " ".join(changed)))
    far = [distance(" ".join(one), " ".join(other)) for one, other in pairwise(texts)]
    assert max(near) <= 6
    assert sum(near) / len(near) <= 3
    assert min(far) >= 12


def test_text_without_spaces_is_compared_as_well() -> None:
    """Chinese and Japanese set no spaces: a sentence would be one word, and any change would change all of it."""
    chosen = random.Random(1)
    text = "".join(chr(chosen.randrange(0x4E00, 0x9000)) for _ in range(1_500))
    other = "".join(chr(chosen.randrange(0x4E00, 0x9000)) for _ in range(1_500))
    assert distance(text, text[:700] + "新" + text[701:]) <= 6
    assert distance(text, other) >= 16


@pytest.mark.skipif(not DOCUMENTATION.is_dir(), reason="the pages of the Debian package python3.11-doc are not here")
def test_on_real_pages_only_what_was_changed_a_little_is_near() -> None:
    hasher = SimHasher()
    texts = [
        lexbor.read(path.read_bytes(), f"https://a.example/{path.name}", LinkJoiner(), 5_000).text
        for path in sorted(DOCUMENTATION.glob("[a-m]*.html"))[:60]
    ]
    hashes = [int(hasher.of(text) or "", 16) for text in texts]
    long = [(text, value) for text, value in zip(texts, hashes, strict=True) if len(set(text.split())) > 300]
    assert len(long) > 30
    for text, value in long:
        words = text.split()
        words[len(words) // 2] = "changed"
        assert (int(hasher.of(" ".join(words)) or "", 16) ^ value).bit_count() <= 6
    apart = [(one ^ other).bit_count() for number, one in enumerate(hashes) for other in hashes[:number]]
    assert min(apart) > 3


def test_words_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.parse.extract.simhash._CACHED_WORDS", 10)
    hasher = SimHasher()
    before = hasher.of("a b c")
    for number in range(100):
        hasher.of(f"x{number} y{number}")
    assert sys.getsizeof(hasher._votes) < 2_000
    assert hasher.of("a b c") == before

"""Every byte sequence of every encoding is read as browsers read it: digests of Chromium's text are held here."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from crawler.parse.charset import encoding_of_label
from crawler.parse.encodings import decode
from tests.unit.parse import reference_decoders
from tests.unit.parse.byte_sequences import BIG5_COMBINED, OTHERS, SINGLE_BYTE, TWO_BYTE, cases_of

DIGESTS = json.loads(Path(__file__).with_name("encodings.json").read_text(encoding="utf-8"))
ENCODINGS = (*SINGLE_BYTE, *TWO_BYTE, *OTHERS)


def digest_of(texts: Iterable[str]) -> str:
    """The beginning of a SHA-256 over several texts, as long as those that are kept."""
    return hashlib.sha256("\n".join(texts).encode("utf-8")).hexdigest()[:12]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_sequence_whole_broken_or_cut_is_read_as_chromium_reads_it(encoding: str) -> None:  # scenario 40
    cases = cases_of(encoding)
    found = {name: digest_of(decode(body, encoding) for body in bodies) for name, bodies in cases.items()}
    wrong = [name for name in cases if found[name] != DIGESTS[encoding].get(name)]
    assert not wrong, f"{encoding} differs in {len(wrong)} of {len(cases)} groups: {wrong[:10]}"
    assert DIGESTS[encoding].keys() == cases.keys()


def test_every_encoding_of_the_standard_is_held() -> None:
    assert set(DIGESTS) == set(ENCODINGS)
    assert all(encoding_of_label(name) == name for name in ENCODINGS)
    assert len(ENCODINGS) + 1 == 40  # and the replacement encoding, which scripts of a page cannot have


def test_the_characters_of_big5_that_are_two_code_points() -> None:
    for sequence, text in BIG5_COMBINED.items():
        assert decode(b"a" + sequence + b"b", "big5") == f"a{text}b"
        assert decode(b"\xff" + sequence, "big5") == f"\ufffd{text}"  # behind a fault, too


def test_bytes_in_the_replacement_encoding_are_one_replacement_character() -> None:
    assert (decode(b"<script>", "replacement"), decode(b"", "replacement")) == ("\ufffd", "")


@cache
def euc_jp_character(sequence: bytes) -> str | None:
    text = decode(sequence, "euc-jp")
    return None if "\ufffd" in text else text


@pytest.mark.parametrize("encoding", ["euc-jp", "iso-2022-jp"])
def test_what_chromium_reads_otherwise_is_read_as_the_standard_has_it(encoding: str) -> None:
    """A broken sequence does not change the table of the next one, and each byte that is put back is read."""
    draws = random.Random(encoding)
    pieces = [b"\x8f", b"\x8f\xa1", b"\x8f\xb0\xa1", b"\xb0\xa1", b"\x8e", b"\x8e\xb1", b"\xa1", b"\xff", b"\x80", b"a"]
    if encoding == "iso-2022-jp":
        pieces = [b"\x1b$B", b"\x1b$@", b"\x1b(B", b"\x1b(J", b"\x1b(I", b"\x1b", b"$", b"(", b"0!", b"!", b"\\", b"~"]
        pieces += [b"\x0e", b"\xff", b"\n", b"\x00", b"{"]
    read = reference_decoders.euc_jp if encoding == "euc-jp" else reference_decoders.iso_2022_jp
    for _ in range(3_000):
        body = b"".join(draws.choices(pieces, k=draws.randrange(30)))
        assert decode(body, encoding) == read(body, euc_jp_character), body.hex(" ")


@pytest.mark.parametrize("encoding", ["big5", "euc-jp"])
def test_characters_that_python_has_twice_are_told_apart(encoding: str) -> None:
    body = {"big5": b"\xa1\xfe\xa2\x41\xa2\x40\xa2\x42\xa1\x45\x87\x7a", "euc-jp": b"~\x8f\xa2\xb7\xa1\xc1\xad\xa1"}
    text = {"big5": "\uff0f\u2215\uff3c\ufe68\u2027\u3875", "euc-jp": "~\uff5e\uff5e\u2460"}
    assert decode(body[encoding], encoding) == text[encoding]


def test_two_characters_that_python_has_the_other_way_round_change_places() -> None:
    assert decode(b"\xa8\xbc\x81\x35\xf4\x37\xff\xa8\xbc", "gb18030") == "\u1e3f\ue7c7\ufffd\u1e3f"

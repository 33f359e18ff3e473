"""Bodies that together hold every byte sequence of every encoding of the Encoding Standard, whole, broken and cut."""

from __future__ import annotations

import random
from collections.abc import Iterable

SINGLE_BYTE = tuple(
    """
    ibm866 iso-8859-2 iso-8859-3 iso-8859-4 iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-8-i iso-8859-10
    iso-8859-13 iso-8859-14 iso-8859-15 iso-8859-16 koi8-r koi8-u macintosh windows-874 windows-1250 windows-1251
    windows-1252 windows-1253 windows-1254 windows-1255 windows-1256 windows-1257 windows-1258 x-mac-cyrillic
    x-user-defined
    """.split()
)
TWO_BYTE = ("big5", "euc-jp", "euc-kr", "gb18030", "gbk", "shift_jis")
OTHERS = ("iso-2022-jp", "utf-8", "utf-16be", "utf-16le")
# Chromium departs from the standard in three places, so that the bodies leave them out and tests of their own read
# them: it makes lone surrogates of the characters of Big5 that are two code points (step 3.3 of the decoder); it reads
# the pair behind a broken 8F of EUC-JP from the other table; and of the bytes that ISO-2022-JP puts back behind
# an escape sequence that is none, it loses a fault.
BIG5_COMBINED = {
    b"\x88\x62": "\xca\u0304",
    b"\x88\x64": "\xca\u030c",
    b"\x88\xa3": "\xea\u0304",
    b"\x88\xa5": "\xea\u030c",
}

_BYTES = [bytes([each]) for each in range(256)]
_HIGH, _DIGITS, _LEADS = _BYTES[0x80:], _BYTES[0x30:0x3A], _BYTES[0x81:0xFF]
_ESCAPES = [b"\x1b" + each for each in (b"(B", b"(J", b"(I", b"$@", b"$B")]
_MIXED_BODIES, _MIXED_BYTES = 24, 1_500
_LEFT_OUT = {"big5": b"\x88", "euc-jp": b"\x8f", "iso-2022-jp": b"\x1b"}  # of the mixed bodies, see above

Cases = dict[str, list[bytes]]  # a name for each group of bodies


def cases_of(encoding: str) -> Cases:
    """The bodies for one encoding, in groups that are small enough to find a fault in."""
    if encoding in SINGLE_BYTE:
        return {"every byte": [b"".join(_BYTES)]}
    return {**_SEQUENCES.get(encoding, _pairs)(encoding), "mixed": list(_mixed(encoding))}


def _lines(sequences: Iterable[bytes], end: bytes = b"\n") -> list[bytes]:
    """One body of all sequences; what is broken at the end of one is put back or swallows the line end."""
    return [b"".join(each + end for each in sequences if each not in BIG5_COMBINED)]


def _pairs(encoding: str) -> Cases:
    cases = {lead.hex(): _lines(lead + trail for trail in _BYTES) for lead in _HIGH}
    cases["cut"] = [b"a" + lead for lead in _HIGH]
    cases["cut"] += [b"a" + lead + b"\x30" + third for lead in _HIGH for third in (b"", *_HIGH)]
    cases["cut"] += [b"a" + lead + second for lead in _HIGH for second in _HIGH if lead + second not in BIG5_COMBINED]
    return cases


def _euc_jp(encoding: str) -> Cases:
    triples = {f"8f{second.hex()}": _lines(b"\x8f" + second + third for third in _BYTES) for second in _HIGH}
    return _pairs(encoding) | triples


def _gb18030(encoding: str) -> Cases:
    cases = _pairs(encoding)
    for first in _LEADS:
        starts = [first + second + third for second in _DIGITS for third in _LEADS]
        cases[f"{first.hex()} and three more"] = _lines(start + fourth for start in starts for fourth in _DIGITS)
    for first in (b"\x81", b"\x84", b"\xa8", b"\xe3", b"\xfe"):
        starts = [first + second for second in (b"\x30", b"\x35", b"\x39")]
        cases[f"{first.hex()} and two more"] = _lines(start + third for start in starts for third in _BYTES)
        forms = (start + third + fourth for start in starts for third in (b"\x81", b"\xfe") for fourth in _BYTES)
        cases[f"{first.hex()} and a wrong fourth"] = _lines(forms)
    return cases


def _iso_2022_jp(encoding: str) -> Cases:
    cases = {}
    for escape in _ESCAPES:
        cases[f"{escape[1:].decode()} a byte"] = _lines((escape + each for each in _BYTES), b"\x1b(B\n")
    for lead in _BYTES:
        pairs = (lead + trail for trail in _BYTES if lead != b"\x1b" or trail not in b"$(")
        cases[f"$B {lead.hex()}"] = _lines((b"\x1b$B" + pair for pair in pairs), b"\x1b(B\n")
    for escape in _ESCAPES:
        forms = [b"\x1b" + first + second for first in (b"\x1b", b"!") for second in _BYTES]
        forms += [b"\x1b" + first + second for first in (b"$", b"(") for second in _BYTES[0x30:0x41]]
        cases[f"{escape[1:].decode()} an escape"] = [escape + each + b"$!" for each in forms]
        cases[f"{escape[1:].decode()} cut"] = [escape + b"!" + each for each in (b"", b"!", b"\x1b")]
    cases["escapes in a row"] = [
        one + two + b"$!" + three for one in _ESCAPES for two in _ESCAPES for three in _ESCAPES
    ]
    return cases


def _utf(encoding: str) -> Cases:
    units = [0x41, 0xE9, 0x3042, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFEFF, 0xFFFE, 0xFFFF]
    order = "little" if encoding.endswith("le") else "big"
    codes = [each.to_bytes(2, order) for each in units]
    bodies = [b"".join(three) for three in ((a, b, c) for a in codes for b in codes for c in codes)]
    return {"units": bodies, "cut": [body + b"\xd8" for body in bodies]}


def _mixed(encoding: str) -> Iterable[bytes]:
    """Random bodies with many a sequence that is broken, and short ones that end anywhere."""
    draws = random.Random(encoding)
    often = [*_DIGITS[:2], b"a", b"b", b"<", b"\n", *_HIGH[:2], b"\x8e", *_HIGH[0x20:0x26], *_HIGH[0x7C:]]
    if encoding == "iso-2022-jp":
        often = [*_ESCAPES, *_ESCAPES, b"\x0e", *_BYTES[0x21:0x30], b"\\", b"~"]
    drawn = [*often, *often, *often, *(each for each in _BYTES if each != _LEFT_OUT.get(encoding))]
    for _ in range(_MIXED_BODIES):
        yield b"".join(draws.choices(drawn, k=draws.randrange(_MIXED_BYTES)))


_SEQUENCES = {
    "euc-jp": _euc_jp,
    "gb18030": _gb18030,
    "iso-2022-jp": _iso_2022_jp,
    "utf-8": lambda encoding: {"every byte": [b"".join(_BYTES)]},
    "utf-16be": _utf,
    "utf-16le": _utf,
}

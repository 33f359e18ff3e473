"""Which encoding bytes are in that neither are UTF-8 nor say so: what Firefox's detector (chardetng) makes of them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# Signs that stand alone (© £ ° «) are letters of other alphabets by their bytes, and would be taken for those.
_LONE_SIGN = re.compile(rb"(?<![A-Za-z\x80-\xff])[\xa1-\xbf](?![A-Za-z\x80-\xff])")
_HIGH = re.compile(rb"[\x80-\xff]")
_PAIR = re.compile(rb"[\x80-\xff]{2}")
_DOUBLE_BYTE = ("big5", "gbk", "euc-kr", "euc-jp")  # hardly a word in them is without two high bytes in a row
_NAMES = {"cp874": "windows-874", "gb18030": "gbk"}  # the two that the detector's binding renames for Python
_BEFORE_BYTES = 32  # of ASCII that are fed before the first other byte, for the beginning of its word
_FED_BYTES = 16 * 1024  # enough to tell, and what bounds the time: the detector takes about 0.1 ms for 1 KiB
_UNUSED = ("iso-8859-4",)  # no page is in it, and a few accents of the west look like it


def detect(sample: bytes, *, is_whole: bool) -> str | None:
    """The label of the encoding that bytes are most likely in, None if nothing speaks against windows-1252.

    Args:
        sample: The beginning of a page that is not UTF-8; markup does not matter. Time is linear in its length.
        is_whole: Whether the page ends there, and not perhaps within a character.
    """
    if (detector_of := _detector()) is None:
        return None
    text = _LONE_SIGN.sub(b" ", sample)
    if (first := _HIGH.search(text)) is None:
        return None
    start = max(0, first.start() - _BEFORE_BYTES)
    detector = detector_of()
    detector.feed(text[start : start + _FED_BYTES], last=is_whole and len(text) <= start + _FED_BYTES)
    label: str = detector.guess(tld=None, allow_utf8=False)
    label = _NAMES.get(label.lower(), label.lower())
    if label in _UNUSED or (label in _DOUBLE_BYTE and not _PAIR.search(text)):
        return None
    return label


@cache
def _detector() -> Any:
    """The class of the detector, None on the few platforms that have no wheel of it."""
    try:
        from chardetng_py import EncodingDetector
    except ImportError:
        return None
    return EncodingDetector

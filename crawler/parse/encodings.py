"""From bytes in an encoding of the Encoding Standard to text, exactly as browsers read them.

Python's codecs do the work, in C. Where they have no character, or a fault, the standard's decoder takes over for a few
characters; where they have another character, it is replaced in the text. Both come from `encoding_tables.py`.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from operator import itemgetter

from crawler.parse.encoding_tables import DIFFERENCES

# WHATWG name → Python codec, where Python knows it by another name or reads less under the same one.
CODECS = {
    "euc-jp": "euc_jp",
    "ibm866": "cp866",
    "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac_roman",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
}
# What the standard's decoders take at a time of what is not ASCII, a fault included: an ASCII byte that ends no
# character is put back, any other is swallowed.
_TOKENS = {
    "big5": rb"[\x81-\xfe][\x40-\x7e\x80-\xff]|[\x80-\xff]",
    "euc-jp": rb"\x8f[\xa1-\xfe][\x80-\xff]|[\x8e\x8f\xa1-\xfe][\x80-\xff]|[\x80-\xff]",
    "euc-kr": rb"[\x81-\xfe][\x41-\x7e\x80-\xff]|[\x80-\xff]",
    "gb18030": rb"[\x81-\xfe](?:[0-9](?:[\x81-\xfe][0-9]|[\x81-\xfe]?\Z)|[\x40-\x7e\x80-\xff])|[\x80-\xff]",
    "shift_jis": rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xff]|[\x80-\xff]",
}
# Characters that Python has for two sequences of which the standard has another for one; rare, so that is read slowly.
_AMBIGUOUS = {
    "big5": ((b"\xa2\x41", "\uff0f"), (b"\xa2\x42", "\uff3c")),
    "euc-jp": ((b"\x8f\xa2\xb7", "~"),),
}
# So many tokens are read behind a fault before Python's codec goes on: where one fault is, others are near.
_MAX_BLOCK_TOKENS = 16
_REPLACEMENT = "\ufffd"
_whole = itemgetter(0)  # It gives all of a match.


def decode(body: bytes, encoding: str) -> str:
    """Read bytes in an encoding; whatever is none of its characters becomes U+FFFD, nothing raises.

    Args:
        body: Without a byte-order mark.
        encoding: Lower-case WHATWG name.

    Source: WHATWG Encoding Standard, 8 to 14.
    """
    if encoding == "utf-8":
        return body.decode("utf-8", "replace")
    if encoding == "replacement":  # encodings that let bytes of markup hide are never read
        return _REPLACEMENT if body else ""
    if encoding == "iso-2022-jp":
        return _decode_iso_2022_jp(body)
    if encoding.startswith("utf-16"):
        return _decode_utf_16(body, encoding)
    if encoding == "gbk":  # its decoder is that of gb18030
        encoding = "gb18030"
    if encoding in _TOKENS:
        return _decoder_of(encoding).decode(body)
    return codecs.charmap_decode(body, "strict", _characters(encoding))[0]


@cache
def _characters(encoding: str) -> str:
    """The 256 characters of an encoding of single bytes."""
    if encoding == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
    known = {sequence[0]: text for sequence, text in _differences(encoding)}
    # In the tables of windows-*, bytes 80 to 9F that Python leaves open are the C1 controls of their number.
    controls = range(0x80, 0xA0) if encoding.startswith("windows-") else ()
    codec = CODECS.get(encoding, encoding)
    read = {byte: bytes([byte]).decode(codec, "replace") for byte in range(256)}
    read |= {byte: chr(byte) for byte in controls if read[byte] == _REPLACEMENT}
    return "".join((read | known).values())


def _differences(encoding: str) -> list[tuple[bytes, str]]:
    """Byte sequence and character, wherever the table has another character than Python's codec."""
    found = []
    for start, text in DIFFERENCES.get(encoding, {}).items():
        first = bytes.fromhex(start)
        found += [(first[:-1] + bytes([first[-1] + at]), character) for at, character in enumerate(text)]
    return found


class _Tokens(dict[bytes, str]):
    """What each token of a multi-byte encoding is read as, filled as they come.

    Where Python's codec has a character this is it, even a wrong one, which `_Decoder` replaces in the end.

    Args:
        codec: Name of Python's codec.
        known: What that has no or an ambiguous character for.
    """

    def __init__(self, codec: str, known: dict[bytes, str]) -> None:
        super().__init__(known)
        self._codec = codec

    def __missing__(self, token: bytes) -> str:
        try:
            text = token.decode(self._codec)
        except UnicodeDecodeError:
            is_put_back = len(token) == 2 and 0x40 <= token[1] < 0x80
            text = _REPLACEMENT + (chr(token[1]) if is_put_back else "")
        if len(token) < 4:  # those of four bytes are too many to be kept
            self[token] = text
        return text


class _Decoder:
    """Reads one multi-byte encoding.

    Args:
        encoding: Lower-case WHATWG name.
    """

    def __init__(self, encoding: str) -> None:
        self._codec, self._errors = CODECS[encoding], f"crawler.{encoding}"
        self._ambiguous = _AMBIGUOUS.get(encoding, ())
        known, wrong = {}, {}
        for sequence, character in _differences(encoding):
            try:
                python = sequence.decode(self._codec)
            except UnicodeDecodeError:
                python = ""
            if not python or (sequence, python) in self._ambiguous:
                known[sequence] = character
            else:
                wrong[ord(python)] = character
        self._tokens, self._wrong = _Tokens(self._codec, known), wrong
        token = _TOKENS[encoding]
        self._token = re.compile(rb"[\x00-\x7f]+|" + token)
        self._block = re.compile(rb"(?>%b){1,%d}" % (token, _MAX_BLOCK_TOKENS))
        codecs.register_error(self._errors, self._mend)

    def decode(self, body: bytes) -> str:
        """Read a body."""
        text = body.decode(self._codec, self._errors)
        if any(python in text and sequence in body for sequence, python in self._ambiguous):
            text = self._read(body)
        present = {code: character for code, character in self._wrong.items() if chr(code) in text}
        if any(ord(character) in present for character in present.values()):
            return text.translate(present)
        for code, character in present.items():
            text = text.replace(chr(code), character)
        return text

    def _mend(self, error: UnicodeError) -> tuple[str, int]:
        """Read a few tokens as the standard does, from where Python's codec has stopped."""
        if not isinstance(error, UnicodeDecodeError) or (block := self._block.match(error.object, error.start)) is None:
            raise error
        return self._read(block[0]), block.end()

    def _read(self, body: bytes) -> str:
        return "".join(map(self._tokens.__getitem__, map(_whole, self._token.finditer(body))))


_decoder_of = cache(_Decoder)


def _decode_utf_16(body: bytes, encoding: str) -> str:
    return body.decode(encoding, "replace")


# ISO-2022-JP is rewritten as EUC-JP, which has the same table: there the byte FF is a fault that swallows nothing.
_FAULT = b"\xff"
_HIGH = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else 0xFF for byte in range(256))
_LOW = bytes(byte if byte < 0x80 and byte not in b"\x0e\x0f\x1b" else 0xFF for byte in range(256))
_KANA = [b"\x8e" + bytes([byte | 0x80]) if 0x21 <= byte <= 0x5F else _FAULT for byte in range(256)]
_GRAPHIC = bytes(range(0x21, 0x7F))
_JIS_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BIJ])")
_JIS_TOKEN = re.compile(rb"[\x21-\x7e][^\x1b]|.", re.DOTALL)
_ROMAN = {ord("\\"): "\xa5", ord("~"): "\u203e"}  # what JIS X 0201 has in the place of these


def _decode_iso_2022_jp(body: bytes) -> str:
    """Read what stands behind each escape sequence in the way that it names, at first as ASCII."""
    decoder, pieces = _decoder_of("euc-jp"), _JIS_ESCAPE.split(body)
    texts: list[str] = []
    waiting, last = [pieces[0].translate(_LOW)], len(pieces) - 1
    for at in range(1, last, 2):
        escape, piece = pieces[at], pieces[at + 1]
        if not piece:  # an escape sequence right behind another one is a fault
            waiting.append(b"" if at + 1 == last else _FAULT)
        elif escape.startswith(b"$"):
            waiting.append(_euc_of_jis(piece))
        elif escape == b"(I":
            waiting += map(_KANA.__getitem__, piece)
        elif escape == b"(J" and (b"\\" in piece or b"~" in piece):
            texts += decoder.decode(b"".join(waiting)), decoder.decode(piece.translate(_LOW)).translate(_ROMAN)
            waiting = []
        else:
            waiting.append(piece.translate(_LOW))
    return "".join(texts) + decoder.decode(b"".join(waiting))


def _euc_of_jis(piece: bytes) -> bytes:
    """The pairs of JIS X 0208 as EUC-JP has them; whatever is no pair of graphic bytes is a fault."""
    if len(piece) % 2 == 0 and not piece.translate(None, _GRAPHIC):
        return piece.translate(_HIGH)
    tokens = (match[0] for match in _JIS_TOKEN.finditer(piece))
    pairs = (token.translate(_HIGH) if len(token) == 2 else _FAULT for token in tokens)
    return b"".join(_FAULT if _FAULT in pair else pair for pair in pairs)

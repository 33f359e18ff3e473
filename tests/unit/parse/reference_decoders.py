"""Two decoders of the Encoding Standard, byte by byte as it is written there, for what Chromium reads otherwise.

What a pair of bytes means is asked of Chromium's digests elsewhere; here the question is which bytes make a pair.
"""

from __future__ import annotations

from collections.abc import Callable

Pair = Callable[[bytes], str | None]  # the character of a whole sequence, None if there is none


def euc_jp(body: bytes, character: Pair) -> str:
    """The EUC-JP decoder of the standard, 12.1.1.

    Args:
        body: What is read.
        character: Of EUC-JP.
    """
    text, queue, lead, is_jis0212 = "", list(body), 0, False
    while queue:
        byte = queue.pop(0)
        if lead == 0x8E and 0xA1 <= byte <= 0xDF:
            lead, text = 0, text + chr(0xFF61 - 0xA1 + byte)
        elif lead == 0x8F and 0xA1 <= byte <= 0xFE:
            lead, is_jis0212 = byte, True
        elif lead:
            found = None
            if 0xA1 <= lead <= 0xFE and 0xA1 <= byte <= 0xFE:
                found = character((b"\x8f" if is_jis0212 else b"") + bytes([lead, byte]))
            lead, is_jis0212, text = 0, False, text + (found or "\ufffd")
            if found is None and byte < 0x80:
                queue.insert(0, byte)
        elif byte < 0x80:
            text += chr(byte)
        elif byte in (0x8E, 0x8F) or 0xA1 <= byte <= 0xFE:
            lead = byte
        else:
            text += "\ufffd"
    return text + ("\ufffd" if lead else "")


_STATES = {b"(B": "ascii", b"(J": "roman", b"(I": "katakana", b"$@": "lead", b"$B": "lead"}


def iso_2022_jp(body: bytes, character: Pair) -> str:
    """The ISO-2022-JP decoder of the standard, 12.2.1.

    Args:
        body: What is read.
        character: Of EUC-JP.
    """
    text, at, state, output, lead = "", 0, "ascii", False, None
    while at < len(body):
        byte, at = body[at], at + 1
        if byte == 0x1B:
            text, lead = text + ("\ufffd" if lead is not None else ""), None
            if (named := _STATES.get(body[at : at + 2])) is not None:
                text, state, output, at = text + ("\ufffd" if output else ""), named, True, at + 2
            else:
                text, output = text + "\ufffd", False
        elif state != "lead":
            output, text = False, text + _single(byte, state)
        elif lead is not None:
            found = character(bytes([lead | 0x80, byte | 0x80])) if 0x21 <= byte <= 0x7E else None
            text, lead = text + (found or "\ufffd"), None
        elif 0x21 <= byte <= 0x7E:
            output, lead = False, byte
        else:
            output, text = False, text + "\ufffd"
    return text + ("\ufffd" if lead is not None else "")


def _single(byte: int, state: str) -> str:
    if state == "katakana":
        return chr(0xFF61 - 0x21 + byte) if 0x21 <= byte <= 0x5F else "\ufffd"
    if byte >= 0x80 or byte in b"\x0e\x0f":
        return "\ufffd"
    return {"\\": "\xa5", "~": "\u203e"}.get(chr(byte), chr(byte)) if state == "roman" else chr(byte)

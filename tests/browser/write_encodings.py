"""Write down what Chromium reads in every encoding: `python -m tests.browser.write_encodings`.

It makes `crawler/parse/encoding_tables.py`, what the tables of the Encoding Standard hold otherwise than Python's
codecs, and `tests/unit/parse/encodings.json`, digests of the text that Chromium makes of the bodies in
`tests/unit/parse/byte_sequences.py`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.parse.encodings import CODECS
from tests.browser.conftest import CHROMIUM
from tests.unit.parse.byte_sequences import BIG5_COMBINED, OTHERS, SINGLE_BYTE, TWO_BYTE, cases_of

if TYPE_CHECKING:
    from playwright.async_api import Page

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "crawler/parse/encoding_tables.py"
DIGESTS = ROOT / "tests/unit/parse/encodings.json"
DIGEST_CHARACTERS = 12
_RUN_CHARACTERS = 32  # in one line of the table; wide ones count twice
_READ = """
([encoding, bodies]) => bodies.map(body => new TextDecoder(encoding, {ignoreBOM: true}).decode(
    Uint8Array.from(atob(body), character => character.charCodeAt(0))))
"""
_HEAD = '''"""What the tables of the Encoding Standard hold otherwise than Python's codecs.

Made by `python -m tests.browser.write_encodings` of what Chromium reads. Each key is the bytes of the first character,
hexadecimal; the last byte of each further character of the text is one more.
"""

# fmt: off
DIFFERENCES: dict[str, dict[str, str]] = {
'''


async def read(page: Page, encoding: str, bodies: list[bytes]) -> list[str]:
    """The text that a browser makes of each body, each read afresh."""
    texts: list[str] = await page.evaluate(_READ, [encoding, [base64.b64encode(each).decode() for each in bodies]])
    return texts


def digest_of(texts: Iterable[str]) -> str:
    """The beginning of a SHA-256 over several texts."""
    return hashlib.sha256("\n".join(texts).encode("utf-8")).hexdigest()[:DIGEST_CHARACTERS]


def _sequences(encoding: str) -> list[bytes]:
    """Every sequence that may be a character; of those of four bytes the one that the standard names."""
    if encoding in SINGLE_BYTE:
        return [bytes([each]) for each in range(256)]
    high = range(0x80, 0x100)
    found = [bytes([each]) for each in high]
    found += [bytes([lead, trail]) for lead in high for trail in range(0x40, 0x100)]
    if encoding == "euc-jp":
        found += [bytes([0x8F, second, third]) for second in high for third in high]
    if encoding == "gb18030":
        found.append(b"\x81\x35\xf4\x37")
    return [each for each in found if each not in BIG5_COMBINED]


def _python(encoding: str, sequence: bytes) -> str | None:
    try:
        return sequence.decode(CODECS.get(encoding, encoding))
    except UnicodeDecodeError:
        is_control = encoding.startswith("windows-") and 0x80 <= sequence[0] < 0xA0
        return chr(sequence[0]) if is_control else None


def _differences(encoding: str, texts: Iterable[str]) -> Iterator[tuple[bytes, str]]:
    singles: set[int] = set()  # bytes that Python takes for a character of its own
    for sequence, text in zip(_sequences(encoding), texts, strict=True):
        python = _python(encoding, sequence)
        if len(sequence) == 1 and python is not None:
            singles.add(sequence[0])
        if len(sequence) > 1 and sequence[0] in singles:
            continue
        if len(text) == 1 and text != (python or "\ufffd"):
            yield sequence, text


def _runs(found: Iterable[tuple[bytes, str]]) -> Iterator[tuple[bytes, str]]:
    start, run = b"", ""
    for sequence, text in found:
        if run and len(run) < _RUN_CHARACTERS and sequence == start[:-1] + bytes([(start[-1] + len(run)) & 0xFF]):
            run += text
            continue
        if run:
            yield start, run
        start, run = sequence, text
    if run:
        yield start, run


def _literal(text: str) -> str:
    return '"' + "".join(each if each.isprintable() and each != "\ufffd" else ascii(each)[1:-1] for each in text) + '"'


async def _write() -> None:
    from playwright.async_api import async_playwright

    path = next(filter(None, map(shutil.which, CHROMIUM)))
    tables, digests = _HEAD, {}
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = await browser.new_page()
        for encoding in (*SINGLE_BYTE, *TWO_BYTE, *OTHERS):
            if encoding not in OTHERS and encoding not in ("x-user-defined", "gbk"):
                found = _differences(encoding, await read(page, encoding, _sequences(encoding)))
                lines = "".join(f'        "{start.hex()}": {_literal(run)},\n' for start, run in _runs(found))
                if lines:
                    tables += f'    "{encoding}": {{\n{lines}    }},\n'
            digests[encoding] = {
                name: digest_of(await read(page, encoding, bodies)) for name, bodies in cases_of(encoding).items()
            }
        await browser.close()
    TABLES.write_text(tables + "}\n", encoding="utf-8")
    lines = ",\n".join(f"{json.dumps(encoding)}: {json.dumps(found)}" for encoding, found in digests.items())
    DIGESTS.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_write())

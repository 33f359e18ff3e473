"""Bytes in every encoding, read by the browser that is here and by the crawler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crawler.parse.encodings import decode
from tests.browser.write_encodings import read
from tests.unit.parse.byte_sequences import OTHERS, SINGLE_BYTE, TWO_BYTE, cases_of

if TYPE_CHECKING:
    from playwright.async_api import Page


@pytest.mark.parametrize("encoding", [*SINGLE_BYTE, *TWO_BYTE, *OTHERS])
async def test_this_browser_reads_every_sequence_as_the_crawler_does(page: Page, encoding: str) -> None:
    for name, bodies in cases_of(encoding).items():
        assert await read(page, encoding, bodies) == [decode(body, encoding) for body in bodies], name

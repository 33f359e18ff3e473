"""An extractor that takes its time, for a crawl that is to be bound by it."""

from __future__ import annotations

import time

from crawler.parse.extract.page import ExtractPage

PAGE_S = 0.06


def read(page: ExtractPage) -> dict[str, object]:
    """Nothing of interest, late."""
    time.sleep(PAGE_S)
    return {"length": len(page.html)}

"""The main content of a page by trafilatura, without navigation, advertising and footers."""

from __future__ import annotations

import logging
from typing import Literal

import trafilatura

from crawler.models import Article, Document

for _name in ("trafilatura", "htmldate", "justext"):
    # They tell of every page without an article; the record does as well.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


def read(html: str, url: str, document: Document, form: Literal["text", "markdown"]) -> Article | None:
    """The article of a page, None where there is none.

    Args:
        html: The page.
        url: Its canonical URL.
        document: What the parser read; it fills in what trafilatura does not find.
        form: What `Article.text` is.
    """
    tree = trafilatura.load_html(html)
    if tree is None:
        return None
    text = trafilatura.extract(
        tree,
        url=url,
        output_format="txt" if form == "text" else "markdown",
        include_comments=False,
        with_metadata=False,
    )
    if not text:
        return None
    # The extensive search would take a date from anywhere in the text.
    found = trafilatura.extract_metadata(tree, default_url=url, extensive=False)
    return Article(
        text=text,
        title=found.title or document.title,
        author=found.author or document.metadata.author,
        date=found.date,
        language=found.language or document.lang,
    )

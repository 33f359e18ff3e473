"""The main content of a page by trafilatura, without navigation, advertising and footers."""

from __future__ import annotations

import logging
import re
from typing import Any, Literal

import trafilatura
from lxml import etree

from crawler.models import Article, Document
from crawler.parse.extract.blocks import blocks_of
from crawler.parse.extract.outline import rebuild
from crawler.parse.extract.published import published

for _name in ("trafilatura", "htmldate", "justext"):
    # They tell of every page without an article; the record does as well.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

_NAMES = ("class", "id", "itemprop")
# `authority` and `authorization` begin like `author`, by which trafilatura looks for one.
_NO_AUTHOR = re.compile(r"author(?!s?(?![a-z])|s?(?:name|info|link|line|box|bio|meta))", re.IGNORECASE)
# A format that is none: trafilatura then looks for no date.
_NO_DATE = {"outputformat": "none"}


def read(html: str, url: str, document: Document, form: Literal["text", "markdown"]) -> Article | None:
    """The article of a page, None where there is none.

    Args:
        html: The page.
        url: Its canonical URL.
        document: What the parser read; its author counts, and it fills in what trafilatura does not find.
        form: What `Article.text` is.
    """
    tree = trafilatura.load_html(html)
    if tree is None:
        return None
    text = _text(tree, url, form)
    if not text:
        return None
    date = published(tree, url)
    for element in tree.iter(etree.Element):
        for name in _NAMES:
            if _NO_AUTHOR.search(element.get(name, "")):
                del element.attrib[name]
    found = trafilatura.extract_metadata(tree, default_url=url, date_config=_NO_DATE)
    return Article(
        text=text,
        title=found.title or document.title,
        author=document.metadata.author or found.author,  # trafilatura takes names apart, and an address for one.
        date=date,
        language=found.language or document.lang,
    )


def _text(tree: Any, url: str, form: Literal["text", "markdown"]) -> str | None:
    """The article's text: what trafilatura chooses, in the structure of the page where that can be found in it."""
    chosen = trafilatura.extract(tree, url=url, fast=True, favor_recall=True, include_comments=False)
    rebuilt = rebuild(blocks_of(tree), chosen, form) if chosen else None
    if rebuilt:
        return rebuilt
    found: str | None = trafilatura.extract(
        tree, url=url, output_format="txt" if form == "text" else "markdown", include_comments=False
    )
    return found

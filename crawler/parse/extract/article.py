"""The main content of a page by trafilatura, without navigation, advertising and footers."""

from __future__ import annotations

import logging
import re
from copy import deepcopy
from typing import Any, Literal

import htmldate
import lxml.html
import trafilatura
from lxml import etree

from crawler.models import Article, Document

for _name in ("trafilatura", "htmldate", "justext"):
    # They tell of every page without an article; the record does as well.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

_MAX_STATEMENT_CHARS = 200  # A text that states a date has this many characters at most.
# Where pages state their date: an element for it, one that is named for it, or a line that begins like this.
_DATED_NAME = re.compile(
    r"date|datum|time|publi|posted|(?<!version)modified|byline|(?:post|entry)[-_]?meta", re.IGNORECASE
)
_DATED_LINE = re.compile(
    r"\s*(?:(?:last |first )?(?:updated|modified|published|posted)\b|(?:date|datum|stand):)", re.IGNORECASE
)
_JSON_LD = "application/ld+json"
_DATED_TAGS = ("time", "abbr", "h1")
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
    text = trafilatura.extract(
        tree,
        url=url,
        output_format="txt" if form == "text" else "markdown",
        include_comments=False,
        with_metadata=False,
    )
    if not text:
        return None
    date = _date(tree, url)
    for element in tree.iter(etree.Element):
        for name in _NAMES:
            if _NO_AUTHOR.search(element.get(name, "")):
                del element.attrib[name]
    found = trafilatura.extract_metadata(tree, default_url=url, date_config=_NO_DATE)
    return Article(
        text=text,
        title=found.title or document.title,
        author=document.metadata.author or found.author,  # which takes names apart, and an address for one
        date=date,
        language=found.language or document.lang,
    )


def _date(tree: Any, url: str) -> str | None:
    """The date that a page states of itself, in ISO 8601; a date that its text happens to speak of is not it.

    Of several it is the first: when the page was published, and not when it was changed.
    """
    stated = lxml.html.Element("html")
    stated.extend(map(deepcopy, tree.findall("head")))
    body = etree.SubElement(stated, "body")
    for element in tree.iter(etree.Element):
        is_said = _is_dated(element) and len("".join(element.itertext())) <= _MAX_STATEMENT_CHARS
        if is_said or (element.tag == "script" and element.get("type") == _JSON_LD):
            copy = deepcopy(element)
            copy.tail = None
            body.append(copy)
    date: str | None = htmldate.find_date(stated, url=url, original_date=True, extensive_search=False)
    return date


def _is_dated(element: Any) -> bool:
    return (
        element.tag in _DATED_TAGS
        or any(_DATED_NAME.search(element.get(name, "")) for name in _NAMES)
        or _DATED_LINE.match(element.text or "") is not None
    )

"""Reads a page with BeautifulSoup on lxml: slow, and known to everyone who has ever read a page with Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, PreformattedString, Tag

from crawler.models import Document
from crawler.parse.document import BLOCKS, HEADINGS, HIDDEN, LINKS, Facts, document_of, is_jsonld, names_author
from crawler.parse.embedded import ELEMENTS
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.options import USUAL, ExtractOptions
from crawler.parse.text import EDGE

# Inside of these HTML5 sees text or a fragment apart, never elements of the page; lxml does not know that.
_OPAQUE = (HIDDEN - {"noscript"}) | {"textarea"}
# This is for `match` alone: a search would read white space over and over.
_XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*>")


def read(html: bytes, url: str, joiner: LinkJoiner, max_links: int, wanted: ExtractOptions = USUAL) -> Document:
    """Read a page.

    Args:
        html: UTF-8 without byte-order mark.
        url: Canonical URL of the page.
        joiner: The worker's memory of links.
        max_links: Distinct links that are kept.
        wanted: What is taken besides text and links.
    """
    tree = tree_of(html, multi_valued_attributes=None)
    return document_of(_facts(tree, wanted), url, joiner, max_links, wanted)


def tree_of(html: bytes, **options: Any) -> BeautifulSoup:
    """BeautifulSoup's tree of a page.

    Args:
        html: UTF-8 without byte-order mark.
        **options: For BeautifulSoup's tree builder.
    """
    text = html.decode("utf-8", "replace").replace("\0", "")
    declaration = _XML_DECLARATION.match(text)
    # The line end keeps BeautifulSoup from wondering whether a page of one word is a file name.
    text = text[declaration.end() if declaration else 0 :] + "\n"
    return BeautifulSoup(text, "lxml", huge_tree=True, **options)


def _facts(tree: BeautifulSoup, wanted: ExtractOptions) -> Facts:
    facts = Facts()
    root = tree.find("html")
    if isinstance(root, Tag):
        facts.lang = _attribute(root, "lang")
    _Walk(facts, wanted).run(tree)
    return facts


class _Walk:
    """One way through the tree in document order, with a stack of its own: pages can be deeper than Python's."""

    def __init__(self, facts: Facts, wanted: ExtractOptions) -> None:
        self._facts = facts
        self._wanted = wanted
        self._text: list[str] = []
        self._headings: list[tuple[int, int, int]] = []  # level, and where in the text it begins and ends
        self._open_headings: list[int] = []  # The places of the open headings in that list.
        self._open_link: tuple[Tag, int, int] | None = None  # its place among the anchors, and where its text begins

    def run(self, tree: BeautifulSoup) -> None:
        """Gather the facts of a tree."""
        hidden = 0  # hidden elements around the node
        stack: list[tuple[Tag, Iterator[PageElement]]] = [(tree, iter(tree.contents))]
        while stack:
            tag, children = stack[-1]
            for child in children:
                if isinstance(child, Tag):
                    self._open(child, bool(hidden))
                    if child.name not in _OPAQUE:
                        hidden += child.name in ("noscript", "head")
                        stack.append((child, iter(child.contents)))
                        break
                    if child.name == "textarea" and not hidden:
                        self._text.append(child.get_text())
                elif not hidden and isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
                    self._text.append(child)
            else:
                stack.pop()
                hidden -= tag.name in ("noscript", "head")
                self._close(tag, bool(hidden))
        self._facts.text = "".join(self._text)
        self._facts.headings = ((level, "".join(self._text[start:end])) for level, start, end in self._headings)

    def _open(self, tag: Tag, is_hidden: bool) -> None:
        facts, name = self._facts, tag.name
        if name in BLOCKS:
            self._text.append(EDGE)
        if name in HEADINGS and not is_hidden:
            self._open_headings.append(len(self._headings))
            self._headings.append((HEADINGS[name], len(self._text), 0))
        elif name in LINKS and (href := _attribute(tag, "href")) is not None:
            self._link(tag, href, is_hidden)
        elif name == "title" and facts.title is None and tag.find_parent("svg") is None:
            facts.title = tag.get_text()
        elif name == "meta":
            facts.metas.append(_attributes(tag))
        elif name == "link":
            facts.links.append(_attributes(tag))
        elif name == "base" and (href := _attribute(tag, "href")) is not None:
            facts.bases.append(href)
        elif name == "script" and is_jsonld(_attribute(tag, "type")):
            facts.jsonld.append(tag.get_text())
        elif name == "time":
            facts.times.append(_attributes(tag))
        elif name == "img":
            facts.images.append(_attributes(tag))
        elif name in ELEMENTS and self._wanted.embedded is not None:
            facts.embedded.append((name, _attributes(tag)))

    def _link(self, tag: Tag, href: str, is_hidden: bool) -> None:
        facts, rel = self._facts, _attribute(tag, "rel")
        facts.anchors.append((href, rel))
        if facts.author is None and names_author(rel):
            facts.author = tag.get_text()
        if self._wanted.link_details:
            facts.anchor_texts.append((_attribute(tag, "alt") or "") if tag.name == "area" else "")
            if tag.name == "a" and not is_hidden and self._open_link is None:
                self._open_link = (tag, len(facts.anchors) - 1, len(self._text))

    def _close(self, tag: Tag, is_hidden: bool) -> None:
        if tag.name in HEADINGS and not is_hidden:
            index = self._open_headings.pop()
            self._headings[index] = (*self._headings[index][:2], len(self._text))
        elif self._open_link is not None and self._open_link[0] is tag:
            _, place, start = self._open_link
            self._facts.anchor_texts[place] = "".join(self._text[start:])
            self._open_link = None
        if tag.name in BLOCKS:
            self._text.append(EDGE)


def _attribute(tag: Tag, name: str) -> str | None:
    value = tag.get(name)
    return value if isinstance(value, str) else None


def _attributes(tag: Tag) -> dict[str, str | None]:
    return {name: _attribute(tag, name) for name in tag.attrs}

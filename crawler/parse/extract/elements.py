"""Elements as rules see them, found by CSS in Lexbor's tree or by XPath in lxml's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import lxml.html
from lxml import etree
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from crawler.parse.document import BLOCKS, HIDDEN
from crawler.parse.extract.page import ExtractPage
from crawler.parse.text import fold

Select = Callable[[ExtractPage], Iterable["Element | str | float | bool"]]


class Element(Protocol):
    """One element of a page.

    Args:
        attributes: By name; None for those without a value.
    """

    @property
    def attributes(self) -> Mapping[str, str | None]: ...

    def html(self) -> str:
        """Its source, itself included."""

    def text(self) -> str:
        """Its text, folded; block elements are set apart by a space, scripts and styles inside of it are left out."""


class LexborElement:
    """An element of Lexbor's tree."""

    def __init__(self, node: LexborNode) -> None:
        self._node = node

    @property
    def attributes(self) -> Mapping[str, str | None]:
        return self._node.attributes

    def html(self) -> str:
        return self._node.html or ""

    def text(self) -> str:
        return fold("".join(_lexbor_pieces(self._node)))


class LxmlElement:
    """An element of lxml's tree."""

    def __init__(self, element: Any) -> None:
        self._element = element

    @property
    def attributes(self) -> Mapping[str, str | None]:
        attributes: Mapping[str, str | None] = self._element.attrib
        return attributes

    def html(self) -> str:
        return str(etree.tostring(self._element, encoding="unicode", method="html", with_tail=False))

    def text(self) -> str:
        return fold("".join(_lxml_pieces(self._element)))


def by_css(selector: str) -> Select:
    """What a CSS selector finds.

    Raises:
        ValueError: If it is none that Lexbor knows.
    """
    try:
        LexborHTMLParser("<p>").css(selector)
    except SelectolaxError:
        hint = "; for an attribute's value, name it with the key attribute" if "::" in selector else ""
        raise ValueError(f"{selector!r} is not a CSS selector{hint}") from None
    return lambda page: map(LexborElement, page.tree.css(selector))


def by_xpath(expression: str) -> Select:
    """What an XPath expression finds: elements, or text, a number or a truth value.

    Raises:
        ValueError: If it is none.
    """
    try:
        evaluate = etree.XPath(expression, smart_strings=False)
        evaluate(lxml.html.document_fromstring("<p>"))  # only now are functions and namespaces looked up
    except etree.XPathError as error:
        raise ValueError(f"{expression!r} is not an XPath expression: {error}") from None

    def select(page: ExtractPage) -> Iterator[Element | str | float | bool]:
        found = evaluate(page.root)
        for each in found if isinstance(found, list) else [found]:
            if isinstance(each, str | float | bool):
                yield each
            elif isinstance(getattr(each, "tag", None), str):
                yield LxmlElement(each)
            elif isinstance(getattr(each, "text", None), str):  # a comment
                yield each.text

    return select


def _lexbor_pieces(root: LexborNode) -> Iterator[str]:
    if root.tag in HIDDEN:  # asked for by name
        yield root.text()
        return
    stack: list[LexborNode | None] = [root]
    while stack:
        node = stack.pop()
        if node is None:  # the end of a block
            yield " "
        elif node.is_text_node:
            yield node.text_content or ""
        elif node.is_element_node and node.tag not in HIDDEN:
            if node.tag in BLOCKS:
                yield " "
                stack.append(None)
            stack.extend(reversed(list(node.iter(include_text=True))))


def _lxml_pieces(root: Any) -> Iterator[str]:
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        is_element = event in ("start", "end")
        if is_element and element.tag in BLOCKS:
            yield " "
        if event == "start":
            if element.tag in HIDDEN and element is not root:
                walk.skip_subtree()
            else:
                yield element.text or ""
        elif element is not root:
            yield element.tail or ""

"""Reads a page with Lexbor (by selectolax): the HTML5 algorithm in C, the fast path.

Looking at every text node from Python would cost more than parsing does. So the tree is bent instead: elements that are
part of a line are unwrapped and hidden ones taken out, adjacent text nodes merged, and each text node is then a line.
"""

from __future__ import annotations

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from crawler.models import Document
from crawler.parse.facts import BLOCKS, EDGE, HEADINGS, HIDDEN, LINKS, Facts, Targets, document_of

_BLOCK, _HEADING, _LINK, _HIDDEN, _TITLE, _META, _LINK_ELEMENT, _BASE, _SVG = range(9)
_WITHOUT_EVENTS = int(LexborDocumentOptions.WO_EVENTS)


def _kinds() -> dict[int, int]:
    """Lexbor's number of each element that matters → what to do with it; the numbers differ between versions."""
    kinds = {
        **dict.fromkeys(BLOCKS, _BLOCK),
        **dict.fromkeys(HEADINGS, _HEADING),
        **dict.fromkeys(LINKS, _LINK),
        **dict.fromkeys(HIDDEN, _HIDDEN),
        **{"title": _TITLE, "meta": _META, "link": _LINK_ELEMENT, "base": _BASE, "svg": _SVG},
    }
    tree = LexborHTMLParser(b"")
    return {tree.create_node(name).tag_id: kind for name, kind in kinds.items()}


_KINDS = _kinds()


def read(html: bytes, url: str, targets: Targets, max_links: int) -> Document:
    """Read a page.

    Args:
        html: UTF-8 without byte-order mark.
        url: Canonical URL of the page.
        targets: The worker's memory of links.
        max_links: Distinct links that are kept.
    """
    tree = LexborHTMLParser(html, options=_WITHOUT_EVENTS)
    return document_of(_facts(tree), url, targets, max_links)


def _facts(tree: LexborHTMLParser) -> Facts:
    facts = Facts()
    root, body = tree.root, tree.body
    if root is None:
        return facts
    facts.lang = root.attributes.get("lang")
    headings = _sort(root, facts)
    if body is not None:
        body.merge_text_nodes()
        facts.text = body.text(separator=EDGE, skip_empty=True)
    facts.headings = ((HEADINGS[node.tag or ""], node.text(separator=EDGE)) for node in headings)
    return facts


def _sort(root: LexborNode, facts: Facts) -> list[LexborNode]:
    """Gather facts and bend the tree for its text; returns the headings, whose text is whole only afterwards."""
    anchors = facts.anchors
    headings: list[LexborNode] = []
    unseen: set[int] = set()  # nodes inside of hidden elements
    drawn: set[int] = set()  # nodes inside of drawings, kept while no title has been found
    nodes = list(root.traverse())
    # Outer elements come first: unwrapping moves each child once, whatever the depth.
    for node, kind in zip(nodes, map(_KINDS.get, [node.tag_id for node in nodes]), strict=True):
        if kind is None:
            node.unwrap(True)  # takes out what is empty, comments too
        elif kind == _BLOCK:
            continue
        elif kind == _LINK:
            attributes = node.attributes
            if "href" in attributes:
                anchors.append((attributes["href"] or "", attributes.get("rel")))
            node.unwrap(True)
        elif kind == _HEADING:
            if node.mem_id not in unseen:
                headings.append(node)
        elif kind <= _TITLE:
            if kind == _TITLE and facts.title is None and node.mem_id not in drawn:
                facts.title = node.text()
            if node.mem_id not in unseen:
                unseen.update(inner.mem_id for inner in node.traverse())
            node.decompose(recursive=False)
        elif kind == _SVG:
            if facts.title is None and node.mem_id not in drawn:
                drawn.update(inner.mem_id for inner in node.traverse())
            node.unwrap(True)
        else:
            _element(node, kind, facts)
            node.unwrap(True)
    return headings


def _element(node: LexborNode, kind: int, facts: Facts) -> None:
    attributes = node.attributes
    if kind == _META:
        facts.metas.append(attributes)
    elif kind == _LINK_ELEMENT:
        facts.links.append(attributes)
    elif "href" in attributes:
        facts.bases.append(attributes["href"] or "")

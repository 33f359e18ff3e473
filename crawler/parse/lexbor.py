"""Reads a page with Lexbor (by selectolax): the HTML5 algorithm in C, the fast path.

Looking at every text node from Python would cost more than parsing does. So the tree is bent instead: elements that are
part of a line are unwrapped and hidden ones taken out, adjacent text nodes merged, and each text node is then a line.
"""

from __future__ import annotations

from functools import cache

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from crawler.models import Document
from crawler.parse.document import BLOCKS, HEADINGS, HIDDEN, LINKS, Facts, document_of, is_jsonld, names_author
from crawler.parse.embedded import ELEMENTS
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.options import USUAL, ExtractOptions
from crawler.parse.text import EDGE

_BLOCK, _HEADING, _LINK, _HIDDEN, _SCRIPT, _TITLE, _META, _LINK_ELEMENT, _BASE, _TIME, _IMAGE, _SVG, _MEDIA = range(13)
_WITHOUT_EVENTS = int(LexborDocumentOptions.WO_EVENTS)


@cache
def _kinds(has_metadata: bool, has_images: bool, has_embedded: bool) -> dict[int, int]:
    """Lexbor's number of each element that matters → what to do with it; the numbers differ between versions."""
    kinds = {
        **dict.fromkeys(BLOCKS, _BLOCK),
        **dict.fromkeys(HEADINGS, _HEADING),
        **dict.fromkeys(LINKS, _LINK),
        **dict.fromkeys(HIDDEN, _HIDDEN),
        **{"title": _TITLE, "meta": _META, "link": _LINK_ELEMENT, "base": _BASE, "svg": _SVG},
    }
    if has_metadata:
        kinds |= {"script": _SCRIPT, "time": _TIME}
    if has_images or has_embedded:
        kinds["img"] = _IMAGE
    if has_embedded:
        kinds |= dict.fromkeys(ELEMENTS, _MEDIA)
    tree = LexborHTMLParser(b"")
    return {tree.create_node(name).tag_id: kind for name, kind in kinds.items()}


def read(html: bytes, url: str, joiner: LinkJoiner, max_links: int, wanted: ExtractOptions = USUAL) -> Document:
    """Read a page.

    Args:
        html: UTF-8 without byte-order mark.
        url: Canonical URL of the page.
        joiner: The worker's memory of links.
        max_links: Distinct links that are kept.
        wanted: What is taken besides text and links.
    """
    tree = LexborHTMLParser(html, options=_WITHOUT_EVENTS)
    return document_of(_facts(tree, wanted), url, joiner, max_links, wanted)


def _facts(tree: LexborHTMLParser, wanted: ExtractOptions) -> Facts:
    facts = Facts()
    root, body = tree.root, tree.body
    if root is None:
        return facts
    facts.lang = root.attributes.get("lang")
    headings = _sort(root, facts, wanted)
    if body is not None:
        body.merge_text_nodes()
        facts.text = body.text(separator=EDGE, skip_empty=True)
    facts.headings = ((HEADINGS[node.tag or ""], node.text(separator=EDGE)) for node in headings)
    return facts


def _sort(root: LexborNode, facts: Facts, wanted: ExtractOptions) -> list[LexborNode]:
    """Gather facts and bend the tree for its text; returns the headings, whose text is whole only afterwards."""
    anchors, has_details = facts.anchors, wanted.link_details
    links: list[tuple[int, LexborNode]] = []  # whose text is wanted, with their places in `anchors`
    headings: list[LexborNode] = []
    unseen: set[int] = set()  # nodes inside of hidden elements
    linked: set[int] = set()  # nodes inside of links whose text is wanted
    drawn: set[int] = set()  # nodes inside of drawings, kept while no title has been found
    nodes = list(root.traverse())
    # Outer elements come first: unwrapping moves each child once, whatever the depth.
    kinds = _kinds(wanted.metadata, wanted.images, wanted.embedded is not None)
    for node, kind in zip(nodes, map(kinds.get, [node.tag_id for node in nodes]), strict=True):
        if kind is None:
            node.unwrap(True)  # takes out what is empty, comments too
        elif kind == _BLOCK:
            continue
        elif kind == _LINK:
            attributes = node.attributes
            if "href" in attributes:
                rel = attributes.get("rel")
                anchors.append((attributes["href"] or "", rel))
                if (rel or has_details) and _link(node, facts, has_details, unseen, linked):
                    links.append((len(anchors) - 1, node))
                    continue
            node.unwrap(True)
        elif kind == _HEADING:
            if node.mem_id not in unseen:
                headings.append(node)
        elif kind <= _TITLE:
            _take_out(node, kind, facts, unseen, drawn)
        elif kind == _SVG:
            if facts.title is None and node.mem_id not in drawn:
                drawn.update(inner.mem_id for inner in node.traverse())
            node.unwrap(True)
        else:
            _element(node, kind, facts)
            node.unwrap(True)
    _take_texts(links, facts)
    return headings


def _take_out(node: LexborNode, kind: int, facts: Facts, unseen: set[int], drawn: set[int]) -> None:
    """Take what matters of a hidden element, and the element out of the tree."""
    if kind == _TITLE and facts.title is None and node.mem_id not in drawn:
        facts.title = node.text()
    elif kind == _SCRIPT and is_jsonld(node.attributes.get("type")):
        facts.jsonld.append(node.text())
    if node.mem_id not in unseen:
        unseen.update(inner.mem_id for inner in node.traverse())
    node.decompose(recursive=False)


def _link(node: LexborNode, facts: Facts, has_details: bool, unseen: set[int], linked: set[int]) -> bool:
    """Take what matters of a link besides its target; whether its text is to be taken once it is whole."""
    attributes = node.attributes
    if facts.author is None and names_author(attributes.get("rel")):
        facts.author = node.text()
    if not has_details:
        return False
    facts.anchor_texts.append((attributes.get("alt") or "") if node.tag == "area" else "")
    # Only drawings can have links inside of links, and so many that the text of each of them would take for ever.
    if node.child is None or node.mem_id in unseen or node.mem_id in linked:
        return False
    linked.update(inner.mem_id for inner in node.traverse())
    return True


def _take_texts(links: list[tuple[int, LexborNode]], facts: Facts) -> None:
    """Take the text of links, with their places among the anchors, and unwrap them like all others."""
    for place, node in links:
        node.merge_text_nodes()
        facts.anchor_texts[place] = node.text(separator=EDGE)
        node.unwrap(True)


def _element(node: LexborNode, kind: int, facts: Facts) -> None:
    attributes = node.attributes
    if kind == _META:
        facts.metas.append(attributes)
    elif kind == _LINK_ELEMENT:
        facts.links.append(attributes)
    elif kind == _TIME:
        facts.times.append(attributes)
    elif kind == _IMAGE:
        facts.images.append(attributes)
    elif kind == _MEDIA:
        facts.embedded.append((node.tag or "", attributes))
    elif "href" in attributes:
        facts.bases.append(attributes["href"] or "")

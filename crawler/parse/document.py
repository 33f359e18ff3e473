"""What both parsers share: which elements matter, and how the facts that they gather become a Document.

A parser only walks its tree. Rules live here, so that two parsers cannot come to differ in them.

Text. The text of a page is that of its body in document order, without hidden elements (`HIDDEN`) and comments. A line
begins and ends at each edge of a block element (`BLOCKS`) and at `br`; every other element is part of its line.
White space (HTML's five characters) is folded, and lines without text are left out. Parsers mark an edge with
`text.EDGE`, a character that no parsed page can hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from crawler import urls
from crawler.models import Document, Metadata
from crawler.parse.embedded import embedded_of
from crawler.parse.hrefs import Base, LinkJoiner
from crawler.parse.metadata import NO_METADATA, images_of, link_details_of, metadata_of
from crawler.parse.options import ExtractOptions
from crawler.parse.text import fold, fold_line, lines

HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
# Lines of their own in every browser's style sheet; a table's cells and a list's options are as well, because they
# would run into each other otherwise.
BLOCKS = frozenset(
    "address article aside blockquote body br caption center col colgroup dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu nav ol optgroup "
    "option p pre search section summary table tbody td tfoot th thead tr ul".split()
)
# Not shown to a reader whose browser can do what the page wants. The content of noscript is markup and its links
# count; that of the others is not part of the page.
HIDDEN = frozenset(("script", "style", "template", "noscript", "title", "iframe", "noembed", "noframes"))
LINKS = frozenset(("a", "area"))

MAX_REFRESH_DELAY_S = 30.0  # a later meta refresh reloads a page, it does not lead to another one
# Headings inside of each other repeat their text: characters that all together may have beyond the page's own. A few
# layers happen; a thousand around a long text would make a thousand copies of it.
_REPEATED_CHARS = 100_000
_REFRESH = re.compile(
    r"\s*(\d+|(?=\.))[\d.]*(?:(?:\s*[;,]|\s)\s*(?:url\s*=\s*)?(?:'([^']*)|\"([^\"]*)|(.*)))?", re.IGNORECASE | re.DOTALL
)


@dataclass(slots=True)
class Facts:
    """What a parser found, in document order and as it stands in the page.

    Args:
        title: Text of the first title element outside of SVG.
        lang: The html element's attribute.
        text: The body's text, with `text.EDGE` wherever a line ends.
        headings: Level and text, with the same as well; made only as far as they are taken.
        anchors: `(href, rel)` of each `a` and `area` with an href.
        bases: The href of each base element.
        metas, links: Attributes of each meta and link element.
        jsonld: Text of each JSON-LD script.
        times, images: Attributes of each time and img element.
        author: Text of the first link with rel=author.
        anchor_texts: The text of each of `anchors`, if link details are wanted; that of an area is its alt.
        embedded: Name and attributes of each of `embedded.ELEMENTS`, if those are wanted.
    """

    title: str | None = None
    lang: str | None = None
    text: str = ""
    headings: Iterable[tuple[int, str]] = ()
    anchors: list[tuple[str, str | None]] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)
    metas: list[dict[str, str | None]] = field(default_factory=list)
    links: list[dict[str, str | None]] = field(default_factory=list)
    jsonld: list[str] = field(default_factory=list)
    times: list[dict[str, str | None]] = field(default_factory=list)
    author: str | None = None
    images: list[dict[str, str | None]] = field(default_factory=list)
    anchor_texts: list[str] = field(default_factory=list)
    embedded: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)


def is_jsonld(script_type: str | None) -> bool:
    """Whether a script with this type attribute holds JSON-LD."""
    return script_type is not None and "ld+json" in script_type.lower()


def names_author(rel: str | None) -> bool:
    """Whether a link with this rel leads to the author."""
    return rel is not None and "author" in rel.lower().split()


def document_of(facts: Facts, url: str, joiner: LinkJoiner, max_links: int, wanted: ExtractOptions) -> Document:
    """Make the Document of a page.

    Args:
        facts: What the parser found.
        url: Canonical URL of the page.
        joiner: The worker's memory of links.
        max_links: Distinct links that are kept.
        wanted: What is taken besides text and links.

    Source: WHATWG HTML, 4.2.3 (base), 4.2.5.3 (refresh); the first base with a usable URL wins, wherever it stands.
    """
    base = joiner.base(url)
    if own := next(filter(None, map(base.join, facts.bases)), None):
        base = joiner.base(own)
    hrefs, nofollow_hrefs = _links(facts.anchors, base, joiner, max_links)
    named = _metas_by_name(facts.metas)
    robots = {word for name in wanted.names for content in named.get(name, ()) for word in _words(content)}
    text = lines(facts.text)
    headings = _headings(facts.headings, len(text) + _REPEATED_CHARS)
    return Document(
        title=fold(facts.title) or None if facts.title else None,
        description=next(filter(None, map(fold, named.get("description", ()))), None),
        canonical=_canonical(facts.links, base),
        lang=fold(facts.lang or "") or None,
        h1=next((heading for level, heading in headings if level == 1), None),
        headings=headings,
        text=text,
        hrefs=hrefs,
        links_total=len(facts.anchors),
        nofollow_hrefs=nofollow_hrefs,
        nofollow=not robots.isdisjoint(("nofollow", "none")),
        noindex=not robots.isdisjoint(("noindex", "none")),
        refresh=_refresh(facts.metas, base),
        embedded=_embedded(facts, base, joiner, max_links, wanted),
        metadata=_metadata(facts, url, base, joiner, max_links, wanted),
    )


def _embedded(facts: Facts, base: Base, joiner: LinkJoiner, max_links: int, wanted: ExtractOptions) -> list[str]:
    if wanted.embedded is None:
        return []
    join = partial(joiner.target, base)
    return embedded_of(facts.images, facts.embedded, facts.links, join, wanted.embedded, max_links)


def _metadata(
    facts: Facts, url: str, base: Base, joiner: LinkJoiner, max_links: int, wanted: ExtractOptions
) -> Metadata:
    join = partial(joiner.target, base)
    found = NO_METADATA
    if wanted.metadata:
        found = metadata_of(facts.metas, facts.links, facts.jsonld, facts.times, facts.author, join)
    if wanted.images:
        found = replace(found, images=images_of(facts.images, join, max_links) or None)
    if wanted.link_details:
        details = link_details_of(facts.anchors, facts.anchor_texts, urls.host_key(url), join, max_links)
        found = replace(found, link_details=details or None)
    return found


def _headings(headings: Iterable[tuple[int, str]], room: int) -> list[tuple[int, str]]:
    """Fold headings and take them while all together have room, in characters."""
    taken: list[tuple[int, str]] = []
    for level, text in headings:
        folded = fold_line(text)
        room -= len(folded)
        if room < 0:
            break
        if folded:
            taken.append((level, folded))
    return taken


def _links(
    anchors: list[tuple[str, str | None]], base: Base, joiner: LinkJoiner, max_links: int
) -> tuple[list[str], frozenset[str]]:
    rooted, places, starts = base.rooted, base.places, base.starts
    found: dict[str, bool] = {}  # target → whether it stands in nofollow links only
    for href, rel in anchors:
        target = rooted.get(href)  # what `LinkJoiner.target` does, without a call for each
        if target is None:
            place = places.get(href)
            target = starts[place[0]] + place[1] if place is not None else joiner.learn(base, href)
        if not target:
            continue
        if target not in found and len(found) == max_links:
            continue
        if rel is None or "nofollow" not in _words(rel):
            found[target] = False
        else:
            found.setdefault(target, True)
    return list(found), frozenset(target for target, is_nofollow in found.items() if is_nofollow)


def _words(text: str) -> list[str]:
    return text.lower().replace(",", " ").split()


def _metas_by_name(metas: list[dict[str, str | None]]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for meta in metas:
        name, content = meta.get("name"), meta.get("content")
        if name and content:
            named.setdefault(name.strip().lower(), []).append(content)
    return named


def _canonical(links: list[dict[str, str | None]], base: Base) -> str | None:
    for link in links:
        href = link.get("href")
        if href and "canonical" in _words(link.get("rel") or ""):
            return base.join(href) or None
    return None


def _refresh(metas: list[dict[str, str | None]], base: Base) -> str | None:
    for meta in metas:
        if (meta.get("http-equiv") or "").lower() == "refresh":
            match = _REFRESH.match(meta.get("content") or "")
            target = next(filter(None, match.groups()[1:]), None) if match else None
            if match is None or not target or float(match[1] or 0) > MAX_REFRESH_DELAY_S:
                return None
            return base.join(target.strip()) or None
    return None

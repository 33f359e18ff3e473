"""What a page says of itself for machines: Open Graph, Twitter cards, JSON-LD, other versions, feeds, author, dates.

Pages get these wrong in every way there is. What cannot be read is left out, and what can be read is kept as given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from crawler.models import Metadata
from crawler.parse.dates import iso_date
from crawler.parse.text import fold, fold_line

# All JSON-LD of a page has this many characters at most; what does not fit any more is left out.
MAX_JSONLD_CHARS = 64 * 1024
MAX_JSONLD_DEPTH = 64  # lists and objects inside of each other; real ones have fewer than ten
MAX_OG_CHARS = 64 * 1024
MAX_ALTERNATES = 1_000
MAX_FEEDS = 100
MAX_NAME_CHARS = 300  # The name of an author is cut to this length.
MAX_AUTHORS = 20

Attributes = dict[str, str | None]
Join = Callable[[str], str]  # an href → its canonical target, "" if it is none

NO_METADATA = Metadata()
_OG = ("og:", "twitter:", "article:", "book:", "profile:", "product:", "music:", "video:", "fb:")
_FEED_TYPES = frozenset(("application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json"))
# Names of meta elements, the best first; article:… are properties of Open Graph.
_AUTHOR = ("author", "dc.creator", "dcterms.creator", "citation_author", "parsely-author", "article:author")
_PUBLISHED = (
    *("article:published_time", "og:published_time", "datepublished", "citation_publication_date", "dc.date.issued"),
    *("dcterms.issued", "dcterms.created", "parsely-pub-date", "pubdate", "dc.date", "date"),
)
_MODIFIED = ("article:modified_time", "og:updated_time", "datemodified", "dcterms.modified", "last-modified")
_NAMES = frozenset((*_AUTHOR, *_PUBLISHED, *_MODIFIED))
_PUBLISHED_CLASSES = frozenset(("published", "dt-published", "entry-date"))
_MODIFIED_CLASSES = frozenset(("modified", "updated", "dt-updated"))
# What people wrap a script in so that very old browsers or XML do not stumble over it.
_WRAPPER = re.compile(r"\A\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*;?\s*\Z")
_decode = msgspec.json.Decoder().decode


def metadata_of(
    metas: list[Attributes],
    links: list[Attributes],
    scripts: list[str],
    times: list[Attributes],
    author: str | None,
    join: Join,
) -> Metadata:
    """Make the Metadata of a page.

    Args:
        metas, links, times: Attributes of each meta, link and time element.
        scripts: The text of each JSON-LD script.
        author: The text of a link to the author.
        join: Makes canonical targets of the page's links.

    Source: ogp.me; JSON-LD 1.1, 7.2; WHATWG HTML, 4.6.6 (alternate, author).
    """
    og, named = _properties(metas)
    alternates, feeds = _versions(links, join)
    jsonld = _jsonld(scripts) if scripts else []
    if not (og or named or jsonld or alternates or feeds or times or author):
        return NO_METADATA
    stated = _Stated(jsonld)
    return Metadata(
        og=og or None,
        jsonld=jsonld or None,
        alternates=alternates or None,
        feeds=feeds or None,
        author=_author(named, stated.author, author),
        published=_date(named, _PUBLISHED, stated.published, _time(times, "datepublished", _PUBLISHED_CLASSES)),
        modified=_date(named, _MODIFIED, stated.modified, _time(times, "datemodified", _MODIFIED_CLASSES)),
    )


def images_of(images: Iterable[Attributes], join: Join, limit: int) -> list[tuple[str, str | None]]:
    """The URL and alternative text of images, each pair once; those without an http(s) URL are left out."""
    found: dict[tuple[str, str | None], None] = {}
    for attributes in images:
        if len(found) == limit:
            break
        source, text = attributes.get("src"), attributes.get("alt")
        if not source or source.startswith("data:"):
            source = attributes.get("data-src")  # Scripts that load images as they come into view have it there.
        if source and (target := join(source)):
            found[target, fold(text) if text is not None else None] = None
    return list(found)


def link_details_of(
    anchors: Iterable[tuple[str, str | None]], texts: Iterable[str], host: str, join: Join, limit: int
) -> list[tuple[str, str, str | None, bool]]:
    """URL, text, rel of links, and whether they stay on the host, `www.` aside; in order, as often as they stand there.

    Args:
        anchors: `(href, rel)` of each.
        texts: The text of each.
        host: Authority of the page.
        join: Makes canonical targets of hrefs.
        limit: How many are taken.
    """
    own = _bare(host)
    details: list[tuple[str, str, str | None, bool]] = []
    for (href, rel), text in zip(anchors, texts, strict=True):
        if len(details) == limit:
            break
        if target := join(href):
            stays = _bare(target.split("/", 3)[2]) == own
            details.append((target, fold_line(text), fold(rel or "") or None, stays))
    return details


def _bare(host: str) -> str:
    return host.removeprefix("www.")


# Meta and link elements


def _properties(metas: list[Attributes]) -> tuple[dict[str, str | list[str]], dict[str, list[str]]]:
    """Open Graph and Twitter properties; and the names that speak of author and dates with their contents."""
    og: dict[str, str | list[str]] = {}
    named: dict[str, list[str]] = {}
    room = MAX_OG_CHARS
    for meta in metas:
        name = meta.get("property") or meta.get("name") or meta.get("itemprop")
        if not name:
            continue
        name = name.strip().lower()
        is_og = name.startswith(_OG)
        if not (is_og or name in _NAMES) or not (content := fold(meta.get("content") or "")):
            continue
        if name in _NAMES:
            named.setdefault(name, []).append(content)
        room -= len(name) + len(content)
        if is_og and room >= 0:
            before = og.get(name)
            if before is None:
                og[name] = content
            elif isinstance(before, list):
                before.append(content)
            else:
                og[name] = [before, content]
    return og, named


def _versions(links: list[Attributes], join: Join) -> tuple[dict[str, str], list[str]]:
    """Other versions of the page by language, type or media query; and its feeds."""
    alternates: dict[str, str] = {}
    feeds: dict[str, None] = {}
    for link in links:
        rel, href = link.get("rel"), link.get("href")
        if not rel or not href:
            continue
        words = rel.lower().split()
        kind = (link.get("type") or "").partition(";")[0].strip().lower()
        if "feed" in words or ("alternate" in words and kind in _FEED_TYPES):
            if len(feeds) < MAX_FEEDS and (target := join(href)):
                feeds[target] = None
        elif "alternate" in words and "stylesheet" not in words and len(alternates) < MAX_ALTERNATES:
            key = fold(link.get("hreflang") or "") or kind or fold(link.get("media") or "")
            if key and key not in alternates and (target := join(href)):
                alternates[key] = target
    return alternates, list(feeds)


# JSON-LD


def _jsonld(scripts: list[str]) -> list[Any]:
    """The values of the scripts that can be read, as far as they fit."""
    values: list[Any] = []
    room = MAX_JSONLD_CHARS
    for script in scripts:
        if len(script) > room:
            continue
        value = _read_json(script)
        if not isinstance(value, dict | list):
            continue
        may_be_deep = script.count("[") + script.count("{") > MAX_JSONLD_DEPTH
        if not (may_be_deep and is_deeper(value, MAX_JSONLD_DEPTH)):
            values.append(value)
            room -= len(script)
    return values


def _read_json(script: str) -> Any:
    """The value of a script; None if it has none. Control characters in strings and wrappers are forgiven."""
    try:
        return _decode(script)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return json.loads(_WRAPPER.sub("", script), strict=False)
    except (ValueError, RecursionError):
        return None


def is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects stand more than `depth` deep inside of each other."""
    level = [value]
    for _ in range(depth + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


class _Stated:
    """What the things that JSON-LD describes say of author and dates; the first that says something counts.

    Args:
        values: The values of a page's scripts.
    """

    def __init__(self, values: list[Any]) -> None:
        self.author = self.published = self.modified = ""
        things = list(_things(values))
        # An author may be given by reference to another thing.
        known = {thing["@id"]: _text(thing.get("name")) for thing in things if isinstance(thing.get("@id"), str)}
        for thing in things:
            self.author = self.author or ", ".join(_names(thing.get("author"), known))[:MAX_NAME_CHARS]
            self.published = self.published or _text(thing.get("datePublished"))
            self.modified = self.modified or _text(thing.get("dateModified"))


def _things(values: list[Any]) -> Iterator[dict[str, Any]]:
    """The objects at the top of JSON-LD, and those of its graphs."""
    for value in values:
        for thing in value if isinstance(value, list) else [value]:
            if isinstance(thing, dict):
                yield thing
                graph = thing.get("@graph")
                if isinstance(graph, list):
                    yield from (each for each in graph if isinstance(each, dict))


def _names(author: Any, known: dict[str, str]) -> list[str]:
    """The names of authors: text, objects with a name, or references to such, alone or in a list."""
    names: dict[str, None] = {}
    for each in (author if isinstance(author, list) else [author])[:MAX_AUTHORS]:
        name = _text(each.get("name") if isinstance(each, dict) else each)
        if not name and isinstance(each, dict) and isinstance(identity := each.get("@id"), str):
            name = known.get(identity, "")
        if name:
            names[name] = None
    return list(names)


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else None
    return fold(value) if isinstance(value, str) else ""


# What is stated in several places


def _author(named: dict[str, list[str]], stated: str, linked: str | None) -> str | None:
    for name in _AUTHOR:
        names = [each for each in named.get(name, ()) if not each.startswith(("http://", "https://"))]
        if names:
            return ", ".join(dict.fromkeys(names[:MAX_AUTHORS]))[:MAX_NAME_CHARS]
    return stated or (fold_line(linked)[:MAX_NAME_CHARS] or None if linked else None)


def _date(named: dict[str, list[str]], names: tuple[str, ...], stated: str, timed: str) -> str | None:
    """The first date: of the best meta element, else of JSON-LD, else of a time element; as given if none is a date."""
    found = [*(named[name][0] for name in names if name in named), stated, timed]
    given = next(filter(None, found), "")
    return next(filter(None, map(iso_date, found)), None) or given[:MAX_NAME_CHARS] or None


def _time(times: list[Attributes], item: str, classes: frozenset[str]) -> str:
    """The first time element that says what it stands for."""
    for attributes in times:
        moment = fold(attributes.get("datetime") or "")
        if not moment:
            continue
        if item in (attributes.get("itemprop") or "").lower().split():
            return moment
        if item == "datepublished" and "pubdate" in attributes:
            return moment
        if not classes.isdisjoint((attributes.get("class") or "").lower().split()):
            return moment
    return ""

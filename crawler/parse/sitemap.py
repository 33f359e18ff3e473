"""Reads what a site says are its pages: sitemaps and their indexes, RSS and Atom feeds, lists of URLs.

Nobody validates sitemaps, so this takes what it can get: wrong namespaces, a cut file, gzip once more than was said.
No entity is expanded: every `&` that begins no reference which XML itself defines is taken as a plain character, which
is also what most who write one mean. Nothing is read from disk or network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree
from msgspec import Struct

from crawler.files.coding import GZIP_MAGIC
from crawler.models import MAX_SITEMAP_BYTES
from crawler.parse.charset import decode_text
from crawler.parse.decode import undo_codings

MAX_SITEMAP_URLS = 50_000  # sitemaps.org
_MAX_GZIP_LAYERS = 2
_FEED_BYTES = 64 * 1024  # given to the XML parser at a time
_REFERENCE_BYTES = 10  # The longest reference that is one has this many bytes: &#x10ffff;
_MAX_URL_CHARS = 16 * 1024
# Without the end of any element: a start tag of this size has some hundred thousand attributes, each a node in memory.
_MAX_GAP_BYTES = 4 * 1024 * 1024
_LISTED = re.compile(rb"(?:^|(?<=[\r\n]))[ \t]*+(https?://[^\r\n]*)", re.IGNORECASE)
# After its first fault libxml2 drops references silently, which would make other URLs of them. So an ampersand takes
# the form of a character that no text has, and is one again when the URL has been read.
_AMPERSAND = "\ufdd0"
_AMPERSANDS = re.compile(rb"&(?:amp;|(?!(?:lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});))")
# parent → (child that holds a URL, whether the URL is a sitemap), by local name
_PLACES = {"url": ("loc", False), "sitemap": ("loc", True), "item": ("link", False), "entry": ("link", False)}


class Sitemap(Struct):
    """What a sitemap names, in order and as written, white space at the ends removed.

    Args:
        pages: URLs of pages.
        sitemaps: URLs of further sitemaps.
        truncated: Whether there was more than the limits allow.
    """

    pages: list[str] = []
    sitemaps: list[str] = []
    truncated: bool = False

    @property
    def is_full(self) -> bool:
        """Whether no further URL is taken."""
        return len(self.pages) + len(self.sitemaps) >= MAX_SITEMAP_URLS

    def add(self, url: str, is_sitemap: bool) -> None:
        """Take a URL, unless it is empty, too long, or one too many."""
        url = url.strip().replace(_AMPERSAND, "&")
        if not url or len(url) > _MAX_URL_CHARS:
            return
        if self.is_full:
            self.truncated = True
            return
        (self.sitemaps if is_sitemap else self.pages).append(url)


def parse(body: bytes, *, is_cut: bool = False) -> Sitemap:
    """Read a sitemap; what cannot be read is left out, nothing raises, and half a URL is none.

    Args:
        body: After content-decoding; it may be a gzip file, also twice.
        is_cut: Whether there was more than came.

    Source: sitemaps.org protocol; RSS 2.0; RFC 4287 (Atom).
    """
    sitemap = Sitemap()
    for _ in range(_MAX_GZIP_LAYERS):
        if not body.startswith(GZIP_MAGIC):
            break
        decoded = undo_codings(body, ["gzip"], MAX_SITEMAP_BYTES)
        body, sitemap.truncated = decoded.body, sitemap.truncated or decoded.truncated is not None
        is_cut = is_cut or not decoded.complete
    if len(body) > MAX_SITEMAP_BYTES:
        body, sitemap.truncated = body[:MAX_SITEMAP_BYTES], True
    head = body[:1024].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xfe\xff\t\r\n ")  # whatever the encoding
    if head.startswith(b"<"):
        text = decode_text(body, None)[0].lstrip()
        # The XML parser ends what a cut file leaves open; without the text behind the last tag that holds no URL.
        _read_xml(text[: text.rfind(b">") + 1], sitemap)
    else:
        _read_list(decode_text(body, "utf-8")[0], sitemap, is_cut=is_cut or sitemap.truncated)
    return sitemap


def _read_list(text: bytes, sitemap: Sitemap, *, is_cut: bool) -> None:
    if is_cut:  # the last line may be half a URL
        text = text[: max(text.rfind(b"\n"), text.rfind(b"\r")) + 1]
    for match in _LISTED.finditer(text):
        sitemap.add(match[1].decode("utf-8"), is_sitemap=False)
        if sitemap.truncated and sitemap.is_full:
            return


def _read_xml(body: bytes, sitemap: Sitemap) -> None:
    parser = etree.XMLPullParser(
        events=("end",),
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        unread = 0
        for piece in _pieces(body):
            parser.feed(piece)
            unread = 0 if _take(parser, sitemap) else unread + len(piece)
            if unread > _MAX_GAP_BYTES:
                sitemap.truncated = True
                return
            if sitemap.truncated and sitemap.is_full:
                return
        parser.close()
    except etree.XMLSyntaxError:
        pass  # what came before the fault has been taken
    _take(parser, sitemap)


def _pieces(body: bytes) -> Iterator[bytes]:
    """Cut XML into pieces, never inside a reference, and give their plain ampersands the form that libxml2 keeps."""
    start = 0
    while start < len(body):
        end = start + _FEED_BYTES
        if end < len(body) and (reference := body.find(b"&", end - _REFERENCE_BYTES, end)) != -1:
            end = reference
        yield _AMPERSANDS.sub(_AMPERSAND.encode(), body[start:end])
        start = end


def _take(parser: etree.XMLPullParser, sitemap: Sitemap) -> bool:
    """Take the elements that have ended; whether there were any."""
    element = None
    for _, element in parser.read_events():
        parent = element.getparent()
        place = _PLACES.get(_local_name(parent)) if parent is not None else None
        is_place = place is not None and place[0] == _local_name(element) and not _is_foreign(element, parent)
        if is_place and place is not None and not len(element):  # An element with others inside was never closed.
            url = _atom_target(element) if _local_name(parent) == "entry" else element.text
            sitemap.add(url or "", is_sitemap=place[1])
        _forget(element)
    return element is not None


def _forget(element: etree._Element) -> None:
    """Free an element that has been read, and those before it: a sitemap's tree would be ten times its file."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def _is_foreign(element: etree._Element, parent: etree._Element) -> bool:
    """Whether an element is an extension's: `image:loc` in `url`, `atom:link` in an RSS item."""
    return bool(element.tag.rpartition("}")[0] != parent.tag.rpartition("}")[0])


def _atom_target(link: etree._Element) -> str | None:
    return link.get("href") if link.get("rel", "alternate") == "alternate" else None


def _local_name(element: etree._Element) -> str:
    tag = element.tag  # no text for entities and the like
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""

"""The sitemaps of the lab's hosts: one file, or an index of parts of which every second one is compressed."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from html import escape

PART_PAGES = 1000  # One sitemap has so many pages; hosts with more have an index.
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
_NAME = re.compile(r"/sitemap(?:-(\d{1,6}))?\.xml(\.gz)?")


def count_parts(pages: int) -> int:
    """How many parts an index names for a host of this many pages; 0 where one sitemap holds them all."""
    return 0 if pages <= PART_PAGES else -(-pages // PART_PAGES)


def name(part: int) -> str:
    """The path of a part; 0 is `/sitemap.xml`."""
    return f"/sitemap-{part}.xml{'.gz' if _is_compressed(part) else ''}" if part else "/sitemap.xml"


def part_of(target: str) -> int | None:
    """The number of the part that has this path, None if no part can have it."""
    match = _NAME.fullmatch(target)
    part = int(match[1] or 0) if match else 0
    return part if name(part) == target else None


def index(parts: int, root: str) -> bytes:
    """The index of a host's sitemaps; `root` is the host's URL without a path."""
    return _xml("sitemapindex", "sitemap", (root + name(part) for part in range(1, parts + 1)))


def urlset(part: int, locations: Iterable[str]) -> bytes:
    """The sitemap of these URLs, compressed where the part's name says so."""
    xml = _xml("urlset", "url", locations)
    return gzip.compress(xml, compresslevel=4, mtime=0) if _is_compressed(part) else xml


def _is_compressed(part: int) -> bool:
    return part > 0 and part % 2 == 0


def _xml(root: str, entry: str, locations: Iterable[str]) -> bytes:
    rows = "".join(f"<{entry}><loc>{escape(each)}</loc><lastmod>2024-01-01</lastmod></{entry}>\n" for each in locations)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f'{head}<{root} xmlns="{_NAMESPACE}">\n{rows}</{root}>\n'.encode()

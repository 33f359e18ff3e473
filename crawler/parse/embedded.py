"""What a page shows and does not link to: images, sounds, videos and icons, for crawls that save such files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

Attributes = dict[str, str | None]
Join = Callable[[str], str]  # an href → its canonical target, "" if it is none
IsWanted = Callable[[str, str], bool]  # canonical URL, kind (`image/`, `audio/` or `video/`) → whether it is asked for

ELEMENTS = ("source", "video", "audio")  # beside img
MAX_SRCSET_CHARS = 64 * 1024
_IMAGE, _AUDIO, _VIDEO = "image/", "audio/", "video/"
# One candidate: its URL, and up to the next comma outside of parentheses what is said of it.
_CANDIDATE = re.compile(r"[\s,]*+([^\s]++)(?:(?<=,)|(?:[^,(]|\([^)]*+\)?)*+)")


def embedded_of(
    images: Iterable[Attributes],
    elements: Iterable[tuple[str, Attributes]],
    links: Iterable[Attributes],
    join: Join,
    is_wanted: IsWanted,
    limit: int,
) -> list[str]:
    """The canonical URLs of what a page shows, as far as they are wanted, each once and in order.

    Args:
        images, links: Attributes of each img and link element.
        elements: Name and attributes of each of `ELEMENTS`.
        join: Makes canonical targets of the page's links.
        is_wanted: Tells what is wanted.
        limit: How many are taken.

    Source: WHATWG HTML, 4.8.3 (img), 4.8.17 (source), 4.6.7.8 (icon).
    """
    found: dict[str, None] = {}
    shown = chain(_shown(("img", attributes) for attributes in images), _shown(elements), _icons(links))
    for kinds, href in shown:
        if len(found) == limit:
            break
        if (target := join(href)) and target not in found and any(is_wanted(target, kind) for kind in kinds):
            found[target] = None
    return list(found)


def candidates(srcset: str) -> Iterator[str]:
    """The URLs of a srcset attribute.

    Source: WHATWG HTML, 4.8.4.2.2 (parsing a srcset attribute).
    """
    at = 0
    while match := _CANDIDATE.match(srcset, at, MAX_SRCSET_CHARS):
        at = match.end()
        if url := match[1].rstrip(","):
            yield url


def _shown(elements: Iterable[tuple[str, Attributes]]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, attributes in elements:
        kinds = {"img": (_IMAGE,), "audio": (_AUDIO,), "video": (_VIDEO,)}.get(name, (_AUDIO, _VIDEO))
        # Scripts that load images as they come into view have them in data- attributes.
        for source in ("src", "data-src"):
            if href := attributes.get(source):
                yield kinds, href
        for source in ("srcset", "data-srcset"):
            for href in candidates(attributes.get(source) or ""):
                yield (_IMAGE,), href
        if name == "video" and (poster := attributes.get("poster")):
            yield (_IMAGE,), poster


def _icons(links: Iterable[Attributes]) -> Iterator[tuple[tuple[str, ...], str]]:
    for attributes in links:
        rel = (attributes.get("rel") or "").lower().split()
        if any(word == "icon" or word.endswith("-icon") for word in rel) and (href := attributes.get("href")):
            yield (_IMAGE,), href

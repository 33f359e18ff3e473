"""When a page was published, by the places where pages state it; numbers elsewhere are versions, prices, other dates.

Libraries that guess take `Django 3.2.25` for the third of February 2025. So only these are read, the surest first: meta
elements, JSON-LD, time elements, elements that are named for a date, lines that begin like one, the folders of a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from crawler.parse.dates import MAX_DATE_CHARS, iso_date
from crawler.parse.document import is_jsonld
from crawler.parse.metadata import metadata_of

_DAY_CHARS = len("2024-01-02")
_MAX_LINES = 100  # Elements that are named for a date, or begin like one, of which so many are read.
_UNREAD = frozenset(("html", "head", "body", "script", "style", "title", "h1"))
_NAMES = ("class", "id", "itemprop")
_DATED_NAME = re.compile(
    r"(?:^|[^a-z])(?:date|datum|fecha|time|timestamp|published|posted|modified|updated|byline|(?:post|entry|article)[-_]?"
    r"(?:meta|date|time|info))(?:$|[^a-z])|(?<=[a-z])(?:Date|Time)(?![a-z])|(?i:pubdate|datepublished|publishdate)"
)
_UNDATED_NAME = re.compile(r"comment|version|related|sidebar|copyright|expir|event|valid|birth", re.IGNORECASE)
_DATED_LINE = re.compile(
    r"\s*(?:(?:last |first )?(?:updated|modified|changed|published|posted)\b|(?:date|datum|stand):)", re.IGNORECASE
)
_FOLDERS = re.compile(r"/(\d{4})/(\d{1,2})/(\d{1,2})/")


def published(tree: Any, url: str) -> str | None:
    """The day on which a page was published, else on which it was changed, as the page states it, in ISO 8601.

    Args:
        tree: lxml's tree of the page.
        url: Its URL.
    """
    times = list(tree.iter("time"))
    stated = metadata_of(
        [dict(meta.attrib) for meta in tree.iter("meta")],
        [],
        [script.text or "" for script in tree.iter("script") if is_jsonld(script.get("type"))],
        [dict(time.attrib) for time in times],
        None,
        str,
    )
    return (
        _day(stated.published)
        or next(_days_of_times(times), None)
        or next(_days_of_lines(tree), None)
        or _day(stated.modified)
        or _day_of_folders(url)
    )


def _day(text: str | None) -> str | None:
    moment = iso_date(text) if text else None
    return moment[:_DAY_CHARS] if moment else None


def _full_day(text: str | None) -> str | None:
    """A day, not a year alone: that a text has one says little."""
    day = _day(text)
    return day if day and len(day) == _DAY_CHARS else None


def _days_of_times(times: list[Any]) -> Iterator[str]:
    for time in times:
        if _is_undated(time) or (time.getparent() is not None and _is_undated(time.getparent())):
            continue
        if day := _day(time.get("datetime")) or _full_day(_text(time)):
            yield day


def _days_of_lines(tree: Any) -> Iterator[str]:
    left = _MAX_LINES
    for element in tree.iter(etree.Element):
        if not left:
            return
        if element.tag in _UNREAD:
            continue
        is_line = _DATED_LINE.match(element.text or "") is not None
        if (is_line or _is_dated(element)) and not _is_undated(element):
            left -= 1
            titles = (each.get("title") for each in element.iter("abbr", "span", "time"))
            for text in (_text(element), *titles):
                if day := _full_day(text):
                    yield day


def _text(element: Any) -> str:
    """The element's text, as far as a date may be long; of a longer one nothing is a statement."""
    pieces: list[str] = []
    room = 2 * MAX_DATE_CHARS  # White space that folds needs room, too.
    for piece in element.itertext():
        room -= len(piece)
        if room < 0:
            return ""
        pieces.append(piece)
    return " ".join(pieces)


def _is_dated(element: Any) -> bool:
    return any(_DATED_NAME.search(element.get(name, "")) for name in _NAMES)


def _is_undated(element: Any) -> bool:
    return any(_UNDATED_NAME.search(element.get(name, "")) for name in _NAMES)


def _day_of_folders(url: str) -> str | None:
    match = _FOLDERS.search(urlsplit(url).path)
    return iso_date("-".join((match[1], match[2].zfill(2), match[3].zfill(2)))) if match else None

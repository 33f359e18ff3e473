"""What hrefs lead to: joined once, and remembered, because a site's navigation stands on each of its pages.

What begins with `/` or a scheme leads to the same place from every page of an origin, so its target is remembered. Of
other hrefs it is remembered how they are joined: which part of the page's URL stays, and what comes behind it. Most
hrefs are plain, and putting strings together is several times faster than the URL parser; what is not plain goes
through that.
"""

from __future__ import annotations

import re
from functools import lru_cache

from crawler import urls
from crawler.errors import UrlError

MAX_HREF_CHARS = 16 * 1024  # longer attribute values are no links
MAX_TARGET_CHARS = 8_192  # longer canonical URLs are dropped
# A path and query in which the URL parser would change nothing: no dot or empty segment, nothing to escape, escapes in
# upper case, and a query that is not empty.
_ESCAPED = r"%(?!2E)[0-9A-F]{2}"
_PLAIN_PATH = re.compile(
    rf"(?:/(?:[A-Za-z0-9_~!$&()*+,;=@-]|{_ESCAPED})(?:[A-Za-z0-9_~!$&()*+,;=@.-]++|{_ESCAPED})*+)*+/?"
    rf"(?:\?(?:[A-Za-z0-9_~!$&()*+,;=@./-]++|{_ESCAPED})++)?"
)
# Leads to the same place from everywhere; `http:x` does not, from a page that came by http.
_ABSOLUTE = re.compile(r"/|https?://|(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE | re.ASCII)
_CACHED_ORIGINS = 10_000
_plain_origins: set[str] = set()  # origins that were met as links and are written as the URL parser writes them
_CACHED_HREF_CHARS = 512
_CACHED_TARGETS = 100_000  # about 30 MiB
_MAX_UPS = 8  # The way of an href with this many `../` at most is remembered.

Place = tuple[int, str]  # This is one of a base's `starts`, and what comes behind it.


class Base:
    """Where a page's links start from, with what is known of links there.

    Args:
        url: Canonical URL of the page or of its base element.
        rooted: href → canonical target, "" where there is none to follow; of what leads to the same from all pages of
            the origin.
        places: href → how it is joined; of what does not.

    `starts` are the URL without its query, its folder, and the folders above that.
    """

    __slots__ = ("origin", "places", "rooted", "starts", "url")

    def __init__(self, url: str, rooted: dict[str, str], places: dict[str, Place]) -> None:
        self.url = url
        self.rooted = rooted
        self.places = places
        self.origin = urls.origin(url)
        path = url.partition("?")[0]
        self.starts = (path, *_folders(path[: path.rindex("/") + 1], len(self.origin)))

    def join(self, href: str) -> str:
        """The canonical target of an href, "" if it is none that can be followed."""
        if len(href) > MAX_HREF_CHARS:
            return ""
        target = self._join_plain(href)
        if target is None:
            try:
                target = urls.canonicalize(href, self.url)
            except UrlError:
                return ""
            if href.startswith(origin := urls.origin(target)) and len(_plain_origins) < _CACHED_ORIGINS:
                _plain_origins.add(origin)
        return target if len(target) <= MAX_TARGET_CHARS else ""

    def _join_plain(self, href: str) -> str | None:
        """The target of an href whose join is the joining of strings; None where the URL parser has to do it."""
        path = href.partition("#")[0]
        if path.startswith(("http://", "https://")):
            end = path.find("/", 8)
            is_plain = path[:end] in _plain_origins and _PLAIN_PATH.fullmatch(path, end)
            return path if is_plain else None
        if path[:1] == "/":
            return self.origin + path if _PLAIN_PATH.fullmatch(path) else None
        if not path:
            return self.url if href else None
        place = _place(path)
        return self.starts[place[0]] + place[1] if place is not None else None


class LinkJoiner:
    """Joins the links of many pages and remembers them; for one worker."""

    def __init__(self) -> None:
        self._origins: dict[str, dict[str, str]] = {}
        self._places: dict[str, Place] = {}
        self._size = 0

    def base(self, url: str) -> Base:
        """The base for the links of a page with this canonical URL."""
        if self._size > _CACHED_TARGETS:
            self._origins.clear()
            self._places.clear()
            self._size = 0
        rooted = self._origins.setdefault(urls.origin(url), {})
        self._size += not rooted  # an origin without targets takes room as well
        # What is joined from what is remembered is not looked at again, so it must not become too long.
        return Base(url, rooted, self._places if len(url) <= MAX_TARGET_CHARS - _CACHED_HREF_CHARS else {})

    def target(self, base: Base, href: str) -> str:
        """The canonical target of an href, "" where there is none to follow."""
        target = base.rooted.get(href)
        if target is not None:
            return target
        place = base.places.get(href)
        return base.starts[place[0]] + place[1] if place is not None else self.learn(base, href)

    def learn(self, base: Base, href: str) -> str:
        """Join an href that the base does not know, and remember what can be of use to other pages."""
        if href[:1] == "#":
            return base.url
        if len(href) > _CACHED_HREF_CHARS:
            return base.join(href)
        if _ABSOLUTE.match(href):
            target = base.rooted[href] = base.join(href)
            self._size += 1
            return target
        place = _place(href.partition("#")[0])
        if place is None or base.places is not self._places:
            return base.join(href)
        self._places[href] = place
        self._size += 1
        return base.starts[place[0]] + place[1]


def _place(path: str) -> Place | None:
    """How a relative href without fragment is joined, if it is plain."""
    if not path:
        return None  # the page itself, with its query
    if path[:1] == "?":
        return (0, path) if _PLAIN_PATH.fullmatch("/" + path) else None
    start = 1
    while True:
        if path.startswith("../"):
            path = path[3:]
            start += 1
        elif path.startswith("./"):
            path = path[2:]
        else:
            break
    return (start, path) if start <= _MAX_UPS + 1 and _PLAIN_PATH.fullmatch("/" + path) else None


@lru_cache(maxsize=4096)
def _folders(folder: str, root: int) -> tuple[str, ...]:
    """A folder and those above it, as far as `../` is remembered; above the root, which is so long, is the root."""
    folders = [folder]
    for _ in range(_MAX_UPS):
        folders.append(folder := folder[: max(folder.rindex("/", 0, -1), root) + 1])
    return tuple(folders)

"""robots.txt: what a host asks of crawlers, read once and asked for every URL.

The matcher is our own, because it has to be linear in the length of the URL for any pattern a server may send.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from crawler import urls
from crawler.errors import UrlError
from crawler.models import MAX_ROBOTS_BYTES

KIB = 1024
# A line is cut after so many bytes, as by Google: eight times the longest URL that browsers take.
MAX_LINE_BYTES = 8 * 2083
# Rules beyond this number are not kept.
MAX_RULES = 10_000
# No more rules than this may have wildcards, since each can cost a long URL 5 µs.
MAX_WILDCARDS = 2_000
# A pattern with more characters is cut, as a longer line is.
MAX_PATTERN_CHARS = 2 * KIB
# Sitemaps beyond this number are not kept.
MAX_SITEMAPS = 1_000
ROBOTS_PATH = "/robots.txt"

# The beginnings of field names that are understood, with the misspellings that Google's parser takes.
_FIELDS = {
    **dict.fromkeys(("user-agent", "useragent", "user agent"), "agent"),
    "allow": "allow",
    **dict.fromkeys(("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"), "disallow"),
    **dict.fromkeys(("crawl-delay", "crawldelay"), "delay"),
    **dict.fromkeys(("sitemap", "site-map"), "sitemap"),
}
_LINE = re.compile(
    rf"^[ \t\v\f]*((?:{'|'.join(_FIELDS)})[^\n]{{0,{MAX_LINE_BYTES}}})", re.IGNORECASE | re.MULTILINE | re.ASCII
)
_FIELD = re.compile("|".join(_FIELDS), re.IGNORECASE | re.ASCII)
_TOKEN = re.compile(r"[A-Za-z_-]*")
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")

# What a comparison takes literally: RFC 3986's unreserved and reserved characters, but not * and $, which have a
# meaning in patterns. Everything else is compared as an upper-case escape.
_NOT_LITERAL = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!&'()+,;=:@/?#\[\]%]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_BEFORE_PATH = re.compile(r"(?:[^/?;]*://|//)?[^/?;#]*")


class Robots:
    """What one robots.txt says to one user agent.

    Args:
        rules: `(allow, pattern)`, the patterns as `_normalise` leaves them.
        crawl_delay: Seconds that the group asks for between two requests, or None.
        sitemaps: Canonical URLs of the sitemaps that the file names.
        is_unreachable: Whether the file could not be had: nothing may be fetched now, and it is to be asked for again.

    Source: RFC 9309, 2.2.
    """

    __slots__ = ("_lengths", "_plain", "_wild", "crawl_delay", "is_unreachable", "sitemaps")

    def __init__(
        self,
        rules: Iterable[tuple[bool, str]] = (),
        crawl_delay: float | None = None,
        sitemaps: tuple[str, ...] = (),
        is_unreachable: bool = False,
    ) -> None:
        self.crawl_delay = crawl_delay
        self.sitemaps = sitemaps
        self.is_unreachable = is_unreachable
        allows: dict[str, bool] = {}
        for allow, pattern in _affordable(rules):
            allows[pattern] = allow or allows.get(pattern, False)
        self._plain = {pattern: allow for pattern, allow in allows.items() if not _has_wildcard(pattern)}
        self._lengths = tuple(sorted({len(pattern) for pattern in self._plain}, reverse=True))
        # The first that matches decides: longest first, and at the same length Allow first.
        wild = sorted(allows.keys() - self._plain.keys(), key=lambda pattern: (-len(pattern), not allows[pattern]))
        self._wild = tuple((len(pattern), allows[pattern], _Wildcard(pattern)) for pattern in wild)

    def __repr__(self) -> str:
        state = "unreachable" if self.is_unreachable else f"{len(self._plain) + len(self._wild)} rules"
        return f"<Robots {state}, crawl_delay={self.crawl_delay}, {len(self.sitemaps)} sitemaps>"

    def allows(self, url: str) -> bool:
        """Whether a URL may be fetched: the longest matching pattern decides, Allow wins a tie, no match allows."""
        if not self._lengths and not self._wild:
            return True
        path = _path(url)
        if path == ROBOTS_PATH:
            return True
        best, is_allowed = -1, True
        for length in self._lengths:
            allow = self._plain.get(path[:length])
            if allow is not None and length <= len(path):
                best, is_allowed = length, allow
                break
        for length, allow, glob in self._wild:
            if length < best or (length == best and not allow):
                break
            if glob.matches(path):
                return allow
        return is_allowed


def _has_wildcard(pattern: str) -> bool:
    return "*" in pattern or "$" in pattern


def _affordable(rules: Iterable[tuple[bool, str]]) -> Iterator[tuple[bool, str]]:
    """The rules, but no more with wildcards than every URL can be held against: others refuse all that begins so."""
    room = MAX_WILDCARDS
    for allow, pattern in rules:
        if not _has_wildcard(pattern):
            yield allow, pattern
        elif room:
            room -= 1
            yield allow, pattern
        elif not allow:
            yield False, re.split("[*$]", pattern, maxsplit=1)[0] or "/"


class _Wildcard:
    """A pattern with `*` or a closing `$`; leftmost search for each piece is enough, so nothing ever backtracks."""

    __slots__ = ("_first", "_is_anchored", "_last", "_middle")

    def __init__(self, pattern: str) -> None:
        self._is_anchored = pattern.endswith("$")
        pieces = pattern.removesuffix("$").replace("$", "%24").split("*")
        self._first = pieces[0]
        self._middle = tuple(piece for piece in pieces[1:-1] if piece)
        self._last = pieces[-1] if len(pieces) > 1 else None

    def matches(self, path: str) -> bool:
        if not path.startswith(self._first):
            return False
        at = len(self._first)
        for piece in self._middle:
            at = path.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
        if self._last is None:
            return not self._is_anchored or at == len(path)
        if self._is_anchored:
            return len(path) - len(self._last) >= at and path.endswith(self._last)
        return path.find(self._last, at) >= 0


class _Group:
    """The rules of all groups that name the same user agent."""

    __slots__ = ("delay_s", "is_named", "rules")

    def __init__(self) -> None:
        self.is_named = False
        self.rules: list[tuple[bool, str]] = []
        self.delay_s: float | None = None

    def add(self, field: str, value: str) -> None:
        if field == "delay":
            delay_s = _seconds(value)
            if delay_s is not None:
                self.delay_s = max(delay_s, self.delay_s or 0.0)
        elif value and len(self.rules) < MAX_RULES:
            pattern = _normalise(value, keep="*$")[:MAX_PATTERN_CHARS]
            self.rules.append((field == "allow", pattern))
            folder, slash, name = pattern.rpartition("/")
            if field == "allow" and slash and name.startswith("index.htm"):
                # Whoever allows a folder's index file allows the folder.
                self.rules.append((True, f"{folder}/$"))


_ALLOW_ALL = Robots()
UNREACHABLE = Robots([(False, "/")], is_unreachable=True)


def allow_all() -> Robots:
    """The rules of a host that has none."""
    return _ALLOW_ALL


def from_answer(status: int | None, body: bytes, user_agent: str) -> Robots:
    """Judge the final answer to a request for robots.txt.

    Args:
        status: HTTP status after redirects, None where no complete answer came; a 3xx means too many redirects.
        body: Decoded body.
        user_agent: How the crawler names itself.

    Returns:
        The file's rules for 2xx, no rules for 3xx and 4xx, `UNREACHABLE` for 429, 5xx and everything else.

    Source: RFC 9309, 2.3.1; Google's status classes for 429.
    """
    if status is None or status == 429 or not 200 <= status < 500:
        return UNREACHABLE
    return parse(body, user_agent) if status < 300 else allow_all()


def parse(body: bytes, user_agent: str) -> Robots:
    """Read a robots.txt for one user agent; no content is an error, whatever is not understood is passed over.

    Args:
        body: The file; what follows 500 KiB is not read.
        user_agent: How the crawler names itself; its first product token chooses the group.

    Source: RFC 9309, 2; Google's published leniencies (typos, missing colon, index.html, byte order marks).
    """
    token = product_token(user_agent)
    own, everyone = _Group(), _Group()
    sitemaps: dict[str, None] = {}
    current: list[_Group] = []
    is_between_agents = False
    for field, value in _lines(body):
        if field == "agent":
            if not is_between_agents:
                current = []
            is_between_agents = True
            group = everyone if value == "*" or value[:2] in ("* ", "*\t") else own
            if group is everyone or (token and product_token(value) == token):
                group.is_named = True
                if group not in current:
                    current.append(group)
        elif field == "sitemap":
            # A sitemap belongs to no group and ends none.
            if len(sitemaps) < MAX_SITEMAPS and (sitemap := _absolute(value)):
                sitemaps[sitemap] = None
        else:
            is_between_agents = False
            for group in current:
                group.add(field, value)
    chosen = own if own.is_named else everyone
    if not chosen.rules and chosen.delay_s is None and not sitemaps:
        return allow_all()
    return Robots(chosen.rules, chosen.delay_s, tuple(sitemaps))


def _lines(body: bytes) -> Iterable[tuple[str, str]]:
    """The field and value of every line that is understood; text is latin-1, one character for each byte."""
    for match in _LINE.finditer(_text(body)):
        line = match[1].partition("#")[0].strip()
        name = _FIELD.match(line)
        if name is None:
            # The name itself was cut by a comment.
            continue
        _, colon, value = line.partition(":")
        if not colon:
            # What reads `disallow /` is understood, and a sentence is not.
            words = line.split()
            if len(words) != 2 or " " in name[0]:
                continue
            value = words[1]
        yield _FIELDS[name[0].lower()], value.strip()


def _text(body: bytes) -> str:
    head = body[:MAX_ROBOTS_BYTES]
    if len(body) > MAX_ROBOTS_BYTES and body[MAX_ROBOTS_BYTES] not in b"\r\n":
        border = max(head.rfind(b"\n"), head.rfind(b"\r")) + 1
        # Half a line would be another rule, but of a longer one no more would be read anyway.
        if len(head) - border < MAX_LINE_BYTES:
            head = head[:border]
    if head.startswith(_UTF16_BOMS):
        head = head[2:]
    # A byte order mark may be broken.
    for byte in _UTF8_BOM:
        if not head.startswith(bytes((byte,))):
            break
        head = head[1:]
    # Without its NULs, UTF-16 can be read as far as it is ASCII.
    return head.replace(b"\0", b"").replace(b"\r", b"\n").decode("latin-1")


def product_token(user_agent: str) -> str:
    """The name by which a robots.txt knows a user agent, in lower case: all up to what cannot be in one.

    Source: RFC 9309, 2.2.1.
    """
    match = _TOKEN.match(user_agent)
    return match[0].lower() if match else ""


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _absolute(value: str) -> str | None:
    try:
        return urls.canonicalize(value.encode("latin-1").decode("utf-8", "replace"))
    except UrlError:
        return None


def _path(url: str) -> str:
    """The path and query of a URL, as they are compared."""
    start = _BEFORE_PATH.match(url)
    path = url[start.end() if start else 0 :].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    if not path.isascii():
        path = path.encode("utf-8", "surrogatepass").decode("latin-1")
    return _normalise(path)


def _normalise(text: str, keep: str = "") -> str:
    """The one spelling in which paths and patterns are compared; `keep` holds characters to leave alone."""

    def spelled(match: re.Match[str]) -> str:
        found = match[0]
        if len(found) == 1:
            return found if found in keep else f"%{ord(found):02X}"
        char = chr(int(found[1:], 16))
        return char if char in _UNRESERVED else found.upper()

    return _NOT_LITERAL.sub(spelled, text)

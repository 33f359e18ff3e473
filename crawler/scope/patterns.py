"""The shape of URLs and of what pages say: what crawler traps are recognised by. Pure functions, for workers too.

A trap makes endless URLs out of few ideas, and endless pages out of few sentences. `path_fault` refuses paths that no
site makes on purpose, `pattern_of` folds URLs that differ in numbers, ids and values only, and `novelty_of` folds pages
that do.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import unquote

from crawler import urls

# A pattern is made of this many characters of path and query; what comes after them does not shape it.
MAX_PATTERN_CHARS = 512
# A group that repeats has this many segments at most, which bounds the work where paths may have any length.
MAX_GROUP_SEGMENTS = 32
NO_NOVELTY = 0  # A page without text has this signature: it cannot be judged by what it says.

# Digits, except those of escapes; escapes of canonical URLs are in upper case.
_DIGITS = re.compile(r"(?<!%)(?<!%[0-9A-F])[0-9]+")
# A word that holds a digit and is an id: a UUID, or 12 hex digits and more, or 16 and more of mixed case.
_ID = re.compile(
    r"(?<![0-9A-Za-z%])"
    r"(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=[0-9]*[a-fA-F])(?=[a-fA-F]*[0-9])[0-9a-fA-F]{12,}"
    r"|(?=[0-9a-z_]*[A-Z])(?=[0-9A-Z_]*[a-z])(?=[A-Za-z_]*[0-9])[0-9A-Za-z_]{16,})"
    r"(?![0-9A-Za-z])"
)
_LONG_WORD = re.compile(r"[0-9A-Za-z_]{12}|[0-9a-f]-[0-9a-f]{4}-", re.IGNORECASE)  # cheap to look for, seldom found

_KEPT = "ghijklmnopqrstuvwxyz"
_SAYS_NOTHING = bytes(byte for byte in range(128) if chr(byte).lower() not in _KEPT)
_LOWER = bytes.maketrans(ascii_uppercase.encode(), ascii_lowercase.encode())


def path_fault(url: str, max_segments: int = 20, max_repeats: int = 2) -> str | None:
    """Why the path of a canonical URL looks like one that grew by accident, None if it does not.

    Args:
        url: Canonical URL.
        max_segments: Longest path, in segments; 0 = no limit.
        max_repeats: How often a segment, or a group of consecutive segments, may stand again right after itself; 0 =
            no limit. With 2, `/a/b/a/b/a/b/` passes and `/a/b/a/b/a/b/a/b/` does not.

    Returns:
        `segments`, `repeats`, or None.
    """
    slashes = url.count("/") - 2
    if slashes < max_repeats + 2 and slashes <= max_segments:  # too few for any fault, those in the query counted too
        return None
    path = url.partition("?")[0]
    segments = path.split("/")[3:]
    if not segments[-1]:
        segments.pop()
    if max_segments and len(segments) > max_segments:
        return "segments"
    return "repeats" if max_repeats and _is_repeating(segments, max_repeats) else None


def _is_repeating(segments: list[str], max_repeats: int) -> bool:
    """Whether a group of segments stands more than `max_repeats` times right after itself."""
    count = len(segments)
    if count - len(set(segments)) <= max_repeats:  # each repetition needs one segment at least that was there before
        return False
    for size in range(1, min(count // (max_repeats + 2), MAX_GROUP_SEGMENTS) + 1):
        wanted = size * (max_repeats + 1)  # segments in a row that equal the one a group before them
        run = 0
        for here, there in zip(segments, segments[size:], strict=False):
            run = run + 1 if here == there else 0
            if run == wanted:
                return True
    return False


def pattern_of(url: str) -> str:
    """The shape of a canonical URL, for budgets and reports: `www#.example.com/calendar/#/#/?view=*`.

    Numbers become `#`; UUIDs, long hex numbers and ids of mixed case `*`. Of the query, each parameter's name is kept
    once, in sorted order. Numbers in a host name fold left of its registrable domain.

    Args:
        url: Canonical URL.

    Returns:
        Host (with its port where it is no default), path and query.
    """
    start = url.index("//") + 2
    end = url.index("/", start)
    path, mark, query = url[end : end + MAX_PATTERN_CHARS].partition("?")
    host = _fold_host(url[start:end])
    if not mark:
        return host + _fold(path)
    names = sorted({_fold(pair.partition("=")[0]) for pair in query.split("&")})
    return f"{host}{_fold(path)}?{'=*&'.join(names)}=*"


def _fold(text: str) -> str:
    if _LONG_WORD.search(text) is not None:
        text = _ID.sub("*", text)
    return _DIGITS.sub("#", text)


@lru_cache(maxsize=4096)
def _fold_host(authority: str) -> str:
    name, _ = urls.split_authority(authority)
    domain = urls.registrable_domain(name.strip("[]"))
    labels, found, rest = authority.partition("." + domain)
    return _DIGITS.sub("#", labels) + found + rest if found else authority


def novelty_of(url: str, title: str | None, text: str) -> int:
    """A signature of what a page says: equal for pages that differ in numbers, dates, hex ids, case or spacing only.

    ASCII digits, the letters a to f, punctuation and white space do not count, nor does the page's own path where the
    page repeats it word for word, as pages do that say it does not exist. A page that names itself in words of its own
    (a product, a person) says something new; words are not taken out.

    A page without any text (pictures, an application drawn by scripts) has no signature: what it shows cannot be
    compared, so it must neither count as new nor as known.

    Args:
        url: Canonical URL of the page.
        title: Its title.
        text: What a reader sees.

    Returns:
        64 bits, or `NO_NOVELTY`.
    """
    path = url[url.index("/", 8) :]
    if len(path) > 1:
        text, title = _without(text, path), _without(title or "", path)
    said = text.encode("utf-8", "surrogatepass").translate(_LOWER, _SAYS_NOTHING)
    if not said:
        return NO_NOVELTY
    if title:
        said += b"\n" + title.encode("utf-8", "surrogatepass").translate(_LOWER, _SAYS_NOTHING)
    return int.from_bytes(blake2b(said, digest_size=8).digest(), "little") or 1


def _without(text: str, path: str) -> str:
    text = text.replace(path, "")
    return text.replace(unquote(path), "") if "%" in path else text

"""Whether two crawls of the same pages say the same: their records joined by URL, field by field.

The rules, which hold for both sides alike:

- URLs, those of pages and of links, are compared in their canonical form: without fragment, escapes in upper case.
- `links` are sets of http and https URLs, of which the first 5,000 distinct ones count.
- `title`, `description` and `h1` are compared with white space folded; a field that is missing is an empty one.
- `text` is compared without any white space: which elements part words is each library's own choice.
- Of several records for one page the first counts; the others are counted as repeated.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.errors import UrlError

FIELDS = ("title", "description", "h1", "text", "links")
MAX_LINKS = 5_000  # as many as a record of ours holds
MAX_EXAMPLES = 3
EXCERPT_CHARS = 60
_CACHED_URLS = 1 << 17


class PageFields(Struct, frozen=True):
    """What a crawl says of one page; other fields of its records play no part."""

    url: str
    outcome: str = "ok"
    title: str | None = None
    description: str | None = None
    h1: str | None = None
    text: str | None = None
    links: list[str] | None = None


class Difference(Struct, frozen=True):
    """A field that two crawls read differently.

    Args:
        url: Canonical URL of the page.
        ours, theirs: Both values where they begin to differ.
    """

    url: str
    ours: str
    theirs: str


class Comparison(Struct, frozen=True):
    """What a comparison found.

    Args:
        shared: Pages that both have.
        missing: Canonical URLs of pages that only we have, sorted.
        extra: Those that only they have.
        repeated: Records of theirs beyond the first for a page.
        equal: Field → shared pages on which it is equal.
        examples: Field → a few pages on which it is not.
    """

    shared: int
    missing: list[str]
    extra: list[str]
    repeated: int
    equal: dict[str, int]
    examples: dict[str, list[Difference]]


def read_pages(path: Path) -> list[PageFields]:
    """The HTML pages among the records of a crawl, ours or a peer's: those that are ok and have a text.

    Args:
        path: One JSON object a line.
    """
    records = msgspec.json.Decoder(PageFields).decode_lines(path.read_bytes())
    return [record for record in records if record.outcome == "ok" and record.text is not None]


def by_url(pages: Iterable[PageFields]) -> dict[str, PageFields]:
    """Pages by canonical URL, the first of each."""
    joined: dict[str, PageFields] = {}
    for page in pages:
        joined.setdefault(_canonical(page.url) or page.url, page)
    return joined


def compare(ours: list[PageFields], theirs: list[PageFields]) -> Comparison:
    """Join two crawls by URL and compare the fields of the pages that both have."""
    our_pages, their_pages = by_url(ours), by_url(theirs)
    equal = dict.fromkeys(FIELDS, 0)
    examples: dict[str, list[Difference]] = {name: [] for name in FIELDS}
    shared = our_pages.keys() & their_pages.keys()
    for url in sorted(shared):
        for name in FIELDS:
            our_value, their_value = _value(our_pages[url], name), _value(their_pages[url], name)
            if our_value == their_value:
                equal[name] += 1
            elif len(examples[name]) < MAX_EXAMPLES:
                examples[name].append(_difference(url, our_value, their_value))
    return Comparison(
        shared=len(shared),
        missing=sorted(our_pages.keys() - shared),
        extra=sorted(their_pages.keys() - shared),
        repeated=len(theirs) - len(their_pages),
        equal=equal,
        examples=examples,
    )


def _value(page: PageFields, name: str) -> str | frozenset[str]:
    """A field in the form in which it is compared."""
    if name == "links":
        targets = dict.fromkeys(filter(None, map(_canonical, page.links or ())))
        return frozenset(list(targets)[:MAX_LINKS])
    words = (getattr(page, name) or "").split()
    return "".join(words) if name == "text" else " ".join(words)


@lru_cache(_CACHED_URLS)
def _canonical(url: str) -> str | None:
    try:
        return urls.canonicalize(url)
    except UrlError:
        return None


def _difference(url: str, ours: str | frozenset[str], theirs: str | frozenset[str]) -> Difference:
    if isinstance(ours, frozenset) and isinstance(theirs, frozenset):
        only_ours, only_theirs = sorted(ours - theirs), sorted(theirs - ours)
        return Difference(url, f"{len(only_ours)} more {only_ours[:1]}", f"{len(only_theirs)} more {only_theirs[:1]}")
    pairs = zip(ours, theirs, strict=False)
    start = next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
    start = max(0, start - EXCERPT_CHARS // 3)
    return Difference(url, str(ours)[start : start + EXCERPT_CHARS], str(theirs)[start : start + EXCERPT_CHARS])

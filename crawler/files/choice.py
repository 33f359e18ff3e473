"""Which bodies the user wants to keep as files: a value that pickles, asked when an answer's head has come."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crawler import urls
from crawler.errors import UsageError
from crawler.files.media_types import GROUPS, HTML, MAJOR_TYPES, SUFFIXES, VAGUE, essence, suffixes_of

ALL = "all"
_TYPE = re.compile(r"([a-z]+|\*)/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)", re.IGNORECASE)
_SUFFIX = re.compile(r"\.([a-zA-Z0-9]{1,10})$")
# What names a file whose server tells no type; anything else without a type may be a page.
_FILE_SUFFIXES = suffixes_of(tuple(SUFFIXES)) - suffixes_of(tuple(HTML))


class FileChoice:
    """What `--files` and `--save-html` ask for.

    Each argument is a media type (`application/pdf`, `image/*`), which is compared with the Content-Type; or the name
    of a group (`pdf`, `images`, `archives`, `media`, `documents`, `all`); or else a regular expression that is searched
    in the URL. A group also means files of which the server does not know the type and the URL ends in its suffix.

    HTML is never a file: its links are wanted. It is kept beside being parsed if `saves_html` says so, or if a type or
    an expression means it.

    Args:
        arguments: As given.
        saves_html: Whether all HTML pages are kept.

    Raises:
        UsageError: If an argument is no type, no group and no regular expression.
    """

    def __init__(self, arguments: Sequence[str], saves_html: bool = False) -> None:
        self._arguments = tuple(arguments)
        self._saves_html = saves_html
        self._takes_all = False
        types: list[str] = []
        grouped: list[str] = []
        patterns: list[re.Pattern[str]] = []
        for argument in self._arguments:
            match = _TYPE.fullmatch(argument)
            if argument == ALL or argument == "*/*":
                self._takes_all = True
            elif argument in GROUPS:
                grouped += GROUPS[argument]
            elif match and match[1].lower() in MAJOR_TYPES:
                types.append(argument.lower().removesuffix("*"))
            else:
                patterns.append(_compiled(argument))
        self._types, self._grouped, self._patterns = tuple(types), tuple(grouped), tuple(patterns)
        self._suffixes = suffixes_of(self._grouped) if grouped else frozenset()

    def __reduce__(self) -> tuple[type[FileChoice], tuple[tuple[str, ...], bool]]:
        return FileChoice, (self._arguments, self._saves_html)

    @property
    def has_pages(self) -> bool:
        """Whether any HTML page may be wanted."""
        return self._saves_html or bool(self._patterns) or any(_means(kind, self._types) for kind in HTML)

    def _is_named(self, url: str) -> bool:
        return any(pattern.search(url) for pattern in self._patterns)

    def wants_file(self, url: str, content_type: str | None) -> bool:
        """Whether the body of an answer goes to a file instead of to the parser.

        Args:
            url: Canonical URL.
            content_type: The Content-Type field, or None.
        """
        kind = essence(content_type)
        suffix = suffix_of(url)
        if kind in HTML or not (kind or suffix in _FILE_SUFFIXES):
            return False
        if self._takes_all or _means(kind, self._types + self._grouped) or self._is_named(url):
            return True
        return kind in VAGUE and suffix in self._suffixes

    def wants_page(self, url: str, content_type: str | None) -> bool:
        """Whether an HTML page is kept as a file beside being parsed."""
        return self._saves_html or self._is_named(url) or _means(essence(content_type), self._types)

    def wants_embedded(self, url: str, kind: str) -> bool:
        """Whether what a page shows is asked for, although nothing links to it.

        Args:
            url: Canonical URL of an image, a sound or a video.
            kind: `image/`, `audio/` or `video/`; as far as its element tells.
        """
        meant = any(kind.startswith(each) or each.startswith(kind) for each in self._types + self._grouped)
        return self._takes_all or meant or self._is_named(url)


def suffix_of(url: str) -> str:
    """The file suffix of a canonical URL's path, in lower case and without its dot; empty if it has none."""
    path = urls.split(url)[3].partition("?")[0]
    match = _SUFFIX.search(path.rpartition("/")[2])
    return match[1].lower() if match else ""


def _means(kind: str, types: tuple[str, ...]) -> bool:
    return any(kind.startswith(each) if each.endswith("/") else kind == each for each in types)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        names = ", ".join([*GROUPS, ALL])
        raise UsageError(
            f"--files {pattern!r} is no media type, none of {names}, and no regular expression: {error}"
        ) from None

"""Seeds from arguments, files and standard input, and the limits that a line of a site list may carry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.errors import UrlError, UsageError
from crawler.scope.scope import ScopeKind, SeedSite
from crawler.settings.groups import SiteSettings

MAX_PROBLEMS_SHOWN = 10
MAX_SHOWN_CHARS = 200
STANDARD_INPUT = "-"
# The name in a site list → the limit in the settings.
OPTIONS = {"max_pages": "max_pages", "delay": "delay_s", "depth": "max_depth"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LINE_END = re.compile(r"\r\n|\r|\n")
_PORT = re.compile(r"[0-9]{1,5}(?:[/?#]|$)")
# Schemes that people paste and that have no `//`; any other `name:` before an @ is a user name.
_NOT_WEB = frozenset({"about", "blob", "data", "file", "javascript", "mailto", "sms", "tel", "urn"})
_FAULTS = {
    "invalid": "is not a valid URL",
    "scheme": "is neither http nor https",
    "too_long": "is longer than any URL may be",
    "host_too_long": "has a host name that is too long",
    "bad_port": "has a port that is not for web pages",
}


class Seeds(Struct, frozen=True):
    """What the user wants crawled.

    Args:
        sites: One for each distinct seed, in the order given.
        notes: Sentences on what was read otherwise than written.
    """

    sites: tuple[SeedSite, ...]
    notes: tuple[str, ...]


class _Entry(Struct, frozen=True):
    """One seed as it was written: where it stands, its URL and its limits by their names in the settings."""

    where: str
    url: str
    limits: dict[str, float]
    notes: tuple[str, ...] = ()


def read(
    arguments: Sequence[str],
    files: Sequence[str],
    tables: Sequence[SiteSettings],
    kind: ScopeKind,
    stdin: BinaryIO,
) -> Seeds:
    """Collect the seeds of a crawl.

    Args:
        arguments: URLs from the command line.
        files: Paths of site lists, `-` for standard input.
        tables: The `[[site]]` tables of the settings.
        kind: What belongs to each seed's site.
        stdin: Where `-` reads from.

    Raises:
        UsageError: If a list cannot be read or is empty, a line or argument is no seed (all of them are named, up to
            ten), or there is no seed at all.
    """
    entries = _collect([("", argument, {}) for argument in arguments], are_arguments=True)
    for name in files:
        label = "standard input" if name == STANDARD_INPUT else name
        lines = [
            (f"line {number}: ", words[0], words[1:])
            for number, line in enumerate(_LINE_END.split(_text(name, label, stdin)), start=1)
            if (words := _words(line))
        ]
        if not lines:
            raise UsageError(f"{label} holds no URL")
        entries += _collect(lines, label)
    entries += _collect(
        [(f"[[site]] {number}: ", table.url, _own_limits(table)) for number, table in enumerate(tables, start=1)]
    )
    if not entries:
        raise UsageError("there is nothing to crawl: give a URL, or a list of them with --sites FILE")
    return _merge(entries, kind)


def _merge(entries: Sequence[_Entry], kind: ScopeKind) -> Seeds:
    limits: dict[str, dict[str, float]] = {}
    notes: list[str] = []
    for entry in entries:
        notes += entry.notes
        if entry.url in limits:
            notes.append(f"{entry.where}{entry.url} was given before; the limits that it sets now count")
        limits.setdefault(entry.url, {}).update(entry.limits)
    sites = [msgspec.convert({"seed": url, "kind": kind, **own}, SeedSite) for url, own in limits.items()]
    for site in sites:
        name = site.seed.partition("?")[0].rpartition("/")[2]
        if kind == "prefix" and name and "." not in name:  # perhaps a folder was meant
            notes.append(f"{site.seed} has no slash at its end: all below {site.folder} belongs to the crawl")
    return Seeds(tuple(sites), tuple(notes))


def _text(name: str, label: str, stdin: BinaryIO) -> str:
    """The text of a site list, with any line ends and with or without a byte order mark."""
    try:
        data = stdin.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    except IsADirectoryError:
        raise UsageError(f"{label} is a folder, not a list of sites") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the site list {label}: {reason}") from None
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return data.decode(encoding, errors="replace")


def _words(line: str) -> list[str]:
    """The words of a line before its comment; a # inside a word is the URL's own."""
    words = []
    for word in line.split():
        if word.startswith("#"):
            break
        words.append(word)
    return words


def _own_limits(table: SiteSettings) -> dict[str, float]:
    values = msgspec.structs.asdict(table)
    return {key: values[key] for key in OPTIONS.values() if values[key] is not None}


def _collect(
    items: Sequence[tuple[str, str, list[str] | dict[str, float]]], label: str = "", are_arguments: bool = False
) -> list[_Entry]:
    """Read `(place, URL, limits)` items, the limits as written or as known; one error names all that are wrong."""
    entries: list[_Entry] = []
    problems: list[str] = []
    for place, given, limits in items:
        where = f"{label}, {place}" if label else place
        try:
            if are_arguments:
                _check_argument(given)
            url, notes = _url(where, given)
            entries.append(_Entry(where, url, limits if isinstance(limits, dict) else _limits(limits), notes))
        except UsageError as error:
            problems.append(f"{place}{error}")
    if problems:
        shown = "; ".join(problems[:MAX_PROBLEMS_SHOWN])
        more = len(problems) - MAX_PROBLEMS_SHOWN
        raise UsageError((f"{label}: " if label else "") + shown + (f"; and {more} more" if more > 0 else ""))
    return entries


def _check_argument(given: str) -> None:
    _, has_scheme = _with_scheme(given)
    if not has_scheme and _is_file(given):
        raise UsageError(f"{given} is a file, not a URL: name a list of sites with --sites")


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # what cannot be the name of a file: too long, or with NUL in it
        return False


def _url(where: str, given: str) -> tuple[str, tuple[str, ...]]:
    """The canonical URL of a seed, and notes on what was read otherwise than written."""
    text, has_scheme = _with_scheme(given)
    try:
        url = urls.canonicalize(text)
    except UrlError as error:
        raise UsageError(f"{_shown(given)} {_FAULTS[error.reason]}") from None
    notes = []
    if not has_scheme:
        notes.append(f"{where}{url} was given without a scheme; https is taken")
    if text.partition("#")[0].count("@") > url.count("@"):
        notes.append(f"{where}the user name and password before {url} were removed")
    if "\ufffd" in given:
        notes.append(f"{where}{url} held bytes that are not UTF-8")
    return url, tuple(notes)


def _with_scheme(given: str) -> tuple[str, bool]:
    """The text with a scheme, and whether it had one; `host:8080` and `user:password@host` have none."""
    if given.startswith("//"):
        return f"https:{given}", False
    scheme = _SCHEME.match(given)
    if scheme is None:
        return f"https://{given}", False
    rest = given[scheme.end() :]
    is_host = _PORT.match(rest) is not None
    is_user = "@" in re.split(r"[/?#]", rest, maxsplit=1)[0] and scheme[0][:-1].lower() not in _NOT_WEB
    if not rest.startswith("/") and scheme[0].lower() not in ("http:", "https:") and (is_host or is_user):
        return f"https://{given}", False
    return given, True


def _shown(given: str) -> str:
    """A faulty seed for people, without what may be a password."""
    before, at, after = given.rpartition("@")
    shown = f"…@{after}" if at and before else given
    return repr(shown if len(shown) <= MAX_SHOWN_CHARS else shown[:MAX_SHOWN_CHARS] + "…")


def _limits(words: list[str]) -> dict[str, float]:
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in OPTIONS:
            raise UsageError(f"{_shown(word)} is none of {', '.join(f'{known}=N' for known in OPTIONS)}")
        values[name] = value
    return dict(_checked(values))


def _checked(values: dict[str, str]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        key = OPTIONS[name]
        try:
            limit = getattr(msgspec.convert({"url": "", key: value}, SiteSettings, strict=False), key)
        except msgspec.ValidationError:
            limit = None
        if limit is None or limit == float("inf"):
            raise UsageError(f"{name}={value[:MAX_SHOWN_CHARS]} is not a number that can be used here")
        yield key, limit

"""The name under which a body is saved: a function of its URL, so that it is the same whenever it is saved again.

A plain URL (lower-case letters, digits and a few signs, a suffix that fits the type) keeps its own path:
`https://example.com/docs/report.pdf` is `example.com/docs/report.pdf`. A plain query stands before the suffix,
`/a/photo.png?w=80&h=60` is `a/photo+w=80+h=60.png`, and an empty folder is `_`, `/a//photo.png` is `a/_/photo.png`.
Every other URL gets a flat name that ends in its fingerprint: `https://example.com/get?id=7` is
`example.com/get-5f2d8a09c41b7e63.pdf`. So no two URLs share a name, also where the file system takes capitals for small
letters, and no registry of names has to be kept:

- Plain folders have no dot and all files have one, so no file stands where a folder is needed; none is a lone `_`.
- Plain names have no capitals and no `+` but before a query, and none ends like a name with a fingerprint.
- http and other ports than the usual one show in the folder of the host, behind a `+`, which plain hosts do not have.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

from crawler import urls
from crawler.files.media_types import HTML, SUFFIXES, VAGUE, essence, suffixes_of

# Each part of a path has this many bytes at most; file systems allow 255, archives and old tools less.
MAX_NAME_BYTES = 120
MAX_FOLDERS = 8  # A path keeps this many folders of its URL at most.
MAX_PATH_BYTES = 240

# The names of devices, which Windows sees in any folder and with any suffix.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{name}{number}" for name in ("com", "lpt") for number in (*"0123456789¹²³",)]
)
_PLAIN_FOLDER = re.compile(r"[a-z0-9][a-z0-9_-]*")
_PLAIN_FILE = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9_-]+)*\.([a-z0-9]{1,10})")
# Without a dot, so that nobody can tell it from a suffix.
_PLAIN_QUERY = re.compile(r"[a-z0-9_=-]+(?:&[a-z0-9_=-]+)*")
_PLAIN_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_MARK = re.compile(r"-[0-9a-f]{16}(?:\.tar)?(?:\.[a-z0-9]{1,10})?\Z")
_SUFFIX = re.compile(r"(?P<stem>.*?)(?:(?P<tar>\.tar)?\.(?P<suffix>[a-z0-9]{1,10}))?", re.IGNORECASE | re.DOTALL)
_KNOWN_SUFFIXES = suffixes_of(tuple(SUFFIXES))
_HTML_SUFFIXES = suffixes_of(tuple(HTML))
# The suffixes of programs that make pages; what they make is something else.
_PROGRAMS = frozenset({"php", "php5", "phtml", "asp", "aspx", "ashx", "jsp", "jspx", "do", "cgi", "pl", "py", "cfm"})
_EXTENDED = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_QUOTED = re.compile(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))', re.IGNORECASE)


def path_of(url: str, content_type: str | None, disposition: str | None = None) -> tuple[str, ...]:
    """Where a body is saved: the names of the folders from the host's on, and that of the file.

    Args:
        url: Canonical URL.
        content_type: The Content-Type field, or None.
        disposition: The Content-Disposition field, or None; no more than a hint at a flat name.

    Source: RFC 6266, 4.3 (what a client must not do with a file name that a server suggests).
    """
    kind = essence(content_type)
    folder = _host_folder(url)
    path, mark, query = urls.split(url)[3][1:].partition("?")
    *folders, name = path.split("/")
    if mark:
        name = _with_query(name, query)
    if name and _is_plain([*folders, path.rpartition("/")[2]], kind, len(folder) + len(query)) and not _is_marked(name):
        return (folder, *(each or "_" for each in folders), name)
    return flat_path_of(url, content_type, disposition)


def flat_path_of(url: str, content_type: str | None, disposition: str | None = None) -> tuple[str, ...]:
    """The same without regard to whether the URL is plain: what is used where a plain path is taken."""
    kind = essence(content_type)
    last = suggested(disposition) or _last_segment(url)
    match = _SUFFIX.fullmatch(last)
    assert match is not None
    stem, tar, suffix = match["stem"], (match["tar"] or "").lower(), (match["suffix"] or "").lower()
    if not _fits(suffix, kind):
        keeps_end = suffix and suffix not in _PROGRAMS | _HTML_SUFFIXES
        stem = f"{stem}{tar}.{suffix}" if keeps_end else stem
        tar, suffix = "", _usual_suffix(kind)
    end = f"-{_mark(url)}{tar}.{suffix}"
    return _host_folder(url), _cleaned(stem, MAX_NAME_BYTES - len(end)) + end


def suggested(disposition: str | None) -> str:
    """The last part of the name that a Content-Disposition suggests, as it was meant; empty if there is none.

    Source: RFC 6266, 4.1 and 4.3; RFC 8187, 3.2.
    """
    if not disposition:
        return ""
    if match := _EXTENDED.search(disposition):
        name = unquote_to_bytes(match[1]).decode("utf-8", "replace")
    elif match := _QUOTED.search(disposition):
        name = match[2] or re.sub(r"\\(.)", r"\1", match[1] or "")
        name = _as_utf8(name.encode("latin-1", "replace"), name)
    else:
        return ""
    return re.split(r"[/\\]", name)[-1].strip()


def _as_utf8(data: bytes, otherwise: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return otherwise


def _with_query(name: str, query: str) -> str:
    """A file's name with the query of its URL before the suffix; empty if the query is not plain."""
    match = _SUFFIX.fullmatch(name)
    if match is None or not _PLAIN_QUERY.fullmatch(query) or len(name) + len(query) >= MAX_NAME_BYTES:
        return ""
    return f"{match['stem']}+{query.replace('&', '+')}{match['tar'] or ''}.{match['suffix']}"


def _is_plain(segments: list[str], kind: str, room: int) -> bool:
    """Whether a path can be a file's own as it stands."""
    *folders, name = segments
    match = _PLAIN_FILE.fullmatch(name)
    return (
        match is not None
        and _fits(match[1], kind)
        and not _is_marked(name)
        and len(folders) <= MAX_FOLDERS
        and room + sum(len(segment) + 1 for segment in segments) <= MAX_PATH_BYTES
        and all(not folder or _PLAIN_FOLDER.fullmatch(folder) for folder in folders)
        and not any(len(segment) > MAX_NAME_BYTES or _is_device(segment) for segment in segments)
    )


def _fits(suffix: str, kind: str) -> bool:
    """Whether a file of this type may keep its suffix, so that it opens with what it is for."""
    if kind in HTML:
        return suffix in _HTML_SUFFIXES
    if not suffix or suffix in _PROGRAMS or suffix in _HTML_SUFFIXES:
        return False
    return suffix in _KNOWN_SUFFIXES or kind in VAGUE or kind not in SUFFIXES


def _usual_suffix(kind: str) -> str:
    return SUFFIXES.get(kind, ("bin",))[0] if kind != "application/xhtml+xml" else "html"


def _host_folder(url: str) -> str:
    """The folder of an origin: its host, with scheme and port where they are not https and 443."""
    scheme, host, port, _ = urls.split(url)
    rest = "" if scheme == "https" else "+http"
    if port != urls.DEFAULT_PORTS[scheme]:
        rest += f"+{port}"
    is_plain = (
        _PLAIN_HOST.fullmatch(host)
        and host[0] not in "-_"
        and len(host + rest) <= MAX_NAME_BYTES
        and not _is_device(host)
        and not _is_marked(host)
    )
    if is_plain:
        return host + rest
    end = f"-{_mark(urls.origin(url))}"
    return _cleaned(host + rest, MAX_NAME_BYTES - len(end)) + end


def _is_device(name: str) -> bool:
    return name.partition(".")[0].lower() in _DEVICES


def _is_marked(name: str) -> bool:
    """Whether a name could be one that ends in a fingerprint."""
    return _MARK.search(name) is not None


def _mark(url: str) -> str:
    return f"{urls.fingerprint(url) & (2**64 - 1):016x}"


def _last_segment(url: str) -> str:
    path = urls.split(url)[3].partition("?")[0]
    last = path.rstrip("/").rpartition("/")[2]
    data = unquote_to_bytes(last)
    return re.split(r"[/\\]", data.decode("utf-8", "replace"))[-1]


def _cleaned(stem: str, max_bytes: int) -> str:
    """Letters and digits of any script, with their accents, `_` and `-`; everything else is a `_`. Never empty."""
    text = unicodedata.normalize("NFC", stem[: 4 * MAX_NAME_BYTES])
    kept = "".join(char if char in "_-" or unicodedata.category(char)[0] in "LMN" else " " for char in text)
    name = "_".join(kept.split()).strip("_-")
    name = name.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")
    return name or "index"

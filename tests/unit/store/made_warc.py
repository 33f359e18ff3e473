"""WARCs for tests, made as a session of a crawl makes them, and read by somebody else's reader."""

from __future__ import annotations

from pathlib import Path

from warcio.archiveiterator import ArchiveIterator

from crawler import urls
from crawler.models import Request, Response
from crawler.settings.groups import Settings
from crawler.store.archive import Archive, Exchange
from crawler.store.journal import Journal

HTML = (("Content-Type", "text/html"), ("Content-Length", "4"))
SENT = (("User-Agent", "crawler/1"), ("Accept", "text/html"))

Fields = tuple[tuple[str, str], ...]


def page(
    url: str = "http://a.example/",
    body: bytes = b"page",
    headers: Fields = HTML,
    status: int = 200,
    *,
    complete: bool = True,
    truncated: str | None = None,
    fetched_at: float = 1_700_000_000.1235,
) -> Response:
    request = Request(url, urls.host_key(url), urls.fingerprint(url))
    return Response(request, status, headers, body, fetched_at, 0.25, "asyncio", complete, truncated)


def write(path: Path, *pages: Response, sent: Fields = SENT, settings: Settings | None = None) -> Path:
    """A WARC of these pages, as one session makes it."""
    with Journal(path) as file:
        file.append(Archive(file, settings or Settings()).members([Exchange(each, sent) for each in pages]))
    return path


def read(path: Path) -> list[tuple[str, dict[str, str], str, bytes]]:
    """Type, WARC fields, HTTP head as text and payload of each record, by warcio."""
    found = []
    with path.open("rb") as file:
        for record in ArchiveIterator(file, no_record_parse=True):
            head, _, payload = record.raw_stream.read().partition(b"\r\n\r\n")
            found.append((record.rec_type, dict(record.rec_headers.headers), head.decode("latin-1"), payload))
    return found


def answers(path: Path) -> list[tuple[str, dict[str, str], str, bytes]]:
    return [each for each in read(path) if each[0] in ("response", "revisit")]

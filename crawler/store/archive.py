"""pages.warc.gz: every answer as it was received, beside its request, in a file that the tools of web archives read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from crawler import urls, warc
from crawler.models import Headers, Response
from crawler.records import timestamp
from crawler.settings.groups import Settings
from crawler.store.journal import Journal
from crawler.version import VERSION

MAX_KNOWN_BODIES = 50_000  # A second copy of this many bodies is not stored; they take about 20 MB of memory.
MASK = "***"

_REVISIT = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
_FORMAT = "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
# Of a request, the fields of which the value is no secret. Any other was added by the user, or is a cookie.
SHOWN = frozenset({"host", "user-agent", "accept", "accept-encoding", "accept-language", "dnt", "from", "sec-gpc"})
_COOKIES = frozenset({"set-cookie", "set-cookie2"})


class Exchange(Struct, frozen=True):
    """A request and its answer.

    Args:
        page: The answer.
        sent: Header fields of the request besides Host, in order.
    """

    page: Response
    sent: Headers


class Archive:
    """Makes the records of exchanges; for one thread.

    What came before with the same body, lately and in this session, is referred to instead of stored again.

    Args:
        file: Where the records go.
        settings: What the crawl does, for the note at the beginning of each session's records.
    """

    def __init__(self, file: Journal, settings: Settings) -> None:
        self.file = file
        self._settings = settings
        self._has_begun = False
        self._known: dict[str, tuple[str, str]] = {}  # digest → URL and date of the record that has the body

    def members(self, exchanges: Sequence[Exchange]) -> list[bytes]:
        """The records of exchanges, each a gzip member; the first time, with one about the crawl before them."""
        members = [each for exchange in exchanges for each in self._pair(exchange)]
        if members and not self._has_begun:
            self._has_begun = True
            members.insert(0, _about(self._settings, timestamp(exchanges[0].page.fetched_at), self.file.path.name))
        return members

    def _pair(self, exchange: Exchange) -> Iterator[bytes]:
        page = exchange.page
        elapsed_ms = round(page.elapsed_s * 1000)
        # The time at which the capture began; whole milliseconds, so that its end can be told from them.
        date = timestamp((round(page.fetched_at * 1_000_000) // 1000 - elapsed_ms) / 1000)
        name, url = warc.record_id(), page.request.url
        fields = [
            ("WARC-Record-ID", name),
            ("WARC-Date", date),
            ("WARC-Target-URI", url),
            (warc.ELAPSED, str(elapsed_ms)),
        ]
        yield self._answer(page, fields, date)
        fields = [
            ("WARC-Record-ID", warc.record_id()),
            ("WARC-Date", date),
            ("WARC-Target-URI", url),
            ("WARC-Concurrent-To", name),
        ]
        target = url[url.index("/", 8) :]
        sent = (("Host", urls.host_key(url)), *((each, _shown(each, value)) for each, value in exchange.sent))
        head = warc.request_head(f"GET {target} HTTP/1.1", sent)
        yield warc.member("request", fields, "application/http;msgtype=request", head)

    def _answer(self, page: Response, fields: list[tuple[str, str]], date: str) -> bytes:
        head = warc.response_head(page.status, _masked(page.headers), len(page.body))
        content_type = "application/http;msgtype=response"
        missing = _missing(page)
        if missing:
            fields.append(("WARC-Truncated", missing))
        if not page.body:
            return warc.member("response", fields, content_type, head)
        payload_digest = warc.digest(page.body)
        fields.append(("WARC-Payload-Digest", payload_digest))
        if not missing and (earlier := self._known.get(payload_digest)):
            fields += [
                ("WARC-Profile", _REVISIT),
                ("WARC-Refers-To-Target-URI", earlier[0]),
                ("WARC-Refers-To-Date", earlier[1]),
            ]
            return warc.member("revisit", fields, content_type, head)
        if not missing:
            self._remember(payload_digest, page.request.url, date)
        return warc.member("response", fields, content_type, head, page.body)

    def _remember(self, payload_digest: str, url: str, date: str) -> None:
        if len(self._known) >= MAX_KNOWN_BODIES:
            del self._known[next(iter(self._known))]  # the oldest
        self._known[payload_digest] = url, date


def _missing(page: Response) -> str:
    """Why a body is not here as it was sent, in the words of WARC; empty if it is."""
    if page.truncated in ("length", "time"):
        return page.truncated
    if not page.complete:
        return "disconnect"
    # It was not read, or it went into a file.
    return "unspecified" if page.truncated is not None or page.saved is not None else ""


def _shown(name: str, value: str) -> str:
    return value if name.lower() in SHOWN else MASK


def _masked(headers: Headers) -> Headers:
    """The fields of an answer without the values of cookies, which are never written to a run's folder."""
    if not any(name.lower() in _COOKIES for name, _ in headers):
        return headers
    return tuple((name, _without_value(value) if name.lower() in _COOKIES else value) for name, value in headers)


def _without_value(cookie: str) -> str:
    name, equals, _ = cookie.partition("=")
    return f"{name.strip()}={MASK}" if equals and not set(name) & set(";,") else MASK


# About the crawl


def _about(settings: Settings, date: str, name: str) -> bytes:
    """The record about the crawl itself."""
    fields = [("WARC-Record-ID", warc.record_id()), ("WARC-Date", date), ("WARC-Filename", name)]
    said = [
        ("software", f"crawler/{VERSION}"),
        ("format", "WARC File Format 1.1"),
        ("conformsTo", _FORMAT),
        ("robots", "classic" if settings.crawl.robots else "ignore"),
        ("http-header-user-agent", settings.fetch.user_agent),
        ("settings", msgspec.json.encode(_public(settings)).decode()),
    ]
    block = "".join(f"{key}: {value}\r\n" for key, value in said).encode("utf-8", "replace")
    return warc.member("warcinfo", fields, "application/warc-fields", block)


def _public(settings: Settings) -> dict[str, dict[str, object]]:
    """What was set otherwise than the default and decides what is fetched, without what may be a secret."""
    fetch = msgspec.structs.replace(
        settings.fetch,
        headers=tuple(_masked_fields(settings.fetch.headers)),
        proxy=settings.fetch.proxy.rpartition("@")[2],
    )
    tables = {"crawl": settings.crawl, "fetch": fetch, "politeness": settings.politeness}
    return {name: _changed(table) for name, table in tables.items()}


def _changed(table: msgspec.Struct) -> dict[str, object]:
    usual = msgspec.structs.asdict(type(table)())
    return {key: value for key, value in msgspec.structs.asdict(table).items() if value != usual[key]}


def _masked_fields(headers: Iterable[str]) -> Iterator[str]:
    for header in headers:
        name, _, value = header.partition(":")
        yield f"{name.strip()}: {_shown(name.strip(), value.strip())}"

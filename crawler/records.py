"""Records: what is exported for one URL, made from Request, Page and Document, and written as one line of JSON."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from crawler.models import CharsetSource, Document, Extraction, Metadata, Outcome, Record, Request, Response

FIELDS: tuple[str, ...] = Record.__struct_fields__
MAX_RECORD_LINKS = 5_000
NO_BYTES = f"sha256:{hashlib.sha256(b'').hexdigest()}"  # the digest of a body that is empty

_encoder = msgspec.json.Encoder()
_METADATA = Metadata.__struct_fields__
_EXTRACTION = Extraction.__struct_fields__


def record_of(
    request: Request,
    outcome: Outcome,
    *,
    page: Response | None = None,
    status: int | None = None,
    error: str | None = None,
    redirect_to: str | None = None,
    document: Document | None = None,
    charset: str | None = None,
    charset_source: CharsetSource | None = None,
    body_bytes: int | None = None,
    digest: str | None = None,
    complete: bool | None = None,
    truncated: str | None = None,
    elapsed_s: float | None = None,
    strategy: str | None = None,
    file: str | None = None,
) -> Record:
    """Make the record of a request.

    Args:
        request: What was asked for.
        outcome: How it ended.
        page: What came back, None where nothing did, or where it is not kept.
        status: What was answered, of a page that is not kept.
        error: The reason of the outcome, or a remark on a page that is ok.
        redirect_to: Canonical target of a redirect.
        document: What the page says, None where it was not parsed.
        charset: Lower-case WHATWG name of the encoding that the body was read with.
        charset_source: What told it.
        body_bytes: Length of the decoded body, bytes.
        digest: `sha256:` and the hexadecimal digest of the decoded body.
        complete: Whether the whole body came and could be decoded; None takes the page's.
        truncated: Why less was kept than came; None takes the page's.
        elapsed_s: Seconds that a fetch without an answer took; a page knows its own.
        strategy: Name of the fetcher of a fetch without an answer.
        file: Where the page was saved, within the run's folder; what a page says of its own file wins.
    """
    if page is None:
        elapsed_ms = None if elapsed_s is None else round(elapsed_s * 1000)
        fetched: dict[str, object] = {"elapsed_ms": elapsed_ms, "strategy": strategy, "status": status}
    else:
        fetched = _page_fields(page)
        fetched["complete"] = page.complete if complete is None else complete
        fetched["truncated"] = truncated or page.truncated
        if (saved := page.saved) is not None:
            body_bytes, digest, file, error = saved.bytes, saved.digest, saved.path, error or saved.error
    return Record(
        url=request.url,
        outcome=outcome,
        error=error,
        redirect_to=redirect_to,
        depth=request.depth,
        via=request.via,
        attempts=request.attempts + (page is not None or elapsed_s is not None or outcome == "quarantined"),
        charset=charset,
        charset_source=charset_source,
        bytes=body_bytes,
        digest=digest,
        file=file,
        **fetched,  # type: ignore[arg-type]
        **({} if document is None else _document_fields(document)),  # type: ignore[arg-type]
    )


def _page_fields(page: Response) -> dict[str, object]:
    content_type = page.header("content-type")
    return {
        "status": page.status,
        "fetched_at": timestamp(page.fetched_at),
        "elapsed_ms": round(page.elapsed_s * 1000),
        "strategy": page.strategy,
        "content_type": content_type.strip() if content_type is not None else None,
        "etag": page.header("etag"),
        "last_modified": page.header("last-modified"),
        "wire_bytes": page.saved.wire_bytes if page.saved is not None else len(page.body),
    }


def _document_fields(document: Document) -> dict[str, object]:
    return {
        "title": document.title,
        "description": document.description,
        "canonical": document.canonical,
        "lang": document.lang,
        "h1": document.h1,
        "headings": document.headings,
        "text": document.text,
        "text_length": len(document.text),
        "links": document.hrefs[:MAX_RECORD_LINKS],
        "links_total": document.links_total,
        "nofollow": document.nofollow,
        "noindex": document.noindex,
        **{name: getattr(document.metadata, name) for name in _METADATA},
        **{name: getattr(document.extraction, name) for name in _EXTRACTION},
    }


def timestamp(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC with milliseconds and `Z`."""
    # In whole microseconds, because a WARC has the same moment as a sum, which has to come out the same.
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    when = datetime.fromtimestamp(whole, UTC).replace(microsecond=micros)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_line(request: Request, outcome: Outcome, **fields: Any) -> bytes:
    """The record of a request as one line of JSON; the arguments are those of `record_of`."""
    return line_of(record_of(request, outcome, **fields))


def empty_body(page: Response) -> dict[str, Any]:
    """What a record says of the body of a good answer that has none: if it was wanted, it is known, and empty."""
    is_known = 200 <= page.status < 300 and page.complete and not page.truncated and page.saved is None
    return {"body_bytes": 0, "digest": NO_BYTES} if is_known and not page.body else {}


def dropped_line(request: Request, outcome: Outcome, reason: str) -> bytes:
    """The record of a request that is not sent, or not again; the reason is a word, or the status answered last."""
    if outcome == "http_error":
        return record_line(request, outcome, status=int(reason))
    return record_line(request, outcome, error=reason)


def line_of(record: Record) -> bytes:
    """A record as one line of JSON with its newline, keys in the order of `FIELDS`.

    Lone surrogates, which UTF-8 cannot hold, become U+FFFD, so that every record can be written.

    Source: RFC 8259.
    """
    try:
        return _encoder.encode(record) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(_without_surrogates(msgspec.to_builtins(record))) + b"\n"


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value

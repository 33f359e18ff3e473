"""What happens to one page in a parse worker: from the bytes received to the record's line and the links to follow."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Container, Iterable
from importlib import import_module
from time import perf_counter
from typing import Literal

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.errors import UrlError
from crawler.models import CANNOT_SAVE, MAX_SITEMAP_BYTES, CharsetSource, Document, Outcome, Parsed, Response
from crawler.parse.charset import charset_of_type, decode_text
from crawler.parse.decode import Decoded, is_html, undo_codings
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.links import LinkJudge
from crawler.parse.options import USUAL, ExtractOptions
from crawler.records import line_of, record_of
from crawler.scope.patterns import NO_NOVELTY, novelty_of
from crawler.scope.rewrite import UrlRules
from crawler.scope.scope import Scope

DECODE, PARSE, EXTRACT, SERIALISE = range(4)  # places in `Parsed.laps_s`

# Imported where pages are parsed: the process that starts the workers has no use for them, and they take time.
_PARSERS = {"lexbor": "crawler.parse.lexbor", "bs4": "crawler.parse.soup"}
_SITEMAPS = "crawler.parse.sitemap"
_EXTRACTORS = "crawler.parse.extract.extractors"
_ROBOTS_WITH_VALUE = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")

_pack = msgspec.msgpack.Encoder().encode
_unpack_page = msgspec.msgpack.Decoder(Response).decode
_Charset = tuple[str | None, CharsetSource | None]  # the encoding of a page, and what told it
_SIZE_BYTES = 4  # The number in front of a packed page has this many bytes.
encode_parsed = msgspec.msgpack.Encoder().encode
decode_parsed = msgspec.msgpack.Decoder(Parsed).decode


def encode_page(page: Response) -> tuple[bytes, bytes]:
    """A page for the way to its worker: everything but its body, and the body, which is not copied."""
    packed = _pack(msgspec.structs.replace(page, body=b""))
    return len(packed).to_bytes(_SIZE_BYTES, "little") + packed, page.body


def decode_page(payload: bytes) -> Response:
    """The page of which `encode_page` made these bytes."""
    end = _SIZE_BYTES + int.from_bytes(payload[:_SIZE_BYTES], "little")
    return msgspec.structs.replace(_unpack_page(payload[_SIZE_BYTES:end]), body=payload[end:])


class StageContext(Struct, frozen=True):
    """What a parse worker has to know of the crawl; it pickles.

    Args:
        scope: What belongs to the crawl.
        parser: Which library reads pages.
        max_body_bytes: Longest decoded body, bytes.
        max_links: Distinct links of one page that are taken.
        nofollow: Whether what a page marks as nofollow is not followed.
        rules: Rewrite links.
        wanted: What is taken from pages besides text and links.
        keep: Saves an HTML page, given URL, Content-Type and decoded body: returns where it is within the run's folder,
            None if it is not wanted, and raises OSError if it cannot be written. None saves nothing.
    """

    scope: Scope
    parser: Literal["lexbor", "bs4"] = "lexbor"
    max_body_bytes: int = 10 * 1024 * 1024
    max_links: int = 5_000
    nofollow: bool = True
    rules: UrlRules = UrlRules()
    wanted: ExtractOptions = USUAL
    keep: Callable[[str, str | None, bytes], str | None] | None = None


class PageParser:
    """Parses pages one after another and remembers links, which repeat from page to page; for one thread.

    Args:
        context: What it has to know of the crawl.
    """

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._read = import_module(_PARSERS[context.parser]).read
        self._targets = LinkJoiner()
        self._links = LinkJudge(context.scope, context.rules)
        self._laps = Laps()
        has_more = context.wanted.simhash or context.wanted.has_extractors
        self._extractors = import_module(_EXTRACTORS).Extractors(context.wanted) if has_more else None

    def parse(self, page: Response, is_lone: bool = False) -> Parsed:
        """Parse a page or a sitemap; no page makes it raise, except by taking more memory than there is.

        A page that runs alone because it ended a worker is read without extractors.

        Answers have to be taken in the order in which they are given: links are in the first that has them.
        """
        started = time.thread_time()
        self._laps.start()
        try:
            parsed = self._sitemap(page) if page.request.kind == "sitemap" else self._page(page, is_lone)
        except OSError:  # nothing but keeping a page reaches for the disk
            parsed = Parsed(b"", "failed", CANNOT_SAVE)
        except BaseException:
            self.forget_links()
            raise
        if not parsed.complete:  # the page may be asked for again, and this answer thrown away
            self._links.forget()
        return msgspec.structs.replace(parsed, cpu_s=time.thread_time() - started, laps_s=self._laps.seconds)

    def forget_links(self) -> None:
        """Hand out again all links that were handed out before, because an answer was lost."""
        self._links.forget()

    def _page(self, page: Response, is_lone: bool) -> Parsed:
        if not 200 <= page.status < 300:
            return self._bare(page, "http_error")
        if page.truncated == "type":  # the body was not wanted
            return self._bare(page, "ok", complete=page.complete)
        decoded = undo_codings(page.body, page.header_all("content-encoding"), self._context.max_body_bytes)
        self._laps.lap(DECODE)
        # Where we stopped reading ourselves, the coded data ends early and nothing is missing that was wanted.
        complete = page.complete and (decoded.complete or page.truncated is not None)
        document, (charset, charset_source), has_failed = self._document(page, decoded, is_lone)
        outcome, error = _outcome(decoded, complete, has_failed)
        file = None
        if self._context.keep is not None and document is not None and complete:
            file = self._context.keep(page.request.url, page.header("content-type"), decoded.body)
        has_body = decoded.fault != "too_many_codings"
        record = record_of(
            page.request,
            outcome,
            page=page,
            error=error,
            document=document,
            charset=charset,
            charset_source=charset_source,
            body_bytes=len(decoded.body) if has_body else None,
            digest="sha256:" + hashlib.sha256(decoded.body).hexdigest() if has_body else None,
            complete=complete,
            truncated=decoded.truncated,
            file=file,
        )
        line = line_of(record)
        self._laps.lap(SERIALISE)
        if document is None:
            return Parsed(line, outcome, error, complete)
        novelty = NO_NOVELTY
        if page.wants_novelty:
            novelty = novelty_of(page.request.url, document.title, document.text)
        judged = self._links.judge(self._followed(document))
        self._laps.lap(PARSE)
        links, followed, outside, merged = judged.links, judged.followed, judged.outside, judged.merged
        fault = document.extraction.extract_error
        return Parsed(line, outcome, error, complete, links, followed, outside, merged, novelty, extract_error=fault)

    def _bare(self, page: Response, outcome: Outcome, complete: bool = True) -> Parsed:
        """A page whose body is not read."""
        line = line_of(record_of(page.request, outcome, page=page))
        self._laps.lap(SERIALISE)
        return Parsed(line, outcome, complete=complete)

    def _document(self, page: Response, decoded: Decoded, is_lone: bool) -> tuple[Document | None, _Charset, bool]:
        """The Document of a page and its encoding with what told it, if it is one; and whether a parser failed."""
        content_type = page.header("content-type")
        if not is_html(content_type, decoded.body, is_as_received=decoded.is_as_received):
            return None, (None, None), False
        html, charset, source = decode_text(decoded.body, charset_of_type(content_type))
        self._laps.lap(DECODE)
        try:
            document = self._read(html, page.request.url, self._targets, self._context.max_links, self._context.wanted)
        except MemoryError:
            raise  # the worker's business: it is replaced and the page gets another try
        except Exception:
            self._laps.lap(PARSE)
            return None, (charset, source), True
        said = robots_directives(page.header_all("x-robots-tag"), self._context.wanted.names)
        if said:
            document = msgspec.structs.replace(
                document,
                nofollow=document.nofollow or not said.isdisjoint(("nofollow", "none")),
                noindex=document.noindex or not said.isdisjoint(("noindex", "none")),
            )
        self._laps.lap(PARSE)
        if self._extractors is not None:
            extraction = self._extractors.extract(html, page.request.url, document, is_lone)
            document = msgspec.structs.replace(document, extraction=extraction)
            self._laps.lap(EXTRACT)
        return document, (charset, source), False

    def _followed(self, document: Document) -> list[str]:
        """The targets of a page that may be followed, a refresh and what it shows last."""
        hrefs = document.hrefs
        if self._context.nofollow:
            if document.nofollow:
                return []
            if document.nofollow_hrefs:
                hrefs = [href for href in hrefs if href not in document.nofollow_hrefs]
        if document.refresh is not None and document.refresh not in hrefs:
            hrefs = [*hrefs, document.refresh]
        if document.embedded:
            hrefs = list(dict.fromkeys((*hrefs, *document.embedded)))
        return hrefs

    def _sitemap(self, page: Response) -> Parsed:
        sitemap = import_module(_SITEMAPS)
        decoded = undo_codings(page.body, page.header_all("content-encoding"), MAX_SITEMAP_BYTES)
        self._laps.lap(DECODE)
        complete = page.complete and (decoded.complete or page.truncated is not None)
        is_cut = not (page.complete and decoded.complete) or bool(page.truncated or decoded.truncated)
        found = sitemap.parse(decoded.body, is_cut=is_cut)
        sitemaps = tuple(_canonical(found.sitemaps, page.request.url))
        judged = self._links.judge(_canonical(found.pages, page.request.url))
        self._laps.lap(PARSE)
        links, followed, outside, merged = judged.links, judged.followed, judged.outside, judged.merged
        return Parsed(b"", "ok", None, complete, links, followed, outside, merged, sitemaps=sitemaps)


def _outcome(decoded: Decoded, complete: bool, has_failed: bool) -> tuple[Outcome, str | None]:
    """Outcome and error of a 2xx page; that a server lied about its coding is told even when the page is ok."""
    if decoded.fault == "too_many_codings":
        return "failed", decoded.fault
    if not complete:
        return "failed", "incomplete_body"
    if has_failed:
        return "failed", "parse_failed"
    return "ok", decoded.fault if decoded.is_as_received else None


def _canonical(found: Iterable[str], base: str) -> dict[str, None]:
    """The canonical forms of URLs, each once and in order; what is none is left out."""
    canonical: dict[str, None] = {}
    for url in found:
        try:
            canonical[urls.canonicalize(url, base)] = None
        except UrlError:
            continue
    return canonical


def robots_directives(fields: Iterable[str], names: Container[str]) -> set[str]:
    """The directives of X-Robots-Tag fields that concern us, in lower case.

    A field may be addressed, `otherbot: noindex, nofollow`; the address holds until the next one or the field's end.

    Args:
        fields: The values of the fields.
        names: To whom they are addressed if they mean us, in lower case.
    """
    directives: set[str] = set()
    for field in fields:
        is_ours = True
        for item in field.lower().split(","):
            address, colon, directive = item.partition(":")
            if colon and address.strip() not in _ROBOTS_WITH_VALUE:
                is_ours, item = address.strip() in names, directive
            if is_ours:
                directives.add(item.strip())
    return directives


class PageWork:
    """What a worker process does with each payload: an encoded Page in, an encoded Parsed out.

    Args:
        context: What it has to know of the crawl.
    """

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._parser = PageParser(context)

    def __call__(self, payload: bytes, is_lone: bool) -> bytes:
        parsed = self._parser.parse(decode_page(payload), is_lone)
        try:
            return encode_parsed(parsed)
        except BaseException:
            self._parser.forget_links()
            raise

    def update(self, change: tuple[int, str]) -> None:
        """Let a site of the scope, by its index, own one host more."""
        self._context.scope.add_alias(*change)
        self._parser.forget_links()  # some may be in the scope now


class Laps:
    """A stopwatch that puts the time since it was last looked at down to a stage."""

    __slots__ = ("_at", "_seconds")

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A page begins."""
        self._seconds = [0.0, 0.0, 0.0, 0.0]
        self._at = perf_counter()

    def lap(self, stage: int) -> None:
        """What was done since the last look belongs to this stage."""
        now = perf_counter()
        self._seconds[stage] += now - self._at
        self._at = now

    @property
    def seconds(self) -> tuple[float, float, float, float]:
        """What each stage took, seconds."""
        decode, parse, extract, serialise = self._seconds
        return decode, parse, extract, serialise

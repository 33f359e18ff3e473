"""Pages through the whole parse stage: what is so of any record and any link, whatever a server sends.

An input is header fields, an empty line and the body, as on the wire. Lines `:name: value` say the rest: `:url:`,
`:status:`, `:kind:`, `:truncated:`, `:cut: yes`, `:write: CODEC` to write the body (UTF-8) in another encoding, and
`:pack: CODING, …` to compress it, so that a mutation can reach what stands inside.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import brotli
import msgspec
import zstandard

from crawler import urls
from crawler.errors import UrlError
from crawler.models import Parsed, Request, Response
from crawler.parse import lexbor, soup
from crawler.parse.charset import charset_of_type, decode_text, encoding_of_label
from crawler.parse.decode import undo_codings
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.options import ExtractOptions
from crawler.parse.stage import (
    PageParser,
    PageWork,
    StageContext,
    decode_page,
    decode_parsed,
    encode_page,
)
from crawler.scope.scope import Scope, SeedSite
from tests.fuzz.addresses import RULES, expect_canonical
from tests.fuzz.exports import expect_record
from tests.fuzz.promise import expect

URL = "https://a.example/dir/page"
SCOPE = Scope(
    [
        SeedSite("https://a.example/"),
        SeedSite("http://b.example:8080/dir/index.html", "prefix"),
        SeedSite("https://www.c.example/", "domain"),
    ],
    exclude=["/private", r"[?&]sid="],
)
READERS = {"lexbor": lexbor.read, "bs4": soup.read}
WANTED = ExtractOptions(images=True, link_details=True, simhash=True)
MAX_BODY_BYTES = 1024 * 1024
MAX_LINKS = 200
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "deflate": lambda body: zlib.compress(body, 1),
    "br": lambda body: brotli.compress(body, quality=1),
    "zstd": lambda body: zstandard.ZstdCompressor(level=1).compress(body),
}
CODECS = ("utf-16-le", "utf-16-be", "utf-16", "cp1252", "shift_jis", "gb18030", "euc_jp", "iso2022_jp", "utf-8-sig")
_MAX_HEAD_LINES = 200
_UNFOLDED = re.compile(r"[\0\t\r\f]| \n|\n |\n\n|  |\A[ \n]|[ \n]\Z")


def check(parser: str, data: bytes) -> None:
    """Put one page through the stage twice, by a parser that has read others and in a new worker."""
    page = page_of(data)
    payload = b"".join(encode_page(page))
    expect(decode_page(payload) == page, "a page survives the way to its worker")
    parsed = decode_parsed(PageWork(_context(parser))(payload, False))
    experienced = _parser(parser)
    experienced.forget_links()
    again = experienced.parse(page)
    expect(_lasting(parsed) == _lasting(again), "a page gives the same, whatever was read before it", (parsed, again))
    _check_links(parsed)
    if page.request.kind == "sitemap":
        expect(not parsed.line, "a sitemap has no record")
    else:
        expect_record(parsed.line)
        record = json.loads(parsed.line)
        if record["charset"] is not None and record["text"] is None:
            _raise_again(parser, page)
        _check_record(parsed, record)


def page_of(data: bytes) -> Response:
    """The page that an input stands for; every input stands for one."""
    head, border, body = data.partition(b"\n\n")
    if not border:
        head, body = b"content-type: text/html", data
    own: dict[str, str] = {}
    fields: list[tuple[str, str]] = []
    for line in head.decode("latin-1").split("\n")[:_MAX_HEAD_LINES]:
        name, colon, value = line.removeprefix(":").partition(":")
        if line.startswith(":"):
            own[name] = value.strip()
        elif colon:
            fields.append((name, value.strip(" \t\r")))
    if own.get("write") in CODECS:
        body = body.decode("utf-8", "replace").encode(own["write"], "replace")
    for coding in own.get("pack", "").split(",")[:3]:
        body = PACKERS.get(coding.strip(), bytes)(body)
    url = _canonical(own.get("url", URL)) or URL
    kind = "sitemap" if own.get("kind") == "sitemap" else "page"
    request = Request(url, urls.host_key(url), urls.fingerprint(url), kind=kind)
    status = own.get("status", "")
    return Response(
        request,
        int(status) if re.fullmatch("[1-9][0-9][0-9]", status) else 200,
        tuple(fields),
        body,
        1_700_000_000.0,
        0.1,
        "asyncio",
        complete="cut" not in own,
        truncated=own.get("truncated") if own.get("truncated") in ("length", "time", "type") else None,
        wants_novelty=True,
    )


@cache
def _context(parser: str) -> StageContext:
    return StageContext(
        SCOPE,
        parser,  # type: ignore[arg-type]
        max_body_bytes=MAX_BODY_BYTES,
        max_links=MAX_LINKS,
        rules=RULES,
        wanted=WANTED,
    )


@cache
def _parser(parser: str) -> PageParser:
    return PageParser(_context(parser))


def _raise_again(parser: str, page: Response) -> None:
    """Let the parser raise what the stage has caught."""
    body = undo_codings(page.body, page.header_all("content-encoding"), MAX_BODY_BYTES).body
    html, *_ = decode_text(body, charset_of_type(page.header("content-type")))
    READERS[parser](html, page.request.url, LinkJoiner(), MAX_LINKS, WANTED)
    expect(False, "a parser reads every page")


def _canonical(url: str) -> str | None:
    try:
        return urls.canonicalize(url)
    except UrlError:
        return None


def _lasting(parsed: Parsed) -> Parsed:
    """What does not depend on the clock, nor on the examples that were given before."""
    outside = tuple(msgspec.structs.replace(each, examples=()) for each in parsed.outside)
    merged = tuple(msgspec.structs.replace(each, examples=()) for each in parsed.merged)
    return msgspec.structs.replace(parsed, cpu_s=0.0, laps_s=(0.0,) * 4, outside=outside, merged=merged)


def _check_links(parsed: Parsed) -> None:
    for link in parsed.links:
        expect_canonical(link.url)
        expect(SCOPE.refusal(link.url) is None, "a link is in scope", link.url)
        expect(RULES.apply(link.url) == link.url, "a link keeps to the rules", link.url)
        identity = (urls.host_key(link.url), urls.fingerprint(link.url))
        expect((link.host, link.fingerprint) == identity, "a link is what it says", link)
    found = [link.url for link in parsed.links]
    expect(len(found) == len(set(found)) <= parsed.followed, "links are distinct", found)
    expect(bool(parsed.merged) or len(found) == parsed.followed, "all links are new to a new worker", parsed)
    for merged in parsed.merged:
        expect(0 < len(merged.examples) <= merged.count, "what was rewritten has examples", merged)
        for before, after in merged.examples:
            expect(RULES.rewrite(before) == (after, merged.rule), "a rule rewrites", merged)
    for left in parsed.outside:
        expect(0 < len(left.examples) <= left.count, "what was left out has examples", left)
        for url in left.examples:
            expect_canonical(url)
            reason = (urls.host_key(url), SCOPE.refusal(url))
            expect((left.host, left.reason) == reason, "a link that was left out has its reason", url)
    for url in parsed.sitemaps:
        expect_canonical(url)


def _check_record(parsed: Parsed, record: dict[str, Any]) -> None:
    expect((record["outcome"], record["error"]) == (parsed.outcome, parsed.error), "record and stage agree")
    expect(record["bytes"] is None or 0 <= record["bytes"] <= MAX_BODY_BYTES, "a body keeps to its limit")
    name = record["charset"]
    expect(name is None or encoding_of_label(name) == name, "a charset has its WHATWG name", name)
    expect((name is None) == (record["charset_source"] is None), "a charset has its source", record["charset_source"])
    if record["text"] is None:
        return
    expect(record["text_length"] == len(record["text"]), "a text has its length")
    for text in _texts(record):
        expect(not _UNFOLDED.search(text), "text is folded", text)
    levels = {level for level, _ in record["headings"]}
    expect(levels <= set(range(1, 7)) and all(text for _, text in record["headings"]), "headings are h1 to h6")
    listed = record["links"]
    expect(len(set(listed)) == len(listed) <= min(MAX_LINKS, record["links_total"]), "a record lists distinct links")
    for url in filter(None, [*listed, record["canonical"]]):
        expect_canonical(url)


def _texts(record: dict[str, Any]) -> Iterator[str]:
    yield record["text"]
    lines = [record[name] or "" for name in ("title", "description", "lang", "h1")]
    for text in [*lines, *(text for _, text in record["headings"])]:
        expect("\n" not in text, "a title has one line", text)
        yield text

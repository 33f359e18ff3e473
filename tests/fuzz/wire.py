"""What comes from a connection: HTTP answers, header values, coded bodies."""

from __future__ import annotations

import math
import re
import zlib
from itertools import pairwise
from random import Random

from crawler.engine import answers
from crawler.errors import FETCH_REASONS, FetchError, UrlError
from crawler.fetch.answer import AnswerParser
from crawler.fetch.base import is_file_type, unread_reason
from crawler.fetch.dial.cookies import MAX_COOKIES, MAX_SENT_BYTES, CookieJar
from crawler.fetch.dial.target import Limits
from crawler.frontier.politeness import retry_after_s
from crawler.models import Request, Response
from crawler.parse.charset import charset_of_type, decode_text, encoding_of_label
from crawler.parse.dates import iso_date
from crawler.parse.decode import Decoded, is_html, undo_codings
from crawler.parse.extract.simhash import SimHasher
from crawler.parse.stage import robots_directives
from tests.fuzz.addresses import expect_canonical
from tests.fuzz.pages import PACKERS
from tests.fuzz.promise import expect

LIMITS = Limits(max_header_bytes=4096, max_header_fields=40)
SMALL_LIMIT, LARGE_LIMIT = 200, 512 * 1024  # bytes decoded
NOW = 1_700_000_000.0
_FAULTS = (None, "bad_coding", "unknown_coding", "broken_coding", "too_many_codings")
_COOKIE_URLS = (
    "https://a.example/dir/page",
    "https://a.example/",
    "http://a.example/dir/",
    "https://www.a.example:8443/dir/x?y=/z",
    "https://b.co.uk/",
    "https://127.0.0.1/",
    "http://[::1]:8080/",
)
_HEX = re.compile(r"[0-9a-f]{16}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BYTEWISE_BYTES = 3000  # longer answers are cut at random instead


def check_answer(data: bytes) -> None:
    """An HTTP answer means the same, however its bytes are cut into packets."""
    whole = _meaning([data])
    rand = Random(zlib.crc32(data))
    cuts = sorted(rand.randrange(len(data) + 1) for _ in range(rand.randrange(1, 9)))
    packets = [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]
    expect(_meaning(packets) == whole, "packets do not matter", (whole, packets))
    if len(data) <= _BYTEWISE_BYTES:
        expect(_meaning([data[at : at + 1] for at in range(len(data))]) == whole, "single bytes do not matter", whole)


def check_header(data: bytes) -> None:
    """One text as the value of every header field that is judged; a second line is the body."""
    value, _, rest = data.decode("latin-1").partition("\n")
    seconds = retry_after_s(value, NOW)
    expect(seconds is None or (seconds >= 0 and math.isfinite(seconds)), "Retry-After is a time", seconds)
    directives = robots_directives([value, rest], ("robots", "crawler"))
    expect(all(each == each.strip().lower() for each in directives), "directives are plain", directives)
    label = charset_of_type(value) or ""
    name = encoding_of_label(label)
    expect(name is None or encoding_of_label(name) == name, "a label leads to one encoding", (label, name))
    is_html(value, rest.encode("latin-1"), is_as_received=True)
    is_file_type(value)
    date = iso_date(value)
    expect(date is None or iso_date(date) is not None, "a date is a date", (value, date))
    simhash = SimHasher().of(value)
    expect(simhash is None or _HEX.fullmatch(simhash) is not None, "a SimHash has 64 bits", simhash)
    expect((simhash is None) is not bool(value.split()), "what has words has a SimHash", value)
    _check_redirects(value, rest)
    for field in ("Content-Type", "Content-Length", "Transfer-Encoding"):
        for status in (200, 301, 404):
            reason = unread_reason("page", status, ((field, value), ("Content-Length", rest)))
            expect(reason in (None, "type"), "a body is read or of no type to read", reason)


def check_cookies(data: bytes) -> None:
    """Every line is a Set-Cookie field, set by one of some hosts; what is sent back comes from there."""
    jar, other = CookieJar(), CookieJar()
    lines = data.decode("latin-1").split("\n")[:300]
    for number, line in enumerate(lines):
        url = _COOKIE_URLS[(len(line) + number) % len(_COOKIE_URLS)]
        jar.learn(url, [line], NOW)
        other.learn(url, [line], NOW)
    expect(len(jar) <= MAX_COOKIES, "a jar keeps to its limit", len(jar))
    given = [line for line in lines[:3] if "=" in line and line.isprintable()]
    for url in _COOKIE_URLS:
        field = jar.field(url, NOW)
        expect(field == other.field(url, NOW), "equal jars send the same", url)
        expect(jar.field(url, NOW, given) is not None or not (given or field), "what was given is sent", given)
        if field is not None:
            expect(not _CONTROL.search(field), "a cookie forges no line", field)
            expect(len(field.encode()) <= MAX_SENT_BYTES, "a field keeps to its limit", len(field))
            expect(all("=" in pair for pair in field.split("; ")), "a cookie has its name", field)
    foreign = CookieJar()
    foreign.learn("https://evil.example/", lines, NOW)
    expect(foreign.field("https://a.example/", NOW) is None, "a cookie stays with its site")
    expect(foreign.field("http://evil.example/", NOW) is None, "a cookie stays with its origin")


def check_decode(data: bytes) -> None:
    """A body under the codings of its first line: within the limit, and a smaller limit gives a beginning of it."""
    line, _, body = data.partition(b"\n")
    fields = line.decode("latin-1").split(";")[:4]
    decoded = undo_codings(body, fields, LARGE_LIMIT)
    expect(undo_codings(body, fields, LARGE_LIMIT) == decoded, "a body decodes alike twice")
    _check_decoded(decoded, LARGE_LIMIT)
    small = undo_codings(body, fields, SMALL_LIMIT)
    _check_decoded(small, SMALL_LIMIT)
    if not (small.fault or decoded.fault) and line.count(b",") + line.count(b";") == 0:
        expect(decoded.body[:SMALL_LIMIT] == small.body, "a limit cuts and changes nothing", (small, decoded))
    _check_packing(line, body)
    text, name, _ = decode_text(decoded.body, line.decode("latin-1").rpartition(";")[2])
    expect(encoding_of_label(name) == name, "an encoding has its WHATWG name", name)
    expect(text.decode("utf-8", "replace").encode() == text, "what was decoded is UTF-8", name)
    expect(len(text) <= 4 * len(decoded.body) + 4, "text does not blow up", (len(text), len(decoded.body)))


def _check_packing(line: bytes, body: bytes) -> None:
    for coding, pack in PACKERS.items():
        packed = pack(body)
        expect(undo_codings(packed, [coding], len(body)) == Decoded(body), "what was packed can be unpacked", coding)
        if coding in ("gzip", "zstd"):
            expect(undo_codings(packed + pack(line), [coding], LARGE_LIMIT).body == body + line, "members are joined")
        long = (body * (SMALL_LIMIT // max(1, len(body)) + 2))[: 4 * SMALL_LIMIT]
        if long:
            cut = Decoded(long[:SMALL_LIMIT], truncated="length")
            expect(undo_codings(pack(long), [coding], SMALL_LIMIT) == cut, "a limit cuts what is packed", coding)


def _meaning(packets: list[bytes]) -> tuple[object, ...]:
    parser = AnswerParser(LIMITS)
    body = bytearray()
    size = 0
    try:
        for packet in packets:
            body += parser.feed(packet)
            size += len(packet)
        parser.feed_eof()
    except FetchError as error:
        expect(error.reason in FETCH_REASONS, "a failure has its reason", error)
        return (error.reason,)
    expect(200 <= parser.status <= 999, "the final answer has a status", parser.status)
    expect(len(body) <= size, "a body is part of what came")
    expect(len(parser.headers) <= LIMITS.max_header_fields, "header fields keep to their limit")
    for name, value in parser.headers:
        expect(not set(name) & set("\0\r\n :") and bool(name), "a name is a token", name)
        expect(not set(value) & set("\0\r\n") and value == value.strip(" \t"), "a value forges no line", value)
    expect(not (parser.can_reuse and not parser.is_complete), "only a whole answer frees its connection")
    return parser.status, parser.headers, bytes(body), parser.is_complete, parser.broken is None, parser.can_reuse


def _check_redirects(location: str, other: str) -> None:
    request = Request("https://a.example/dir/page", "a.example", 0)
    for status, locations in ((302, [location]), (302, [location, other]), (302, []), (200, []), (404, [location])):
        fields = tuple(("Location", each) for each in locations)
        page = Response(request, status, fields, b"", NOW, 0.1, "asyncio")
        verdict = answers.judge(page, 10)
        try:
            target = answers.redirect_target(page)
        except UrlError:
            target = None
        expect(verdict.target == (target if status == 302 else None), "there is one target", (verdict, target))
        if target is not None:
            expect_canonical(target)


def _check_decoded(decoded: Decoded, limit_bytes: int) -> None:
    expect(len(decoded.body) <= limit_bytes, "a limit is kept", len(decoded.body))
    expect(decoded.fault in _FAULTS and decoded.truncated in (None, "length"), "a fault has its word", decoded.fault)
    expect(decoded.complete or decoded.fault is not None, "what is not complete has a fault", decoded)

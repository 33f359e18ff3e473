"""Answers of the size that attacks have, under the limits that a crawl has by default."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import pytest

from crawler.engine.answers import NextStep, judge
from crawler.errors import FetchError
from crawler.fetch.dial.target import Limits

from .conftest import BODY_DEADLINE_S, Client
from .server import CLOSE, HANG, Drip, ScriptedServer, Step, answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PAGE = b"<title>Page</title>" * 100


@pytest.mark.parametrize(
    ("length", "end"),
    [(2**31, CLOSE), (2**40, CLOSE), (10**15, CLOSE), (10**15, Drip(b"x"))],
    ids=["2^31, closed", "2^40, closed", "10^15, closed", "10^15, dripping"],
)
async def test_an_enormous_length_takes_no_memory(
    client: Client, server: ScriptedServer, length: int, end: Step
) -> None:
    """Memory is taken for what comes, not for what is announced."""
    # scenario 15
    await client.get(server.script("/warm", answer()))
    url = server.script("/", answer(length=length), end)
    tracemalloc.start()
    try:
        page = await client.get(url, Limits(min_rate_bytes_s=0), deadline_s=BODY_DEADLINE_S)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert page.body.startswith(b"hello")
    assert (page.complete, page.truncated) == ((False, None) if end is CLOSE else (True, "time"))
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize("junk", [b"junk", b"\x00" * 5000, zlib.compress(PAGE)], ids=["word", "zeros", "stream"])
async def test_junk_behind_a_compressed_body_in_chunks_ends_it_like_any_other(
    client: Client, server: ScriptedServer, junk: bytes
) -> None:
    # scenario 19
    coded = zlib.compress(PAGE)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (coded[:9], coded[9:] + junk))
    url = server.script(
        "/", HEAD + b"Content-Encoding: deflate\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    )
    page = await client.get(url)
    assert (page.body, page.complete) == (coded + junk, True)


@pytest.mark.parametrize(
    "fields",
    [b"A: " + b"x" * 10_000_000 + b"\r\n", b"A: b\r\n" * 100_000, b"A: b\r\n " + b"c\r\n " * 500_000 + b"\r\n"],
    ids=["a line of 10 MB", "100,000 fields", "folded without end"],
)
async def test_enormous_header_fields_are_given_up(client: Client, server: ScriptedServer, fields: bytes) -> None:
    # scenario 20
    with pytest.raises(FetchError) as caught:
        await client.get(server.script("/", b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n"))
    assert (caught.value.reason, caught.value.is_retryable) == ("header_too_large", False)
    assert len(server.seen.heads) == 1


@pytest.mark.parametrize(
    "fields",
    [b"", b"Content-Length: 10000000000\r\n", b"Content-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n"],
    ids=["until the end", "length", "bomb", "chunked"],
)
@pytest.mark.parametrize("status", [b"302 Found", b"404 Not Found"])
async def test_the_endless_body_of_a_refusal_is_not_read(
    client: Client, server: ScriptedServer, status: bytes, fields: bytes
) -> None:
    """The connection is closed while the body flows."""
    # scenarios 27, 34
    head = b"HTTP/1.1 " + status + b"\r\nLocation: /next\r\n" + fields + b"\r\n"
    page = await client.get(server.script("/", head, Drip(gzip.compress(bytes(100_000)), 0)), Limits(max_body_bytes=10))
    assert (page.body, page.truncated, page.complete) == (b"", "type", True)
    assert client.counter.used == 0
    assert await asyncio.to_thread(server.client_left.wait, 5)


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        ("text/html", b"<p>more</p>" * 500),
        ("text/event-stream", b"data: tick\n\n" * 500),
        ("multipart/x-mixed-replace; boundary=b", b"--b\r\nContent-Type: text/html\r\n\r\n<p>again</p>\r\n" * 99),
    ],
    ids=["page", "events", "replaced parts"],
)
async def test_a_stream_without_end_is_cut_and_its_connection_closed(
    client: Client, server: ScriptedServer, kind: str, piece: bytes
) -> None:
    """At the size limit, with the rest left to the server."""
    # scenarios 33, 34
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind.encode() + b"\r\n\r\n"
    page = await client.get(server.script("/", head, Drip(piece, 0)), Limits(max_body_bytes=2000))
    assert (page.body, page.truncated, page.complete) == ((piece * 9)[:2000], "length", True)
    assert await asyncio.to_thread(server.client_left.wait, 5)


LOCATIONS = {
    "UTF-8": (b"Location: /\xc3\xbc\r\n", "/%C3%BC"),
    "latin-1": (b"Location: /\xfc\r\n", "/%C3%BC"),
    "spaces": (b"Location: \t /a b \t \r\n", "/a%20b"),
    "folded": (b"Location: /a\r\n b\r\n", "/a%20b"),
    "a line end of its own": (b"Location: /a\rSet-Cookie: x\r\n", "/a%20Set-Cookie:%20x"),
    "NUL": (b"Location: /a\x00b\r\n", "/a%20b"),
    "fragment": (b"Location: /a#b\r\n", "/a"),
    "user and password": (b"Location: http://me:pw@127.0.0.1:{port}/a\r\n", "/a"),
    "the same twice": (b"Location: /a\r\nlocation: /a\r\n", "/a"),
    "two that differ": (b"Location: /a\r\nLocation: /b\r\n", "bad_redirect"),
    "no URL": (b"Location: http://[\r\n", "bad_redirect"),
    "a name that is too long": (b"Location: http://" + b"a" * 64 + b".example/\r\n", "bad_redirect"),
    "100 kB of name": (b"Location: http://" + b"\xc3\xbc" * 50_000 + b".example/\r\n", "bad_redirect"),
    "another scheme": (b"Location: file:///etc/passwd\r\n", "redirect_scheme"),
    "empty": (b"Location:\r\n", "redirect_loop"),
    "missing": (b"", "redirect_without_location"),
}


@pytest.mark.parametrize(("fields", "expected"), LOCATIONS.values(), ids=LOCATIONS)
async def test_a_location_means_the_same_whoever_fetched_it(
    client: Client, server: ScriptedServer, fields: bytes, expected: str
) -> None:
    """Expected is the path that a redirect leads to, or the error for which it leads nowhere."""
    # scenarios 5, 24, 28
    fields = fields.replace(b"{port}", b"%d" % server.port)
    page = await client.get(server.script("/", b"HTTP/1.1 302 Found\r\n" + fields + b"Content-Length: 0\r\n\r\n"))
    verdict = judge(page, 10)
    if expected.startswith("/"):
        assert verdict == NextStep("redirect", "redirect", None, server.url + expected)
    else:
        assert (verdict.action, verdict.error) == ("record", expected)


@pytest.mark.parametrize(
    "frames",
    [
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18),  # SETTINGS
        b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8),  # GOAWAY
        b"\x00\x00\x04\x03\x00\x00\x00\x00\x01" + bytes(4),  # RST_STREAM
    ],
    ids=["settings", "goaway", "reset"],
)
async def test_frames_of_http_2_that_nobody_asked_for_are_no_answer(
    client: Client, server: ScriptedServer, frames: bytes
) -> None:
    # scenario 37
    with pytest.raises(FetchError) as caught:
        await client.get(server.script("/", frames * 50, HANG))
    assert caught.value.reason == "protocol_error"
    assert len(server.seen.heads) == 1
    assert await asyncio.to_thread(server.client_left.wait, 5)

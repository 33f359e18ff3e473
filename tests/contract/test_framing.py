"""One meaning for each answer, however it is framed and wherever it breaks off, under every strategy."""

from __future__ import annotations

import asyncio

import pytest

from crawler.errors import FetchError
from crawler.fetch.dial.target import Limits

from .conftest import Client
from .server import CLOSE, HANG, RESET, TELL, WAIT, Drip, ScriptedServer, Step, answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

WHOLE = {
    "length": (answer(),),
    "length in pieces": (answer()[:30], answer()[30:]),
    "until the end": (HEAD + b"\r\nhello", CLOSE),
    "length of 2^64": (HEAD + b"Content-Length: 18446744073709551616\r\n\r\nhello", CLOSE),
    "length of 5,000 digits": (HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nhello", CLOSE),
    "length with zeros": (HEAD + b"Content-Length: " + b"0" * 30 + b"5\r\n\r\nhello",),
    "chunked": (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",),
    "chunked in pieces": tuple(bytes([byte]) for byte in CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    "chunk extensions": (CHUNKED + b"5;name=value;other\r\nhello\r\n0;last\r\n\r\n",),
    "chunk size with zeros and space": (CHUNKED + b"0005 \r\nhello\r\n000\r\n\r\n",),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\nbroken\r\n\r\n",),
    "chunked and length": (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",),
    "chunked in 1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",),
    "identity coding": (HEAD + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",),
    "same length twice": (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",),
    "same length in a list": (HEAD + b"Content-Length: 5, 5\r\n\r\nhello",),
    "bytes after the length": (answer() + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",),
    "bytes after the last chunk": (CHUNKED + b"5\r\nhello\r\n0\r\n\r\nmore",),
    "line feeds alone": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",),
    "mixed line ends": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello",),
    "empty lines before": (b"\r\n\r\n" + answer(),),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(),),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n", answer()),
}


@pytest.mark.parametrize("script", WHOLE.values(), ids=WHOLE)
async def test_a_body_is_whole_however_it_is_framed(
    client: Client, server: ScriptedServer, script: tuple[Step, ...]
) -> None:
    # scenarios 13, 16, 18, 21
    page = await client.get(server.script("/", *script))
    assert (page.status, page.body, page.complete, page.truncated) == (200, b"hello", True, None)


SHORT = {
    "length": (answer(length=50), CLOSE),
    "enormous length": (answer(length=10**15), CLOSE),  # scenario 15
    "length, reset": (answer(length=50), RESET),
    "chunk cut": (CHUNKED + b"9\r\nhello", CLOSE),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", CLOSE),
    "no end of trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\n", CLOSE),
    "bad chunk size": (CHUNKED + b"5\r\nhello\r\nzz\r\n", HANG),
    "signed chunk size": (CHUNKED + b"5\r\nhello\r\n-5\r\n", HANG),
    "prefixed chunk size": (CHUNKED + b"5\r\nhello\r\n0x5\r\nhello\r\n", HANG),
    "huge chunk size": (CHUNKED + b"5\r\nhello\r\nffffffffffffffffff\r\n", HANG),
    "no line end after a chunk": (CHUNKED + b"5\r\nhelloworld\r\n0\r\n\r\n", HANG),
    "endless chunk size": (CHUNKED + b"5\r\nhello\r\n5;", Drip(b"x" * 4096, 0)),  # scenario 17
    "endless trailers": (CHUNKED + b"5\r\nhello\r\n0\r\n", Drip(b"A: b\r\n" * 999, 0)),  # scenario 18
}


@pytest.mark.parametrize("script", SHORT.values(), ids=SHORT)
async def test_a_body_that_breaks_off_keeps_what_came_and_says_so(
    client: Client, server: ScriptedServer, script: tuple[Step, ...]
) -> None:
    # scenarios 8, 12, 15, 17, 18
    page = await client.get(server.script("/", *script))
    assert (page.status, page.body, page.complete, page.truncated) == (200, b"hello", False, None)
    assert client.counter.used == len(page.body)


async def test_a_reset_of_a_body_without_length_is_not_its_end(client: Client, server: ScriptedServer) -> None:
    """An end in good order is the only one that such a body has."""
    # scenario 8
    page = await client.get(server.script("/", HEAD + b"\r\nhello", RESET))
    assert (page.body, page.complete) == (b"hello", False)


REFUSED = {
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "two lengths in a list": HEAD + b"Content-Length: 5, 6\r\n\r\nhello",
    "negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "signed length": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "length in words": HEAD + b"Content-Length: five\r\n\r\nhello",
    "empty length": HEAD + b"Content-Length:\r\n\r\nhello",
    "unknown coding": HEAD + b"Transfer-Encoding: chunked, x\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "gzip as transfer coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "garbage": b"\x00\x01\x02 this is not HTTP\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "ICY": b"ICY 200 OK\r\n\r\nhello",
    "status of six digits": b"HTTP/1.1 999999 Many\r\n\r\nhello",
    "status of two digits": b"HTTP/1.1 20 Few\r\n\r\nhello",
    "status below 100": b"HTTP/1.1 099 Less\r\n\r\nhello",
    "HTTP/2 in plain": b"HTTP/2 200 OK\r\n\r\nhello",
    "endless 1xx": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "switch of protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
async def test_what_is_no_valid_http_is_a_protocol_error(client: Client, server: ScriptedServer, data: bytes) -> None:
    # scenarios 14, 16, 21
    with pytest.raises(FetchError) as caught:
        await client.get(server.script("/", data, HANG))
    assert caught.value.reason == "protocol_error"
    assert client.counter.used == 0
    assert len(server.seen.heads) == 1


LOST = {
    "nothing": (CLOSE,),
    "reset before the head": (RESET,),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", CLOSE),
    "head without its end": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", CLOSE),
    "reset in the head": (b"HTTP/1.1 200 OK\r\nContent-", RESET),
}


@pytest.mark.parametrize("script", LOST.values(), ids=LOST)
async def test_a_connection_that_ends_before_the_head_is_lost(
    client: Client, server: ScriptedServer, script: tuple[Step, ...]
) -> None:
    """And it is asked once: a fresh connection is no stale one."""
    # scenario 8
    with pytest.raises(FetchError) as caught:
        await client.get(server.script("/", *script))
    assert caught.value.reason == "connection_lost"
    assert caught.value.is_retryable
    assert len(server.seen.heads) == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_an_answer_that_has_no_body_is_not_given_one(client: Client, server: ScriptedServer, status: str) -> None:
    # scenario 21
    page = await client.get(server.script("/", answer(b"forbidden", status)))
    assert (page.body, page.complete, page.truncated) == (b"", True, None)
    server.script("/next", answer())
    assert (await client.get(server.url + "/next")).body == b"hello"
    assert server.seen.connections == 2


@pytest.mark.parametrize("extra", [b"junk", answer(b"evil")], ids=["junk", "an answer"])
async def test_bytes_on_an_idle_connection_answer_nothing(client: Client, server: ScriptedServer, extra: bytes) -> None:
    """They are thrown away with the connection."""
    # scenario 13
    server.script("/", answer(), WAIT, extra, TELL)
    server.script("/next", answer(b"right"))
    await client.get(server.url + "/")
    server.go()
    await asyncio.to_thread(server.told.wait, 5)
    assert (await client.get(server.url + "/next")).body == b"right"


async def test_header_fields_are_kept_as_they_came(client: Client, server: ScriptedServer) -> None:
    fields = (
        b"X-One: 1\r\nx-one:2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nEmpty:\r\nLatin: \xe4\xff\r\nTab:\t v \t\r\n"
    )
    page = await client.get(server.script("/", b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n"))
    assert page.headers == (
        ("X-One", "1"),
        ("x-one", "2"),
        ("Set-Cookie", "a=b"),
        ("Set-Cookie", "c=d"),
        ("Empty", ""),
        ("Latin", "\xe4\xff"),
        ("Tab", "v"),
        ("Content-Length", "0"),
    )


async def test_malformed_header_lines_harm_nobody(client: Client, server: ScriptedServer) -> None:
    """Folds are joined, NUL and bare CR become spaces, and what is no field is passed over."""
    # scenario 20
    lines = (
        b" fold of nothing\r\nA: b\r\n  c\r\nno colon\r\n: no name\r\nB (c): d\r\nNul: a\x00b\r\nCr: a\rInjected: b\r\n"
    )
    page = await client.get(server.script("/", b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length : 5\r\n\r\nhello"))
    assert page.headers == (("A", "b c"), ("Nul", "a b"), ("Cr", "a Injected: b"), ("Content-Length", "5"))
    assert page.body == b"hello"


TOO_LARGE = {
    "one line": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
    "many lines": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 21 + b"Content-Length: 0\r\n\r\n",
    "total": b"HTTP/1.1 200 OK\r\n" + (b"A: " + b"x" * 500 + b"\r\n") * 10 + b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE)
async def test_header_fields_are_limited_in_size_and_number(
    client: Client, server: ScriptedServer, data: bytes
) -> None:
    # scenario 20
    with pytest.raises(FetchError) as caught:
        await client.get(server.script("/", data), Limits(max_header_bytes=4096, max_header_fields=20))
    assert caught.value.reason == "header_too_large"


@pytest.mark.parametrize("piece", [b"x" * 4096, b"A: b\r\n", b"HTTP/1.1 100 Go\r\nA: " + b"x" * 2000 + b"\r\n\r\n"])
async def test_a_head_without_end_is_given_up(client: Client, server: ScriptedServer, piece: bytes) -> None:
    # scenarios 20, 21
    start = b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\nA: "
    with pytest.raises(FetchError) as caught:
        await client.get(server.script("/", start, Drip(piece, 0)), Limits(max_header_bytes=4096))
    assert caught.value.reason in ("header_too_large", "protocol_error")

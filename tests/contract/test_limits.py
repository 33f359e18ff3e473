"""How much is read, how long is waited, and what is left of an answer when a limit is reached."""

from __future__ import annotations

import asyncio

import pytest

from crawler.errors import FetchError
from crawler.fetch import base
from crawler.fetch.dial.target import Limits
from crawler.settings.groups import KIB

from .conftest import BODY_DEADLINE_S, Client, Connect
from .server import CLOSE, HANG, Drip, ScriptedServer, Step, answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
# Of the limits that come one after another only one is short, so that a busy machine cannot reach another one first.
SHORT_HEAD = Limits(first_byte_timeout_s=0.3, min_rate_bytes_s=0)
SHORT_WAIT = Limits(read_timeout_s=0.3, min_rate_bytes_s=0)


async def reason_of(client: Client, url: str, limits: Limits, deadline_s: float = 10.0) -> str:
    """The reason for which a fetch fails."""
    with pytest.raises(FetchError) as caught:
        await client.get(url, limits, deadline_s)
    assert client.counter.used == 0
    return caught.value.reason


@pytest.mark.parametrize(
    ("script", "is_cut"),
    [
        ((answer(b"x" * 2048),), False),
        ((answer(b"x" * 2049),), True),
        ((HEAD + b"\r\n" + b"x" * 2048, CLOSE), False),
        ((HEAD + b"\r\n", Drip(b"x" * 1000, 0)), True),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n", Drip(b"100\r\n" + b"x" * 256 + b"\r\n", 0)), True),
        ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n800\r\n" + b"x" * 2048 + b"\r\n0\r\n\r\n",), False),
    ],
)
async def test_a_body_is_cut_at_exactly_the_limit(
    client: Client, server: ScriptedServer, script: tuple[Step, ...], is_cut: bool
) -> None:
    """The rest is not drained: the connection is closed."""
    # scenarios 33, 34
    page = await client.get(server.script("/", *script), Limits(max_body_bytes=2048))
    assert (len(page.body), page.truncated, page.complete) == (2048, "length" if is_cut else None, True)
    assert client.counter.used == 2048
    if isinstance(script[-1], Drip):
        server.script("/next", answer())
        await client.get(server.url + "/next")
        assert server.seen.connections == 2


async def test_a_body_of_megabytes_arrives_whole(client: Client, server: ScriptedServer) -> None:
    body = bytes(range(256)) * 12_000
    page = await client.get(server.script("/", answer(body)))
    assert page.body == body


@pytest.mark.parametrize(
    "kind",
    ["image/png", "image/svg+xml", "AUDIO/mpeg", "video/mp4", "font/woff2", "application/pdf", "application/zip"],
)
async def test_bodies_of_files_are_left_unread_by_their_type(client: Client, server: ScriptedServer, kind: str) -> None:
    page = await client.get(server.script("/", answer(b"x" * 999, "200 OK", f"Content-Type: {kind}; a=b")))
    assert (page.status, page.body, page.truncated, page.complete) == (200, b"", "type", True)


@pytest.mark.parametrize("kind", ["sitemap", "robots"])
async def test_site_files_are_read_whatever_their_type(client: Client, server: ScriptedServer, kind: str) -> None:
    url = server.script("/", answer(b"x" * 999, "200 OK", "Content-Type: application/gzip"))
    page = await client.get(url, kind=kind)
    assert (len(page.body), page.truncated) == (999, None)


@pytest.mark.parametrize(
    "kind",
    ["text/html", "text/plain", "application/xhtml+xml", "application/json", "", "nonsense", "application/rss+xml"],
)
async def test_bodies_of_other_types_are_read(client: Client, server: ScriptedServer, kind: str) -> None:
    page = await client.get(server.script("/", answer(b"x", "200 OK", f"Content-Type: {kind}")))
    assert page.body == b"x"


@pytest.mark.parametrize(
    ("script", "body", "connections"),
    [
        (answer(b"small", "404 Not Found"), b"small", 1),
        (answer(b"x" * 16 * KIB, "500 Error"), b"x" * 16 * KIB, 1),
        (answer(b"x", "500 Error", length=16 * KIB + 1), b"", 2),
        (b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"", 2),
        (answer(b"", "302 Found", "Location: /"), b"", 1),
    ],
)
@pytest.mark.keeps_connections
async def test_what_is_not_needed_is_read_only_to_keep_the_connection(
    client: Client, server: ScriptedServer, script: bytes, body: bytes, connections: int
) -> None:
    # scenario 27
    page = await client.get(server.script("/", script))
    assert (page.body, page.truncated) == (body, None if connections == 1 else "type")
    server.script("/next", answer())
    await client.get(server.url + "/next")
    assert server.seen.connections == connections


async def test_a_silent_server_runs_into_the_first_byte_timeout(client: Client, server: ScriptedServer) -> None:
    # scenario 7
    assert await reason_of(client, server.script("/", HANG), SHORT_HEAD) == "first_byte_timeout"


async def test_a_dripping_head_runs_into_the_first_byte_timeout(client: Client, server: ScriptedServer) -> None:
    # scenario 35
    url = server.script("/", b"HTTP/1.1 200 OK\r\nA: ", Drip(b"x"))
    assert await reason_of(client, url, SHORT_HEAD) == "first_byte_timeout"


async def test_endless_early_hints_do_not_stop_the_clock(client: Client, server: ScriptedServer) -> None:
    # scenarios 21, 35
    url = server.script("/", Drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.1))
    assert await reason_of(client, url, SHORT_HEAD) == "first_byte_timeout"


async def test_a_body_that_stalls_runs_into_the_read_timeout(client: Client, server: ScriptedServer) -> None:
    assert await reason_of(client, server.script("/", answer(length=50), HANG), SHORT_WAIT) == "read_timeout"


@pytest.mark.parametrize("script", [(HANG,), (b"HTTP/1.1 200 OK\r\nA: ", Drip(b"x"))], ids=["silent", "dripping"])
async def test_the_deadline_before_the_head_is_an_error(
    client: Client, server: ScriptedServer, script: tuple[Step, ...]
) -> None:
    # scenario 35
    assert await reason_of(client, server.script("/", *script), Limits(), deadline_s=0.3) == "deadline"


ENDLESS: dict[str, tuple[Step, ...]] = {
    "/length": (answer(length=10**6), Drip(b"x")),
    "/until-the-end": (HEAD + b"\r\nhello", Drip(b"x")),
    "/chunked": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", Drip(b"1\r\nx\r\n")),
    "/stalled": (answer(length=50), HANG),
}


async def test_the_deadline_in_the_body_keeps_what_came(connect: Connect, server: ScriptedServer) -> None:
    """Whatever its framing, and whether it flows or stands."""
    # scenarios 34, 35
    clients = [await connect() for _ in ENDLESS]  # one each, because they wait at the same time
    urls = [server.script(path, *script) for path, script in ENDLESS.items()]
    fetches = [
        client.get(url, Limits(min_rate_bytes_s=0), deadline_s=BODY_DEADLINE_S)
        for client, url in zip(clients, urls, strict=True)
    ]
    for page, client in zip(await asyncio.gather(*fetches), clients, strict=True):
        assert page.body.startswith(b"hello"), page.request.url
        assert (page.truncated, page.complete) == ("time", True), page.request.url
        assert client.counter.used == len(page.body)


async def test_a_body_below_the_minimum_rate_is_given_up(
    client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # scenario 35
    monkeypatch.setattr(base, "RATE_WINDOW_S", 0.2)
    url = server.script("/", answer(length=10**6), Drip(b"x"))
    assert await reason_of(client, url, Limits(min_rate_bytes_s=10_000)) == "too_slow"


async def test_a_deadline_that_has_passed_asks_nobody(client: Client, server: ScriptedServer) -> None:
    assert await reason_of(client, server.script("/", answer()), Limits(), deadline_s=-1.0) == "deadline"
    assert server.seen.heads == []

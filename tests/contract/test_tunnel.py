"""https through a proxy that opens tunnels, under every strategy."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import trustme

from crawler.fetch.dial.guard import Guard
from crawler.settings.groups import FetchSettings

from .conftest import Connect
from .server import ScriptedServer, answer


class Tunnels:
    """A proxy on loopback that opens a tunnel to this machine, whatever name it is given."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Open one tunnel and pass bytes both ways until a side ends."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        port = int(head.split()[1].rpartition(":")[2])
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest_asyncio.fixture
async def tunnels() -> AsyncIterator[Tunnels]:
    """A proxy."""
    running = Tunnels()
    under_way: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await running.accept(reader, writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    yield running
    server.close()
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way)


@pytest.mark.knows_proxies
async def test_https_passes_through_a_tunnel_that_is_kept(
    connect: Connect, authority: trustme.CA, tunnels: Tunnels
) -> None:
    """The proxy sees the name and its own credentials, and the server sees none of them."""
    # scenario 74
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("name.lab").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    settings = FetchSettings(proxy=f"http://me:secret@127.0.0.1:{tunnels.port}")
    client = await connect(guard=Guard(), fetch_settings=settings, tls=trusting)
    with ScriptedServer(context) as server:
        server.script("/%7E|", answer())
        url = f"https://name.lab:{server.port}/%7e|"
        for _ in range(2):
            page = await client.get(url, addresses=(), headers=(("Cookie", "a=b"),))
            assert (page.status, page.body) == (200, b"hello")
        assert server.seen.request_lines == ["GET /%7E| HTTP/1.1"] * 2
        assert server.seen.fields() == {"Host": f"name.lab:{server.port}", "Cookie": "a=b"}
        await client.fetcher.close()
    assert len(tunnels.heads) == 1
    lines = tunnels.heads[0].split("\r\n")
    assert lines[0].startswith(f"CONNECT name.lab:{server.port} HTTP/1.")
    assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in lines
    assert "Cookie" not in tunnels.heads[0]

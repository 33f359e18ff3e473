"""What a fetch says of its time: the connection and TLS where there was a new one, the head, the whole."""

from __future__ import annotations

import pytest
import trustme

from .conftest import Client, Connect
from .server import ScriptedServer, answer
from .test_tls import client_tls, server_tls


@pytest.mark.tells_dial_times
async def test_a_new_connection_takes_time_and_a_kept_one_takes_none(client: Client, server: ScriptedServer) -> None:
    """Plain HTTP has no TLS that could take any."""
    url = server.script("/", answer())
    first, second = await client.get(url), await client.get(url)
    assert server.seen.connections == 1
    assert 0 < first.connect_s <= first.first_byte_s <= first.elapsed_s
    assert first.tls_s == 0
    assert (second.connect_s, second.tls_s) == (0, 0)


@pytest.mark.tells_dial_times
async def test_tls_is_told_apart_from_the_connection(connect: Connect, authority: trustme.CA) -> None:
    """Both are part of the time until the head is there."""
    client = await connect(tls=client_tls(authority))
    with ScriptedServer(server_tls(authority, "127.0.0.1")) as server:
        url = server.script("/", answer())
        first, second = await client.get(url), await client.get(url)
    assert first.connect_s > 0
    assert first.tls_s > 0
    assert first.connect_s + first.tls_s <= first.first_byte_s
    assert (second.connect_s, second.tls_s) == (0, 0)

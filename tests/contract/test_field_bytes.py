"""Header values reach the server as the same bytes under every strategy."""

from __future__ import annotations

import pytest

from .conftest import Client
from .server import ScriptedServer, answer


@pytest.mark.parametrize("value", ['a="b, c"; d=e=f==; g', "ü=日本; \u2028=\x85", "x" * 8_000])
async def test_a_value_is_sent_as_utf8(client: Client, server: ScriptedServer, value: str) -> None:
    """Also where it is no ASCII: what a server set in UTF-8 goes back to it as it came."""
    await client.get(server.script("/", answer()), headers=(("Cookie", value), ("X-Other", value)))
    lines = server.seen.heads[0].split(b"\r\n")
    assert b"Cookie: " + value.encode() in lines
    assert b"X-Other: " + value.encode() in lines

"""More requests at once than a strategy has slots: they wait for their turn, and their clocks wait with them."""

from __future__ import annotations

import asyncio

import pytest

from crawler.fetch import base
from crawler.fetch.dial.target import Limits
from crawler.settings.groups import FetchSettings

from .conftest import Connect
from .server import Pause, ScriptedServer, answer

ANSWER_S = 0.15
PATIENCE_S = 1.2  # Each clock of a fetch stands at so many seconds.
REQUESTS = 12  # One after the other they take longer than that.


@pytest.mark.parametrize(
    "clock", ["deadline", "first_byte_timeout", "too_slow"], ids=["deadline", "first byte", "minimum rate"]
)
async def test_no_request_fails_for_waiting_until_others_have_ended(
    connect: Connect, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    limits, deadline_s = Limits(), 60.0
    if clock == "deadline":
        deadline_s = PATIENCE_S
    elif clock == "first_byte_timeout":
        limits = Limits(first_byte_timeout_s=PATIENCE_S)
    else:
        monkeypatch.setattr(base, "RATE_WINDOW_S", PATIENCE_S)
        limits = Limits(min_rate_bytes_s=1000)
    client = await connect(fetch_settings=FetchSettings(concurrency=1))
    url = server.script("/", Pause(ANSWER_S), answer())
    pages = await asyncio.gather(*(client.get(url, limits, deadline_s) for _ in range(REQUESTS)))
    assert [page.body for page in pages] == [b"hello"] * REQUESTS
    assert client.counter.used == len(b"hello") * REQUESTS

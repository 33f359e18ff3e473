"""Threads in a call that no shut socket wakes: left behind at the deadline, with nothing of theirs kept from others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crawler.errors import FetchError
from crawler.fetch import blocking, threads
from crawler.settings.groups import FetchSettings

from .conftest import Connect
from .server import HANG, ScriptedServer, answer

THREADS = 2


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What stuck threads wait for, set when the test ends; and fetchers that give up on a thread at once."""
    monkeypatch.setattr(threads, "WATCHDOG_GRACE_S", 0.01)
    monkeypatch.setattr(threads, "ABANDON_S", 0.05)
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("strategy", ["sequential", "threads"])
@pytest.mark.parametrize("phase", ["connect", "head", "body"])
async def test_as_many_stuck_threads_as_there_are_slots_take_none_away(
    connect: Connect, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, release: threading.Event, phase: str
) -> None:
    """All on one host, which still answers the next request: they keep neither its threads nor its connections."""
    # scenario 117
    dial, receive = blocking._Connection._dial, blocking._Answer._receive

    def stuck_dial(self: Any, *arguments: Any) -> socket.socket:
        sock = dial(self, *arguments)
        if phase == "connect" and blocking.current.state.request.url == stuck_url:
            release.wait()
        return sock

    def stuck_receive(self: Any, state: blocking.FetchState) -> bytes:
        if state.request.url == stuck_url and phase == ("body" if state.intake.take() else "head"):
            release.wait()
        return receive(self, state)

    monkeypatch.setattr(blocking._Connection, "_dial", stuck_dial)
    monkeypatch.setattr(blocking._Answer, "_receive", stuck_receive)
    client = await connect(fetch_settings=FetchSettings(concurrency=THREADS // 2))
    stuck_url = server.script("/stuck", answer(length=10), HANG)
    server.script("/", answer())
    for _ in range(THREADS + 1):
        with pytest.raises(FetchError) as caught:
            await client.get(stuck_url, deadline_s=0.1)
        assert caught.value.reason == "deadline"
        assert client.counter.used == 0
    assert (await client.get(server.url + "/")).body == b"hello"
    release.set()
    await client.fetcher.close()
    assert client.counter.used == 5

"""Fetches that time out or are cancelled, hundreds of them: no socket, thread or byte is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.errors import FetchError
from crawler.fetch import concurrency_of
from crawler.fetch.dial.target import Limits
from crawler.settings.groups import Settings

from .conftest import Client, Connect
from .server import HANG, TELL, Drip, ScriptedServer, Step, answer

AT_ONCE = 16
THREADS = concurrency_of(Settings().fetch)  # that a client of the tests may have
ROUNDS = 8
OPEN_FILES = Path("/proc/self/fd")
QUICK = Limits(first_byte_timeout_s=0.02, read_timeout_s=0.02)


def open_files() -> int:
    return len(list(OPEN_FILES.iterdir()))


def fetch_threads() -> int:
    return sum(thread.name.startswith("fetch") for thread in threading.enumerate())


async def settle(is_so: Callable[[], bool]) -> None:
    """Let the loop and the server turn until something is so; the other side learns of a close a moment later."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - the kernel has no event for it
            await asyncio.sleep(0.01)


async def in_rounds(client: Client, url: str, at_once: int, cancels: bool) -> int:
    """Ask again and again and give up, or be given up by the limits; returns how many fetches ended in either way."""
    ended = 0
    for _ in range(ROUNDS):
        tasks = [asyncio.ensure_future(client.get(url, limits=None if cancels else QUICK)) for _ in range(at_once)]
        if cancels:
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, FetchError | asyncio.CancelledError), outcome
            ended += 1
    return ended


SCRIPTS: dict[str, tuple[Step, ...]] = {
    "head": (TELL, HANG),
    "body": (answer(length=10**6), TELL, Drip(b"x", 0.5)),
}


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files are counted in /proc")
@pytest.mark.parametrize("cancels", [True, False], ids=["cancelled", "timed out"])
@pytest.mark.parametrize("where", SCRIPTS)
async def test_hundreds_of_fetches_that_end_badly_leave_nothing_behind(
    connect: Connect, server: ScriptedServer, where: str, cancels: bool
) -> None:
    # scenario 117
    client = await connect()
    server.script("/", answer())
    url = server.script("/bad", *SCRIPTS[where])
    assert (await client.get(server.url + "/")).status == 200
    client.counter.add(-client.counter.used)
    at_once = 1 if client.fetcher.name == "sequential" else AT_ONCE
    await in_rounds(client, url, at_once, cancels)  # what is kept for later is made in the first rounds
    await settle(lambda: server.seen.open_connections <= 1)
    gc.collect()
    files = open_files()
    assert await in_rounds(client, url, at_once, cancels) == ROUNDS * at_once
    await settle(lambda: server.seen.open_connections <= 1)
    gc.collect()
    await settle(lambda: open_files() <= files + 1)
    await settle(lambda: fetch_threads() <= THREADS)  # one that was left at its task ends when it comes back
    assert client.counter.used == 0
    assert (await client.get(server.url + "/")).body == b"hello"

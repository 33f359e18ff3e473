"""Hosts that hang take nobody's time but their own: sites that answer are crawled to their end beside hundreds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

import crawler
from crawler import urls
from crawler.fetch.dial import resolve
from tests.contract.conftest import STRATEGIES
from tests.contract.server import CLOSE, TELL, WAIT, ScriptedServer, answer
from tests.integration.conftest import read_records, run_cli

HOSTS = 200  # that hang
SITES, PAGES = 3, 15  # that do not

# One by one means that whoever hangs holds up the rest; that is what this strategy is there to show.
AT_ONCE = [strategy for strategy in STRATEGIES if strategy != "sequential"]


def healthy(stack: ExitStack, count: int) -> list[ScriptedServer]:
    """Servers with a site of `PAGES` pages each."""
    servers = [stack.enter_context(ScriptedServer()) for _ in range(count)]
    for server in servers:
        for number in range(PAGES):
            link = f"<a href=/{number + 1}>next</a>" if number < PAGES - 1 else "the end"
            page = answer(link.encode(), "200 OK", "Content-Type: text/html")
            server.script(f"/{number}" if number else "/", page, *([TELL] if number == PAGES - 1 else []))
    return servers


def release_when_done(silent: ScriptedServer, servers: list[ScriptedServer]) -> None:
    """Let the hanging go when every page of the others was asked for, so that nobody waits for them any longer."""
    if all(server.told.wait(60) for server in servers):
        silent.go()


@pytest.mark.parametrize("strategy", AT_ONCE)
def test_hosts_that_accept_and_say_nothing_hold_up_nobody(strategy: str, tmp_path: Path) -> None:
    """Each of 200 hosts hangs at its robots.txt, for longer than the test would wait."""
    # scenarios 7, 36, 60
    with ExitStack() as stack:
        silent = stack.enter_context(ScriptedServer(host="0.0.0.0"))
        silent.on_connect(WAIT, CLOSE)
        hanging = [f"http://127.0.1.{number}:{silent.port}/" for number in range(1, HOSTS + 1)]
        servers = healthy(stack, SITES)
        sites = [server.url + "/" for server in servers]
        watcher = threading.Thread(target=release_when_done, args=(silent, servers))
        watcher.start()
        stack.callback(watcher.join)
        done = run_cli(
            "crawl", *sites, *hanging, "--strategy", strategy, "--run", tmp_path / "run", "--delay", 0,
            "--concurrency", 8, "--max-pages", SITES * PAGES, "--allow-private", "127.0.0.0/8",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert all(server.told.is_set() for server in servers)
        answered = [record["url"] for record in read_records(tmp_path / "run") if record["status"] == 200]
        assert len(answered) == SITES * PAGES
        assert {urls.origin(url) + "/" for url in answered} == set(sites)
        assert silent.seen.connections >= 8


async def test_names_that_are_not_resolved_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """More names hang than may be looked up at a time, and a site that was resolved before them goes on."""
    # scenario 2
    release = threading.Event()

    def look_up(host: str) -> Sequence[str]:
        if host.startswith("slow"):
            release.wait(60)
        return ["127.0.0.1"]

    monkeypatch.setattr(resolve, "ask_system", look_up)
    with ExitStack() as stack:
        stack.callback(release.set)
        (server,) = healthy(stack, 1)
        seeds = [f"http://site.lab:{server.port}/", *(f"http://slow{number}.lab/" for number in range(100))]
        found: list[str] = []
        options = {"delay": 0, "allow_private": ("127.0.0.0/8",), "parse": "inline", "robots": False}
        async with asyncio.timeout(60):
            async for record in crawler.stream(seeds, **options):
                found.append(record.url)
                if len(found) == PAGES:
                    break
        assert not release.is_set()
        assert [urls.split(url)[1] for url in found] == ["site.lab"] * PAGES

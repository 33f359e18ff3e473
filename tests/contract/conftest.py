"""The strategies under contract, each with a server of its own and limits short enough to be reached."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
import uvloop

from crawler import fetch, urls
from crawler.fetch.base import ByteCount, Fetcher, tls_context
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.target import Limits, Target
from crawler.files.choice import FileChoice
from crawler.files.download import Download
from crawler.models import Request, Response
from crawler.settings.groups import FetchSettings, Settings

from .downloading import CUT, Save, Saver
from .server import ScriptedServer

STRATEGIES = ("asyncio", "threads", "sequential", "curl")
# What a strategy does not promise: the tests with these markers are not for it.
LACKS = {"plain": {"keeps_connections", "knows_proxies", "tells_dial_times"}}
BODY_DEADLINE_S = 1.5  # of fetches that have to come as far as a body first, on a busy machine too
FIELDS = (("User-Agent", "crawler/test"), ("Accept", "text/html"), ("Accept-Encoding", "gzip"), ("X-Extra", "1"))


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[..., object]]:
    """The loop that a crawl runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(params=[*STRATEGIES, "plain"])
def strategy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a strategy that speaks HTTP: each that there is, and the one that the README writes."""
    name = str(request.param)
    if lacking := LACKS.get(name, set()) & {marker.name for marker in request.node.iter_markers()}:
        pytest.skip(f"the strategy {name} has not: {', '.join(lacking)}")
    if name == "plain":
        monkeypatch.setitem(fetch.STRATEGIES, name, fetch.Strategy(readme_fetcher()))
    return name


@cache
def readme_fetcher() -> Any:
    """The class that the README's section on fetchers writes."""
    section = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").partition("## Write a fetcher")[2]
    names: dict[str, Any] = {}
    exec(section.partition("```python\n")[2].partition("```")[0], names)
    return names["PlainFetcher"]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server on loopback."""
    with ScriptedServer() as running:
        yield running


@cache
def _default_tls() -> ssl.SSLContext:
    return tls_context()  # reading the authorities takes longer than most tests


class Client:
    """A fetcher with its guard and byte count, and a short way to ask it.

    Args:
        strategy: Name of the fetcher.
        tls: TLS settings in place of the default ones.
        guard: In place of one that allows loopback.
        fetch_settings: In place of the default ones.
    """

    def __init__(
        self,
        strategy: str,
        tls: ssl.SSLContext | None = None,
        guard: Guard | None = None,
        fetch_settings: FetchSettings | None = None,
    ) -> None:
        self.counter = ByteCount()
        settings = Settings(fetch=fetch_settings or FetchSettings())
        self.guard = guard or Guard(["127.0.0.0/8"])
        self.fetcher: Fetcher = fetch.create(strategy, settings, self.guard, self.counter, tls or _default_tls())

    async def get(
        self,
        url: str,
        limits: Limits | None = None,
        deadline_s: float = 10.0,
        addresses: tuple[str, ...] = ("127.0.0.1",),
        kind: str = "page",
        headers: tuple[tuple[str, str], ...] = FIELDS,
    ) -> Response:
        """Fetch one URL."""
        url = urls.canonicalize(url)
        request = Request(url, urls.host_key(url), urls.fingerprint(url), kind)  # type: ignore[arg-type]
        target = Target(addresses, time.monotonic() + deadline_s, limits or Limits(), headers)
        return await self.fetcher.fetch(request, target)


Connect = Callable[..., Awaitable[Client]]


@pytest_asyncio.fixture
async def connect(strategy: str) -> AsyncIterator[Connect]:
    """Makes clients of the strategy and checks that closing them leaves no thread behind."""
    before = set(threading.enumerate())
    clients: list[Client] = []

    async def make(**options: object) -> Client:
        clients.append(Client(strategy, **options))  # type: ignore[arg-type]
        return clients[-1]

    yield make
    for client in clients:
        await client.fetcher.close()
    left = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("fetch")]
    for thread in left:  # those that were left behind end in their own time
        thread.join(2)
    assert not any(thread.is_alive() for thread in left)


@pytest_asyncio.fixture
async def client(connect: Connect) -> Client:
    """A client of the strategy with default settings."""
    return await connect()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that only the tests trust."""
    return trustme.CA()


@pytest_asyncio.fixture
async def save(client: Client, tmp_path: Path) -> AsyncIterator[Save]:
    """Makes savers of the strategy."""
    savers: list[Saver] = []

    def make(*arguments: str, **limits: int) -> Saver:
        savers.append(Saver(client, tmp_path, FileChoice(arguments or ("pdf",)), **limits))
        return savers[-1]

    yield make
    for saver in savers:
        await saver.downloads.close()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the first part of the body is in its file."""
    event = threading.Event()
    write = Download.write

    def watched(download: Download, piece: bytes) -> bool:
        is_cut = write(download, piece)
        if download.size == CUT:
            event.set()
        return is_cut

    monkeypatch.setattr(Download, "write", watched)
    return event

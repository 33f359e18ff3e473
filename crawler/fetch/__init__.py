"""Fetch strategies by name; a strategy's library is imported when it is asked for, and not before.

`base` has the interface of a fetcher and what all strategies share, `answer` the parser of HTTP/1.1; `dial/` is the
only way to an address. Imports settings and the floor.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from crawler.errors import UsageError

if TYPE_CHECKING:
    from ssl import SSLContext

    from crawler.fetch.base import ByteCount, Fetcher
    from crawler.fetch.dial.guard import Guard
    from crawler.settings.groups import FetchSettings, Settings

Factory = Callable[..., "Fetcher"]


class Strategy(Struct, frozen=True):
    """A way to wait for the network, and what the rest of a crawl has to know of it.

    Args:
        factory: The function that makes its fetcher, as `create` calls it; or `module:function`, to be imported late.
        library: What to install where its library is missing.
        concurrency: Requests in flight in all, where the user sets no number.
        is_one_at_a_time: Whether a request waits until the one before it has ended.
        takes_threads: Whether each request in flight takes a thread.
        replays: Whether answers come out of what `--replay` names, so that there is no server to ask or to spare.
    """

    factory: str | Factory
    library: str = ""
    concurrency: int = 64
    is_one_at_a_time: bool = False
    takes_threads: bool = False
    replays: bool = False


STRATEGIES: dict[str, Strategy] = {
    "asyncio": Strategy("crawler.fetch.aio:create", "aiohttp"),
    "threads": Strategy("crawler.fetch.threads:create", "requests", 16, takes_threads=True),
    "sequential": Strategy("crawler.fetch.threads:create_sequential", "requests", 1, is_one_at_a_time=True),
    "curl": Strategy("crawler.fetch.curl.fetcher:create", "pycurl"),
    "replay": Strategy("crawler.fetch.replay:create", replays=True),
}


def strategy_of(name: str) -> Strategy:
    """The strategy of a name.

    Raises:
        UsageError: If there is none.
    """
    if name not in STRATEGIES:
        close = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(STRATEGIES)}"
        raise UsageError(f"there is no strategy {name!r}; {hint}")
    return STRATEGIES[name]


def concurrency_of(settings: FetchSettings) -> int:
    """Requests in flight in all: what is set, or the default of the strategy.

    Raises:
        UsageError: If there is no such strategy.
    """
    return settings.concurrency or strategy_of(settings.strategy).concurrency


def create(name: str, settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None) -> Fetcher:
    """Make the fetcher of a strategy; call it in the event loop that will run it.

    Args:
        name: A key of `STRATEGIES`.
        settings: Of these, `fetch` is read; the fetcher gets them with the concurrency that counts.
        guard: Asked wherever a socket is opened.
        counter: Where the bytes of bodies are counted.
        tls: TLS settings instead of the default, certificates verified against certifi's authorities; `curl` takes
            the authorities alone from it.

    Raises:
        UsageError: If there is no such strategy, or its library is not installed, or the proxy cannot be used.
    """
    fetch = msgspec.structs.replace(settings.fetch, concurrency=concurrency_of(settings.fetch))
    return _factory(name)(msgspec.structs.replace(settings, fetch=fetch), guard, counter, tls)


def check(name: str) -> None:
    """Find out whether a strategy can be used, before there is a loop to run it.

    Raises:
        UsageError: If there is no such strategy, or its library is not installed.
    """
    _factory(name)


def _factory(name: str) -> Factory:
    strategy = strategy_of(name)
    if not isinstance(strategy.factory, str):
        return strategy.factory
    module, _, function = strategy.factory.partition(":")
    try:
        factory: Factory = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "crawler":
            raise
        raise UsageError(
            f"the strategy {name!r} needs {error.name}, which is not installed: pip install {strategy.library}"
        ) from error
    return factory

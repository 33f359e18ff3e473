"""Fetch strategies by name; a strategy's library is imported when it is asked for, and not before.

`base` has the interface of a fetcher and what all strategies share, `answer` the parser of HTTP/1.1; `dial/` is the
only way to an address. Imports settings and the floor.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from ssl import SSLContext
from typing import TYPE_CHECKING

from crawler.errors import UsageError

if TYPE_CHECKING:
    from crawler.fetch.base import ByteCount, Fetcher
    from crawler.fetch.dial.guard import Guard
    from crawler.settings.groups import Settings

# name -> (module and its function that makes the fetcher, what to install where its library is missing)
STRATEGIES = {
    "asyncio": ("crawler.fetch.aio:create", "aiohttp"),
    "threads": ("crawler.fetch.threads:create", "requests"),
    "sequential": ("crawler.fetch.threads:create_sequential", "requests"),
    "curl": ("crawler.fetch.curl.fetcher:create", "pycurl"),
    "replay": ("crawler.fetch.replay:create", ""),
}


def create(name: str, settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None) -> Fetcher:
    """Make the fetcher of a strategy; call it in the event loop that will run it.

    Args:
        name: A key of `STRATEGIES`.
        settings: Of these, `fetch` and `concurrency` are read.
        guard: Asked wherever a socket is opened.
        counter: Where the bytes of bodies are counted.
        tls: TLS settings instead of the default, certificates verified against certifi's authorities; `curl` takes
            the authorities alone from it.

    Raises:
        UsageError: If there is no such strategy, or its library is not installed, or the proxy cannot be used.
    """
    fetcher: Fetcher = _factory(name)(settings, guard, counter, tls)
    return fetcher


def check(name: str) -> None:
    """Find out whether a strategy can be used, before there is a loop to run it.

    Raises:
        UsageError: If there is no such strategy, or its library is not installed.
    """
    _factory(name)


def _factory(name: str) -> Callable[..., Fetcher]:
    if name not in STRATEGIES:
        raise UsageError(f"there is no strategy {name!r}; known are {', '.join(STRATEGIES)}")
    place, library = STRATEGIES[name]
    module, _, function = place.partition(":")
    try:
        factory: Callable[..., Fetcher] = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "crawler":
            raise
        raise UsageError(
            f"the strategy {name!r} needs {error.name}, which is not installed: pip install {library}"
        ) from error
    return factory

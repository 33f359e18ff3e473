"""Fetch strategies by name; a strategy's library is imported when it is asked for, and not before."""

from __future__ import annotations

import importlib
from ssl import SSLContext
from types import ModuleType
from typing import TYPE_CHECKING

from crawler.errors import UsageError

if TYPE_CHECKING:
    from crawler.fetch.base import ByteCount, Fetcher
    from crawler.fetch.dial.guard import Guard
    from crawler.settings.groups import Settings

# name -> (module with a `create` function, what to install where its library is missing)
STRATEGIES = {
    "asyncio": ("crawler.fetch.aio", "aiohttp"),
    "threads": ("crawler.fetch.threads", "requests"),
    "sequential": ("crawler.fetch.sequential", "requests"),
    "curl": ("crawler.fetch.curl.fetcher", "pycurl"),
    "replay": ("crawler.fetch.replay", ""),
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
    module = _module(name)
    fetcher: Fetcher = module.create(settings, guard, counter, tls)
    return fetcher


def check(name: str) -> None:
    """Find out whether a strategy can be used, before there is a loop to run it.

    Raises:
        UsageError: If there is no such strategy, or its library is not installed.
    """
    _module(name)


def _module(name: str) -> ModuleType:
    if name not in STRATEGIES:
        raise UsageError(f"there is no strategy {name!r}; known are {', '.join(STRATEGIES)}")
    module_name, library = STRATEGIES[name]
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "crawler":
            raise
        raise UsageError(
            f"the strategy {name!r} needs {error.name}, which is not installed: pip install {library}"
        ) from error

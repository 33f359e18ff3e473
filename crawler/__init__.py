"""A concurrent web crawler: fetching waits for the network, parsing burns CPU, and each gets what it needs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crawler.version import VERSION

__version__ = VERSION

if TYPE_CHECKING:
    from crawler import frontier as frontier
    from crawler import urls as urls
    from crawler.api import Result as Result
    from crawler.api import crawl as crawl
    from crawler.api import stream as stream
    from crawler.errors import CrawlerError as CrawlerError
    from crawler.models import Record as Record

__all__ = ["CrawlerError", "Record", "Result", "crawl", "frontier", "stream", "urls"]

_HOMES = {"Result": "api", "crawl": "api", "stream": "api", "CrawlerError": "errors", "Record": "models"}


def __getattr__(name: str) -> Any:
    """Load public names at first use, so that `crawler --help` pays for none of them."""
    if name in _HOMES:
        return getattr(import_module(f"crawler.{_HOMES[name]}"), name)
    if name == "frontier":
        import_module("crawler.frontier.robots")
    if name in ("frontier", "urls"):
        return import_module(f"crawler.{name}")
    raise AttributeError(f"module 'crawler' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The interface of a pool of parse workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from crawler.errors import ParseError
from crawler.models import Parsed, Response


class ParsePool(Protocol):
    """Where pages are parsed."""

    async def start(self) -> None: ...
    def submit(self, item: Response, done: Callable[[Parsed | ParseError], None]) -> None: ...
    def update(self, change: object) -> None: ...
    async def close(self) -> None: ...

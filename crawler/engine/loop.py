"""Runs a coroutine to its end on the fastest event loop that is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result_ = TypeVar("Result_")


def run_loop(main: Callable[[], Coroutine[Any, Any, Result_]]) -> Result_:
    """Run a coroutine on the fastest event loop there is."""
    try:
        from uvloop import new_event_loop  # not on every platform
    except ImportError:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main())

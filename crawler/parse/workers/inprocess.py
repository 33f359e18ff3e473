"""The other two ways to parse, there so that the difference can be measured: threads, and the event loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import local
from typing import Generic, TypeVar

from crawler.errors import ParseError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class InlinePool(Generic[Item, Answer]):
    """Runs each job on the event loop as soon as it is submitted; fetching waits meanwhile.

    Args:
        factory: Makes the function that does the work, given the context.
        context: First argument of `factory`.
    """

    def __init__(self, factory: Callable[[object], Callable[[Item], Answer]], context: object) -> None:
        self._factory = factory
        self._context = context
        self._work = factory(context)

    def update(self, change: object) -> None:
        """Begin anew with the context, which the caller has changed."""
        self._work = self._factory(self._context)

    async def start(self) -> None:
        """Nothing to start."""

    def submit(self, item: Item, done: Callable[[Answer | ParseError], None]) -> None:
        """Do the work now and tell `done` in the loop's next turn."""
        asyncio.get_running_loop().call_soon(done, attempt(self._work, item))

    async def close(self) -> None:
        """Nothing to close."""


class ThreadPool(Generic[Item, Answer]):
    """Runs jobs in threads of this process, which share one interpreter lock with the event loop.

    Args:
        factory: Makes the function that does the work, given the context; called once in each thread.
        context: First argument of `factory`.
        workers: Number of threads.
    """

    def __init__(self, factory: Callable[[object], Callable[[Item], Answer]], context: object, workers: int) -> None:
        self._factory = factory
        self._context = context
        self._changes = 0
        self._local = local()
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="parse")

    def update(self, change: object) -> None:
        """Begin anew with the context, which the caller has changed."""
        self._changes += 1

    def _attempt(self, item: Item) -> Answer | ParseError:
        changes = self._changes
        if getattr(self._local, "changes", None) != changes:
            self._local.work = self._factory(self._context)
            self._local.changes = changes
        return attempt(self._local.work, item)

    async def start(self) -> None:
        """Threads start with their first job."""

    def submit(self, item: Item, done: Callable[[Answer | ParseError], None]) -> None:
        """Queue an item; `done` is called on the event loop."""
        loop = asyncio.get_running_loop()
        future = self._executor.submit(self._attempt, item)

        def tell(finished: Future[Answer | ParseError]) -> None:
            if not finished.cancelled() and not loop.is_closed():
                loop.call_soon_threadsafe(done, finished.result())

        future.add_done_callback(tell)

    async def close(self) -> None:
        """Drop what is queued and wait for the jobs that run."""
        await asyncio.get_running_loop().run_in_executor(None, lambda: self._executor.shutdown(cancel_futures=True))


def attempt(work: Callable[[Item], Answer], item: Item) -> Answer | ParseError:
    """Do the work; an exception becomes a ParseError."""
    try:
        return work(item)
    except MemoryError:
        return ParseError("parse_memory", "the page needs more memory than there is")
    except Exception as error:
        return ParseError("parse_failed", f"{type(error).__name__}: {error}")

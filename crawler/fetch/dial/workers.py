"""Threads for calls that block, some of them for ever: one that does not come back is left behind and replaced."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from crawler.errors import FetchError

MAX_ABANDONED_FACTOR = 8  # threads left behind at a time, as a multiple of those at work


class Call:
    """One call on its way through the threads.

    Args:
        loop: The event loop in which `future` is waited for.
        function: What a thread is to run.
        unclaimed: Called in the loop with a result for which nobody waits any more.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        function: Callable[[], Any],
        unclaimed: Callable[[Any], None] | None = None,
    ) -> None:
        self.loop = loop
        self.function = function
        self.unclaimed = unclaimed
        self.future: asyncio.Future[Any] = loop.create_future()
        self._result: object = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Run it in this thread."""
        try:
            self._result = self.function()
        except BaseException as error:
            self._error = error

    def settle(self) -> None:
        """Hand the outcome to the loop, from any thread."""
        with suppress(RuntimeError):  # the loop has gone; nobody waits
            self.loop.call_soon_threadsafe(self._set)

    def disclaim(self) -> None:
        """Whoever waited has gone; what has come for them already is unclaimed as well."""
        if not self.future.cancel() and not self.future.cancelled() and self.future.exception() is None:
            self._give_back()

    def _give_back(self) -> None:
        if self._error is None and self.unclaimed is not None:
            self.unclaimed(self._result)

    def _set(self) -> None:
        if self.future.done():
            self._give_back()
        elif self._error is None:
            self.future.set_result(self._result)
        else:
            self.future.set_exception(self._error)


class Workers:
    """At most `limit` daemon threads that run calls in the order given; started when they are needed.

    Args:
        limit: Threads at work at a time.
        name: Prefix of their names.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._wake = threading.Condition()
        self._queue: deque[Call] = deque()
        self._running: dict[Call, threading.Thread] = {}
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._abandoned = 0
        self._is_closed = False

    def submit(self, function: Callable[[], Any], unclaimed: Callable[[Any], None] | None = None) -> Call:
        """Give a function to the next free thread; await `.future` of what comes back.

        Args:
            function: What to run.
            unclaimed: Called in the loop with a result for which nobody waits any more.

        Raises:
            FetchError: `no_resources` if no thread can be started, or too many do not come back.
        """
        call = Call(asyncio.get_running_loop(), function, unclaimed)
        with self._wake:
            if self._is_closed:
                raise FetchError("internal", "the threads are closed")
            self._queue.append(call)
            try:
                self._grow()
            except FetchError:
                self._queue.remove(call)
                raise
            self._wake.notify()
        return call

    def abandon(self, call: Call, error: BaseException | None = None) -> None:
        """Wait no longer for a call: its thread no longer counts, and another may take its place.

        Args:
            call: What `submit` gave.
            error: For whoever still waits; cancelled if None.
        """
        if error is not None and not call.future.done():
            call.future.set_exception(error)
        call.future.cancel()
        with self._wake:
            if call in self._queue:
                self._queue.remove(call)
            thread = self._running.pop(call, None)
            if thread is not None:
                self._threads.discard(thread)
                self._abandoned += 1
                if self._queue:
                    with suppress(FetchError):  # those in the queue wait for the threads that are left
                        self._grow()

    def close(self, patience_s: float) -> None:
        """Cancel what waits and let every thread end after its call; those that take longer are left behind.

        Args:
            patience_s: Seconds to wait for the threads.
        """
        with self._wake:
            self._is_closed = True
            for call in self._queue:
                call.future.cancel()
            self._queue.clear()
            self._wake.notify_all()
            threads = list(self._threads)
        until = time.monotonic() + patience_s
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _grow(self) -> None:
        if self._idle >= len(self._queue) or len(self._threads) >= self._limit:
            return
        if self._abandoned >= self._limit * MAX_ABANDONED_FACTOR:
            raise FetchError("no_resources", f"{self._abandoned} threads do not come back")
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise FetchError("no_resources", str(error)) from error
        else:
            self._threads.add(thread)

    def _work(self) -> None:
        while (call := self._next()) is not None:
            call.run()
            with self._wake:
                is_abandoned = self._running.pop(call, None) is None
                if is_abandoned:
                    self._abandoned -= 1
            call.settle()
            if is_abandoned:
                return
            del call

    def _next(self) -> Call | None:
        with self._wake:
            self._idle += 1
            while not self._queue and not self._is_closed:
                self._wake.wait()
            self._idle -= 1
            if not self._queue:
                self._threads.discard(threading.current_thread())
                return None
            call = self._queue.popleft()
            self._running[call] = threading.current_thread()
            return call

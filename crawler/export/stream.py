"""Records written to a stream while the crawl runs, by a thread of its own: a slow reader must not stop the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

CLOSE_TIMEOUT_S = 5.0  # A reader that does not take the last records is waited for this many seconds.


class Sink(Protocol):
    """What lines are written to."""

    def write(self, data: bytes, /) -> object: ...
    def flush(self) -> None: ...


class StreamOutput:
    """Writes lines to a stream; what waits to be written is counted, so that a slow reader slows the crawl down.

    Args:
        stream: Where to.
        count: Told of bytes that wait (positive) and that were written (negative).
        on_room: Called on the event loop when something was written.
        on_closed: Called on the event loop, once, when nothing can be written any more; takes why, in words.
    """

    def __init__(
        self,
        stream: Sink,
        count: Callable[[int], None],
        on_room: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._count = count
        self._on_room = on_room
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        # A daemon, because a reader that never reads would keep the process for ever.
        self._thread = Thread(target=self._write_all, name="output", daemon=True)
        self._thread.start()

    def put(self, lines: Sequence[bytes]) -> None:
        """Queue lines."""
        data = b"".join(lines)
        if not data:
            return
        self._count(len(data))
        self._queue.put(data)

    async def close(self) -> None:
        """Wait until all is written, or the reader takes no more."""
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join, CLOSE_TIMEOUT_S)

    def _write_all(self) -> None:
        is_open = True
        while (data := self._queue.get()) is not None:
            if is_open:
                try:
                    self._stream.write(data)
                    self._stream.flush()
                except OSError as error:
                    is_open = False
                    self._tell(partial(self._on_closed, _cause(error)))
            self._count(-len(data))
            self._tell(self._on_room)

    def _tell(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(callback)


def _cause(error: OSError) -> str:
    if isinstance(error, BrokenPipeError):
        return "because nobody reads standard output any more"
    return f"because standard output cannot be written: {error.strerror or error}"

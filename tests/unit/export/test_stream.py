"""Records on a stream: written by a thread, counted while they wait, and no reader stops the loop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from crawler.export.stream import StreamOutput


async def test_lines_arrive_in_order_and_are_counted_out() -> None:
    """Everything put is written before close returns, and nothing stays counted."""
    reading, writing = os.pipe()
    waiting: list[int] = []
    with os.fdopen(writing, "wb") as stream:
        output = StreamOutput(stream, waiting.append, lambda: None, lambda cause: None)
        output.put([b"a\n", b"b\n"])
        output.put([b"c\n"])
        await output.close()
    with os.fdopen(reading, "rb") as source:
        assert source.read() == b"a\nb\nc\n"
    assert sum(waiting) == 0


async def test_a_reader_that_leaves_is_told_once() -> None:
    """A closed pipe is an event for the crawl, not an exception in it."""
    reading, writing = os.pipe()
    closed = asyncio.Event()
    causes: list[str] = []
    waiting: list[int] = []

    def on_closed(cause: str) -> None:
        causes.append(cause)
        closed.set()

    os.close(reading)
    stream = os.fdopen(writing, "wb", buffering=0)
    output = StreamOutput(stream, waiting.append, lambda: None, on_closed)
    output.put([b"a\n"])
    output.put([b"b\n"])
    await asyncio.wait_for(closed.wait(), 10)
    await output.close()
    stream.close()
    assert causes == ["because nobody reads standard output any more"]
    assert sum(waiting) == 0


async def test_a_full_disk_is_told_as_what_it_is() -> None:
    """What cannot be written names its cause, and nothing is written where there are no lines."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with Path("/dev/full").open("wb", buffering=0) as stream:  # noqa: ASYNC230
        output = StreamOutput(stream, lambda count: None, lambda: None, told.set_result)
        output.put([])
        output.put([b"a\n"])
        cause = await asyncio.wait_for(told, 10)
        await output.close()
    assert cause == "because standard output cannot be written: No space left on device"

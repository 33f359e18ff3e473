"""Writes down at even moments how far a crawl is and what is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from crawler.measure.occupancy import Timeline


class Sampler:
    """Adds a row to the timeline now and then, by a timer of the running loop.

    Args:
        timeline: Where the rows go.
        moment: Answers with the figures of the moment, in the order of the timeline's columns.
    """

    def __init__(self, timeline: Timeline, moment: Callable[[], tuple[float, ...]]) -> None:
        self._timeline = timeline
        self._moment = moment
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin with a row of this moment."""
        self._timeline.add(*self._moment())
        self._timer = asyncio.get_running_loop().call_later(self._timeline.step_s, self.start)

    def stop(self) -> None:
        """End with a row of this moment."""
        if self._timer is not None:
            self._timer.cancel()
            self._timeline.add(*self._moment())

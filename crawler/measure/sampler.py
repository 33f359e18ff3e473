"""Writes down at even moments how far a crawl is and what is at work."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.engine.engine import Engine


class Sampler:
    """Adds a row to the ledger's timeline now and then, by a timer of the running loop.

    Args:
        engine: The crawl.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin with a row of this moment."""
        self._look()
        timeline = self._engine.ledger.timeline
        self._timer = asyncio.get_running_loop().call_later(timeline.step_s, self.start)

    def stop(self) -> None:
        """End with a row of this moment."""
        if self._timer is not None:
            self._timer.cancel()
            self._look()

    def _look(self) -> None:
        self._engine.ledger.timeline.add(*moment(self._engine))


def moment(engine: Engine) -> tuple[float, ...]:
    """The figures of this moment, in the order of the timeline's columns."""
    ledger, frontier, committer = engine.ledger, engine.frontier, engine.committer
    known = ledger.new_urls + sum(engine.before.values())
    ended = sum(ledger.outcomes.values()) + sum(engine.before.values()) - engine.before.get("pending", 0)
    return (
        round(ledger.elapsed_s, 3),
        ledger.pages,
        ledger.requests,
        ledger.outcomes["failed"] + ledger.outcomes["quarantined"],
        ledger.wire_bytes,
        frontier.in_flight,
        frontier.slots,
        engine.parts.held.used,
        engine.settings.parse.hand_off_bytes,
        engine.line.parsing,
        committer.waiting,
        round(time.process_time(), 3),
        round(ledger.parse_cpu_s, 3),
        round(committer.wall_s, 3),
        known,
        max(0, known - ended),
    )

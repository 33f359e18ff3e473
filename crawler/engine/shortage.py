"""What is done when this machine has no file descriptors or threads left: fewer requests, until there is room again."""

from __future__ import annotations

import logging
from collections.abc import Callable

from crawler.engine.parts import Parts
from crawler.errors import FetchError, RunError
from crawler.frontier.frontier import Frontier
from crawler.log.crawl_log import tell
from crawler.measure.ledger import Ledger
from crawler.models import Request

SHED_PAUSE_S = 1.0  # The next try comes this many seconds after this machine ran out of descriptors or threads.
ANSWERS_TO_GROW = 100
MAX_SHEDS = 5  # tries in a row with nothing else under way


class Shortage:
    """Has fewer requests under way where there is no room for all, and more again after a while without trouble.

    Args:
        parts: What the crawl is made of.
        frontier: Has the slots.
        ledger: Takes a note for the user.
        on_failure: Called with what ends the crawl if there is no room for a single request.
    """

    def __init__(
        self, parts: Parts, frontier: Frontier, ledger: Ledger, on_failure: Callable[[RunError], None]
    ) -> None:
        self._parts = parts
        self._frontier = frontier
        self._ledger = ledger
        self._on_failure = on_failure
        self._sheds = 0  # How often in a row this machine ran short.
        self._answers_to_grow = 0  # Answers until one request more is tried; 0 while all slots are in use.

    def shed(self, request: Request, error: FetchError, now: float) -> None:
        """There is no room for a request: have fewer under way from now on, or end if there is none at all."""
        self._parts.fetcher.close_idle()  # connections of hosts that have nothing to say may hold all descriptors
        self._frontier.failed(request, now, error.reason, is_network=False)
        if self._parts.in_progress is not None:
            self._parts.in_progress.leave(request.seq)
        self._sheds = 0 if self._frontier.in_flight else self._sheds + 1
        remedy = "raise the limit (ulimit -n) or lower --concurrency"
        if self._sheds > MAX_SHEDS:
            self._on_failure(RunError(f"{error.detail or error}: {remedy}, then resume"))
            return
        slots = self._frontier.shed(request)
        self._answers_to_grow = ANSWERS_TO_GROW
        self._ledger.note("no_resources", f"{error.detail or error}: fewer requests were kept under way; {remedy}")
        sentence = f"{error.detail or error}: at most {slots} requests under way from now on"
        tell(logging.WARNING, "fewer_slots", sentence, slots=slots)
        self._frontier.retry(request, now + SHED_PAUSE_S)

    def is_over(self) -> None:
        """A request left."""
        self._sheds = 0

    def answered(self) -> None:
        """An answer came: what was short may be there again, so after many of them one request more is tried."""
        self._sheds = 0
        if not self._answers_to_grow:
            return
        self._answers_to_grow -= 1
        if not self._answers_to_grow:
            self._answers_to_grow = ANSWERS_TO_GROW
            self._frontier.grow()

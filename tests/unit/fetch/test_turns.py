"""A fetch that waits for a thread has not begun: its clocks run from when it has its turn."""

from __future__ import annotations

import math
import time

from crawler.fetch.base import RATE_WINDOW_S, ByteCount
from crawler.fetch.blocking import FetchState
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.target import Limits, Target
from crawler.models import Request

WAITED_S = 1000.0


def test_the_clocks_of_a_fetch_start_when_it_has_its_turn() -> None:
    limits = Limits(timeout_s=60.0, min_rate_bytes_s=100)
    asked_at = time.monotonic() - WAITED_S
    target = Target((), asked_at + limits.timeout_s, limits)
    fetch = FetchState(Request("http://a.example/", "a.example", 1), target, Guard(()), ByteCount(), None)
    fetch.started = asked_at
    assert not fetch.has_begun  # so that nobody stops it while it waits
    fetch.begin()
    left = fetch.intake.deadline - fetch.started
    assert math.isclose(left, limits.timeout_s, abs_tol=1e-6)
    assert fetch.overdue_at == fetch.intake.deadline
    fetch.enter("connect", 10.0)
    assert fetch.left() > 0
    assert not fetch.intake.add(b"x", fetch.started + RATE_WINDOW_S / 2)  # and it is not too slow

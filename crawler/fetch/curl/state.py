"""One fetch of the strategy `curl`: its clock, its answer so far, and what wakes it."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

from crawler.errors import FetchError
from crawler.fetch.base import ByteCount, Intake, make_page
from crawler.fetch.dial.target import Target
from crawler.models import Headers, Request, Response

CLOCK_STEP_S = 0.005  # uvloop's clock moves in milliseconds; a timer may come this much early

Phase = Literal["connect", "head", "body"]


class FetchState:
    """One fetch, as far as it has come; callbacks of the loop and of libcurl write into it.

    Args:
        request: What to get.
        target: Where it goes.
        counter: Where the bytes of the body are counted.
        loop: The running loop.

    Raises:
        FetchError: `deadline` if it has passed.
    """

    def __init__(self, request: Request, target: Target, counter: ByteCount, loop: asyncio.AbstractEventLoop) -> None:
        self.request = request
        self.target = target
        self.started = time.monotonic()
        if self.started >= target.deadline:
            raise FetchError("deadline", "before it began")
        self.status = 0
        self.sends = 1  # How often the request was sent.
        self.headers: Headers = ()
        self.truncated: str | None = None
        self.is_broken = False  # the body cannot come to a proper end
        self._loop = loop
        self._connect_s = self._tls_s = 0.0  # 0 where a connection is used again
        self._head_at = self.started
        self._intake = Intake(target, counter, self.started)
        self._phase: Phase = "connect"
        self._until = target.deadline
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._awaited: asyncio.Future[Any] | None = None
        self._stopped: FetchError | None = None

    def expect(self) -> asyncio.Future[Any]:
        """What to wait for next; the clock, `finish` and `fail` end it too.

        Raises:
            FetchError: If the fetch has been stopped.
        """
        if self._stopped is not None:
            raise self._stopped
        self._awaited = self._loop.create_future()
        return self._awaited

    def enter(self, phase: Phase, patience_s: float) -> None:
        """Begin a phase, or a wait in it, that may take this many seconds."""
        self._phase = phase
        self._set_clock(time.monotonic(), patience_s)

    def _set_clock(self, now: float, patience_s: float) -> None:
        # The timer is moved only to an earlier time. One that rings too early is set again, which is rare.
        self._until = min(self._intake.deadline, now + patience_s)
        if self._timer is None or self._until < self._rings_at:
            self._arm(now)

    def _arm(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = self._until
        self._timer = self._loop.call_later(max(0.0, self._until - now), self._ring)

    def _ring(self) -> None:
        now = time.monotonic()
        if now < self._until - CLOCK_STEP_S:
            self._arm(now)
        elif now < self._intake.deadline - CLOCK_STEP_S:
            reason = {"connect": "connect_timeout", "head": "first_byte_timeout", "body": "read_timeout"}[self._phase]
            self.fail(FetchError(reason))
        elif self._phase == "body":
            self.truncated = "time"
            self.finish()
        else:
            self.fail(FetchError("deadline", f"while waiting for {self._phase}"))

    def note_dial(self, dial_s: tuple[float, float]) -> None:
        """Note what a connection took and then TLS, seconds; a second one adds to the first."""
        self._connect_s += dial_s[0]
        self._tls_s += dial_s[1]

    def take_head(self, status: int, headers: Headers) -> bool:
        """Take the answer's head; whether its body is wanted."""
        now = time.monotonic()
        limits = self.target.limits
        self._head_at = now
        self.status, self.headers = status, headers
        self.truncated = self._intake.begin(self.request.kind, status, headers)
        self._phase = "body"
        self._set_clock(now, limits.read_timeout_s)
        return self.truncated is None

    def take(self, piece: bytes) -> bool:
        """Take a piece of the body; whether more is wanted.

        Raises:
            FetchError: `too_slow`.
        """
        now = time.monotonic()
        if self._intake.add(piece, now):
            self.truncated = "length"
            return False
        self._set_clock(now, self.target.limits.read_timeout_s)
        return True

    def finish(self) -> None:
        """The answer has come as far as it will."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def fail(self, error: FetchError) -> None:
        """No answer will come."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(error)

    def stop(self, error: FetchError) -> None:
        """End the fetch from outside, whatever it waits for now or next."""
        self._stopped = error
        self.fail(error)

    def stop_clock(self) -> None:
        """The fetch is over."""
        if self._timer is not None:
            self._timer.cancel()

    def discard(self) -> None:
        """Forget the body and take it out of the byte count."""
        self._intake.discard()

    def page(self, strategy: str) -> Response:
        """The answer as a page."""
        return make_page(
            self.request,
            (self.status, self.headers),
            self._intake.take(),
            (self.started, self._head_at),
            strategy,
            complete=self.truncated is not None or not self.is_broken,
            truncated=self.truncated,
            dial=(self._connect_s, self._tls_s),
            sends=self.sends,
        )

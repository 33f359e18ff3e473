"""Whether a request is worth a second try, and after what wait. The policy returns the wait and never sleeps."""

from __future__ import annotations

from msgspec import Struct

from crawler.errors import FetchError

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 522, 524})
# All hosts together may have so many retries for each request.
BUDGET_SHARE = 0.1
# Every crawl has so many retries, so that small ones are not starved.
BUDGET_FLOOR = 50


class RetryPolicy(Struct, frozen=True):
    """How often and how long.

    Args:
        retries: Tries after the first.
        backoff_s: Longest wait before the first retry, seconds; doubles each time.
        max_backoff_s: Longest wait before any, seconds.
    """

    retries: int
    backoff_s: float
    max_backoff_s: float

    def after(
        self,
        attempts_made: int,
        *,
        status: int | None = None,
        error: FetchError | None = None,
        complete: bool = True,
        retry_after_s: float | None = None,
        rand: float,
    ) -> float | None:
        """Judge a try that has ended.

        Args:
            attempts_made: Tries so far, this one included.
            status: HTTP status, None where no answer came.
            error: Why no answer came.
            complete: Whether the body came to its end.
            retry_after_s: What the server asked to wait, seconds.
            rand: Uniformly random in [0, 1]; spreads the waits so that retries do not come in waves.

        Returns:
            Seconds to wait before the next try, None if this one is final.
        """
        if attempts_made > self.retries:
            return None
        if error is not None:
            can_help = error.is_retryable
        else:
            can_help = not complete or status in RETRYABLE_STATUSES
        if not can_help:
            return None
        longest_s = min(self.max_backoff_s, self.backoff_s * 2.0 ** (attempts_made - 1))
        return max(rand * longest_s, retry_after_s or 0.0)


class RetryBudget:
    """What all hosts together may retry: a share of the requests made, so that an outage does not multiply them.

    Args:
        share: Retries for each request.
        floor: Retries that are always there.
    """

    __slots__ = ("_floor", "_share", "requests", "retries")

    def __init__(self, share: float = BUDGET_SHARE, floor: int = BUDGET_FLOOR) -> None:
        self._share = share
        self._floor = floor
        self.requests = 0
        self.retries = 0

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retries} retries for {self.requests} requests>"

    def count_request(self) -> None:
        """A request was sent, a first or a later one."""
        self.requests += 1

    def take(self) -> bool:
        """Take one retry out of the budget; False if none is left."""
        if self.retries >= self._floor + self._share * self.requests:
            return False
        self.retries += 1
        return True

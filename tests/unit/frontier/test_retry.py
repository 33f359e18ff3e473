"""When a second try is worth it, after what wait, and how many there may be in all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import FETCH_REASONS, FetchError
from crawler.frontier.retry import BUDGET_FLOOR, RetryBudget, RetryPolicy

POLICY = RetryPolicy(retries=2, backoff_s=1.0, max_backoff_s=600.0)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 522, 524])
def test_passing_statuses_are_tried_again(status: int) -> None:
    assert POLICY.after(1, status=status, rand=0.5) == 0.5


@pytest.mark.parametrize("status", [200, 204, 301, 304, 400, 401, 403, 404, 410, 451, 501, 505, 999])
def test_other_statuses_are_final(status: int) -> None:
    assert POLICY.after(1, status=status, rand=0.5) is None


@pytest.mark.parametrize("reason", FETCH_REASONS)
def test_errors_know_if_a_second_try_can_help(reason: str) -> None:
    error = FetchError(reason)
    assert (POLICY.after(1, error=error, rand=0.5) is not None) is error.is_retryable


def test_incomplete_bodies_are_tried_again() -> None:
    """scenario 12"""
    assert POLICY.after(1, status=200, complete=False, rand=0.5) == 0.5


def test_tries_end() -> None:
    waits = [POLICY.after(made, status=503, rand=1.0) for made in (1, 2, 3, 4)]
    assert waits == [1.0, 2.0, None, None]


def test_no_retries_means_none() -> None:
    assert RetryPolicy(0, 1.0, 600.0).after(1, error=FetchError("refused"), rand=1.0) is None


def test_waits_double_up_to_a_limit() -> None:
    patient = RetryPolicy(retries=20, backoff_s=1.0, max_backoff_s=600.0)
    waits = [patient.after(made, status=503, rand=1.0) for made in range(1, 21)]
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert waits[-1] == 600.0


def test_the_server_may_ask_for_more_but_not_for_less() -> None:
    assert POLICY.after(1, status=503, retry_after_s=30.0, rand=1.0) == 30.0
    assert POLICY.after(2, status=503, retry_after_s=0.5, rand=1.0) == 2.0


@given(st.integers(1, 20), st.floats(0, 1), st.floats(0.001, 100), st.floats(0.001, 1000))
def test_the_wait_is_spread_over_the_whole_range(made: int, rand: float, backoff_s: float, longest_s: float) -> None:
    """Full jitter: from nothing to the longest wait, evenly."""
    policy = RetryPolicy(20, backoff_s, longest_s)
    wait, longest = policy.after(made, status=503, rand=rand), policy.after(made, status=503, rand=1.0)
    assert wait is not None
    assert longest is not None
    assert longest <= longest_s
    assert wait == pytest.approx(rand * longest)


def test_small_crawls_have_some_dozens_of_retries() -> None:
    budget = RetryBudget()
    budget.count_request()
    taken = [budget.take() for _ in range(1000)]
    assert 24 <= sum(taken) <= BUDGET_FLOOR + 1
    assert not taken[-1]


def test_large_crawls_retry_a_tenth() -> None:
    """When everything fails, retries add a tenth to the load, not twice the load."""
    budget = RetryBudget()
    for _ in range(100_000):
        budget.count_request()
        budget.take()
    assert budget.retries == pytest.approx(10_000, abs=BUDGET_FLOOR + 1)
    assert repr(budget) == f"<RetryBudget {budget.retries} retries for 100000 requests>"


def test_the_budget_fills_again_with_requests() -> None:
    budget = RetryBudget(share=0.1, floor=0)
    assert not budget.take()
    for _ in range(10):
        budget.count_request()
    assert budget.take()
    assert not budget.take()

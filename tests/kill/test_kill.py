"""Fetched at least once, recorded exactly once, whatever is killed and whenever: a short campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill.campaign import ANY_MOMENT, STRATEGIES, Bench, Case, put_through
from tests.kill.child import POINTS

# Every point once, the strategies and parse modes in turn.
CASES = [
    Case(STRATEGIES[number % 2], "inline" if number % 5 == 0 else "processes", point, number)
    for number, point in enumerate(POINTS)
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.where}, {case.strategy}, {case.mode}")
def test_a_crawl_that_is_killed_at_a_point_loses_nothing_and_repeats_no_record(
    case: Case, bench: Bench, tmp_path: Path
) -> None:
    """The records are those of a crawl in peace, and only what was not committed is asked for again."""
    # scenarios 102, 103, 106
    kills = 2 if POINTS[case.point].session == "resumed" else 1  # a run has to be killed before it can be resumed
    result = put_through(bench, case, tmp_path, kills)
    assert result.is_good, result
    assert result.kills == kills, "the crawl never passed the point"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_crawl_that_is_killed_at_any_moment_loses_nothing_and_repeats_no_record(
    strategy: str, bench: Bench, tmp_path: Path
) -> None:
    """The same, at moments that nobody chose."""
    # scenario 103
    result = put_through(bench, Case(strategy, "processes", ANY_MOMENT, 1), tmp_path, 2)
    assert result.is_good, result

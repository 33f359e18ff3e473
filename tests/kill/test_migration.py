"""A run that an earlier version of the crawler began is resumed, killed while its state is migrated, and resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.run.verify import verify
from tests.kill.campaign import OPTIONS, Bench, assert_goes_on
from tests.kill.child import MIGRATION_POINTS
from tests.kill.session import FAST, run_session
from tests.unit.store.formats import as_format


@pytest.mark.parametrize("point", MIGRATION_POINTS)
def test_a_run_of_the_version_before_goes_on_whenever_its_migration_is_killed(
    point: str, bench: Bench, tmp_path: Path
) -> None:
    """Its records are those of a crawl in peace, and a copy of its state is kept."""
    # scenario 107
    run = tmp_path / "run"
    assert run_session("crawl", *bench.seeds, *OPTIONS, "--run", run, point=("committed", 5)).was_killed
    as_format(run / "state.sqlite", 2)
    assert verify(run) == []
    assert run_session("resume", run, *FAST, point=(point, 1)).was_killed
    assert_goes_on(bench, run)
    assert verify(run) == []
    assert (run / "state.format-2.sqlite").exists()

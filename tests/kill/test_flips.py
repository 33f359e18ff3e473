"""Single bits that flip in what a run holds are never silent, and a resume never hangs for them."""

from __future__ import annotations

from tests.kill import flips

FLIPS = 16  # `python -m tests.kill.flips` flips 1,000.


def test_bits_that_flip_are_never_silent_and_never_hang() -> None:
    """Each flip is refused, and repaired where the records are whole, or the run ends as if there had been none."""
    # scenario 105
    said: list[str] = []
    results = flips.campaign(FLIPS, 4, said.append)
    assert said == []
    assert results.total() == FLIPS

"""A lab that crawls are killed on, and what a crawl of it gives that nobody disturbs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kill.campaign import Bench, open_bench


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """The world of the campaign, served."""
    with open_bench() as opened:
        yield opened

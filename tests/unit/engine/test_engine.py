"""The engine as a whole: what stops it before it has begun."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from crawler.engine import assembly
from crawler.engine.engine import Engine
from crawler.run import folder as runs
from crawler.scope import seeds
from crawler.settings.groups import FetchSettings, ParseSettings, Settings
from crawler.store.snapshot import SqliteSnapshot
from crawler.store.sqlite import SqliteStore

SETTINGS = ParseSettings(mode="inline")


def made(folder: Path, run: runs.Run | None = None) -> Engine:
    """An engine that would crawl one page of a folder."""
    (folder / "a.example").mkdir(exist_ok=True)
    (folder / "a.example" / "index.html").write_text("<p>hello")
    settings = Settings(fetch=FetchSettings(strategy="replay", replay=str(folder)), parse=SETTINGS)
    given = seeds.read(["http://a.example/"], (), (), "host", io.BytesIO())
    return assembly.build(settings, given, run, before=settings if run else None)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_crawl_that_is_stopped_before_it_runs_ends_at_once_and_closes_its_parts(
    tmp_path: Path, times: int
) -> None:
    """As when Ctrl-C comes while the dashboard is still being started."""
    engine = made(tmp_path)
    for _ in range(times):
        engine.stop(cause="by SIGINT")
    assert engine.is_stopping
    ending = await engine.run(["http://a.example/"])
    assert (ending.why, ending.cause) == ("stopped", "by SIGINT")
    assert engine.ledger.requests == 0


async def test_a_crawl_that_never_began_leaves_a_death_before_it_to_be_accounted_for(tmp_path: Path) -> None:
    """A resume that is stopped at its start ended in order itself, but has not seen to what the kill left."""
    (tmp_path / "run").mkdir()
    run = runs.Run(tmp_path / "run")
    store = SqliteStore(run.state, is_new=True)
    store.begin_session()
    store.close(is_clean=False)
    engine = made(tmp_path, run)
    engine.stop(cause="by SIGINT")
    engine.stop(cause="by SIGINT")
    assert (await engine.run(["http://a.example/"])).why == "stopped"
    with SqliteSnapshot(run.state) as state:
        assert not state.is_clean()
    assert (await made(tmp_path, run).run(["http://a.example/"])).why == "finished"
    with SqliteSnapshot(run.state) as state:
        assert state.is_clean()

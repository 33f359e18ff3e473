"""The beginning of a run out of another one's WARC: which URLs are pending, and which keep their records."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import RunError, UsageError
from crawler.run import folder as runs
from crawler.run.folder import Run
from crawler.run.reparse import Reparse
from crawler.run.verify import verify
from crawler.settings.file import render
from crawler.settings.groups import FetchSettings, OutputSettings, Settings, SiteSettings
from crawler.store.journal import read_lines
from crawler.store.sqlite import SqliteStore
from tests.unit.made_run import MadeRun, alter, answered, done, found

SEEDS = ("http://a.example/", "http://b.example/", "http://c.example/")


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """A run of three seeds: an answer that leads on, none, and one that is still waited for."""
    made = MadeRun(tmp_path / "parent")
    settings = Settings(
        site=tuple(SiteSettings(url=url, max_pages=1, delay_s=9.0) for url in SEEDS),
        fetch=FetchSettings(headers=("X-Key: secret",), proxy="http://127.0.0.1:1"),
        output=OutputSettings(warc=True, outputs=("a.csv",)),
    )
    (made.folder / "run.toml").write_text(render(settings))
    first, second, _ = made.commit(groups=[found(*SEEDS, are_seeds=True)])
    pages = [f"http://a.example/{name}" for name in "xyz"]
    x, y, _ = made.commit([answered(first, 0.1, b"page"), done(second, "failed", "refused")], [found(*pages, depth=1)])
    made.commit([answered(x, 0.1, b"x"), done(y, "skipped", "robots", was_open=False)])
    made.close()
    return made.folder


def begin(parent: Path, folder: Path) -> Run:
    with closing(Reparse(Run(parent), {"output": {"run": str(folder)}})) as plan:
        return runs.create(plan.settings.output.run, plan.settings, plan.seeds, plan.prepare)


def test_what_has_an_answer_is_pending_and_all_else_is_as_it_was(parent: Path, tmp_path: Path) -> None:
    run = begin(parent, tmp_path / "new")
    store = SqliteStore(run.state, is_new=False)
    outcomes = {url: (outcome, reason) for url, outcome, reason in store.outcomes()}
    assert outcomes == {
        SEEDS[0]: ("pending", None),
        SEEDS[1]: ("failed", "refused"),
        "http://a.example/x": ("pending", None),
        "http://a.example/y": ("skipped", "robots"),
    }
    first, second = store.take("a.example", 0, 9)
    assert (first.url, first.is_seed, first.depth, first.attempts) == (SEEDS[0], True, 0, 0)
    assert (second.url, second.is_seed, second.depth, second.attempts) == ("http://a.example/x", False, 1, 0)
    store.close(is_clean=True)
    assert [line for line in read_lines(parent / "records.jsonl") if b'"failed"' in line] == list(
        read_lines(run.journal)
    )
    assert verify(run.folder) == []


def test_nothing_is_asked_of_a_server_and_no_secret_is_taken_over(parent: Path, tmp_path: Path) -> None:
    text = begin(parent, tmp_path / "new").settings.read_text()
    assert "secret" not in text
    assert "127.0.0.1:1" not in text
    assert SEEDS[2] not in text  # nobody has asked for it yet
    with closing(Reparse(Run(parent), {})) as plan:
        chosen = plan.settings
    assert (chosen.fetch.strategy, chosen.fetch.replay) == ("replay", str(parent))
    assert (chosen.crawl.robots, chosen.crawl.sitemaps, chosen.politeness.retries) == (False, False, 0)
    assert all(site.delay_s is None and site.max_pages is None for site in plan.seeds.sites)
    assert (chosen.output.outputs, chosen.output.parent) == ((), str(parent))


def test_the_old_run_is_not_touched(parent: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in parent.iterdir()}
    begin(parent, tmp_path / "new")
    assert {path.name: path.read_bytes() for path in parent.iterdir() if path.name in before} == before


def test_a_run_without_answers_is_refused_and_leaves_nothing(parent: Path, tmp_path: Path) -> None:
    (parent / "records.jsonl").write_bytes(b"")
    alter(parent, "UPDATE outputs SET length = 0")
    with pytest.raises(UsageError, match="holds no answer"):
        begin(parent, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: alter(folder, "PRAGMA user_version = 99"), "has the format 99"),
        (lambda folder: alter(folder, "DROP TABLE hosts"), "is damaged"),
        (lambda folder: (folder / "state.sqlite").write_bytes(b"no state" * 999), "is damaged"),
        (lambda folder: (folder / "state.sqlite").unlink(), "is missing"),
    ],
    ids=["version", "table", "file", "missing"],
)
def test_a_state_that_cannot_be_used_is_told_and_leaves_nothing(
    parent: Path, tmp_path: Path, spoil: object, sentence: str
) -> None:
    spoil(parent)  # type: ignore[operator]
    with pytest.raises(RunError, match=sentence):
        begin(parent, tmp_path / "new")
    new = tmp_path / "new"
    assert not new.exists() or list(new.iterdir()) == []


def test_a_record_that_is_none_stops_it(parent: Path, tmp_path: Path) -> None:
    journal = parent / "records.jsonl"
    journal.write_bytes(b"x" * 10 + journal.read_bytes()[10:])
    with pytest.raises(RunError, match="verify"):
        begin(parent, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []

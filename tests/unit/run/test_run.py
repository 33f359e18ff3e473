"""A run's folder: what is written into it is whole or not there, also after a loss of power."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from crawler.run import folder as runs
from crawler.run.folder import Run
from crawler.scope import seeds
from crawler.settings.groups import Settings


@pytest.fixture
def happenings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is waited for to be on the disk, and what gets its name, in order."""
    seen: list[tuple[str, str]] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor: int) -> None:
        seen.append(("synced", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def watched_replace(path: Path, target: Path) -> Path:
        seen.append(("named", target.name))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    return seen


@pytest.mark.skipif(sys.platform != "linux", reason="the names of open files are asked of /proc")
def test_a_file_has_its_name_when_it_is_on_the_disk_and_then_the_name_is(
    happenings: list[tuple[str, str]], tmp_path: Path
) -> None:
    """Otherwise a loss of power could leave an empty file in the place of a good one."""
    # scenario 104
    given = seeds.read(["https://a.example/"], (), (), "host", sys.stdin.buffer)
    run = runs.create(str(tmp_path / "run"), Settings(), given)
    steps = [("synced", "run.toml.part"), ("named", "run.toml"), ("synced", "run"), ("synced", tmp_path.name)]
    assert happenings == steps
    happenings.clear()
    Run(run.folder).write_stats({"pages": 1})
    assert happenings == [("synced", "stats.json.part"), ("named", "stats.json"), ("synced", "run")]


def test_the_settings_of_a_run_are_for_its_owner_alone(tmp_path: Path) -> None:
    """Its headers may be secrets."""
    given = seeds.read(["https://a.example/"], (), (), "host", sys.stdin.buffer)
    run = runs.create(str(tmp_path / "run"), Settings(), given)
    assert stat.S_IMODE(run.settings.stat().st_mode) == 0o600
    assert [path.name for path in run.folder.iterdir()] == ["run.toml"]

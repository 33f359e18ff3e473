"""Crawls of the lab by the real command, in processes of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler import cli
from crawler.lab.process import LabProcess, serve_folder, serve_in_process
from crawler.lab.world import World, WorldSpec

LAB_OPTIONS = ["--resolve", "*.lab:127.0.0.1", "--allow-private", "127.0.0.0/8", "--delay", "0"]
COMMAND = [sys.executable, "-m", "crawler"]
ROOT = Path(__file__).parents[2]
HANGS_S = 600.0  # a command that takes longer, on however busy a machine, does not end
DOCUMENTATION = Path("/usr/share/doc/python3.11/html")

# What differs between two crawls of one site: when and how, not what.
VOLATILE = ("fetched_at", "elapsed_ms", "strategy", "via", "depth", "attempts")

Record = dict[str, Any]
Say = Callable[..., subprocess.CompletedProcess[str]]


def run_cli(*arguments: object, cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the crawler to its end; no traceback may ever reach the user."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        input=stdin,
        cwd=cwd,
        timeout=HANGS_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def read_records(run: Path) -> list[Record]:
    """All records of a run."""
    return [json.loads(line) for line in (run / "records.jsonl").read_bytes().splitlines()]


def settled(records: list[Record]) -> dict[str, Record]:
    """Records by URL without what may differ between two crawls; a URL may stand in them only once."""
    table = {record["url"]: {k: v for k, v in record.items() if k not in VOLATILE} for record in records}
    assert len(table) == len(records)
    return table


@pytest.fixture(scope="session")
def world() -> WorldSpec:
    """A small web with everything in it that has a truth."""
    return WorldSpec(
        hosts=4, pages_per_host=30, page_bytes=6_000, error_rate=0.1, redirect_rate=0.1, encodings=True, robots=True
    )


@pytest.fixture(scope="session")
def lab(world: WorldSpec) -> Iterator[LabProcess]:
    """The world, served."""
    with serve_in_process(world) as process:
        yield process


@pytest.fixture(scope="session")
def seeds(world: WorldSpec, lab: LabProcess) -> list[str]:
    """Its seeds."""
    return World(world).seeds(lab.port)


@pytest.fixture(scope="session")
def documentation(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """The arguments that crawl hundreds of real pages, or, where there are none, pages of the lab."""
    if DOCUMENTATION.is_dir():
        with serve_folder(DOCUMENTATION) as server:
            yield [f"http://127.0.0.1:{server.port}/library/index.html", "--delay", "0", "--per-host", "8"]
    else:
        yield [*request.getfixturevalue("seeds"), *LAB_OPTIONS]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """The command in this process and in an empty folder, for what ends before anything is begun."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = cli.main(arguments)
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return run

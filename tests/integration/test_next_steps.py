"""What a crawl that has not come to its end says of how it goes on, and what is left alone where nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import COMMAND, ROOT, run_cli
from tests.integration.serving import QUICK, Routes, serve

HTML = {"Content-Type": "text/html"}
LINKS = b"".join(b"<a href=/%d>x</a>" % number for number in range(1, 30))
# Sends Ctrl-C when a module is first looked for, which is a place in the work that does not depend on the clock.
INTERRUPTED_AT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, *rest):
        if name == MODULE:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

MODULE = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
from crawler.__main__ import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A page that links to many."""
    routes: Routes = {f"/{number}": (200, HTML, b"<title>x</title>text") for number in range(1, 30)}
    with serve(routes | {"/": (200, HTML, LINKS)}) as (url, _):
        yield url


@pytest.fixture(scope="module")
def limited(site: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with a report that a limit of pages stopped, and what it said."""
    run = tmp_path_factory.mktemp("limited") / "run"
    options = ("--max-pages", 2, "--report", "--dashboard", 0)
    done = run_cli("crawl", site, *QUICK, *options, "--run", run)
    assert done.returncode == 0, done.stderr
    return run, done.stderr


def test_after_a_limit_of_pages_a_higher_one_is_the_next_step(limited: tuple[Path, str]) -> None:
    """In the summary and in the report, for `resume` alone would do nothing."""
    run, said = limited
    assert f"go on with crawler resume {run} --max-pages N\n" in said
    assert f"crawler resume {run} --max-pages N</code>" in (run / "report.html").read_text(encoding="utf-8")


def test_a_session_with_nothing_to_do_says_so_and_leaves_figures_and_report_alone(limited: tuple[Path, str]) -> None:
    run, _ = limited
    before = {name: (run / name).read_bytes() for name in ("stats.json", "report.html", "records.jsonl")}
    done = run_cli("resume", run)
    assert done.returncode == 0, done.stderr
    assert "There was nothing to do: --max-pages 2 is reached already." in done.stderr
    assert "pages/s" not in done.stderr
    assert {name: (run / name).read_bytes() for name in before} == before


def test_a_session_has_no_dashboard_because_an_earlier_one_had(limited: tuple[Path, str]) -> None:
    """Its port is no setting of the run."""
    run, said = limited
    assert "Dashboard: http" in said
    assert "Dashboard: http" not in run_cli("resume", run).stderr


def test_a_stopped_crawl_has_its_report_and_names_the_files_that_it_has_not(site: str, tmp_path: Path) -> None:
    command = [*COMMAND, "crawl", site, "--delay", "0.5", "--report", "--run", "run", "-o", "-", "-o", "out.csv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, cwd=tmp_path, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 3, said
    assert "Stopped early" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "output     run/report.html" in said
    assert "crawler export run " in said
    assert not (tmp_path / "out.csv").exists()


def test_seeds_in_a_network_of_ones_own_are_told_of_the_option(tmp_path: Path) -> None:
    done = run_cli("crawl", "http://a.test/", "--resolve", "a.test:10.0.0.1", *QUICK, "--run", tmp_path / "run")
    assert "1  failed: private_address" in done.stderr
    assert "--allow-private NET" in done.stderr


@pytest.mark.parametrize("module", ["crawler.cli", "msgspec", "crawler.commands.crawl"])
def test_ctrl_c_before_anything_was_begun_is_a_sentence(module: str, tmp_path: Path) -> None:
    done = interrupted_at(module, tmp_path)
    assert (done.returncode, done.stderr) == (130, "crawler: interrupted before anything was begun\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_when_the_run_has_just_been_made_names_it(tmp_path: Path) -> None:
    done = interrupted_at("uvloop", tmp_path)
    assert done.returncode == 3
    assert done.stderr.endswith("crawler: interrupted; `crawler resume run` goes on with the run\n")
    assert "Traceback" not in done.stderr


def interrupted_at(module: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A crawl that gets Ctrl-C when it begins to import a module."""
    arguments = [sys.executable, "-c", INTERRUPTED_AT, module, "crawl", "http://a.test/", "--run", "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(arguments, capture_output=True, text=True, cwd=folder, env=environment, check=False)

"""`crawler compare` as a user runs it, with tiny sizes: its facts, never its figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from crawler.lab.process import serve_in_process
from crawler.lab.server import Counts
from crawler.lab.world import World, WorldSpec
from tests.integration.conftest import COMMAND, ROOT, run_cli
from tests.integration.test_bench import family_with_a_worker, is_readable

ROUND = ("--rounds", 1)
MODES = ("inline", "threads", "processes")
STRATEGIES = ("sequential", "threads", "asyncio", "curl")
PER_SITE = 3
DELAY_S = 0.2


class Done(NamedTuple):
    """A comparison of the user's own sites that has ended."""

    folder: Path
    report: dict[str, Any]
    stderr: str
    counts: Counts


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Two sites by a list, each with its robots.txt, one of which the list would allow more pages."""
    folder = tmp_path_factory.mktemp("own")
    spec = WorldSpec(hosts=2, pages_per_host=12, page_bytes=4_000, latency_ms=20, latency_spread=0)
    with serve_in_process(spec, log=True) as lab:
        first, second = World(spec).seeds(lab.port)
        (folder / "my sites.txt").write_text(f"{first} max_pages=10\n{second}\n")
        reach = ("--resolve", "*.lab:127.0.0.1", "--allow-private", "127.0.0.0/8")
        polite = ("--delay", DELAY_S, "--pages-per-site", PER_SITE)
        shown = ("--json", "--picture", "out.svg")
        done = run_cli("compare", "--sites", "my sites.txt", *polite, *reach, *ROUND, *shown, cwd=folder)
        assert done.returncode == 0, done.stderr
        yield Done(folder, json.loads(done.stdout), done.stderr, lab.counts())


def test_every_way_is_run_and_all_give_the_same_records(own: Done) -> None:
    """Each strategy with each parse mode, each parser with each parse mode; what is said is what was measured."""
    report = own.report
    assert [(row["strategy"], row["parse"]) for row in report["rows"]] == [(s, m) for s in STRATEGIES for m in MODES]
    assert [(each["parser"], each["parse"]) for each in report["alone"]] == [
        (parser, mode) for parser in ("bs4", "lexbor") for mode in MODES
    ]
    assert report["same"]["is_same"]
    assert report["same"]["runs"] == len(report["rows"]) + len(report["alone"])
    for row in report["rows"]:
        assert row["pages"] == report["about"]["pages"]
        assert row["per_s"]["low"] <= row["per_s"]["median"] <= row["per_s"]["high"]
        assert row["peak_bytes"] > 0
        assert 0 < row["computing"] <= 1
        assert (row["workers_s"]["median"] > 0) == (row["parse"] == "processes")
    for each in report["alone"]:
        assert (each["ready_s"] is not None) == (each["parse"] == "processes")
    assert len(report["lessons"]) == 3


def test_the_users_sites_are_fetched_once_and_politely(own: Done) -> None:
    """No page twice, no more pages than asked for, and the delay between any two requests to a host."""
    assert set(own.counts.requests) == {"site-000.lab", "site-001.lab"}
    for host, targets in own.counts.requests.items():
        assert set(targets.values()) == {1}
        assert len(targets.keys() - {"/robots.txt"}) == PER_SITE
        assert own.counts.max_in_flight[host] == 1
        starts = own.counts.starts[host]
        assert min(after - before for before, after in pairwise(starts)) >= DELAY_S


def test_what_was_fetched_is_kept_and_measured(own: Done) -> None:
    """Its run has a WARC and verifies; latency and size are those of the sites; nothing else is left."""
    found = own.report["own"]
    run = own.folder / found["run"]
    assert (run / "pages.warc.gz").stat().st_size > 0
    assert run_cli("verify", run).returncode == 0
    assert (found["sites"], found["pages"]) == (2, 2 * PER_SITE)
    assert own.report["same"]["records"] == [own.report["about"]["pages"], 2 * PER_SITE]
    assert found["latency_ms"] >= 20
    assert own.report["about"]["latency_ms"] == found["latency_ms"]
    assert own.report["about"]["page_bytes"] == found["page_bytes"]
    assert found["polite_per_s"] <= 2 / DELAY_S
    assert [path.name for path in (own.folder / "data").iterdir()] == [run.name]


def test_the_advice_names_the_users_list_and_settings(own: Done) -> None:
    """So that it can be pasted; politeness binds two sites on any machine."""
    advised = own.report["advice"]
    assert advised["command"].startswith("crawler crawl --sites 'my sites.txt' --delay 0.2")
    assert "Politeness binds" in advised["reason"]


def test_the_picture_is_xml_and_the_terminal_says_how_long_it_takes(own: Done) -> None:
    """One SVG file; on standard error, no progress is drawn where there is no terminal."""
    assert ElementTree.parse(own.folder / "out.svg").getroot().tag.endswith("svg")
    assert "This takes about" in own.stderr
    assert "\r" not in own.stderr


def test_a_folder_of_pages_is_compared_as_a_table_of_80_columns(tmp_path: Path) -> None:
    """Malformed pages too: all ways read them alike, and the folder is left alone."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(4):
        broken = "<table><b><p>one<div>two</b></table><a href='/x'>x" if number == 3 else "<p>text"
        (pages / f"{number}.html").write_text(f"<html lang=en><title>Page {number}</title>{broken}")
    done = run_cli("compare", "--pages", "pages", "--latency", 1, *ROUND, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "4 pages of" in done.stdout
    assert "gave the same 4 records." in done.stdout
    for words in ("WHOLE CRAWLS", "PARSING ALONE", "OVERLAP WAITING", "THREADS DO NOT", "PROCESSES DO", "\nUSE\n"):
        assert words in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pages"]
    assert len(list(pages.iterdir())) == 4


def test_the_command_explains_itself_in_80_columns() -> None:
    """With both of its ways."""
    done = run_cli("compare", "--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    for option in ("--sites", "--pages-per-site", "--latency", "--page-bytes", "--rounds", "--delay", "--picture"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pages", "missing"], ("missing", "not a folder")),
        (["--pages", "."], ("no HTML files", ".html")),
        (["--pages", ".", "--page-bytes", "9"], ("--page-bytes", "--pages")),
        (["--latency", "soon"], ("--latency", "soon", "milliseconds")),
        (["--count", "1000000"], ("1,000,000 pages", "--count")),
        (["--rounds", "0"], ("--rounds", "above 0")),
        (["--concurrency", "5000"], ("--concurrency", "1024")),
        (["--picture", "missing/out.svg"], ("missing/out.svg", "no such folder")),
        (["--picture", "out.png"], ("out.png", ".svg")),
        (["--delay", "2"], ("--delay", "own sites", "--sites")),
        (["--pages-per-site", "2"], ("--pages-per-site", "own sites")),
        (["https://a.example/", "--latency", "9"], ("--latency", "is for the lab")),
        (["--sites", "missing.txt"], ("missing.txt", "No such file")),
        (["http://[bad/"], ("http://[bad/", "valid URL")),
        (["https://a.example/", "--delay", "-1"], ("--delay", "-1")),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(arguments: list[str], words: tuple[str, ...], tmp_path: Path) -> None:
    """One line says what is wrong, and none before it how long it would take; no figures, no files."""
    done = run_cli("compare", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    for word in words:
        assert word in line
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_sites_of_which_nothing_comes_are_a_sentence(tmp_path: Path) -> None:
    """The run that tells why is named, and nothing is measured."""
    done = run_cli("compare", "http://nobody.invalid/", "--resolve", "nobody.invalid:127.0.0.1", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "nothing could be fetched" in done.stderr.splitlines()[-1]
    assert "crawler show data/" in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_a_signal_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    """In the middle of a crawl that is measured; without a traceback."""
    command = [*COMMAND, "compare", "--count", "20", "--latency", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=-1, stderr=-1, cwd=tmp_path, env=environment) as process:
        family = family_with_a_worker(process)
        process.send_signal(signal.SIGTERM)
        said = b"".join(process.communicate())
    assert process.returncode == 130
    assert said.endswith(b"crawler: interrupted\n")
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    for pidfd in family:
        with os.fdopen(pidfd) as file:
            assert is_readable(file.fileno()), "a process outlived the command"

"""`crawler bench` as a user runs it, with tiny sizes: its facts, never its figures."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from crawler.measure import procfs
from tests.integration.conftest import COMMAND, ROOT, Say, run_cli

WAIT_MS = 30_000


def bench(folder: Path, *arguments: object) -> dict[str, Any]:
    """Run the benchmarks and read their JSON; nothing of them may stay in the folder."""
    done = run_cli("bench", "--rounds", 1, "--json", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert not (folder / "data").exists()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_every_usual_part_is_measured_and_compared_with_the_limit(tmp_path: Path) -> None:
    """One JSON object on standard output; its limit and ratios follow from its figures."""
    report = bench(tmp_path, "--count", 20, "--page-bytes", 3_000, "--strategy", "asyncio", "--picture", "out.svg")
    pages = report["about"]["pages"]
    assert pages == 20
    results = {(each["part"], each["variant"]): each for each in report["results"]}
    parts = [part for part, _ in results]
    assert parts.count("frontier") == parts.count("start") == 2
    assert set(parts) == {"bare fetch", "fetch", "bare parse", "parse", "frontier", "store", "start", "line"}
    for part in ("bare fetch", "fetch", "bare parse", "parse", "store", "line"):
        (result,) = [each for each in report["results"] if each["part"] == part]
        assert result["count"] == pages, part
        assert result["per_s"]["low"] <= result["per_s"]["median"] <= result["per_s"]["high"]
        assert len(result["rounds"]) == 1
        assert all(size > 0 for size in result["peak_bytes"].values())
    assert list(results["line", "asyncio"]["cpu_us"]) == ["main", "server", "workers"]

    limit, parse = report["limit"], results["bare parse", "lexbor"]["cpu_us"]["parser"]["median"]
    least = limit["bare_fetch_us"] + limit["bare_parse_us"] + limit["server_us"]
    assert limit["pages_per_s"] == pytest.approx(limit["cores"] * 1e6 / least)
    assert limit["bare_parse_us"] == parse
    assert limit["bare_fetch_us"] > 0
    (line,) = report["lines"]
    assert line["of_limit"] * limit["pages_per_s"] == pytest.approx(results["line", "asyncio"]["per_s"]["median"])
    cost = results["parse", "lexbor"]["cpu_us"]["parser"]["median"]
    assert report["ratios"]["parse lexbor"] == pytest.approx(cost / parse)
    assert ElementTree.parse(tmp_path / "out.svg").getroot().tag.endswith("svg")


def test_a_folder_of_pages_is_measured_whole(tmp_path: Path) -> None:
    """Its HTML files and nothing else, linked or not, whatever they are called; the folder itself is left alone."""
    pages = tmp_path / "pages"
    (pages / "deep" / "ü").mkdir(parents=True)
    for name in ("index.html", "not linked & odd?.HTM", "deep/ü/100% a.xhtml"):
        (pages / name).write_text(f"<title>{name}</title><a href='/deep/'>down</a><a href='logo.png'>logo</a>")
    (pages / "logo.png").write_bytes(b"\x89PNG")
    before = sorted(pages.rglob("*"))
    report = bench(tmp_path, "--pages", "pages", "--only", "line", "--only", "parse", "--strategy", "sequential")
    assert report["about"]["pages"] == 3
    assert {each["count"] for each in report["results"]} == {3}
    assert report["limit"]["pages_per_s"] > 0
    assert sorted(pages.rglob("*")) == before


def test_the_costs_at_scale_are_those_of_real_crawls_and_stores(tmp_path: Path) -> None:
    """First and last quarter of a crawl, few and many URLs known, slow hosts; as text of 80 columns."""
    sizes = ("--count", 100, "--strategy", "asyncio", "--scale-pages", 6_000, "--scale-urls", 20_000)
    done = run_cli("bench", "--rounds", 1, "--only", "scale", "--only", "latency", *sizes, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    for words in ("first and last quarter", "10,000 URLs", "20,000 URLs", "10,000 hosts", "of what is possible"):
        assert words in done.stdout
    assert "THE LIMIT" not in done.stdout  # nothing that it consists of was measured


def test_the_command_explains_itself_in_80_columns() -> None:
    """With every part that it knows."""
    done = run_cli("bench", "--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    for part in ("fetch", "parse", "frontier", "store", "line", "start", "latency", "scale"):
        assert part in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pages", "missing"], ("missing", "not a folder")),
        (["--pages", "empty"], ("empty", "no HTML files", ".html")),
        (["--pages", "empty", "--page-bytes", "9"], ("--page-bytes", "--pages")),
        (["--strategy", "replay"], ("--strategy", "replay")),
        (["--only", "everything"], ("--only", "everything", "fetch")),
        (["--rounds", "0"], ("--rounds", "0", "above 0")),
        (["--count", "1000000"], ("1,000,000 pages", "--count")),
        (["--picture", "missing/out.svg"], ("missing/out.svg", "no such folder")),
        (["--picture", "out.png"], ("out.png", ".svg")),
        (["--picture", "out.svg", "--only", "fetch"], ("--picture", "--only line")),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(
    arguments: list[str], words: tuple[str, ...], say: Say, tmp_path: Path
) -> None:
    """The last line says what is wrong; no figures, no files."""
    (tmp_path / "empty").mkdir()
    done = say("bench", *arguments)
    assert done.returncode == 2, done.stderr
    for word in words:
        assert word in done.stderr.splitlines()[-1]
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_process_and_no_file(number: signal.Signals, tmp_path: Path) -> None:
    """In the middle of a crawl that is measured; without a traceback."""
    command = [*COMMAND, "bench", "--count", "20", "--rounds", "1000", "--only", "start"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=-1, stderr=-1, cwd=tmp_path, env=environment) as process:
        family = family_with_a_worker(process)
        process.send_signal(number)
        said = b"".join(process.communicate())
    assert process.returncode == 130
    assert said.endswith(b"crawler: interrupted\n")
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    for pidfd in family:
        with os.fdopen(pidfd) as file:
            assert is_readable(file.fileno()), "a process outlived the command"


def family_with_a_worker(process: subprocess.Popen[bytes]) -> list[int]:
    """Watch the descendants of a process from a moment on at which one of them has a child that has children."""
    while process.poll() is None:
        children = procfs.children(process.pid)
        grandchildren = [pid for child in children for pid in procfs.children(child)]
        if grandchildren:
            try:
                return [os.pidfd_open(pid) for pid in (*children, *grandchildren)]
            except ProcessLookupError:  # one has just ended by itself
                continue
    raise AssertionError(process.communicate()[1].decode())


def is_readable(descriptor: int) -> bool:
    """Whether a descriptor becomes readable; that of a process does when it ends."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(WAIT_MS))

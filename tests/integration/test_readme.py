"""The README's examples, run as they stand against a small site on loopback: one that breaks fails here.

What is replaced: `https://example.com` is the site, and `--delay 0` is added to every crawl and fetch. Where a section
begins, there is a finished crawl named `RUN`, another one under `data/`, a list of sites, and the files that examples
name in their first line. What is not run: `make`, installing, `crawler lab` and `crawler bench`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet
import pytest
import zstandard

from crawler.cli import COMMANDS, Parser
from crawler.records import FIELDS
from tests.conftest import lacking
from tests.contract.server import ScriptedServer, answer
from tests.integration.conftest import ROOT, Record, run_cli

README = (ROOT / "README.md").read_text(encoding="utf-8")
SITE = "https://example.com"
EARLIER = "data/2026-11-23_10-00-00"  # the run that the README goes on with
NOT_RUN = ("lab", "bench")  # they serve until they are stopped, and measure
# What these print is what they are for.
PRINTING = ("crawler fetch ", "crawler verify ", "sqlite3 ", "crawler show data/saved", "crawler show data/example")

THING = """<!DOCTYPE html><html lang="en"><head><title>Thing {number}</title></head><body>
<div class="thing" data-code="No. {code}"><h1>Thing {number}</h1><p class="price">{price}</p>
<ul class="tags"><li>new</li><li>blue</li></ul></div>{more}</body></html>"""
HOME = """<!DOCTYPE html><html lang="en"><head><title>News of the harbour</title>
<meta name="author" content="Ada Crane"><meta property="article:published_time" content="2024-05-01T08:00:00Z"></head>
<body><h1>News of the harbour</h1>
<a href="/things/1">One</a> <a href="/things/2">Two</a> <a href="/blog/gone">Gone</a> <a href="/tides">Tides</a>
<a href="/tides?again">Tides</a> <a href="/report.pdf">Report</a><img src="/crane.png" alt="A crane"></body></html>"""
TIDES = "".join(
    f"<p>On day {day} the tide in the harbour turned at {day % 12} o'clock, and the ferry left {day} minutes late. "
    "The crew waited at the quay until the water had risen above the last step of the old stairs.</p>"
    for day in range(1, 12)
)


class Example(NamedTuple):
    """A fenced block of the README.

    Args:
        section: The heading above it.
        language: What its fence names; empty for commands.
        text: What is between the fences.
    """

    section: str
    language: str
    text: str

    @property
    def file(self) -> str:
        """The name in its first line, if it is a file."""
        named = re.match(r"# (\S+\.\w+)$", self.text, re.MULTILINE)
        return named[1] if named else ""


def _examples() -> Iterator[Example]:
    parts = re.split(r"^```(.*)$", README, flags=re.MULTILINE)
    section = ""
    for place in range(0, len(parts) - 1, 4):
        section = (re.findall(r"^##+ (.+)$", parts[place], re.MULTILINE) or [section])[-1]
        if place + 2 < len(parts):
            yield Example(section, parts[place + 1], parts[place + 2].strip("\n"))


def commands_in(text: str) -> Iterator[str]:
    """The commands of a block, some of which have several lines."""
    held = ""
    for line in text.splitlines():
        held = f"{held}\n{line}" if held else line
        try:
            words = shlex.split(held, comments=True)
        except ValueError:  # a quotation that goes on
            continue
        if words:
            yield held
        held = ""
    assert not held


def is_run(command: str) -> bool:
    words = shlex.split(command)
    return words[0] == "sqlite3" or (Path(words[0]).name == "crawler" and words[1] not in NOT_RUN)


EXAMPLES = list(_examples())
FILES = {example.file: example.text for example in EXAMPLES if example.file}
# Section → its blocks that are run, in their order.
SECTIONS = {
    section: found
    for section, blocks in groupby(EXAMPLES, lambda example: example.section)
    if (
        found := [
            block
            for block in blocks
            if (block.language == "python" and not block.file)
            or (not block.language and any(map(is_run, commands_in(block.text))))
        ]
    )
}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """What the examples find at example.com."""
    html = "Content-Type: text/html; charset=utf-8"
    pages = {
        "/": HOME,
        "/things/1": THING.format(number=1, code=41, price="$ 1,234.50", more='<a rel="next" href="2">Next</a>'),
        "/things/2": THING.format(number=2, code=42, price="$ 89", more=""),
        "/tides": f"<!DOCTYPE html><title>Tides</title><main><article><h1>Tides</h1>{TIDES}</article></main>",
    }
    pages["/tides?again"] = pages["/tides"]
    with ScriptedServer() as server:
        for path, page in pages.items():
            server.script(path, answer(page.encode(), "200 OK", html))
        server.script("/report.pdf", answer(b"%PDF-1.7", "200 OK", "Content-Type: application/pdf"))
        server.script("/crane.png", answer(b"\x89PNG", "200 OK", "Content-Type: image/png"))
        yield server.url


@pytest.fixture(scope="module")
def finished(site: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has kept its answers."""
    run = tmp_path_factory.mktemp("readme") / "RUN"
    done = run_cli("crawl", f"{site}/", "--delay", 0, "--warc", "--run", run)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def folder(site: str, finished: Path, tmp_path: Path) -> Path:
    """Where a section is run, with what its examples take for granted."""
    for name in ("RUN", EARLIER):
        shutil.copytree(finished, tmp_path / name)
    for name in ("list.txt", "config/sites.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{site}/\n")
    for name, text in FILES.items():
        (tmp_path / name).write_text(f"{text}\n", encoding="utf-8")
    command = tmp_path / ".venv" / "bin" / "crawler"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m crawler "$@"\n')
    command.chmod(0o755)
    return tmp_path


def run_command(command: str, site: str, folder: Path) -> str:
    """Run a command of the README to its good end, and return what it prints."""
    if re.match(r"\S*crawler (crawl|fetch) ", command):
        command = re.sub(r" *(#.*)?$", " --delay 0", command, count=1)
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{command.replace(SITE, site)}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def rows_in(path: Path) -> int:
    """How many records a file holds, by the word of another reader."""
    data, suffix = path.read_bytes(), path.suffix
    if suffix == ".parquet":
        rows: int = pyarrow.parquet.read_metadata(path).num_rows
        return rows
    if suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as database:
            return int(database.execute("SELECT count(*) FROM pages").fetchone()[0])
    if suffix == ".gz":
        data = gzip.decompress(data)
    elif suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if ".csv" in path.suffixes:
        return len(list(csv.DictReader(io.StringIO(data.decode(), newline=""))))
    return len([json.loads(line) for line in data.splitlines()])


@pytest.mark.parametrize("section", SECTIONS)
def test_the_commands_and_scripts_of_a_section_do_what_they_say(section: str, site: str, folder: Path) -> None:
    """They end well, print something where that is what they are for, and the files that they name hold records."""
    for tool in ("sqlite3", "jq"):
        if any(re.search(rf"\b{tool} ", block.text) for block in SECTIONS[section]) and not shutil.which(tool):
            lacking(f"there is no {tool} here (Debian: apt-get install {tool})")
    for block in SECTIONS[section]:
        if block.language == "python":
            text = block.text.replace(SITE, site).replace("max_pages=100", "max_pages=100, delay=0")
            (folder / "script.py").write_text(text, encoding="utf-8")
            said = run_command(f"{shlex.quote(sys.executable)} script.py", site, folder)
            assert said or "print(" not in text, text
            continue
        for command in filter(is_run, commands_in(block.text)):
            said = run_command(command, site, folder)
            if "| jq" in command or command.startswith(PRINTING):
                assert said.strip(), command
            for name in re.findall(r"(?<=\s)[\w-]+\.(?:(?:csv|jsonl)(?:\.gz|\.zst)?|parquet|sqlite)\b", command):
                assert rows_in(folder / name) > 0, command


def test_rules_and_the_function_give_what_the_readme_promises(site: str, folder: Path) -> None:
    options = ["--config", "shop.toml", "--extract", "shop:product", "--delay", 0]
    done = run_cli("fetch", f"{site}/things/1", *options, cwd=folder)
    record: Record = json.loads(done.stdout)
    assert record["rules"] == {"price": 1234.5, "tags": ["new", "blue"], "code": "41", "next": f"{site}/things/2"}
    assert record["extracted"] == {"price": "$ 1,234.50", "tags": ["new", "blue"]}
    assert record["extract_error"] is None
    elsewhere: Record = json.loads(run_cli("fetch", f"{site}/tides", *options, cwd=folder).stdout)
    assert elsewhere["rules"] == {"price": None, "tags": [], "code": None, "next": None}
    assert elsewhere["extracted"] is elsewhere["extract_error"] is None


def test_every_format_has_an_example() -> None:
    from crawler.export.formats import FORMATS

    text = "\n".join(block.text for block in EXAMPLES if block.section == "Files of the records")
    assert [suffix for suffix in FORMATS if suffix not in text] == []


def test_the_table_of_the_record_has_its_fields() -> None:
    rows = re.findall(r"^\|((?: `\w+`)+) \|", README.partition("## The record")[2].partition("\n## ")[0], re.MULTILINE)
    assert sorted(re.findall(r"\w+", " ".join(rows))) == sorted(FIELDS)


def test_every_option_that_the_readme_names_is_one() -> None:
    known = {"--help", "--version"}
    for name, (_, add_arguments, _) in COMMANDS.items():
        parser = Parser(prog=name, allow_abbrev=False)
        add_arguments(parser)
        known.update(parser._option_string_actions)
    lines = [line for line in README.splitlines() if "python -m" not in line]  # these have options of their own
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", "\n".join(lines)))
    assert named <= known, named - known


def test_every_extra_that_the_readme_names_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r"'\.\[(\w+)\]'", README)) <= project["optional-dependencies"].keys()

"""The library as a user calls it: in scripts without a main guard, and on a running loop."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import crawler
from crawler.engine import engine
from crawler.engine import pipeline as line
from crawler.errors import UsageError
from tests.contract.server import ScriptedServer, answer
from tests.integration.conftest import ROOT

OPTIONS = {"resolve": ("*.lab:127.0.0.1",), "allow_private": ("127.0.0.0/8",), "delay": 0, "max_pages": 5}


def test_a_script_without_a_main_guard_crawls(seeds: list[str], tmp_path: Path) -> None:
    """Workers never import the script, so it may do anything at its top level."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import crawler\nresult = crawler.crawl({seeds!r}, run={str(tmp_path / 'run')!r}, **{OPTIONS!r})\n"
        "print(result.ending.why, len(list(result.records())), result)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("max_pages ")
    assert done.stderr == ""


async def test_stream_yields_records_and_may_be_left_early(seeds: list[str]) -> None:
    """Leaving the loop ends the crawl; nothing stays behind."""
    found = []
    async for record in crawler.stream(seeds, **{**OPTIONS, "max_pages": 0}):
        found.append(record.url)
        if len(found) == 3:
            break
    assert len(set(found)) == 3


async def test_a_stream_that_is_to_be_kept_is_refused(tmp_path: Path) -> None:
    """A run's folder would promise that it can be resumed."""
    with pytest.raises(UsageError, match="keeps nothing on disk"):
        await anext(crawler.stream("https://example.com/", run=str(tmp_path / "run")))


async def test_what_robots_txt_forbids_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of the loop that is over when a URL is dropped drops no other one."""
    turns, dropped = count(), []
    hand_out, drop = engine.Engine._hand_out, line.Pipeline.drop
    monkeypatch.setattr(engine, "TURN_S", 0.0)
    monkeypatch.setattr(engine.Engine, "_hand_out", lambda self: (next(turns), hand_out(self)))
    monkeypatch.setattr(line.Pipeline, "drop", lambda self, what: (dropped.append(repr(turns)), drop(self, what)))
    with ScriptedServer() as server:
        server.script("/robots.txt", answer(b"User-agent: *\nDisallow: /secret\n"))
        links = b"".join(b"<a href=/secret/%d>s</a>" % number for number in range(50)) + b"<a href=/open>o</a>"
        server.script("/", answer(links, "200 OK", "Content-Type: text/html"))
        server.script("/open", answer())
        records = [record.url async for record in crawler.stream(server.url + "/", delay=0)]
    assert records == [server.url + "/", server.url + "/open"]
    assert len(set(dropped)) == len(dropped) == 50


async def test_a_single_url_may_be_a_string(seeds: list[str]) -> None:
    """One seed needs no list."""
    records = [record async for record in crawler.stream(seeds[0], **{**OPTIONS, "max_depth": 0, "max_pages": 0})]
    assert [record.url for record in records if record.via is None] == [seeds[0]]


async def test_crawl_on_a_running_loop_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """The sentence names what to use instead."""
    with pytest.raises(UsageError, match="stream"):
        crawler.crawl("https://example.com/", run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_option_is_named(tmp_path: Path) -> None:
    """Misspelt options are errors."""
    with pytest.raises(UsageError, match="concurency"):
        crawler.crawl("https://example.com/", run=tmp_path / "run", concurency=3)


def test_rules_and_a_function_are_given_as_what_they_are(
    seeds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers import the function from where the caller has it."""
    (tmp_path / "taker.py").write_text("def take(page):\n    return {'size': len(page.html)}\n")
    monkeypatch.syspath_prepend(tmp_path)
    take = import_module("taker").take
    rules = {"heading": {"css": "h1", "required": True}, "links": {"xpath": "count(//a)", "type": "number"}}
    result = crawler.crawl(seeds[0], run=tmp_path / "run", rules=rules, extract=take, **OPTIONS)
    pages = [record for record in result.records() if record.text]
    assert pages
    for page in pages:
        assert page.rules is not None
        assert page.rules["heading"] == page.h1
        assert page.extracted is not None
        assert page.extracted["size"] > 0
        assert page.extract_error is None


def test_outputs_are_made_at_the_end(seeds: list[str], tmp_path: Path) -> None:
    name = tmp_path / "pages.csv"
    result = crawler.crawl(seeds[0], run=tmp_path / "run", outputs=[str(name)], **OPTIONS)
    rows = list(csv.DictReader(io.StringIO(name.read_text(encoding="utf-8"), newline="")))
    assert [row["url"] for row in rows] == [record.url for record in result.records()]
    with pytest.raises(UsageError, match="no known format"):
        crawler.crawl(seeds[0], run=tmp_path / "new", outputs=["pages.doc"], **OPTIONS)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outputs": ["pages.csv"]}, "nothing on disk"),
        ({"extract": lambda page: None}, "extract=<lambda>: .* a module of its own"),
        ({"extract": {"price": {"css": "p"}}}, "give rules as rules="),
        ({"extract": "nowhere:f"}, "there is no module 'nowhere'"),
        ({"rules": {"price": {"css": "p["}}}, r"extract\.price\.css: 'p\[' is not a CSS selector"),
        ({"rules": {"price": {"ccs": "p"}}}, r"extract\.price: unknown key 'ccs'"),
        ({"rules": {"price": "p"}}, r"extract\.price"),
        ({"rules": ["p"]}, "in the options: extract"),
    ],
)
async def test_what_cannot_be_used_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await anext(crawler.stream("https://example.com/", **options))


def test_the_public_names_are_there() -> None:
    """What the README uses is what `import crawler` gives."""
    assert crawler.urls.canonicalize("HTTP://EXAMPLE.com:80/a/../b#c") == "http://example.com/b"
    rules = crawler.frontier.robots.parse(b"User-agent: *\nDisallow: /x\nCrawl-delay: 2", "crawler")
    assert not rules.allows("http://example.com/x/1")
    assert rules.crawl_delay == 2
    for name in crawler.__all__:
        assert getattr(crawler, name) is not None
    assert set(crawler.__all__) <= set(dir(crawler))

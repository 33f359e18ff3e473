"""Pages that come faster than they are parsed, and results that are larger than anybody would expect."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.engine import assembly
from crawler.engine.engine import Engine
from crawler.models import Parsed, Response
from crawler.parse.stage import PageParser, StageContext
from crawler.scope import seeds
from crawler.scope.scope import Scope, SeedSite
from crawler.settings import file as settings_file
from tests.contract.conftest import STRATEGIES
from tests.contract.server import ScriptedServer, answer
from tests.integration.conftest import read_records, run_cli
from tests.integration.serving import QUICK, Routes, serve

MIB = 1024 * 1024
PAGE_BYTES = 100_000
PAGES = 200
AT_ONCE = 8


class SlowPool:
    """Parses nothing until nothing more is asked for; then one page, and so on."""

    def __init__(self) -> None:
        self.engine: Engine
        self.most = 0
        self._parser = PageParser(StageContext(Scope([SeedSite("http://127.0.0.1/", "any")])))
        self._waiting: deque[tuple[Response, Callable[[Parsed], None]]] = deque()
        self._ticking: asyncio.TimerHandle

    async def start(self) -> None:
        self._tick()

    def submit(self, page: Response, done: Callable[[Parsed], None]) -> None:
        self._waiting.append((page, done))

    def update(self, change: object) -> None:
        pass

    async def close(self) -> None:
        self._ticking.cancel()

    def _tick(self) -> None:
        """Look again whenever the loop has had a moment for the network."""
        self.most = max(self.most, self.engine.parts.held.used)
        if self._waiting and not self.engine.frontier.in_flight:
            page, done = self._waiting.popleft()
            done(self._parser.parse(page))
        self._ticking = asyncio.get_running_loop().call_later(0.001, self._tick)


@pytest.mark.parametrize("strategy", [each for each in STRATEGIES if each != "sequential"])
async def test_fetching_stops_when_too_many_bytes_wait_to_be_parsed(strategy: str) -> None:
    """What is under way when the limit is reached comes as well, and nothing else; in the end every page is there."""
    # scenario 100
    body = b"<title>x</title>" + b"x" * (PAGE_BYTES - 16)
    with ScriptedServer() as server:
        urls = [
            server.script(f"/{number}", answer(body, "200 OK", "Content-Type: text/html")) for number in range(PAGES)
        ]
        tables = {
            "crawl": {"robots": False},
            "fetch": {"strategy": strategy, "concurrency": AT_ONCE},
            "politeness": {"delay_s": 0, "per_host": AT_ONCE},
            "parse": {"hand_off_bytes": MIB},
        }
        lines: list[bytes] = []
        pool = SlowPool()
        given = seeds.read(urls, (), (), "host", sys.stdin.buffer)
        engine = assembly.build(settings_file.load(None, tables), given, None, lines.extend)
        engine.parts.pool = pool  # type: ignore[assignment]
        pool.engine = engine
        await engine.run(urls)
    assert len(lines) == PAGES
    assert MIB <= pool.most <= MIB + AT_ONCE * PAGE_BYTES


def test_a_record_of_hundreds_of_megabytes_is_written_or_refused_and_stops_nobody(tmp_path: Path) -> None:
    """Ten megabytes of controls are six times as long in JSON, and stand in title, heading and text."""
    # scenarios 88, 100
    html = {"Content-Type": "text/html"}
    huge = b"<title>" + b"\x01" * 4_900_000 + b"</title><h1>" + b"\x01" * 4_900_000
    links = b"<a href=/huge>x</a><a href=/small>x</a>"
    routes: Routes = {"/": (200, html, links), "/huge": (200, html, huge), "/small": (200, html, b"small")}
    with serve(routes) as (site, _):
        done = run_cli("crawl", site, *QUICK, "--run", tmp_path / "run", "--parse-workers", 1)
    assert done.returncode == 0, done.stderr
    outcomes = {record["url"]: record["outcome"] for record in read_records(tmp_path / "run")}
    assert outcomes.pop(f"{site}/huge") in ("ok", "quarantined")
    assert outcomes == {f"{site}/": "ok", f"{site}/small": "ok"}
    assert run_cli("verify", tmp_path / "run").returncode == 0
    done = run_cli("export", tmp_path / "run", tmp_path / "out.jsonl", "--fields", "url")
    assert done.returncode == 0, done.stderr
    exported = (tmp_path / "out.jsonl").read_text().splitlines()
    assert {json.loads(line)["url"] for line in exported} == {f"{site}{path}" for path in ("/", "/huge", "/small")}

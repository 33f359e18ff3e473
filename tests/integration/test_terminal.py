"""Nothing that comes from the web steers a terminal or forges a line, on the screen as in the log."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.server import CLOSE, ScriptedServer, answer
from tests.integration.conftest import COMMAND, ROOT, read_records, run_cli

# A title for the window, a screen that is cleared, a colour by one character, text turned round, a line of its own.
EVIL = "\x1b]0;pwned\x07 \x1b[2J \x9b31m \u202etxt \u2066 \u2028 \x7f \r\nforged ERROR line"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def site() -> Iterator[ScriptedServer]:
    """A site whose every word is hostile."""
    raw = EVIL.replace("\r\n", "").encode("utf-8").decode("latin-1")
    with ScriptedServer() as server:
        links = "".join(f'<a href="{path}{EVIL}">{EVIL}</a>' for path in ("/garbage", "/missing", "ftp://x/", "/short"))
        body = f"<title>{EVIL}</title><meta name=description content='{EVIL}'><h1>{EVIL}</h1>{links}".encode()
        fields = (f"Content-Type: text/html; charset=utf-8; {raw}", f"ETag: {raw}", f"X-{raw}: {raw}")
        server.script("/", answer(body, f"200 {raw}", *fields))
        server.script("/robots.txt", answer(f"{EVIL}: x\nSitemap: {EVIL}\nCrawl-delay: {EVIL}\n".encode()))
        server.script("/moved", answer(b"", f"302 {raw}", f"Location: ftp://a/{raw}"))
        server.script("/garbage", f"HTTP/1.1 {raw}\r\n{raw}\r\n\r\n".encode("latin-1"), CLOSE)
        server.script("/short", answer(b"x", "200 OK", f"Content-Encoding: {raw}", length=9), CLOSE)
        yield server


def on_a_terminal(*arguments: object) -> str:
    """All that a command writes, where input, output and errors are one terminal."""
    outer, inner = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=inner, stdout=inner, stderr=inner, env=environment
    ) as process:
        os.close(inner)
        shown = b""
        while True:
            try:
                piece = os.read(outer, 65536)
            except OSError:  # the last process that has the terminal has left
                break
            if not piece:
                break
            shown += piece
        os.close(outer)
    assert process.returncode is not None
    return shown.decode("utf-8").replace("\r\n", "\n")


def assert_harmless(shown: str) -> None:
    assert not (found := UNSAFE.search(shown)), shown[max(0, found.start() - 60) : found.end() + 60].encode()
    assert not re.search(r"^forged", shown, re.MULTILINE)


QUICK = ("--delay", 0, "--patience", 0, "--retries", 0)


def test_a_record_on_a_terminal_is_shown_without_its_power(site: ScriptedServer) -> None:
    """`fetch` escapes inside of the JSON's strings, so that what it prints is still the same record."""
    # scenario 87
    shown = on_a_terminal("fetch", f"{site.url}/", *QUICK[:2])
    assert_harmless(shown)
    record = json.loads(shown[shown.index("{") : shown.rindex("}") + 1])
    for word in ("\x1b]0;pwned\x07", "\u202etxt", "\u2066", "\x7f"):
        assert word in record["title"]


@pytest.mark.parametrize("path", ["/garbage", "/moved", "/short"])
def test_what_goes_wrong_is_told_without_its_power(site: ScriptedServer, path: str) -> None:
    # scenario 87
    assert_harmless(on_a_terminal("fetch", f"{site.url}{path}", *QUICK))


def test_records_that_stream_to_a_terminal_are_without_their_power(site: ScriptedServer, tmp_path: Path) -> None:
    # scenario 87
    seeds = [f"{site.url}{path}" for path in ("/", "/garbage", "/moved", "/short")]
    shown = on_a_terminal("crawl", *seeds, *QUICK, "--run", tmp_path / "run", "-q", "-o", "-")
    assert_harmless(shown)
    lines = [line for line in shown.splitlines() if line.startswith("{")]
    assert [json.loads(line) for line in lines] == read_records(tmp_path / "run")


def test_no_line_of_the_log_and_of_a_summary_is_forged(site: ScriptedServer, tmp_path: Path) -> None:
    """Each line of the log begins with its time; `show`, the progress and the summary are harmless, too."""
    # scenario 87
    seeds = [f"{site.url}{path}" for path in ("/", "/garbage", "/moved", "/short")]
    run = tmp_path / "run"
    done = run_cli("crawl", *seeds, *QUICK, "--run", run, "-v")
    assert_harmless(done.stderr)
    log = (run / "crawl.log").read_text(encoding="utf-8")
    assert_harmless(log)
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [a-z]+ ", line) for line in log.splitlines())
    assert "garbage" in log
    for option in ((), ("--failed",), ("--skipped",), ("--slow",)):
        assert_harmless(run_cli("show", run, *option).stdout)
    assert_harmless((run / "stats.json").read_text(encoding="utf-8"))


def test_a_list_of_seeds_may_come_from_anywhere(tmp_path: Path) -> None:
    # scenario 87
    for line in (f"example.com/{EVIL}", f"http://{EVIL}/", f"{EVIL}", f"http://a.example/ {EVIL}=1"):
        sites = tmp_path / "sites.txt"
        sites.write_text(line.replace("\r\n", "\x0b"), encoding="utf-8")
        assert_harmless(run_cli("crawl", "--sites", sites, "--run", tmp_path / "run", "--max-time", 0.01).stderr)


def test_an_error_repeats_nothing_with_power(tmp_path: Path) -> None:
    # scenario 87
    for arguments in (
        ["show", "\x1b]0;pwned\x07"],
        ["\x1b[2J"],
        ["crawl", "http://\x1b[2J\x9b/"],
        ["crawl", "-H\u202ex"],
    ):
        assert_harmless(run_cli(*arguments, cwd=tmp_path).stderr)

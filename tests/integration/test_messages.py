"""What a crawl says while it runs and when it ends: the live view, its log, and why it stopped."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.server import CLOSE, ScriptedServer, answer
from tests.integration.conftest import COMMAND, ROOT, run_cli

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


@pytest.fixture(scope="module")
def site() -> Iterator[ScriptedServer]:
    """A site whose sitemap has 400 pages, of which all but the first are missing."""
    with ScriptedServer() as server:
        urls = "".join(f"<url><loc>{server.url}/{number}</loc></url>" for number in range(400))
        server.script("/", answer(b"<title>Home</title><a href='/gone'>gone</a>"))
        server.script("/gone", answer(b"", "404 Not Found"))
        server.script("/robots.txt", answer(f"Sitemap: {server.url}/sitemap.xml\n".encode()))
        server.script("/sitemap.xml", answer(f"<urlset>{urls}</urlset>".encode(), "200 OK", "Content-Type: text/xml"))
        yield server


def started(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, **options)  # type: ignore[call-overload,no-any-return]


def test_how_long_a_host_takes_is_told_once_its_sitemap_was_read_and_the_signal_is_named(
    site: ScriptedServer, tmp_path: Path
) -> None:
    """Where no terminal is, the news are a plain line; the same stands in the log."""
    run = tmp_path / "run"
    said = b""
    with started("crawl", f"{site.url}/", "--delay", 0.4, "--run", run, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"alone needs at least" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGTERM)
        said += process.stderr.read()
    text = said.decode()
    assert process.returncode == 3
    assert re.search(r"^127\.0\.0\.1:\d+ alone needs at least 2 min \d+ s: (39|40)\d URLs, 0\.4 s apart$", text, re.M)
    assert re.search(r"^stopped early after [\d.]+ s by SIGTERM$", text, re.M)
    log = (run / "crawl.log").read_text(encoding="utf-8")
    assert "alone needs at least" in log
    assert "stopped by SIGTERM" in log
    assert not CONTROL.search(text)


@pytest.mark.parametrize(
    ("environment", "is_live"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, True)],
    ids=["terminal", "dumb", "no colours"],
)
def test_only_a_terminal_that_can_redraw_is_redrawn_and_none_gets_colours(
    site: ScriptedServer, tmp_path: Path, environment: dict[str, str], is_live: bool
) -> None:
    outer, inner = pty.openpty()
    command = [*COMMAND, "crawl", f"{site.url}/", "--max-depth", "0", "--run", str(tmp_path / "run"), "--delay", "0"]
    whole = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=whole):
        os.close(inner)
        shown = b""
        while True:
            try:
                shown += os.read(outer, 65536)
            except OSError:  # the last process that has the terminal has left
                break
        os.close(outer)
    text = shown.decode()
    assert ("\x1b[" in text) is is_live
    assert ("starting" in text) is is_live
    assert "0.0/s" not in text
    assert not re.search("\x1b\\[[0-9;]*m", text)


def test_the_log_in_json_has_every_failure_with_its_url_and_its_try(site: ScriptedServer, tmp_path: Path) -> None:
    """`-v` shows the same as sentences, with what is routine."""
    run = tmp_path / "run"
    options = ("--delay", 0, "--retries", 0, "--run", run, "--log-format", "json", "-v", "--no-sitemaps")
    done = run_cli("crawl", f"{site.url}/", *options)
    lines = [json.loads(line) for line in (run / "crawl.log").read_text(encoding="utf-8").splitlines()]
    assert {"ts", "level", "event", "message", "run"} <= lines[0].keys()
    assert lines[0]["run"] == "run"
    failures = [line for line in lines if line["level"] == "warning"]
    (gone,) = failures
    assert (gone["event"], gone["url"], gone["reason"], gone["attempt"]) == (
        "http_error", f"{site.url}/gone", "404", 1,
    )  # fmt: skip
    assert [line["event"] for line in lines if line.get("url") == f"{site.url}/"] == ["fetched"]
    assert f"debug 200 {site.url}/: " in done.stderr
    assert f"warning http_error {site.url}/gone: 404 (try 1)" in done.stderr


def test_a_crawl_without_time_for_a_page_reached_its_limit(site: ScriptedServer, tmp_path: Path) -> None:
    """Nothing failed, and the summary says that nothing was fetched."""
    done = run_cli("crawl", f"{site.url}/", "--run", tmp_path / "run", "--max-time", 0.001)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^stopped at --max-time 0\.001 s after ", done.stderr, re.MULTILINE)
    assert "nothing was fetched before that" in done.stderr
    assert "no seed could be fetched" not in done.stderr


def test_output_that_nobody_reads_is_named_as_the_cause(site: ScriptedServer, tmp_path: Path) -> None:
    """And so is a full disk."""
    reading, writing = os.pipe()
    os.close(reading)
    options = ("crawl", f"{site.url}/", "--delay", "0", "-o", "-")
    with (
        os.fdopen(writing, "wb") as closed,
        started(*options, "--run", tmp_path / "a", stdout=closed, stderr=subprocess.PIPE) as process,
    ):
        _, said = process.communicate()
    assert process.returncode == 3
    assert re.search(rb"^stopped early after .* because nobody reads standard output any more$", said, re.MULTILINE)
    with (
        Path("/dev/full").open("wb") as full,
        started(*options, "--run", tmp_path / "b", stdout=full, stderr=subprocess.PIPE) as process,
    ):
        _, said = process.communicate()
    assert process.returncode == 3
    assert b"because standard output cannot be written: No space left on device" in said


@pytest.mark.parametrize("strategy", ["asyncio", "threads", "curl"])
def test_https_where_there_is_http_is_told_at_once(tmp_path: Path, strategy: str) -> None:
    """Nobody waits for a robots.txt that cannot come, and each URL has the reason."""
    with ScriptedServer() as server:
        server.on_connect(b"HTTP/1.1 400 Bad Request\r\n\r\n", CLOSE)
        authority = f"127.0.0.1:{server.port}"
        seeds = [f"https://{authority}/{name}" for name in "ab"]
        options = ("--delay", 0, "--strategy", strategy, "--run", tmp_path / "run", "--patience", 600)
        done = run_cli("crawl", *seeds, *options)
    assert done.returncode == 1
    assert f"{authority} does not speak TLS; perhaps http://{authority}/ is meant" in " ".join(done.stderr.split())
    log = (tmp_path / "run" / "crawl.log").read_text(encoding="utf-8")
    assert [seed for seed in seeds if f"failed {seed}: tls_failed" in log] == seeds
    assert log.lower().replace("_", " ").count("wrong version number") <= 2

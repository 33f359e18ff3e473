"""Answers that break off are asked for again and never taken for whole; what no request may hold goes into none."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crawler.fetch.base import request_target
from tests.contract.conftest import STRATEGIES
from tests.contract.server import CLOSE, HANG, RESET, ScriptedServer, Step, answer
from tests.integration.conftest import read_records, run_cli

QUICK = ("--delay", 0, "--patience", 20, "--no-robots", "--parse", "inline")
TYPE = "Content-Type: text/html"
HEAD = f"HTTP/1.1 200 OK\r\n{TYPE}\r\n".encode()
WHOLE = answer(b"<title>whole</title>", "200 OK", TYPE)
CODED = gzip.compress(b"<title>part</title>" + bytes(range(256)) * 9)

BREAKS: dict[str, tuple[Step, ...]] = {
    "/reset-in-head": (b"HTTP/1.1 200 OK\r\nContent-", RESET),
    "/closed-in-head": (b"HTTP/1.1 200 OK\r\n", CLOSE),
    "/reset-in-body": (answer(b"<title>part</title>", "200 OK", TYPE, length=500), RESET),
    "/short": (answer(b"<title>part</title>", "200 OK", TYPE, length=500), CLOSE),
    "/no-last-chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n13\r\n<title>part</title>\r\n", CLOSE),
    "/bad-chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n13\r\n<title>part</title>\r\nzz\r\n", HANG),
    "/cut-gzip": (answer(CODED[:-30], "200 OK", TYPE, "Content-Encoding: gzip"),),
    "/bad-crc": (answer(CODED[:-8] + bytes(8), "200 OK", TYPE, "Content-Encoding: gzip"),),
    "/stalled": (answer(b"<title>part</title>", "200 OK", TYPE, length=500), HANG),
}
NO_ANSWER = {"/reset-in-head": "connection_lost", "/closed-in-head": "connection_lost", "/stalled": "read_timeout"}


@pytest.fixture
def hasty(tmp_path: Path) -> Path:
    """Settings that wait for nothing."""
    config = tmp_path / "hasty.toml"
    config.write_text("[fetch]\nread_timeout_s = 0.5\n[politeness]\nbackoff_s = 0.01\nbreaker_failures = 1000\n")
    return config


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_broke_off_is_asked_for_again_and_is_whole_then(strategy: str, hasty: Path, tmp_path: Path) -> None:
    # scenarios 8, 12, 18, 22
    with ScriptedServer() as server:
        for path, script in BREAKS.items():
            server.script(path, *script)
            server.script(path, WHOLE)
        seeds = [server.url + path for path in BREAKS]
        done = run_cli("crawl", *seeds, *QUICK, "--strategy", strategy, "--config", hasty, "--run", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    records = {request_target(record["url"]): record for record in read_records(tmp_path / "run")}
    for path in BREAKS:
        record = records[path]
        assert (record["outcome"], record["attempts"], record["title"]) == ("ok", 2, "whole"), path


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_breaks_off_each_time_is_a_failure(strategy: str, hasty: Path, tmp_path: Path) -> None:
    """After three tries; what came is in the record, which does not say that it is whole, and is not exported as ok."""
    # scenarios 8, 12, 18, 22
    run, exported = tmp_path / "run", tmp_path / "ok.jsonl"
    with ScriptedServer() as server:
        for path, script in BREAKS.items():
            server.script(path, *script)
        seeds = [server.url + path for path in BREAKS]
        done = run_cli("crawl", *seeds, *QUICK, "--strategy", strategy, "--config", hasty, "--run", run)
        assert done.returncode == 1, done.stderr
        asked = [line.split()[1] for line in server.seen.request_lines]
    assert run_cli("export", run, exported, "--only", "ok").returncode == 0
    assert exported.read_text() == ""
    records = {request_target(record["url"]): record for record in read_records(run)}
    for path in BREAKS:
        record = records[path]
        error = NO_ANSWER.get(path, "incomplete_body")
        assert (record["outcome"], record["error"], record["attempts"]) == ("failed", error, 3), path
        assert record["complete"] is (None if path in NO_ANSWER else False), path
        assert record["title"] == (None if path in NO_ANSWER else "part"), path
        assert asked.count(path) == 3, path


def test_links_that_nobody_can_follow_are_dropped_and_fill_no_log(tmp_path: Path) -> None:
    # scenarios 48, 50
    links = [
        "http://127.0.0.1/" + "a" * 1_000_000,
        "/?" + "&".join(f"p{number}=x" for number in range(100_000)),
        "data:image/png;base64," + "A" * 10_000_000,
        *("mailto:me@a.example", "tel:+1", "blob:http://a.example/x", "javascript:void(0)"),
        *("http://127.0.0.1:0/", "http://127.0.0.1:6667/", "http://127.0.0.1:65536/", "http://xn--a-é.example/"),
        "http://" + "a" * 64 + ".example/",
        "/" + "b" * 3000,
        "/good",
    ]
    run = tmp_path / "run"
    with ScriptedServer() as server:
        body = "".join(f"<a href='{link}'>x</a>" for link in links).encode()
        server.script("/", answer(body, "200 OK", TYPE))
        server.script("/good", WHOLE)
        options = (*QUICK, "--max-body", 20_000_000, "--allow-private", "127.0.0.0/8", "-v")
        done = run_cli("crawl", server.url + "/", *options, "--run", run)
        assert [line.split()[1] for line in server.seen.request_lines] == ["/", "/good"]
    assert done.returncode == 0, done.stderr
    assert {request_target(record["url"]): record["outcome"] for record in read_records(run)} == {
        "/": "ok",
        "/good": "ok",
    }
    said = (run / "crawl.log").read_text() + done.stderr
    assert max(map(len, said.splitlines())) < 500


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_password_in_a_url_is_nowhere_in_a_run(strategy: str, tmp_path: Path) -> None:
    """Neither sent nor kept, whether it stood in a seed, a link, a base or a redirect."""
    # scenario 49
    run = tmp_path / "run"
    with ScriptedServer() as server:
        named = server.url.replace("//", "//me:5ecret@")
        body = (
            f"<base href='{named}/'><link rel=canonical href='{named}/c'><a href=a>x</a><a href='{named}/b;me@x'>y</a>"
        )
        server.script("/", answer(body.encode(), "200 OK", TYPE))
        server.script("/a", answer(b"", "302 Found", f"Location: {named}/gone"))
        server.script("/b;me@x", WHOLE)
        done = run_cli(
            "crawl", f"{named}/", *QUICK, "-v", "--strategy", strategy, "--run", run, "-o", tmp_path / "o.csv"
        )
        assert done.returncode == 0, done.stderr
        assert sorted(line.split()[1] for line in server.seen.request_lines) == ["/", "/a", "/b;me@x", "/gone"]
        assert not any(b"5ecret" in head or b"Authorization" in head for head in server.seen.heads)
    written = [path for path in (*run.iterdir(), tmp_path / "o.csv") if path.is_file()]
    assert len(written) > 4
    assert [path.name for path in written if b"5ecret" in path.read_bytes()] == []
    assert "5ecret" not in done.stdout + done.stderr

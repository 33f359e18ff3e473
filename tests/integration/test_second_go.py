"""What `--retry-failed` asks for again, and what it must not take for granted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tests.contract.server import ScriptedServer, answer
from tests.integration.conftest import read_records, run_cli

TRIES = 3


def test_what_failed_is_neither_allowed_nor_trusted_when_it_is_asked_for_again(tmp_path: Path) -> None:
    """URLs that failed are the seeds of the next run; guard and credentials go by the seeds of the first."""
    runs = [tmp_path / str(number) for number in range(TRIES)]
    with ScriptedServer() as own, ScriptedServer(host="127.0.0.3") as private, ScriptedServer() as other:
        internal, api = f"{private.url}/internal", f"http://other.lab:{other.port}/api"
        links = f"<a href='{internal}'>i</a><a href='{api}'>a</a>".encode()
        own.script("/", answer(links, "200 OK", "Content-Type: text/html"))
        for _ in runs:
            other.script("/api", answer(b"", "503 Busy"))
        options = ("--scope", "any", "--max-pages", 9, "--retries", 0, "--delay", 0, "--no-robots", "--no-sitemaps")
        reach = ("--resolve", "other.lab:127.0.0.1", "--allow-private", "127.0.0.1/32", "-H", "Authorization: secret")
        assert run_cli("crawl", own.url + "/", *options, *reach, "--run", runs[0]).returncode == 0
        for parent, run in pairwise(runs):
            assert "Traceback" not in run_cli("crawl", "--retry-failed", parent, "--run", run).stderr
            reasons = {record["url"]: record["error"] for record in read_records(run)}
            assert reasons[internal] == "private_address"
    assert not private.seen.heads
    assert len(other.seen.heads) == TRIES
    assert not any(b"secret" in head for head in other.seen.heads)
    assert any(b"secret" in head for head in own.seen.heads)

"""What is asked for again and what is waited for: Retry-After, patience, and the attempts that records count."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from crawler.commands.exit import Exit
from tests.contract.conftest import STRATEGIES
from tests.contract.server import RESET, ScriptedServer, answer, closed_port
from tests.integration.conftest import Record, read_records, run_cli

QUICK = ("--delay", 0, "--patience", 0, "--no-sitemaps", "--parse", "inline", "--allow-private", "127.0.0.0/8")
LINKS = answer(b"<a href=/busy>b</a><a href=/a>a</a><a href=/b>b</a>", "200 OK", "Content-Type: text/html")


def busy(seconds: int) -> bytes:
    return answer(b"later", "503 Service Unavailable", f"Retry-After: {seconds}")


def by_path(run: Path) -> dict[str, Record]:
    return {"/" + record["url"].split("/", 3)[3]: record for record in read_records(run)}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_retry_after_within_the_limit_is_waited_for_without_any_patience(strategy: str, tmp_path: Path) -> None:
    # scenario 113
    with ScriptedServer() as server:
        server.script("/", LINKS)
        server.script("/busy", busy(2))
        server.script("/busy", answer(b"now"))
        for path in ("/a", "/b"):
            server.script(path, answer(b"x"))
        done = run_cli("crawl", server.url, *QUICK, "--no-robots", "--strategy", strategy, "--run", tmp_path / "run")
    assert done.returncode == Exit.OK, done.stderr
    records = by_path(tmp_path / "run")
    assert {path: record["outcome"] for path, record in records.items()} == dict.fromkeys(
        ("/", "/busy", "/a", "/b"), "ok"
    )
    assert records["/busy"]["attempts"] == 2
    assert Counter(line.split()[1] for line in server.seen.request_lines)["/busy"] == 2


def test_a_longer_one_is_the_outcome_of_its_page_and_leaves_the_others_pending(tmp_path: Path) -> None:
    """Exit status 3 and a sentence; a resume before the time keeps to it, and one with more patience ends the crawl."""
    # scenario 113
    run = tmp_path / "run"
    with ScriptedServer() as server:
        server.script("/", LINKS)
        server.script("/busy", busy(5))
        for path in ("/a", "/b"):
            server.script(path, answer(b"x"))
        limit = ("--max-retry-after", 1)
        done = run_cli("crawl", server.url, *QUICK, "--no-robots", *limit, "--run", run)
        assert done.returncode == Exit.STOPPED, done.stderr
        assert "hosts ask to be left alone" in done.stderr
        assert "2 URLs stay pending" in done.stderr
        assert f"crawler resume {run}" in done.stderr
        records = by_path(run)
        assert records.keys() == {"/", "/busy"}
        assert [records["/busy"][name] for name in ("outcome", "status", "attempts")] == ["http_error", 503, 1]
        assert json.loads((run / "stats.json").read_bytes())["why"] == "retry_after"
        assert run_cli("verify", run).returncode == 0
        again = run_cli("resume", run, "--max-retry-after", 60)
    assert again.returncode == Exit.OK, again.stderr
    assert by_path(run).keys() == {"/", "/busy", "/a", "/b"}
    assert Counter(line.split()[1] for line in server.seen.request_lines)["/busy"] == 1


def test_a_robots_txt_that_is_put_off_leaves_its_pages_pending(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        server.script("/robots.txt", busy(7000))
        done = run_cli("crawl", server.url, *QUICK, "--run", tmp_path / "run")
    assert done.returncode == Exit.STOPPED, done.stderr
    assert "1 URL stays pending" in done.stderr
    assert read_records(tmp_path / "run") == []


def test_what_is_given_up_has_its_true_reason_and_attempts(tmp_path: Path) -> None:
    """A robots.txt that is answered by 503, a name that cannot be resolved, a port that nobody listens at."""
    # scenario 53
    with ScriptedServer() as server:
        server.script("/robots.txt", answer(b"", "503 Service Unavailable"))
        nobody = f"http://127.0.0.1:{closed_port()}/"
        seeds = [f"{server.url}/", nobody, "http://no-such-name.invalid/"]
        run_cli("crawl", *seeds, *QUICK, "--retries", 0, "--run", tmp_path / "run")
    records = {record["url"]: record for record in read_records(tmp_path / "run")}
    told = {url: (record["outcome"], record["error"], record["attempts"]) for url, record in records.items()}
    assert told[seeds[0]] == ("failed", "robots_unreachable", 0)
    assert told[nobody] == ("failed", "refused", 0)  # that was its robots.txt
    assert told[seeds[2]][0] == "failed"
    assert told[seeds[2]][1] in ("dns_failed", "dns_not_found")
    assert told[seeds[2]][2] == 0


def test_a_page_that_is_fetched_alone_is_not_waited_for(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        server.script("/", busy(3000))
        done = run_cli("fetch", server.url, "--no-robots", "--allow-private", "127.0.0.0/8")
    assert json.loads(done.stdout)["status"] == 503
    assert len(server.seen.request_lines) == 1


def test_a_retry_that_breaks_off_is_not_counted_twice(tmp_path: Path) -> None:
    """The attempts of a record are the requests that the server saw."""
    with ScriptedServer() as server:
        server.script("/", RESET)
        server.script("/", RESET)
        run_cli("crawl", server.url, *QUICK, "--no-robots", "--retries", 1, "--patience", 60, "--run", tmp_path / "run")
        (record,) = read_records(tmp_path / "run")
    assert (record["outcome"], record["error"]) == ("failed", "connection_lost")
    assert record["attempts"] == len(server.seen.request_lines) == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_request_that_is_sent_again_because_its_kept_connection_was_dead_counts(
    strategy: str, tmp_path: Path
) -> None:
    """It is a request too: the server saw two."""
    with ScriptedServer() as server:
        server.script("/", answer(b"<a href=/a>a</a>", "200 OK", "Content-Type: text/html"))
        server.script("/a", RESET)
        server.script("/a", answer(b"x"))
        done = run_cli("crawl", server.url, *QUICK, "--no-robots", "--strategy", strategy, "--run", tmp_path / "run")
    assert done.returncode == Exit.OK, done.stderr
    seen = Counter(line.split()[1] for line in server.seen.request_lines)
    assert by_path(tmp_path / "run")["/a"]["attempts"] == seen["/a"] == 2
    assert json.loads((tmp_path / "run" / "stats.json").read_bytes())["requests"] == seen.total()

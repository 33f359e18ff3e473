"""Crawler traps are left, said, and can be allowed; rules for URLs say what they merged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from crawler.lab.process import LabProcess, serve_in_process
from crawler.lab.world import WorldSpec
from tests.integration.conftest import LAB_OPTIONS, read_records, run_cli

PATIENCE = ("--trap-pages", 50)


@pytest.fixture(scope="module")
def traps() -> Iterator[LabProcess]:
    """A web of traps, and one small site with a few on it."""
    with serve_in_process(WorldSpec(hosts=1, pages_per_host=20, page_bytes=3_000, traps=True)) as process:
        yield process


def stats_of(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "stats.json").read_bytes())
    return found


@pytest.mark.parametrize(
    ("host", "most"),
    [
        ("maze.lab", 400),  # scenario 79
        ("sessions.lab", 400),  # scenario 77
        ("paths.lab", 10),  # scenario 78
        ("www1.mirror.lab", 1_200),  # scenarios 4 and 80
    ],
)
def test_a_crawl_of_a_host_without_end_ends(traps: LabProcess, tmp_path: Path, host: str, most: int) -> None:
    run = tmp_path / "run"
    seed = f"http://{host}:{traps.port}/"
    done = run_cli("crawl", seed, *LAB_OPTIONS, *PATIENCE, "--scope", "domain", "--per-host", 8, "--run", run)
    assert done.returncode == 0, done.stderr
    assert 1 < len(read_records(run)) <= most
    assert run_cli("verify", run).returncode == 0


def test_what_was_left_is_said_and_comes_back_when_it_is_allowed(traps: LabProcess, tmp_path: Path) -> None:
    """The summary names the pattern and the option; a resume without the guard takes up what it left."""  # scenario 76
    run = tmp_path / "run"
    seed = f"http://site-000.lab:{traps.port}/"
    done = run_cli("crawl", seed, *LAB_OPTIONS, *PATIENCE, "--per-host", 8, "--max-depth", 1000, "--run", run)
    assert done.returncode == 0, done.stderr
    assert "  crawler traps\n" in done.stderr
    assert "is a trap" in done.stderr
    assert "--no-trap-guard" in done.stderr
    found = stats_of(run)["traps"]
    assert isinstance(found, list)
    patterns = {trap["pattern"]: trap for trap in found}
    calendar = f"site-000.lab:{traps.port}/calendar/#-#.html"
    assert calendar in patterns
    assert patterns[calendar]["left_out"] >= 1
    assert "trap" in run_cli("show", run, "--skipped").stdout
    before = len(read_records(run))
    again = run_cli("resume", run, "--no-trap-guard", "--max-pages", before + 40)
    assert again.returncode == 0, again.stderr
    assert len(read_records(run)) > before
    assert run_cli("verify", run).returncode == 0


def test_what_was_left_stays_left_when_the_run_goes_on(traps: LabProcess, tmp_path: Path) -> None:
    run = tmp_path / "run"
    seed = f"http://maze.lab:{traps.port}/"
    assert run_cli("crawl", seed, *LAB_OPTIONS, *PATIENCE, "--per-host", 8, "--run", run).returncode == 0
    before = read_records(run)
    assert run_cli("resume", run).returncode == 0
    assert read_records(run) == before


def test_session_ids_are_taken_out_on_request_and_counted(traps: LabProcess, tmp_path: Path) -> None:
    """Each item has one record, and the summary says which links were merged by which rule."""  # scenario 77
    run = tmp_path / "run"
    seed = f"http://sessions.lab:{traps.port}/"
    done = run_cli("crawl", seed, *LAB_OPTIONS, "--per-host", 8, "--strip-session-ids", "--run", run)
    assert done.returncode == 0, done.stderr
    urls = Counter(record["url"] for record in read_records(run))
    assert not any("jsessionid" in url for url in urls)
    assert len(urls) == 21
    assert "links by session_ids, like" in done.stderr
    merged = stats_of(run)["merged"]
    assert isinstance(merged, list)
    assert [(rule["rule"], rule["count"] > 20) for rule in merged] == [("session_ids", True)]


def test_a_domain_has_a_budget_where_a_crawl_has_no_border(traps: LabProcess, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--scope", "any", "--max-pages", 200, "--max-pages-per-domain", 20, "--no-trap-guard"]
    done = run_cli("crawl", f"http://babble.lab:{traps.port}/", *LAB_OPTIONS, *options, "--run", run)
    assert done.returncode == 0, done.stderr
    assert len(read_records(run)) == 20
    assert "domain_budget" in done.stderr


class BrokenMaze(BaseHTTPRequestHandler):
    """Every page but the first leads to three more, says the same, and breaks off before its announced length."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        number = int(self.path.strip("/")) if self.path.strip("/").isdigit() else 0
        links = "".join(f"<a href='/{number * 3 + step}'>x</a>" for step in (1, 2, 3))
        body = f"<title>Calendar</title><p>No events today</p>{links}".encode()
        self.send_response(404 if self.path == "/robots.txt" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body) + 10 * bool(number)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(number)

    def log_message(self, *_: object) -> None:
        pass


def test_a_maze_whose_pages_all_break_off_ends_as_well(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ThreadingHTTPServer(("127.0.0.1", 0), BrokenMaze) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        seed = f"http://127.0.0.1:{server.server_port}/"
        done = run_cli("crawl", seed, "--delay", 0, "--retries", 0, "--no-sitemaps", *PATIENCE, "--run", run)
        server.shutdown()
        thread.join()
    assert done.returncode == 0, done.stderr
    assert "  crawler traps\n" in done.stderr
    assert "is a trap" in done.stderr
    assert len(read_records(run)) < 400

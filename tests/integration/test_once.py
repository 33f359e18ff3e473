"""One record for each URL in every output, by whatever way it was come upon, and whatever the clock says."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

from tests.contract.server import ScriptedServer, answer
from tests.integration.conftest import COMMAND, ROOT, read_records, run_cli, settled

HTML = "Content-Type: text/html"
QUICK = ("--delay", 0, "--patience", 20)


def moved(path: str) -> bytes:
    return answer(b"", "302 Found", f"Location: {path}")


def script(server: ScriptedServer, failures: int) -> str:
    """A site on which one page has many names, and another answers after some failures; returns its seed."""
    links = ("/one", "/two", "/three", "/page", "/page#part", "/./page", "/flaky", "/short")
    body = "".join(f"<a href='{link}'>x</a>" for link in links).encode()
    server.script("/", answer(body, "200 OK", HTML))
    server.script("/one", moved("/page"))
    server.script("/two", moved("/one"))
    server.script("/three", moved("/page#again"))
    server.script("/page", answer(b"<title>page</title>", "200 OK", HTML))
    for _ in range(failures):
        server.script("/flaky", answer(b"", "503 Service Unavailable"))
    server.script("/flaky", answer(b"<title>at last</title>", "200 OK", HTML))
    server.script("/robots.txt", answer(b""))
    return server.url + "/"


def test_retries_and_aliases_leave_one_record_for_each_url_in_every_output(tmp_path: Path) -> None:
    # scenario 90
    run, table, lines = tmp_path / "run", tmp_path / "out.csv", tmp_path / "out.jsonl"
    config = tmp_path / "quick.toml"
    config.write_text("[politeness]\nbackoff_s = 0.01\n")
    with ScriptedServer() as server:
        seed = script(server, failures=1)
        options = (*QUICK, "--config", config, "--run", run, "-o", table, "-o", lines, "-o", "-")
        done = run_cli("crawl", seed, seed + "#again", *options)
        assert done.returncode == 0, done.stderr
    paths = ("", "one", "two", "three", "page", "flaky", "short")
    expected = sorted(f"{seed}{path}" for path in paths)
    assert sorted(record["url"] for record in read_records(run)) == expected
    assert sorted(json.loads(line)["url"] for line in done.stdout.splitlines()) == expected
    assert sorted(json.loads(line)["url"] for line in lines.read_text().splitlines()) == expected
    with table.open(encoding="utf-8", newline="") as file:
        assert sorted(row["url"] for row in csv.DictReader(file)) == expected
    records = {record["url"].removeprefix(seed): record for record in read_records(run)}
    flaky = records["flaky"]
    assert (flaky["outcome"], flaky["attempts"], flaky["title"]) == ("ok", 2, "at last")
    assert server.seen.request_lines.count("GET /page HTTP/1.1") == 1


def test_a_table_for_a_spreadsheet_is_asked_for_by_crawl_resume_and_export(tmp_path: Path) -> None:
    # scenario 86
    run = tmp_path / "run"

    def title_in(name: str) -> str:
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        return str(row["title"])

    with ScriptedServer() as server:
        seed = server.script("/", answer(b"<title>=1+1</title>", "200 OK", HTML))
        server.script("/robots.txt", answer(b""))
        options = (*QUICK, "--run", run, "--spreadsheet-safe", "-o", tmp_path / "crawl.csv")
        assert run_cli("crawl", seed, *options).returncode == 0
        assert run_cli("resume", run, "-o", tmp_path / "resume.csv").returncode == 0
    assert title_in("crawl.csv") == "'=1+1"
    assert title_in("resume.csv") == "'=1+1"
    assert run_cli("export", run, tmp_path / "safe.csv", "--spreadsheet-safe").returncode == 0
    assert title_in("safe.csv") == "'=1+1"
    assert run_cli("export", run, tmp_path / "plain.csv").returncode == 0
    assert title_in("plain.csv") == "=1+1"


JUMPING = """
import itertools, sys, time
real, jumps = time.time, itertools.cycle((0, 3600, -3600, 10**9))
time.time = lambda: 1000.0 if (jump := next(jumps)) == 10**9 else real() + jump
from crawler.cli import main
sys.exit(main())
"""


def test_a_wall_clock_that_jumps_changes_no_record_and_stops_nothing(tmp_path: Path) -> None:
    """An hour forth, an hour back and to 1970, at each look: waits and deadlines are measured by another clock."""
    # scenario 111
    records = []
    for name, program in (("steady", COMMAND), ("jumping", [COMMAND[0], "-c", JUMPING])):
        run = tmp_path / name
        with ScriptedServer() as server:
            options = ["--delay", "0.02", "--retries", "2", "--run", str(run), "--max-time", "60", "--json"]
            done = subprocess.run(
                [*program, "crawl", script(server, failures=0), *options],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["why"] == "finished"
            port = f":{server.port}/"
        table = settled(read_records(run))
        records.append(json.loads(json.dumps(table).replace(port, "/")))
    assert records[0] == records[1]


def test_a_crawl_that_fetches_nothing_leaves_the_file_of_an_earlier_one(tmp_path: Path) -> None:
    table, new = tmp_path / "pages.csv", tmp_path / "new.csv"
    table.write_text("yesterday")
    options = ("--retries", 0, "--patience", 0, "--delay", 0, "-q", "--run", tmp_path / "run")
    done = run_cli("crawl", "http://127.0.0.1:4/", *options, "-o", table, "-o", new)
    assert done.returncode == 1
    assert "pages.csv is left as it was" in done.stderr
    assert table.read_text() == "yesterday"
    assert len(list(csv.DictReader(new.read_text().splitlines()))) == 1

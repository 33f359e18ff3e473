"""Crawls that keep every answer: what is in the WARC, what replays it, and what is parsed out of it again."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from crawler import warc
from crawler.lab.process import LabProcess
from crawler.parse.decode import undo_codings
from crawler.run.verify import verify
from crawler.store.sqlite import SqliteStore
from tests.contract.server import CLOSE, ScriptedServer, answer
from tests.integration.conftest import COMMAND, LAB_OPTIONS, ROOT, Record, read_records, run_cli, settled

NAME = "pages.warc.gz"
# warcio breaks on bodies in br where the package of that name is there: it expects another one with its name.
WARCIO = [sys.executable, "-c", "import sys; sys.modules['brotli'] = None; from warcio.cli import main; main()"]
# What a replay cannot have as it was: how long the fetch took, and by which strategy.
OF_THE_FETCH = ("elapsed_ms", "strategy")


@pytest.fixture(scope="module")
def kept(seeds: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has kept its answers."""
    run = tmp_path_factory.mktemp("kept") / "run"
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--retries", "0", "--warc", "--run", run)
    assert done.returncode == 0, done.stderr
    return run


def by_url(run: Path, *without: str) -> dict[str, Record]:
    """Records by URL, without some of their fields."""
    records = {each["url"]: {k: v for k, v in each.items() if k not in without} for each in read_records(run)}
    assert len(records) == len(read_records(run))
    return records


def sound(run: Path) -> None:
    """A run keeps its promise, and its WARC is one by the word of others."""
    assert verify(run) == []
    subprocess.run(["gzip", "-t", run / NAME], check=True)
    subprocess.run([*WARCIO, "check", run / NAME], check=True, stdout=subprocess.DEVNULL)


# Keeping ------------------------------------------------------------------------------------------------------------


def test_every_record_of_an_answer_has_the_answer_that_it_was_made_of(kept: Path, lab: LabProcess) -> None:
    # scenario 89
    sound(kept)
    records = {url: record for url, record in by_url(kept).items() if record["status"] is not None}
    assert {record["outcome"] for record in records.values()} == {"ok", "http_error", "redirect"}
    found: dict[str, tuple[str, int, bytes]] = {}
    sides = set()
    with (kept / NAME).open("rb") as file:
        for each in ArchiveIterator(file):
            url = each.rec_headers.get_header("WARC-Target-URI")
            if each.rec_type not in ("response", "revisit"):
                continue
            if url not in records:
                sides.add(url)
                continue
            assert url not in found
            coding = each.http_headers.get_header("Content-Encoding")
            body = undo_codings(each.raw_stream.read(), [coding] if coding else [], 10**7).body
            found[url] = (each.rec_type, int(each.http_headers.get_statuscode()), body)
    assert found.keys() == records.keys()
    assert {url.rpartition("/")[2] for url in sides} == {"robots.txt", "sitemap.xml"}
    for url, record in records.items():
        kind, status, body = found[url]
        assert status == record["status"]
        if record["digest"] and kind == "response":
            assert record["digest"] == "sha256:" + hashlib.sha256(body).hexdigest()


def test_without_being_asked_a_crawl_keeps_no_answers(seeds: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", run)
    assert not (run / NAME).exists()


@pytest.mark.parametrize("strategy", ["threads", "sequential", "curl"])
def test_every_strategy_keeps_the_same_answers(strategy: str, kept: Path, seeds: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = run_cli(
        "crawl",
        *seeds,
        *LAB_OPTIONS,
        "--retries",
        "0",
        "--warc",
        "--run",
        run,
        "--strategy",
        strategy,
        "--parse",
        "inline",
    )
    assert done.returncode == 0, done.stderr
    sound(run)

    def answers(folder: Path) -> dict[str, tuple[str, ...]]:
        named = ("warc-payload-digest", "warc-truncated")
        entries = [entry for entry in warc.entries(folder / NAME) if entry.is_answer]
        return {entry.url: tuple(entry.fields.get(name, "") for name in named) for entry in entries}

    assert answers(run) == answers(kept)


def test_what_a_server_cuts_and_what_the_crawler_cuts_is_marked(tmp_path: Path) -> None:
    # scenarios 12, 34, 89
    html = "Content-Type: text/html"
    with ScriptedServer() as server:
        server.script("/robots.txt", answer(b"", "404 Not Found"))
        links = b"".join(b'<a href="/%s">' % name for name in (b"short", b"long", b"image", b"chunked", b"twin"))
        seed = server.script("/", answer(links, "200 OK", html))
        server.script("/short", answer(b"short", "200 OK", html, length=500), CLOSE)
        server.script("/long", answer(b"l" * 5000, "200 OK", html))
        server.script("/image", answer(b"png", "200 OK", "Content-Type: image/png"))
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=secret\r\n\r\n4\r\npage\r\n0\r\n\r\n"
        server.script("/chunked", chunked)
        server.script("/twin", answer(b"page", "200 OK"))
        options = ["--delay", "0", "--retries", "0", "--max-body", "2048", "--warc", "-H", "Authorization: secret"]
        done = run_cli("crawl", seed, *options, "--run", tmp_path / "run")
        assert done.returncode == 0, done.stderr
        assert all("secret" in server.seen.fields(at)["Authorization"] for at in range(len(server.seen.heads)))
    run = tmp_path / "run"
    sound(run)
    marks = {
        entry.url.rpartition("/")[2]: (entry.kind, entry.fields.get("warc-truncated"))
        for entry in warc.entries(run / NAME)
        if entry.is_answer
    }
    assert marks.pop("robots.txt") == ("response", None)
    assert {marks.pop("chunked")[0], marks.pop("twin")[0]} == {"response", "revisit"}
    assert marks == {
        "": ("response", None),
        "short": ("response", "disconnect"),
        "long": ("response", "length"),
        "image": ("response", "unspecified"),
    }
    assert b"secret" not in gzip.decompress((run / NAME).read_bytes())
    done = run_cli("reparse", run, "--run", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert by_url(tmp_path / "again", *OF_THE_FETCH) == by_url(run, *OF_THE_FETCH)


def test_resume_does_not_change_whether_answers_are_kept(kept: Path, seeds: list[str], tmp_path: Path) -> None:
    done = run_cli("resume", kept, "--no-warc")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", tmp_path / "run", "--max-pages", "2")
    assert run_cli("resume", tmp_path / "run", "--warc").returncode == 2


# Checking -----------------------------------------------------------------------------------------------------------


def copy(run: Path, to: Path) -> Path:
    to.mkdir()
    for each in run.iterdir():
        (to / each.name).write_bytes(each.read_bytes())
    return to


def test_verify_finds_an_answer_that_was_altered_or_is_missing(kept: Path, tmp_path: Path) -> None:
    data = (kept / NAME).read_bytes()
    entries = list(warc.entries(kept / NAME))
    middle = next(entry for entry in entries if entry.kind == "response" and entry.offset > len(data) // 2)

    run = copy(kept, tmp_path / "altered")
    (run / NAME).write_bytes(data[: middle.offset + 20] + b"\0" + data[middle.offset + 21 :])
    faults = verify(run)
    assert any("the checksum is not that of what was committed" in fault for fault in faults)
    assert any(f"at byte {middle.offset:,} there is no WARC record" in fault for fault in faults)

    run = copy(kept, tmp_path / "short")
    (run / NAME).write_bytes(data[: middle.offset] + data[middle.end :])
    assert any("bytes of" in fault and "that were committed" in fault for fault in verify(run))

    run = copy(kept, tmp_path / "gone")
    (run / NAME).unlink()
    assert any(f"{NAME} cannot be read" in fault for fault in verify(run))


# Replaying ----------------------------------------------------------------------------------------------------------


def test_a_run_is_crawled_again_out_of_its_warc(kept: Path, seeds: list[str], lab: LabProcess, tmp_path: Path) -> None:
    """With the same records and without a request; the file by itself does as well."""
    asked = lab.counts()
    for number, source in enumerate((kept, kept / NAME)):
        run = tmp_path / str(number)
        done = run_cli("crawl", *seeds, "--delay", "0", "--strategy", "replay", "--replay", source, "--run", run)
        assert done.returncode == 0, done.stderr
        assert settled(read_records(run)) == settled(read_records(kept))
    assert lab.counts() == asked


def test_a_run_without_a_warc_is_nothing_to_replay(seeds: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", run, "--max-pages", "1")
    for arguments in (("crawl", seeds[0], "--strategy", "replay", "--replay", run), ("reparse", run)):
        done = run_cli(*arguments, "--run", tmp_path / "new")
        assert done.returncode == 2
        assert "not crawled with --warc" in done.stderr
        assert not (tmp_path / "new").exists()


# Parsing again ------------------------------------------------------------------------------------------------------


def test_parsing_again_gives_the_same_records_without_a_request(kept: Path, lab: LabProcess, tmp_path: Path) -> None:
    asked, run = lab.counts(), tmp_path / "run"
    done = run_cli("reparse", kept, "--run", run, "-o", tmp_path / "a.jsonl")
    assert done.returncode == 0, done.stderr
    assert by_url(run, *OF_THE_FETCH) == by_url(kept, *OF_THE_FETCH)
    assert verify(run) == []
    assert lab.counts() == asked
    exported = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert exported == read_records(run)
    assert not (run / NAME).exists()


def test_parsing_again_with_other_options_changes_what_they_are_about(kept: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = run_cli("reparse", kept, "--run", run, "--parser", "bs4", "--quiet")
    assert done.returncode == 0, done.stderr
    assert by_url(run, *OF_THE_FETCH) == by_url(kept, *OF_THE_FETCH)
    assert 'parser = "bs4"' in (run / "run.toml").read_text()


def test_parsing_again_takes_rules_from_a_file(kept: Path, tmp_path: Path) -> None:
    """And nothing else from it."""
    config, run = tmp_path / "rules.toml", tmp_path / "run"
    config.write_text('[crawl]\nmax_pages = 1\n\n[extract.heading]\ncss = "h1"\n')
    done = run_cli("reparse", kept, "--run", run, "--config", config, "--quiet")
    assert done.returncode == 0, done.stderr
    found = by_url(run, *OF_THE_FETCH, "rules")
    assert found == by_url(kept, *OF_THE_FETCH, "rules")
    for record in read_records(run):
        assert (record["rules"] or {}).get("heading") == record["h1"]
    config.write_text("[parse]\nparser = 7\n")
    done = run_cli("reparse", kept, "--run", tmp_path / "new", "--config", config)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "new").exists()


def test_a_file_that_was_saved_keeps_its_record_and_lies_where_it_was(tmp_path: Path) -> None:
    """Pages are parsed again also where they were saved."""
    run, again = tmp_path / "run", tmp_path / "again"
    with ScriptedServer() as server:
        server.script("/robots.txt", answer(b"", "404 Not Found"))
        seed = server.script("/", answer(b'<a href="/a.pdf">', "200 OK", "Content-Type: text/html"))
        server.script("/a.pdf", answer(b"%PDF", "200 OK", "Content-Type: application/pdf"))
        options = ["--delay", "0", "--warc", "--files", "pdf", "--save-html", "--min-free", "0"]
        done = run_cli("crawl", seed, *options, "--run", run)
        assert done.returncode == 0, done.stderr
    sound(run)
    before = by_url(run, *OF_THE_FETCH)
    assert before[f"{seed}a.pdf"]["file"]
    done = run_cli("reparse", run, "--run", again)
    assert done.returncode == 0, done.stderr
    assert verify(again) == []
    assert by_url(again, *OF_THE_FETCH) == {url: {**record, "file": None} for url, record in before.items()}


def test_a_run_that_is_not_finished_is_parsed_again_as_far_as_it_came(seeds: list[str], tmp_path: Path) -> None:
    """What was pending there is none of the new run's business, and what had no answer keeps its record."""
    run, again = tmp_path / "run", tmp_path / "again"
    options = [*LAB_OPTIONS, "--retries", "0", "--no-robots", "--warc", "--max-pages", "9"]
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/"
        done = run_cli("crawl", dead, *seeds, *options, "--run", run)
    assert done.returncode == 0, done.stderr
    done = run_cli("reparse", run, "--run", again)
    assert done.returncode == 0, done.stderr
    assert by_url(again, *OF_THE_FETCH) == by_url(run, *OF_THE_FETCH)
    assert verify(again) == []
    before, now = read_records(run), read_records(again)
    unanswered = [record for record in before if record["status"] is None]
    assert [record["url"] for record in unanswered] == [dead]
    assert [record for record in now if record["status"] is None] == unanswered
    store = SqliteStore(again / "state.sqlite", is_new=False)
    assert "pending" not in store.counts()
    store.close(is_clean=True)


HELD = """
import pathlib, time

def title_of(page):
    while pathlib.Path("hold").exists() and "-2" in page.url:
        time.sleep(0.01)
    return {"title": page.tree.css_first("title").text()}
"""


def test_parsing_again_can_be_stopped_and_resumed(kept: Path, lab: LabProcess, tmp_path: Path) -> None:
    """Two signals, then `resume`: every record once, as if nothing had been."""
    asked, again = lab.counts(), tmp_path / "again"
    (tmp_path / "mine.py").write_text(HELD)
    (tmp_path / "hold").touch()
    arguments = [*COMMAND, "reparse", str(kept), "--run", str(again), "--extract", "mine:title_of", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(arguments, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while not (again / "records.jsonl").exists() or not (again / "records.jsonl").stat().st_size:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # the second one: what is being parsed is not waited for
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3, said
    assert 0 < len(read_records(again)) < len(read_records(kept))
    assert verify(again) == []
    (tmp_path / "hold").unlink()
    done = run_cli("resume", again, "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert verify(again) == []
    assert by_url(again, *OF_THE_FETCH, "extracted") == by_url(kept, *OF_THE_FETCH, "extracted")
    for record in read_records(again):
        assert (record["extracted"] or {}).get("title") == record["title"]
    assert lab.counts() == asked

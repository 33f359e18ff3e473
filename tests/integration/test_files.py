"""Crawls that save files: what a run holds then, and that neither a cut connection nor a kill makes a file wrong."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import crawler
from crawler.errors import UsageError
from crawler.log.terminal import size
from crawler.run.verify import verify
from tests.contract.server import CLOSE, HANG, ScriptedServer, answer
from tests.integration.conftest import ROOT, Record, read_records, run_cli
from tests.kill.session import assert_refused, run_session

KIB = 1024
BODY = os.urandom(3 * KIB * KIB)
CUT = 1 * KIB * KIB
HTML, PDF, TAG = "Content-Type: text/html", "Content-Type: application/pdf", 'ETag: "one"'
RETRY_AT_ONCE = "[politeness]\nbackoff_s = 0.01\n"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server whose home page leads to `/docs/report.pdf`."""
    with ScriptedServer() as running:
        running.script("/robots.txt", answer(b""))
        running.script("/", answer(b'<a href="/docs/report.pdf">report</a>', "200 OK", HTML))
        yield running


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    """Of a crawl that saves PDFs into `run`."""
    config = tmp_path / "retry.toml"
    config.write_text(RETRY_AT_ONCE)
    return ["--delay", 0, "--patience", 10, "--config", config, "--run", tmp_path / "run", "--files", "pdf"]


def rest(start: int) -> bytes:
    """An answer with the rest of the report."""
    return answer(BODY[start:], "206 Partial Content", TAG, f"Content-Range: bytes {start}-{len(BODY) - 1}/{len(BODY)}")


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def folder_of(server: ScriptedServer) -> str:
    return f"files/127.0.0.1+http+{server.port}"


def record_of(run: Path, url: str) -> Record:
    (record,) = [record for record in read_records(run) if record["url"] == url]
    return record


def assert_saved(run: Path, server: ScriptedServer, body: bytes = BODY) -> Record:
    """The report is in its file, the record says so, nothing else is left, and `verify` agrees."""
    record = record_of(run, f"{server.url}/docs/report.pdf")
    assert (record["outcome"], record["error"], record["complete"]) == ("ok", None, True)
    assert record["file"] == f"{folder_of(server)}/docs/report.pdf"
    assert (record["bytes"], record["digest"]) == (len(body), digest(body))
    assert (run / record["file"]).read_bytes() == body
    assert [path for path in (run / "files").rglob("*") if path.is_file()] == [run / record["file"]]
    assert not (run / "files" / "+partial").exists()
    assert verify(run) == []
    return record


def test_a_run_holds_what_was_asked_for_and_says_where(
    server: ScriptedServer, tmp_path: Path, options: list[object]
) -> None:
    """The record of a file is that of a page without one, but for its path, its size and its digest."""
    server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF, TAG))
    done = run_cli("crawl", server.url, *options)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    record = assert_saved(run, server)
    assert list(record)[-1] == "file"
    assert (record["status"], record["wire_bytes"], record["content_type"]) == (200, len(BODY), "application/pdf")
    assert record["title"] is None
    assert record_of(run, f"{server.url}/")["file"] is None
    shown = run_cli("show", run, "--files").stdout
    cells = [record["file"], str(len(BODY)), "application/pdf", digest(BODY), record["url"], ""]
    assert shown == "\t".join(cells) + "\n"


def test_without_a_word_nothing_is_saved(server: ScriptedServer, tmp_path: Path) -> None:
    server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF), CLOSE)
    assert run_cli("crawl", server.url, "--delay", 0, "--run", tmp_path / "run").returncode == 0
    record = record_of(tmp_path / "run", f"{server.url}/docs/report.pdf")
    assert (record["outcome"], record["truncated"], record["file"]) == ("ok", "type", None)
    assert not (tmp_path / "run" / "files").exists()


@pytest.mark.parametrize("strategy", ["asyncio", "threads", "sequential", "curl"])
def test_a_download_that_is_cut_off_is_gone_on_with(
    server: ScriptedServer, tmp_path: Path, options: list[object], strategy: str
) -> None:
    """By the crawl's own second try; only the rest is fetched."""
    # scenario 85
    server.script("/docs/report.pdf", answer(BODY[:CUT], "200 OK", PDF, TAG, length=len(BODY)), CLOSE)
    server.script("/docs/report.pdf", rest(CUT))
    done = run_cli("crawl", server.url, *options, "--strategy", strategy)
    assert done.returncode == 0, done.stderr
    record = assert_saved(tmp_path / "run", server)
    assert (record["attempts"], record["status"], record["wire_bytes"]) == (2, 200, len(BODY))
    assert server.seen.fields()["Range"] == f"bytes={CUT}-"


def test_a_rest_that_does_not_fit_is_followed_by_the_whole(
    server: ScriptedServer, tmp_path: Path, options: list[object]
) -> None:
    # scenario 85
    server.script("/docs/report.pdf", answer(BODY[:CUT], "200 OK", PDF, TAG, length=len(BODY)), CLOSE)
    server.script("/docs/report.pdf", rest(CUT + 1), CLOSE)
    server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF, 'ETag: "two"'))
    done = run_cli("crawl", server.url, *options, "--retries", 1)
    assert done.returncode == 0, done.stderr
    assert assert_saved(tmp_path / "run", server)["attempts"] == 3


@pytest.mark.parametrize("retries", [0, 1])
def test_a_download_that_fails_for_good_leaves_nothing(
    server: ScriptedServer, tmp_path: Path, options: list[object], retries: int
) -> None:
    """Be it by its first try or by its last; a retry that is due is made without any patience."""
    server.script("/docs/report.pdf", answer(BODY[:CUT], "200 OK", PDF, TAG, length=len(BODY)), CLOSE)
    config = tmp_path / "quick.toml"
    config.write_text("[politeness]\nbackoff_s = 0.1\n")
    options += ["--config", config, "--retries", retries, "--patience", 0]
    assert run_cli("crawl", server.url, *options).returncode == 0
    run = tmp_path / "run"
    record = record_of(run, f"{server.url}/docs/report.pdf")
    assert (record["outcome"], record["error"]) == ("failed", "incomplete_body")
    assert (record["file"], record["digest"], record["attempts"]) == (None, None, 1 + retries)
    assert list((run / "files").rglob("*")) == []
    assert verify(run) == []


def test_what_came_of_a_file_that_is_not_whole_counts_as_received(
    server: ScriptedServer, tmp_path: Path, options: list[object]
) -> None:
    """The summary, stats.json and what lies there say the same; a crawl that was stopped before did get something."""
    server.script("/docs/report.pdf", answer(BODY[:CUT], "200 OK", PDF, TAG, length=len(BODY)), HANG)
    config = tmp_path / "quick.toml"
    config.write_text("[fetch]\nread_timeout_s = 1.0\n")
    options += ["--config", config, "--retries", 0, "--no-robots", "--no-sitemaps"]
    done = run_cli("crawl", f"{server.url}/docs/report.pdf", *options)
    stats = json.loads((tmp_path / "run" / "stats.json").read_bytes())
    assert stats["wire_bytes"] == CUT, done.stderr
    assert f"{size(CUT)} received" in done.stderr


# Kills and full disks

# Where the process kills itself as if the machine had done it.
DEATHS = {
    "in the middle of the body": "around(Download, 'write', after=lambda it, *_: it.size >= CUT)",
    "between the last byte and the name": "around(FileFolder, 'keep', before=True)",
    "between the name and the record": "around(FileFolder, 'keep', after=lambda *_: True)",
    "between the record and the commit": "around(Committer, 'add', before=True, skip=1)",
}
MORTAL = """
import os, signal, sys
from crawler import cli
from crawler.engine.commit import Committer
from crawler.files.download import Download
from crawler.files.folder import FileFolder
CUT = {cut}
def around(owner, name, before=False, after=lambda *_: False, skip=0):
    method, calls = getattr(owner, name), 0
    def mortal(*arguments):
        nonlocal calls
        calls += 1
        if before and calls > skip:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = method(*arguments)
        if after(*arguments):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    setattr(owner, name, mortal)
{death}
cli.main(sys.argv[1:])
"""


@pytest.mark.parametrize("death", DEATHS)
def test_a_download_is_whole_after_a_kill_and_a_resume(
    server: ScriptedServer, tmp_path: Path, options: list[object], death: str
) -> None:
    """A file with its lasting name is whole, with or without a record; what is not whole is gone on with."""
    # scenario 84
    run = tmp_path / "run"
    is_cut = "middle" in death
    script = (
        [answer(BODY[:CUT], "200 OK", PDF, TAG, length=len(BODY)), HANG]
        if is_cut
        else [answer(BODY, "200 OK", PDF, TAG)]
    )
    server.script("/docs/report.pdf", *script)
    program = MORTAL.format(cut=CUT, death=DEATHS[death])
    killed = subprocess.run(
        [sys.executable, "-c", program, "crawl", server.url, *map(str, options)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert verify(run) == []
    whole = run / folder_of(server) / "docs" / "report.pdf"
    if death.startswith("between the name") or death.startswith("between the record"):
        assert whole.read_bytes() == BODY
    else:
        assert not whole.exists()
        (part,) = (run / "files" / "+partial").glob("*.part")
        assert part.read_bytes() == BODY[: CUT if is_cut else None]
        server.script("/docs/report.pdf", rest(CUT if is_cut else len(BODY) - 1))
        server._scripts["/docs/report.pdf"].pop(0)
    done = run_cli("resume", run, "--delay", 0)
    assert done.returncode == 0, done.stderr
    assert_saved(run, server)
    assert ("Range" in server.seen.fields()) == (not death.startswith(("between the name", "between the record")))


def test_a_full_disk_ends_the_crawl_in_a_sentence_and_it_goes_on_when_there_is_room(
    server: ScriptedServer, tmp_path: Path, options: list[object]
) -> None:
    """EFBIG stands for ENOSPC: status 3, and only the part is left."""
    # scenario 84
    run = tmp_path / "run"
    server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF, TAG))
    assert_refused(run_session("crawl", server.url, *options, "--quiet", point=("room", CUT)), "cannot write files")
    (part,) = (run / "files" / "+partial").glob("*.part")
    assert part.read_bytes() == BODY[:CUT]
    assert verify(run) == []
    server.script("/docs/report.pdf", rest(CUT))
    server._scripts["/docs/report.pdf"].pop(0)
    done = run_cli("resume", run, "--delay", 0)
    assert done.returncode == 0, done.stderr
    assert_saved(run, server)


def test_with_less_free_than_it_should_leave_the_crawl_asks_for_nothing(
    server: ScriptedServer, tmp_path: Path, options: list[object]
) -> None:
    # scenario 84
    done = run_cli("crawl", server.url, *options, "--min-free", 2**60)
    assert done.returncode == 3
    assert "GiB are free" in done.stderr
    assert "resume" in done.stderr
    assert server.seen.heads == []
    server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF, TAG))
    done = run_cli("resume", tmp_path / "run", "--delay", 0, "--min-free", 0)
    assert done.returncode == 0, done.stderr
    assert_saved(tmp_path / "run", server)


# Names


def test_hostile_names_stay_inside_and_apart(server: ScriptedServer, tmp_path: Path, options: list[object]) -> None:
    # scenarios 81, 82, 83
    paths = ["/%2E%2E%2F%2E%2E%2Fx.pdf", "/a/..%5C..%5Cx.pdf", "/X.pdf", "/x.pdf", "/x.pdf/y.pdf", "/x.pdf?a", "/CON"]
    links = "".join(f'<a href="{path}">x</a>' for path in paths).encode()
    server._scripts["/"] = [(answer(links, "200 OK", HTML),)]
    said = 'Content-Disposition: attachment; filename="../../.bashrc"'
    for path in paths:
        server.script(path, answer(path.encode(), "200 OK", PDF, said))
    assert run_cli("crawl", server.url, *options).returncode == 0
    run = tmp_path / "run"
    saved = {record["url"].removeprefix(server.url): record["file"] for record in read_records(run) if record["file"]}
    assert sorted(saved) == sorted(paths)
    assert len({name.casefold() for name in saved.values()}) == len(paths)
    for path, name in saved.items():
        file = run / name
        assert file.resolve().is_relative_to((run / "files").resolve())
        assert file.read_bytes() == path.encode()
        assert not any(part.startswith(".") for part in Path(name).parts)
    assert saved["/x.pdf"] == f"{folder_of(server)}/x.pdf"
    assert verify(run) == []


# What verify finds


def test_verify_names_files_that_are_missing_or_altered(
    server: ScriptedServer, tmp_path: Path, options: list[object]
) -> None:
    names = ["a", "b", "c", "d", "e"]
    links = "".join(f'<a href="/{name}.pdf">x</a>' for name in names).encode()
    server._scripts["/"] = [(answer(links, "200 OK", HTML),)]
    for name in names:
        server.script(f"/{name}.pdf", answer(b"%PDF " + name.encode(), "200 OK", PDF))
    assert run_cli("crawl", server.url, *options).returncode == 0
    run = tmp_path / "run"
    folder = run / folder_of(server)
    (folder / "a.pdf").unlink()
    (folder / "b.pdf").write_bytes(b"%PDF B")
    (folder / "c.pdf").write_bytes(b"%PDF")
    (folder / "d.pdf").rename(folder / "moved.pdf")
    (folder / "d.pdf").symlink_to("moved.pdf")
    done = run_cli("verify", run)
    assert done.returncode == 1
    sentences = sorted(done.stdout.splitlines()[:-1])
    assert len(sentences) == 4, done.stdout
    for name, words, sentence in zip(
        names,
        ("is missing", "digest is another", "has 4 bytes, its record says 6", "cannot be read"),
        sentences,
        strict=False,
    ):
        assert sentence.startswith(f"{folder_of(server)}/{name}.pdf, the file of {server.url}/{name}.pdf,")
        assert words in sentence


# In Python, and mistakes


def test_the_library_saves_files_too(server: ScriptedServer, tmp_path: Path) -> None:
    server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF))
    result = crawler.crawl(server.url, run=tmp_path / "run", delay=0, files=("application/pdf",), min_free_bytes=0)
    files = [record.file for record in result.records() if record.file]
    assert files == [f"{folder_of(server)}/docs/report.pdf"]


def test_what_is_no_expression_is_refused_with_what_would_be_right() -> None:
    with pytest.raises(UsageError, match=r"--files '\(' is no media type, none of pdf, images.* expression"):
        crawler.crawl("https://example.com", files=("(",))

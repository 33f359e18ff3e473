"""Crawls that save what pages show, and the pages themselves, from the workers that parse them."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.run.verify import verify
from tests.contract.server import ScriptedServer, answer
from tests.integration.conftest import Record, read_records, run_cli
from tests.kill.session import assert_refused, run_session

HTML, PNG = "Content-Type: text/html", "Content-Type: image/png"
HOME = (
    b"<title>home</title><link rel=icon href=/favicon.ico><img src=/1.png alt=one srcset='/2.png 2x'>"
    b"<picture><source srcset=/3.png></picture><video src=/film.mp4 poster=/4.png></video>"
    b"<a href=/about>about</a><img src=https://other.example/5.png>"
)
ABOUT = b"<title>about</title>"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A site of two pages, one of which shows pictures."""
    with ScriptedServer() as running:
        running.script("/robots.txt", answer(b""))
        running.script("/", answer(gzip.compress(HOME), "200 OK", HTML, "Content-Encoding: gzip"))
        running.script("/about", answer(ABOUT, "200 OK", HTML))
        for number in "1234":
            running.script(f"/{number}.png", answer(number.encode(), "200 OK", PNG))
        running.script("/favicon.ico", answer(b"icon", "200 OK", "Content-Type: image/x-icon"))
        yield running


def crawled(server: ScriptedServer, run: Path, *options: object) -> dict[str, Record]:
    """The records of a crawl by path."""
    done = run_cli("crawl", server.url, "--delay", 0, "--run", run, "--min-free", 0, *options)
    assert done.returncode == 0, done.stderr
    assert verify(run) == []
    return {record["url"].removeprefix(server.url): record for record in read_records(run)}


@pytest.mark.parametrize("parser", ["lexbor", "bs4"])
def test_the_images_of_pages_are_saved(server: ScriptedServer, tmp_path: Path, parser: str) -> None:
    """As far as they are in the crawl's scope; the video that was not wanted was not asked for."""
    records = crawled(server, tmp_path / "run", "--files", "images", "--parser", parser)
    saved = {
        path: (tmp_path / "run" / record["file"]).read_bytes() for path, record in records.items() if record["file"]
    }
    assert saved == {**{f"/{number}.png": number.encode() for number in "1234"}, "/favicon.ico": b"icon"}
    assert set(records) == {"/", "/about", *saved}


def test_without_a_wish_for_images_none_is_asked_for(server: ScriptedServer, tmp_path: Path) -> None:
    assert set(crawled(server, tmp_path / "run", "--files", "pdf")) == {"/", "/about"}


@pytest.mark.parametrize("mode", ["processes", "threads", "inline"])
@pytest.mark.parametrize("wish", [("--save-html",), ("--files", "text/html"), ("--files", "/(about)?$")])
def test_pages_are_saved_as_they_were_parsed(
    server: ScriptedServer, tmp_path: Path, mode: str, wish: tuple[str, ...]
) -> None:
    """Without the packing of the way, and with the digest that the record has anyway."""
    records = crawled(server, tmp_path / "run", "--parse", mode, *wish)
    assert set(records) == {"/", "/about"}
    for path, body in (("/", HOME), ("/about", ABOUT)):
        record = records[path]
        assert (tmp_path / "run" / record["file"]).read_bytes() == body
        assert record["digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
        assert record["title"] in ("home", "about")
        assert record["file"].endswith(".html")
    assert not (tmp_path / "run" / "files" / "+partial").exists()


def test_a_page_that_cannot_be_saved_ends_the_crawl_in_a_sentence(server: ScriptedServer, tmp_path: Path) -> None:
    """Status 3, and no record says that it was saved."""
    # scenario 84
    large = b"<title>large</title>" + b"<p>text</p>" * 200_000
    server._scripts["/about"] = [(answer(large, "200 OK", HTML),)]
    run = tmp_path / "run"
    options = ["--delay", 0, "--run", run, "--save-html", "--min-free", 0]
    assert_refused(run_session("crawl", server.url, *options, "--quiet", point=("room", 1_000_000)), "disk is full")
    assert "/about" not in {record["url"].removeprefix(server.url) for record in read_records(run)}
    assert run_cli("resume", run, "--delay", 0).returncode == 0
    assert verify(run) == []
    (record,) = [record for record in read_records(run) if record["title"] == "large"]
    assert (run / record["file"]).read_bytes() == large

"""Files that `-o` names are written when the crawl ends, in each format, and hold what the journal holds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from crawler.export.formats import FORMATS
from crawler.parse.decode import undo_codings
from crawler.warc import entries
from tests.integration.conftest import read_records, run_cli
from tests.unit.export.readers import READERS

PAGES = 100
RULES = """
[extract.first]
css = "h1"

[extract.sections]
css = "h2"
list = true
"""
EVERYTHING = ("--images", "--link-details", "--simhash", "--warc", "--config", "rules.toml")


@pytest.fixture(scope="module")
def crawled(documentation: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a crawl of real pages of which everything was kept: the run, and a file of each format."""
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "rules.toml").write_text(RULES)
    outputs = [part for suffix in FORMATS for part in ("-o", f"out{suffix}")]
    options = [*EVERYTHING, "--max-pages", PAGES, "--run", "run"]
    done = run_cli("crawl", *documentation, *options, *outputs, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_output_of_a_crawl_holds_every_record(crawled: Path, suffix: str) -> None:
    # scenario 90
    records = read_records(crawled / "run")
    assert len(records) >= PAGES
    assert sum(record["text"] is not None for record in records) >= PAGES * 0.7
    read, as_there = READERS[suffix]
    assert json.dumps(read(crawled / f"out{suffix}")) == json.dumps([as_there(record) for record in records])


def test_nothing_but_what_was_asked_for_is_left(crawled: Path) -> None:
    names = {"run", "rules.toml", *(f"out{suffix}" for suffix in FORMATS)}
    assert {path.name for path in crawled.iterdir()} == names


def test_another_reader_finds_the_answer_of_every_record_in_the_warc(crawled: Path) -> None:
    # scenario 89
    archive = crawled / "run" / "pages.warc.gz"
    with archive.open("rb") as file:
        named = [(each.headers["WARC-Type"], each.record_id) for each in ArchiveIterator(file, parse_http=False)]
    assert named == [(each.kind, each.fields["warc-record-id"]) for each in entries(archive)]
    records = {each["url"]: each for each in read_records(crawled / "run") if each["status"] is not None}
    digests = 0
    with archive.open("rb") as file:
        for each in ArchiveIterator(file, record_types=WarcRecordType.response | WarcRecordType.revisit):
            record = records.pop(each.headers["WARC-Target-URI"], None)
            if record is None:  # robots.txt
                continue
            assert each.http_headers.status_code == record["status"]
            if each.record_type == WarcRecordType.response and record["digest"]:
                coding = each.http_headers.get("Content-Encoding")
                body = undo_codings(each.reader.read(), [coding] if coding else [], 10**8).body
                assert record["digest"] == "sha256:" + hashlib.sha256(body).hexdigest()
                digests += 1
    assert not records
    assert digests >= PAGES * 0.7

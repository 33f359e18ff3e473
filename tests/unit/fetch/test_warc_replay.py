"""Answers kept as WARC: that they come back as they were received, whoever wrote the file."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

from crawler import warc
from crawler.errors import FetchError, RunError, UsageError
from crawler.fetch.archived import ArchivedAnswers
from crawler.fetch.base import ByteCount
from crawler.fetch.dial.target import Limits, Target
from crawler.fetch.replay import ReplayFetcher
from crawler.models import Request, Response
from crawler.records import timestamp
from crawler.store.archive import MASK
from tests.unit.store.made_warc import page, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pages.warc.gz"


async def replay(path: Path, url: str, limits: Limits | None = None) -> Response:
    request = Request(url, "h", 0)
    fetcher = ReplayFetcher(ArchivedAnswers(path), ByteCount())
    try:
        return await fetcher.fetch(request, Target((), time.monotonic() + 10, limits or Limits()))
    finally:
        await fetcher.close()


async def test_what_was_kept_is_replayed_as_it_came(path: Path) -> None:
    headers = (("Transfer-Encoding", "chunked"), ("Content-Type", "text/html"), ("Set-Cookie", "a=b"))
    write(path, page(headers=headers, fetched_at=1_700_000_000.9999))
    found = await replay(path, "http://a.example/")
    assert found.headers == (*headers[:2], ("Set-Cookie", f"a={MASK}"))
    assert (found.status, found.body, found.strategy) == (200, b"page", "replay")
    assert timestamp(found.fetched_at) == timestamp(1_700_000_000.9999)
    assert found.elapsed_s < 0.25  # of the replay itself


async def test_a_body_that_was_stored_once_is_replayed_for_all_who_had_it(path: Path) -> None:
    write(path, page(), page("http://a.example/2", headers=(("X-B", "2"),)))
    found = await replay(path, "http://a.example/2")
    assert (found.headers, found.body, found.complete) == ((("X-B", "2"),), b"page", True)


async def test_the_last_of_several_answers_counts(path: Path) -> None:
    write(path, page(body=b"old"), page(body=b"new"))
    assert (await replay(path, "http://a.example/")).body == b"new"


async def test_limits_cut_what_is_replayed(path: Path) -> None:
    write(path, page(body=b"x" * 3000, headers=(("Transfer-Encoding", "chunked"),)))
    found = await replay(path, "http://a.example/", Limits(max_body_bytes=2048))
    assert (len(found.body), found.truncated) == (2048, "length")


async def test_as_many_fields_as_may_be_received_may_be_replayed(path: Path) -> None:
    headers = (("Transfer-Encoding", "chunked"), *(("A", "b"),) * 19)
    write(path, page(headers=headers))
    assert (await replay(path, "http://a.example/", Limits(max_header_fields=20))).headers == headers


async def test_what_is_not_there_is_told(path: Path) -> None:
    write(path, page(), page("http://a.example/2"))
    with pytest.raises(FetchError, match="not_in_replay"):
        await replay(path, "http://a.example/none")
    # A file of the revisit alone: the body is elsewhere.
    lone = path.with_name("lone.warc.gz")
    revisit = next(entry for entry in warc.entries(path) if entry.kind == "revisit")
    lone.write_bytes(path.read_bytes()[revisit.offset : revisit.end])
    with pytest.raises(FetchError, match="not_in_replay"):
        await replay(lone, "http://a.example/2")


async def test_files_of_other_crawlers_are_read(path: Path) -> None:
    """With chunked bodies, other digests and versions, records that hold no answer, and URLs in other forms."""
    kept = [
        (
            "HTTP://A.example/chunked#top",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n",
        ),
        ("<http://a.example/two>", b"HTTP/2 200\r\ncontent-type: text/html\r\n\r\ntwo"),
        ("http://a.example/short", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
        ("mailto:x", b"HTTP/1.1 200 OK\r\n\r\nno page"),
    ]
    fields = b"WARC/1.0\r\nwarc-type:response\r\nWARC-Target-URI: %s\r\nWARC-Date: no date\r\nContent-Type: %s\r\n"
    with path.open("wb") as file:
        for url, block in kept:
            head = fields % (url.encode(), b"application/http;\r\n msgtype=response")
            file.write(gzip.compress(head + b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(block), block)))
        file.write(gzip.compress(fields % (b"dns:a.example", b"text/dns") + b"Content-Length: 0\r\n\r\n\r\n\r\n"))
    assert (await replay(path, "http://a.example/chunked")).body == b"page"
    assert (await replay(path, "http://a.example/two")).body == b"two"
    short = await replay(path, "http://a.example/short")
    assert (short.body, short.complete) == (b"short", False)


def test_a_record_that_is_torn_off_is_left_out_unless_it_was_committed(path: Path) -> None:
    # scenarios 89, 106
    write(path, page(), page("http://a.example/2", b"other"))
    whole = list(warc.entries(path))
    for end in (whole[-1].end - 1, whole[-1].offset + 15, whole[-1].offset + 1):
        path.write_bytes(path.read_bytes()[:end])
        assert list(warc.entries(path)) == whole[:-1]
        assert list(warc.entries(path, whole[-1].offset)) == whole[:-1]
        with pytest.raises(RunError, match=f"at byte {whole[-1].offset:,} there is no WARC record"):
            list(warc.entries(path, whole[-1].end))


def _info(length: object = 0) -> bytes:
    return b"WARC/1.1\r\nWARC-Type: warcinfo\r\nContent-Length: %s\r\n\r\n" % str(length).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"WARC/1.1\r\n no gzip",
        gzip.compress(b"<html>no WARC</html>"),
        gzip.compress(b""),
        gzip.compress(_info() + b"\r\n\r\n" + _info() + b"\r\n\r\n"),  # two records in one member
        gzip.compress(_info(5) + b"\r\n\r\n"),
        gzip.compress(_info("five") + b"\r\n\r\n"),
        gzip.compress(_info("\u0665") + b"\r\n\r\n"),
        gzip.compress(_info(10**40) + b"\r\n\r\n"),
        gzip.compress(b"WARC/1.1\r\n" + b"A: b\r\n" * 20_000 + b"\r\n"),
        gzip.compress(_info() + b"\r\n\r\n")[:-8] + b"\0" * 8,  # a wrong checksum
    ],
    ids=range(10),
)
def test_what_is_no_warc_is_refused_in_a_sentence(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(RunError, match="at byte 0 there is no WARC record in a gzip member of its own"):
        ArchivedAnswers(path)


def test_a_file_that_cannot_be_read_is_a_usage_error(path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        ArchivedAnswers(path)


def test_a_bomb_is_counted_and_not_kept(path: Path) -> None:
    # scenario 30
    size = 64 * 1024 * 1024
    path.write_bytes(gzip.compress(_info(size) + bytes(size) + b"\r\n\r\n"))
    (entry,) = warc.entries(path)
    assert entry.block == b""
    with path.open("rb") as file:
        assert warc.entry_at(path, file, 0, 1000).block == bytes(1000)

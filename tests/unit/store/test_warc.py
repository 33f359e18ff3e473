"""Answers kept as WARC: what is written, and that others can read it."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import hypothesis
import msgspec
import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from hypothesis import given
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from crawler import urls, warc
from crawler.fetch.answer import AnswerParser
from crawler.fetch.archived import ArchivedAnswers
from crawler.fetch.dial import targets
from crawler.fetch.dial.target import Limits
from crawler.models import Saved
from crawler.settings.groups import CrawlSettings, FetchSettings, Settings
from crawler.store import archive as export_warc
from crawler.store.archive import MASK, SHOWN, Archive, Exchange
from crawler.store.journal import Journal
from tests.unit.store.made_warc import HTML, SENT, answers, page, read, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pages.warc.gz"


# What is written ----------------------------------------------------------------------------------------------------


def test_an_answer_and_its_request_stand_in_records_that_name_each_other(path: Path) -> None:
    write(path, page("http://a.example:8080/x?y=1"))
    info, response, request = read(path)
    assert [info[0], response[0], request[0]] == ["warcinfo", "response", "request"]
    assert response[1]["WARC-Target-URI"] == request[1]["WARC-Target-URI"] == "http://a.example:8080/x?y=1"
    assert request[1]["WARC-Concurrent-To"] == response[1]["WARC-Record-ID"]
    assert response[1]["WARC-Date"] == request[1]["WARC-Date"] == "2023-11-14T22:13:19.873Z"  # when it began
    assert response[1]["Content-Type"] == "application/http;msgtype=response"
    assert response[2:] == ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4", b"page")
    assert request[2:] == (
        "GET /x?y=1 HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent: crawler/1\r\nAccept: text/html",
        b"",
    )


def test_the_bytes_of_names_values_and_body_are_those_received(path: Path) -> None:
    """Also those that are no ASCII, and of fields that repeat; the body stays in its content-coding."""
    headers = (
        ("content-TYPE", "text/html; charset=\xe4\xff"),
        ("X-A", "1"),
        ("x-a", "2"),
        ("Content-Encoding", "gzip"),
    )
    body = gzip.compress(bytes(range(256)))
    write(path, page(headers=headers, body=body))
    ((_, _, head, payload),) = answers(path)
    assert head.split("\r\n")[1:] == [f"{name}: {value}" for name, value in headers]
    assert payload == body


def test_what_frames_another_body_than_the_stored_one_is_kept_under_another_name(path: Path) -> None:
    # scenario 89
    chunked = (("Transfer-Encoding", "chunked"), ("Content-Type", "text/html"))
    cut = (("Content-Length", "99999"),)
    write(path, page(headers=chunked), page("http://a.example/cut", b"body", cut, truncated="length"))
    first, second = answers(path)
    assert first[2].split("\r\n")[1:] == [
        "X-Crawler-Transfer-Encoding: chunked",
        "Content-Type: text/html",
        "Content-Length: 4",
    ]
    assert second[2].split("\r\n")[1:] == ["X-Crawler-Content-Length: 99999", "Content-Length: 4"]


def test_answers_that_have_no_body_by_their_status_keep_their_fields(path: Path) -> None:
    headers = (("Content-Length", "1000"), ("ETag", '"a"'))
    write(path, page(headers=headers, status=304, body=b""))
    assert answers(path)[0][2] == 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"'


@pytest.mark.parametrize(
    ("complete", "truncated", "mark"),
    [
        (True, None, None),
        (True, "length", "length"),
        (True, "time", "time"),
        (True, "type", "unspecified"),
        (False, None, "disconnect"),
    ],
)
async def test_a_body_that_was_cut_is_marked_and_comes_back_so(
    path: Path, complete: bool, truncated: str | None, mark: str | None
) -> None:
    # scenarios 34, 89
    body = b"" if truncated == "type" else b"body"
    given = page(body=body, headers=(("Content-Length", "5000000"),), complete=complete, truncated=truncated)
    write(path, given)
    assert answers(path)[0][1].get("WARC-Truncated") == mark
    with closing(ArchivedAnswers(path)) as kept:
        found = kept.find(given.request, Limits())
    assert (found.body, found.complete, found.truncated) == (body, complete, truncated)


def test_the_second_copy_of_a_body_refers_to_the_first(path: Path) -> None:
    # scenario 89
    write(path, page(), page("http://a.example/2"), page("http://b.example/", b"other"), page("http://a.example/3"))
    first, second, other, third = answers(path)
    assert [each[0] for each in (first, second, other, third)] == ["response", "revisit", "response", "revisit"]
    for each in (second, third):
        assert each[1]["WARC-Profile"] == "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
        assert each[1]["WARC-Refers-To-Target-URI"] == "http://a.example/"
        assert each[1]["WARC-Refers-To-Date"] == first[1]["WARC-Date"]
        assert each[1]["WARC-Payload-Digest"] == first[1]["WARC-Payload-Digest"]
        assert each[2:] == (first[2], b"")


def test_bodies_that_are_empty_or_cut_are_never_referred_to(path: Path) -> None:
    cut = page("http://a.example/cut", b"body", truncated="length")
    empty = page("http://a.example/empty", b"")
    write(path, cut, page("http://a.example/2", b"body"), cut, empty, empty)
    assert [each[0] for each in answers(path)] == ["response"] * 5


def test_a_body_that_went_into_a_file_is_marked_as_missing(path: Path) -> None:
    saved = Saved("files/a.pdf", 9000, "sha256:0", 9000)
    given = msgspec.structs.replace(page(body=b"", headers=(("Content-Length", "9000"),)), saved=saved)
    write(path, given)
    ((_, fields, head, payload),) = answers(path)
    assert (fields["WARC-Truncated"], payload) == ("unspecified", b"")
    assert head.endswith("X-Crawler-Content-Length: 9000\r\nContent-Length: 0")


def test_bodies_are_remembered_up_to_a_number(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_warc, "MAX_KNOWN_BODIES", 2)
    bodies = [b"a", b"b", b"c", b"a", b"c"]
    write(path, *(page(f"http://a.example/{number}", body) for number, body in enumerate(bodies)))
    assert [each[0] for each in answers(path)] == ["response"] * 4 + ["revisit"]


def test_each_session_begins_with_what_made_it(path: Path) -> None:
    settings = Settings(crawl=CrawlSettings(robots=False, max_pages=7), fetch=FetchSettings(user_agent="me/2"))
    write(path, page(), settings=settings)
    with Journal(path, path.stat().st_size) as file:
        file.append(Archive(file, Settings()).members([Exchange(page(), SENT)]))
    records = read(path)
    assert [each[0] for each in records] == ["warcinfo", "response", "request"] * 2
    with path.open("rb") as file:
        first, second = (
            record.raw_stream.read().decode() for record in ArchiveIterator(file) if record.rec_type == "warcinfo"
        )
    said = dict(line.split(": ", 1) for line in first.splitlines())
    assert said["software"].startswith("crawler/")
    assert (said["robots"], said["http-header-user-agent"]) == ("ignore", "me/2")
    assert '"max_pages":7' in said["settings"]
    assert "robots: classic" in second


def test_nothing_is_written_where_nothing_came(path: Path) -> None:
    with Journal(path) as file:
        assert Archive(file, Settings()).members([]) == []


def test_no_secret_is_written(path: Path) -> None:
    """Not what the user sends, not what a server sets, not the password of a proxy."""
    settings = Settings(
        fetch=FetchSettings(
            headers=("X-Api-Key: secret", "Accept-Language: de"), proxy="http://user:secret@proxy.example:3128"
        )
    )
    sent = (
        ("User-Agent", "me"),
        ("Authorization", "Basic secret"),
        ("X-Api-Key", "secret"),
        ("Accept-Language", "de"),
        ("cookie", "a=secret"),
        ("Proxy-Authorization", "secret"),
    )
    set_cookies = (
        ("Set-Cookie", "sid=secret; Path=/secret; HttpOnly"),
        ("set-cookie", "secret"),
        ("Set-Cookie", "secret; a=b"),
        ("Set-Cookie2", "a=secret, b=secret"),
    )
    write(path, page(headers=set_cookies), sent=sent, settings=settings)
    text = gzip.decompress(path.read_bytes())
    assert b"secret" not in text
    assert answers(path)[0][2].split("\r\n")[1:] == [
        f"Set-Cookie: sid={MASK}",
        f"set-cookie: {MASK}",
        f"Set-Cookie: {MASK}",
        f"Set-Cookie2: a={MASK}",
    ]
    request = read(path)[-1][2].split("\r\n")
    assert request[2:] == [
        "User-Agent: me",
        f"Authorization: {MASK}",
        f"X-Api-Key: {MASK}",
        "Accept-Language: de",
        f"cookie: {MASK}",
        f"Proxy-Authorization: {MASK}",
    ]
    assert b'"headers":["X-Api-Key: ***","Accept-Language: de"],"proxy":"proxy.example:3128"' in text


def test_the_fields_that_are_shown_are_those_that_any_origin_may_see() -> None:
    assert targets._HARMLESS | {"host"} == SHOWN


def test_line_ends_in_a_url_or_a_value_forge_nothing(path: Path) -> None:
    # scenarios 20, 89
    url = urls.canonicalize("http://a.example/x\r\nWARC-Type: conversion\r\n\r\n?a\nb=\u2028")
    headers = (("X-A", "1\r\nX-Forged: 1"), ("X-B\r\nX-Forged", "2\n\n"), *HTML)
    write(path, page(url, headers=headers), sent=(("Accept", "a\r\nX-Forged: 1"),))
    _, response, request = read(path)
    assert response[1]["WARC-Target-URI"] == url
    assert response[2].split("\r\n") == [
        "HTTP/1.1 200 OK",
        "X-A: 1  X-Forged: 1",
        "X-B  X-Forged: 2  ",
        "Content-Type: text/html",
        "Content-Length: 4",
    ]
    assert request[2].count("\r\n") == 2
    given = warc.member("metadata", [("WARC-Target-URI", "http://a/\r\nX-Forged: 1")], "text/plain", b"")
    assert b"\r\nX-Forged" not in gzip.decompress(given)


# Others can read it -------------------------------------------------------------------------------------------------


@pytest.fixture
def varied(path: Path) -> Path:
    """Records of every kind."""
    return write(
        path,
        page(headers=(("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")), body=gzip.compress(b"x" * 9999)),
        page("http://a.example/moved", b"", (("Location", "/"),), 301, truncated="type"),
        page("http://a.example/cut", b"c" * 5000, (("Content-Length", "9999999"),), truncated="length"),
        page("http://a.example/short", b"s" * 50, (("Content-Length", "100"),), complete=False),
        page("http://a.example/odd", b"", (), 799),
        page("http://a.example/\xe4".replace("\xe4", "%C3%A4"), b"two"),
        page("http://a.example/again", b"two"),
        page("http://a.example/none", b"", (("ETag", "1"),), 204),
    )


def test_warcio_and_gzip_find_nothing_wrong(varied: Path) -> None:
    # scenario 89
    subprocess.run(["gzip", "-t", varied], check=True)
    command = [Path(sys.executable).with_name("warcio"), "check", "-v", varied]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("digest pass") == 16
    assert done.stdout.count("not checked (revisit)") == 1


def test_a_second_reader_gets_the_same(varied: Path) -> None:
    # scenario 89
    found = []
    with varied.open("rb") as file:
        for record in FastIterator(file, parse_http=False):
            assert record.verify_block_digest()
            found.append((record.headers["WARC-Type"], record.record_id))
    assert found == [(each.kind, each.fields["warc-record-id"]) for each in warc.entries(varied)]
    bodies = []
    with varied.open("rb") as file:
        for record in FastIterator(file, record_types=WarcRecordType.response):
            assert "WARC-Payload-Digest" not in record.headers or record.verify_payload_digest()
            bodies.append((record.http_headers.status_code, record.reader.read()))
    assert bodies[0] == (200, gzip.compress(b"x" * 9999))
    assert bodies[1:] == [(301, b""), (200, b"c" * 5000), (200, b"s" * 50), (799, b""), (200, b"two"), (204, b"")]


def test_without_the_faster_library_the_files_are_the_same_but_for_compression(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, page())
    fast = answers(path)
    path.unlink()
    monkeypatch.setattr(warc, "compress", zlib.compress)
    write(path, page())
    assert [each[2:] for each in answers(path)] == [each[2:] for each in fast]
    subprocess.run(["gzip", "-t", path], check=True)


@hypothesis.settings(deadline=None)
@given(
    status=st.sampled_from([200, 203, 204, 301, 304, 404, 503, 799]),
    body=st.binary(max_size=40),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["Content-Length", "transfer-encoding", "X-Crawler-Odd", "Content-Type", "A"]),
            st.sampled_from(["", "0", "4", "7, 7", "chunked", "identity", "text/html", "\xff"]),
        ),
        max_size=6,
    ),
)
def test_every_head_is_valid_http_and_comes_back_as_it_was_received(
    status: int, body: bytes, headers: list[tuple[str, str]]
) -> None:
    body = b"" if status in (204, 304) else body
    stored = warc.response_head(status, tuple(headers), len(body))
    answer = AnswerParser(Limits())
    assert answer.feed(stored + body) == body
    answer.feed_eof()
    assert (answer.status, answer.is_complete, answer.has_extra) == (status, True, False)
    assert warc.received_fields(answer.headers) == tuple(headers)

"""Downloads that broke off are gone on with: what is missing is asked for, and taken if it fits."""

from __future__ import annotations

import os

import msgspec
import pytest

from crawler.fetch.base import REFUSED
from crawler.files.folder import NOTE, PART
from crawler.models import Response
from tests.contract.downloading import BODY, CUT, KIB, PDF, TAG, Save, Saver, assert_saved

from .server import CLOSE, RESET, ScriptedServer, Step, answer


async def broken_off(saver: Saver, server: ScriptedServer, *fields: str, end: Step = CLOSE) -> str:
    """The URL of a file of which only a part came."""
    path = f"/docs/{len(server.seen.heads)}.pdf"
    url = server.script(path, answer(BODY[:CUT], "200 OK", PDF, *fields, length=len(BODY)), end)
    page = await saver.get(url)
    assert (page.complete, page.saved) == (False, None)
    assert saver.part(url).stat().st_size == CUT
    return url


def rest(*fields: str, start: int = CUT, total: int | str = len(BODY)) -> bytes:
    """An answer with the rest of the file."""
    said = f"Content-Range: bytes {start}-{len(BODY) - 1}/{total}"
    return answer(BODY[start:], "206 Partial Content", said, *fields)


async def again(saver: Saver, server: ScriptedServer, url: str, *steps: Step) -> Response:
    """Ask once more for a file that broke off."""
    server._scripts[url.removeprefix(server.url)] = [steps]
    return await saver.get(url)


OLD = ("Last-Modified: Tue, 01 Jan 2030 00:00:00 GMT", "Date: Tue, 01 Jan 2030 00:01:00 GMT")


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize(
    ("fields", "validator"), [((TAG,), '"one"'), (OLD, OLD[0].partition(": ")[2]), ((TAG, *OLD), '"one"')]
)
async def test_the_rest_of_a_file_is_asked_for_and_put_behind_what_came(
    save: Save, server: ScriptedServer, fields: tuple[str, ...], validator: str, end: Step
) -> None:
    """The record is that of an undisturbed download: what the rest's head may leave out is known from the first."""
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, *fields, end=end)
    page = await again(saver, server, url, rest())
    assert server.seen.fields()["Range"] == f"bytes={CUT}-"
    assert server.seen.fields()["If-Range"] == validator
    assert_saved(saver, page, BODY)
    assert (page.status, page.header("content-type")) == (200, "application/pdf")
    assert page.header("etag") == ('"one"' if TAG in fields else None)


async def test_a_file_may_break_off_again_and_again(save: Save, server: ScriptedServer) -> None:
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, TAG)
    for start in range(CUT, 280 * KIB, 40 * KIB):
        piece = rest(TAG, start=start)[: start + 40 * KIB - len(BODY)]
        assert not (await again(saver, server, url, piece, CLOSE)).complete
    assert_saved(saver, await again(saver, server, url, rest(start=280 * KIB)), BODY)


async def test_a_whole_file_without_its_name_is_asked_for_its_last_byte(save: Save, server: ScriptedServer) -> None:
    """What was killed between the last byte and the rename: a range behind the end would be refused."""
    # scenarios 84, 85
    saver = save()
    url = await broken_off(saver, server, TAG)
    saver.part(url).write_bytes(BODY)
    page = await again(saver, server, url, rest(start=len(BODY) - 1))
    assert server.seen.fields()["Range"] == f"bytes={len(BODY) - 1}-"
    assert_saved(saver, page, BODY)


NEW = os.urandom(200 * KIB)


@pytest.mark.parametrize("status", ["200 OK", "203 Non-Authoritative Information"])
async def test_an_answer_with_all_of_it_begins_anew(save: Save, server: ScriptedServer, status: str) -> None:
    """The file has changed, or the server knows no ranges."""
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, TAG)
    assert_saved(saver, await again(saver, server, url, answer(NEW, status, PDF, 'ETag: "two"')), NEW)


WRONG: dict[str, bytes] = {
    "it begins too early": rest(start=CUT - 1),
    "it begins too late": rest(start=CUT + 1),
    "it has another tag": rest('ETag: "two"'),
    "its tag is weak now": rest('ETag: W/"one"'),
    "it is of a longer file": rest(total=len(BODY) + 1),
    "its range is a number without end": rest(start=int("9" * 40)),
    "it names no range": answer(BODY[CUT:], "206 Partial Content"),
    "it names a range of lines": answer(BODY[CUT:], "206 Partial Content", f"Content-Range: lines {CUT}-1/2"),
    "its range is no number": answer(BODY[CUT:], "206 Partial Content", "Content-Range: bytes ²-3/4"),
    "it is in several parts": answer(b"--x", "206 Partial Content", "Content-Type: multipart/byteranges; boundary=x"),
    "it is packed": rest("Content-Encoding: gzip"),
    "the range is refused": answer(b"", "416 Range Not Satisfiable", f"Content-Range: bytes */{CUT}"),
    "the range is refused without a word": answer(b"no", "416 Range Not Satisfiable"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_rest_that_does_not_fit_is_thrown_away_and_all_asked_for(
    save: Save, server: ScriptedServer, wrong: str
) -> None:
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, TAG)
    page = await again(saver, server, url, WRONG[wrong], CLOSE)
    assert (page.truncated, page.saved) == (REFUSED, None)
    assert list((saver.run / "files").rglob("*.*")) == []
    page = await again(saver, server, url, answer(NEW, "200 OK", PDF))
    assert "Range" not in server.seen.fields()
    assert_saved(saver, page, NEW)


async def test_a_changed_date_is_a_changed_file(save: Save, server: ScriptedServer) -> None:
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, *OLD)
    page = await again(saver, server, url, rest("Last-Modified: Tue, 01 Jan 2030 00:00:01 GMT"), CLOSE)
    assert page.truncated == REFUSED


@pytest.mark.parametrize(
    "fields",
    [
        (),
        ('ETag: W/"one"',),
        ("ETag: one",),
        ('ETag: "ü"',),
        (TAG, "Accept-Ranges: none"),
        (TAG, "Content-Encoding: gzip"),
        ("Last-Modified: Tue, 01 Jan 2030 00:00:30 GMT", "Date: Tue, 01 Jan 2030 00:01:00 GMT"),
        ("Last-Modified: Tue, 01 Jan 2030 00:00:00 GMT",),
        ("Last-Modified: yesterday", "Date: today"),
    ],
)
async def test_no_range_is_asked_for_without_a_strong_validator(
    save: Save, server: ScriptedServer, fields: tuple[str, ...]
) -> None:
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, *fields)
    page = await again(saver, server, url, answer(NEW, "200 OK", PDF))
    assert not {"Range", "If-Range"} & set(server.seen.fields())
    assert_saved(saver, page, NEW)


async def test_a_note_that_is_not_ours_asks_for_nothing(save: Save, server: ScriptedServer) -> None:
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, TAG)
    note = saver.part(url).with_name(saver.part(url).name.removesuffix(PART) + NOTE)
    for spoilt in (
        b"",
        b"{}",
        note.read_bytes()[:-1],
        msgspec.json.encode({**msgspec.json.decode(note.read_bytes()), "url": "https://other.example/"}),
        msgspec.json.encode({**msgspec.json.decode(note.read_bytes()), "total": CUT - 1}),
    ):
        kept = note.read_bytes()
        note.write_bytes(spoilt)
        await again(saver, server, url, answer(b"busy", "503 Service Unavailable"))
        assert "Range" not in server.seen.fields()
        note.write_bytes(kept)


async def test_an_error_in_between_keeps_what_came(save: Save, server: ScriptedServer) -> None:
    # scenario 85
    saver = save()
    url = await broken_off(saver, server, TAG)
    page = await again(saver, server, url, answer(b"", "503 Service Unavailable"))
    assert (page.status, saver.part(url).read_bytes()) == (503, BODY[:CUT])
    assert_saved(saver, await again(saver, server, url, rest(TAG)), BODY)

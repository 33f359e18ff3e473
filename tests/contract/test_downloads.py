"""Bodies that go into files, with every strategy: as they arrive, without a deadline, on from where they broke off."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import resource
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import brotli
import msgspec
import pytest
import pytest_asyncio
import zstandard

from crawler import urls
from crawler.downloads import Downloads
from crawler.errors import FetchError, RunError
from crawler.export.download import Download
from crawler.export.file_folder import NOTE, PART, partial_name
from crawler.fetch import base
from crawler.fetch.base import REFUSED, Limits, Target
from crawler.file_choice import FileChoice
from crawler.models import Page, Request

from .conftest import FIELDS, Client, Connect
from .server import CLOSE, RESET, TELL, WAIT, Drip, ScriptedServer, Step, answer

KIB = 1024
BODY = os.urandom(300 * KIB)
CUT = 120 * KIB
PDF = "Content-Type: application/pdf"
TAG = 'ETag: "one"'


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class Saver:
    """Fetches into a folder of files.

    Args:
        client: With the strategy.
        run: The run's folder.
        choice: What is wanted.
        max_bytes: How much is written of each file.
        min_free_bytes: Left free on the disk.
    """

    def __init__(
        self, client: Client, run: Path, choice: FileChoice, max_bytes: int = 2**31, min_free_bytes: int = 0
    ) -> None:
        self.client = client
        self.run = run
        self.downloads = Downloads(client.fetcher, run, choice, max_bytes, min_free_bytes)

    async def get(self, url: str, limits: Limits | None = None, deadline_s: float = 10.0, kind: str = "page") -> Page:
        """Fetch one URL."""
        url = urls.canonicalize(url)
        request = Request(url, urls.host_key(url), urls.fingerprint(url), kind)  # type: ignore[arg-type]
        target = Target(("127.0.0.1",), time.monotonic() + deadline_s, limits or Limits(), FIELDS)
        return await self.downloads.fetch(request, target)

    def part(self, url: str) -> Path:
        """Where what has come of a URL is."""
        return self.run / "files" / "+partial" / (partial_name(urls.canonicalize(url)) + PART)

    def whole(self) -> list[Path]:
        """All files that have their lasting name."""
        return sorted(
            path for path in (self.run / "files").rglob("*") if path.is_file() and "+partial" not in path.parts
        )


Save = Callable[..., Saver]


@pytest_asyncio.fixture
async def save(client: Client, tmp_path: Path) -> AsyncIterator[Save]:
    """Makes savers of the strategy."""
    savers: list[Saver] = []

    def make(*arguments: str, **limits: int) -> Saver:
        savers.append(Saver(client, tmp_path, FileChoice(arguments or ("pdf",)), **limits))
        return savers[-1]

    yield make
    for saver in savers:
        await saver.downloads.close()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the first part of the body is in its file."""
    event = threading.Event()
    write = Download.write

    def watched(download: Download, piece: bytes) -> bool:
        is_cut = write(download, piece)
        if download.size == CUT:
            event.set()
        return is_cut

    monkeypatch.setattr(Download, "write", watched)
    return event


def assert_saved(saver: Saver, page: Page, body: bytes, wire_bytes: int | None = None) -> Path:
    """A page's body is all in its file, and nothing of it anywhere else."""
    assert page.saved is not None
    assert page.complete
    file = saver.run / page.saved.path
    assert file.read_bytes() == body
    assert (page.saved.bytes, page.saved.digest) == (len(body), digest(body))
    assert page.saved.wire_bytes == (len(body) if wire_bytes is None else wire_bytes)
    assert page.body == b""
    assert saver.client.counter.used == 0
    assert list((saver.run / "files" / "+partial").iterdir()) == []
    assert file in saver.whole()
    return file


# Into a file


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_wanted_body_is_in_its_file_and_not_in_memory(save: Save, server: ScriptedServer, framing: str) -> None:
    """Whichever way its end is told; its size is beyond that of any page."""
    steps: tuple[Step, ...] = (answer(BODY, "200 OK", PDF),)
    if framing == "chunked":
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:CUT], BODY[CUT:]))
        steps = (f"HTTP/1.1 200 OK\r\n{PDF}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n",)
    elif framing == "close":
        steps = (f"HTTP/1.1 200 OK\r\n{PDF}\r\n\r\n".encode() + BODY, CLOSE)
    saver = save()
    page = await saver.get(server.script("/docs/report.pdf", *steps), Limits(max_body_bytes=KIB))
    file = assert_saved(saver, page, BODY)
    assert (page.status, page.truncated) == (200, None)
    assert file.relative_to(saver.run).as_posix() == f"files/127.0.0.1+http+{server.port}/docs/report.pdf"
    assert (await saver.get(server.script("/", answer()))).body == b"hello"


async def test_the_file_grows_as_the_body_arrives(save: Save, server: ScriptedServer, written: threading.Event) -> None:
    url = server.script("/a.pdf", answer(BODY[:CUT], "200 OK", PDF, length=len(BODY)), WAIT, BODY[CUT:])
    saver = save()
    task = asyncio.ensure_future(saver.get(url))
    assert await asyncio.to_thread(written.wait, 10)
    assert saver.part(url).read_bytes() == BODY[:CUT]
    assert saver.client.counter.used == 0
    assert saver.whole() == []
    server.go()
    assert_saved(saver, await task, BODY)


async def test_what_is_not_wanted_is_a_page_as_ever(save: Save, server: ScriptedServer) -> None:
    """HTML, other types, errors that call themselves a PDF, and robots.txt."""
    saver = save()
    page = await saver.get(server.script("/", answer(b"<p>", "200 OK", "Content-Type: text/html")))
    assert (page.body, page.saved) == (b"<p>", None)
    page = await saver.get(server.script("/a.png", answer(BODY, "200 OK", "Content-Type: image/png"), CLOSE))
    assert (page.body, page.truncated, page.saved) == (b"", "type", None)
    page = await saver.get(server.script("/gone.pdf", answer(b"gone", "404 Not Found", PDF)))
    assert (page.status, page.saved) == (404, None)
    page = await saver.get(server.script("/robots.txt", answer(b"%PDF", "200 OK", PDF)), kind="robots")
    assert (page.body, page.saved) == (b"%PDF", None)
    assert saver.whole() == []


async def test_an_empty_file_is_a_file(save: Save, server: ScriptedServer) -> None:
    saver = save()
    assert_saved(saver, await saver.get(server.script("/a.pdf", answer(b"", "200 OK", PDF))), b"")


async def test_a_download_outlives_the_deadline_of_a_fetch(save: Save, server: ScriptedServer) -> None:
    """As long as it flows, it may take as long as it takes."""
    head = f"HTTP/1.1 200 OK\r\n{PDF}\r\n\r\n".encode()
    url = server.script("/a.pdf", head, TELL, BODY[:CUT], WAIT, BODY[CUT:], CLOSE)
    saver = save()
    task = asyncio.ensure_future(saver.get(url, Limits(read_timeout_s=5), deadline_s=0.5))
    assert await asyncio.to_thread(server.told.wait, 5)
    done, _ = await asyncio.wait([task], timeout=1.2)  # the deadline, and all that watches over it, has passed
    assert not done
    server.go()
    assert_saved(saver, await task, BODY)


async def test_a_download_that_stops_flowing_is_given_up(save: Save, server: ScriptedServer) -> None:
    """By the time between two pieces, and what came stays for the next try."""
    saver = save()
    url = server.script("/a.pdf", answer(BODY[:CUT], "200 OK", PDF, TAG, length=len(BODY)), WAIT)
    with pytest.raises(FetchError) as caught:
        await saver.get(url, Limits(read_timeout_s=0.2))
    assert caught.value.reason == "read_timeout"
    assert saver.part(url).read_bytes() == BODY[:CUT]


async def test_a_download_that_drips_is_given_up(
    save: Save, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The minimum rate counts for files, too."""
    monkeypatch.setattr(base, "RATE_WINDOW_S", 0.3)
    url = server.script("/a.pdf", f"HTTP/1.1 200 OK\r\n{PDF}\r\n\r\n".encode(), Drip(b"x"))
    with pytest.raises(FetchError) as caught:
        await save().get(url, Limits(min_rate_bytes_s=10_000), deadline_s=0.2)
    assert caught.value.reason == "too_slow"


# Limits


async def test_a_file_that_turns_out_too_large_is_cut_and_says_so(save: Save, server: ScriptedServer) -> None:
    saver = save(max_bytes=CUT)
    url = server.script("/a.pdf", f"HTTP/1.1 200 OK\r\n{PDF}\r\n\r\n".encode() + BODY, CLOSE)
    page = await saver.get(url)
    assert page.truncated == "length"
    assert_saved(saver, page, BODY[:CUT])


async def test_a_file_that_is_announced_as_too_large_is_not_fetched(save: Save, server: ScriptedServer) -> None:
    saver = save(max_bytes=CUT)
    page = await saver.get(server.script("/a.pdf", answer(BODY, "200 OK", PDF), CLOSE))
    assert (page.truncated, page.saved, page.complete) == ("length", None, True)
    assert saver.whole() == []


async def test_nothing_is_fetched_while_the_disk_has_less_free_than_it_should(
    save: Save, server: ScriptedServer
) -> None:
    # scenario 84
    url = server.script("/a.pdf", answer(BODY, "200 OK", PDF))
    with pytest.raises(RunError, match=r"less than 1,048,576.0 GiB are free.*resume"):
        await save(min_free_bytes=2**50).get(url)
    assert server.seen.heads == []


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process may grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_without_room_ends_the_crawl_and_leaves_the_part(save: Save, server: ScriptedServer) -> None:
    """EFBIG stands for ENOSPC: the sentence is the run's, and no file has its lasting name."""
    # scenario 84
    saver = save()
    url = server.script("/a.pdf", answer(BODY, "200 OK", PDF, TAG))
    with small_files(CUT), pytest.raises(RunError, match="File too large"):
        await saver.get(url)
    assert saver.whole() == []
    assert saver.part(url).stat().st_size == CUT
    server.script(
        "/a.pdf",
        answer(BODY[CUT:], "206 Partial Content", TAG, f"Content-Range: bytes {CUT}-{len(BODY) - 1}/{len(BODY)}"),
    )
    assert_saved(saver, await saver.get(url), BODY)


# Content-codings

CODED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("coding", CODED)
async def test_what_was_packed_for_the_way_is_saved_unpacked(save: Save, server: ScriptedServer, coding: str) -> None:
    saver = save()
    text = b"a,b,c\r\n" * 50_000
    body = CODED[coding](text)
    page = await saver.get(server.script("/a.pdf", answer(body, "200 OK", PDF, f"Content-Encoding: {coding}")))
    assert_saved(saver, page, text, wire_bytes=len(body))


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("path", "kind"),
    [("/a.tar.gz", "application/x-tar"), ("/a.tgz", "application/pdf"), ("/get?archive", "application/gzip")],
)
async def test_an_archive_whose_own_packing_is_called_a_coding_stays_packed(
    save: Save, server: ScriptedServer, path: str, kind: str, times: int
) -> None:
    """And one that was packed once more for the way is unpacked that once."""
    saver = save("all")
    archive = gzip.compress(BODY)
    body = archive if times == 1 else gzip.compress(archive)
    fields = (f"Content-Type: {kind}", "Content-Encoding: gzip")
    assert_saved(
        saver, await saver.get(server.script(path, answer(body, "200 OK", *fields))), archive, wire_bytes=len(body)
    )


@pytest.mark.parametrize(("coding", "body"), [("gzip", BODY), ("sdch", b"x"), (", ".join(["gzip"] * 6), b"x")])
async def test_what_cannot_be_unpacked_is_saved_as_it_came(
    save: Save, server: ScriptedServer, coding: str, body: bytes
) -> None:
    saver = save()
    page = await saver.get(server.script("/a.pdf", answer(body, "200 OK", PDF, f"Content-Encoding: {coding}")))
    assert_saved(saver, page, body)
    assert page.saved is not None
    assert page.saved.error == ("bad_coding" if coding == "gzip" else "unknown_coding")


async def test_what_breaks_off_inside_of_its_packing_is_not_whole(save: Save, server: ScriptedServer) -> None:
    saver = save()
    body = gzip.compress(BODY)[:-CUT]
    page = await saver.get(server.script("/a.pdf", answer(body, "200 OK", PDF, TAG, "Content-Encoding: gzip")))
    assert (page.saved, page.complete) == (None, False)
    assert list((saver.run / "files").rglob("*.*")) == []


@pytest.mark.parametrize("coding", [coding for coding in CODED if coding != "deflate"])
async def test_a_bomb_goes_off_no_further_than_the_limit(save: Save, server: ScriptedServer, coding: str) -> None:
    """A few kilobytes that would be 16 MiB are cut on the way to the disk."""
    # scenario 31
    saver = save(max_bytes=CUT)
    body = CODED[coding](bytes(16 * KIB * KIB))
    page = await saver.get(server.script("/a.pdf", answer(body, "200 OK", PDF, f"Content-Encoding: {coding}")))
    assert page.truncated == "length"
    assert_saved(saver, page, bytes(CUT), wire_bytes=len(body))


# The rest of a file


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


async def again(saver: Saver, server: ScriptedServer, url: str, *steps: Step) -> Page:
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


# Things in the way


async def test_no_link_is_followed_to_where_a_file_or_its_part_goes(
    save: Save, server: ScriptedServer, tmp_path: Path
) -> None:
    """Symbolic links at the file's place, at that of its part and of its note, and a second name of the part."""
    # scenario 83
    saver = save()
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    url = server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF, TAG))
    place = saver.run / "files" / f"127.0.0.1+http+{server.port}" / "docs"
    place.mkdir(parents=True)
    (place / "report.pdf").symlink_to(outside)
    saver.part(url).symlink_to(outside)
    saver.part(url).with_suffix(".part.json").symlink_to(outside)
    file = assert_saved(saver, await saver.get(url), BODY)
    assert file == place / "report.pdf"
    assert not file.is_symlink()
    (saver.run / "files" / "+partial").mkdir(exist_ok=True)
    saver.part(url).hardlink_to(outside)
    assert_saved(saver, await saver.get(url), BODY)
    assert outside.read_bytes() == b"precious"


@pytest.mark.parametrize("in_the_way", ["a link to a folder", "a file for a folder", "a folder for a file"])
async def test_what_is_in_the_way_of_a_plain_name_makes_it_a_flat_one(
    save: Save, server: ScriptedServer, tmp_path: Path, in_the_way: str
) -> None:
    # scenario 83
    saver = save()
    outside = tmp_path / "outside"
    outside.mkdir()
    host = saver.run / "files" / f"127.0.0.1+http+{server.port}"
    host.mkdir()
    if in_the_way == "a link to a folder":
        (host / "docs").symlink_to(outside)
    elif in_the_way == "a file for a folder":
        (host / "docs").write_bytes(b"")
    else:
        (host / "docs" / "report.pdf").mkdir(parents=True)
    page = await saver.get(server.script("/docs/report.pdf", answer(BODY, "200 OK", PDF)))
    assert page.saved is not None
    assert page.saved.path.rpartition("/")[0] == f"files/127.0.0.1+http+{server.port}"
    assert (saver.run / page.saved.path).read_bytes() == BODY
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["files", "files/+partial", "files/host"])
async def test_a_linked_folder_is_refused_in_a_sentence(
    client: Client, server: ScriptedServer, tmp_path: Path, name: str
) -> None:
    # scenario 83
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()
    place = run / name.replace("host", f"127.0.0.1+http+{server.port}")
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    url = server.script("/a.pdf", answer(BODY, "200 OK", PDF))
    with pytest.raises(RunError, match="cannot write files"):
        await Saver(client, run, FileChoice(["pdf"])).get(url)
    assert list(outside.iterdir()) == []


async def test_a_hostile_name_stays_inside(save: Save, server: ScriptedServer) -> None:
    # scenarios 81, 82
    saver = save("all")
    said = 'Content-Disposition: attachment; filename="../../../.bashrc"'
    for path in ("/%2E%2E%2F%2E%2E%2Fetc%2Fpasswd", "/a/..%5C..%5Cboot.ini", "/CON", "/.bashrc", "/" + "x" * 4000):
        page = await saver.get(server.script(path, answer(BODY[:9], "200 OK", "Content-Type: x/y", said)))
        assert_saved(saver, page, BODY[:9])
    assert len(saver.whole()) == 5


# The end


async def test_a_stop_keeps_the_part(
    connect: Connect, server: ScriptedServer, tmp_path: Path, written: threading.Event
) -> None:
    # scenario 84
    saver = Saver(await connect(), tmp_path, FileChoice(["pdf"]))
    url = server.script("/a.pdf", answer(BODY[:CUT], "200 OK", PDF, TAG, length=len(BODY)), TELL, WAIT)
    task = asyncio.ensure_future(saver.get(url))
    assert await asyncio.to_thread(written.wait, 10)
    task.cancel()
    await asyncio.wait([task])
    await saver.downloads.close()
    assert saver.part(url).read_bytes() == BODY[:CUT]
    assert saver.whole() == []

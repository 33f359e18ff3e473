"""Bodies that go into files: as they arrive, without a deadline, within limits, unpacked, and where they belong."""

from __future__ import annotations

import asyncio
import gzip
import resource
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import brotli
import pytest
import zstandard

from crawler.errors import FetchError, RunError
from crawler.fetch import base
from crawler.fetch.dial.target import Limits
from crawler.files.choice import FileChoice
from tests.contract.downloading import BODY, CUT, KIB, PDF, TAG, Save, Saver, assert_saved

from .conftest import Client, Connect
from .server import CLOSE, TELL, WAIT, Drip, ScriptedServer, Step, answer

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
    task = asyncio.ensure_future(saver.get(url, Limits(read_timeout_s=30), deadline_s=1.0))
    assert await asyncio.to_thread(server.told.wait, 10)
    done, _ = await asyncio.wait([task], timeout=1.7)  # the deadline, and all that watches over it, has passed
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

"""The commit: groups, order, links with their records, and the end of it all when the disk is full.

The store of these tests can be stopped: `gate` holds a commit in its thread, `begun` tells that it is there.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from crawler import urls
from crawler.engine import commit
from crawler.engine.commit import Committer
from crawler.errors import RunError
from crawler.models import Link, Request
from crawler.store.base import NO_STATES, Done, Found, Output, States
from crawler.store.journal import Journal, read_lines
from crawler.store.memory import MemoryStore

TIMEOUT_S = 20.0


class GatedStore(MemoryStore):
    """A memory store whose commits wait at a gate, and fail if they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.groups: list[list[str]] = []
        self.outputs: list[Output] = []
        self.error: Exception | None = None

    def commit(
        self,
        done: Sequence[Done],
        found: Sequence[Found],
        outputs: Sequence[Output] = (),
        states: States = NO_STATES,
    ) -> list[Request]:
        self.begun.set()
        assert self.gate.wait(TIMEOUT_S)
        if self.error is not None:
            raise self.error
        self.groups.append([each.request.url for each in done])
        self.outputs += outputs
        return super().commit(done, found, outputs, states)


class Bench:
    """A committer and what it reports."""

    def __init__(self, journal: Journal | None = None, on_commit: Exception | None = None) -> None:
        self.store = GatedStore()
        self.reports: list[tuple[list[str], list[str]]] = []
        self.errors: list[RunError] = []
        self.on_commit = on_commit
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.committer = Committer(self.store, journal, self._committed, self._failed)

    def _committed(self, done: list[Done], novel: list[Request]) -> None:
        self.events.put_nowait("commit")
        if self.on_commit:
            raise self.on_commit
        self.reports.append(([each.request.url for each in done], [request.url for request in novel]))

    def _failed(self, error: RunError) -> None:
        self.errors.append(error)
        self.events.put_nowait("error")

    async def wait(self) -> None:
        """Until the next commit, or the error in its place, has been told; none is missed."""
        await asyncio.wait_for(self.events.get(), TIMEOUT_S)

    async def until_begun(self) -> None:
        """Until a commit is in its thread."""
        await asyncio.wait_for(asyncio.to_thread(self.store.begun.wait), TIMEOUT_S)
        self.store.begun.clear()


def url(number: int) -> str:
    return f"http://a.example/{number}"


def links(*numbers: int) -> list[Link]:
    return [Link(url(number), "a.example", urls.fingerprint(url(number))) for number in numbers]


def done(number: int, leads_to: Sequence[int] = (), line: bytes | None = None) -> Done:
    request = Request(url(number), "a.example", urls.fingerprint(url(number)))
    found = Found(links(*leads_to), 1, url(number)) if leads_to else None
    return Done(request, "ok", None, b"%d\n" % number if line is None else line, found)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


# Groups and order --------------------------------------------------------------------------------------------------


async def test_500_pages_make_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "INTERVAL_S", 1e6)
    bench = Bench()
    for number in range(commit.MAX_PAGES):
        assert bench.committer.waiting == number
        bench.committer.add(done(number))
    assert bench.committer.waiting == 0
    await bench.wait()
    assert bench.reports == [([url(number) for number in range(500)], [])]
    await bench.committer.close()


async def test_8_mib_of_records_make_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "INTERVAL_S", 1e6)
    bench = Bench()
    for number in range(8):
        assert bench.committer.waiting == number
        bench.committer.add(done(number, line=b"x" * 1024 * 1024))
    await bench.wait()
    assert bench.store.groups == [[url(number) for number in range(8)]]
    await bench.committer.close()


async def test_a_single_page_waits_no_longer_than_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit.INTERVAL_S == 0.5
    monkeypatch.setattr(commit, "INTERVAL_S", 0.01)
    bench = Bench()
    bench.committer.add(done(1))
    await bench.wait()
    assert bench.reports == [([url(1)], [])]
    await bench.committer.close()


async def test_an_interval_that_ends_during_a_commit_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came meanwhile is committed as soon as the slow commit has ended, though nothing else is ever added."""
    monkeypatch.setattr(commit, "INTERVAL_S", 0.0)
    bench = Bench()
    bench.store.gate.clear()
    bench.committer.add(done(1))
    await bench.until_begun()
    bench.committer.add(done(2))
    interval_ended = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, interval_ended.set)  # after the committer's own timer
    await interval_ended.wait()
    bench.store.gate.set()
    await bench.wait()
    await bench.wait()
    assert bench.reports == [([url(1)], []), ([url(2)], [])]
    await bench.committer.close()


async def test_a_flush_during_a_commit_takes_effect_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "INTERVAL_S", 1e6)
    bench = Bench()
    bench.store.gate.clear()
    bench.committer.add(done(1))
    bench.committer.flush()
    bench.committer.add(done(2))
    bench.committer.flush()
    bench.committer.add(done(3))
    bench.store.gate.set()
    await bench.wait()
    await bench.wait()
    assert bench.store.groups == [[url(1)], [url(2), url(3)]]
    await bench.committer.close()


async def test_flushing_nothing_commits_nothing() -> None:
    bench = Bench()
    bench.committer.flush()
    assert bench.committer.is_idle
    await bench.committer.close()
    assert bench.committer.commits == 0


async def test_records_are_in_the_journal_in_the_order_of_adding(path: Path) -> None:
    with Journal(path) as journal:
        bench = Bench(journal)
        for number in range(1200):
            bench.committer.add(done(number, line=b"" if number % 10 == 7 else None))
        await bench.committer.close()
        assert bench.committer.records == 1080
    assert list(read_lines(path)) == [b"%d" % number for number in range(1200) if number % 10 != 7]
    assert sum(output.records for output in bench.store.outputs) == 1080
    whole = path.read_bytes()
    for output in bench.store.outputs:
        assert crc32(whole[output.offset : output.offset + output.length]) == output.crc32
    assert [each for group in bench.store.groups for each in group] == [url(number) for number in range(1200)]


# Records and links -------------------------------------------------------------------------------------------------


async def test_a_record_and_its_links_take_effect_together(path: Path) -> None:
    """When the links come out, the record is on the disk and the outcome in the store."""
    with Journal(path) as journal:
        bench = Bench(journal)
        bench.committer.add(done(1, leads_to=[1, 2, 3]))
        assert bench.committer.has_links
        bench.committer.flush()
        assert not bench.committer.has_links
        await bench.wait()
        assert bench.reports == [([url(1)], [url(2), url(3)])]
        assert list(read_lines(path)) == [b"1"]
        assert [outcome for _, outcome, _ in bench.store.outcomes()] == ["ok", "pending", "pending"]
        await bench.committer.close()


async def test_links_without_a_record_are_committed_too() -> None:
    bench = Bench()
    bench.committer.add_found(Found(links(1, 2), 0, are_seeds=True))
    assert bench.committer.has_links
    assert not bench.committer.is_idle
    bench.committer.flush()
    await bench.wait()
    assert bench.reports == [([], [url(1), url(2)])]
    await bench.committer.close()


async def test_pages_without_links_do_not_hurry_a_commit() -> None:
    bench = Bench()
    bench.committer.add(done(1))
    assert not bench.committer.has_links
    await bench.committer.close()


async def test_a_question_is_answered_after_the_commits_that_began_before_it() -> None:
    bench = Bench()
    bench.store.gate.clear()
    bench.committer.add_found(Found(links(1, 2, 3), 0))
    bench.committer.flush()
    question = asyncio.create_task(bench.committer.ask(bench.store.take, "a.example", 1, 9))
    await bench.until_begun()
    bench.store.gate.set()
    assert [request.url for request in await question] == [url(2), url(3)]
    await bench.committer.close()


# The end -------------------------------------------------------------------------------------------------------------


async def test_closing_commits_what_waits_and_what_comes_of_it(path: Path) -> None:
    with Journal(path) as journal:
        bench = Bench(journal)
        bench.store.gate.clear()
        bench.committer.add(done(1))
        bench.committer.flush()
        bench.committer.add(done(2))
        closing = asyncio.create_task(bench.committer.close())
        await bench.until_begun()
        bench.store.gate.set()
        await asyncio.wait_for(closing, TIMEOUT_S)
        assert bench.committer.is_idle
    assert list(read_lines(path)) == [b"1", b"2"]


async def test_closing_waits_without_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a slow commit runs, the closing task is not woken over and over."""
    bench = Bench()
    bench.store.gate.clear()
    bench.committer.add(done(1))
    closing = asyncio.create_task(bench.committer.close())
    await bench.until_begun()
    loop = asyncio.get_running_loop()
    steps = 0
    call_soon = loop.call_soon

    def counting(*arguments: Any, **options: Any) -> asyncio.Handle:
        nonlocal steps
        steps += 1
        return call_soon(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "call_soon", counting)
        for _ in range(100):
            await asyncio.sleep(0)
    assert steps <= 101  # those of this test itself
    bench.store.gate.set()
    await asyncio.wait_for(closing, TIMEOUT_S)


class FullJournal(Journal):
    """A journal on a disk that becomes full in the middle of the second batch."""

    def append(self, lines: Sequence[bytes]) -> None:
        if not self.length:
            super().append(lines)
            return
        super().append([lines[0][:1]])
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_is_told_once_and_nothing_is_committed_after_it(path: Path) -> None:
    # scenario 101
    with FullJournal(path) as journal:
        bench = Bench(journal)
        bench.committer.add(done(1))
        bench.committer.flush()
        await bench.wait()
        bench.committer.add(done(2, leads_to=[9]))
        bench.committer.flush()
        await bench.wait()
        assert [str(error) for error in bench.errors] == [
            "cannot write the run: No space left on device; what was committed before is safe"
        ]
        for number in range(3, 3 + commit.MAX_PAGES):
            bench.committer.add(done(number))
        bench.committer.flush()
        await asyncio.wait_for(bench.committer.close(), TIMEOUT_S)
    assert len(bench.errors) == 1
    assert bench.reports == [([url(1)], [])]
    assert bench.store.groups == [[url(1)]]
    assert path.read_bytes() == b"1\n"  # no half line


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RunError("state.sqlite is damaged"), "state.sqlite is damaged"),
        (OSError(errno.EROFS, "Read-only file system"), "cannot write the run: Read-only file system; "),
        (OSError("gone"), "cannot write the run: gone; "),
        (ValueError("what"), "cannot write the run: ValueError: what; "),
    ],
)
async def test_a_store_that_fails_takes_the_batch_out_of_the_journal_again(
    path: Path, error: Exception, sentence: str
) -> None:
    # scenario 101
    with Journal(path) as journal:
        bench = Bench(journal)
        bench.committer.add(done(1))
        bench.committer.flush()
        await bench.wait()
        bench.store.error = error
        bench.committer.add(done(2))
        bench.committer.flush()
        await bench.wait()
        assert journal.length == 2
        await asyncio.wait_for(bench.committer.close(), TIMEOUT_S)
    assert len(bench.errors) == 1
    assert str(bench.errors[0]).startswith(sentence)
    assert path.read_bytes() == b"1\n"


async def test_a_failure_while_more_waits_ends_the_commits(path: Path) -> None:
    bench = Bench()
    bench.store.error = OSError(errno.EIO, "Input/output error")
    bench.store.gate.clear()
    bench.committer.add(done(1))
    bench.committer.flush()
    bench.committer.add(done(2))
    bench.committer.flush()
    bench.store.gate.set()
    await asyncio.wait_for(bench.committer.close(), TIMEOUT_S)
    assert len(bench.errors) == 1
    assert bench.reports == []


async def test_an_error_in_what_follows_a_commit_is_not_swallowed() -> None:
    """Pages whose links never arrive would keep the crawl from ending."""
    bench = Bench(on_commit=KeyError("host"))
    bench.committer.add(done(1))
    await bench.committer.close()
    assert [str(error) for error in bench.errors] == ["the crawler itself failed: KeyError: 'host'"]

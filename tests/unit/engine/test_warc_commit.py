"""Answers kept as WARC: committed with their records, and taken out again with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from crawler import warc
from crawler.engine.commit import Committer
from crawler.errors import RunError
from crawler.models import Request
from crawler.settings.groups import Settings
from crawler.store.archive import Archive, Exchange
from crawler.store.base import NO_STATES, Done, Found, Output, States
from crawler.store.journal import Journal
from crawler.store.memory import MemoryStore
from tests.unit.store.made_warc import SENT, page


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pages.warc.gz"


class NotingStore(MemoryStore):
    """A memory store that notes the outputs of each commit, and fails if it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[list[Output]] = []
        self.error: Exception | None = None

    def commit(
        self,
        done: Sequence[Done],
        found: Sequence[Found],
        outputs: Sequence[Output] = (),
        states: States = NO_STATES,
    ) -> list[Request]:
        if self.error is not None:
            raise self.error
        self.outputs.append(list(outputs))
        return super().commit(done, found, outputs, states)


def committer(store: NotingStore, journal: Journal, archive: Archive | None, errors: list[Any]) -> Committer:
    return Committer(store, journal, lambda done, novel: None, errors.append, archive=archive)


async def test_an_answer_is_committed_with_its_record(path: Path) -> None:
    """In one transaction, with the length and checksum of what both outputs grew by."""
    store, errors = NotingStore(), []
    with Journal(path.with_name("records.jsonl")) as journal:
        own = committer(store, journal, Archive(Journal(path), Settings()), errors)
        kept = page()
        own.add(Done(kept.request, "ok", None, b"{}\n"), Exchange(kept, SENT))
        assert own.bytes_waiting == 3 + len(kept.body)
        await own.close()
    assert errors == []
    ((records, archived),) = store.outputs
    assert (records.name, records.records) == ("records.jsonl", 1)
    assert (archived.name, archived.offset, archived.records) == ("pages.warc.gz", 0, 3)
    assert archived.length == path.stat().st_size
    assert archived.crc32 == crc32(path.read_bytes())


async def test_answers_without_a_record_are_committed_too(path: Path) -> None:
    store = NotingStore()
    with Journal(path.with_name("records.jsonl")) as journal:
        own = committer(store, journal, Archive(Journal(path), Settings()), [])
        own.add_exchange(Exchange(page("http://a.example/robots.txt"), SENT))
        assert not own.is_idle
        await own.close()
    assert [[each.name for each in outputs] for outputs in store.outputs] == [["pages.warc.gz"]]


async def test_without_an_archive_no_body_is_held(path: Path) -> None:
    with Journal(path.with_name("records.jsonl")) as journal:
        own = committer(NotingStore(), journal, None, [])
        own.add_exchange(Exchange(page(), SENT))
        assert own.is_idle
        assert own.bytes_waiting == 0
        await own.close()


async def test_a_commit_that_fails_is_taken_out_of_both_outputs(path: Path) -> None:
    # scenario 101
    store, errors = NotingStore(), []
    records = path.with_name("records.jsonl")
    with Journal(records) as journal:
        own = committer(store, journal, Archive(Journal(path), Settings()), errors)
        for number, error in enumerate((None, RunError("gone"))):
            committed = path.stat().st_size
            store.error = error
            kept = page(f"http://a.example/{number}", b"%d" % number)
            own.add(Done(kept.request, "ok", None, b"{}\n"), Exchange(kept, SENT))
            own.flush()
            await own.ask(list)  # after the commit
        await own.close()
    assert [str(error) for error in errors] == ["gone"]
    assert (path.stat().st_size, records.stat().st_size) == (committed, 3)
    assert [entry.kind for entry in warc.entries(path)] == ["warcinfo", "response", "request"]

"""The stores that the contract is run on: a new one is one entry of `HOMES` more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from crawler import urls
from crawler.models import Link
from crawler.store.base import Found, Snapshot, Store
from crawler.store.memory import MemoryStore
from crawler.store.snapshot import SqliteSnapshot
from crawler.store.sqlite import SqliteStore


class Home(Protocol):
    """Where the store of one crawl lives.

    Attributes:
        lasts: Whether a store that was closed can be opened again.
    """

    lasts: bool

    def open(self) -> Store:
        """A store, new at first and then as the last one was left."""
        ...

    def snapshot(self) -> Snapshot:
        """Its state as of now."""
        ...


class MemoryHome:
    lasts = False

    def __init__(self, folder: Path) -> None:
        pass

    def open(self) -> Store:
        return MemoryStore()

    def snapshot(self) -> Snapshot:
        raise NotImplementedError("what lives in memory alone has no readers")


class SqliteHome:
    lasts = True

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.sqlite"
        self._snapshots: list[SqliteSnapshot] = []

    def open(self) -> Store:
        return SqliteStore(self.path, is_new=not self.path.exists())

    def snapshot(self) -> Snapshot:
        self._snapshots.append(SqliteSnapshot(self.path))
        return self._snapshots[-1]

    def close(self) -> None:
        for each in self._snapshots:
            each.close()


HOMES = {"memory": MemoryHome, "sqlite": SqliteHome}


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """Every store."""
    yield from _made(request.param, tmp_path)


@pytest.fixture(params=[name for name, kind in HOMES.items() if kind.lasts])
def lasting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """Every store that survives the process; the others begin anew, which a test of their own states."""
    yield from _made(request.param, tmp_path)


def _made(name: str, folder: Path) -> Iterator[Home]:
    made = HOMES[name](folder)
    yield made
    if isinstance(made, SqliteHome):
        made.close()


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """A new store, in its first session."""
    made = home.open()
    made.begin_session()
    yield made
    made.close(is_clean=True)


def link(url: str) -> Link:
    return Link(url, urls.host_key(url), urls.fingerprint(url))


def found(*given_urls: str, depth: int = 0, via: str | None = None, are_seeds: bool = False) -> Found:
    return Found([link(url) for url in given_urls], depth, via, are_seeds=are_seeds)

"""Parsing the pages of a run again, out of its WARC and without a request, into a run of its own.

The new run begins as a copy of the old one's state in which everything that has an answer is pending. Then it is
crawled as any other, by replay: so it can be stopped and resumed, and each URL has its one record.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.errors import RunError, UsageError
from crawler.models import Record
from crawler.records import line_of
from crawler.run.folder import Run
from crawler.scope import seeds
from crawler.scope.scope import SeedSite
from crawler.scope.seeds import Seeds
from crawler.settings import file as settings_file
from crawler.settings.groups import Settings
from crawler.store.base import Output
from crawler.store.journal import Journal, read_records
from crawler.store.rewind import Rewind
from crawler.store.snapshot import SqliteSnapshot

CHUNK_BYTES = 1024 * 1024
MANY = 10**12  # pages; a crawl without borders has to have a limit
# Nothing is asked for and no server is spared: what was crawled is gone through once more, and nothing else.
_SETTINGS: dict[str, dict[str, Any]] = {
    "crawl": {
        "exclude": (".",),  # no link leads on
        "robots": False,
        "sitemaps": False,
        "trap_guard": False,
        "max_pages": MANY,
        "max_pages_per_site": 0,
        "max_pages_per_domain": 0,
        "max_depth": 1000,
        "max_time_s": 0.0,
        "patience_s": 0.0,
    },
    "fetch": {"strategy": "replay", "concurrency": 0, "headers": (), "cookies": False, "proxy": ""},
    "politeness": {"delay_s": 0.0, "per_host": 64, "retries": 0},
    "output": {"run": "", "outputs": (), "warc": False, "files": (), "save_html": False},
}


class _Asked(Struct):
    """Of a record, what tells whether its answer can be parsed: not if there was none, or it went into a file."""

    url: str
    status: int | None = None
    charset: str | None = None
    file: str | None = None

    @property
    def has_page(self) -> bool:
        return self.status is not None and (self.file is None or self.charset is not None)


class Reparse:
    """The plan of a new run out of an old one, as the old one is at this moment.

    Args:
        parent: The old run.
        changes: Settings that are to be others than there, by group.
        config: A TOML file of which the tables `parse` and `extract` count, before the changes; None for none.

    Raises:
        UsageError: If it has no WARC, or settings cannot be read or do not fit together.
        RunError: If its state is missing or damaged.
    """

    def __init__(self, parent: Run, changes: Mapping[str, Mapping[str, Any]], config: Path | None = None) -> None:
        self._parent = parent
        self.settings, self.seeds = _settings(parent, changes, config)
        self.pages = 0  # How many pages will be parsed again, known when the new run is prepared.
        if not parent.state.is_file():
            raise RunError(f"{parent.state} is missing; without it nothing can be parsed again")
        self._state = SqliteSnapshot(parent.state)
        try:
            self._length = self._state.outputs().get(parent.journal.name, 0)
            waiting = {seed.url for seed in self._state.seeds() if seed.outcome == "pending"}
        except RunError:
            self._state.close()
            raise
        # A seed that was never asked for is none of the new run's.
        self.seeds = Seeds(tuple(site for site in self.seeds.sites if site.seed not in waiting), ())

    def prepare(self, run: Run) -> None:
        """Put the state into the new run's folder, and the records of what had no answer.

        Raises:
            UsageError: If there is no answer in the old run.
            RunError: If its state is damaged.
            OSError: If something cannot be read or written.
        """
        rewind = Rewind(self._state, run.state)
        try:
            with closing(rewind), Journal(run.journal) as journal:
                carried = _Carried(journal)
                self.pages = rewind.ask_again(self._answered(carried))
                if not self.pages:
                    raise UsageError(f"{self._parent.folder} holds no answer that could be parsed again")
                rewind.finish(carried.outputs())
        except BaseException:
            run.journal.unlink(missing_ok=True)
            raise

    def _answered(self, carried: _Carried) -> Iterator[tuple[str, int]]:
        """Politeness key and fingerprint of what has an answer; the records of all else are carried over."""
        for _, line, asked in read_records(self._parent.journal, self._length, _Asked):
            if asked.has_page:
                yield urls.host_key(asked.url), urls.fingerprint(asked.url)
            else:
                carried.take(line + b"\n" if asked.file is None else _without_file(line))

    def close(self) -> None:
        """Let go of the old run's state."""
        self._state.close()


class _Carried:
    """Records that a new run takes over as they are."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lines: list[bytes] = []
        self._bytes = self._checksum = self._count = 0

    def take(self, line: bytes) -> None:
        """Take a record's line."""
        self._lines.append(line)
        self._bytes += len(line)
        self._checksum = crc32(line, self._checksum)
        self._count += 1
        if self._bytes >= CHUNK_BYTES:
            self._write()

    def _write(self) -> None:
        self._journal.append(self._lines)
        self._lines, self._bytes = [], 0

    def outputs(self) -> Sequence[Output]:
        """What was written, once it is on the disk; nothing if there was none."""
        self._write()
        self._journal.sync()
        if not self._count:
            return ()
        return (Output(self._journal.path.name, 0, self._journal.length, self._checksum, self._count),)


def _without_file(line: bytes) -> bytes:
    """A record without its file, which is in the old run's folder."""
    return line_of(msgspec.structs.replace(msgspec.json.decode(line, type=Record), file=None))


def _settings(parent: Run, changes: Mapping[str, Mapping[str, Any]], config: Path | None) -> tuple[Settings, Seeds]:
    """The settings of the new run, and the sites that its scope is made of, without limits of their own."""
    before = settings_file.load(parent.settings, {})
    if not before.output.warc:
        raise UsageError(f"{parent.folder} has no answers to parse again: it was not crawled with --warc")
    folder = str(parent.folder.absolute())
    tables = {group: {**values, **changes.get(group, {})} for group, values in _SETTINGS.items()}
    tables["fetch"]["replay"] = tables["output"]["parent"] = folder
    extract, own = before.extract, {}
    if config is not None:
        found = settings_file.load(config, {})
        own = settings_file.read_toml(config)
        extract = found.extract if "extract" in own else extract
    tables["parse"] = {**own.get("parse", {}), **changes.get("parse", {})}
    given = seeds.read((), (), before.site, before.crawl.scope, io.BytesIO())
    sites = tuple(SeedSite(site.seed, site.kind) for site in given.sites)
    chosen = settings_file.load(parent.settings, tables)
    return msgspec.structs.replace(chosen, extract=extract), Seeds(sites, ())

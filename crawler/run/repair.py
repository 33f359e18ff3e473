"""Making a run's state anew: of its records, which are the truth, and of what its damaged state still holds."""

from __future__ import annotations

import io
import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from crawler import urls, warc
from crawler.errors import DamageError, RunError
from crawler.models import Link, Outcome, Request
from crawler.parse.links import LinkJudge
from crawler.run.folder import Run, locked
from crawler.scope import seeds
from crawler.scope.rewrite import rules_of
from crawler.scope.scope import scope_of
from crawler.settings import file as settings_file
from crawler.settings.groups import Settings
from crawler.store.base import Done, Found, Output, States
from crawler.store.batches import altered, checksum
from crawler.store.journal import read_records, sync_folder
from crawler.store.salvage import Kept, Salvage
from crawler.store.sqlite import SqliteStore

CHUNK = 500  # This many URLs are put into the new state at once.
SUFFIXES = ("", "-wal", "-shm")  # The files of one SQLite database end in these.

Item = TypeVar("Item")


class Repaired(Struct, frozen=True):
    """What a repair came to.

    Args:
        records: URLs that have a record.
        pending: URLs that are still to be fetched.
        lost: URLs that the damaged state knew and that nothing names any more; a page that leads there does again.
        kept: Where the damaged state is kept; None if there was none.
    """

    records: int
    pending: int
    lost: int
    kept: Path | None


class _Recorded(Struct, frozen=True):
    """What a record says that the state has to know."""

    url: str
    outcome: Outcome
    depth: int
    attempts: int
    status: int | None = None
    error: str | None = None
    redirect_to: str | None = None
    via: str | None = None
    nofollow: bool | None = None
    links: list[str] | None = None


def repair(folder: Path) -> Repaired:
    """Make a run's state anew, and keep the damaged one beside it.

    Args:
        folder: The run's folder.

    Raises:
        RunError: If another process has the run, or the new state cannot be written.
        DamageError: If the journal is damaged too, so that nothing says what was recorded.
    """
    run = Run(folder)
    chosen = settings_file.load(run.settings, {})
    with locked(run), closing(Salvage(run.state)) as old:
        _check_journal(run, old)
        fresh = run.state.with_name(f"{run.state.name}.new")
        _remove(fresh)
        try:
            counts = _Rebuild(run, chosen, old, fresh).make()
            kept = _keep(run.state)
            fresh.replace(run.state)
            sync_folder(folder)
        except OSError as error:
            raise RunError(f"cannot make the state of {folder} anew: {error.strerror}") from None
        finally:
            _remove(fresh)
    return msgspec.structs.replace(counts, kept=kept)


def _check_journal(run: Run, old: Salvage) -> None:
    """Refuse a journal that is not what was written, as far as the damaged state can tell."""
    if not run.journal.exists():
        raise DamageError(f"{run.journal} is missing; without it nothing can be made anew")
    for file in (run.journal, run.warc):
        if file.exists() and (count := altered(file, old.batches(file.name))):
            raise DamageError(
                f"{file} was altered itself, in {count} of its commits, so it cannot be relied on; "
                "`crawler verify` tells where, `crawler reparse` makes records anew of a run's good pages.warc.gz"
            )


class _Rebuild:
    """One new state.

    Args:
        run: The run.
        settings: As it was started.
        old: The damaged state.
        path: Where the new one goes.
    """

    def __init__(self, run: Run, settings: Settings, old: Salvage, path: Path) -> None:
        self._run = run
        self._settings = settings
        self._old = old
        given = seeds.read((), (), settings.site, settings.crawl.scope, io.BytesIO())
        self._scope = scope_of(given.sites, settings.crawl)
        self._judge = LinkJudge(self._scope, rules_of(settings.crawl))
        self._seeds = {site.seed for site in given.sites}
        self._redirected: dict[str, str] = {}  # target of a redirect → the URL that redirects there
        self._store = SqliteStore(path, is_new=True)

    def make(self) -> Repaired:
        """Fill it from first to last."""
        try:
            records = self._put_outputs()
            states = self._old.states()
            self._widen(states.aliases)
            self._put_records()
            self._put_known()
            lost = self._put_links()
            self._put_states(states, has_lost=lost > 0)
            counts = self._store.counts()
            return Repaired(records, counts.get("pending", 0), lost, None)
        finally:
            self._store.close(is_clean=True)

    def _records(self) -> Iterator[_Recorded]:
        return (record for *_, record in read_records(self._run.journal, None, _Recorded))

    def _put_outputs(self) -> int:
        """Take the outputs as they are, up to their last whole record; returns how many records there are."""
        journal = self._run.journal
        lines, length = 0, 0
        for place, line, _ in read_records(journal, None, _Recorded):
            lines, length = lines + 1, place + len(line) + 1
        outputs = [Output(journal.name, 0, length, _crc_of(journal, length), lines)]
        if self._settings.output.warc and self._run.warc.exists():
            last = deque(warc.entries(self._run.warc), maxlen=1)
            length = last[0].end if last else 0
            outputs.append(Output(self._run.warc.name, 0, length, _crc_of(self._run.warc, length), 0))
        self._store.commit([], [], [each for each in outputs if each.length])
        return lines

    def _widen(self, aliases: Iterable[tuple[str, str]]) -> None:
        for seed, host in aliases:
            site = self._scope.site_of(seed)
            if site is not None and not self._scope.owns_host(host):
                self._scope.add_alias(site, host)

    def _put_records(self) -> None:
        """Give every URL that has a record its outcome."""
        for record in self._records():
            if record.redirect_to is not None and record.outcome == "redirect":
                self._redirected.setdefault(record.redirect_to, record.url)
        for chunk in _chunks(self._records()):
            novel = self._store.commit([], [self._found(each) for each in chunk])
            if len(novel) != len(chunk):
                twice = {each.url for each in chunk} - {each.url for each in novel}
                raise DamageError(f"{self._run.journal} has several records of a URL: {', '.join(sorted(twice)[:3])}")
            pairs = zip(novel, chunk, strict=True)
            self._store.commit([_done(request, record) for request, record in pairs], [])

    def _found(self, record: _Recorded) -> Found:
        chain: list[str] = []
        source = self._redirected.get(record.url)
        while source is not None and source not in chain:
            chain.insert(0, source)
            source = self._redirected.get(source)
        # What was never asked for has a record only if the user named it.
        is_named = record.url in self._seeds or not record.attempts
        is_seed = is_named or any(each in self._seeds for each in chain)
        return Found([_link(record.url)], record.depth, record.via, tuple(chain), is_seed)

    def _put_known(self) -> None:
        """Take from the damaged state the URLs that have no record."""
        for chunk in _chunks(self._old.urls()):
            by_url = {each.request.url: each for each in chunk}
            novel = self._store.commit([], [_known(each) for each in chunk])
            kept = [(request, by_url[request.url]) for request in novel]
            self._store.commit([_ended(request, each) for request, each in kept if _has_ended(each)], [])

    def _put_links(self) -> int:
        """Find what is still missing on the pages that lead there; returns how many URLs cannot be found."""
        missing = self._old.fingerprints()
        missing -= {urls.fingerprint(url) for url, _, _ in self._store.outcomes()}
        is_all_missing = not self._old.is_readable
        if not missing and not is_all_missing:
            return 0
        for record in self._records():
            if record.links and not (record.nofollow and self._settings.crawl.nofollow):
                links = self._judge.judge(record.links).links
                wanted = [link for link in links if is_all_missing or link.fingerprint in missing]
                if wanted:
                    novel = self._store.commit([], [Found(wanted, record.depth + 1, record.url)])
                    missing -= {request.fingerprint for request in novel}
        return len(missing)

    def _put_states(self, states: States, *, has_lost: bool) -> None:
        """Keep what else is known; where URLs are missing, sitemaps are read again, which may name them."""
        reading = set(states.reading)
        if (has_lost or not self._old.is_readable) and self._settings.crawl.sitemaps:
            reading |= {urls.origin(record.url) for record in self._records()}
        self._store.commit([], [], [], msgspec.structs.replace(states, reading=sorted(reading)))


def _done(request: Request, record: _Recorded) -> Done:
    reason = record.error or (None if record.outcome == "ok" else str(record.status))
    tried = msgspec.structs.replace(request, attempts=record.attempts)
    return Done(tried, record.outcome, reason, was_open=False)


def _known(kept: Kept) -> Found:
    request = kept.request
    extra = {} if request.extra is None else {request.fingerprint: request.extra}
    return Found([_link(request.url)], request.depth, request.via, request.chain, request.is_seed, extra)


def _has_ended(kept: Kept) -> bool:
    """Whether a URL has an outcome that needs no record."""
    return kept.outcome in ("failed", "skipped") and not kept.request.is_seed and not kept.request.attempts


def _ended(request: Request, kept: Kept) -> Done:
    return Done(request, kept.outcome, kept.reason, was_open=False)


def _link(url: str) -> Link:
    return Link(url, urls.host_key(url), urls.fingerprint(url))


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _crc_of(path: Path, length: int) -> int:
    with path.open("rb") as file:
        return checksum(file, 0, length)


def _keep(state: Path) -> Path | None:
    """Keep a damaged state under another name, with the files that belong to it; they are gone afterwards."""
    if not state.exists():
        return None
    copy = state.with_name(f"{state.stem}.damaged{state.suffix}")
    for suffix in SUFFIXES:
        source, target = Path(f"{state}{suffix}"), Path(f"{copy}{suffix}")
        target.unlink(missing_ok=True)
        if source.exists():
            shutil.copyfile(source, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(state.parent)
    for suffix in SUFFIXES[1:]:  # a log that stayed would be taken for that of the new state
        Path(f"{state}{suffix}").unlink(missing_ok=True)
    return copy


def _remove(path: Path) -> None:
    for suffix in SUFFIXES:
        with suppress(OSError):
            Path(f"{path}{suffix}").unlink(missing_ok=True)

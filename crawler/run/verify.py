"""Whether a run keeps its promise: outputs as committed, no URL twice, none lost, the state at one with itself.

Read beside a crawl that goes on: the state is seen as of one moment, outputs up to what was committed by then. Memory
stays flat, however large the run, because what has to be compared is sorted in a temporary database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler import urls, warc
from crawler.errors import DamageError, RunError, UsageError
from crawler.log.terminal import counted
from crawler.models import OUTCOMES, Record
from crawler.run import file_checks
from crawler.run.folder import Run
from crawler.settings import file as settings_file
from crawler.store.batches import Lines, checked_lines, whole_lines
from crawler.store.checks import MAX_URL_CHARS, StateChecks, short
from crawler.store.faults import Faults
from crawler.store.record_checks import RecordChecks, Recorded
from crawler.store.snapshot import SqliteSnapshot

_NUMBERS = {outcome: number for number, outcome in enumerate(OUTCOMES)}


class Verification(Struct):
    """What a check of a run found.

    Args:
        faults: A sentence each; of each kind at most 20, and one that counts the others.
        records: Whole records in the journal.
        urls: URLs in the store.
    """

    faults: list[str]
    records: int
    urls: int


def verify(folder: Path) -> list[str]:
    """Check a run's folder against what a run promises; returns its faults, a sentence each.

    Args:
        folder: The run's folder; nothing in it is changed.

    Raises:
        RunError: If this user may not read it, or there is no room for temporary files.
    """
    return examine(folder).faults


def examine(folder: Path, *, is_thorough: bool = True) -> Verification:
    """See `verify`; tells as well how much was found.

    Args:
        folder: The run's folder; nothing in it is changed.
        is_thorough: Whether saved files and the inside of the WARC are read too, which takes longest.
    """
    faults, run = Faults(), Run(folder)
    for path in (run.state, run.journal, run.warc):
        if not _may_read(path):  # That says nothing of damage.
            raise RunError(f"cannot read {path}: permission denied; it is for whoever crawled it to check")
    with StateChecks(run.state, faults) as state:
        return _Check(run, state, faults, is_thorough=is_thorough).findings()


def refuse_damaged(run: Run) -> None:
    """Compare what a run's state and outputs hold, before anything is written to them.

    Raises:
        DamageError: If any of it is not as it was written.
        RunError: If its state is of a format that this version does not know, or there is no room for temporary files.
    """
    if not run.state.exists() and not (run.journal.exists() and run.journal.stat().st_size):
        return  # it was killed before its state was made, and has not lost anything
    if run.state.is_file():
        with suppress(DamageError), SqliteSnapshot(run.state):  # Damage is told with what else is wrong.
            pass
    if faults := examine(run.folder, is_thorough=False).faults:
        more = f" ({counted(len(faults) - 1, 'more fault')})" if len(faults) > 1 else ""
        raise DamageError(
            f"{run.folder} is damaged: {faults[0]}{more}; `crawler verify {run.folder}` tells all, with --repair it "
            "makes a damaged state anew, and `crawler export` still reads the records"
        )


def _may_read(path: Path) -> bool:
    try:
        path.open("rb").close()
    except PermissionError:
        return False
    except OSError:  # what is missing is for the checks to tell
        pass
    return True


class _Check:
    """One check of one run.

    Args:
        run: The run.
        state: The checks of its state.
        faults: Where faults go.
        is_thorough: Whether saved files and the inside of the WARC are read too.
    """

    def __init__(self, run: Run, state: StateChecks, faults: Faults, *, is_thorough: bool) -> None:
        self._is_thorough = is_thorough
        self._run = run
        self._state = state
        self._faults = faults
        self._written = RecordChecks(state, faults, run.journal.name, self._url_at)
        self._keeps_answers = False
        self._lengths: dict[str, int] = {}  # committed lengths of the outputs in bytes
        self._records = 0

    def findings(self) -> Verification:
        """Check everything, in an order in which what cannot be read spoils no later check."""
        self._check_settings()
        state, written = self._state, self._written
        if not state.passes(state.open):
            state.passes(self._check_journal_alone)
            return self._verification()
        state.passes(state.check_file)
        state.passes(state.check_rows)
        has_read = state.passes(self._check_outputs) and state.passes(written.check_twice)
        has_sorted = state.passes(state.sort_details)
        state.passes(state.check_counts)
        state.passes(state.check_pending)
        if has_sorted:
            state.passes(state.check_hosts)
            state.passes(state.check_urls)
        if has_read and has_sorted:
            state.passes(written.check_records)
            state.passes(written.check_missing)
        if has_read and self._keeps_answers and self._is_thorough:
            state.passes(self._check_archive)
        return self._verification()

    def _verification(self) -> Verification:
        return Verification(self._faults.sentences(), self._records, self._state.count)

    def _check_settings(self) -> None:
        if not _may_read(self._run.settings):  # its headers may be secrets, so others have no business there
            self._keeps_answers = self._run.warc.exists()
            return
        try:
            self._keeps_answers = settings_file.load(self._run.settings, {}).output.warc
        except UsageError as error:
            self._faults.add("settings", str(error))

    def _check_journal_alone(self) -> None:
        """Without a state: which records are left."""
        self._written.take_down(self._recorded(whole_lines(self._run.journal, self._faults.add)))
        self._written.check_twice()

    def _check_outputs(self) -> None:
        """Compare every output with its batches, and take the journal's records down."""
        self._lengths = dict(self._state.outputs())
        for name, length in self._lengths.items():
            is_journal = name == self._run.journal.name
            batches = self._state.batches(name)
            if not is_journal:  # whose records are not lines
                batches = (msgspec.structs.replace(batch, records=None) for batch in batches)
            lines = checked_lines(self._run.folder / name, length, batches, self._faults.add)
            if is_journal:
                self._written.take_down(self._recorded(lines))
            else:
                deque(lines, maxlen=0)

    def _recorded(self, lines: Lines) -> Iterator[Recorded]:
        decode, journal = msgspec.json.Decoder(Record).decode, self._run.journal.name
        for position, line in lines:
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("it has no end")
                record = decode(line)
                key = urls.host_key(record.url)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                sentence = f"{journal}: the line at byte {position:,} is no record: {str(error)[:MAX_URL_CHARS]}"
                self._faults.add("lines that are no record", sentence)
            else:
                self._records += 1
                if self._is_thorough and (fault := file_checks.fault_of(self._run.folder, record)) is not None:
                    self._faults.add("saved files", fault)
                has_answer = record.status is not None
                yield key, urls.fingerprint(record.url), position, _NUMBERS[record.outcome], has_answer

    def _check_archive(self) -> None:
        """Every record of an answer has it in the archive."""
        self._written.check_answers(self._run.warc.name, self._answered())

    def _answered(self) -> Iterator[str]:
        """The URLs whose answers the archive holds."""
        archive = self._run.warc
        length = self._lengths.get(archive.name, 0)
        for entry in warc.entries(archive, length) if length else ():
            if entry.is_answer:
                try:
                    urls.host_key(entry.url)
                except ValueError:
                    sentence = f"{archive.name}: the answer at byte {entry.offset:,} is of no URL: {short(entry.url)}"
                    self._faults.add("answers", sentence)
                else:
                    yield entry.url

    def _url_at(self, position: int) -> str:
        """The URL of a record that was read before, for a sentence."""
        with self._run.journal.open("rb") as file:
            file.seek(position)
            return short(msgspec.json.decode(file.readline(), type=Record).url)

"""What is known of a run, for its report: its state as of one moment, the figures of its last session, its settings.

Any of the three may be missing, old or damaged: a crawl may be going on, or it was killed. What cannot be read is
said in a note, and the report is made of the rest. The journal alone is needed.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.errors import CrawlerError, RunError
from crawler.measure.stats import Stats
from crawler.run.folder import Run
from crawler.settings import file as settings_file
from crawler.settings.groups import Settings
from crawler.store.base import Snapshot
from crawler.store.snapshot import SqliteSnapshot

EXAMPLES = 3  # This many URLs are kept of each reason.
MAX_REASONS = 1_000  # This many reasons are counted one by one.

Reason = tuple[str, str]  # These are an outcome and its reason.


class State(Struct):
    """What the state says.

    Args:
        reasons: URLs by outcome and reason; the reason is empty for those that have none.
        examples: Some URLs of each.
        hosts: How many hosts are known.
        first_seed: The first URL that the user named; empty if it is not known yet.
        seeds: How many the user named.
        is_clean: Whether the last session was ended in order.
    """

    reasons: Counter[Reason]
    examples: dict[Reason, list[str]]
    hosts: int = 0
    first_seed: str = ""
    seeds: int = 0
    is_clean: bool = True


class AsOf(Run):
    """A run as it stood at one moment, whatever is appended to it since.

    Args:
        folder: Its folder.
        length: How much of its journal was committed then, bytes; None for all of it.
    """

    def __init__(self, folder: Path, length: int | None) -> None:
        super().__init__(folder)
        self._length = length

    def committed_length(self, output: Path | None = None) -> int | None:
        """How much of the journal counts, bytes."""
        return self._length if output is None else super().committed_length(output)


class Sources(Struct):
    """All that is known beside the journal.

    Args:
        run: The run as of now.
        state: None where it is missing or damaged.
        stats: Empty where there are none.
        settings: None where they cannot be read.
        remarks: What is missing, in sentences.
    """

    run: AsOf
    state: State | None
    stats: Stats
    settings: Settings | None
    remarks: list[str]


def read(chosen: Run) -> Sources:
    """Read all that is known of a run beside its journal.

    Args:
        chosen: The run; a crawl may be going on in it.
    """
    remarks: list[str] = []
    state, length = _state_of(chosen, remarks)
    stats = _stats_of(chosen, remarks)
    return Sources(AsOf(chosen.folder, length), state, stats, _settings_of(chosen), remarks)


def _state_of(chosen: Run, remarks: list[str]) -> tuple[State | None, int | None]:
    """The state and the committed length of the journal, both of one moment."""
    if not chosen.state.is_file():
        remarks.append("There is no state.sqlite: URLs without a record are missing here.")
        return None, None
    try:
        with SqliteSnapshot(chosen.state) as snapshot:
            return _read_state(snapshot), snapshot.outputs().get(chosen.journal.name, 0)
    except RunError as error:
        why = error.__cause__ or error
        remarks.append(f"state.sqlite is damaged ({why}): URLs without a record are missing here.")
        return None, None


def _read_state(snapshot: Snapshot) -> State:
    state = State(Counter(), {}, hosts=snapshot.host_count(), is_clean=snapshot.is_clean())
    for each in snapshot.known():
        key = (each.outcome, each.reason or "")
        if key not in state.reasons and len(state.reasons) >= MAX_REASONS:
            key = (key[0], "other")
        state.reasons[key] += 1
        known = state.examples.setdefault(key, [])
        if len(known) < EXAMPLES:
            known.append(each.url)
    for seed in snapshot.seeds():
        if not seed.is_target:
            state.first_seed = state.first_seed or seed.url
            state.seeds += 1
    return state


def _stats_of(chosen: Run, remarks: list[str]) -> Stats:
    try:
        return msgspec.json.decode(chosen.stats.read_bytes(), type=Stats)
    except FileNotFoundError:
        remarks.append(
            "There is no stats.json: the crawl is going on, or it was killed. Where the time went is not known; "
            "speeds are those of the records."
        )
    except OSError as error:
        remarks.append(f"stats.json cannot be read ({error.strerror}); where the time went is not known.")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        remarks.append(f"stats.json is damaged ({error}); where the time went is not known.")
    return Stats()


def _settings_of(chosen: Run) -> Settings | None:
    try:
        return settings_file.load(chosen.settings, {})
    except CrawlerError:  # They are of another version, or name an extractor that is not there any more.
        return None

"""One session of a crawl, in a process of its own that can be killed, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import msgspec

from crawler.commands.exit import Exit
from crawler.run.verify import verify
from crawler.store.journal import read_lines
from crawler.store.sqlite import SqliteStore
from tests.integration.conftest import ROOT

CRAWLER = ("-m", "crawler")
CHILD = ("-m", "tests.kill.child")
FAST = ("--delay", "0", "--quiet")  # for sessions that only have to end
SESSION_LIMIT_S = 60.0  # a session that takes longer hangs, and is killed
WORKERS_LEAVE_S = 5.0  # a parse worker that outlives the crawler by more does not leave by itself


class Ended(NamedTuple):
    """How a session ended.

    Args:
        status: Exit status; negative for a signal.
        said: What it wrote on standard error.
        lingered_s: How long its parse workers outlived it, seconds.
    """

    status: int
    said: str
    lingered_s: float

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.status == -signal.SIGKILL


class Session:
    """A running crawler; leaving the context kills it, and its parse workers leave by themselves.

    Args:
        arguments: Of the command line.
        point: Where it kills itself, and at which pass, or what else `child.py` can do to it; None for nothing.
        output: Where its standard output goes.
    """

    def __init__(
        self, *arguments: object, point: tuple[str, object] | None = None, output: int = subprocess.DEVNULL
    ) -> None:
        program = CRAWLER if point is None else (*CHILD, point[0], str(point[1]))
        self.process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,  # the workers hold it as well: it ends when the last process has left
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._is_hung = False
        self._watchdog = threading.Timer(SESSION_LIMIT_S, self._bite)
        self._watchdog.start()

    def _bite(self) -> None:
        self._is_hung = True
        self.process.kill()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the crawler alone."""
        self.process.send_signal(number)

    def kill_after(self, seconds: float) -> Ended:
        """Let it work for a while and kill it, unless it ends before."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.process.kill()
        return self.wait()

    def wait(self) -> Ended:
        """Wait for its end, and for that of its parse workers.

        Raises:
            AssertionError: If it hangs, if a worker outlives it, or if a traceback reaches the user.
        """
        status = self.process.wait()
        ended = time.monotonic()
        try:
            _, said = self.process.communicate(timeout=WORKERS_LEAVE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"a parse worker outlived the crawler by {WORKERS_LEAVE_S:g} s") from None
        assert not self._is_hung, f"the crawler still ran after {SESSION_LIMIT_S:g} s"
        assert "Traceback" not in said, said
        return Ended(status, said, time.monotonic() - ended)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def run_session(*arguments: object, point: tuple[str, object] | None = None) -> Ended:
    """Run a session until it ends, by itself or at its point."""
    with Session(*arguments, point=point) as session:
        return session.wait()


def assert_refused(ended: Ended, *words: str) -> None:
    """A session ended with one sentence that holds these words, and a status that says so."""
    assert ended.status in (Exit.USAGE, Exit.STOPPED, Exit.BUSY, Exit.DAMAGED), ended
    assert len(ended.said.strip().splitlines()) == 1, ended.said
    for word in words:
        assert word in ended.said


class Left(NamedTuple):
    """What a session left in its run's folder.

    Args:
        outcomes: Outcome of every URL in the store.
        recorded: URL of every committed record, in order.
        faults: What `verify` finds.
    """

    outcomes: dict[str, str]
    recorded: list[str]
    faults: list[str]


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """A copy of a run's folder, so that looking at it does not repair what a kill left."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(folder, Path(place) / folder.name))


def look(folder: Path) -> Left:
    """What stands in a run's folder, committed; nothing where no state was made."""
    if not (folder / "state.sqlite").exists():
        return Left({}, [], [])
    with copied(folder) as copy:
        faults = verify(copy)
        store = SqliteStore(copy / "state.sqlite", is_new=False)
        outcomes = {url: outcome for url, outcome, _ in store.outcomes()}
        length = store.output_length("records.jsonl")
        store.close(is_clean=False)
        journal = copy / "records.jsonl"
        lines = list(read_lines(journal, length)) if journal.exists() else []
    if sum(len(line) + 1 for line in lines) != length:
        faults.append(f"{length} bytes are committed, the whole lines within them are fewer")
    return Left(outcomes, [msgspec.json.decode(line)["url"] for line in lines], faults)

"""The rounds: all that is compared is measured once in each, so that what disturbs the machine hits all alike."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from crawler.bench.samples import Sample
from crawler.errors import UsageError
from crawler.measure import procfs
from crawler.run.folder import DATA
from crawler.version import VERSION

# What is measured has a name for the progress line; it is called once in each round that it is part of.
Task = tuple[str, Callable[[], None]]
# A step is told with its number, how many there are, and the name of what comes next.
Step = Callable[[int, int, str], None]
# The measurements of all rounds stand under the two names that tell them apart.
Measured = dict[tuple[str, str], list[Sample]]


class Plan(Struct, frozen=True, kw_only=True):
    """What both commands are told.

    Args:
        strategies: How to fetch.
        rounds: How often everything is measured.
        concurrency: Requests in flight.
        pages: A folder of HTML files to work on; None takes the lab's pages.
        count: How many pages; None takes all of a folder.
        page_bytes: Size of the lab's pages, bytes.
    """

    strategies: tuple[str, ...]
    rounds: int
    concurrency: int
    pages: Path | None = None
    count: int | None = None
    page_bytes: int

    def conditions(self, pages: int, page_bytes: int, others_cores: float) -> dict[str, Any]:
        """The fields of `Conditions` that every plan knows.

        Args:
            pages: How many pages there were.
            page_bytes: Their size on average, bytes.
            others_cores: Processors that other programs kept busy meanwhile.
        """
        return {
            "version": VERSION,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "pages_from": "the lab" if self.pages is None else str(self.pages),
            "pages": pages,
            "page_bytes": page_bytes,
            "concurrency": self.concurrency,
            "rounds": self.rounds,
            "others_cores": others_cores,
        }


def run(
    name: str, rounds: int, prepare: Callable[[Path, ExitStack], Callable[[int], Sequence[Task]]], step: Step
) -> float:
    """Measure in rounds, in a folder that is gone afterwards.

    Args:
        name: What the folder's name begins with.
        rounds: How many.
        prepare: Makes the pages in the folder, leaves to the stack what has to be closed, and returns what tells the
            tasks of a round, which is numbered from 0.
        step: Told before the pages are made, with 0 steps, and before each measurement.

    Returns:
        How many processors other programs kept busy meanwhile.

    Raises:
        UsageError: If there are no pages to measure with.
        CrawlerError: If a measurement fails.
    """
    started, others_before = time.monotonic(), _others_s()
    with ExitStack() as stack:
        folder = stack.enter_context(_scratch(name))
        step(0, 0, "making the pages")
        tasks_of = prepare(folder, stack)
        tasks: list[Task] = []
        for number in range(rounds):
            # There and back, so that what comes early in a round comes late in the next.
            tasks += tasks_of(number)[:: -1 if number % 2 else 1]
        for number, (what, task) in enumerate(tasks, start=1):
            step(number, len(tasks), what)
            task()
    return max(0.0, _others_s() - others_before) / (time.monotonic() - started)


def _others_s() -> float:
    """CPU time of all processes that are none of the benchmark's, as far as its own have ended, seconds."""
    return procfs.machine_s() - procfs.ended_s() - time.process_time()


@contextmanager
def _scratch(name: str) -> Iterator[Path]:
    """A folder beside the runs, because waiting for the disk is part of what is measured; nothing of it stays."""
    is_ours = not DATA.exists()
    try:
        DATA.mkdir(exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=f"{name}-", dir=DATA)
    except OSError as error:
        raise UsageError(f"cannot make a folder in {DATA}/ for what is measured: {error.strerror}") from None
    try:
        with temporary as folder:
            yield Path(folder).absolute()
    finally:
        if is_ours:
            # The folder stays if somebody else has put something there.
            with suppress(OSError):
                DATA.rmdir()

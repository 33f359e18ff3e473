"""A run's folder: the settings it was started with, its journal, its state, its figures and its log."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from crawler.errors import RunError, UsageError
from crawler.report.terminal import printable
from crawler.settings import Settings, render

DATA = Path("data")


class Run:
    """The files of one run.

    Args:
        folder: Its folder, which exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def journal(self) -> Path:
        """One record a line."""
        return self.folder / "records.jsonl"

    @property
    def stats(self) -> Path:
        """The figures of the last session, one JSON object."""
        return self.folder / "stats.json"

    @property
    def log(self) -> Path:
        """What went wrong, a line each."""
        return self.folder / "crawl.log"

    def write_stats(self, stats: Mapping[str, object]) -> None:
        """Replace stats.json."""
        fresh = self.stats.with_suffix(".json.part")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(stats), indent=2) + b"\n")
        fresh.replace(self.stats)


def create(name: str, settings: Settings) -> Run:
    """Make the folder of a new run.

    Args:
        name: The folder; empty for a new one under data/, named by date and time.
        settings: Written to its run.toml.

    Raises:
        UsageError: If the folder holds something already.
        RunError: If it cannot be made.
    """
    folder = Path(name) if name else fresh_folder()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = (
            "already holds a run; `crawler resume` goes on with it"
            if (folder / "run.toml").exists()
            else "is not empty"
        )
        raise UsageError(f"{folder} {what}; name a new folder with --run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.toml").write_text(render(settings), encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot make the run's folder {folder}: {error.strerror}") from None
    return Run(folder)


def open_existing(name: str) -> Run:
    """Find the folder of a run that exists.

    Raises:
        UsageError: If it is no run.
    """
    folder = Path(name)
    if not (folder / "run.toml").is_file():
        raise UsageError(f"{folder} is no run: it holds no run.toml")
    return Run(folder)


def fresh_folder() -> Path:
    """A folder under data/ that does not exist, named by date and time."""
    # Local time, because the name is for the person who looks for the run.
    stem = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    folder, number = DATA / stem, 2
    while folder.exists():
        folder, number = DATA / f"{stem}_{number}", number + 1
    return folder


class _OneLine(logging.Formatter):
    """No value in a message can forge a line of the log or reach a terminal as a control sequence."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record)} {record.levelname.lower()} "
        text = head + printable(record.getMessage())
        if record.exc_info:
            text += "".join("\n    " + printable(line) for line in self.formatException(record.exc_info).splitlines())
        return text


@contextmanager
def logging_to(path: Path, *, verbose: bool = False) -> Iterator[None]:
    """Write the crawler's log to a file while the context is open.

    Args:
        path: Appended to.
        verbose: Also what is routine.
    """
    logger = logging.getLogger("crawler")
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(_OneLine())
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        handler.close()

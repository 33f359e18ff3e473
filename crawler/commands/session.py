"""One session of a crawl, from taking its folder to its last file: the same for the command line and the library."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct

from crawler.engine.ending import Ending
from crawler.engine.engine import Engine
from crawler.engine.loop import run_loop
from crawler.export import formats
from crawler.log.crawl_log import logging_to, tell
from crawler.measure.stats import Stats
from crawler.run.folder import Run, locked
from crawler.run.verify import refuse_damaged
from crawler.settings.groups import Settings
from crawler.view import summary

STANDARD_OUTPUT = "-"
AT_ONCE = "at once, by a second signal"  # the cause of a stop that nobody wants to wait for

Crawl = Callable[[], Coroutine[Any, Any, tuple[Engine, Ending]]]


class Session(Struct, frozen=True):
    """What a session came to.

    Args:
        engine: Its engine, which has ended.
        ending: How it ended.
        stats: Its figures, as in stats.json.
        written: The run's outputs and the files that were made of them.
        kept: Files that were left as they were, because nothing was fetched.
    """

    engine: Engine
    ending: Ending
    stats: Stats
    written: list[Path]
    kept: list[Path]


def run_session(
    settings: Settings, run: Run, crawl: Crawl, log_to: TextIO | None = None, *, goes_on: bool = False
) -> Session:
    """Run a crawl to its end, and write its figures and files while its folder is locked.

    Args:
        settings: All settings.
        run: Its folder.
        crawl: Makes the engine on the event loop that is given to it, and runs it.
        log_to: A stream that gets the log as well, with what is routine in it.
        goes_on: Whether the run has begun before, so that what it holds is checked first.

    Returns:
        Also of a crawl that failed (`ending.error`): then no figures and no files are written.

    Raises:
        RunError: If another process has the folder, what it holds is damaged, or a file cannot be written.
    """
    output = settings.output
    level = "debug" if log_to else output.log_level
    with locked(run), logging_to(run.log, level, output.log_format, log_to):
        if goes_on:
            refuse_damaged(run)
        engine, ending = run_loop(crawl)
        stats = summary.figures(engine, ending, run)
        written = [run.journal, run.warc] if output.warc else [run.journal]
        kept: list[Path] = []
        if ending.error is None:
            has_news = summary.has_news(engine)  # a session with nothing to do has no figures
            if has_news or not run.stats.exists():
                run.write_stats(stats)
            if ending.why != "stopped":
                kept = _write_files(run, settings, written, replaces=engine.has_pages)
            if output.report and (has_news or not run.report.exists()) and AT_ONCE not in ending.cause:
                from crawler.report import page  # It brings the code of pictures, which most crawls end without.

                written.append(page.write(run))
    return Session(engine, ending, stats, written, kept)


def _write_files(run: Run, settings: Settings, written: list[Path], *, replaces: bool) -> list[Path]:
    """Make the files that were asked for, and note them in `written`; returns those that were left as they were."""
    kept: list[Path] = []
    length = run.committed_length()
    for path in (Path(name) for name in settings.output.outputs if name != STANDARD_OUTPUT):
        if path.exists() and not replaces:  # yesterday's file is better than one of failures
            tell(logging.WARNING, "file_kept", sentence_of_kept(run, path))
            kept.append(path)
            continue
        formats.export(run.journal, length, path, spreadsheet_safe=settings.output.spreadsheet_safe)
        written.append(path)
    return kept


def sentence_of_kept(run: Run, path: Path) -> str:
    """What to say of a file that was left as it was."""
    return f"{path} is left as it was: nothing was fetched; `crawler export {run.folder} {path}` replaces it"

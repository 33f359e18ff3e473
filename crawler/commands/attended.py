"""A crawl that somebody attends: signals, the live view, the dashboard, records on standard output."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from crawler.commands.session import AT_ONCE
from crawler.engine import assembly
from crawler.engine.ending import Ending
from crawler.engine.engine import Engine
from crawler.export.stream import StreamOutput
from crawler.log.terminal import JsonTerminal
from crawler.run.folder import Run
from crawler.scope.seeds import Seeds
from crawler.settings.groups import Settings
from crawler.view.progress import Progress

if TYPE_CHECKING:
    from crawler.view.dashboard import Dashboard  # imported only where one is wanted, for what it brings with it

STOP_S = 10.0  # after the first signal, seconds until the process leaves whatever still holds it
STOPPED = 3  # exit status
INTERRUPTED = 130  # exit status where nothing is kept
MAX_FILES = 65_536  # each connection takes one, also while it waits to be used again
COLLECT_EVERY = 50_000  # new objects; the collector's own 700 cost a sixth of the main process's time
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

OnLines = Callable[[Sequence[bytes]], None]


async def crawl(
    settings: Settings,
    seeds: Seeds,
    run: Run | None,
    *,
    before: Settings | None = None,
    is_quiet: bool = False,
    is_plain: bool = False,
    streams: bool = False,
    on_lines: OnLines = lambda lines: None,
    dashboard: Dashboard | None = None,
) -> tuple[Engine, Ending]:
    """Run a crawl to its end or to a signal.

    Args:
        settings: All settings.
        seeds: What to crawl.
        run: Its folder; None keeps nothing.
        before: The settings that the run was started with, if it goes on.
        is_quiet: Whether there is no live view.
        is_plain: Whether it is made of plain lines although there is a terminal.
        streams: Whether records go to standard output as they are committed.
        on_lines: Called with the records' lines after each commit, if they do not.
        dashboard: Shows the crawl and is ended with it.
    """
    _use_the_machine()
    outputs: list[StreamOutput] = []
    takers: list[OnLines] = [] if streams else [on_lines]

    def pass_on(lines: Sequence[bytes]) -> None:
        for take in takers:
            take(lines)

    engine = assembly.build(settings, seeds, run, pass_on, before)
    if streams:
        held = engine.parts.held
        stream = JsonTerminal(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer
        on_closed = partial(engine.stop, "stopped")
        outputs.append(StreamOutput(stream, held.add, engine.look, on_closed))
        takers.append(outputs[0].put)
    progress = None if is_quiet else Progress(engine, sys.stderr, is_plain=is_plain)
    ending: Ending | None = None
    started = [site.seed for site in seeds.sites]
    folder = str(run.folder) if run else ""
    with _signals(engine, progress, folder) as stop:
        try:
            if dashboard:
                await dashboard.start(engine, started, folder, partial(stop, "the dashboard"))
                takers.append(dashboard.take)
            if progress:
                progress.start()
            ending = await engine.run(started)
            for output in outputs:
                await output.close()
            return engine, ending
        finally:
            if progress:
                progress.stop()
            if dashboard:
                await dashboard.end(ending)


def _use_the_machine() -> None:
    """Open as many files as the system lets this process, and spend less on garbage and on changes of process."""
    if sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER:
        # Whoever computes, workers too, is not interrupted for every answer: a twentieth of all CPU time.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    gc.freeze()  # what is imported lives as long as the process
    gc.set_threshold(COLLECT_EVERY, 20, 50)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft < wanted:
        with suppress(ValueError, OSError):  # what the system says and what it grants can differ
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _signals(engine: Engine, progress: Progress | None, folder: str) -> Iterator[Callable[[str], None]]:
    """The first signal stops the crawl in order, the second at once; nothing keeps the process for longer than 10 s.

    Yields a function that does what a first signal does, if none has come; its argument names who asks for it.

    What is committed is safe, so leaving without closing anything loses nothing that a resume would not bring back.
    """
    loop = asyncio.get_running_loop()
    seen = 0

    def leave() -> None:
        if progress:
            progress.stop()
        goes_on = f"; `crawler resume {folder}` goes on with the run" if folder else ""
        sys.stderr.write(f"crawler: left at once{goes_on}\n")
        sys.stderr.flush()
        os._exit(STOPPED if folder else INTERRUPTED)

    def received(name: str) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            loop.call_later(STOP_S, leave)
            engine.stop(cause=f"by {name}")
        elif seen == 2 and not engine.is_over:
            engine.stop(cause=f"{AT_ONCE} ({name})")
        else:
            leave()

    def stop(name: str) -> None:
        if not seen:
            received(name)

    for number in SIGNALS:
        loop.add_signal_handler(number, received, number.name)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

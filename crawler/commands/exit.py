"""The exit statuses of the command line."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses."""

    OK = 0  # the crawl finished, or a limit that the user set was reached
    NOTHING = 1  # no seed could be fetched, or a check found a fault
    USAGE = 2  # wrong usage or settings
    STOPPED = 3  # stopped early, and resumable
    BUSY = 4  # another process is crawling the run
    DAMAGED = 5  # the run's files do not hold what was written to them
    INTERRUPTED = 130  # by Ctrl-C, and there is nothing to go on with

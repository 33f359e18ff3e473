"""The exit statuses of the command line."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses."""

    OK = 0
    NOTHING = 1
    USAGE = 2
    STOPPED = 3
    BUSY = 4
    DAMAGED = 5
    INTERRUPTED = 130


# What help and README say of each, in the same words.
MEANINGS = {
    Exit.OK: "the crawl finished or reached a limit that you set",
    Exit.NOTHING: "no seed led to a page, or `fetch`, `verify` or `compare` found a fault",
    Exit.USAGE: "wrong usage",
    Exit.STOPPED: "stopped early and resumable",
    Exit.BUSY: "another process is crawling the run",
    Exit.DAMAGED: "the run is damaged",
    Exit.INTERRUPTED: "interrupted before there was a run",
}

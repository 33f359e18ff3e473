"""How a crawl ends: the word, the error and the cause."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from crawler.errors import RunError

Why = Literal[
    "finished",
    "max_pages",
    "max_pages_per_site",
    "max_pages_per_domain",
    "max_time",
    "retry_after",
    "stopped",
    "failed",
]


class Ending(Struct, frozen=True):
    """How a crawl ended.

    Args:
        why: finished; max_pages or max_time, limits that the user set; max_pages_per_site or max_pages_per_domain, if
            all else is finished and such limits kept pages back; retry_after, nothing left but hosts that ask to be
            left alone for longer than the user waits; stopped by a signal; failed.
        error: What failed.
        cause: What stopped it, in words, as `by SIGINT`; empty where `why` says all.
    """

    why: Why
    error: RunError | None = None
    cause: str = ""

"""The durable side of the frontier: every URL ever discovered, its outcome, and what waits to be fetched.

The store answers "seen?". Novelty is decided in the commit, and only what was new comes back for the frontier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from crawler.models import Link, Outcome, Pending, Request


class Found(Struct, frozen=True):
    """Links that one page leads to.

    Args:
        links: Canonical, distinct, in scope.
        depth: Their depth.
        via: The URL on which they stand; None for seeds.
        chain: The URLs that redirected here, for the target of a redirect.
        are_seeds: Whether the user named them, or named what redirected to them.
    """

    links: Sequence[Link]
    depth: int
    via: str | None = None
    chain: tuple[str, ...] = ()
    are_seeds: bool = False


class Done(Struct, frozen=True):
    """The final outcome of a request that was handed out, or of a URL that will never be.

    Args:
        request: The request.
        outcome: Its outcome.
        reason: Status code or word that explains it, None for ok.
        line: The record as a line of the journal; empty where no record is due.
        found: What the page led to; takes effect together with the record.
        was_open: Whether the request had been handed out.
    """

    request: Request
    outcome: Outcome
    reason: str | None = None
    line: bytes = b""
    found: Found | None = None
    was_open: bool = True


class Output(Struct, frozen=True):
    """What one commit appended to one output.

    Args:
        name: File name in the run's folder.
        offset: Where it begins, bytes.
        length: How long it is, bytes.
        crc32: Its checksum.
        records: How many records it holds.
    """

    name: str
    offset: int
    length: int
    crc32: int
    records: int


class HostState(Struct, frozen=True):
    """What has to be known of a host when the run goes on.

    Args:
        key: Politeness key.
        next_at: Wall clock before which it may not be visited, Unix seconds.
    """

    key: str
    next_at: float


class States(Struct, frozen=True):
    """What has to be known beside URLs when the run goes on.

    Args:
        hosts: Hosts that may not be visited for a while.
        reading: Origins whose sitemaps are being read from now on.
        read: Origins whose sitemaps have been read.
    """

    hosts: Sequence[HostState] = ()
    reading: Sequence[str] = ()
    read: Sequence[str] = ()


NO_STATES = States()


class Store(Protocol):
    """What the engine needs of a store; called from one thread at a time."""

    def commit(
        self,
        done: Sequence[Done],
        found: Sequence[Found],
        outputs: Sequence[Output] = (),
        states: States = NO_STATES,
    ) -> list[Request]:
        """Record outcomes, links, what outputs grew by and other states in one transaction.

        Returns:
            Requests for the URLs that were never seen before, in order.
        """
        ...

    def keep_traps(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Keep what `TrapGuard.snapshot` says, in place of what it said before."""
        ...

    def pending(self) -> Iterator[Pending]:
        """The hosts that have pending URLs when a run goes on."""
        ...

    def take(self, host: str, after: int, count: int) -> list[Request]:
        """The next pending requests of a host, by their `seq`, that come after the one named."""
        ...

    def outcomes(self) -> Iterator[tuple[str, Outcome, str | None]]:
        """URL, outcome and reason of every URL discovered, pending ones too."""
        ...

    def close(self, *, is_clean: bool) -> None:
        """Release what is held; `is_clean` notes that the session ended in order."""
        ...

"""What a crawl, a resume and readers ask of a store: every URL ever discovered, its outcome, and what is still pending.

The store answers "seen?". Novelty is decided in the commit, and only what was new comes back for the frontier.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from crawler.models import Link, Outcome, Pending, Request
from crawler.urls import SHARDS

# Names of files in a run's folder.
JOURNAL = "records.jsonl"
ARCHIVE = "pages.warc.gz"
STATE = "state.sqlite"
IN_PROGRESS = "flights.map"

ALL_SHARDS: Container[int] = range(SHARDS)
TrapRow = tuple[str, str, str]  # registrable domain, URL pattern, and what `TrapGuard.snapshot` says of them


class Found(Struct, frozen=True):
    """Links that one page leads to.

    Args:
        links: Canonical, distinct, in scope.
        depth: Their depth.
        via: The URL on which they stand; None for seeds.
        chain: The URLs that redirected here, for the target of a redirect.
        are_seeds: Whether the user named them, or named what redirected to them.
        extra: What is to be kept of some of them (`Request.extra`), by fingerprint.
    """

    links: Sequence[Link]
    depth: int
    via: str | None = None
    chain: tuple[str, ...] = ()
    are_seeds: bool = False
    extra: Mapping[int, bytes] = {}


class Done(Struct, frozen=True):
    """The final outcome of a request that was handed out, or of a URL that will never be.

    Args:
        request: The request.
        outcome: Its outcome.
        reason: Status code or word that explains it, None for ok.
        line: The record as a line of the journal; empty where no record is due.
        found: What the page led to; takes effect together with the record.
        was_open: Whether the request had been handed out.
        extra: What is kept of the URL from now on (`Request.extra`); None leaves what is kept already.
    """

    request: Request
    outcome: Outcome
    reason: str | None = None
    line: bytes = b""
    found: Found | None = None
    was_open: bool = True
    extra: bytes | None = None


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
        next_at: Wall clock before which it may not be visited, Unix seconds; None if any time will do.
        gap_s: Seconds that its robots.txt asks for between two requests; None if it asks for nothing.
    """

    key: str
    next_at: float | None = None
    gap_s: float | None = None


class States(Struct, frozen=True):
    """What has to be known beside URLs when the run goes on.

    Args:
        hosts: Hosts that may not be visited for a while, or have a crawl delay.
        reading: Origins whose sitemaps are being read from now on.
        read: Origins whose sitemaps have been read.
        aliases: Hosts that belong to a site because its seed redirects there: the seed's URL, and the host's key.
    """

    hosts: Sequence[HostState] = ()
    reading: Sequence[str] = ()
    read: Sequence[str] = ()
    aliases: Sequence[tuple[str, str]] = ()


NO_STATES = States()


class Territory(Struct, frozen=True):
    """What a crawl has to know of the shards that it takes over.

    Args:
        hosts: The hosts that have pending URLs.
        suspects: URLs that may kill the process; they are out of their queues, to be fetched last and alone.
        aliases: As in `States`.
        reading: Origins whose sitemaps were not read to their end.
        traps: What was kept last of crawler traps.
    """

    hosts: Sequence[Pending] = ()
    suspects: Sequence[Request] = ()
    aliases: Sequence[tuple[str, str]] = ()
    reading: Sequence[str] = ()
    traps: Sequence[TrapRow] = ()


class Store(Protocol):
    """What a crawl needs of a store; called from one thread at a time.

    A session begins with `begin_session`, may then change what earlier ones left (`charge`, `revive`, `keep_traps`),
    takes shards over, and from then on commits and takes. A store that cannot be used raises RunError.
    """

    # A session begins

    def begin_session(self) -> bool:
        """Note that a session of the crawl begins; returns whether the one before it ended in order."""
        ...

    def charge(self, seqs: Iterable[int]) -> None:
        """Give pending URLs that were being worked on when the process died one crash more, by their `seq`."""
        ...

    def request(self, seq: int) -> Request | None:
        """The pending request at a position, None if it has an outcome."""
        ...

    def revive(self, reasons: Sequence[str]) -> int:
        """Make URLs pending again that were skipped for these reasons and have no record; returns how many."""
        ...

    def take_over(self, shards: Container[int], max_crashes: int) -> Territory:
        """Put the queues of some shards in order and tell what has to be known of them.

        Args:
            shards: The shards (`urls.shard_of`), `ALL_SHARDS` for a crawl on one machine.
            max_crashes: URLs with so many crashes are suspects.
        """
        ...

    # It goes on

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

    def take(self, host: str, after: int, count: int) -> list[Request]:
        """The next pending requests of a host, by their `seq`, that come after the one named."""
        ...

    def keep_traps(self, rows: Sequence[TrapRow]) -> None:
        """Keep what is known of crawler traps, in place of what was kept before."""
        ...

    # Questions

    def counts(self) -> dict[Outcome, int]:
        """How many URLs have which outcome, for outcomes that any has."""
        ...

    def outcomes(self) -> Iterator[tuple[str, Outcome, str | None]]:
        """URL, outcome and reason of every URL discovered, pending ones too."""
        ...

    def output_length(self, name: str) -> int:
        """Committed length of an output in bytes, 0 if nothing of it was ever committed."""
        ...

    # It ends

    def close(self, *, is_clean: bool) -> None:
        """Release what is held; `is_clean` notes that the session ended in order."""
        ...


class Known(Struct, frozen=True):
    """What a state says of one URL.

    Args:
        url, host: The URL and its politeness key; the key is empty where the state has lost it.
        outcome: Its outcome, `unknown` where the state holds none that there is.
        reason: Status code or word that explains it.
        attempts: How often it was tried.
        is_target: Whether it was found because another URL redirected there.
    """

    url: str
    host: str
    outcome: str
    reason: str | None
    attempts: int
    is_target: bool


class Snapshot(Protocol):
    """A state as of one moment, read beside whoever may be writing it.

    What cannot be read because it is damaged raises RunError.
    """

    def outputs(self) -> dict[str, int]:
        """Committed length of each output in bytes, by its name."""
        ...

    def batches(self, name: str) -> Iterator[Output]:
        """What each commit appended to an output, oldest first."""
        ...

    def known(self, outcomes: Sequence[Outcome] = ()) -> Iterator[Known]:
        """The URLs that have one of some outcomes, all if none is named, in the order of discovery."""
        ...

    def seeds(self) -> Iterator[Known]:
        """The URLs that the user named, and those that they redirected to."""
        ...

    def host_count(self) -> int:
        """How many hosts are known."""
        ...

    def largest_hosts(self, count: int) -> list[str]:
        """The hosts with most URLs, by their politeness keys."""
        ...

    def is_clean(self) -> bool:
        """Whether the last session ended in order."""
        ...

"""What became of the URLs of a run, as plain text: by reason and by host, or one list at a time."""

from __future__ import annotations

import heapq
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

import msgspec
from msgspec import Struct

from crawler.errors import RunError
from crawler.log.terminal import counted, printable, size
from crawler.models import OUTCOMES, Outcome
from crawler.run.folder import Run
from crawler.store import snapshot
from crawler.store.journal import read_lines
from crawler.store.sqlite_file import damaged

TOP_HOSTS = 20
TOP_SLOW = 20
# In the order in which they are shown, and the columns of the hosts' table; quarantined only where there is any.
_ORDER: tuple[Outcome, ...] = ("ok", "http_error", "redirect", "failed", "quarantined", "skipped", "pending")
_NAMES: dict[int, str] = dict(enumerate(OUTCOMES))
_LARGEST = "SELECT host, count(*) FROM state.urls GROUP BY host ORDER BY count(*) DESC, host LIMIT ?"

Reasons = Counter[tuple[str, str | None]]
Kind = TypeVar("Kind")


class _Kept(Struct):
    """What the list of saved files needs of a record."""

    url: str
    content_type: str | None = None
    bytes: int | None = None
    digest: str | None = None
    truncated: str | None = None
    file: str | None = None


class _Timed(Struct):
    """What the list of slow pages needs of a record; the rest of the line is skipped unread."""

    url: str
    status: int | None = None
    elapsed_ms: int | None = None
    wire_bytes: int | None = None


def overview(chosen: Run) -> Iterator[str]:
    """Lines that say how many URLs have which outcome, for which reason, and on which hosts.

    Args:
        chosen: The run; a crawl may be going on in it.

    Raises:
        RunError: If its state is missing or damaged.
    """
    reasons = Reasons()
    with _state_of(chosen) as db:
        by_host: dict[int, Counter[str]] = {host: Counter() for host, _ in db.execute(_LARGEST, (TOP_HOSTS,))}
        for host, number, reason in db.execute("SELECT host, outcome, reason FROM state.details"):
            outcome = _NAMES.get(number, "unknown")
            reasons[outcome, reason] += 1
            if host in by_host:
                by_host[host][outcome] += 1
        keys = dict(db.execute(f"SELECT id, key FROM state.hosts WHERE id IN ({','.join(map(str, by_host))})"))
        ((hosts,),) = db.execute("SELECT count(*) FROM state.hosts")
    yield f"{printable(str(chosen.folder))}: {counted(reasons.total(), 'URL')}, {counted(hosts, 'host')}"
    yield from _reason_lines(reasons)
    yield from _host_lines([(str(keys.get(host)), counts) for host, counts in by_host.items()], hosts)


def _reason_lines(reasons: Reasons) -> Iterator[str]:
    totals: Counter[str] = Counter()
    for (outcome, _), count in reasons.items():
        totals[outcome] += count
    yield ""
    for outcome in sorted(totals, key=_place):
        yield f"  {totals[outcome]:>12,}  {outcome}"
        for (whose, reason), count in reasons.most_common():
            if whose == outcome and reason is not None:
                yield f"  {'':12}  {count:>12,}  {printable(reason, 50)}"


def _place(outcome: str) -> int:
    return (*_ORDER, outcome).index(outcome)


def _host_lines(rows: Sequence[tuple[str, Counter[str]]], hosts: int) -> Iterator[str]:
    """The table of hosts; their names come last, so that long ones push no number out of its column."""
    has_quarantined = any(counts["quarantined"] for _, counts in rows)
    columns = [outcome for outcome in _ORDER if outcome != "quarantined" or has_quarantined]
    widths = [max(len(name), *(len(f"{counts[name]:,}") for _, counts in rows), 0) for name in columns]
    yield ""
    yield "  ".join([*(name.rjust(width) for name, width in zip(columns, widths, strict=True)), "host"])
    for key, counts in rows:
        cells = [f"{counts[name]:,}".rjust(width) for name, width in zip(columns, widths, strict=True)]
        yield "  ".join([*cells, printable(key)])
    if hosts > len(rows):
        yield f"and {hosts - len(rows):,} more hosts with fewer URLs"


def listed(chosen: Run, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each URL that has one of some outcomes: URL, outcome, reason and attempts with tabs between them.

    Args:
        chosen: The run; a crawl may be going on in it.
        outcomes: Which to list.

    Raises:
        RunError: If its state is missing or damaged.
    """
    numbers = ",".join(str(OUTCOMES.index(outcome)) for outcome in outcomes)
    query = f"SELECT url, outcome, reason, attempts FROM state.details WHERE outcome IN ({numbers}) ORDER BY seq"
    with _state_of(chosen) as db:
        for url, number, reason, attempts in db.execute(query):
            yield f"{printable(url)}\t{_NAMES[number]}\t{printable(reason or '')}\t{attempts}"


def slowest(chosen: Run) -> Iterator[str]:
    """A line for each of the pages that took longest: seconds, status, size as it came, URL.

    Args:
        chosen: The run; a crawl may be going on in it.

    Raises:
        RunError: If its journal is missing, or it or the state is damaged.
    """
    timed = (record for record in _records(chosen, _Timed) if record.elapsed_ms is not None)
    top = heapq.nlargest(TOP_SLOW, timed, key=lambda record: record.elapsed_ms or 0)
    yield f"{'seconds':>9}  {'status':>6}  {'size':>10}  URL"
    for record in top:
        status = "-" if record.status is None else str(record.status)
        received = "-" if record.wire_bytes is None else size(record.wire_bytes)
        yield f"{(record.elapsed_ms or 0) / 1000:>9,.3f}  {status:>6}  {received:>10}  {printable(record.url)}"


def saved(chosen: Run) -> Iterator[str]:
    """A line for each saved file: path, bytes, type, digest, URL, and why it was cut, with tabs between them.

    Args:
        chosen: The run; a crawl may be going on in it.

    Raises:
        RunError: If its journal is missing, or it or the state is damaged.
    """
    for record in _records(chosen, _Kept):
        if record.file is not None:
            cells = (record.file, str(record.bytes), record.content_type or "", record.digest or "", record.url)
            yield "\t".join(map(printable, (*cells, record.truncated or "")))


def _records(chosen: Run, kind: type[Kind]) -> Iterator[Kind]:
    """The committed records of a run, as far as `kind` has their fields."""
    decode = msgspec.json.Decoder(kind).decode
    try:
        for line in read_lines(chosen.journal, chosen.committed_length()):
            yield decode(line)
    except OSError as error:
        raise RunError(f"cannot read {chosen.journal}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RunError(f"a line of {chosen.journal} is no record; `crawler verify` tells more") from None


@contextmanager
def _state_of(chosen: Run) -> Iterator[sqlite3.Connection]:
    """The run's state as it stands now, attached to a scratch database."""
    if not chosen.state.is_file():
        raise RunError(f"{chosen.state} is missing; `crawler export` still reads the run's records")
    try:
        with closing(snapshot.scratch()) as db:
            snapshot.attach(db, chosen.state)
            yield db
    except sqlite3.DatabaseError as error:
        raise damaged(chosen.state, error) from None


# The command

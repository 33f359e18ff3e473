"""What became of the URLs of a run, as plain text: by reason and by host, or one list at a time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from crawler.log.terminal import counted, printable, size
from crawler.models import Outcome
from crawler.run.folder import Run
from crawler.store.snapshot import SqliteSnapshot

TOP_HOSTS = 20  # The table of hosts has this many rows.
TOP_SLOW = 20  # The list of slow pages has this many rows.
# Outcomes are shown in this order, which the columns of the hosts' table have too; quarantined only where there is any.
_ORDER: tuple[Outcome, ...] = ("ok", "http_error", "redirect", "failed", "quarantined", "skipped", "pending")

Reasons = Counter[tuple[str, str | None]]


class _SavedFile(Struct):
    """What the list of saved files needs of a record."""

    url: str
    content_type: str | None = None
    bytes: int | None = None
    digest: str | None = None
    truncated: str | None = None
    file: str | None = None


class _TimedPage(Struct):
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
    with SqliteSnapshot(chosen.state) as state:
        by_host: dict[str, Counter[str]] = {host: Counter() for host in state.largest_hosts(TOP_HOSTS)}
        for known in state.known():
            reasons[known.outcome, known.reason] += 1
            if known.host in by_host:
                by_host[known.host][known.outcome] += 1
        hosts = state.host_count()
    yield f"{printable(str(chosen.folder))}: {counted(reasons.total(), 'URL')}, {counted(hosts, 'host')}"
    yield from _reason_lines(reasons)
    yield from _host_lines(list(by_host.items()), hosts)


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
    with SqliteSnapshot(chosen.state) as state:
        for known in state.known(outcomes):
            yield f"{printable(known.url)}\t{known.outcome}\t{printable(known.reason or '')}\t{known.attempts}"


def slowest(chosen: Run) -> Iterator[str]:
    """A line for each of the pages that took longest: seconds, status, size as it came, URL.

    Args:
        chosen: The run; a crawl may be going on in it.

    Raises:
        RunError: If its journal is missing, or it or the state is damaged.
    """
    timed = (record for record in chosen.records(_TimedPage) if record.elapsed_ms is not None)
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
    for record in chosen.records(_SavedFile):
        if record.file is not None:
            cells = (record.file, str(record.bytes), record.content_type or "", record.digest or "", record.url)
            yield "\t".join(map(printable, (*cells, record.truncated or "")))

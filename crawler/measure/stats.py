"""The shape of stats.json: made by what measures a crawl, written into the run's folder, read by the report.

The order of the fields is the order of the keys; programs know both, so none is renamed or moved. Fields have defaults,
so that a file of an older version is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct


class StageStats(Struct, frozen=True):
    """The times of one stage of the pipeline, in seconds.

    Args:
        count: How often it was passed.
        total_s, max_s: Their sum, and the longest.
        p50_s, p90_s, p99_s: Half, 90 % and 99 % of them are no longer than this.
        buckets: Upper ends of the buckets that hold something, and how many times are in each.
    """

    count: int = 0
    total_s: float = 0.0
    max_s: float = 0.0
    p50_s: float = 0.0
    p90_s: float = 0.0
    p99_s: float = 0.0
    buckets: Sequence[tuple[float, int]] = ()


class TimelineStats(Struct, frozen=True):
    """What the counters stood at, row after row."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[float]] = ()


class Bottleneck(Struct, frozen=True):
    """The part of a crawl that all others waited for; see `crawler.measure.bottleneck.judge`.

    Args:
        bound_by: That part, one of `crawler.measure.bottleneck.Cause`.
        host: The host that it is about, None if it is about no single one.
        sentence: The same in words.
        advice: What to change and what that would give, the best first.
        shares: Shares of the time, 0 to 1, for which each part was busy: `slots`, `workers`, `main`, `writer`; and for
            which requests waited for nothing but their hosts' turn: `polite_wait`.
    """

    bound_by: str = "unknown"
    host: str | None = None
    sentence: str = ""
    advice: Sequence[str] = ()
    shares: Mapping[str, float] = {}


class HostStats(Struct, frozen=True):
    """Where the time of one host went; see `crawler.measure.host_times.HostTimes`."""

    host: str
    requests: int = 0
    pages: int = 0
    failures: int = 0
    bytes: int = 0
    fetch_s: float = 0.0
    first_byte_s: float = 0.0
    politeness_s: float = 0.0
    delay_s: float = 0.0


class ReasonStats(Struct, frozen=True):
    """How many pages have an outcome for one reason."""

    outcome: str = ""
    reason: str = ""
    count: int = 0


class OutsideStats(Struct, frozen=True):
    """Links to one host that were left out."""

    host: str
    reason: str = ""
    count: int = 0
    examples: Sequence[str] = ()


class MergedStats(Struct, frozen=True):
    """Links that a rule changed, with pairs of what they were and what they became."""

    rule: str = ""
    count: int = 0
    examples: Sequence[tuple[str, str]] = ()


class ExtractErrorStats(Struct, frozen=True):
    """Pages whose `extract_error` says the same."""

    reason: str = ""
    count: int = 0
    example: str = ""


class ExtractErrorsStats(Struct, frozen=True):
    """Pages from which something could not be extracted."""

    pages: int = 0
    reasons: Sequence[ExtractErrorStats] = ()


class TrapStats(Struct, frozen=True):
    """A crawler trap that was closed."""

    domain: str = ""
    pattern: str = ""
    pages: int = 0
    left_out: int = 0
    examples: Sequence[str] = ()


class SessionStats(Struct, frozen=True):
    """One session of a run.

    Args:
        started_at: When it began, ISO 8601.
        elapsed_s: How long it took, seconds.
        pages: Pages that it got an answer for.
        why: How it ended.
        pages_per_s: Pages a second since its first request; 0 for a session of a version that did not write it.
        wire_bytes: Bytes of all bodies, as received; likewise.
    """

    started_at: str = ""
    elapsed_s: float = 0.0
    pages: int = 0
    why: str = ""
    pages_per_s: float = 0.0
    wire_bytes: int = 0


def pages_of(outcomes: Mapping[Any, int]) -> int:
    """How many URLs are pages that have an answer: those that are ok, and HTTP errors.

    Args:
        outcomes: How many URLs have which outcome.
    """
    return outcomes.get("ok", 0) + outcomes.get("http_error", 0)


class RunTotals(Struct, frozen=True):
    """What the sessions of a run come to together.

    Args:
        sessions: How many there were.
        pages: Pages that they got an answer for.
        elapsed_s: How long they took, seconds.
        pages_per_s: Pages a second since the first request of each.
        wire_bytes: Bytes of all bodies, as received; None if a session does not say.
    """

    sessions: int
    pages: int
    elapsed_s: float
    pages_per_s: float
    wire_bytes: int | None


def totals(sessions: Sequence[SessionStats]) -> RunTotals:
    """What some sessions come to together, which terminal and report both tell.

    Args:
        sessions: Those of a whole run.
    """
    pages = sum(session.pages for session in sessions)
    # Of a session that does not say how fast it was, all of its time counts.
    spent_s = sum(each.pages / each.pages_per_s if each.pages_per_s > 0 else each.elapsed_s for each in sessions)
    is_known = all(each.wire_bytes or not each.pages for each in sessions)
    return RunTotals(
        sessions=len(sessions),
        pages=pages,
        elapsed_s=sum(session.elapsed_s for session in sessions),
        pages_per_s=pages / spent_s if spent_s > 0 else 0.0,
        wire_bytes=sum(each.wire_bytes for each in sessions) if is_known else None,
    )


class LedgerStats(Struct, frozen=True, kw_only=True):
    """What the ledger counted of a session; see `crawler.measure.ledger.Ledger`.

    Args:
        why: How the session ended (`crawler.engine.ending.Ending`); empty while it goes on.
        error: What failed, if it did.
    """

    why: str = ""
    error: str | None = None
    strategy: str = ""
    parse: str = ""
    parser: str = ""
    concurrency: int = 0
    elapsed_s: float = 0.0
    pages: int = 0
    pages_per_s: float = 0.0
    outcomes: dict[str, int] = {}
    reasons: Sequence[ReasonStats] = ()
    statuses: dict[str, int] = {}
    requests: int = 0
    retries: int = 0
    robots: int = 0
    sitemaps: int = 0
    wire_bytes: int = 0
    links: int = 0
    urls_discovered: int = 0
    fetch_s: float = 0.0
    first_byte_s: float = 0.0
    parse_cpu_s: float = 0.0
    main_cpu_s: float = 0.0
    effective_concurrency: float = 0.0
    outside: Sequence[OutsideStats] = ()
    outside_by_reason: dict[str, int] = {}
    merged: Sequence[MergedStats] = ()
    extract_errors: ExtractErrorsStats = ExtractErrorsStats()
    notes: Sequence[str] = ()
    stages: dict[str, StageStats] = {}
    timeline: TimelineStats = TimelineStats()
    verdict: Bottleneck = Bottleneck()
    hosts: Sequence[HostStats] = ()


# What the time of a crawl is put down to, by its name in `crawler.measure.occupancy.TIMES`, in words.
TIME_LABELS = {
    "politeness": "politeness",
    "servers": "waiting for servers",
    "parsing": "waiting for parsing",
    "writing": "waiting for the disk",
    "main": "main process",
}


def percentages(times: Mapping[str, float]) -> dict[str, int]:
    """The shares of some times in whole percent, which add up to 100; nothing where no time was spent.

    Args:
        times: Seconds by name.
    """
    total = sum(times.values())
    if not total > 0:
        return {}
    exact = {name: 100 * spent / total for name, spent in times.items()}
    shares = {name: int(share) for name, share in exact.items()}
    # Those that lose most by rounding down get what is missing.
    by_loss = sorted(exact, key=lambda name: shares[name] - exact[name])
    for name in by_loss[: 100 - sum(shares.values())]:
        shares[name] += 1
    return shares


def time_shares(times: Mapping[str, float]) -> list[tuple[str, int]]:
    """What the time of a crawl was put down to, in words, with its percentage; those below half a percent are left out.

    Args:
        times: Seconds by name, as in `Stats.times_s`.
    """
    return [(TIME_LABELS.get(name, name), share) for name, share in percentages(times).items() if share]


class Stats(LedgerStats, frozen=True, kw_only=True):
    """All of stats.json: the figures of the last session, and a row for each session of the run.

    Args:
        traps: The crawler traps that were closed.
        commits: How many commits it made.
        commit_cpu_s, commit_s: What they took, in CPU time and by the clock, seconds.
        sessions: Those of the whole run; rows of earlier sessions stay as they were written.
        run_pages: Pages that all sessions of the run got an answer for, those that left no figures included.
        times_s: What the time since the first request was put down to, one thing at each moment, seconds by the clock.
        limits_reached: Of how many sites or domains limits kept pages back, by the limit: `max_pages_per_site`,
            `site.max_pages` (a site's own) or `max_pages_per_domain`.
    """

    traps: Sequence[TrapStats] = ()
    commits: int = 0
    commit_cpu_s: float = 0.0
    commit_s: float = 0.0
    sessions: Sequence[SessionStats] = ()
    run_pages: int = 0
    times_s: Mapping[str, float] = {}
    limits_reached: Mapping[str, int] = {}

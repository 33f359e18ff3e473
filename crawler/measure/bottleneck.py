"""The bottleneck of a crawl, in words, and what to change: judged from where its time went, by a few rules.

A part that works all the time is what the others wait for. Where none does, the crawl waits for what kept the next
request from leaving for most of the time.
"""

from __future__ import annotations

from typing import Literal

from crawler.fetch import strategy_of
from crawler.log.terminal import counted, duration, printable, size
from crawler.measure import advice
from crawler.measure.evidence import Evidence
from crawler.measure.stats import Bottleneck

Cause = Literal["politeness", "latency", "bandwidth", "parse", "extraction", "disk", "event_loop", "supply", "unknown"]

MIN_S = 1.5  # A crawl of fewer seconds has hardly begun; its start is most of it.
MIN_REQUESTS = 3  # A crawl of fewer requests has hardly begun either.
SHOWN_S = 0.05  # A time of fewer seconds is not told.
BUSY = 0.8  # A part that works for this share of the time is what the others wait for.
# Parse workers count as busy from this share of the time, because their clocks stand still while a page travels.
WORKERS_BUSY = 0.7
# Where no request could leave for want of a part's results, or the machine is busy, a part that works or waits for a
# processor for this share of the time can be blamed; one that does not is not.
HALF = 0.5


def judge(seen: Evidence) -> Bottleneck:
    """Find the bottleneck of a crawl, and what to do about it."""
    cause = cause_of(seen)
    sentence = _processors if cause in _COMPUTING and seen.machine_busy >= advice.CORES_BUSY else _SENTENCES[cause]
    host = seen.host if cause == "politeness" else None
    shares = {name: round(share, 4) for name, share in seen.shares.items()}
    return Bottleneck(cause, host, sentence(seen), advice.for_cause(cause, seen), shares)


def cause_of(seen: Evidence) -> Cause:
    """The one part that all others wait for."""
    if seen.elapsed_s < MIN_S or seen.requests < MIN_REQUESTS or seen.is_unanswered:
        return "unknown"
    shares = seen.shares
    # What other programs compute is no matter to a crawl that neither computes nor waits for a processor.
    if seen.machine_busy >= advice.CORES_BUSY and max(seen.main_demand, seen.workers_demand) >= HALF:
        return _of_cores(seen)
    if shares["main"] >= BUSY and shares["main"] >= shares["workers"]:
        return "event_loop"
    if shares["workers"] >= WORKERS_BUSY:
        return _of_workers(seen)
    if shares["writer"] >= BUSY:
        return "disk"
    # One process of Python has the use of one core.
    is_core_full = seen.parse != "processes" and seen.crawl_cores >= advice.CORES_BUSY
    return _of_cores(seen) if is_core_full else _of_hold(seen)


def _of_cores(seen: Evidence) -> Cause:
    """Which process had most of the processors, or waited for them most."""
    return "event_loop" if seen.main_demand >= seen.workers_demand else _of_workers(seen)


def _of_hold(seen: Evidence) -> Cause:
    """What kept the next request from leaving for most of the time."""
    hold = max(seen.holds, key=lambda each: seen.holds[each])
    if hold == "turn":
        return "politeness"
    workers, writer = seen.shares["workers"], seen.shares["writer"]
    if hold == "slots":
        is_untaken = seen.waiting_s + seen.download_s + seen.unanswered_s < HALF * seen.fetching_s
        # Where most of what was in flight had its answer, nobody took it.
        return "event_loop" if is_untaken and seen.main_demand >= HALF else _of_servers(seen)
    if max(workers, writer) >= HALF:
        return _of_workers(seen) if workers >= writer else "disk"
    if hold == "hand_off":  # Memory that is full of what is being received is no fault of theirs.
        return "bandwidth"
    is_link_awaited = seen.in_flight < HALF or seen.download_s + seen.unanswered_s < HALF * seen.fetching_s
    return "supply" if is_link_awaited else _of_servers(seen)


def _of_servers(seen: Evidence) -> Cause:
    """What a request waits for while it is in flight."""
    return "bandwidth" if seen.download_s > max(seen.waiting_s, seen.unanswered_s) else "latency"


def _of_workers(seen: Evidence) -> Cause:
    return "extraction" if seen.extract_s > HALF * seen.work_s else "parse"


def _unknown(seen: Evidence) -> str:
    spent = f" in {duration(seen.elapsed_s)}" if seen.elapsed_s >= SHOWN_S else ""
    if seen.is_unanswered and seen.failed:
        much = "hardly anything" if seen.fetches > seen.server_errors else "nothing"
        most = "mostly " if seen.failed > 1 else ""
        failed = f"{seen.failed:,} of {counted(seen.requests, 'request')}{spent} failed"
        reason = printable(seen.failure, advice.MAX_NAME_CHARS)
        return f"{much} was answered with a page: {failed} ({most}{reason})"
    if seen.is_unanswered and seen.elapsed_s >= MIN_S:
        return f"nothing was answered yet: {counted(seen.requests, 'request')}{spent}"
    what = "answer" if strategy_of(seen.strategy).replays else "request"
    return f"{counted(seen.requests, what)}{spent}: too short a crawl to tell its bottleneck"


def _politeness(seen: Evidence) -> str:
    name = printable(seen.host or "the host", advice.MAX_NAME_CHARS)
    per_s = f"{seen.host_rate:,.0f}" if seen.host_rate >= 10 else f"{seen.host_rate:.2g}"
    rate = f"{name} lets {per_s} {'request' if per_s == '1' else 'requests'}/s through"
    if seen.host_share < advice.LEFT_ALONE:
        rate += ", and was left alone for most of the time"
    elif seen.host_fetch_s > seen.host_gap_s:
        rate += f", {seen.per_host} at a time that take {_short(seen.host_fetch_s)} each"
    if seen.held_hosts > 1:
        rate = f"{seen.held_hosts:,} hosts were waited for; {rate}"
    return f"bound by politeness: {rate}; {_idle(seen)}"


def _idle(seen: Evidence) -> str:
    idle = max(0, round(seen.concurrency - seen.in_flight))
    if not idle:
        return f"{seen.in_flight:.1f} of {seen.concurrency:,} slots were in use"
    return f"{idle:,} of {seen.concurrency:,} slots were idle"


def _short(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else duration(seconds)


def _latency(seen: Evidence) -> str:
    if seen.unanswered_s > seen.waiting_s + seen.download_s:
        slots = f"{seen.in_flight:.1f} of {seen.concurrency:,} slots were taken"
        return f"bound by latency: {slots}, most of them by requests that have not ended, or ended without an answer"
    each = seen.waiting_s / max(1, seen.fetches)
    return (
        f"bound by latency: an answer takes {_short(each)} to begin, and {seen.in_flight:.1f} of "
        f"{seen.concurrency:,} slots waited for one"
    )


def _bandwidth(seen: Evidence) -> str:
    rate = size(seen.bytes / seen.elapsed_s)
    share = seen.download_s / max(seen.download_s + seen.waiting_s, 0.001)
    return f"bound by bandwidth: bodies came in at {rate}/s in all and took {share:.0%} of the time of their requests"


def _parse(seen: Evidence) -> str:
    workers = "1 worker was" if seen.workers == 1 else f"{seen.workers} workers were"
    each = 1000 * seen.work_s / max(1, seen.parsed)
    return f"bound by parsing: {workers} busy {seen.shares['workers']:.0%} of the time, {each:.1f} ms a page"


def _extraction(seen: Evidence) -> str:
    each = 1000 * seen.extract_s / max(1, seen.parsed)
    share = seen.extract_s / seen.work_s
    return f"bound by extraction: it takes {each:.1f} ms a page, {share:.0%} of the workers' time"


def _disk(seen: Evidence) -> str:
    each = 1000 * seen.writer_s / max(1, seen.commits)
    return (
        f"bound by the disk: it was being written to {seen.shares['writer']:.0%} of the time, "
        f"{each:.0f} ms for each of {seen.commits:,} commits"
    )


def _event_loop(seen: Evidence) -> str:
    each = 1e6 * seen.own_cpu_s / max(1, seen.requests)
    busy = seen.shares["main"]
    text = f"bound by the main process: it was busy {busy:.0%} of the time, {each:,.0f} µs of CPU for each request"
    if seen.main_cpu < advice.HAS_CORE * busy:
        text += f"; other programs, or parsing, left it a processor for {seen.main_cpu:.0%} only"
    return text


def _processors(seen: Evidence) -> str:
    each_s = (
        f"the main process had {seen.own_cpu_s / seen.elapsed_s:.1f}, parsing {seen.parse_cpu_s / seen.elapsed_s:.1f}"
    )
    others = f", other programs {seen.other_cores:.1f}" if seen.other_cores >= advice.SHOWN_CORES else ""
    cores = "the one core" if seen.cores == 1 else f"all {seen.cores} cores"
    return f"bound by this machine's processors: {cores} were {seen.machine_busy:.0%} busy; {each_s}{others}"


def _supply(seen: Evidence) -> str:
    return (
        f"bound by supply: pages led to too few others at a time; {seen.in_flight:.1f} of {seen.concurrency:,} slots "
        "were in use on average, and nothing else was known to ask for"
    )


_COMPUTING: frozenset[Cause] = frozenset(("event_loop", "parse", "extraction"))
_SENTENCES = {
    "unknown": _unknown,
    "politeness": _politeness,
    "latency": _latency,
    "bandwidth": _bandwidth,
    "parse": _parse,
    "extraction": _extraction,
    "disk": _disk,
    "event_loop": _event_loop,
    "supply": _supply,
}

"""What to change about a crawl that is bound by something, and what that would give at most."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from crawler.report.evidence import Evidence

MAX_CONCURRENCY = 4096  # what the option takes
MAX_PER_HOST = 1024  # likewise
LONG_GAP = 1.2  # times the delay that was asked for: the host itself, or its robots.txt, has made it longer
HAS_CORE = 0.7  # share of the time for which it is busy: below it, the main process has to share its processor
LEFT_ALONE = 0.5  # share of the time: a host that gaps and answers account for less of had something else to wait for
FULL = 0.95  # share of the time that a part can be busy: the next limit of what a change can give
CURL_CPU = {"asyncio": 0.62, "threads": 0.1, "sequential": 0.1}  # of the CPU a request costs, what it costs with curl
ONLY_OWN = "only where the server is yours, or its owner agrees"


def for_cause(cause: str, seen: Evidence) -> tuple[str, ...]:
    """What to change, the best first; nothing where nothing is known to help."""
    return tuple(_ADVICE[cause](seen)) if cause in _ADVICE else ()


def gain(seen: Evidence, wanted: float, *, but: str) -> float:
    """How many times faster the crawl can become at most before another part than this one binds it.

    Args:
        seen: Where its time went.
        wanted: How much faster the part that binds it would be.
        but: That part, by its name in `Evidence.shares`.
    """
    shares = seen.shares
    others = [shares[name] for name in ("slots", "workers", "main", "writer") if name != but]
    return max(1.0, min(wanted, FULL / max(*others, 0.01)))


def _times(factor: float) -> str:
    return f"up to {factor:.1f} x"


def _politeness(seen: Evidence) -> list[str]:
    found = []
    if seen.in_flight < seen.concurrency / 2:
        hosts = ceil(max(1, seen.held_hosts) * seen.concurrency / max(seen.in_flight, 0.01))
        found.append(f"more sites in one crawl cost no time: about {min(hosts, 10_000):,} like these fill the slots")
    gap_s, fetch_s = seen.host_gap_s, seen.host_fetch_s
    if seen.host_share < LEFT_ALONE:
        found.append("hosts were left alone for longer than their gaps: crawl.log tells where requests failed")
    elif fetch_s > gap_s:
        more = min(seen.concurrency, 2 * seen.per_host)
        if more > seen.per_host:
            found.append(f"--per-host {more}: {_times(gain(seen, more / seen.per_host, but='slots'))}; {ONLY_OWN}")
    elif gap_s > LONG_GAP * seen.delay_s:
        found.append(
            f"its gap of {gap_s:.3g} s is longer than --delay {seen.delay_s:g}, because robots.txt asks for that "
            "or the server is slow"
        )
    else:
        faster = (gap_s + fetch_s) / (gap_s / 2 + fetch_s)
        found.append(f"--delay {seen.delay_s / 2:g}: {_times(gain(seen, faster, but='slots'))}; {ONLY_OWN}")
    return found


def _more_slots(seen: Evidence) -> str:
    """Twice the slots, with more for each host where all hosts together could not take them."""
    more = min(MAX_CONCURRENCY, 2 * seen.concurrency)
    factor = _times(gain(seen, more / seen.concurrency, but="slots"))
    if seen.hosts * seen.per_host >= more:
        return f"--concurrency {more}: {factor}, if the servers bear it"
    per_host = min(MAX_PER_HOST, ceil(more / max(1, seen.hosts)))
    return f"--concurrency {more} --per-host {per_host}: {factor}; {ONLY_OWN}"


def _latency(seen: Evidence) -> list[str]:
    if seen.strategy == "sequential":
        return ["--strategy asyncio: it waits for up to 64 answers at a time, if the servers bear it"]
    if seen.concurrency >= MAX_CONCURRENCY:
        return []
    found = [_more_slots(seen)]
    if seen.strategy == "threads":
        found.append("--strategy asyncio: the same wait costs less memory, so that far more requests can wait")
    return found


def _bandwidth(seen: Evidence) -> list[str]:
    found = ["where this is what the line bears, only fewer bytes help: --exclude, or a lower --max-body"]
    if seen.concurrency < MAX_CONCURRENCY:
        found.append(f"where each server is slow, {_more_slots(seen)}")
    return found


def _workers(seen: Evidence) -> str:
    if seen.parse != "processes":
        return "--parse processes: parsing then leaves this process, and takes as many cores as there are"
    more = 2 * seen.workers
    machine = "" if more < seen.cores else " on a machine with as many cores"
    return f"--parse-workers {more}{machine}: {_times(gain(seen, 2.0, but='workers'))}"


def _parse(seen: Evidence) -> list[str]:
    found = [_workers(seen)]
    if seen.parser == "bs4":
        found.insert(
            0, f"--parser lexbor: the same records for a fraction of the CPU, {_times(gain(seen, 10.0, but='workers'))}"
        )
    return found


def _extraction(seen: Evidence) -> list[str]:
    left = max(0.01, 1 - seen.extract_s / seen.work_s)
    what = "the --extract function" if seen.has_extractor else "what is extracted"
    factor = gain(seen, 1 / left, but="workers")
    return [f"make {what} faster: {_times(factor)} if it took no time at all", _workers(seen)]


def _disk(seen: Evidence) -> list[str]:
    found = [f"--run in a folder on a faster disk: {_times(gain(seen, 10.0, but='writer'))}"]
    if seen.writes_warc:
        found.append("--no-warc: then only records are written, not every body too")
    return found


def _event_loop(seen: Evidence) -> list[str]:
    found = []
    if left := CURL_CPU.get(seen.strategy):
        factor = gain(seen, 1 / left, but="main")
        found.append(f"--strategy curl, which takes less CPU for each request: {_times(factor)}")
    if seen.parse != "processes":
        found.append("--parse processes: parsing then leaves this process")
    if seen.main_cpu < HAS_CORE * seen.shares["main"]:
        found.append("a quieter machine: this process waits for a processor")
    found.append("several crawls, each with its own part of the sites, use more than one core for this")
    return found


def _supply(seen: Evidence) -> list[str]:
    return ["more seeds or sites in one crawl: whatever is known earlier can be asked for earlier"]


_ADVICE: dict[str, Callable[[Evidence], list[str]]] = {
    "politeness": _politeness,
    "latency": _latency,
    "bandwidth": _bandwidth,
    "parse": _parse,
    "extraction": _extraction,
    "disk": _disk,
    "event_loop": _event_loop,
    "supply": _supply,
}

"""What to change about a crawl that is bound by something, and what that would give at most."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import msgspec

from crawler.fetch import strategy_of
from crawler.log.terminal import printable
from crawler.measure.evidence import Evidence

MAX_NAME_CHARS = 60
MAX_CONCURRENCY = 4096  # The option --concurrency takes at most this many requests.
MAX_PER_HOST = 1024  # The option --per-host takes at most this many requests.
MANY_SITES = 1000  # An estimate of more sites than this is no figure to rely on.
SHOWN_CORES = 0.3  # Other programs that have fewer cores than this on average are not told of.
WORTH = 1.05  # What makes a crawl fewer times faster than this is not advised.
# A gap of more times the delay that was asked for was made longer by the host itself, or by its robots.txt.
LONG_GAP = 1.2
# A main process that computes for less than this share of the time for which it is busy has to share its processor.
HAS_CORE = 0.7
# A host whose gaps and answers account for less than this share of the time was waited for because of something else.
LEFT_ALONE = 0.5
HALF_CORE = 0.5  # Less than this share of a core that is left is no use to another crawl.
FULL = 0.95  # A part can be busy for this share of the time at most, which limits what a change can give.
# With curl a request costs this share of the CPU that it costs with the strategy named.
CURL_CPU = {"asyncio": 0.62, "threads": 0.1, "sequential": 0.1}
ONLY_OWN = "only where the server is yours, or its owner agrees"


def for_cause(cause: str, seen: Evidence) -> tuple[str, ...]:
    """What to change, the best first; nothing where nothing is known to help."""
    return tuple(_ADVICE[cause](seen)) if cause in _ADVICE else ()


def gain(seen: Evidence, wanted: float, *, but: str, saved_s: float = 0.0) -> float:
    """How many times faster the crawl can become at most before another part than this one binds it.

    Args:
        seen: Where its time went.
        wanted: How much faster the part that binds it would be.
        but: That part, by its name in `Evidence.shares`.
        saved_s: CPU time of the crawl that the change saves, seconds.
    """
    shares = seen.shares
    others = [shares[name] for name in ("slots", "workers", "main", "writer") if name != but]
    limits = [wanted, FULL / max(*others, 0.01)]
    saved = saved_s / seen.elapsed_s if seen.elapsed_s > 0 else 0.0
    crawl_cores = max(0.01, seen.crawl_cores - saved)
    limits.append(seen.cores / (crawl_cores + seen.other_cores))
    if seen.parse != "processes":  # One interpreter has the use of one core.
        limits.append(1 / crawl_cores)
    return max(1.0, min(limits))


def more_sites(seen: Evidence) -> str:
    """How many hosts like these one crawl can have at the pace that it has now; empty if not more than it has.

    Slots, the main process, the workers and the cores that other programs leave are what that ends at.
    """
    now = max(1, seen.held_hosts)
    slots = seen.concurrency / seen.in_flight if seen.in_flight > 0 else MANY_SITES
    busy = max(seen.shares["main"], seen.shares["workers"], 0.0 if seen.parse == "processes" else seen.crawl_cores)
    computing = FULL / busy if busy > 0 else MANY_SITES
    if seen.crawl_cores > 0:
        computing = min(computing, (FULL * seen.cores - seen.other_cores) / seen.crawl_cores)
    count = int(now * min(slots, computing))
    if count <= now:
        return ""
    many = f"about {count:,}" if count < MANY_SITES else "at least several hundred"
    end = "fill the slots" if slots <= computing else "are what this machine can compute"
    return f"more sites in one crawl cost no time: {many} like these {end}"


def _times(factor: float) -> str:
    return f"up to {factor:.1f} x"


def _politeness(seen: Evidence) -> list[str]:
    found = []
    if seen.in_flight < seen.concurrency / 2 and (more_hosts := more_sites(seen)):
        found.append(more_hosts)
    gap_s, fetch_s = seen.host_gap_s, seen.host_fetch_s
    if seen.host_share < LEFT_ALONE:
        found.append("hosts were left alone for longer than their gaps: crawl.log tells where requests failed")
    elif fetch_s > gap_s:
        more = min(seen.concurrency, 2 * seen.per_host)
        factor = gain(seen, more / seen.per_host, but="slots")
        if factor >= WORTH:
            found.append(f"--per-host {more}: {_times(factor)}; {ONLY_OWN}")
    elif gap_s > LONG_GAP * seen.delay_s:
        found.append(_long_gap(seen))
    else:
        factor = gain(seen, (gap_s + fetch_s) / (gap_s / 2 + fetch_s), but="slots")
        if factor >= WORTH:
            found.append(f"--delay {seen.delay_s / 2:g}: {_times(factor)}; {ONLY_OWN}")
    return found


def _long_gap(seen: Evidence) -> str:
    """Why a host is asked more seldom than the user would have it, and what can be done about that."""
    name = printable(seen.host or "the host", MAX_NAME_CHARS)
    longer = f"a gap of {seen.host_gap_s:.3g} s, longer than --delay {seen.delay_s:g}"
    if seen.host_gap_cause == "crawl_delay":
        return f"{name} has {longer}: its robots.txt asks for it; --max-crawl-delay skips hosts that ask for too much"
    if seen.host_gap_cause == "answer_time":
        return (
            f"{name} has {longer}: a gap is {seen.adaptive_factor:g} times the last answer, and its answers are slow; "
            f"a lower adaptive_factor in a file of settings shortens it, {ONLY_OWN}"
        )
    if seen.host_gap_cause == "slow_down":
        return f"{name} has {longer}: it answered 429 or 503, and gets its pace back with good answers; only time helps"
    return f"{name} had {longer}, for a part of the crawl: it was slow, or asked for patience; only time helps"


def _more_slots(seen: Evidence) -> str:
    """Twice the slots, with more for each host where all together could not take them; empty if it is no use."""
    more = min(MAX_CONCURRENCY, 2 * seen.concurrency)
    gained = gain(seen, more / seen.concurrency, but="slots")
    if gained < WORTH:
        return ""
    factor = _times(gained)
    if seen.hosts * seen.per_host >= more:
        return f"--concurrency {more}: {factor}, if the servers bear it"
    per_host = min(MAX_PER_HOST, ceil(more / max(1, seen.hosts)))
    return f"--concurrency {more} --per-host {per_host}: {factor}; {ONLY_OWN}"


def _latency(seen: Evidence) -> list[str]:
    if strategy_of(seen.strategy).is_one_at_a_time:
        return ["--strategy asyncio: it waits for up to 64 answers at a time, if the servers bear it"]
    if seen.concurrency >= MAX_CONCURRENCY:
        return []
    found = [more] if (more := _more_slots(seen)) else []
    if strategy_of(seen.strategy).takes_threads:
        found.append("--strategy asyncio: the same wait costs less memory, so that far more requests can wait")
    return found


def _bandwidth(seen: Evidence) -> list[str]:
    found = ["where this is what the line bears, only fewer bytes help: --exclude, or a lower --max-body"]
    if seen.concurrency < MAX_CONCURRENCY and (more := _more_slots(seen)):
        found.append(f"where each server is slow, {more}")
    return found


def _workers(seen: Evidence) -> str:
    if seen.parse != "processes":
        return "--parse processes: parsing then leaves this process, and takes as many cores as there are"
    more = 2 * seen.workers
    if more >= seen.cores:
        return (
            f"--parse-workers {more} on a machine with as many cores: {_times(gain(_larger(seen), 2.0, but='workers'))}"
        )
    factor = gain(seen, 2.0, but="workers")
    if factor < WORTH:
        return "a quieter machine, or one with more cores: all of this one are in use"
    return f"--parse-workers {more}: {_times(factor)}"


def _larger(seen: Evidence) -> Evidence:
    """The same crawl on a machine with twice the cores."""
    return msgspec.structs.replace(seen, cores=2 * seen.cores)


def _parse(seen: Evidence) -> list[str]:
    found = [_workers(seen)]
    if seen.parser == "bs4":
        factor = gain(seen, 10.0, but="workers", saved_s=0.9 * seen.parse_cpu_s)
        found.insert(0, f"--parser lexbor: the same records for a fraction of the CPU, {_times(factor)}")
    return found


def _extraction(seen: Evidence) -> list[str]:
    left = max(0.01, 1 - seen.extract_s / seen.work_s)
    what = "the --extract function" if seen.has_extractor else "what is extracted"
    factor = gain(seen, 1 / left, but="workers", saved_s=min(seen.extract_s, seen.parse_cpu_s))
    return [f"make {what} faster: {_times(factor)} if it took no time at all", _workers(seen)]


def _disk(seen: Evidence) -> list[str]:
    found = [f"--run in a folder on a faster disk: {_times(gain(seen, 10.0, but='writer'))}"]
    if seen.writes_warc:
        found.append("--no-warc: then only records are written, not every body too")
    return found


def _event_loop(seen: Evidence) -> list[str]:
    found = []
    if left := CURL_CPU.get(seen.strategy):
        factor = gain(seen, 1 / left, but="main", saved_s=(1 - left) * seen.own_cpu_s)
        found.append(f"--strategy curl, which takes less CPU for each request: {_times(factor)}")
    if seen.parse != "processes":
        found.append("--parse processes: parsing then leaves this process")
    if seen.other_cores >= SHOWN_CORES or seen.main_cpu < HAS_CORE * seen.shares["main"]:
        found.append("a quieter machine: this process waits for a processor")
    if seen.cores > seen.crawl_cores + seen.other_cores + HALF_CORE:
        found.append("several crawls, each with its own part of the sites, use more than one core for this")
    else:
        found.append("a machine with more cores: all of this one are in use")
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

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
# With this share of the machine's cores busy nobody works all the time, and what works most is the bottleneck.
CORES_BUSY = 0.85
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
    shares = seen.shares | {"slots": seen.slots_needed}
    others = [shares[name] for name in ("slots", "workers", "main", "writer") if name != but]
    limits = [wanted, FULL / max(*others, 0.01)]
    saved = saved_s / seen.elapsed_s if seen.elapsed_s > 0 else 0.0
    crawl_cores = max(0.01, seen.crawl_cores - saved)
    # Whoever computes little gets its part of a processor, however much other programs compute.
    limits.append(max(seen.cores / (crawl_cores + seen.other_cores), HALF_CORE / crawl_cores))
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
        left = max(HALF_CORE, FULL * seen.cores - seen.other_cores)
        computing = min(computing, left / seen.crawl_cores)
    count = int(now * min(slots, computing))
    if count < WORTH * now:
        return ""
    many = f"about {count:,}" if count < MANY_SITES else "at least several hundred"
    end = "fill the slots" if slots <= computing else "are what this machine can compute"
    return f"more sites in one crawl cost no time: {many} like these {end}"


def _offer(factor: float, offer: str) -> list[str]:
    """An offer with what it gives at most in the place of `{}`; none where that is not worth it.

    Every promise of the kind "up to 2.0 x" is made here, so that none is made of what gains nothing.
    """
    return [offer.format(f"up to {factor:.1f} x")] if factor >= WORTH else []


def _politeness(seen: Evidence) -> list[str]:
    found = []
    if seen.in_flight < seen.concurrency / 2 and (more_hosts := more_sites(seen)):
        found.append(more_hosts)
    gap_s, fetch_s = seen.host_gap_s, seen.host_fetch_s
    if seen.host_share < LEFT_ALONE:
        return [*found, "hosts were left alone for longer than their gaps: crawl.log tells where requests failed"]
    if fetch_s > gap_s:
        more = min(MAX_PER_HOST, seen.concurrency, 2 * seen.per_host)
        quicker = (gap_s + fetch_s) / seen.per_host / max(gap_s, (gap_s + fetch_s) / more)
        return found + _offer(gain(seen, quicker, but="slots"), f"--per-host {more}: {{}}; {ONLY_OWN}")
    if gap_s > LONG_GAP * seen.delay_s or seen.host_crawl_delay_s >= seen.delay_s:
        return [*found, _long_gap(seen)]
    # Half the delay, unless robots.txt or the time of an answer asks for more.
    lower_s = max(seen.delay_s / 2, seen.host_crawl_delay_s, min(gap_s, seen.adaptive_factor * fetch_s))
    factor = gain(seen, (gap_s + fetch_s) / (lower_s + fetch_s), but="slots")
    return found + _offer(factor, f"{_half_delay(seen)}: {{}}; {ONLY_OWN}")


def _name(seen: Evidence) -> str:
    return printable(seen.host or "the host", MAX_NAME_CHARS)


def _half_delay(seen: Evidence) -> str:
    """How half the delay of the host is asked for; braces in its name are no places to fill in."""
    half = f"{seen.delay_s / 2:g}"
    if not seen.has_site_delay:
        return f"--delay {half}"
    name = _name(seen).replace("{", "{{").replace("}", "}}")
    return f"delay={half} for {name}, in the list of sites or its [[site]] table"


def _long_gap(seen: Evidence) -> str:
    """Why a host is asked more seldom than the user would have it, and what can be done about that."""
    name, longer = _name(seen), f"a gap of {seen.host_gap_s:.3g} s"
    if seen.host_gap_s > LONG_GAP * seen.delay_s:
        asked = "its own delay of {:g} s" if seen.has_site_delay else "--delay {:g}"
        longer += f", longer than {asked.format(seen.delay_s)}"
    is_of_robots = 0 < seen.host_gap_s <= LONG_GAP * seen.host_crawl_delay_s
    if seen.host_gap_cause == "crawl_delay" or is_of_robots:
        return f"{name} has {longer}: its robots.txt asks for it; --max-crawl-delay skips hosts that ask for too much"
    if seen.host_gap_cause == "answer_time":
        return (
            f"{name} has {longer}: a gap is {seen.adaptive_factor:g} times the last answer, and its answers are slow; "
            f"a lower adaptive_factor in a file of settings shortens it, {ONLY_OWN}"
        )
    if seen.host_gap_cause == "slow_down":
        return f"{name} has {longer}: it answered 429 or 503, and gets its pace back with good answers; only time helps"
    return f"{name} had {longer}, for a part of the crawl: it was slow, or asked for patience; only time helps"


def _more_slots(seen: Evidence, what: str = "") -> list[str]:
    """Twice the slots, with more for each host where all together could not take them, if that is of any use."""
    if seen.holds["slots"] < seen.elapsed_s / 2:  # There was a free one for most of the time.
        return []
    more = min(MAX_CONCURRENCY, 2 * seen.concurrency)
    factor = gain(seen, more / seen.concurrency, but="slots")
    if seen.hosts * seen.per_host >= more:
        return _offer(factor, f"{what}--concurrency {more}: {{}}, if the servers bear it")
    per_host = min(MAX_PER_HOST, ceil(more / max(1, seen.hosts)))
    return _offer(factor, f"{what}--concurrency {more} --per-host {per_host}: {{}}; {ONLY_OWN}")


def _latency(seen: Evidence) -> list[str]:
    if strategy_of(seen.strategy).is_one_at_a_time:
        return ["--strategy asyncio: it waits for up to 64 answers at a time, if the servers bear it"]
    found = _more_slots(seen)
    if strategy_of(seen.strategy).takes_threads and seen.concurrency < MAX_CONCURRENCY:
        found.append("--strategy asyncio: the same wait costs less memory, so that far more requests can wait")
    return found


def _bandwidth(seen: Evidence) -> list[str]:
    found = ["where this is what the line bears, only fewer bytes help: --exclude, or a lower --max-body"]
    return found + _more_slots(seen, "where each server is slow, ")


def _apart(seen: Evidence, why: str) -> list[str]:
    """That pages be parsed in processes of their own, if there are cores for them."""
    free = max(HALF_CORE, min(seen.cores - seen.other_cores, seen.cores))
    own_s, parse_s = seen.own_cpu_s, seen.parse_cpu_s
    # At best the processors share all of it, and this process has one of them.
    at_best_s = max(own_s, (own_s + parse_s) / free, 0.001)
    apart = msgspec.structs.replace(seen, parse="processes", main_cpu_s=own_s, loop_s=0.0)
    factor = gain(apart, max(own_s + parse_s, seen.elapsed_s * seen.main_demand) / at_best_s, but="workers")
    return _offer(factor, f"--parse processes: {why}, {{}}")


def _workers(seen: Evidence) -> list[str]:
    if seen.parse != "processes":
        return _apart(seen, "parsing then leaves this process, and takes as many cores as there are")
    more = 2 * seen.workers
    if more >= seen.cores:
        factor = gain(_larger(seen), 2.0, but="workers")
        return _offer(factor, f"--parse-workers {more} on a machine with as many cores: {{}}")
    factor = gain(seen, 2.0, but="workers")
    if factor < WORTH and seen.machine_busy >= CORES_BUSY:
        return ["a quieter machine, or one with more cores: all of this one are in use"]
    return _offer(factor, f"--parse-workers {more}: {{}}")


def _larger(seen: Evidence) -> Evidence:
    """The same crawl on a machine with twice the cores."""
    return msgspec.structs.replace(seen, cores=2 * seen.cores)


def _parse(seen: Evidence) -> list[str]:
    found = []
    if seen.parser == "bs4":
        factor = gain(seen, 10.0, but="workers", saved_s=0.9 * seen.parse_cpu_s)
        found = _offer(factor, "--parser lexbor: the same records for a fraction of the CPU, {}")
    return found + _workers(seen)


def _extraction(seen: Evidence) -> list[str]:
    left = max(0.01, 1 - seen.extract_s / seen.work_s)
    what = "the --extract function" if seen.has_extractor else "what is extracted"
    factor = gain(seen, 1 / left, but="workers", saved_s=min(seen.extract_s, seen.parse_cpu_s))
    return _offer(factor, f"make {what} faster: {{}} if it took no time at all") + _workers(seen)


def _disk(seen: Evidence) -> list[str]:
    factor = gain(seen, 10.0, but="writer")
    found = _offer(factor, "--run in a folder on a faster disk: {}")
    if found and seen.writes_warc:
        found.append("--no-warc: then only records are written, not every body too")
    return found


def _event_loop(seen: Evidence) -> list[str]:
    found = []
    if left := CURL_CPU.get(seen.strategy):
        factor = gain(seen, 1 / left, but="main", saved_s=(1 - left) * seen.own_cpu_s)
        found = _offer(factor, "--strategy curl, which takes less CPU for each request: {}")
    if seen.parse != "processes":
        found += _apart(seen, "parsing then leaves this process")
    is_crowded = seen.machine_busy >= CORES_BUSY and seen.other_cores >= SHOWN_CORES
    if is_crowded or seen.main_cpu < HAS_CORE * seen.main_demand:
        found.append("a quieter machine: this process waits for a processor")
    if seen.cores > seen.crawl_cores + seen.other_cores + HALF_CORE:
        found.append("several crawls, each with its own part of the sites, use more than one core for this")
    elif seen.machine_busy >= CORES_BUSY:
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

"""The one command line to use, reckoned from what a page costs each way and how long its answer takes.

A short crawl is mostly start, so what was measured is put apart into what a crawl costs once and what each page costs;
the advice is for a long one.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from math import ceil, floor, log10

from crawler.bench.compare.figures import Advice, Alone, CompareConditions, Own, Row, Way, alone_of, row_of
from crawler.bench.samples import US
from crawler.fetch import strategy_of

MOST_THREADS = 64  # A strategy that takes a thread for each request can sensibly have this many requests under way.
MOST_SLOTS = 1024  # Other strategies can have this many.
SPARE = 1.25  # The advice is so many times the slots that would just do.
# What is preferred is taken if it reaches this share of the fastest, because reckoned figures are not known better.
AS_GOOD = 0.85
WORTH = 1.05  # What makes a crawl fewer times faster than this is not advised.
LEAST_COST_S = 1e-5  # A page costs at least so many seconds; less is a fault of measuring.
SLOTS_STEP = 16
# The defaults first; processes before all else, because a page that hangs or swells cannot harm the crawl there.
PREFERRED = (("asyncio", "processes"), ("curl", "processes"), ("threads", "processes"), ("asyncio", "inline"))


def give(
    about: CompareConditions,
    own: Own | None,
    rows: Sequence[Row],
    alone: Sequence[Alone],
    given: Sequence[str] = ("--sites", "FILE"),
) -> Advice:
    """What to do on this machine with such pages.

    Args:
        about: What was compared, where and how.
        own: What was found out about the user's own sites; None where the lab alone was crawled.
        rows: Whole crawls.
        alone: The parse stage.
        given: How the sites are named on the command line.
    """
    latency_s = (about.latency_ms if own is None else own.latency_ms) / 1000
    ways = [_way(about, row, latency_s, _worker_s(alone)) for row in rows]
    ways.sort(key=lambda way: way.pages_per_s, reverse=True)
    polite = own.polite_per_s if own is not None else None
    enough = AS_GOOD * ways[0].pages_per_s if polite is None else min(polite, AS_GOOD * ways[0].pages_per_s)
    best = _choice(ways, enough)
    command = ["crawler", "crawl", *given, "--strategy", best.strategy, "--parse", best.parse]
    if own is not None and polite is not None and polite <= best.pages_per_s:
        return Advice(shlex.join(command), _polite(own, best, ways, polite), ways)
    usual = strategy_of(best.strategy).concurrency
    slots = best.slots if best.pages_per_s * latency_s >= WORTH * usual else min(usual, best.slots)
    if slots > usual:
        command += ["--concurrency", str(slots)]
    return Advice(shlex.join(command), _fast(best, ways, latency_s, slots) + _start(best, rows, ways, alone), ways)


def _worker_s(alone: Sequence[Alone]) -> float:
    """CPU time of a page in its worker, seconds."""
    apart = alone_of(alone, "lexbor", "processes")
    return (apart.worker_us or 0.0) / US if apart is not None else 0.0


def _way(about: CompareConditions, row: Row, latency_s: float, worker_s: float) -> Way:
    """What a long crawl in the way of a row comes to."""
    starts = about.start_cpu_s.get(row.strategy, {})
    start_s = starts.get("processes" if row.parse == "processes" else "inline", 0.0)
    main_s = max(LEAST_COST_S, (row.main_s.median - start_s) / max(1, row.pages - 1))
    traits = strategy_of(row.strategy)
    most = 1 if traits.is_one_at_a_time else MOST_THREADS if traits.takes_threads else MOST_SLOTS
    if most == 1:
        return Way(row.strategy, row.parse, 1 / (latency_s + main_s), 1)
    per_s = 1 / main_s
    if row.parse == "processes":
        per_s = min(per_s, about.cores / (main_s + worker_s))
    if latency_s:
        per_s = min(per_s, most / latency_s)
    needed = ceil(SPARE * per_s * latency_s / SLOTS_STEP) * SLOTS_STEP
    return Way(row.strategy, row.parse, per_s, max(SLOTS_STEP, min(most, needed)))


def _choice(ways: Sequence[Way], enough: float) -> Way:
    """What is preferred of the ways that are fast enough."""
    for strategy, parse in PREFERRED:
        for way in ways:
            if (way.strategy, way.parse) == (strategy, parse) and way.pages_per_s >= enough:
                return way
    return ways[0]


def _fast(best: Way, ways: Sequence[Way], latency_s: float, slots: int) -> str:
    others = [way for way in _best_of_each(ways) if way.strategy != best.strategy]
    shown = ", ".join(f"{way.strategy} × {way.parse} {_about(way.pages_per_s)}" for way in others)
    rate = f"about {_about(best.pages_per_s)} pages/s" + (f" ({shown})" if shown else "")
    said = f"In a long crawl of such pages {best.strategy} × {best.parse} comes to {rate}."
    if latency_s:
        said += f" At {latency_s * 1000:.0f} ms an answer that takes {slots} requests under way, on as many hosts:"
        said += " politely it is one request at a time to each."
    return said


def _polite(own: Own, best: Way, ways: Sequence[Way], polite: float) -> str:
    sites = "1 site allows" if own.sites == 1 else f"{own.sites:,} sites allow"
    needed = ceil(own.sites * best.pages_per_s / polite)
    plain = next((way for way in ways if strategy_of(way.strategy).is_one_at_a_time), None)
    more = f"; more sites would, up to about {_about(needed)}" if best.pages_per_s >= WORTH * polite else ""
    said = (
        f"Politeness binds: your {sites} {polite:.2g} pages/s together, and this machine could do about "
        f"{_about(best.pages_per_s)}. No strategy makes that faster{more}."
    )
    if plain is not None and plain.pages_per_s < polite:
        said += f" One by one is too slow even so ({plain.pages_per_s:.2g} pages/s)."
    return said


def _start(best: Way, rows: Sequence[Row], ways: Sequence[Way], alone: Sequence[Alone]) -> str:
    """When parsing inline is sooner done, where processes are the advice."""
    inline = next((way for way in ways if way.strategy == best.strategy and way.parse == "inline"), None)
    apart = alone_of(alone, "lexbor", "processes")
    if best.parse != "processes" or inline is None or apart is None or apart.ready_s is None:
        return ""
    if row_of(rows, best.strategy, "inline") is None or inline.pages_per_s >= AS_GOOD * best.pages_per_s:
        return " Parsing apart costs little here and keeps a page that hangs or swells from harming the crawl."
    pages = apart.ready_s.median / (1 / inline.pages_per_s - 1 / best.pages_per_s)
    return (
        f" In a crawl below about {_about(pages)} pages --parse inline is sooner done ({_about(inline.pages_per_s)} "
        f"pages/s): the workers take {apart.ready_s.median:.1f} s to start."
    )


def _best_of_each(ways: Sequence[Way]) -> list[Way]:
    """The fastest way of each strategy."""
    return list({way.strategy: way for way in reversed(ways)}.values())


def _about(value: float) -> str:
    """A figure with two digits that count: what is reckoned is not known better."""
    if value <= 0:
        return "0"
    digits = 1 - floor(log10(value))
    return f"{round(value, digits):,.{max(0, digits)}f}"

"""The comparison as tables for people, and as one JSON object for programs."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from crawler.settings.groups import cores
from tests.bench.peers.comparison import FIELDS, Comparison
from tests.bench.peers.runs import OURS, Run

SHOWN_URLS = 3


def print_setting(what: str, runs: Iterable[Run]) -> None:
    """Print what was crawled, on what, and by which versions."""
    about = machine()
    print(f"{what}; one host, 32 requests in flight, no delay, robots.txt obeyed")
    print(f"{about['cores']} cores, {about['cpu']}, Python {about['python']}")
    for run in runs:
        print(f"{run.crawler}: {', '.join(f'{package} {number}' for package, number in run.versions.items())}")
    print()


def print_rates(rounds: list[dict[str, Run]]) -> None:
    """Print what each crawler reached: medians, and the smallest and largest of all rounds."""
    names = list(rounds[0])
    own = [name for name in names if name in OURS]
    print(
        f"{'':14}{'pages a second':>24}{'CPU, ms a page':>24}{'pages':>8}{'requests':>10}{'repeated':>10}"
        + "".join(f"{f'{name} ÷ this':>16}" for name in own)
    )
    for name in names:
        runs = [each[name] for each in rounds]
        print(
            f"{name:14}{_spread(runs, lambda run: run.pages_per_s, 0):>24}"
            f"{_spread(runs, lambda run: run.cpu_ms_per_page, 2):>24}"
            f"{_range(run.pages for run in runs):>8}{_range(run.requests for run in runs):>10}"
            f"{_range(run.repeated for run in runs):>10}"
            + "".join(f"{ratio(rounds, mine, name):16.1f}" for mine in own)
        )
    print(
        "\nPages a second: median (smallest–largest) from the first request to the last record, without start-up."
        "\nCPU: of all of a crawler's processes, start-up included. Ratios: median of those of each round."
    )


def print_comparison(ours: str, theirs: str, found: Comparison) -> None:
    """Print how much of what a peer recorded is what we did."""
    print(
        f"\n{theirs} and {ours}: {found.shared} pages in both, {len(found.missing)} only in {ours}, "
        f"{len(found.extra)} only in {theirs}, {found.repeated} recorded again"
    )
    for what, listed in (("only in " + ours, found.missing), ("only in " + theirs, found.extra)):
        for url in listed[:SHOWN_URLS]:
            print(f"  {what}: {url}")
    for name in FIELDS:
        share = found.equal[name] / found.shared * 100 if found.shared else 0.0
        print(f"  {name:12} equal on {share:6.2f} %")
        for each in found.examples[name]:
            print(f"    {each.url}\n      {ours}: {each.ours}\n      {theirs}: {each.theirs}")


def ratio(rounds: list[dict[str, Run]], ours: str, theirs: str) -> float:
    """How many times as fast we were: the median of the rounds' ratios."""
    return statistics.median(each[ours].pages_per_s / each[theirs].pages_per_s for each in rounds)


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    return {"cores": cores(), "cpu": _cpu_model(), "python": platform.python_version()}


def as_json(what: str, rounds: list[dict[str, Run]], found: dict[tuple[str, str], Comparison]) -> dict[str, Any]:
    """Everything that was found, for a program."""
    own = [name for name in rounds[0] if name in OURS]
    return {
        "crawled": what,
        "machine": machine(),
        "rounds": [
            [msgspec.to_builtins(run) | {"pages_per_s": run.pages_per_s} for run in each.values()] for each in rounds
        ],
        "ratios": {ours: {name: ratio(rounds, ours, name) for name in rounds[0]} for ours in own},
        "comparisons": [
            {"ours": ours, "theirs": theirs} | msgspec.to_builtins(each) for (ours, theirs), each in found.items()
        ],
    }


def _spread(runs: list[Run], figure: Callable[[Run], float], digits: int) -> str:
    values = [figure(run) for run in runs]
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def _range(values: Iterable[int]) -> str:
    distinct = sorted(set(values))
    return str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]}–{distinct[-1]}"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())

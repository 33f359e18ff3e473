"""The same crawl by other crawlers and by ours: `python -m tests.bench.peers`; README.md says what is the same.

The peers are installed into `.bench-peers/` the first time. Rounds alternate between the crawlers; each crawl is a
process of its own. The records of the last round are compared page by page with ours.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.bench.peers import report
from tests.bench.peers.comparison import Comparison, PageFields, compare
from tests.bench.peers.installation import ROOT, peers_python
from tests.bench.peers.pages import PAGE_BYTES, PAGES, repeated, serve
from tests.bench.peers.runs import OURS, PEERS, Run, available, crawl


def main() -> None:
    """Crawl and print."""
    arguments = _arguments()
    python = peers_python() if any(name in PEERS for name in arguments.peers) else None
    rounds: list[dict[str, Run]] = []
    last: dict[str, list[PageFields]] = {}
    with repeated(arguments.pages, arguments.copies) as pages, serve(pages, arguments.limit) as lab:
        for number in range(1, arguments.rounds + 1):
            rounds.append({})
            for name in arguments.peers:
                with tempfile.TemporaryDirectory(dir=ROOT / "data") as folder:
                    run, last[name] = crawl(name, lab, Path(folder), python)
                rounds[-1][name] = run
                print(f"round {number}: {name} {run.pages_per_s:,.0f} pages/s", file=sys.stderr, flush=True)
    found = comparisons(last)
    what = str(arguments.pages or f"the lab's site, {arguments.limit or PAGES:,} pages of {PAGE_BYTES // 1000} KB")
    if arguments.copies > 1:
        what += f", {arguments.copies} copies"
    if arguments.limit:
        what += ", cut short"
    if arguments.json:
        print(json.dumps(report.as_json(what, rounds, found)))
        return
    report.print_setting(what, rounds[-1].values())
    report.print_rates(rounds)
    for (ours, theirs), each in found.items():
        report.print_comparison(ours, theirs, each)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, metavar="DIR", help="a folder of HTML with an index.html")
    parser.add_argument("--copies", type=_positive, default=1, metavar="N", help="the folder so many times (1)")
    parser.add_argument("--limit", type=_positive, metavar="N", help="only this many pages, to try it out")
    parser.add_argument("--rounds", type=_positive, default=5, metavar="N", help="crawls by each crawler (5)")
    names = ", ".join([*PEERS, *OURS])
    parser.add_argument("--peers", type=_names, default=available(), metavar="A,B", help=f"crawlers: {names}")
    parser.add_argument("--json", action="store_true", help="everything as one JSON object on standard output")
    return parser.parse_args()


def comparisons(pages: dict[str, list[PageFields]]) -> dict[tuple[str, str], Comparison]:
    """Our first crawler against every other one, by both names."""
    ours = next((name for name in pages if name in OURS), None)
    if ours is None:
        return {}
    return {(ours, name): compare(pages[ours], theirs) for name, theirs in pages.items() if name != ours}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - PEERS.keys() - OURS.keys():
        raise argparse.ArgumentTypeError(f"no crawler is called {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    main()

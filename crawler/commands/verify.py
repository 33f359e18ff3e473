"""The command `crawler verify`: checks a run, and makes a damaged state anew."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from crawler.commands.exit import Exit
from crawler.log.terminal import counted
from crawler.run import folder as runs
from crawler.run.repair import repair
from crawler.run.verify import Verification, examine
from crawler.store.base import STATE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `crawler verify`."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run's folder [the newest under data/]")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="if the run's state is damaged or missing, make it anew of its records, and keep the damaged one",
    )


def run(arguments: argparse.Namespace) -> int:
    """`crawler verify`."""
    folder = runs.find(arguments.run).folder
    findings = examine(folder)
    _tell(folder, findings)
    if findings.faults and arguments.repair:
        _repair(folder)
        findings = examine(folder)
        _tell(folder, findings)
    elif any(sentence.startswith(STATE) for sentence in findings.faults):
        sys.stdout.write(f"If it is the state: crawler verify {folder} --repair makes it anew of the records.\n")
    return Exit.NOTHING if findings.faults else Exit.OK


def _tell(folder: Path, findings: Verification) -> None:
    what = f"{folder}: {counted(findings.records, 'record')}, {counted(findings.urls, 'URL')}"
    for sentence in findings.faults:
        sys.stdout.write(sentence + "\n")
    sys.stdout.write(f"{what}, {'all good' if not findings.faults else 'not as promised'}\n")


def _repair(folder: Path) -> None:
    done = repair(folder)
    what = f"{counted(done.records, 'record')}, {counted(done.pending, 'URL')} still to be fetched"
    sys.stdout.write(f"The state was made anew: {what}.\n")
    if done.kept is not None:
        sys.stdout.write(f"The damaged one is kept as {done.kept}.\n")
    if done.lost:
        names = f"{counted(done.lost, 'URL')} that the damaged state knew by nothing but a fingerprint"
        sys.stdout.write(f"{names} will be found again where sitemaps or pages lead there.\n")

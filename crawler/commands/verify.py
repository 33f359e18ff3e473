"""The command `crawler verify`: checks a run."""

from __future__ import annotations

import argparse
import sys

from crawler.commands.exit import Exit
from crawler.log.terminal import counted
from crawler.run import folder as runs
from crawler.run.verify import examine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `crawler verify`."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run's folder [the newest under data/]")


def run(arguments: argparse.Namespace) -> int:
    """`crawler verify`."""
    folder = runs.find(arguments.run).folder
    findings = examine(folder)
    what = f"{folder}: {counted(findings.records, 'record')}, {counted(findings.urls, 'URL')}"
    for sentence in findings.faults:
        sys.stdout.write(sentence + "\n")
    sys.stdout.write(f"{what}, {'all good' if not findings.faults else 'not as promised'}\n")
    return Exit.NOTHING if findings.faults else Exit.OK

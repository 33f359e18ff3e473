"""The command `crawler report`: a run as one HTML file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from crawler.commands.exit import Exit
from crawler.errors import UsageError
from crawler.report.page import write
from crawler.run.folder import find

SUFFIXES = (".html", ".htm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `crawler report`."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run's folder [the newest under data/]")
    parser.add_argument("-o", "--output", metavar="FILE", help="the file, .html [report.html in the run's folder]")


def run(arguments: argparse.Namespace) -> int:
    """`crawler report`."""
    path = Path(arguments.output) if arguments.output else None
    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a report is a file that ends in .html")
    chosen = find(arguments.run)
    sys.stdout.write(f"{write(chosen, path)}\n")
    return Exit.OK

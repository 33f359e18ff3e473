"""The command `crawler show`: what became of a run's URLs."""

from __future__ import annotations

import argparse
import sys

from crawler.commands.exit import Exit
from crawler.log.terminal import printable
from crawler.report.duplicates import duplicates
from crawler.report.show import TOP_SLOW, listed, overview, saved, slowest
from crawler.run.folder import find


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `crawler show`."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run's folder [the newest under data/]")
    # What argparse makes of the group is one long line.
    parser.usage = (
        "%(prog)s [-h] [--failed | --skipped | --pending | --slow | --files |\n" + " " * 20 + "--duplicates] [RUN]"
    )
    lists = parser.add_mutually_exclusive_group()
    columns = "URL, outcome, reason and attempts with tabs between them"
    lists.add_argument("--failed", action="store_true", help=f"list what failed or is an HTTP error: {columns}")
    lists.add_argument("--skipped", action="store_true", help="list what was never asked for and why, likewise")
    lists.add_argument("--pending", action="store_true", help="list what is still to be fetched, likewise")
    lists.add_argument("--slow", action="store_true", help=f"the {TOP_SLOW} pages that took longest")
    lists.add_argument(
        "--files",
        action="store_true",
        help="list the saved files: path in the run's folder, bytes, type, digest, URL, and why it was cut,"
        " with tabs between them",
    )
    lists.add_argument(
        "--duplicates",
        action="store_true",
        help="list pages with the same content and, if the crawl had --simhash, with nearly the same text: "
        "same or alike, number of the group, and URL with tabs between them",
    )


def run(arguments: argparse.Namespace) -> int:
    """`crawler show`."""
    chosen = find(arguments.run)
    none = ""
    if arguments.failed:
        lines, none = listed(chosen, ("failed", "quarantined", "http_error")), "no URL failed"
    elif arguments.skipped:
        lines, none = listed(chosen, ("skipped",)), "no URL was skipped"
    elif arguments.pending:
        lines, none = listed(chosen, ("pending",)), "no URL is pending"
    elif arguments.files:
        lines, none = saved(chosen), "no file was saved"
    elif arguments.duplicates:
        lines, none = duplicates(chosen), "no two pages have the same content"
    else:
        lines = slowest(chosen) if arguments.slow else overview(chosen)
    count = 0
    for line in lines:
        sys.stdout.write(line + "\n")
        count += 1
    if not count:  # on the other stream, so that a list of nothing stays one for programs
        sys.stderr.write(f"{printable(str(chosen.folder))}: {none}\n")
    return Exit.OK

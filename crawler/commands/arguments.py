"""The command-line arguments of the commands that crawl, fetch and export."""

from __future__ import annotations

import argparse

from crawler.fetch import STRATEGIES
from crawler.settings.options import add_settings

_CHOICES = {"--strategy": tuple(STRATEGIES)}
_FETCH_GROUPS = ("fetch", "politeness", "parse")  # `crawler fetch` takes the options of these groups.


def crawl_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="where to start; https is taken if the scheme is missing"
    )
    parser.add_argument(
        "--sites",
        action="append",
        default=[],
        metavar="FILE",
        help="a list of seeds, one a line; max_pages=N, delay=SECONDS and depth=N behind a seed win over what is given "
        "for all; - for standard input",
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file of settings; config/default.toml has them all")
    parser.add_argument(
        "--retry-failed",
        metavar="RUN",
        help="a new run of just the pages that failed in this one, with its settings",
    )
    _add_output_options(parser)
    add_settings(parser, choices=_CHOICES)


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")
    loudness.add_argument("-v", "--verbose", action="store_true", help="show the log, with what is routine in it")
    parser.add_argument("--json", action="store_true", help="the final figures as one JSON object on standard output")


def resume_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="the run's folder; the newest one under data/ if not given"
    )
    _add_output_options(parser)
    add_settings(parser, shows_defaults=False, without=("--run",), choices=_CHOICES)
    parser.epilog = "What is not given stays as the run was started; what is given counts for this session."


def reparse_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parent", metavar="RUN", help="the run whose answers are parsed; crawled with --warc")
    parser.add_argument("--config", metavar="FILE", help="a TOML file, of which the tables parse and extract count")
    _add_output_options(parser)
    without = ("--warc", "--files", "--save-html", "--max-file", "--min-free")
    add_settings(parser, ("parse", "output"), shows_defaults=False, without=without)
    parser.epilog = "What is not given is as the run was started. Ctrl-C stops; crawler resume goes on."


def fetch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the page")
    parser.add_argument("--config", metavar="FILE", help="a TOML file of settings")
    parser.add_argument(
        "--no-fail",
        action="store_true",
        help="exit with status 0 for an HTTP error as well, not only for a page",
    )
    parser.add_argument(
        "--robots",
        dest="crawl.robots",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="obey robots.txt [on]",
    )
    add_settings(parser, _FETCH_GROUPS, choices=_CHOICES)


def export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run's folder")
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="what to write; the suffix is the format: .jsonl or .csv (also .gz, .zst), .parquet, .sqlite or .db;"
        " - for JSON lines on standard output",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="OUTCOME",
        help="only records with this outcome: ok, http_error, … (repeatable: any of them)",
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FILTER",
        help="only records for which this expression of SQLite holds, as in"
        " 'status >= 400 and url ~ /blog/ and not error'; text stands in single quotes (repeatable: all of them)",
    )
    parser.add_argument("--fields", metavar="A,B,C", help="only these fields, in this order; og.title is a part of one")
    parser.add_argument(
        "--spreadsheet-safe",
        action="store_true",
        help="in CSV, put an apostrophe before text that would be taken for a formula",
    )

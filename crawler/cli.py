"""The command line: arguments → settings, outcome → exit status. What a command does is elsewhere."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from importlib import import_module
from itertools import zip_longest
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from msgspec import Meta

from crawler import __version__
from crawler.errors import CrawlerError, RunError, UsageError
from crawler.log.terminal import printable
from crawler.settings.groups import GROUPS, Settings

_SHORT = {"--header": "-H", "--output": "-o"}
_METAVARS = {
    "--run": "DIR",
    "--replay": "PATH",
    "--output": "FILE",
    "--proxy": "URL",
    "--include": "REGEX",
    "--exclude": "REGEX",
    "--header": "FIELD",
    "--allow-private": "NETWORK",
    "--resolve": "NAME:ADDR",
    "--max-body": "BYTES",
    "--drop-param": "NAME",
    "--dashboard": "PORT",
    "--dashboard-host": "ADDRESS",
}
_FETCH_GROUPS = ("fetch", "politeness", "parse")  # of which `crawler fetch` takes the options


class Exit(IntEnum):
    """Exit statuses."""

    OK = 0  # the crawl finished, or a limit that the user set was reached
    NOTHING = 1  # no seed could be fetched, or a check found a fault
    USAGE = 2  # wrong usage or settings
    STOPPED = 3  # stopped early, and resumable
    INTERRUPTED = 130  # by Ctrl-C, and there is nothing to go on with


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise the complaint instead of leaving the process."""
        if message.startswith("unrecognized arguments: "):
            message = self._stranger(message.removeprefix("unrecognized arguments: ").split()[0])
        raise UsageError(f"{message} (see {self.prog} --help)")

    def _stranger(self, given: str) -> str:
        """What is wrong with an argument that nothing takes."""
        if not given.startswith("-"):
            takes = " ".join(str(each.metavar or each.dest) for each in self._actions if not each.option_strings)
            return f"{given} is one too many: {self.prog} takes {takes or 'only options'}"
        known = [flag for action in self._actions for flag in action.option_strings]
        close = difflib.get_close_matches(given.partition("=")[0], known, n=1)
        return f"there is no option {given}" + (f"; did you mean {close[0]}?" if close else "")

    def complete(self, arguments: Sequence[str]) -> list[str]:
        """Put in the number that an option was given without, so that it does not take the URL behind it for one."""
        numbers = [each for each in self._actions if each.nargs == "?" and str(each.const).isdigit()]
        bare = {flag: action.const for action in numbers for flag in action.option_strings}
        whole: list[str] = []
        for given, following in zip_longest(arguments, arguments[1:], fillvalue=""):
            is_bare = given in bare and not re.fullmatch(r"-?[0-9]+", following)
            whole.append(f"{given}={bare[given]}" if is_bare else given)
        return whole


def add_settings(
    parser: argparse.ArgumentParser,
    groups: Sequence[str] = GROUPS,
    *,
    shows_defaults: bool = True,
    without: Sequence[str] = (),
) -> None:
    """Add an option for every setting that has a flag."""
    for group in groups:
        kind = type(getattr(Settings(), group))
        section = parser.add_argument_group(f"{group} options", kind.__doc__)
        for name, hint in get_type_hints(kind, include_extras=True).items():
            meta: Meta = hint.__metadata__[0]
            flag = (meta.extra or {})["flag"]
            if flag is None or flag in without:
                continue
            flags = [_SHORT[flag], flag] if flag in _SHORT else [flag]
            default = getattr(getattr(Settings(), group), name) if shows_defaults else ""
            arguments = _argument(get_args(hint)[0], default, meta.description or "", _METAVARS.get(flag))
            if (bare := (meta.extra or {})["bare"]) is not None:
                arguments |= {"nargs": "?", "const": bare}
            section.add_argument(*flags, dest=f"{group}.{name}", default=None, **arguments)


def _argument(kind: Any, default: Any, help_text: str, metavar: str | None) -> dict[str, Any]:
    shown = "" if default in ("", ()) else f" [{_plain(default)}]"
    arguments: dict[str, Any] = {"help": (help_text + shown).replace("%", "%%")}
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction, **arguments}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind), **arguments}
    metavar = metavar or {int: "N", float: "SECONDS"}.get(kind, "TEXT")
    if get_origin(kind) is tuple:
        arguments["action"] = "append"
    return {"metavar": metavar, **arguments}


def _plain(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


def overrides(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The settings that were given on the command line, by group and key."""
    tables: dict[str, dict[str, Any]] = {}
    for name, value in vars(arguments).items():
        group, dot, key = name.partition(".")
        if dot and value is not None:
            tables.setdefault(group, {})[key] = value
    return tables


def _crawl_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="where to start; https is taken if the scheme is missing"
    )
    parser.add_argument(
        "--sites", action="append", default=[], metavar="FILE", help="a list of seeds, one a line; - for standard input"
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file of settings; config/default.toml has them all")
    parser.add_argument(
        "--retry-failed",
        metavar="RUN",
        help="a new run of just the pages that failed in this one, with its settings",
    )
    _add_output_options(parser)
    add_settings(parser)


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")
    loudness.add_argument("-v", "--verbose", action="store_true", help="show the log, with what is routine in it")
    parser.add_argument("--json", action="store_true", help="the final figures as one JSON object on standard output")


def _resume_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="the run's folder; the newest one under data/ if not given"
    )
    _add_output_options(parser)
    add_settings(parser, shows_defaults=False, without=("--run",))
    parser.epilog = "What is not given stays as the run was started; what is given counts for this session."


def _reparse_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parent", metavar="RUN", help="the run whose answers are parsed; crawled with --warc")
    parser.add_argument("--config", metavar="FILE", help="a TOML file, of which the tables parse and extract count")
    _add_output_options(parser)
    without = ("--warc", "--files", "--save-html", "--max-file", "--min-free")
    add_settings(parser, ("parse", "output"), shows_defaults=False, without=without)
    parser.epilog = "What is not given is as the run was started. Ctrl-C stops; crawler resume goes on."


def _fetch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the page")
    parser.add_argument("--config", metavar="FILE", help="a TOML file of settings")
    parser.add_argument(
        "--robots",
        dest="crawl.robots",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="obey robots.txt [on]",
    )
    add_settings(parser, _FETCH_GROUPS)


def _export_arguments(parser: argparse.ArgumentParser) -> None:
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
        help="only records for which this holds, as in 'status >= 400 and url ~ /blog/ and not error'"
        " (repeatable: all of them)",
    )
    parser.add_argument("--fields", metavar="A,B,C", help="only these fields, in this order")
    parser.add_argument(
        "--spreadsheet-safe",
        action="store_true",
        help="in CSV, put an apostrophe before text that would be taken for a formula",
    )


def _arguments_of(module: str) -> Callable[[argparse.ArgumentParser], None]:
    """The arguments that a command's own module adds, imported only when that command is asked for."""
    return lambda parser: import_module(module).add_arguments(parser)


# name → (what it does, its arguments, the function that does it as module:name)
COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], str]] = {
    "crawl": ("crawl sites and keep their pages as records", _crawl_arguments, "crawler.commands.crawl:crawl"),
    "resume": ("go on with a run after any stop", _resume_arguments, "crawler.commands.crawl:resume"),
    "reparse": (
        "parse the answers that a run has kept again, without a request",
        _reparse_arguments,
        "crawler.commands.crawl:reparse",
    ),
    "verify": (
        "check a run: no URL twice, none lost, every checksum",
        _arguments_of("crawler.run.verify"),
        "crawler.run.verify:run",
    ),
    "show": ("what became of a run's URLs, and why", _arguments_of("crawler.report.show"), "crawler.report.show:run"),
    "report": (
        "a run as one HTML file, with pictures",
        _arguments_of("crawler.report.page"),
        "crawler.report.page:run",
    ),
    "fetch": ("one URL through the whole line; prints its record", _fetch_arguments, "crawler.commands.crawl:fetch"),
    "export": ("make files of a run's records", _export_arguments, "crawler.commands.crawl:export"),
    "compare": (
        "all strategies and parse modes on the same pages, and which to use",
        _arguments_of("crawler.bench.compare.command"),
        "crawler.bench.compare.command:run",
    ),
    "bench": (
        "measure the crawler, and the limit of this machine",
        _arguments_of("crawler.bench.command"),
        "crawler.bench.command:run",
    ),
    "lab": (
        "serve a made-up web on this machine, to try things on",
        _arguments_of("crawler.lab.__main__"),
        "crawler.lab.__main__:run",
    ),
}
_WIDTH = max(len(name) for name in COMMANDS)
_USAGE = """usage: crawler COMMAND [ARGUMENTS]

{commands}

`crawler COMMAND --help` explains one; `crawler --version` names the version.
"""


def _overview() -> str:
    return _USAGE.format(commands="\n".join(f"  {name:{_WIDTH}}  {text[0]}" for name, text in COMMANDS.items()))


def program(arguments: Sequence[str], on_loaded: Callable[[], None] = lambda: None) -> int:
    """Run one command.

    Args:
        arguments: What stands behind `crawler`.
        on_loaded: Called when all is imported and the command is about to begin.

    Raises:
        CrawlerError: With a sentence for the user.
    """
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_overview())
        return Exit.OK if arguments else Exit.USAGE
    if arguments[0] in ("-V", "--version"):
        sys.stdout.write(f"crawler {__version__}\n")
        return Exit.OK
    command = arguments[0]
    if command not in COMMANDS:
        close = difflib.get_close_matches(command, COMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the commands are {', '.join(COMMANDS)}"
        raise UsageError(f"there is no command {command!r}; {hint}")
    description, add_arguments, target = COMMANDS[command]
    parser = Parser(prog=f"crawler {command}", description=description, allow_abbrev=False)
    add_arguments(parser)
    parsed = parser.parse_intermixed_args(parser.complete(arguments[1:]))
    module, _, function = target.partition(":")
    run = getattr(import_module(module), function)
    on_loaded()
    status: int = run(parsed)
    return status


def _shown(error: CrawlerError) -> str:
    """What an error says, which may be what a page said."""
    return "\n".join(map(printable, str(error).split("\n")))


def main(arguments: Sequence[str] | None = None, on_loaded: Callable[[], None] = lambda: None) -> int:
    """Run one command and return its exit status; what goes wrong is one sentence on standard error.

    Args:
        arguments: What stands behind `crawler`; those of the process if not given.
        on_loaded: Called when all is imported and the command is about to begin.
    """
    try:
        return int(program(sys.argv[1:] if arguments is None else arguments, on_loaded))
    except UsageError as error:
        sys.stderr.write(f"crawler: {_shown(error)}\n")
        return Exit.USAGE
    except RunError as error:
        sys.stderr.write(f"crawler: {_shown(error)}\n")
        return Exit.STOPPED
    except CrawlerError as error:
        sys.stderr.write(f"crawler: {_shown(error)}\n")
        return Exit.NOTHING
    except BrokenPipeError:
        return Exit.STOPPED  # whoever read our output has left
    except OSError as error:
        sys.stderr.write(f"crawler: {error.strerror or error}{f': {error.filename}' if error.filename else ''}\n")
        return Exit.STOPPED
    except KeyboardInterrupt:
        sys.stderr.write("crawler: interrupted\n")
        return Exit.INTERRUPTED

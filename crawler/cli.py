"""The command line: arguments → settings, outcome → exit status. What a command does is elsewhere."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import zip_longest
from typing import NoReturn

from crawler.commands.arguments import (
    crawl_arguments,
    export_arguments,
    fetch_arguments,
    reparse_arguments,
    resume_arguments,
)
from crawler.commands.exit import MEANINGS, Exit
from crawler.errors import BusyError, CrawlerError, DamageError, RunError, UsageError
from crawler.log.terminal import printable
from crawler.version import VERSION


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


def _arguments_of(module: str) -> Callable[[argparse.ArgumentParser], None]:
    """The arguments that a command's own module adds, imported only when that command is asked for."""
    return lambda parser: import_module(module).add_arguments(parser)


# name → (what it does, its arguments, the function that does it as module:name)
COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], str]] = {
    "crawl": ("crawl sites and keep their pages as records", crawl_arguments, "crawler.commands.crawl:crawl"),
    "resume": ("go on with a run after any stop", resume_arguments, "crawler.commands.crawl:resume"),
    "reparse": (
        "parse the answers that a run has kept again, without a request",
        reparse_arguments,
        "crawler.commands.crawl:reparse",
    ),
    "verify": (
        "check a run: no URL twice, none lost, every checksum",
        _arguments_of("crawler.commands.verify"),
        "crawler.commands.verify:run",
    ),
    "show": (
        "what became of a run's URLs, and why",
        _arguments_of("crawler.commands.show"),
        "crawler.commands.show:run",
    ),
    "report": (
        "a run as one HTML file, with pictures",
        _arguments_of("crawler.commands.report"),
        "crawler.commands.report:run",
    ),
    "fetch": ("one URL through the whole line; prints its record", fetch_arguments, "crawler.commands.crawl:fetch"),
    "export": ("make files of a run's records", export_arguments, "crawler.commands.crawl:export"),
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

exit status:
{statuses}
"""


def _overview() -> str:
    commands = "\n".join(f"  {name:{_WIDTH}}  {text[0]}" for name, text in COMMANDS.items())
    statuses = "\n".join(f"  {status:3d}  {meaning}" for status, meaning in MEANINGS.items())
    return _USAGE.format(commands=commands, statuses=statuses)


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
        sys.stdout.write(f"crawler {VERSION}\n")
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
        is_busy, is_damaged = isinstance(error, BusyError), isinstance(error, DamageError)
        return Exit.BUSY if is_busy else Exit.DAMAGED if is_damaged else Exit.STOPPED
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

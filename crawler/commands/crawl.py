"""What the commands do: settings and seeds in, a crawl or a file out, an exit status back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from crawler import urls
from crawler.commands import attended
from crawler.commands.exit import Exit
from crawler.commands.own_values import without_effect
from crawler.commands.session import STANDARD_OUTPUT, run_session, sentence_of_kept
from crawler.engine import assembly
from crawler.engine.loop import run_loop
from crawler.errors import RunError, UsageError
from crawler.export import formats as table
from crawler.export.selection import select
from crawler.fetch import STRATEGIES
from crawler.log.crawl_log import logging_to
from crawler.log.terminal import JsonTerminal, counted, printable_json, size
from crawler.run import folder as runs
from crawler.run.reparse import Reparse
from crawler.scope import seeds
from crawler.scope.scope import Scope
from crawler.settings import file as settings_file
from crawler.settings.groups import Settings, SiteSettings
from crawler.settings.options import overrides
from crawler.view import summary
from crawler.view.opening import opening

if TYPE_CHECKING:
    from crawler.view.dashboard import Dashboard

MAX_NOTES = 10  # So many notes on how seeds were read are told.
TELL_CHECK_BYTES = 256 * 1024 * 1024  # The check of a run that holds more is told before it begins.


def crawl(arguments: argparse.Namespace) -> int:
    """`crawler crawl`."""
    chosen, given = _failures_of(arguments) if arguments.retry_failed else as_given(arguments)
    config = Path(arguments.config) if arguments.config else None
    place = "in the list" if arguments.sites or config is None else f"in the [[site]] tables of {config}"
    idle = without_effect(overrides(arguments), given.sites, place, config)
    given = msgspec.structs.replace(given, notes=(*idle, *given.notes))
    return crawl_these(arguments, chosen, given)


def crawl_these(arguments: argparse.Namespace, chosen: Settings, given: seeds.Seeds) -> int:
    """A new crawl of these seeds with these settings; of the arguments, how it tells of itself is read."""
    _check_outputs(arguments, chosen)
    assembly.check(chosen, given)
    with _dashboard(chosen) as dashboard:
        run = runs.create(chosen.output.run, chosen, given)
        with _resumable(run):
            say = _quiet if arguments.quiet else _say
            for note in given.notes[:MAX_NOTES]:
                say(note)
            if len(given.notes) > MAX_NOTES:
                say(f"and {counted(len(given.notes) - MAX_NOTES, 'more note')} of that kind")
            say(opening(chosen, given, run.folder))
            return _crawl(arguments, chosen, given, run, before=None, dashboard=dashboard)


def as_given(arguments: argparse.Namespace) -> tuple[Settings, seeds.Seeds]:
    """The settings and the seeds that a command line names."""
    chosen = _settings(arguments.config, overrides(arguments))
    return chosen, seeds.read(arguments.urls, arguments.sites, chosen.site, chosen.crawl.scope, sys.stdin.buffer)


def _settings(config: str | None, changes: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The settings of a file with what the command line changes; a strategy that there is not is told with the file."""
    chosen = settings_file.load(Path(config) if config else None, changes)
    if (name := chosen.fetch.strategy) not in STRATEGIES:  # the command line itself offers no other
        raise UsageError(f"{config}: fetch.strategy: there is no {name!r}; it is one of {', '.join(STRATEGIES)}")
    return chosen


def _failures_of(arguments: argparse.Namespace) -> tuple[Settings, seeds.Seeds]:
    """The settings of an earlier run with what the command line changes, and what failed there as seeds."""
    if arguments.urls or arguments.sites or arguments.config:
        raise UsageError("--retry-failed takes its URLs and settings from its run; give no URL, --sites or --config")
    parent = runs.find(arguments.retry_failed)
    changes = overrides(arguments)
    changes["crawl"] = {"max_depth": 0, "sitemaps": False, **changes.get("crawl", {})}
    changes["output"] = {"run": "", "outputs": (), **changes.get("output", {}), "parent": str(parent.folder)}
    before = settings_file.load(parent.settings, {})
    # What failed was found on pages: being asked for again makes it neither reachable nor trusted.
    named = before.fetch.named_origins or tuple(urls.origin(urls.canonicalize(site.url)) for site in before.site)
    changes["fetch"] = {**changes.get("fetch", {}), "named_origins": named}
    chosen = settings_file.load(parent.settings, changes)
    failed = parent.failed()
    if not failed:
        raise UsageError(f"nothing failed in {parent.folder}")
    return chosen, seeds.read((), (), _as_sites(failed, before), chosen.crawl.scope, sys.stdin.buffer)


def _as_sites(failed: Sequence[str], before: Settings) -> list[SiteSettings]:
    """URLs of an earlier run as sites that keep the delays which the user has asked for there."""
    sites = seeds.read((), (), before.site, before.crawl.scope, sys.stdin.buffer).sites
    scope = Scope(sites)
    owners = ((url, scope.site_of(url)) for url in failed)
    return [SiteSettings(url=url, delay_s=None if at is None else sites[at].delay_s) for url, at in owners]


def resume(arguments: argparse.Namespace) -> int:
    """`crawler resume`: the run's own settings, with what the command line changes of them."""
    run = runs.find(arguments.run)
    before = settings_file.load(run.settings, {})
    chosen = settings_file.load(run.settings, overrides(arguments))
    given = seeds.read((), (), chosen.site, chosen.crawl.scope, sys.stdin.buffer)
    if chosen.output.warc != before.output.warc:
        raise UsageError("--warc and --no-warc are for a whole run; this one was started the other way")
    _check_outputs(arguments, chosen)
    assembly.check(chosen, given)
    place = f"in the list ([[site]] in {run.settings})"
    with _resumable(run), _dashboard(chosen) as dashboard:
        if not arguments.quiet:
            for note in without_effect(overrides(arguments), given.sites, place):
                _say(note)
            _say(f"Going on with {run.folder}{_check_first(run)}")
        return _crawl(arguments, chosen, given, run, before, dashboard)


def _check_first(run: runs.Run) -> str:
    """What to say of the check that comes first, where that takes a while."""
    held = sum(path.stat().st_size for path in (run.state, run.journal, run.warc) if path.exists())
    return f", after a check of the {size(held)} that it holds" if held > TELL_CHECK_BYTES else ""


def reparse(arguments: argparse.Namespace) -> int:
    """`crawler reparse`: a new run whose answers come out of an earlier one's WARC."""
    parent = runs.find(arguments.parent)
    config = Path(arguments.config) if arguments.config else None
    with closing(Reparse(parent, overrides(arguments), config)) as plan:
        _check_outputs(arguments, plan.settings)
        assembly.check(plan.settings, plan.seeds)
        run = runs.create(plan.settings.output.run, plan.settings, plan.seeds, plan.prepare)
    with _resumable(run):
        if not arguments.quiet:
            _say(f"Parsing {counted(plan.pages, 'answer')} of {parent.folder} again; run: {run.folder}")
        return _crawl(arguments, plan.settings, plan.seeds, run, before=plan.settings)


@contextmanager
def _resumable(run: runs.Run) -> Iterator[None]:
    """Ctrl-C where no signal handler of a session stands is a sentence that names the run."""
    try:
        yield
    except KeyboardInterrupt:
        raise RunError(f"interrupted; `crawler resume {run.folder}` goes on with the run") from None


@contextmanager
def _dashboard(chosen: Settings) -> Iterator[Dashboard | None]:
    """The dashboard, if one is wanted: its port is taken before the run is touched, and free again at the end."""
    if chosen.dashboard.port < 0:
        yield None
        return
    from crawler.view.dashboard import Dashboard  # brings a web server with it, which few crawls need

    with closing(Dashboard(chosen.dashboard)) as dashboard:
        yield dashboard


def _check_outputs(arguments: argparse.Namespace, chosen: Settings) -> None:
    for name in chosen.output.outputs:
        if name != STANDARD_OUTPUT:
            table.check(Path(name))
    if STANDARD_OUTPUT in chosen.output.outputs and arguments.json:
        raise UsageError("-o - and --json both want standard output; give one of them")


def _crawl(
    arguments: argparse.Namespace,
    chosen: Settings,
    given: seeds.Seeds,
    run: runs.Run,
    before: Settings | None,
    dashboard: Dashboard | None = None,
) -> int:
    """Run a crawl to its end, a new one or, with the settings that it had `before`, one that goes on."""
    say = _quiet if arguments.quiet else _say
    if dashboard:
        _say(f"Dashboard: {dashboard.url}")  # also where all else is quiet, for it may be on any port
    drive = partial(
        attended.crawl,
        chosen,
        given,
        run,
        before=before,
        is_quiet=arguments.quiet,
        is_plain=arguments.verbose,
        streams=STANDARD_OUTPUT in chosen.output.outputs,
        dashboard=dashboard,
    )
    log_to = sys.stderr if arguments.verbose else None
    session = run_session(chosen, run, drive, log_to, goes_on=before is not None)
    for path in session.kept:
        _say(sentence_of_kept(run, path))
    engine, ending = session.engine, session.ending
    say(summary.closing(engine, ending, run, session.written, session.stats))
    if ending.error is not None:
        raise ending.error
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(session.stats).decode() + "\n")
    if ending.why in ("stopped", "retry_after"):
        return Exit.STOPPED
    has_time_failed = ending.why == "max_time" and not engine.ledger.outcomes["failed"]
    return Exit.OK if engine.has_pages or has_time_failed else Exit.NOTHING


def fetch(arguments: argparse.Namespace) -> int:
    """`crawler fetch`: the record of one page, indented, on standard output."""
    given_settings = overrides(arguments)
    crawl_table = {"max_depth": 0, "sitemaps": False, "patience_s": 0, **given_settings.pop("crawl", {})}
    parse_table = {"workers": 1, **given_settings.pop("parse", {})}
    # Whoever asks for one page wants to see what the server says now, be it that it wants to be asked later.
    pace_table = {"max_retry_after_s": 0, **given_settings.pop("politeness", {})}
    tables = {**given_settings, "parse": parse_table, "crawl": crawl_table, "politeness": pace_table}
    chosen = _settings(arguments.config, tables)
    given = seeds.read([arguments.url], (), (), chosen.crawl.scope, sys.stdin.buffer)
    for note in given.notes:
        _say(note)
    lines: list[bytes] = []
    with logging_to(sys.stderr):
        engine, ending = run_loop(partial(attended.crawl, chosen, given, None, is_quiet=True, on_lines=lines.extend))
    for line in lines:
        sys.stdout.write(printable_json(msgspec.json.format(line, indent=2).decode().strip()) + "\n")
    if ending.error is not None:
        raise ending.error
    if ending.why == "stopped":
        return Exit.INTERRUPTED  # nothing is kept that could be gone on with
    has_page = engine.ledger.answers if arguments.no_fail else engine.ledger.outcomes["ok"]
    return Exit.OK if has_page else Exit.NOTHING


def export(arguments: argparse.Namespace) -> int:
    """`crawler export`."""
    run = runs.find(arguments.run)
    fields = [name.strip() for name in arguments.fields.split(",")] if arguments.fields else []
    selection = select(fields, arguments.only, arguments.where)
    for name in arguments.files:
        if name != STANDARD_OUTPUT:
            table.check(Path(name))
    length = run.committed_length()
    for name in arguments.files:
        if name == STANDARD_OUTPUT:
            stream = JsonTerminal(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer
            count = table.stream(run.journal, length, stream, selection)
        else:
            count = table.export(run.journal, length, Path(name), selection, arguments.spreadsheet_safe)
        _say(f"{name}: {counted(count, 'record')}")
    if found := run.altered():
        what = f"{counted(found, 'commit')} to {run.journal} changed since: what was exported may be wrong"
        _say(f"crawler: warning: {what}; `crawler verify {run.folder}` tells where")
    return Exit.OK


def _say(text: str, stream: TextIO | None = None) -> None:
    # Standard output is for records and figures.
    (stream or sys.stderr).write(text + "\n")


def _quiet(text: str) -> None:
    pass

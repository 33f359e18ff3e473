"""What the terminal says before and after a crawl, and the figures of stats.json."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from crawler.engine.ending import Ending
from crawler.engine.engine import Engine
from crawler.fetch import strategy_of
from crawler.log.terminal import counted, duration, printable, rate, size, wrapped
from crawler.measure.endings import ending_words, higher_option
from crawler.measure.stats import SessionStats, Stats, TrapStats, pages_of, time_shares, totals
from crawler.run.folder import Run

TOP_REASONS = 8  # The summary lists this many of the most frequent reasons.
LIMITS = ("max_pages", "max_pages_per_site", "max_pages_per_domain")
TOP_NOTES = 5  # The summary shows this many notes.
WAITING = ("dns", "connect", "tls", "first_byte", "download")
COMPUTING = ("decode", "parse", "extract", "serialise")


def figures(engine: Engine, ending: Ending, run: Run) -> Stats:
    """The figures of stats.json; those of earlier sessions are in the one that it replaces."""
    ledger, committer = engine.ledger, engine.committer
    started_at = ledger.started_at.isoformat(timespec="seconds")
    session = SessionStats(
        started_at, round(ledger.elapsed_s, 3), ledger.pages, ending.why, ledger.pages_per_s, ledger.wire_bytes
    )
    # The rows of earlier sessions are written as they were read, whatever another version has put into them.
    earlier = cast("list[SessionStats]", run.earlier_sessions())
    return Stats(
        **msgspec.structs.asdict(ledger.stats(ending.why, None if ending.error is None else str(ending.error))),
        traps=[
            TrapStats(trap.domain, trap.pattern, trap.pages, trap.saved, trap.examples)
            for trap in engine.frontier.traps.reports()
        ],
        commits=committer.commits,
        commit_cpu_s=round(committer.busy_s, 3),
        commit_s=round(committer.wall_s, 3),
        sessions=[*earlier, session],
        run_pages=pages_of(engine.before) + ledger.pages,
        times_s=ledger.times_s,
        limits_reached=engine.frontier.limits.reached,
    )


def ending_of(engine: Engine, ending: Ending) -> str:
    """How a crawl ended, in the words that terminal and dashboard share."""
    return ending_words(ending.why, engine.frontier.limits.reached, has_pages=engine.has_pages)


def _ending(engine: Engine, ending: Ending, elapsed_s: float) -> str:
    """How a crawl ended, with the limit or the cause that stopped it."""
    crawl = engine.settings.crawl
    limits = {"max_pages": f" {crawl.max_pages:,}", "max_time": f" {crawl.max_time_s:g} s"}
    how = f"{ending_of(engine, ending)}{limits.get(ending.why, '')}"
    return f"{how} after {duration(elapsed_s)} {ending.cause}".rstrip()


def has_news(engine: Engine) -> bool:
    """Whether a session asked for anything or ended anything, so that its figures say something."""
    return bool(engine.ledger.requests or engine.ledger.outcomes)


def _nothing_to_do(engine: Engine, ending: Ending, run: Run) -> list[str]:
    """What a session says that found all done: nothing of how fast it was."""
    if ending.why in LIMITS:
        is_all = ending.why == "max_pages"
        limit = f"--max-pages {engine.settings.crawl.max_pages:,} is reached already"
        said = limit if is_all else f"{ending_of(engine, ending)} already"
        return wrapped("", f"There was nothing to do: {said}.") + _next_step(engine, ending, run)
    return wrapped("", "There was nothing to do: every URL that belongs to the crawl has its outcome already.")


def _next_step(engine: Engine, ending: Ending, run: Run) -> list[str]:
    """How to go on with a run that has not finished; a limit of pages is the whole run's, one of time a session's."""
    if ending.why == "retry_after":
        now = time.monotonic()
        wait_s = min((host.parked_until - now for host in engine.frontier.hosts if host.parked_until > now), default=0)
        count = sum(host.known for host in engine.frontier.hosts)
        stay = "stays" if count == 1 else "stay"
        what = f"{counted(count, 'URL')} {stay} pending; go on in {duration(wait_s)} or later with"
        return [*wrapped("  ", what), f"  crawler resume {run.folder}"]
    crawl, reached = engine.settings.crawl, engine.frontier.limits.reached
    goes_on, option = f"go on with crawler resume {run.folder}", higher_option(ending.why, reached)
    # No option raises what a site has of its own, so where that stands is told.
    own = f"max_pages is higher in the [[site]] tables of {run.settings}" if "site.max_pages" in reached else ""
    if ending.why == "max_pages_per_site" and own and not option:
        return wrapped("  ", f"{goes_on} when {own}")
    if not option:
        return [f"  {goes_on}"]
    now = getattr(crawl, option.removeprefix("--").replace("-", "_"))
    lines = [f"  {goes_on} {option} N", f"             where N is more than {now:,}"]
    return lines + (wrapped("             ", f"and with more of the other sites when {own}") if own else [])


def _not_public(engine: Engine) -> list[str]:
    """How to crawl what is in a network of the user's own, where it was the seeds that led there."""
    is_bound = engine.settings.crawl.scope not in ("domain", "any")
    if not engine.ledger.reasons["failed", "private_address"] or not (is_bound or not engine.has_pages):
        return []
    hint = "hosts that are not on the public internet are left alone; --allow-private NET, as in 10.0.0.0/8, permits a"
    return wrapped("  hint       ", f"{hint} network that you want crawled")


def _nothing(engine: Engine, ending: Ending) -> str:
    """Why there is not a single page."""
    outcomes, downloads = engine.ledger.outcomes, engine.parts.downloads
    if downloads is not None and downloads.received and not outcomes:
        return f"no file is whole yet: {size(downloads.received)} came, and a resume goes on with them"
    if outcomes["redirect"] and outcomes["redirect"] == outcomes.total():
        return "nothing but redirects came of the seeds; the log tells where they lead"
    if outcomes["failed"] or ending.why not in ("max_time", "stopped"):
        return "no seed could be fetched; the log has the causes"
    return "nothing was fetched before that"


def _speed(stats: Stats, *, is_reparse: bool) -> list[str]:
    """How fast the session was, and what all sessions of the run come to where there are several."""
    lines = [
        f"  speed      {rate(stats.pages_per_s)} pages/s, {size(stats.wire_bytes)} received, "
        f"{stats.effective_concurrency:.1f} of {stats.concurrency} slots busy"
    ]
    if stats.run_pages == stats.pages or is_reparse:
        return lines
    try:
        whole = totals(msgspec.convert(msgspec.to_builtins(stats.sessions), list[SessionStats]))
    except msgspec.ValidationError:  # Another version has written them otherwise.
        whole = totals(())
    pages, missing = counted(stats.run_pages, "page"), stats.run_pages - max(stats.pages, whole.pages)
    if missing > 0:
        return [*lines, f"  whole run  {pages}, of which {missing:,} in sessions that left no figures"]
    received = "" if whole.wire_bytes is None else f", {size(whole.wire_bytes)} received"
    told = f"{pages} in {whole.sessions} sessions, {duration(whole.elapsed_s)}, {rate(whole.pages_per_s)} pages/s"
    return lines + wrapped("  whole run  ", f"{told}{received}")


def closing(engine: Engine, ending: Ending, run: Run, written: list[Path], stats: Stats) -> str:
    """The summary after a crawl, at most 80 columns wide where names allow.

    Args:
        engine: The crawl, which has ended.
        ending: How it ended.
        run: Its folder.
        written: The files that were made.
        stats: The figures of stats.json; what stands there is not reckoned again here.
    """
    if ending.why in ("finished", *LIMITS) and engine.before and not has_news(engine):
        made = [f"  output     {path}" for path in written if path not in (run.journal, run.warc)]
        return "\n".join([*_nothing_to_do(engine, ending, run), *made])
    ledger = engine.ledger
    is_reparse = bool(engine.settings.output.parent) and strategy_of(engine.settings.fetch.strategy).replays
    lines = ["", _ending(engine, ending, stats.elapsed_s)]
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in ledger.outcomes.most_common())
    lines.append(f"  outcomes   {outcomes or 'none'}")
    earlier = ", ".join(f"{count:,} {outcome}" for outcome, count in engine.before.items() if outcome != "pending")
    if earlier and is_reparse and not engine.before.get("ok"):
        lines.append(f"  carried    {earlier}: they had no answer that could be parsed again")
    elif earlier:
        lines += wrapped("  before     ", f"{earlier}; the figures here are those of this session")
    lines += _speed(stats, is_reparse=is_reparse)
    lines += _times(stats)
    if ledger.outside and not is_reparse:  # A reparse follows no link, because it asks for nothing.
        count = sum(number for number, _ in ledger.outside.values())
        hosts = len({host for host, _ in ledger.outside})
        what = f"{counted(count, 'link')} to {counted(hosts, 'host')}"
        lines.append(f"  excluded   {what}" + ("" if ending.error else "; examples are in stats.json"))
    for rule, (count, examples) in sorted(ledger.merged.items()):
        lines.append(f"  merged     {count:,} links by {rule}, like {printable(' → '.join(examples[0]), 120)}")
    lines += _reasons(engine, ending)
    if sentence := ledger.extract_errors.sentence:
        lines += wrapped("  extraction ", sentence)
    if not engine.has_pages:
        lines.append(f"  {_nothing(engine, ending)}")
    lines += _notes(engine, ending)
    lines += [f"  output     {path}" for path in written]
    lines.append(f"  log        {run.log}")
    if ending.why != "finished":
        lines += _next_step(engine, ending, run)
        output = engine.settings.output
        missing = [name for name in output.outputs if name != "-" and Path(name) not in written]
        lines += [f"  {name} is made at the end, or now: crawler export {run.folder} {name}" for name in missing]
        if output.report and run.report not in written:
            lines.append(f"  the report is made at the end, or now: crawler report {run.folder}")
    return "\n".join(lines)


def _reasons(engine: Engine, ending: Ending) -> list[str]:
    """Why URLs have no page, the most frequent reasons first."""
    reasons = [each for each in engine.ledger.reasons.most_common() if each[0][0] != "redirect"]
    lines = ["  errors by reason"] if reasons else []
    for (outcome, reason), count in reasons[:TOP_REASONS]:
        lines.append(f"    {count:>7,}  {outcome}: {printable(reason, 60)}")
    rest = len(reasons) - TOP_REASONS
    if rest > 0:
        lines.append(f"             and {rest} more" + ("" if ending.error else " in stats.json"))
    return lines + _not_public(engine)


def _notes(engine: Engine, ending: Ending) -> list[str]:
    """The crawler traps that were closed, and what else the user should know."""
    guard = engine.frontier.traps
    traps = [trap.sentence(guard.limit) for trap in guard.reports() if trap.saved]  # others have cost nothing
    notes = [*traps, *engine.ledger.notes.values()]
    lines = ["  crawler traps"] if traps else []
    for at, note in enumerate(notes[:TOP_NOTES]):
        lines += wrapped("             " if at < len(traps) else "  note       ", printable(note))
    if len(notes) > TOP_NOTES:
        lines.append(
            f"             and {len(notes) - TOP_NOTES} more notes" + ("" if ending.error else " in stats.json")
        )
    return lines


def _times(stats: Stats) -> list[str]:
    """Where the time went, the bottleneck, and what to change."""
    shares = ", ".join(f"{label} {share}%" for label, share in time_shares(stats.times_s))
    lines = wrapped("  time       ", shares) if shares else []
    if waiting := _shares(stats, WAITING):
        lines += wrapped("  waiting    ", f"{waiting}; waits overlap")
    if computing := _shares(stats, COMPUTING):
        cpu = f"CPU: main process {duration(stats.main_cpu_s)}, parsing {duration(stats.parse_cpu_s)}"
        lines += wrapped("  computing  ", f"{computing}; {cpu}")
    lines += wrapped("  bottleneck ", printable(stats.verdict.sentence))
    for each in stats.verdict.advice:
        lines += wrapped("  advice     ", printable(each))
    return lines


def _shares(stats: Stats, names: Sequence[str]) -> str:
    """The time that some stages took in all, and the shares of those that took any of it, as `4.2 s: download 83 %`."""
    times = {name: stats.stages[name].total_s for name in names}
    total = sum(times.values())
    shares = [f"{name.replace('_', ' ')} {time / total:.0%}" for name, time in times.items() if 200 * time >= total > 0]
    return f"{duration(total)}: {', '.join(shares)}" if shares else ""

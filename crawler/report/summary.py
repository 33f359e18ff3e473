"""What the terminal says before and after a crawl, and the figures of stats.json."""

from __future__ import annotations

from pathlib import Path

from crawler.engine import Ending, Engine
from crawler.report.terminal import duration, printable, size
from crawler.run import Run
from crawler.seeds import Seeds
from crawler.settings import Settings

TOP_REASONS = 8
TOP_NOTES = 5
_ENDINGS = {
    "finished": "finished: every URL that belongs to the crawl has its outcome",
    "max_pages": "stopped at --max-pages",
    "max_time": "stopped at --max-time",
    "stopped": "stopped early",
    "failed": "stopped by an error",
}


def opening(settings: Settings, seeds: Seeds, folder: Path) -> str:
    """One line before the crawl: scope, rate, where the run is kept, and how long it takes if that can be known."""
    count = len(seeds.sites)
    what = printable(seeds.sites[0].seed, 60) if count == 1 else f"{count:,} sites"
    pace = settings.politeness
    own = " (some have their own)" if any(site.delay_s is not None for site in seeds.sites) else ""
    rate = f"{pace.per_host} at a time, {pace.delay_s:g} s apart{own}"
    text = f"Crawling {what} (scope {settings.crawl.scope}) by {settings.fetch.strategy}\n"
    text += f"{rate} on each host; run: {folder}"
    bound = shortest_s(settings, seeds)
    return f"{text}\nIt takes at least {duration(bound)}." if bound >= 10 else text


def shortest_s(settings: Settings, seeds: Seeds) -> float:
    """The time below which politeness alone keeps a limited crawl of one host, seconds; 0 where it cannot be known."""
    crawl = settings.crawl
    if len(seeds.sites) != 1 or crawl.scope != "host":
        return 0.0
    site = seeds.sites[0]
    pages = min((limit for limit in (crawl.max_pages, crawl.max_pages_per_site, site.max_pages) if limit), default=0)
    depth = crawl.max_depth if site.max_depth is None else site.max_depth
    if depth == 0:
        pages = 1
    delay = settings.politeness.delay_s if site.delay_s is None else site.delay_s
    return max(0, pages - 1) * delay


def figures(engine: Engine, ending: Ending, settings: Settings) -> dict[str, object]:
    """The figures of stats.json."""
    return {
        "why": ending.why,
        "error": None if ending.error is None else str(ending.error),
        "strategy": settings.fetch.strategy,
        "parse": settings.parse.mode,
        "parser": settings.parse.parser,
        "concurrency": settings.concurrency,
        **engine.ledger.as_dict(),
        "traps": [
            {
                "domain": trap.domain,
                "pattern": trap.pattern,
                "pages": trap.pages,
                "left_out": trap.saved,
                "examples": trap.examples,
            }
            for trap in engine.frontier.traps.reports()
        ],
        "commits": engine.committer.commits,
        "commit_cpu_s": round(engine.committer.busy_s, 3),
    }


def closing(engine: Engine, ending: Ending, run: Run, written: list[Path]) -> str:
    """The summary after a crawl, at most 80 columns wide where names allow."""
    ledger = engine.ledger
    guard = engine.frontier.traps
    lines = ["", f"{_ENDINGS[ending.why]} after {duration(ledger.elapsed_s)}"]
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in ledger.outcomes.most_common())
    lines.append(f"  outcomes   {outcomes or 'none'}")
    if engine.before:
        earlier = ", ".join(f"{count:,} {outcome}" for outcome, count in engine.before.items() if outcome != "pending")
        lines.append(f"  before     {earlier or 'none'}; the figures here are those of this session")
    lines.append(
        f"  speed      {ledger.pages_per_s:,.1f} pages/s, {size(ledger.wire_bytes)} received, "
        f"{ledger.effective_concurrency:.1f} of {engine.settings.concurrency} slots busy"
    )
    lines.append(f"  time       {_shares(engine)}")
    if ledger.outside:
        count = sum(number for number, _ in ledger.outside.values())
        hosts = len({host for host, _ in ledger.outside})
        lines.append(f"  left out   {count:,} links to {hosts:,} hosts; examples are in stats.json")
    for rule, (count, examples) in sorted(ledger.merged.items()):
        lines.append(f"  merged     {count:,} links by {rule}, like {printable(' → '.join(examples[0]), 120)}")
    reasons = [each for each in ledger.reasons.most_common() if each[0][0] != "redirect"]
    if reasons:
        lines.append("  reasons")
        for (outcome, reason), count in reasons[:TOP_REASONS]:
            lines.append(f"    {count:>7,}  {outcome}: {printable(reason, 60)}")
        rest = len(reasons) - TOP_REASONS
        if rest > 0:
            lines.append(f"             and {rest} more in stats.json")
    if not engine.has_answers:
        lines.append("  no seed could be fetched; the log has the causes")
    notes = [trap.sentence(guard.limit) for trap in guard.reports()] + list(ledger.notes.values())
    lines += [f"  note       {printable(note)}" for note in notes[:TOP_NOTES]]
    if len(notes) > TOP_NOTES:
        lines.append(f"             and {len(notes) - TOP_NOTES} more notes in stats.json")
    lines += [f"  output     {path}" for path in written]
    lines.append(f"  log        {run.log}")
    if ending.why != "finished":
        lines.append(f"  go on with crawler resume {run.folder}")
        missing = [name for name in engine.settings.output.outputs if name != "-" and Path(name) not in written]
        lines += [f"  {name} is made at the end, or now: crawler export {run.folder} {name}" for name in missing]
    return "\n".join(lines)


def _shares(engine: Engine) -> str:
    """Where the time went: waiting overlaps, so its sum can exceed the clock; computing is CPU time."""
    ledger = engine.ledger
    return (
        f"waiting {duration(ledger.fetch_s)} (overlapping), parsing {duration(ledger.parse_cpu_s)} CPU, "
        f"writing {duration(engine.committer.busy_s)} CPU"
    )

"""The first part of a report: what was crawled, how it ended, the figures that matter, and its bottleneck."""

from __future__ import annotations

from datetime import datetime

from crawler.log.terminal import duration, rate, size
from crawler.measure.endings import ending_words, higher_option
from crawler.measure.stats import RunTotals, SessionStats, totals
from crawler.report import charts
from crawler.report.findings import Findings
from crawler.report.sections.markup import (
    LEFT,
    RIGHT,
    Html,
    code,
    figure,
    join,
    link,
    note,
    of,
    section,
    table,
    tag,
    tiles,
)

_SHARES = {
    "slots": "fetch slots",
    "workers": "parse workers",
    "main": "main process",
    "writer": "writer",
}


def header(facts: Findings) -> Html:
    """What was crawled, when, and how it ended."""
    first, count = _seeds(facts)
    named = link(first, first.partition("://")[2].rstrip("/")) if first else of("a run")
    rest = f" and {count - 1:,} more" if count > 1 else ""
    when = f"{_moment(facts.tally.first)} to {_moment(facts.tally.last)}, " if facts.tally.first else ""
    return tag(
        "header",
        tag("p", "Crawl report", class_="kicker"),
        tag("h1", named, rest),
        tag("p", when, code(str(facts.sources.run.folder)), class_="quiet"),
    )


def _seeds(facts: Findings) -> tuple[str, int]:
    """The first URL that the user named, and how many there are."""
    state, chosen = facts.sources.state, facts.sources.settings
    if state is not None and state.seeds:
        return state.first_seed, state.seeds
    return (chosen.site[0].url, len(chosen.site)) if chosen is not None and chosen.site else ("", 0)


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")


def summary(facts: Findings) -> Html:
    """The ending, the figures that matter, and what the figures do not cover."""
    remarks = [note(remark) for remark in (*facts.sources.remarks, *_coverage(facts))]
    return section("summary", "Summary", _ending(facts), _tiles(facts), *remarks, _sessions(facts))


def _ending(facts: Findings) -> Html:
    pending = facts.outcomes["pending"]
    state = facts.sources.state
    why, reached = facts.stats.why, facts.stats.limits_reached
    has_pages = bool(facts.tally.pages)
    text = _sentence(ending_words(why, reached, has_pages=has_pages) or "How the crawl ended is not known")
    if state is not None and not state.is_clean:
        text = "The crawl is going on, or it was ended without a chance to say how."
    if facts.stats.error:
        text += f" {facts.stats.error}"
    left = Html("")
    option = higher_option(why, reached)
    is_cut = why in ("max_pages_per_site", "max_pages_per_domain")
    if pending or is_cut:
        higher = (option, "N") if option else ()
        goes_on = ", with an N above that limit." if higher else "."
        if is_cut and not higher:
            goes_on = " when max_pages is higher in the [[site]] tables of the run's run.toml."
        waiting = f" {pending:,} URLs are pending; " if pending else " URLs were left out; "
        left = join([waiting, code(facts.command("resume", *higher)), " goes on with them", goes_on])
    return tag("p", text, left, class_="lead")


def _tiles(facts: Findings) -> Html:
    tally, outcomes = facts.tally, facts.outcomes
    whole = _totals(facts)
    state = facts.sources.state
    hosts = facts.host_count if state is None else max(state.hosts, facts.host_count)
    broken = outcomes["http_error"] + outcomes["failed"] + outcomes["quarantined"]
    rows = [
        ("pages", f"{tally.pages:,}"),
        ("pages per second", rate(whole.pages_per_s) if whole.pages_per_s else "–"),
        ("time", duration(whole.elapsed_s)),
        ("received", size(tally.wire_bytes if whole.wire_bytes is None else whole.wire_bytes)),
        ("URLs known", f"{outcomes.total():,}"),
        ("hosts", f"{hosts:,}"),
        ("redirects", f"{outcomes['redirect']:,}"),
        ("errors", f"{broken:,}"),
    ]
    return tiles(rows)


def _totals(facts: Findings) -> RunTotals:
    """What the crawl came to: by its sessions if all are known, by the last if that was all, else by the records."""
    stats, tally = facts.stats, facts.tally
    last = SessionStats("", stats.elapsed_s, stats.pages, stats.why, stats.pages_per_s, stats.wire_bytes)
    for sessions in (stats.sessions, [last]):
        whole = totals(sessions)
        if whole.elapsed_s and whole.pages >= tally.pages:
            return whole
    spent_s = tally.elapsed_s
    return RunTotals(1, tally.pages, spent_s, tally.pages / spent_s if spent_s > 0 else 0.0, None)


def _coverage(facts: Findings) -> list[str]:
    stats, pages = facts.stats, facts.tally.pages
    if not stats.why or stats.pages >= pages:
        return []
    return [
        f"Where the time went is known of the last session that came to its end: {stats.pages:,} of {pages:,} pages."
    ]


def _sessions(facts: Findings) -> Html:
    sessions = facts.stats.sessions
    if len(sessions) < 2:
        return Html("")
    rows = [(each.started_at, duration(each.elapsed_s), f"{each.pages:,}", each.why) for each in sessions]
    columns = [("Began", LEFT), ("Time", RIGHT), ("Pages", RIGHT), ("Ended", LEFT)]
    return table("Sessions of this run", columns, rows)


def _sentence(said: str) -> str:
    """With a capital and a full stop, as it stands by itself here."""
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "!", "?")) else ".")


def bottleneck(facts: Findings) -> Html:
    """The bottleneck of the crawl, what to change, and what was in use."""
    found = facts.stats.verdict
    if not found.sentence:
        return Html("")
    advice = tag("ul", *(tag("li", _sentence(each)) for each in found.advice)) if found.advice else Html("")
    box = tag("div", tag("p", _sentence(found.sentence), class_="lead"), advice, class_="bottleneck")
    # How long politeness was waited for stands with the time by the clock, of which it is a part.
    known = ((name, share) for name, share in found.shares.items() if name != "polite_wait")
    shares = [(_SHARES.get(name, name), share) for name, share in known if share is not None]
    rows = [(name, min(1.0, share) * 100, f"{share * 100:.0f} %") for name, share in shares]
    picture = (
        figure(lambda width: charts.bars("Utilisation", rows, "share of the time", width, 100)) if rows else Html("")
    )
    counts = Html("")
    if facts.stats.concurrency:
        counts = note(
            f"{facts.stats.effective_concurrency:.1f} requests were in flight on average, "
            f"of {facts.stats.concurrency:,} that were allowed."
        )
    return section("bottleneck", "Bottleneck", box, picture, counts)

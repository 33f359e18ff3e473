"""The parts of a report about what did not go well: outcomes, errors, broken links, redirects, traps, links left."""

from __future__ import annotations

from crawler.report import charts
from crawler.report.findings import Findings
from crawler.report.joins import SHOWN
from crawler.report.sections.markup import (
    HALF,
    LEFT,
    RIGHT,
    Html,
    code,
    details,
    figure,
    folded,
    join,
    link,
    links,
    more,
    note,
    pair,
    section,
    table,
    tag,
)

ORDER = ("ok", "http_error", "redirect", "failed", "quarantined", "skipped", "pending")
MAX_REASONS = 30
MAX_OUTSIDE = 30
MAX_NOTES = 50
TOP_STATUSES = 12


def answers(facts: Findings) -> Html:
    """Outcomes and status codes."""
    counts = facts.outcomes
    names = [name for name in (*ORDER, *counts) if counts[name]]
    outcomes = [(name, counts[name], _share(counts[name], counts.total())) for name in dict.fromkeys(names)]
    found = facts.tally.statuses
    top = sorted(found.most_common(TOP_STATUSES))
    statuses = [(str(status), count, _share(count, found.total())) for status, count in top]
    return section(
        "answers",
        "Outcomes",
        pair(
            figure(lambda width: charts.bars("URLs by outcome", outcomes, "URLs", width), HALF),
            figure(lambda width: charts.bars("Status codes", statuses, "answers", width), HALF),
        ),
        more(len(top), len(found), "status codes", facts.command("export", "- --fields url,status")),
    )


def _share(count: int, total: int) -> str:
    share = count / total * 100
    return f"{count:,} ({share:.0f} %)" if share >= 1 else f"{count:,} (< 1 %)"


def reasons(facts: Findings) -> Html:
    """Errors and what was skipped, by reason, with examples."""
    listed = [(key, count) for key, count in facts.reasons.most_common() if key[0] not in ("ok", "redirect", "pending")]
    rows = [
        (outcome, reason or "–", f"{count:,}", links(facts.short, facts.examples.get((outcome, reason), [])))
        for (outcome, reason), count in listed[:MAX_REASONS]
    ]
    if not rows:
        return section("reasons", "Errors by reason", note("There were no errors, and nothing was skipped."))
    columns = [("Outcome", LEFT), ("Reason", LEFT), ("URLs", RIGHT), ("For example", LEFT)]
    commands = join([code(facts.command("show", "--failed")), " and ", code(facts.command("show", "--skipped"))])
    return section(
        "reasons",
        "Errors by reason",
        folded("Errors and skipped URLs by reason", columns, rows),
        more(len(rows), len(listed), "reasons", facts.command("show")),
        note("Every URL: ", commands),
    )


def broken(facts: Findings) -> Html:
    """Broken links, and the pages that link there."""
    total = sum(facts.tally.outcomes[outcome] for outcome in ("http_error", "failed", "quarantined"))
    if not total:
        return section("broken", "Broken links", note("No broken links were found."))
    rows = []
    for each in facts.linked.broken:
        pages, count = each.pages, each.links
        # Where no link is kept, a rule has rewritten it, or the page has too many.
        if not pages and each.via is not None:
            pages, count = [each.via], 1
        where = (
            links(facts.short, pages, count - len(pages))
            if pages
            else "no page; it was given as a seed or by a sitemap"
        )
        rows.append((each.said or "–", link(each.url, facts.short(each.url)), f"{count:,}", where))
    columns = [("Status", LEFT), ("Broken URL", LEFT), ("Linked by", RIGHT), ("Pages that link to it", LEFT)]
    return section(
        "broken",
        "Broken links",
        folded("Broken links and the pages that link to them", columns, rows),
        more(len(rows), total, "broken pages", facts.command("show", "--failed")),
        note("Links that reach a broken page by a redirect count as well."),
    )


def redirects(facts: Findings) -> Html:
    """Redirects that follow one another, and loops."""
    total = facts.tally.outcomes["redirect"]
    chains = facts.linked.chains
    if not chains:
        said = f"{total:,} redirects, each of a single hop." if total else "There were no redirects."
        return section("redirects", "Redirect chains", note(said))
    rows = []
    for chain in chains:
        end = "a loop" if chain.is_loop else chain.end or "not fetched"
        way = tag("ol", *(tag("li", link(url, facts.short(url))) for url in chain.urls), class_="urls")
        rows.append((f"{len(chain.urls) - 1}", end, way))
    shown = f"Shown are the {SHOWN} longest. " if len(chains) == SHOWN else ""
    return section(
        "redirects",
        "Redirect chains",
        folded("Redirect chains and loops", [("Hops", RIGHT), ("Ends with", LEFT), ("Chain", LEFT)], rows),
        note(f"{shown}There are {total:,} redirects in all: ", code(facts.command("export", "- --only redirect"))),
    )


def traps(facts: Findings) -> Html:
    """Crawler traps that were closed, and what else there is to know."""
    rows = [
        (trap.pattern, f"{trap.pages:,}", f"{trap.left_out:,}", links(facts.short, trap.examples[:3]))
        for trap in facts.stats.traps
        if trap.left_out
    ]
    notes = facts.stats.notes
    if not rows and not notes:
        return Html("")
    parts = []
    if rows:
        columns = [("URL pattern", LEFT), ("Pages", RIGHT), ("URLs left out", RIGHT), ("For example", LEFT)]
        parts.append(folded("Crawler traps", columns, rows[:MAX_REASONS]))
        parts.append(
            note("To fetch them all the same: ", code("--no-trap-guard"), ", or more ", code("--trap-pages"), ".")
        )
    if notes:
        parts.append(tag("ul", *(tag("li", each) for each in notes[:MAX_NOTES])))
    parts.append(more(min(len(notes), MAX_NOTES), len(notes), "notes", f"less {facts.sources.run.stats}"))
    return section("notes", "Crawler traps and notes", *parts)


def outside(facts: Findings) -> Html:
    """Links that lead out of the crawl, by host."""
    listed = facts.stats.outside
    if not listed:
        return Html("")
    hosts = [(each.host, float(each.count), f"{each.count:,}") for each in listed[:12]]
    rows = [
        (each.host, each.reason, f"{each.count:,}", links(facts.short, each.examples[:2]))
        for each in listed[:MAX_OUTSIDE]
    ]
    total = sum(facts.stats.outside_by_reason.values()) or sum(each.count for each in listed)
    columns = [("Host", LEFT), ("Reason", LEFT), ("Links", RIGHT), ("For example", LEFT)]
    return section(
        "outside",
        "External and excluded links",
        note(f"{total:,} links lead out of the crawl. They were not followed."),
        figure(lambda width: charts.bars("External and excluded links by host", hosts, "links", width)),
        details("Hosts, reasons and examples", table("External and excluded links by host and reason", columns, rows)),
        more(len(rows), len(listed), "hosts", f"less {facts.sources.run.stats}"),
    )

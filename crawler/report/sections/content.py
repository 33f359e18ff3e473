"""The parts of a report about the pages themselves: depth, sizes, types, pages that are alike, and the graph."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.log.terminal import size
from crawler.report import charts, joins
from crawler.report.findings import Findings
from crawler.report.joins import Group
from crawler.report.sections import graph
from crawler.report.sections.markup import (
    HALF,
    LEFT,
    RIGHT,
    Html,
    figure,
    folded,
    links,
    more,
    note,
    pair,
    section,
    tag,
    tiles,
)

MAX_DEPTHS = 20
TOP_TYPES = 12


def pages(facts: Findings) -> Html:
    """How deep, how large and of which type."""
    tally = facts.tally
    if not tally.records:
        return Html("")
    parts = [
        figure(lambda width: charts.bars("Depth", _depths(facts), "answers, by links from a seed", width), HALF),
        figure(lambda width: charts.bars("Size", _sizes(facts), "pages, content decoded", width), HALF),
        figure(lambda width: charts.bars("Content type", _types(facts), "pages", width), HALF),
    ]
    counts = [
        ("Parsed pages", f"{tally.parsed:,}"),
        ("Missing titles", f"{tally.untitled:,}"),
        ("Missing descriptions", f"{tally.undescribed:,}"),
        ("Noindex", f"{tally.noindex:,}"),
    ]
    graph_of = f"The site is drawn as a graph where it has no more than {joins.MAX_NODES} pages."
    explained = note(graph_of) if tally.records > joins.MAX_NODES else Html("")
    return section("content", "Content", tiles(counts), pair(*parts), explained)


def _depths(facts: Findings) -> list[tuple[str, float, str]]:
    counted = facts.tally.depths
    if not counted:
        return []
    rows = [
        (str(depth), float(counted[depth]), f"{counted[depth]:,}") for depth in range(min(max(counted), MAX_DEPTHS) + 1)
    ]
    deeper = sum(count for depth, count in counted.items() if depth > MAX_DEPTHS)
    return [*rows, (f"over {MAX_DEPTHS}", float(deeper), f"{deeper:,}")] if deeper else rows


def _sizes(facts: Findings) -> list[tuple[str, float, str]]:
    counted = facts.tally.sizes
    if not counted:
        return []
    powers = range(min(counted), max(counted) + 1)
    return [(_span(power), counted[power], f"{counted[power]:,}") for power in powers]


def _span(power: int) -> str:
    """Sizes below a power of two and not below the one before."""
    high = size(1 << power).replace(".0 ", " ")
    low = size(1 << max(0, power - 1)).replace(".0 ", " ")
    if power == 0:
        return "empty"
    return f"{low.split()[0]}–{high}" if low.split()[1] == high.split()[1] else f"{low} – {high}"


def _types(facts: Findings) -> list[tuple[str, float, str]]:
    counted = facts.tally.types
    rows = [(kind, float(count), f"{count:,}") for kind, count in counted.most_common(TOP_TYPES)]
    rest = counted.total() - sum(counted[kind] for kind, _, _ in rows)
    return [*rows, ("others", float(rest), f"{rest:,}")] if rest else rows


def alike(facts: Findings) -> Html:
    """Titles, contents and texts that several pages share."""
    shared, total = facts.titles
    parts = [note("No two pages with different contents have the same title.")]
    if shared:
        rows = [(group.name, f"{group.count:,}", _members(facts, group)) for group in shared]
        columns = [("Title", LEFT), ("Pages", RIGHT), ("For example", LEFT)]
        parts = [folded("Duplicate titles", columns, rows)]
        parts.append(more(len(rows), total, "titles", facts.command("export", "- --fields title,url")))
    parts += _groups(facts, "same", "Duplicate content", "No two pages have the same content.")
    has_hashes = facts.sources.settings is None or facts.sources.settings.parse.simhash
    none = "No other pages have nearly the same text."
    if not has_hashes:
        none = "Pages with nearly the same text are found in a crawl with --simhash."
    parts += _groups(facts, "alike", "Near duplicates", none)
    return section("duplicates", "Duplicates", *parts)


def _groups(facts: Findings, kind: str, title: str, none: str) -> Sequence[Html]:
    groups, total = facts.alike.get(kind, ([], 0))
    if not groups:
        return [note(none)]
    rows = [(f"{group.count:,}", _members(facts, group)) for group in groups]
    return [
        folded(title, [("Pages", RIGHT), ("For example", LEFT)], rows),
        more(len(rows), total, "groups", facts.command("show", "--duplicates")),
    ]


def _members(facts: Findings, group: Group) -> Html:
    return links(facts.short, group.pages, group.count - len(group.pages))


def site(facts: Findings) -> Html:
    """The graph of a small site; nothing for others."""
    nodes = facts.linked.nodes
    if not nodes:
        return Html("")
    drawn = graph.draw(nodes)
    said = (
        f"{drawn.pages:,} pages and {drawn.links:,} links between them, in rings by depth. Larger dots have more links."
    )
    if drawn.menu:
        said += f" More than half of all pages link to {drawn.menu:,} of them; of these links only the first is drawn."
    if drawn.is_cut:
        said += " There are so many links that only those by which pages were found first are drawn."
    picture = Html(drawn.picture.replace(f"<style>{charts.STYLE}</style>", ""))
    box = tag("div", picture, class_="scroll graph-box", role="region", aria_label="Site graph", tabindex="0")
    return section("site", "Site graph", box, note(said))

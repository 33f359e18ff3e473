"""What only many records together say: who links to what is broken, chains of redirects, hosts, pages that are alike.

Uses the tables that `tally.read` has filled, and reads the journal once more for the links of its pages.
"""

from __future__ import annotations

import heapq
from itertools import groupby
from sqlite3 import Connection
from typing import BinaryIO

import msgspec
from msgspec import Struct

from crawler.report.duplicates import duplicates
from crawler.report.sources import AsOf
from crawler.report.tally import TOP

MAX_NODES = 150  # A site of this many pages at most is drawn as a graph.

EXAMPLES = 5  # This many pages are named of a group, and of those that link to a page.
MAX_BROKEN = 20_000  # Links are looked for to this many broken pages, by as many redirects that lead to them.
MAX_HOPS = 50  # A chain of redirects is followed for this many hops.
MAX_TITLE = 300  # A title is cut to this many characters.
SHOWN = 50  # This many broken pages, and this many chains of redirects, are shown.


class Broken(Struct):
    """A page that could not be had, and the pages that link to it.

    Args:
        url: Its URL.
        said: Why, a status code or a word.
        via: Where it was first found, None for a seed.
        links: How many pages link to it, or to what redirects to it.
        pages: Some of these.
    """

    url: str
    said: str
    via: str | None
    links: int = 0
    pages: list[str] = []


class Host(Struct):
    """What the records of one host say together; times in milliseconds."""

    key: str
    records: int
    ok: int
    bytes: int
    ms: int
    mean_ms: float
    worst_ms: int


class Chain(Struct):
    """Redirects that follow one another.

    Args:
        urls: From where it begins to where it leads.
        end: What the last one answered; empty where it has no record.
        is_loop: Whether it comes back to itself.
    """

    urls: list[str]
    end: str = ""
    is_loop: bool = False


class Group(Struct):
    """Pages that have something in common: what it is, how many they are, and some of them."""

    name: str
    count: int
    pages: list[str]


class Node(Struct):
    """A page of the graph."""

    url: str
    outcome: str
    title: str | None
    depth: int
    via: str | None
    links: list[str]


class Linked(Struct):
    """What the pass over the links has found.

    Args:
        broken: Broken pages, those that most pages link to first.
        chains: The longest chains of redirects.
        nodes: All pages, if they are few; empty otherwise.
    """

    broken: list[Broken]
    chains: list[Chain]
    nodes: list[Node]


class _Links(Struct):
    """What is needed of a record for its links."""

    url: str
    outcome: str
    depth: int
    status: int | None = None
    error: str | None = None
    via: str | None = None
    title: str | None = None
    links: list[str] | None = None
    redirect_to: str | None = None


class _Titled(Struct):
    url: str
    title: str | None = None


def hosts(db: Connection) -> tuple[list[Host], int]:
    """The hosts that took most time, and how many there are."""
    rows = db.execute(
        "SELECT host, count(*), sum(is_ok), sum(ifnull(bytes, 0)), sum(ifnull(ms, 0)), ifnull(avg(ms), 0),"
        " ifnull(max(ms), 0) FROM pages GROUP BY host ORDER BY sum(ifnull(ms, 0)) DESC, host LIMIT ?",
        (TOP,),
    )
    found = [Host(*row) for row in rows]
    ((count,),) = db.execute("SELECT count(DISTINCT host) FROM pages")
    return found, count


def titles(run: AsOf, db: Connection) -> tuple[list[Group], int]:
    """Titles that pages with different contents share, those with most pages first; and how many such titles are."""
    db.execute("CREATE INDEX pages_title ON pages (title) WHERE title IS NOT NULL")
    shared = "FROM pages WHERE title IS NOT NULL GROUP BY title HAVING count(DISTINCT digest) > 1"
    ((total,),) = db.execute(f"SELECT count(*) FROM (SELECT 1 {shared})")
    groups = db.execute(
        f"SELECT title, count(*) {shared} ORDER BY count(*) DESC, min(place) LIMIT ?", (TOP,)
    ).fetchall()
    found = []
    for title, count in groups:
        rows = db.execute("SELECT place FROM pages WHERE title = ? ORDER BY place LIMIT ?", (title, EXAMPLES))
        with run.journal.open("rb") as journal:
            pages = [_at(journal, place) for (place,) in rows]
        found.append(Group(_cut(pages[0].title) or "", count, [page.url for page in pages]))
    return found, total


def _cut(title: str | None) -> str | None:
    return title if title is None or len(title) <= MAX_TITLE else title[: MAX_TITLE - 1] + "…"


def _at(journal: BinaryIO, place: int) -> _Titled:
    journal.seek(place)
    return msgspec.json.decode(journal.readline(), type=_Titled)


def alike(run: AsOf) -> dict[str, tuple[list[Group], int]]:
    """Groups of pages that are the `same` or `alike`, the largest first, and how many groups there are of each kind."""
    found: dict[str, tuple[list[Group], int]] = {}
    if not run.journal.exists():
        return found
    cells = (line.split("\t", 2) for line in duplicates(run))
    for (kind, _), members in groupby(cells, key=lambda row: (row[0], row[1])):
        group = Group("", 0, [])
        for _, _, url in members:
            group.count += 1
            if len(group.pages) < EXAMPLES:
                group.pages.append(url)
        groups, total = found.get(kind, ([], 0))
        groups = heapq.nlargest(TOP, [*groups, group], key=lambda each: each.count)
        found[kind] = (groups, total + 1)
    return found


def linked(run: AsOf, db: Connection, max_nodes: int) -> Linked:
    """Find the pages that link to what is broken, what is at the end of redirects, and the nodes of the graph.

    Args:
        run: The run.
        db: With the tables of `tally.read`.
        max_nodes: For more records than these there is no graph.
    """
    # Without this index each step would look at all redirects.
    db.execute("CREATE INDEX redirects_target ON redirects (target)")
    broken = {url: Broken(url, said, via, 0, []) for url, said, via in db.execute(_BROKEN, (MAX_BROKEN,))}
    leads = {url: url for url in broken}
    leads.update(db.execute(_LEADS, (MAX_BROKEN, MAX_BROKEN)))
    found = _chains(db)
    ends = {chain.urls[-1]: "" for chain in found}
    ((records,),) = db.execute("SELECT count(*) FROM pages")
    nodes: list[Node] = []
    if broken or found or records <= max_nodes:
        for page in run.records(_Links):
            targets = page.links or ()
            for url in {leads[target] for target in targets if target in leads}:
                _note(broken[url], page.url)
            if page.url in ends:
                ends[page.url] = page.error or str(page.status or page.outcome)
            if records <= max_nodes:
                leading = [*targets, page.redirect_to] if page.redirect_to else list(targets)
                nodes.append(Node(page.url, page.outcome, _cut(page.title), page.depth, page.via, leading))
    for chain in found:
        chain.end = ends[chain.urls[-1]]
    order = sorted(broken.values(), key=lambda each: (-each.links, each.url))
    return Linked(order[:SHOWN], found, nodes)


_BROKEN = "SELECT url, said, via FROM broken LIMIT ?"
# This finds every redirect that ends at a broken page after any number of hops; UNION makes loops end.
_LEADS = """
    WITH RECURSIVE leads(url, final) AS (
        SELECT * FROM (SELECT url, url FROM broken LIMIT ?)
        UNION SELECT redirects.url, final FROM leads JOIN redirects ON redirects.target = leads.url
    )
    SELECT url, final FROM leads WHERE url <> final LIMIT ?
"""


# This finds the redirects to redirects to which no redirect leads.
_HEADS = """
    SELECT url FROM redirects AS a WHERE EXISTS (SELECT 1 FROM redirects AS b WHERE b.url = a.target)
    AND NOT EXISTS (SELECT 1 FROM redirects AS b WHERE b.target = a.url)
"""
# Where none of those leads, redirects to redirects lead in circles to nothing but themselves; this finds them.
_CIRCLES = f"""
    WITH RECURSIVE reached(url) AS (
        {_HEADS} UNION SELECT target FROM reached JOIN redirects ON redirects.url = reached.url
    )
    SELECT url FROM redirects AS a WHERE url NOT IN reached
    AND EXISTS (SELECT 1 FROM redirects AS b WHERE b.url = a.target) ORDER BY url LIMIT {MAX_BROKEN}
"""


def _note(broken: Broken, page: str) -> None:
    broken.links += 1
    if len(broken.pages) < EXAMPLES:
        broken.pages.append(page)


def _chains(db: Connection) -> list[Chain]:
    """The longest chains of two redirects or more, and circles, each once."""
    heads = (_follow(db, url) for (url,) in db.execute(_HEADS))
    chains = heapq.nlargest(SHOWN, heads, key=lambda chain: len(chain.urls))
    seen: set[str] = set()
    for (url,) in db.execute(_CIRCLES).fetchall():
        if url not in seen:
            chains.append(_follow(db, url))
            seen.update(chains[-1].urls)
    return heapq.nlargest(SHOWN, chains, key=lambda chain: len(chain.urls))


def _follow(db: Connection, url: str) -> Chain:
    way = [url]
    while len(way) <= MAX_HOPS:
        row = db.execute("SELECT target FROM redirects WHERE url = ?", (way[-1],)).fetchone()
        if row is None:
            break
        is_loop = row[0] in way
        way.append(row[0])
        if is_loop:
            return Chain(way, is_loop=True)
    return Chain(way)

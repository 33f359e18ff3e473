"""The trap guard: leaves places that go on for ever without saying anything new, and says which. Pure: no I/O.

Each registrable domain has a tree of the shapes of its URLs: hosts, folders, names, names of parameters. A page counts
at every place on its way down, and what it says (`patterns.novelty_of`) is either new to the domain or not. A place
closes when so many pages *in a row* there said nothing new: `limit` pages of one pattern, or `FOLDER_FACTOR` times as
many in one folder, on one host or in the whole domain, whatever their patterns are. Nothing below it is fetched after.

Names can be endless too. A place keeps the first `OWN_NAMES` names below it apart and folds all others into `{other}`;
of hosts it keeps the first `OWN_HOSTS`. So a site's own sections, which are found first, never share a maze's fate.

Telling what a page says costs as much as reading its links. So while the last page of a pattern that was judged was
news, only every `ONE_IN`th of its pages is judged; from the first that is no news on all are, until one is news again.
A pattern is therefore never closed for pages that nobody looked at. Nor is anything above it: all its pages are judged
as well while a place on their way has had `limit` pages in a row that were no news. And because a page that was to be
judged may have no text, or break off, all are judged after `MAX_UNJUDGED` of which none could be.

Why a crawl ends. Let a domain say S different things and F = FOLDER_FACTOR * limit. The domain as a whole is a place,
and each of its pages that is judged is either one of the S that were new or counts in its row; so there are at most
F - 1 of them between two that are new and F after the last. Each that is new has at most MAX_UNJUDGED others of its
pattern pass without judgement. So the domain is left after S * (F + MAX_UNJUDGED) pages at most, and the `FIRST_PAGES`
that are not judged, those without text and those under way. This holds whatever its URLs look like and however many
hosts it has. Patterns only make it sooner: one endless pattern is left `limit` pages after its last news. What was
said is not kept from session to session, so the count begins again when a run goes on; what is closed stays closed.

What it cannot see. Pages whose words are new each time (babble, or links labelled with random words) are news, endless
news; and a domain that has said so much that `NoveltyFilter` is full is not judged any more. Pages without text are not
judged. Only budgets end these: `--max-pages-per-site`, and `DomainBudget` where the crawl has no border.

What a large and honest site risks. It is left alone as long as one page in `limit` of each pattern says something that
was not said before. `NoveltyFilter` takes some new pages for known ones, 4 in 10 of a site of 5 million and 2 in 3 when
it is nearly full; that this happens 500 times in a row has a chance below 1 in 10^80.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from crawler.frontier.novelty import NoveltyFilter
from crawler.scope.patterns import NO_NOVELTY, pattern_of
from crawler.urls import domain_of

# A folder, a host or a domain closes after this many times as many pages as a pattern.
FOLDER_FACTOR: Final = 10
# So many names below one place are kept apart, and all others fold.
OWN_NAMES: Final = 64
# So many hosts of one domain are kept apart.
OWN_HOSTS: Final = 8
# Folded names are called so, since no path has braces: they are escaped there.
OTHER: Final = "{other}"
# The first pages of a domain are only counted, because most domains of a wide crawl have no more.
FIRST_PAGES: Final = 100
# One in so many pages of a pattern is judged while it says something new.
ONE_IN: Final = 4
# When so many pages of a pattern have passed since one was judged, each is to be.
MAX_UNJUDGED: Final = 64
# A name with more characters than this is cut.
MAX_KEY_CHARS: Final = 64
# When a domain has so many nodes, further names fold at once.
MAX_NAMED_NODES: Final = 2_000
# When a domain has so many nodes, nothing is told apart below them any more.
MAX_NODES: Final = 4_000
# A node with its name takes about this many bytes.
NODE_BYTES: Final = 300
# When all domains take more bytes than this, the one that has been longest without a page is forgotten.
MAX_BYTES: Final = 256 * 1024 * 1024


class Trap(Struct):
    """A place that was closed.

    Args:
        domain: Its registrable domain.
        pattern: Its shape; `**` at the end stands for everything below.
        pages: Pages that were judged there.
        last: The page that closed it.
        saved: URLs that were left out since.
        left_out: The first of them.
        keys: The way from the domain down to it.
        names: For each folded step of that way, in order, the names that are kept apart from it.
    """

    domain: str
    pattern: str
    pages: int
    last: str
    saved: int = 0
    left_out: str = ""
    keys: tuple[str, ...] = ()
    names: tuple[tuple[str, ...], ...] = ()

    @property
    def examples(self) -> tuple[str, ...]:
        """Two URLs of the place: the last that was fetched, and the first that was left out, if there is one."""
        return (self.last, self.left_out) if self.left_out else (self.last,)

    def sentence(self, limit: int) -> str:
        """What the summary says of it.

        Args:
            limit: The guard's, pages.
        """
        return (
            f"{self.pattern} is a trap: after {self.pages:,} pages nothing new was said there, and {self.saved:,} more "
            f"URLs were left out, like {self.left_out or self.last}; to fetch them all the same: --no-trap-guard, or "
            f"--trap-pages with more than {limit:,}"
        )


class _Node:
    """One place: the pages under it, how many of them in a row said nothing new, and what closed it.

    `passed` counts the pages of a pattern since the last that was judged.
    """

    __slots__ = ("children", "pages", "passed", "row", "trap")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.pages = 0
        self.passed = 0
        self.row = 0
        self.trap: Trap | None = None


class _Domain:
    """The tree of one registrable domain."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = _Node()
        self.said = NoveltyFilter()
        self.nodes = 1
        self.traps: list[Trap] = []

    @property
    def size_bytes(self) -> int:
        return self.nodes * NODE_BYTES + self.said.size_bytes

    def wants(self, keys: list[str], limit: int) -> bool:
        """Whether the next page of a place is to be judged."""
        if self.said.is_full:
            return False
        way = self._way(keys)
        place = way[-1]
        if len(way) <= len(keys) or place.row or any(node.row >= limit for node in way):
            return True
        place.passed += 1
        return not place.passed % ONE_IN or place.passed > MAX_UNJUDGED

    def saw(self, keys: list[str], url: str, novelty: int, limit: int) -> Trap | None:
        """Count a page; returns the trap that it closed, if it did."""
        is_new = self.said.add(novelty)
        if self.said.is_full:
            return None
        if self.traps and self.trap_of(keys) is not None:
            # The page was under way when the place closed.
            return None
        path = self._path(keys)
        for node in path:
            node.pages += 1
            node.row = 0 if is_new else node.row + 1
        path[-1].passed %= ONE_IN
        limits = [limit * FOLDER_FACTOR] * len(keys) + [limit]
        for depth in range(len(path) - 1, -1, -1):
            if path[depth].row >= limits[depth]:
                return self._close(path[depth], keys[:depth], url, is_pattern=depth == len(keys))
        return None

    def trap_of(self, keys: list[str]) -> Trap | None:
        """The trap that a URL lies in."""
        return self._way(keys)[-1].trap

    def _way(self, keys: list[str]) -> list[_Node]:
        """The places from the root down to that of a URL, as far as they were met, and not below a closed one."""
        node = self.root
        way = [node]
        for key in keys:
            if node.trap is not None:
                break
            child = node.children.get(key) or node.children.get(_folded(key))
            if child is None:
                break
            way.append(node := child)
        return way

    def restore(self, trap: Trap) -> None:
        """Close a place again, with the names beside its way that are no part of it."""
        names = iter(trap.names)
        node = self.root
        for key in trap.keys:
            for name in next(names) if key == _folded(key) else ():
                self._child(node, name)
            node = self._child(node, key)
        node.trap = trap
        self.traps.append(trap)

    def _path(self, keys: list[str]) -> list[_Node]:
        """The places from the root down; names that are met for the first time are kept apart or folded."""
        node = self.root
        path = [node]
        room = OWN_HOSTS
        for position, key in enumerate(keys):
            children = node.children
            child = children.get(key)
            if child is None:
                fold = _folded(key)
                child = children.get(fold)
                if child is None:
                    if self.nodes >= MAX_NODES:
                        break
                    if len(children) >= room or self.nodes >= MAX_NAMED_NODES:
                        key = fold
                    child = self._child(node, key)
                else:
                    key = fold
            keys[position] = key
            path.append(child)
            node = child
            room = OWN_NAMES
        return path

    def _child(self, node: _Node, key: str) -> _Node:
        child = node.children.get(key)
        if child is None:
            child = node.children[key] = _Node()
            self.nodes += 1
        return child

    def _close(self, node: _Node, keys: list[str], url: str, *, is_pattern: bool) -> Trap:
        names = []
        above = self.root
        for key in keys:
            if key == _folded(key):
                names.append(tuple(name for name in above.children if name != _folded(name)))
            above = above.children[key]
        pattern = self._text(keys) + ("" if is_pattern else "**")
        trap = Trap(self.name, pattern, node.pages, url, keys=tuple(keys), names=tuple(names))
        node.trap = trap
        self.traps.append(trap)
        self.nodes -= _count(node) - 1
        # Nothing below it is asked for again.
        node.children = {}
        return trap

    def _text(self, keys: list[str]) -> str:
        if not keys:
            return f"**.{self.name}/"
        return f"{OTHER}.{self.name}/" + "".join(keys[1:]) if keys[0] == f"{OTHER}/" else "".join(keys)


class TrapGuard:
    """Counts pages and says which URLs are not worth fetching any more.

    Beside 200 bytes for each domain, it takes at most `MAX_BYTES`. What it knows of the domain that has been longest
    without a page is forgotten then, except what is closed there. So a crawl that visits by turns more large domains
    than that holds is left to its budgets.

    Args:
        limit: Pages of one pattern in a row that say nothing new before it is closed; 0 judges nothing.

    Attributes:
        size_bytes: About what the domains take that are not forgotten.
        traps: How many places are closed; whoever keeps snapshots makes a new one when it changes.
    """

    def __init__(self, limit: int = 500) -> None:
        self.limit = limit
        # Each domain's pages are counted here while they are only counted.
        self._first_pages: dict[str, int] = {}
        # The domain that has been longest without a page is the first.
        self._domains: dict[str, _Domain] = {}
        # These are the domains that have traps, among them forgotten ones.
        self._closed: dict[str, _Domain] = {}
        self.size_bytes = 0
        self.traps = 0

    def wants(self, url: str, host: str) -> bool:
        """Whether a page is to be judged; asked once for each page that is going to be read.

        Args:
            url: Its canonical URL.
            host: Politeness key of the URL.
        """
        if not self.limit:
            return False
        name = domain_of(host)
        domain = self._domains.get(name)
        return not self._is_first(name) if domain is None else domain.wants(_keys(url, host), self.limit)

    def _is_first(self, name: str) -> bool:
        return self._first_pages.get(name, 0) < min(FIRST_PAGES, self.limit)

    def saw(self, url: str, host: str, novelty: int) -> None:
        """Count a page that is ok.

        Args:
            url: Its canonical URL.
            host: Politeness key of the URL.
            novelty: What it says, by `patterns.novelty_of`; `NO_NOVELTY` is not judged.
        """
        if not self.limit:
            return
        name = domain_of(host)
        if name not in self._domains and self._is_first(name):
            self._first_pages[name] = self._first_pages.get(name, 0) + 1
            return
        if novelty == NO_NOVELTY:
            return
        domain = self._domains.pop(name, None)
        if domain is None:
            domain = self._closed.get(name) or _Domain(name)
            self.size_bytes += domain.size_bytes
        # It becomes the last of them again.
        self._domains[name] = domain
        size_bytes = domain.size_bytes
        if domain.saw(_keys(url, host), url, novelty, self.limit) is not None:
            self.traps += 1
            self._closed[name] = domain
        self.size_bytes += domain.size_bytes - size_bytes
        if self.size_bytes > MAX_BYTES:
            self._forget()

    def is_closed(self, url: str, host: str) -> bool:
        """Whether a URL lies in a trap; it counts as left out then, so each is asked about once.

        Args:
            url: Canonical URL of a page.
            host: Politeness key of the URL.
        """
        if not self._closed:
            return False
        domain = self._closed.get(domain_of(host))
        if domain is None:
            return False
        trap = domain.trap_of(_keys(url, host))
        if trap is None:
            return False
        trap.saved += 1
        trap.left_out = trap.left_out or url
        return True

    def reports(self) -> list[Trap]:
        """What was closed, those that most URLs were left out of first."""
        found = [trap for domain in self._closed.values() for trap in domain.traps]
        return sorted(found, key=lambda trap: -trap.saved)

    def snapshot(self) -> list[tuple[str, str, str]]:
        """What has to be kept for `restore`: domain and pattern (together unique) and JSON for each closed place.

        A folder and a page in it that is called `**` have one pattern; the folder holds the page, and is kept.
        """
        widest_last = sorted(self.reports(), key=lambda trap: -len(trap.keys))
        rows = {(trap.domain, trap.pattern): trap for trap in widest_last}
        return [(*row, msgspec.json.encode(trap).decode()) for row, trap in rows.items()]

    def restore(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Close again what an earlier session had closed; rows as `snapshot` gave them, before the first page."""
        if not self.limit:
            return
        for name, _, text in rows:
            domain = self._closed.get(name)
            if domain is None:
                domain = self._closed[name] = _Domain(name)
            domain.restore(msgspec.json.decode(text, type=Trap))
            self.traps += 1

    def _forget(self) -> None:
        """Let go of the domain that has been longest without a page, except of what is closed there."""
        name = next(iter(self._domains))
        domain = self._domains.pop(name)
        self.size_bytes -= domain.size_bytes
        self._first_pages.pop(name, None)
        if name in self._closed:
            again = self._closed[name] = _Domain(name)
            for trap in domain.traps:
                again.restore(trap)


def _keys(url: str, host: str) -> list[str]:
    """The way of a URL's pattern through the tree: host and folders with a slash, name, names of parameters."""
    pattern = pattern_of(url)
    path, mark, query = pattern[pattern.index("/") + 1 :].partition("?")
    *folders, name = path.split("/")
    keys = [f"{host}/", *[f"{folder[:MAX_KEY_CHARS]}/" for folder in folders], name[:MAX_KEY_CHARS] + mark]
    if mark:
        keys.append(query[:MAX_KEY_CHARS])
    return keys


def _folded(key: str) -> str:
    """What a name is called when it is not kept apart: of its kind, folder, name before parameters, or name."""
    return OTHER + key[-1] if key.endswith(("/", "?")) else OTHER


def _count(node: _Node) -> int:
    """How many places there are from here on down."""
    found = [node]
    for each in found:
        found.extend(each.children.values())
    return len(found)

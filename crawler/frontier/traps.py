"""The trap guard: leaves places that go on for ever without saying anything new, and says which. Pure: no I/O.

Each registrable domain has a tree of the shapes of its URLs: hosts, folders, names, names of parameters. A page counts
at every place on its way down, and what it says (`patterns.novelty_of`) is either new to the domain or not. A place
closes when so many pages *in a row* there said nothing new: `limit` pages of one pattern, or `FOLDER_FACTOR` times as
many in one folder, on one host or in the whole domain, whatever their patterns are. Nothing below it is fetched after.

Names can be endless too. A place keeps the first `OWN_NAMES` names below it apart and folds all others into `{other}`;
of hosts it keeps the first `OWN_HOSTS`; the others are `{other}.example.com`, or `192.0.2.1:{other}` where only ports
differ. So a site's own sections, which are found first, never share a maze's fate.

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

from crawler.frontier.trap_tree import DomainTree, Trap
from crawler.scope.patterns import NO_NOVELTY, pattern_of
from crawler.urls import domain_of

# The first pages of a domain are only counted, because most domains of a wide crawl have no more.
FIRST_PAGES: Final = 100
# A name with more characters than this is cut.
MAX_KEY_CHARS: Final = 64
# When all domains take more bytes than this, the one that has been longest without a page is forgotten.
MAX_BYTES: Final = 256 * 1024 * 1024


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
        self._domains: dict[str, DomainTree] = {}
        # These are the domains that have traps, among them forgotten ones.
        self._closed: dict[str, DomainTree] = {}
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
            domain = self._closed.get(name) or DomainTree(name)
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
                domain = self._closed[name] = DomainTree(name)
            domain.restore(msgspec.json.decode(text, type=Trap))
            self.traps += 1

    def _forget(self) -> None:
        """Let go of the domain that has been longest without a page, except of what is closed there."""
        name = next(iter(self._domains))
        domain = self._domains.pop(name)
        self.size_bytes -= domain.size_bytes
        self._first_pages.pop(name, None)
        if name in self._closed:
            again = self._closed[name] = DomainTree(name)
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

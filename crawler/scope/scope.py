"""What belongs to the crawl: a value that pickles, asked in the parse workers for every link."""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Container, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from crawler import urls
from crawler.scope.patterns import path_fault

if TYPE_CHECKING:
    from crawler.settings.groups import CrawlSettings  # Parse workers have no use for it.

ScopeKind = Literal["host", "domain", "prefix", "any"]
# Index of a site, its seed's folder if this host is its own, whether that folder is its border.
_Candidate = tuple[int, str, bool]


class SeedSite(Struct, frozen=True):
    """One seed's site and the limits of its own.

    Args:
        seed: Canonical URL that the user named.
        kind: What belongs to it.
        max_pages, delay_s, max_depth: Its own limits; None takes the crawl's.
        aliases: Politeness keys (`urls.host_key`) that the seed itself redirected to; they belong to it as well.
    """

    seed: str
    kind: ScopeKind = "host"
    max_pages: int | None = None
    delay_s: float | None = None
    max_depth: int | None = None
    aliases: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The seed's URL up to its last slash."""
        return self.seed.partition("?")[0].rpartition("/")[0] + "/"


class Scope:
    """The union of the seeds' sites, with the include and exclude rules; the longest match owns a URL.

    It only ever grows, by `add_alias`, and the same way in every process.

    Args:
        sites: One for each seed, in the order given.
        include: Regular expressions of which one must be found in a URL, unless there are none.
        exclude: Regular expressions of which none may be found; they win.
        max_url_chars: Longer URLs are not taken.
        max_segments, max_repeats: Nor are URLs with longer or more repetitive paths, see `patterns.path_fault`.
    """

    def __init__(
        self,
        sites: Sequence[SeedSite],
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        max_url_chars: int = 2083,
        max_segments: int = 20,
        max_repeats: int = 2,
    ) -> None:
        self.sites = tuple(sites)
        self.include = tuple(include)
        self.exclude = tuple(exclude)
        self.max_url_chars = max_url_chars
        self.max_segments = max_segments
        self.max_repeats = max_repeats

    def __reduce__(self) -> tuple[object, ...]:
        limits = (self.max_url_chars, self.max_segments, self.max_repeats)
        return Scope, (self.sites, self.include, self.exclude, *limits)

    def refusal(self, url: str, exempt: Container[str] = ()) -> str | None:
        """Why a link to a canonical URL is not followed, None if it is.

        Args:
            url: Canonical URL.
            exempt: The rules that do not hold for it, by what they return; no other is hidden behind them.

        Returns:
            `too_long`, `scope`, `segments`, `repeats`, `exclude` or `include`.
        """
        if len(url) > self.max_url_chars:
            return "too_long"
        if self.site_of(url) is None:
            return "scope"
        if (fault := path_fault(url, self.max_segments, self.max_repeats)) and fault not in exempt:
            return fault
        if self.is_excluded(url):
            return "exclude"
        if self._include and "include" not in exempt and not any(pattern.search(url) for pattern in self._include):
            return "include"
        return None

    def is_excluded(self, url: str) -> bool:
        """Whether a canonical URL matches one of the expressions of which none may be found."""
        return bool(self._exclude) and any(pattern.search(url) for pattern in self._exclude)

    def site_of(self, url: str) -> int | None:
        """The index in `sites` of the site that owns a canonical URL, None if it is outside of all."""
        candidates = self._candidates(urls.host_key(url))
        if not candidates:
            return None
        if len(candidates) == 1 and not candidates[0][2]:
            return candidates[0][0]  # the path cannot matter
        path = _path(url)
        best, best_length = None, -1
        for index, folder, is_bound in candidates:
            length = len(folder) if folder and path.startswith(folder) else 0
            if length > best_length and (length or not is_bound):
                best, best_length = index, length
        return best

    def owns_host(self, key: str) -> bool:
        """Whether any URL of the host with this politeness key can belong to a site."""
        return bool(self._candidates(key))

    def add_alias(self, index: int, key: str) -> None:
        """Let the site at `index` also own the host with this politeness key; changes this very scope."""
        site = self.sites[index]
        if key not in site.aliases:
            wider = msgspec.structs.replace(site, aliases=(*site.aliases, key))
            self.sites = (*self.sites[:index], wider, *self.sites[index + 1 :])
            insort(self._by_key.setdefault(key, []), index)  # the first of several owners counts
            self._candidate_cache = {}  # a new one: another thread may be adding to the old one what is no more true

    @cached_property
    def _exclude(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self.exclude]

    @cached_property
    def _include(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self.include]

    @cached_property
    def _by_key(self) -> dict[str, list[int]]:
        """Politeness key → the sites whose own host it is."""
        table: dict[str, list[int]] = {}
        for index, site in enumerate(self.sites):
            for key in site_keys(site):
                table.setdefault(key, []).append(index)
        return table

    @cached_property
    def _by_domain(self) -> dict[str, int]:
        """Registrable domain → the first site that owns all of it."""
        table: dict[str, int] = {}
        for index, site in enumerate(self.sites):
            if site.kind == "domain":
                table.setdefault(_domain(urls.host_key(site.seed)), index)
        return table

    @cached_property
    def _borderless(self) -> list[int]:
        return [index for index, site in enumerate(self.sites) if site.kind == "any"][:1]

    @cached_property
    def _candidate_cache(self) -> dict[str, list[_Candidate]]:
        return {}

    def _candidates(self, key: str) -> list[_Candidate]:
        """The sites to ask for a host: those whose own it is, then the one that owns its domain, then any."""
        cache = self._candidate_cache
        known = cache.get(key)
        if known is None:
            # Of sites with one folder the first owns all, so that a list of 50,000 URLs of a host is one candidate.
            folders: dict[tuple[str, bool], int] = {}
            for index in self._by_key.get(key, []):
                site = self.sites[index]
                folders.setdefault((_path(site.folder), site.kind == "prefix"), index)
            known = [(index, *folder) for folder, index in folders.items()]
            # A folder counts on the seed's own host only; elsewhere a path of the same name means nothing.
            if self._by_domain and (owner := self._by_domain.get(_domain(key))) is not None:
                known.append((owner, "", False))
            known += [(index, "", False) for index in self._borderless]
            if len(cache) > 65_536:
                cache.clear()
            cache[key] = known
        return known


def scope_of(sites: Sequence[SeedSite], crawl: CrawlSettings) -> Scope:
    """The scope of a crawl of some sites, with the rules and limits that its settings have."""
    limits = (crawl.max_url_chars, crawl.max_path_segments, crawl.max_path_repeats)
    return Scope(sites, crawl.include, crawl.exclude, *limits)


def site_keys(site: SeedSite) -> list[str]:
    """The politeness keys of a seed's own host: with and without www., the seed's own port and the default ones."""
    key = urls.host_key(site.seed)
    name, port = urls.split_authority(key)
    names = [name]
    if not urls.is_address(name):
        names.append(name.removeprefix("www.") if name.startswith("www.") else f"www.{name}")
    keys = list(names) if port is None else [*names, *(f"{each}:{port}" for each in names)]
    return [*keys, *site.aliases]


def _domain(key: str) -> str:
    return urls.registrable_domain(urls.split_authority(key)[0])


def _path(url: str) -> str:
    return url[url.index("/", 8) :]

"""What belongs to the crawl: a value that pickles, asked in the parse workers for every link."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from msgspec import Struct

from crawler import urls

ScopeKind = Literal["host", "domain", "prefix", "any"]


class Site(Struct, frozen=True):
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

    Args:
        sites: One for each seed, in the order given.
        include: Regular expressions of which one must be found in a URL, unless there are none.
        exclude: Regular expressions of which none may be found; they win.
        max_url_chars: Longer URLs are not taken.
    """

    def __init__(
        self, sites: Sequence[Site], include: Sequence[str] = (), exclude: Sequence[str] = (), max_url_chars: int = 2083
    ) -> None:
        self.sites = tuple(sites)
        self.include = tuple(include)
        self.exclude = tuple(exclude)
        self.max_url_chars = max_url_chars

    def __reduce__(self) -> tuple[object, ...]:
        return Scope, (self.sites, self.include, self.exclude, self.max_url_chars)

    def refusal(self, url: str) -> str | None:
        """Why a link to a canonical URL is not followed: `too_long`, `scope`, `exclude`, `include`; None if it is."""
        if len(url) > self.max_url_chars:
            return "too_long"
        if self.site_of(url) is None:
            return "scope"
        if self._exclude and self._exclude.search(url):
            return "exclude"
        if self._include and not self._include.search(url):
            return "include"
        return None

    def site_of(self, url: str) -> int | None:
        """The index in `sites` of the site that owns a canonical URL, None if it is outside of all."""
        key = urls.host_key(url)
        best, best_length = None, -1
        for index in self._sites_of_key(key):
            site = self.sites[index]
            folder = _path(site.folder)
            inside = _path(url).startswith(folder)
            if site.kind == "prefix" and not inside:
                continue
            length = len(folder) if inside else 0
            if length > best_length:
                best, best_length = index, length
        return best

    def with_alias(self, index: int, key: str) -> Scope:
        """A scope in which the site at `index` also owns the host with this politeness key."""
        site = self.sites[index]
        if key in site.aliases:
            return self
        sites = list(self.sites)
        sites[index] = Site(site.seed, site.kind, site.max_pages, site.delay_s, site.max_depth, (*site.aliases, key))
        return Scope(sites, self.include, self.exclude, self.max_url_chars)

    @cached_property
    def _exclude(self) -> re.Pattern[str] | None:
        return _any_of(self.exclude)

    @cached_property
    def _include(self) -> re.Pattern[str] | None:
        return _any_of(self.include)

    @cached_property
    def _by_key(self) -> dict[str, list[int]]:
        """Politeness key or registrable domain → the sites to ask."""
        table: dict[str, list[int]] = {}
        for index, site in enumerate(self.sites):
            for key in site_keys(site):
                table.setdefault(key, []).append(index)
        return table

    @cached_property
    def _any(self) -> list[int]:
        return [index for index, site in enumerate(self.sites) if site.kind == "any"]

    @cached_property
    def _has_domains(self) -> bool:
        return any(site.kind == "domain" for site in self.sites)

    @cached_property
    def _key_cache(self) -> dict[str, list[int]]:
        return {}

    def _sites_of_key(self, key: str) -> list[int]:
        known = self._key_cache.get(key)
        if known is None:
            known = [*self._by_key.get(key, []), *self._any]
            if self._has_domains:
                known += self._by_key.get("." + urls.registrable_domain(urls.split_authority(key)[0]), [])
            if len(self._key_cache) > 65_536:
                self._key_cache.clear()
            self._key_cache[key] = known
        return known


def site_keys(site: Site) -> list[str]:
    """The politeness keys that a site owns: with and without www., the seed's own port and the default ones."""
    if site.kind == "any":
        return []
    key = urls.host_key(site.seed)
    name, port = urls.split_authority(key)
    if site.kind == "domain":
        return ["." + urls.registrable_domain(name), *site.aliases]
    names = (
        [name]
        if name.startswith("[")
        else [name, name.removeprefix("www.") if name.startswith("www.") else f"www.{name}"]
    )
    keys = list(names) if port is None else [*names, *(f"{each}:{port}" for each in names)]
    return [*keys, *site.aliases]


def _path(url: str) -> str:
    return url[url.index("/", 8) :]


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None

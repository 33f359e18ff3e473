"""Registrable domains: what a politeness key belongs to, and how many pages each may have. Pure: no I/O."""

from __future__ import annotations

from crawler.urls import domain_of


class DomainBudget:
    """Counts pages of registrable domains against what each may have; for crawls without a border.

    Args:
        limit: Pages of each domain; 0 = no limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pages: dict[str, int] = {}

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self._limit > 0

    def count(self, host: str) -> None:
        """Count a page of a host, by its politeness key, that is asked for."""
        if self._limit:
            name = domain_of(host)
            self._pages[name] = self._pages.get(name, 0) + 1

    def uncount(self, host: str) -> None:
        """Take back a page of a host that was not sent."""
        if self._limit:
            self._pages[domain_of(host)] -= 1

    def left(self, count: int, host: str) -> int:
        """How many of so many pages of a host, by its politeness key, its domain may still have."""
        return min(count, max(0, self._limit - self._pages.get(domain_of(host), 0))) if self._limit else count

    def is_used_up(self, host: str) -> bool:
        """Whether the domain of a host, by its politeness key, has had all its pages."""
        return self._limit > 0 and self._pages.get(domain_of(host), 0) >= self._limit

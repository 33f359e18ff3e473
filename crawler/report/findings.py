"""All that a report says of a run, gathered before a word of it is written."""

from __future__ import annotations

import shlex
import sqlite3
from collections import Counter
from contextlib import closing

from msgspec import Struct

from crawler.errors import RunError
from crawler.measure.stats import Stats
from crawler.report import joins, sources, tally
from crawler.report.joins import MAX_NODES, Group, Host, Linked
from crawler.report.sources import Reason, Sources
from crawler.report.tally import Tally
from crawler.run.folder import Run
from crawler.store import snapshot


class Findings(Struct):
    """What is known of a run.

    Args:
        sources: Its state, figures and settings.
        tally: What its records say together.
        hosts: The hosts that took most time.
        host_count: How many hosts have a record.
        titles: Titles that several pages share, and how many such titles there are.
        alike: Groups of pages that are the `same` or `alike`, and how many groups there are.
        linked: Broken links, chains of redirects, and the pages of a small site.
    """

    sources: Sources
    tally: Tally
    hosts: list[Host]
    host_count: int
    titles: tuple[list[Group], int]
    alike: dict[str, tuple[list[Group], int]]
    linked: Linked

    @property
    def stats(self) -> Stats:
        """The figures of the last session."""
        return self.sources.stats

    @property
    def reasons(self) -> Counter[Reason]:
        """URLs by outcome and reason: those without a record, too, if the state can be read."""
        state = self.sources.state
        return self.tally.reasons if state is None else state.reasons

    @property
    def examples(self) -> dict[Reason, list[str]]:
        """Some URLs of each outcome and reason."""
        state = self.sources.state
        return self.tally.examples if state is None else state.examples

    @property
    def outcomes(self) -> Counter[str]:
        """URLs by outcome."""
        found = Counter[str]()
        for (outcome, _), count in self.reasons.items():
            found[outcome] += count
        return found

    def short(self, url: str) -> str:
        """A URL without its beginning where all pages of the run begin with that."""
        if self.host_count != 1 or not self.tally.origin or not url.startswith(self.tally.origin + "/"):
            return url
        return url.removeprefix(self.tally.origin)

    def command(self, name: str, *options: str) -> str:
        """A command line that says more about this run."""
        return " ".join(["crawler", name, shlex.quote(str(self.sources.run.folder)), *options])


def gather(chosen: Run) -> Findings:
    """Read a run.

    Args:
        chosen: The run; a crawl may be going on in it.

    Raises:
        RunError: If its journal is missing or damaged, or temporary files cannot be written.
    """
    known = sources.read(chosen)
    try:
        with closing(snapshot.scratch()) as db:
            counted = tally.read(known.run, db)
            hosts, host_count = joins.hosts(db)
            titles = joins.titles(known.run, db)
            linked = joins.linked(known.run, db, MAX_NODES)
        alike = joins.alike(known.run) if counted.records else {}
    except sqlite3.DatabaseError as error:  # The disk is full.
        raise RunError(f"cannot write temporary files for the report: {error}; SQLITE_TMPDIR names a folder") from None
    return Findings(known, counted, hosts, host_count, titles, alike, linked)

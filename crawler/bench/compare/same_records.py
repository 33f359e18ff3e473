"""Whether runs gave the same records: compared as sets, without what may differ from one crawl to the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from crawler.bench.compare.figures import Sameness
from crawler.log.terminal import printable

# When, how and by which way a page was come by; what it says is all else.
MAY_DIFFER = frozenset({"fetched_at", "elapsed_ms", "strategy", "via", "depth", "attempts"})
SHOWN = 60  # So many characters of a value or a URL are shown.

Fields = dict[str, Any]
Records = dict[str, Fields]


class _First(Struct):
    """The first run of its kind, which the others have to equal.

    Args:
        run: What it is called.
        records: Its records by URL.
    """

    run: str
    records: Records


class Comparison:
    """Compares each run with the first of its kind as it comes, and keeps no other."""

    def __init__(self) -> None:
        # What was crawled, by which parser it was read, and whether it was only a part → the first run.
        self._firsts: dict[tuple[str, str, bool], _First] = {}
        self._runs = 0
        self._difference: str | None = None

    def take(self, work: str, parser: str, run: str, lines: Iterable[bytes], *, is_part: bool = False) -> None:
        """Compare the records of a run.

        Args:
            work: What was crawled.
            parser: What read it; another parser may read a malformed page otherwise.
            run: What the run is called in the sentence.
            lines: Its records, one JSON object each.
            is_part: Whether it holds only some of the work's pages, the same ones as all that do.
        """
        records, twice = _records(lines)
        self._runs += 1
        found = None if twice is None else f"{run} has two records of {printable(twice, SHOWN)}"
        if is_part and (whole := self._firsts.get((work, parser, False))) is not None:
            found = found or difference(run, records, whole.run, whole.records, is_part=True)
        first = self._firsts.setdefault((work, parser, is_part), _First(run, records))
        found = found or difference(first.run, first.records, run, records)
        self._difference = self._difference or found

    def verdict(self) -> Sameness:
        """What was found in all runs that were taken."""
        runs, works = self._runs, dict.fromkeys(work for work, _, _ in self._firsts)
        counts = [max(len(first.records) for key, first in self._firsts.items() if key[0] == work) for work in works]
        if self._difference is not None:
            sentence = f"The {runs} runs did NOT give the same records: {self._difference}."
            return Sameness(False, runs, counts, sentence)
        if len(counts) == 1:
            said = f"the same {_count(counts[0])}"
        else:
            said = "the same records: " + ", ".join(
                f"{count:,} of {work}" for count, work in zip(counts, works, strict=True)
            )
        return Sameness(
            True, runs, counts, " ".join([f"All {runs} runs gave {said}.", *map(self._parsers, works)]).strip()
        )

    def _parsers(self, work: str) -> str:
        """How the parsers differ on some work; empty if they do not, or there was one."""
        kinds: dict[str, _First] = {}
        for (of, parser, _), run in self._firsts.items():
            if of == work:
                kinds.setdefault(parser, run)
        if len(kinds) < 2:
            return ""
        (one, first), (other, second) = list(kinds.items())[:2]
        shared = first.records.keys() & second.records.keys()
        unlike = sorted(url for url in shared if first.records[url] != second.records[url])
        if not unlike:
            return ""
        found = difference(one, {url: first.records[url] for url in unlike}, other, second.records, is_part=True)
        return (
            f"(Of one parser, that is: {other} reads {len(unlike):,} of the pages otherwise than {one}, as "
            f"malformed HTML allows; {found}.)"
        )


def _count(records: int) -> str:
    return "record" if records == 1 else f"{records:,} records"


def _records(lines: Iterable[bytes]) -> tuple[Records, str | None]:
    """Records by URL without what may differ, and a URL that has two."""
    records: Records = {}
    twice = None
    for line in lines:
        record = msgspec.json.decode(line, type=Fields)
        url = str(record.get("url"))
        kept = {name: value for name, value in record.items() if name not in MAY_DIFFER}
        if url in records:
            twice = url
        records.setdefault(url, kept)
    return records, twice


def difference(one: str, first: Records, other: str, second: Records, *, is_part: bool = False) -> str | None:
    """The first difference between two sets of records as half a sentence; None if there is none.

    Args:
        one, other: What the runs are called.
        first, second: Their records by URL.
        is_part: Whether the second may hold more.
    """
    for url in sorted(first.keys() | (set() if is_part else second.keys())):
        shown = printable(url, SHOWN)
        if url not in second:
            return f"{shown} is in {one} and not in {other}"
        if url not in first:
            return f"{shown} is in {other} and not in {one}"
        if first[url] != second[url]:
            here, there = first[url], second[url]
            name = next(name for name in (*here, *there) if here.get(name, ...) != there.get(name, ...))
            return f"{name} of {shown} is {_shown(here, name)} in {one} and {_shown(there, name)} in {other}"
    return None


def _shown(record: Fields, name: str) -> str:
    if name not in record:
        return "missing"
    return printable(msgspec.json.encode(record[name]).decode(), SHOWN)

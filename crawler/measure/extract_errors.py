"""Pages from which something could not be extracted: how many, why, and where for example."""

from __future__ import annotations

from collections import Counter

from crawler.log.terminal import counted, printable
from crawler.measure.stats import ExtractErrorsStats, ExtractErrorStats

MAX_REASONS = 1_000  # This many reasons are counted one by one; an extractor may fail at each page with other words.
MAX_TOLD = 20  # This many reasons are told in the log as soon as they are new.
MAX_LISTED = 100  # stats.json lists this many reasons.
OTHERS = "(others)"
_REASON_CHARS = 120  # A reason in a line is cut to this length.
_URL_CHARS = 200  # A URL in a line is cut to this length.


class ExtractErrors:
    """Counts pages by what their `extract_error` says."""

    def __init__(self) -> None:
        self.pages = 0
        self._reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, url: str, reason: str) -> bool:
        """Count a page; returns whether its reason is new and worth telling."""
        self.pages += 1
        if reason not in self._reasons and len(self._reasons) >= MAX_REASONS:
            reason = OTHERS
        self._reasons[reason] += 1
        self._examples.setdefault(reason, url)
        return self._reasons[reason] == 1 and len(self._reasons) <= MAX_TOLD

    @property
    def sentence(self) -> str:
        """How many pages, the commonest reason and an example; empty if there is no such page."""
        if not self.pages:
            return ""
        reason, count = self._reasons.most_common(1)[0]
        most = "" if count == self.pages else f"{count:,} of them: "
        where = printable(self._examples[reason], _URL_CHARS)
        who = f"{counted(self.pages, 'page')} {'has' if self.pages == 1 else 'have'} an extract_error"
        return f"{who}; {most}{printable(reason, _REASON_CHARS)}; see {where}"

    def stats(self) -> ExtractErrorsStats:
        """The figures for stats.json, the commonest reasons first."""
        listed = self._reasons.most_common(MAX_LISTED)
        reasons = [ExtractErrorStats(reason, count, self._examples[reason]) for reason, count in listed]
        return ExtractErrorsStats(self.pages, reasons)

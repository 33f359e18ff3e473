"""What happened so far, in counters cheap enough to be kept for every page."""

from __future__ import annotations

import time
from collections import Counter

from crawler.models import EXAMPLES, Outcome, Page, Parsed

MAX_OUTSIDE = 10_000  # hosts outside of the scope that are counted one by one
OTHER_HOSTS = "(others)"
MAX_NOTES = 1_000


class Ledger:
    """The counters of one run; written by the engine, read by progress, summary and stats.json."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.ended: float | None = None
        self.outcomes: Counter[Outcome] = Counter()
        self.reasons: Counter[tuple[Outcome, str]] = Counter()
        self.statuses: Counter[int] = Counter()
        self.requests = 0
        self.retries = 0
        self.robots = 0
        self.sitemaps = 0
        self.wire_bytes = 0
        self.links = 0
        self.new_urls = 0
        self.fetch_s = 0.0  # summed over requests that overlap
        self.first_byte_s = 0.0
        self.parse_cpu_s = 0.0
        self.parsed = 0
        self.slot_s = 0.0  # time in flight summed over slots, for the effective concurrency
        self.first_request: float | None = None
        self.outside: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.merged: dict[str, tuple[int, list[tuple[str, str]]]] = {}  # by rule: links rewritten, and examples
        self.notes: dict[str, str] = {}  # by key, so that each is said once

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (self.ended or time.monotonic()) - self.started

    @property
    def pages(self) -> int:
        """Pages that have an answer: ok and http_error."""
        return self.outcomes["ok"] + self.outcomes["http_error"]

    @property
    def answers(self) -> int:
        """URLs to which a server said something: pages and redirects."""
        return self.pages + self.outcomes["redirect"]

    @property
    def pages_per_s(self) -> float:
        """Pages a second since the first request left."""
        begun = self.first_request
        spent = (self.ended or time.monotonic()) - begun if begun is not None else 0.0
        return self.pages / spent if spent > 0 else 0.0

    @property
    def effective_concurrency(self) -> float:
        """Requests that were in flight on average since the first one left."""
        begun = self.first_request
        spent = (self.ended or time.monotonic()) - begun if begun is not None else 0.0
        return self.slot_s / spent if spent > 0 else 0.0

    def asked(self) -> None:
        """A request leaves."""
        self.requests += 1
        if self.first_request is None:
            self.first_request = time.monotonic()

    def answered(self, page: Page) -> None:
        """An answer came."""
        self.wire_bytes += len(page.body) if page.saved is None else page.saved.wire_bytes
        self.fetch_s += page.elapsed_s
        self.first_byte_s += page.first_byte_s
        self.slot_s += page.elapsed_s
        if page.request.kind == "page":
            self.statuses[page.status] += 1

    def no_answer(self, elapsed_s: float) -> None:
        """A fetch ended without an answer."""
        self.fetch_s += elapsed_s
        self.slot_s += elapsed_s

    def parsed_page(self, parsed: Parsed) -> None:
        """A worker gave a page back."""
        self.parsed += 1
        self.parse_cpu_s += parsed.cpu_s
        self.links += parsed.followed
        for each in parsed.outside:
            self.left_out(each.host, each.reason, *each.examples, count=each.count)
        for rewritten in parsed.merged:
            count, examples = self.merged.get(rewritten.rule, (0, []))
            examples += rewritten.examples[: EXAMPLES - len(examples)]
            self.merged[rewritten.rule] = (count + rewritten.count, examples)

    def finished(self, outcome: Outcome, reason: str | None) -> None:
        """A URL has its final outcome."""
        self.outcomes[outcome] += 1
        if reason is not None:
            self.reasons[outcome, reason] += 1

    def left_out(self, host: str, reason: str, *examples: str, count: int = 1) -> None:
        """Links lead out of the crawl."""
        if len(self.outside) >= MAX_OUTSIDE and (host, reason) not in self.outside:
            host = OTHER_HOSTS
        before, known = self.outside.get((host, reason), (0, []))
        for url in examples:
            if len(known) < EXAMPLES and url not in known:
                known.append(url)
        self.outside[host, reason] = (before + count, known)

    def note(self, key: str, sentence: str) -> None:
        """Something that the user should read in the summary, once for each key."""
        if len(self.notes) < MAX_NOTES:
            self.notes.setdefault(key, sentence)

    def as_dict(self) -> dict[str, object]:
        """All figures for stats.json."""
        outside = Counter[str]()
        for (_, reason), (count, _) in self.outside.items():
            outside[reason] += count
        return {
            "elapsed_s": round(self.elapsed_s, 3),
            "pages": self.pages,
            "pages_per_s": round(self.pages_per_s, 2),
            "outcomes": dict(self.outcomes),
            "reasons": [
                {"outcome": outcome, "reason": reason, "count": count}
                for (outcome, reason), count in self.reasons.most_common()
            ],
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "requests": self.requests,
            "retries": self.retries,
            "robots": self.robots,
            "sitemaps": self.sitemaps,
            "wire_bytes": self.wire_bytes,
            "links": self.links,
            "urls_discovered": self.new_urls,
            "fetch_s": round(self.fetch_s, 3),
            "first_byte_s": round(self.first_byte_s, 3),
            "parse_cpu_s": round(self.parse_cpu_s, 3),
            "main_cpu_s": round(time.process_time(), 3),  # of the whole process, start-up included
            "effective_concurrency": round(self.effective_concurrency, 2),
            "outside": [
                {"host": host, "reason": reason, "count": count, "examples": examples}
                for (host, reason), (count, examples) in sorted(
                    self.outside.items(), key=lambda item: item[1][0], reverse=True
                )[:1000]
            ],
            "outside_by_reason": dict(outside),
            "merged": [
                {"rule": rule, "count": count, "examples": examples}
                for rule, (count, examples) in sorted(self.merged.items())
            ],
            "notes": list(self.notes.values()),
        }

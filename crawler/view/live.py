"""What the dashboard shows of a running crawl, read from its engine when somebody looks and only then."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from crawler.engine.ending import Ending
from crawler.engine.engine import Engine, moment
from crawler.frontier.outlook import HostView
from crawler.log.terminal import printable
from crawler.measure.endings import higher_option
from crawler.measure.ledger import STAGES
from crawler.measure.stats import pages_of, time_shares
from crawler.settings.groups import cores
from crawler.version import VERSION
from crawler.view.eta import Eta
from crawler.view.opening import delays_of, seconds_of
from crawler.view.summary import ending_of

# So many pages, and so many failures, are shown.
KEPT = 30
# A record with more bytes is read at once instead of being kept until somebody looks.
MAX_LINE_BYTES = 65_536
# A text of the web is cut after so many characters.
MAX_TEXT_CHARS = 300
# So many of the hosts that take longest are shown.
TOP_HOSTS = 25
# So many of the most frequent reasons are shown.
TOP_REASONS = 8
# So many hosts are looked at in one turn of the event loop.
HOSTS_AT_ONCE = 500
# The rate at which a crawl goes on is taken over so many seconds.
RATE_S = 15.0
# Looking at all hosts takes at most one part in so many of the time.
SURVEY_SHARE = 50
_URL_AT = len(b'{"url":"')
_OUTCOME = b'","outcome":"'
_GOOD = (b"ok", b"redirect")


class Shown(Struct):
    """What is shown of a record; the rest of its line is skipped unread."""

    url: str
    outcome: str
    status: int | None = None
    error: str | None = None
    redirect_to: str | None = None
    attempts: int = 1
    elapsed_ms: int | None = None
    content_type: str | None = None
    wire_bytes: int | None = None
    title: str | None = None


class Recent:
    """The last pages and the last failures: kept as they were committed, and read when they are shown."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(Shown)
        self._pages: deque[bytes | Shown] = deque(maxlen=KEPT)
        self._failures: deque[bytes | Shown] = deque(maxlen=KEPT)

    def take(self, lines: Sequence[bytes]) -> None:
        """Take the lines of a commit."""
        self._pages.extend(map(self._small, lines[-KEPT:]))
        self._failures.extend(map(self._small, [line for line in lines if not _is_good(line)][-KEPT:]))

    def shown(self) -> dict[str, list[Shown]]:
        """Both lists, the newest first."""
        return {"recent": self._read(self._pages), "failures": self._read(self._failures)}

    def _small(self, line: bytes) -> bytes | Shown:
        return line if len(line) <= MAX_LINE_BYTES else self._decoded(line)

    def _read(self, kept: deque[bytes | Shown]) -> list[Shown]:
        read = [self._decoded(each) if isinstance(each, bytes) else each for each in kept]
        kept.clear()
        # No line is read twice.
        kept.extend(read)
        return read[::-1]

    def _decoded(self, line: bytes) -> Shown:
        shown = self._decoder.decode(line)
        for name in ("url", "error", "redirect_to", "title", "content_type"):
            if (text := getattr(shown, name)) is not None:
                setattr(shown, name, printable(text, MAX_TEXT_CHARS))
        return shown


def _is_good(line: bytes) -> bool:
    """Whether a record is of a page or a redirect; its second field says so, and URLs have no quotation marks."""
    at = line.find(_OUTCOME, _URL_AT) + len(_OUTCOME)
    return line.startswith(_GOOD, at)


class Live:
    """The state of a crawl as plain values.

    Args:
        engine: The crawl.
        seeds: What it began with.
        folder: Where it is kept; empty for nowhere.
    """

    def __init__(self, engine: Engine, seeds: Sequence[str], folder: str) -> None:
        self.engine = engine
        self.recent = Recent()
        self._seeds = seeds
        self._folder = folder
        self._hosts: list[dict[str, Any]] = []
        self._next_survey = 0.0
        self._eta = Eta(engine)
        # What hosts are asked at: by the sites until hosts have been looked at, and by the hosts from then on.
        self._pace = pace_of(delays_of(engine.settings, engine.scope.sites), has_crawl_delay=False)

    def opening(self) -> dict[str, Any]:
        """What stays as it is while the crawl runs, and its course until now."""
        settings = self.engine.settings
        return {
            "version": VERSION,
            "seeds": [printable(seed, MAX_TEXT_CHARS) for seed in self._seeds[:3]],
            "sites": len(self._seeds),
            "folder": printable(self._folder, MAX_TEXT_CHARS),
            "strategy": settings.fetch.strategy,
            "parser": settings.parse.parser,
            "mode": settings.parse.mode,
            "earlier_pages": pages_of(self.engine.before),
            "timeline": self.engine.ledger.timeline.stats(),
        }

    def state(self, ending: Ending | None = None) -> dict[str, Any]:
        """Everything that changes."""
        engine, ledger = self.engine, self.engine.ledger
        outcomes = ledger.outcomes
        return {
            **self._phase(ending),
            **self.figures(),
            "pages_per_s": ledger.pages_per_s,
            "bytes_per_s": round(ledger.wire_bytes / ledger.requesting_s) if ledger.requesting_s else 0,
            "outcomes": dict(outcomes),
            "reasons": [
                [outcome, printable(reason, MAX_TEXT_CHARS), count]
                for (outcome, reason), count in ledger.reasons.most_common(TOP_REASONS + 1)
                if outcome != "redirect"
            ][:TOP_REASONS],
            "verdict": _shown_bottleneck(msgspec.to_builtins(ledger.bottleneck())),
            "left": self._left(),
            "pace": self._pace,
            "times_s": ledger.times_s,
            "time_shares": time_shares(ledger.times_s),
            "stages": [[name, *_stage(engine, name)] for name in STAGES if ledger.stage(name).count],
            "hosts": self._hosts,
            **self.recent.shown(),
        }

    def _phase(self, ending: Ending | None) -> dict[str, Any]:
        if ending is None:
            return {"phase": "stopping" if self.engine.is_stopping else "crawling", "why": None, "error": None}
        error = None if ending.error is None else printable(str(ending.error))
        option = higher_option(ending.why, self.engine.frontier.limits.reached)
        words = ending_of(self.engine, ending)
        # The page puts "The crawl has" before it.
        sentence = f"ended: {words}" if ending.why.startswith("max_pages_per") else words
        goes_on = f" {option} N" if option else ""
        return {"phase": "ended", "why": ending.why, "sentence": sentence, "goes_on": goes_on, "error": error}

    def _left(self) -> dict[str, Any]:
        """What is left, at the rate of the last while."""
        ledger = self.engine.ledger
        begun = next((row for row in reversed(ledger.timeline.rows) if row[0] < ledger.elapsed_s - RATE_S), None)
        rate = (ledger.pages - begun[1]) / (ledger.elapsed_s - begun[0]) if begun else 0.0
        left = self._eta.left(rate)
        return {"seconds": left.seconds, "sentence": left.sentence()}

    def figures(self) -> dict[str, float]:
        """Counters since the start, and what is so at this moment, by name."""
        return {
            **dict(zip(self.engine.ledger.timeline.columns, moment(self.engine), strict=True)),
            "retries": self.engine.ledger.retries,
            "commits": self.engine.committer.commits,
            "hosts_met": self.engine.frontier.hosts.met,
            "workers": self.workers,
        }

    @property
    def workers(self) -> int:
        """Pages that are parsed at the same time at most."""
        parse = self.engine.settings.parse
        if parse.mode == "inline":
            return 1
        return parse.workers or cores()

    async def survey(self) -> None:
        """Look at the hosts again, a few at a time, unless that was done a moment ago."""
        begun = time.monotonic()
        if begun < self._next_survey:
            return
        hosts = self.engine.frontier.hosts
        keys = hosts.keys
        top: list[tuple[float, int, HostView]] = []
        gaps: set[float] = set()
        has_crawl_delay = False
        spent_s = 0.0
        for at in range(0, len(keys), HOSTS_AT_ONCE):
            started = time.monotonic()
            looked = ((n, hosts.get(key)) for n, key in enumerate(keys[at : at + HOSTS_AT_ONCE], at))
            chunk = [(n, host) for n, host in looked if host is not None]
            gaps |= {host.firm_gap_s for _, host in chunk if host.dead is None}
            gaps = {min(gaps), max(gaps)} if gaps else gaps
            has_crawl_delay = has_crawl_delay or any(host.has_crawl_delay for _, host in chunk if host.dead is None)
            ranked = ((self._rank(host), n, host) for n, host in chunk)
            top = heapq.nlargest(TOP_HOSTS, [*top, *ranked])
            spent_s += time.monotonic() - started
            await asyncio.sleep(0)
        self.take_hosts([host for _, _, host in top])
        if gaps:
            self._pace = pace_of(gaps, has_crawl_delay=has_crawl_delay)
        self._next_survey = begun + SURVEY_SHARE * spent_s

    def take_hosts(self, hosts: Sequence[HostView]) -> None:
        """Show these hosts."""
        self._hosts = [self._host(host, time.monotonic()) for host in hosts]

    def _needs_s(self, host: HostView) -> float:
        """How long a host alone takes from now on, about, seconds."""
        ledger = self.engine.ledger
        typical_s = ledger.fetch_s / ledger.requests if ledger.requests else 0.0
        return host.pages_left * host.period_s(typical_s, self.engine.settings.politeness.per_host)

    def _rank(self, host: HostView) -> float:
        """Orders hosts by how long they take, so roughly that they do not change places all the time."""
        if host.dead is not None:
            return -1.0
        needs_s = self._needs_s(host) + max(0.0, host.parked_until - time.monotonic())
        return math.floor(2 * math.log2(1 + needs_s))

    def _host(self, host: HostView, now: float) -> dict[str, Any]:
        """What is shown of a host."""
        return {
            "host": printable(host.key, MAX_TEXT_CHARS),
            "queue": host.pages_left,
            "needs_s": round(self._needs_s(host), 1),
            "in_flight": host.in_flight,
            "waits_for_robots": host.waits_for_robots,
            "delay_s": round(host.gap_s, 3),
            "wait_s": round(max(0.0, host.next_at - now), 2),
            "is_parked": host.is_parked(now),
            "park_reason": host.park_reason,
            "failures": host.failures,
            "dead": host.dead,
        }


def pace_of(gaps: Collection[float], *, has_crawl_delay: bool) -> str:
    """How far apart requests to a host are, in words.

    Args:
        gaps: Of the hosts, seconds; what the user or robots.txt asks for.
        has_crawl_delay: Whether it is the robots.txt of any host that asks for it.
    """
    if not any(gaps):
        return "no delay"
    robots = "" if not has_crawl_delay else f", {'partly ' if len(set(gaps)) > 1 else ''}as robots.txt asks"
    return f"{seconds_of(gaps)} between two requests to a host{robots}"


def _stage(engine: Engine, name: str) -> Iterator[float]:
    stage = engine.ledger.stage(name)
    yield from (stage.count, stage.total_s, stage.quantile(0.5), stage.quantile(0.9), stage.max_s)


def _shown_bottleneck(found: Mapping[str, Any]) -> dict[str, Any]:
    """The bottleneck, as a page may show it: the web names its host."""
    return {
        **found,
        "host": None if found["host"] is None else printable(found["host"], MAX_TEXT_CHARS),
        "sentence": printable(found["sentence"]),
        "advice": [printable(each) for each in found["advice"]],
    }

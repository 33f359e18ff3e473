"""Kills crawls at random moments and at chosen points, and proves that nothing is lost and nothing recorded twice.

`python -m tests.kill.campaign --kills N [--strategy NAME] [--seed N]`. A run is killed up to three times, in its first
session or in one that resumes it, and then crawled to its end. After every kill and at the end the run is looked at,
and the server says what it was asked for. Three kills and no more, because what was under way at three deaths of the
process runs alone from then on, and a fourth kill could blame it.
"""

# scenario 103

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from crawler.errors import CrawlerError
from crawler.lab.answers import url as lab_url
from crawler.lab.process import LabProcess, serve_in_process
from crawler.lab.world import World, WorldSpec
from tests.integration.conftest import LAB_OPTIONS, VOLATILE, read_records, settled
from tests.kill.child import POINTS
from tests.kill.session import FAST, Ended, Session, look, run_session

WORLD = WorldSpec(
    hosts=6,
    pages_per_host=50,
    page_bytes=4_000,
    latency_ms=5,
    error_rate=0.08,
    redirect_rate=0.08,
    encodings=True,
)
# Without retries every URL is asked for once, so that whatever is asked for twice was repeated by a resume.
OPTIONS = [*LAB_OPTIONS, "--per-host", "2", "--retries", "0", "--parse-workers", "2", "--quiet"]
STRATEGIES = ("asyncio", "threads", "sequential", "curl")
ANY_MOMENT = "any moment"
MOMENTS = (0.05, 1.2)  # of the time that a crawl in peace takes, start-up included
RANDOM_SHARE = 6  # of every so many runs, one more is killed at random moments
INLINE_SHARE = 0.2  # of the runs parse on the event loop
KILLS_PER_RUN = 3  # see above
LANES = 2  # runs at a time, each on a lab of its own
SITE_FILES = ("/robots.txt", "/sitemap.xml")


class Case(NamedTuple):
    """What one run is put through.

    Args:
        strategy, mode: How it fetches and parses.
        point: A key of `POINTS`, or `ANY_MOMENT`.
        seed: Of all that is random in it.
    """

    strategy: str
    mode: str
    point: str
    seed: int

    @property
    def where(self) -> str:
        """Where it is killed, in words."""
        return self.point if self.point == ANY_MOMENT else POINTS[self.point].where


class Result(NamedTuple):
    """What came of one run, or of several.

    Args:
        kills: How often it was killed.
        lost: URLs of the truth without a record.
        twice: Records that stand there a second time.
        repeated: Page requests beyond the first for each URL.
        allowed: Requests that were dispatched and not committed, summed over the kills.
        lingered_s: The longest that parse workers outlived the crawler, seconds.
        faults: What else is wrong, in sentences.
    """

    kills: int = 0
    lost: int = 0
    twice: int = 0
    repeated: int = 0
    allowed: int = 0
    lingered_s: float = 0.0
    faults: tuple[str, ...] = ()

    def __add__(self, other: object) -> Result:  # type: ignore[override]
        assert isinstance(other, Result)
        sums = (getattr(self, name) + getattr(other, name) for name in Result._fields[:5])
        return Result(*sums, max(self.lingered_s, other.lingered_s), self.faults + other.faults)

    @property
    def is_good(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.twice or self.faults or self.repeated > self.allowed)


class Bench(NamedTuple):
    """A lab and what a crawl of it gives that nobody disturbs.

    Args:
        lab: The server.
        seeds: Where to start.
        truth: URLs that have to have a record.
        reference: The stable fields of the records, by URL.
        peace_s: How long it takes, seconds.
    """

    lab: LabProcess
    seeds: list[str]
    truth: frozenset[str]
    reference: dict[str, dict[str, Any]]
    peace_s: float

    def requests(self) -> Counter[str]:
        """Page requests until now, by URL."""
        counts: Counter[str] = Counter()
        for host, targets in self.lab.counts().requests.items():
            for target, number in targets.items():
                if target not in SITE_FILES:
                    counts[lab_url(host, target, self.lab.port)] = number
        return counts

    def differences(self, folder: Path) -> list[str]:
        """What in the records of a finished run is not as a crawl in peace makes it."""
        records = read_records(folder)
        faults = [f"{url} has {n} records" for url, n in Counter(each["url"] for each in records).items() if n > 1]
        found = {each["url"]: {k: v for k, v in each.items() if k not in VOLATILE} for each in records}
        for url in sorted(self.reference.keys() | found.keys()):
            if url not in found:
                faults.append(f"{url} has no record")
            elif found[url] != self.reference.get(url):
                faults.append(f"{url} differs from its record of a crawl in peace")
        return faults


@contextmanager
def open_bench(spec: WorldSpec = WORLD) -> Iterator[Bench]:
    """Serve a world and crawl it once in peace."""
    with serve_in_process(spec, log=True) as lab, tempfile.TemporaryDirectory() as place:
        seeds = World(spec).seeds(lab.port)
        run = Path(place) / "run"
        began = time.monotonic()
        ended = run_session("crawl", *seeds, *OPTIONS, "--run", run)
        peace_s = time.monotonic() - began
        assert ended.status == 0, ended.said
        truth = frozenset(truth.url for truth in lab.truth() if not truth.disallowed)
        reference = settled(read_records(run))
        assert reference.keys() == truth
        yield Bench(lab, seeds, truth, reference, peace_s)


def assert_goes_on(bench: Bench, run: Path) -> None:
    """A stopped run is sound, goes on to its end, and then is what a crawl in peace gives."""
    assert look(run).faults == []
    ended = run_session("resume", run, *FAST)
    assert ended.status == 0, ended.said
    assert look(run).faults == []
    assert bench.differences(run) == []


class Ordeal:
    """One run from its first kill to its end.

    Args:
        bench: What it crawls.
        case: What it is put through.
        folder: Its folder, which does not exist.
        max_kills: How often it is killed, if it does not end before.
    """

    def __init__(self, bench: Bench, case: Case, folder: Path, max_kills: int) -> None:
        self._bench = bench
        self._case = case
        self._folder = folder
        self._max_kills = max_kills
        self._random = random.Random(case.seed)
        self._asked = bench.requests()
        self._first = self._asked
        self._committed: frozenset[str] = frozenset()
        self._kills = self._allowed = 0
        self._lingered_s = 0.0
        self._faults: list[str] = []

    def run(self) -> Result:
        """Kill, look, go on; at the end compare with the truth."""
        is_over = False
        while self._kills < self._max_kills and not is_over and not self._faults:
            ended = self._mortal_session()
            is_over = not ended.was_killed
            self._kills += not is_over
            self._after(ended, 0 if is_over else None)
        if not is_over and not self._faults:
            self._after(self._immortal_session(), 0)
        return self._result()

    def _mortal_session(self) -> Ended:
        resumes = (self._folder / "run.toml").exists()
        if self._case.point == ANY_MOMENT:
            with Session(*self._arguments(resumes)) as session:
                return session.kill_after(self._random.uniform(*MOMENTS) * self._bench.peace_s)
        name = self._case.point
        if POINTS[name].session == "first" and resumes:
            return self._immortal_session()
        if POINTS[name].session == "resumed" and not resumes:
            name = "appended"  # so that there is something to go on with, and something to cut
        passes = self._random.randint(1, POINTS[name].passes)
        return run_session(*self._arguments(resumes), point=(name, passes))

    def _immortal_session(self) -> Ended:
        return run_session(*self._arguments((self._folder / "run.toml").exists()))

    def _arguments(self, resumes: bool) -> Sequence[object]:
        if resumes:
            return "resume", self._folder, "--quiet"
        how = ["--strategy", self._case.strategy, "--parse", self._case.mode, "--run", self._folder]
        return "crawl", *self._bench.seeds, *OPTIONS, *how

    def _after(self, ended: Ended, expected: int | None) -> None:
        """Look at what a session left, and at what the server saw of it."""
        self._lingered_s = max(self._lingered_s, ended.lingered_s)
        if expected is not None and ended.status != expected:
            self._faults.append(f"exit status {ended.status}: {ended.said.strip()}")
        left = look(self._folder)
        asked = self._bench.requests()
        now = asked - self._asked
        self._faults += [f"verify: {fault}" for fault in left.faults]
        for url, count in now.items():
            if url in self._committed:
                self._faults.append(f"{url} was committed and asked for again")
            elif count > 1:
                self._faults.append(f"{url} was asked for {count} times in one session")
        recorded = Counter(left.recorded)
        self._faults += [
            f"{url} is recorded {n} times after kill {self._kills}" for url, n in recorded.items() if n > 1
        ]
        self._committed = frozenset(url for url, outcome in left.outcomes.items() if outcome != "pending")
        due = {url for url, outcome in left.outcomes.items() if outcome not in ("pending", "skipped")}
        if due != recorded.keys():
            self._faults.append(f"records and outcomes differ: {sorted(due ^ recorded.keys())[:3]}")
        if ended.was_killed:
            self._allowed += len(now.keys() - self._committed)
        self._asked = asked

    def _result(self) -> Result:
        left = look(self._folder)
        recorded = Counter(left.recorded)
        lost = self._bench.truth - recorded.keys()
        asked = self._asked - self._first
        if not self._faults and not lost:
            self._faults += self._bench.differences(self._folder)
        return Result(
            self._kills,
            len(lost),
            recorded.total() - len(recorded),
            sum(count - 1 for count in asked.values()),
            self._allowed,
            self._lingered_s,
            tuple(self._faults),
        )


def cases(strategies: Sequence[str], seed: int) -> Iterator[Case]:
    """Cases without end: every strategy at every point in random order, again and again, random moments in between."""
    rand = random.Random(seed)

    def case(strategy: str, point: str) -> Case:
        mode = "inline" if rand.random() < INLINE_SHARE else "processes"
        return Case(strategy, mode, point, rand.getrandbits(32))

    while True:
        pairs = list(product(strategies, POINTS))
        rand.shuffle(pairs)
        for number, (strategy, point) in enumerate(pairs):
            if number % RANDOM_SHARE == 0:
                yield case(rand.choice(strategies), ANY_MOMENT)
            yield case(strategy, point)


def put_through(bench: Bench, case: Case, place: Path, max_kills: int = KILLS_PER_RUN) -> Result:
    """Put one run through its case; its folder is kept if the promise was broken."""
    folder = Path(tempfile.mkdtemp(prefix="kill-", dir=place)) / "run"
    try:
        result = Ordeal(bench, case, folder, max_kills).run()
    except (AssertionError, CrawlerError) as error:
        result = Result(faults=(str(error),))
    if result.is_good:
        shutil.rmtree(folder.parent)
    else:
        result = result._replace(faults=(*result.faults, f"it is kept in {folder} ({case})"))
    return result


def campaign(strategies: Sequence[str], kills: int, seed: int, tell: Callable[[str], None]) -> dict[Case, Result]:
    """Kill until there were so many kills; what came of each run."""
    results: dict[Case, Result] = {}
    queue, lock = cases(strategies, seed), Lock()
    place = Path(tempfile.mkdtemp(prefix="kill-campaign-"))

    def lane(_: int) -> None:
        with open_bench() as bench:
            while True:
                with lock:
                    if sum(result.kills for result in results.values()) >= kills:
                        return
                    case = next(queue)
                result = put_through(bench, case, place)
                with lock:
                    results[case] = result
                    if not result.is_good:
                        tell(f"{case.strategy}, {case.mode}, {case.where}: {result}")

    with ThreadPoolExecutor(LANES) as lanes:
        list(lanes.map(lane, range(LANES)))
    if all(result.is_good for result in results.values()):
        shutil.rmtree(place)
    return results


def table(results: dict[Case, Result]) -> list[str]:
    """The results by strategy and place, a line each, with a sum."""
    rows: dict[tuple[str, str], Result] = {}
    order = [ANY_MOMENT, *(point.where for point in POINTS.values())]
    for case, result in results.items():
        key = case.strategy, case.where
        rows[key] = rows.get(key, Result()) + result
    head = ("strategy", "killed", "kills", "lost", "twice", "repeated", "allowed")
    lines = ["{:<11}{:<43}{:>6}{:>6}{:>7}{:>10}{:>9}".format(*head)]
    for key in sorted(rows, key=lambda key: (STRATEGIES.index(key[0]), order.index(key[1]))):
        lines.append("{:<11}{:<43}{:>6}{:>6}{:>7}{:>10}{:>9}".format(*key, *rows[key][:5]))
    total = sum(rows.values(), Result())
    lines.append("{:<11}{:<43}{:>6}{:>6}{:>7}{:>10}{:>9}".format("all", f"{len(results)} runs", *total[:5]))
    lines.append(f"parse workers outlived the crawler by {total.lingered_s:.2f} s at most")
    return lines


def main() -> int:
    """Run a campaign and print what came of it; the exit status is 1 if the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, help="repeatable; all if not given")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    results = campaign(arguments.strategy or STRATEGIES, arguments.kills, arguments.seed, print)
    print("\n".join(table(results)))
    print(f"{time.monotonic() - began:.0f} s")
    return 0 if all(result.is_good for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Flips single bits of stopped runs at random, and proves that no damage is silent and none makes a resume hang.

`python -m tests.kill.flips --flips N [--seed N]`. Each flip is put into a copy of a run that was killed or stopped.
The copy is resumed: it has to be refused in one sentence, or to end as if nothing had been flipped. What was refused
for its state is repaired by `crawler verify --repair` where its journal is whole, and then has to end that way, too.
"""

# scenario 105

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from crawler.commands.exit import Exit
from crawler.lab.world import WorldSpec
from crawler.run.verify import verify
from crawler.store.base import ARCHIVE, JOURNAL, STATE
from tests.kill.campaign import OPTIONS, Bench, open_bench
from tests.kill.session import FAST, Ended, run_session

WORLD = WorldSpec(hosts=4, pages_per_host=12, page_bytes=1_500, latency_ms=1, error_rate=0.1, redirect_rate=0.1)
FILES = (STATE, JOURNAL, ARCHIVE)
SHARES = (0.6, 0.2, 0.2)  # of the flips, in the order of the files
LANES = 2  # copies at a time
HARMLESS, REFUSED_AND_REPAIRED, REFUSED_ONLY = "ended as before", "refused, repaired", "refused"
SILENT, HANGS, UNREPAIRED = "silent", "hangs or breaks", "refused, not to be repaired"
BAD = (SILENT, HANGS, UNREPAIRED)


class Flip(NamedTuple):
    """One bit of one file.

    Args:
        base: The run's number among those that bits are flipped in.
        name: The file.
        offset: Its byte.
        bit: The bit in it, 0 to 7.
    """

    base: int
    name: str
    offset: int
    bit: int

    def put_into(self, run: Path) -> None:
        """Flip it."""
        with (run / self.name).open("r+b") as file:
            file.seek(self.offset)
            (byte,) = file.read(1)
            file.seek(self.offset)
            file.write(bytes([byte ^ 1 << self.bit]))


def bases(bench: Bench, place: Path) -> list[Path]:
    """Runs to flip bits in: one that was killed, its state in one file, and one that was stopped in order."""
    runs = []
    for name, point in (("killed", ("heard", 4)), ("stopped", ("stop", 3))):
        run = place / name
        ended = run_session("crawl", *bench.seeds, *OPTIONS, "--warc", "--run", run, point=point)
        assert ended.was_killed or ended.status == 3, ended
        with closing(sqlite3.connect(run / STATE)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert verify(run) == []
        runs.append(run)
    return runs


def flips(runs: list[Path], seed: int) -> Iterator[Flip]:
    """Bits without end, each of a file's with the same chance."""
    rand = random.Random(seed)
    while True:
        base = rand.randrange(len(runs))
        (name,) = rand.choices(FILES, SHARES)
        yield Flip(base, name, rand.randrange((runs[base] / name).stat().st_size), rand.randrange(8))


def outcome(bench: Bench, flip: Flip, runs: list[Path], place: Path) -> tuple[str, str]:
    """What comes of a flip, one of the words above, and what was said of it."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        run = Path(shutil.copytree(runs[flip.base], Path(folder) / "run"))
        flip.put_into(run)
        try:
            found = verify(run)
            ended = run_session("resume", run, *FAST)
            if ended.status == 0:
                wrong = _wrong(bench, run)
                return (SILENT, wrong[0]) if wrong else (HARMLESS, "")
            if not _is_refused(ended):
                return HANGS, f"exit status {ended.status}: {ended.said}"
            if not found:
                return UNREPAIRED, f"`verify` saw nothing, but resume says: {ended.said}"
            if flip.name != STATE:
                return REFUSED_ONLY, ended.said
            repaired = run_session("verify", run, "--repair")
            ended = run_session("resume", run, *FAST)
            wrong = _wrong(bench, run)
            if repaired.status or ended.status or wrong:
                return UNREPAIRED, f"{repaired.said} {ended.said} {wrong[:1]}"
            return REFUSED_AND_REPAIRED, ""
        except AssertionError as error:
            return HANGS, str(error)


def _wrong(bench: Bench, run: Path) -> list[str]:
    try:
        return [*bench.differences(run), *verify(run)]
    except ValueError as error:
        return [f"a line is no record: {error}"]


def _is_refused(ended: Ended) -> bool:
    return ended.status in (Exit.DAMAGED, Exit.STOPPED) and len(ended.said.strip().splitlines()) == 1


@contextmanager
def opened() -> Iterator[tuple[Bench, Path, list[Path]]]:
    """The lab, a place for copies, and the runs."""
    with open_bench(WORLD) as bench, tempfile.TemporaryDirectory(prefix="flips-") as name:
        yield bench, Path(name), bases(bench, Path(name))


def campaign(count: int, seed: int, tell: Callable[[str], None]) -> Counter[tuple[str, str]]:
    """Flip so many bits; how many came to what, by file."""
    results: Counter[tuple[str, str]] = Counter()
    lock = Lock()
    with opened() as (bench, place, runs):
        chosen = flips(runs, seed)
        queue = iter([next(chosen) for _ in range(count)])

        def lane(_: int) -> None:
            while True:
                with lock:
                    flip = next(queue, None)
                if flip is None:
                    return
                what, said = outcome(bench, flip, runs, place)
                with lock:
                    results[flip.name, what] += 1
                    if what in BAD:
                        tell(f"{what}: {flip}: {said.strip()}")

        with ThreadPoolExecutor(LANES) as lanes:
            list(lanes.map(lane, range(LANES)))
    return results


def main() -> int:
    """Run a campaign and print what came of it; the exit status is 1 if any damage was silent or made a resume hang."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    results = campaign(arguments.flips, arguments.seed, lambda line: print(line, flush=True))
    for (name, what), number in sorted(results.items()):
        print(f"{name:<16}{what:<30}{number:>6}")
    print(f"{time.monotonic() - began:.0f} s")
    return int(any(what in BAD for _, what in results))


if __name__ == "__main__":
    sys.exit(main())

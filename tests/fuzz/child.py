"""The inside of a process that fuzzes one target until its time is over or an input kills it.

Atheris (libFuzzer for Python) chooses and keeps inputs by the branches of `crawler` that they reach. Exceptions are
written down and the process goes on. What kills it, the profiling timer or a fault in C, leaves its input in a file
that is mapped into memory, where the parent finds it.
"""

from __future__ import annotations

import mmap
import signal
import struct
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.findings import DEADLINE_S, limit_process, signature

_HEAD = struct.Struct("<QIId")  # executions, bytes of the input under way, bytes of the slowest, its seconds


class Tally(NamedTuple):
    """What a process has done until now.

    Args:
        executions: Inputs checked.
        current: The input under way; empty between two.
        slowest: The input that took longest.
        slowest_s: CPU seconds that it took.
    """

    executions: int
    current: bytes
    slowest: bytes
    slowest_s: float


class TallyFile:
    """A tally in a file that outlives its process.

    Args:
        path: The file; made if there is none.
        max_bytes: Longest input.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        size = _HEAD.size + 2 * max_bytes
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)
        self._slowest_at = _HEAD.size + max_bytes
        self._executions, _, self._slowest_bytes, self._slowest_s = _HEAD.unpack_from(self._map)

    def begin(self, data: bytes) -> None:
        """An input is about to be checked."""
        self._map[_HEAD.size : _HEAD.size + len(data)] = data
        _HEAD.pack_into(self._map, 0, self._executions, len(data), self._slowest_bytes, self._slowest_s)

    def end(self, data: bytes, seconds: float) -> None:
        """It has been checked."""
        self._executions += 1
        if seconds > self._slowest_s:
            self._map[self._slowest_at : self._slowest_at + len(data)] = data
            self._slowest_bytes, self._slowest_s = len(data), seconds
        _HEAD.pack_into(self._map, 0, self._executions, 0, self._slowest_bytes, self._slowest_s)

    def read(self) -> Tally:
        """The tally as it stands in the file."""
        executions, size, slowest_bytes, slowest_s = _HEAD.unpack_from(self._map)
        slowest = self._map[self._slowest_at : self._slowest_at + slowest_bytes]
        return Tally(executions, self._map[_HEAD.size : _HEAD.size + size], slowest, slowest_s)


def main(name: str, corpus: Path, found: Path, tally_path: Path, seconds: int, seed: int) -> None:
    """Fuzz; libFuzzer ends the process.

    Args:
        name: A key of `TARGETS`.
        corpus: Folder with the inputs to begin with, to which those that reach something new are added.
        found: Folder for inputs that raise.
        tally_path: File of the tally.
        seconds: How long.
        seed: Of the mutations.
    """
    import atheris

    with atheris.instrument_imports(include=["crawler"]):
        from tests.fuzz.targets import TARGETS
    from tests.fuzz.mutation import Mutator

    target = TARGETS[name]
    tally = TallyFile(tally_path, target.max_bytes)
    pool = [path.read_bytes() for path in sorted(corpus.iterdir())]
    known = {path.read_text() for path in found.glob("*.txt")}

    def check(data: bytes) -> None:
        tally.begin(data)
        signal.setitimer(signal.ITIMER_PROF, DEADLINE_S)
        began = time.thread_time()
        try:
            target.check(data)
        except Exception as error:
            what = signature(error)
            if what not in known:
                keep(found, what, data)
                known.add(what)
        signal.setitimer(signal.ITIMER_PROF, 0)
        tally.end(data, time.thread_time() - began)

    limit_process()
    options = {
        **{"seed": seed, "max_total_time": seconds, "max_len": target.max_bytes, "verbosity": 0, "reload": 0},
        **{"rss_limit_mb": 0, "malloc_limit_mb": 0, "len_control": 100, "artifact_prefix": f"{found}/"},
        # A fault in C ends the process, for the parent to see.
        **dict.fromkeys(("handle_abrt", "handle_bus", "handle_fpe", "handle_ill", "handle_segv"), 0),
    }
    arguments = [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)]
    # Atheris replaces its Mutate when it starts.
    mutator = Mutator(target.tokens, pool, lambda data, max_bytes: atheris.Mutate(data, max_bytes))
    atheris.Setup(arguments, check, custom_mutator=mutator.mutate)
    atheris.Fuzz()


def keep(folder: Path, what: str, data: bytes) -> None:
    """Write an input and its signature down."""
    number = len(list(folder.glob("*.txt")))
    (folder / f"{number}.input").write_bytes(data)
    (folder / f"{number}.txt").write_text(what)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))

"""Runs one measurement in a process of its own, so that none leaves its memory, caches or garbage to the next.

`python -m crawler.bench.isolated` is the inside of such a process.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import ParamSpec

import msgspec
from msgspec import Struct

from crawler.bench.samples import Sample
from crawler.errors import CrawlerError
from crawler.lab.process import environment
from crawler.measure import procfs

LOOK_S = 0.05  # Between two looks at a process that runs, so many seconds pass.
P = ParamSpec("P")


class Ended(Struct, frozen=True):
    """What a process took until it ended.

    Args:
        output: What it wrote to standard output.
        wall_s: From its start to its end, seconds.
        cpu_s: CPU time of it and its children, seconds.
        peak_bytes: The most memory of the process (`main`), and of all its children together (`workers`) if it had any.
    """

    output: bytes
    wall_s: float
    cpu_s: float
    peak_bytes: dict[str, int]


def measure(job: Callable[P, Sample], *arguments: P.args, **named: P.kwargs) -> Sample:
    """Call a function of a module in a process of its own.

    Args:
        job: The function.
        *arguments: What it is called with; it has to pickle.

    Returns:
        What the function returns, with the peak memory of its process, and of that one's children if it had any.

    Raises:
        CrawlerError: If it fails, with what it said last.
    """
    given = pickle.dumps((job, arguments, named))
    ended = run([sys.executable, "-m", "crawler.bench.isolated"], f"the measurement {job.__name__}", given)
    sample = msgspec.json.decode(ended.output, type=Sample)
    if "workers" in ended.peak_bytes:
        sample.peak_bytes["workers"] = ended.peak_bytes["workers"]
    return sample


def run(
    command: Sequence[str], what: str, given: bytes | None = None, look: Callable[[int], None] = lambda pid: None
) -> Ended:
    """Run a process to its end.

    Args:
        command: What to start.
        what: What it is called in the sentence if it fails.
        given: What it reads from standard input.
        look: Called with its process id again and again while it runs.

    Raises:
        CrawlerError: If it does not succeed, with what it said last.
    """
    peaks: dict[int, int] = {}
    cpu_before, began = procfs.ended_s(), time.monotonic()
    with started(command) as process:
        while True:
            try:
                output, said = process.communicate(given, LOOK_S)
                break
            except subprocess.TimeoutExpired:
                given = None
            for pid in (process.pid, *procfs.children(process.pid)):
                peaks[pid] = max(peaks.get(pid, 0), procfs.peak_bytes(pid))
            look(process.pid)
    wall_s, cpu_s = time.monotonic() - began, procfs.ended_s() - cpu_before
    if process.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        raise CrawlerError(f"{what} failed: {lines[-1] if lines else 'it said nothing'}")
    main = peaks.pop(process.pid, 0)
    return Ended(output, wall_s, cpu_s, {"main": main, **({"workers": sum(peaks.values())} if peaks else {})})


@contextmanager
def started(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, with pipes to it and from it, that does not outlive the context, nor do its children.

    Args:
        command: What to start.
    """
    pipe = subprocess.PIPE
    # A group of its own, so that Ctrl-C reaches us alone; a crawl would end in its own good time.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), process_group=0) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                for pid in (*procfs.children(process.pid), process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()


def main() -> None:
    """Read a function with its arguments from standard input, call it, write its measurement to standard output."""
    job, arguments, named = pickle.load(sys.stdin.buffer)
    sample: Sample = job(*arguments, **named)
    owner = next(iter(sample.cpu_s), "process")
    sample.peak_bytes[owner] = procfs.peak_bytes(os.getpid())
    sys.stdout.buffer.write(msgspec.json.encode(sample))


if __name__ == "__main__":
    main()

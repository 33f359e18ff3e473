"""Runs one measurement in a process of its own, so that none leaves its memory, caches or garbage to the next.

`python -m crawler.bench.isolated` is the inside of such a process.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, ParamSpec

import msgspec

from crawler.bench.figures import Sample
from crawler.errors import CrawlerError
from crawler.lab.process import PACKAGE_ROOT
from crawler.measure import procfs

P = ParamSpec("P")


def measure(job: Callable[P, Sample], *arguments: P.args, **named: P.kwargs) -> Sample:
    """Call a function of a module in a process of its own.

    Args:
        job: The function.
        *arguments: What it is called with; it has to pickle.

    Returns:
        What the function returns, with the peak memory of its process.

    Raises:
        CrawlerError: If it fails, with what it said last.
    """
    command = [sys.executable, "-m", "crawler.bench.isolated"]
    with started(command, subprocess.PIPE) as process:
        answer, said = process.communicate(pickle.dumps((job, arguments, named)))
    if process.returncode:
        raise CrawlerError(f"the measurement {job.__name__} failed: {last_line(said)}")
    return msgspec.json.decode(answer, type=Sample)


@contextmanager
def started(command: Sequence[str], streams: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that does not outlive the context, nor do its children.

    Args:
        command: What to start.
        streams: Where its output and its errors go; with `subprocess.PIPE` its input comes from a pipe too.
    """
    given = subprocess.PIPE if streams == subprocess.PIPE else subprocess.DEVNULL
    # A group of its own, so that Ctrl-C reaches us alone; a crawl would end in its own good time.
    with subprocess.Popen(
        command, stdin=given, stdout=streams, stderr=streams, env=_environment(), process_group=0
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                for pid in (*procfs.children(process.pid), process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()


def _environment() -> dict[str, str]:
    # Where the package is not installed, a Python started here finds it all the same.
    paths = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def last_line(said: bytes) -> str:
    """What a process said last on standard error."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def main() -> None:
    """Read a function with its arguments from standard input, call it, write its measurement to standard output."""
    job, arguments, named = pickle.load(sys.stdin.buffer)
    sample: Sample = job(*arguments, **named)
    owner = next(iter(sample.cpu_s), "process")
    sample = msgspec.structs.replace(sample, peak_bytes={owner: procfs.peak_bytes(os.getpid())})
    sys.stdout.buffer.write(msgspec.json.encode(sample))


if __name__ == "__main__":
    main()

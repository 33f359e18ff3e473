"""What went wrong: told apart by where it happened, tried again in a process of its own, and made small."""

from __future__ import annotations

import os
import resource
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.fuzz.promise import BrokenPromise

ROOT = Path(__file__).parents[2]
DEADLINE_S = 5.0  # CPU seconds of one input, all its checks included
MEMORY_BYTES = 2 * 1024**3  # that a process may take beside what it has when it is limited


def limit_process() -> None:
    """Bound this process: its address space, and a profiling timer that kills, inside of C code as well."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


def signature(error: BaseException) -> str:
    """What and where, the same for every input that shows one fault."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(ROOT))]
    place = f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].name}" if frames else "outside of the project"
    if isinstance(error, BrokenPromise):
        return f"not so: {error.rule}"
    return f"{type(error).__name__} in {place}"


def ended_by(number: int) -> str:
    """The signature of an input that killed its process with a signal."""
    if number == signal.SIGPROF:
        return f"more than {DEADLINE_S:g} s of CPU"
    return f"killed by {signal.Signals(number).name}"


def trial(check: Callable[[bytes], None], data: bytes) -> str | None:
    """Check one input in a forked process.

    Returns:
        The signature of what it shows, None if all is as it has to be.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _die_after(check, data, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return ended_by(os.WTERMSIG(status))
    return said or None


def _die_after(check: Callable[[bytes], None], data: bytes, writer: int) -> None:
    said = ""
    try:
        limit_process()
        signal.setitimer(signal.ITIMER_PROF, DEADLINE_S)
        check(data)
    except BaseException as error:
        said = signature(error)
    finally:
        with suppress(OSError):
            os.write(writer, said.encode())
        os._exit(0)


def minimise(data: bytes, has_fault: Callable[[bytes], bool], seconds: float) -> bytes:
    """Take away from an input what its fault does not need, halves first and single bytes last.

    Args:
        data: The input.
        has_fault: Whether an input still shows the fault.
        seconds: How long to try, wall clock.
    """
    deadline = time.monotonic() + seconds
    size = max(1, len(data) // 2)
    while True:
        at, is_smaller = 0, False
        while at < len(data):
            if time.monotonic() > deadline:
                return data
            shorter = data[:at] + data[at + size :]
            if has_fault(shorter):
                data, is_smaller = shorter, True
            else:
                at += size
        if size == 1 and not is_smaller:
            return data
        size = max(1, size // 2)

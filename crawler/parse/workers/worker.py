"""The inside of a parse worker process: one function, called for each frame that comes down its socket.

The kernel enforces what Python cannot: a profiling timer ends a page that burns too much CPU even inside C code, and
the address-space limit ends one that takes too much memory. The process leaves when its socket closes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import IO, Protocol, cast

from msgspec import Struct

HEADER = struct.Struct("<IB")  # payload bytes, kind
READY, RESULT, MEMORY, FAULT = range(4)  # kinds of the worker's frames
JOB, LONE_JOB, CHANGE = range(3)  # kinds of the parent's frames
RETIRE = 0x80  # or-ed to a kind: the worker asks for a successor
_MEMORY_CHECK_PAGES = 64  # reading the resident size costs 10 µs


class Work(Protocol):
    """What a worker does, made by `factory(context)`."""

    def __call__(self, payload: bytes, is_lone: bool) -> bytes:
        """The answer to a job, which runs alone after a crash."""

    def update(self, change: object) -> None:
        """Take a change of the context into account."""


class WorkerSpec(Struct, frozen=True):
    """What a worker process is started with.

    Args:
        factory: `module:name` of a function that takes `context` and returns a `Work`.
        context: Any value that pickles.
        cpu_limit_s: CPU seconds for one job.
        memory_limit_bytes: Address space of the process.
        recycle_growth_bytes: Growth of resident memory after which the worker asks to be replaced.
        recycle_jobs: Jobs after which it does.
    """

    factory: str
    context: object
    cpu_limit_s: float
    memory_limit_bytes: int
    recycle_growth_bytes: int
    recycle_jobs: int


def main(descriptor: int) -> None:
    """Serve jobs from the socket with this file descriptor until it closes."""
    # The parent decides what a signal means; a worker leaves when its channel closes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rb", buffering=256 * 1024) as source:
        # The channel closes when the parent ends, at whatever moment.
        with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
            _work(channel, cast(IO[bytes], source))


def _work(channel: socket.socket, source: IO[bytes]) -> None:
    spec: WorkerSpec = pickle.loads(_read_frame(source)[1])
    try:
        keep_memory()
        work = _load(spec.factory)(spec.context)
    except Exception as error:
        _send(channel, FAULT, f"{type(error).__name__}: {error}".encode())
        return
    _limit_memory(spec.memory_limit_bytes)
    # What is imported lives as long as the process: the collector need not walk it again for every page.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # A C library that runs into the memory limit writes to standard error, which is the user's terminal.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    _send(channel, READY, b"")
    _serve(channel, source, spec, work)


def _serve(channel: socket.socket, source: IO[bytes], spec: WorkerSpec, work: Work) -> None:
    base_bytes = resident_bytes()
    jobs, retire = 0, 0
    while True:
        kind, payload = _read_frame(source)
        if kind == CHANGE:
            work.update(pickle.loads(payload))
            continue
        signal.setitimer(signal.ITIMER_PROF, spec.cpu_limit_s)
        try:
            answer_kind, answer = RESULT, work(payload, kind == LONE_JOB)
        except MemoryError:
            answer_kind, answer, retire = MEMORY, b"out of memory", RETIRE
        except Exception as error:
            answer_kind, answer = FAULT, f"{type(error).__name__}: {error}".encode("utf-8", "replace")
        signal.setitimer(signal.ITIMER_PROF, 0)
        jobs += 1
        if jobs % _MEMORY_CHECK_PAGES == 0 and resident_bytes() - base_bytes > spec.recycle_growth_bytes:
            retire = RETIRE
        if jobs >= spec.recycle_jobs:
            retire = RETIRE
        _send(channel, answer_kind | retire, answer)


def _send(channel: socket.socket, kind: int, payload: bytes) -> None:
    channel.sendall(HEADER.pack(len(payload), kind) + payload)


def _read_frame(source: IO[bytes]) -> tuple[int, bytes]:
    head = source.read(HEADER.size)
    if len(head) < HEADER.size:
        raise EOFError
    length, kind = HEADER.unpack(head)
    payload = source.read(length)
    if len(payload) < length:
        raise EOFError
    return kind, payload


def _load(name: str) -> Callable[[object], Work]:
    module, _, attribute = name.partition(":")
    factory: Callable[[object], Work] = getattr(import_module(module), attribute)
    return factory


def _limit_memory(limit_bytes: int) -> None:
    # macOS knows the limit but refuses to set it; there the parent's deadline and recycling have to do.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))


def keep_memory() -> None:
    """Keep freed trees in the process: glibc gives them back, and faulting them in again doubles a page's time."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(m_trim_threshold, 128 * 1024 * 1024)
        libc.mallopt(m_top_pad, 4 * 1024 * 1024)
        libc.mallopt(m_mmap_threshold, 64 * 1024 * 1024)


def resident_bytes() -> int:
    """Resident memory of this process in bytes; where /proc is missing, its peak."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts bytes

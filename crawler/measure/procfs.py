"""What the kernel says of other processes: CPU time, memory, open files, threads, children. Linux only."""

from __future__ import annotations

import os
import resource
from pathlib import Path

from crawler.errors import UsageError

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024


def check(command: str) -> None:
    """Find out before a measurement whether this system tells what is asked here.

    Args:
        command: What wants to measure, for the sentence.

    Raises:
        UsageError: If it does not.
    """
    if not (PROC / "self" / "stat").exists():
        raise UsageError(f"{command} reads CPU times and memory from /proc, which this system does not have")


def cpu_s(pid: int) -> float:
    """CPU time of a process with all its threads, those that ended included, in seconds; the kernel tells 10 ms steps.

    Args:
        pid: A process that runs.

    Raises:
        OSError: If it is gone.
    """
    # The name in parentheses may hold anything; user and system time are the 12th and 13th field after it.
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def main_thread_cpu_s(pid: int) -> float:
    """CPU time of a process's main thread in seconds, to the nanosecond where the kernel keeps it.

    Args:
        pid: A process that runs, with one thread only where its whole time is meant.

    Raises:
        OSError: If it is gone.
    """
    try:
        return int((PROC / str(pid) / "schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        return cpu_s(pid)


def machine_s() -> float:
    """CPU time that all processors together have spent on anything, seconds."""
    fields = [int(word) for word in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting_for_disk = fields[3], fields[4]
    return (sum(fields) - idle - waiting_for_disk) / TICKS_PER_S


def ended_s() -> float:
    """CPU time of all processes that ended and were waited for, by this process and by those, seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def children(pid: int) -> list[int]:
    """Ids of the processes that a process's main thread has started and not yet taken leave of; none if it is gone."""
    try:
        return [int(word) for word in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except OSError:
        return []


def peak_bytes(pid: int) -> int:
    """The most memory that a process ever had resident, bytes; 0 if it is gone."""
    return _size(PROC / str(pid) / "status", "VmHWM:")


def own_bytes(pid: int) -> int:
    """Memory of a process, what it shares with others counted in parts, bytes; 0 if it is gone."""
    return _size(PROC / str(pid) / "smaps_rollup", "Pss:")


def count(pid: int, what: str) -> int:
    """How many open files (`fd`) or threads (`task`) a process has; 0 if it is gone."""
    try:
        return len(list((PROC / str(pid) / what).iterdir()))
    except OSError:
        return 0


def _size(path: Path, name: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)

"""Runs a function in a process of its own that the kernel ends when it takes too much."""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024


def within(cpu_s: int, growth_mib: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns that takes no more than so much processor time and memory.

    Args:
        cpu_s: CPU seconds, counted from the call; a process that takes more is killed.
        growth_mib: MiB that its address space may grow by; there is no memory beyond.
        function: One of a module of the tests; what it takes and returns is JSON.
        arguments: Its arguments.

    Raises:
        AssertionError: If the process failed, with what it said.
    """
    task = json.dumps([cpu_s, growth_mib, function.__module__, function.__name__, arguments])
    command = [sys.executable, "-c", "from tests.unit.bounded import main; main()"]
    done = subprocess.run(command, input=task, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    return json.loads(done.stdout)


def main() -> None:
    """The inside of the process."""
    cpu_s, growth_mib, module, name, arguments = json.load(sys.stdin)
    function = getattr(importlib.import_module(module), name)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent_s = int(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent_s + cpu_s, spent_s + cpu_s))
    if sys.platform == "linux":  # macOS refuses to set it
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + growth_mib * MIB, size + growth_mib * MIB))
    json.dump(function(*arguments), sys.stdout)

"""Which lines of functions a set of inputs reaches: `python -m tests.fuzz.lines FOLDER TARGET…` prints JSON.

A trace function is too slow to fuzz with and good enough to look at a corpus once. It is set before the modules are
imported, so that what runs at import counts; the lines of modules and classes themselves are not counted at all.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_PREFIX = "crawler."


class _Trace:
    """The lines that run in files of the package."""

    def __init__(self) -> None:
        package = importlib.util.find_spec(_PREFIX[:-1])
        assert package is not None
        assert package.origin is not None
        self._root = str(Path(package.origin).parent)
        self.reached: dict[str, set[int]] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(self._root):
            return None
        lines = self.reached.setdefault(name, set())
        lines.add(frame.f_lineno)

        def line(frame: FrameType, event: str, _: Any) -> Any:
            lines.add(frame.f_lineno)
            return line

        return line


def _function_lines(code: CodeType) -> Iterator[int]:
    if code.co_flags & CO_OPTIMIZED:  # a function, not a module or a class
        yield from (line for _, _, line in code.co_lines() if line)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _function_lines(constant)


def main(folder: Path, names: list[str]) -> dict[str, tuple[int, list[int]]]:
    """Check every input of the targets' corpora once.

    Returns:
        Module → how many lines its functions have, and those that were not reached.
    """
    trace = _Trace()
    sys.settrace(trace)
    from tests.fuzz.targets import TARGETS

    for name in names:
        for path in sorted((folder / name).iterdir()):
            try:
                TARGETS[name].check(path.read_bytes())
            except Exception:
                continue  # a finding, which is told elsewhere
    sys.settrace(None)
    result: dict[str, tuple[int, list[int]]] = {}
    for module in dict.fromkeys(module for name in names for module in TARGETS[name].modules):
        file = importlib.import_module(module).__file__
        assert file is not None
        wanted = set(_function_lines(compile(Path(file).read_bytes(), file, "exec")))
        result[module] = len(wanted), sorted(wanted - trace.reached.get(file, set()))
    return result


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2:])))

"""The table in tests/README.md and the tests that it names agree."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
MARKER = re.compile(r"# scenarios? (\d+(?:(?:, | and )\d+)*)")

NEEDS_A_BROWSER_OR_A_CLUSTER = {75, 118, 119, 120}
AGREED_EXCEPTIONS: dict[int, str] = {}  # number: why nothing can be tested here


def rows() -> list[tuple[int, str, str]]:
    table = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    return [(int(number), what, test) for number, what, test in ROW.findall(table)]


@cache
def functions(path: Path) -> dict[str, str]:
    """Return the source of each test of a file, from its first decorator to its last line."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


def numbers(source: str) -> set[int]:
    """Return the scenarios that the markers in a test name."""
    return {int(number) for marked in MARKER.findall(source) for number in re.findall(r"\d+", marked)}


def test_every_scenario_has_one_row() -> None:
    assert [number for number, _, _ in rows()] == list(range(1, 121))


@pytest.mark.parametrize(("number", "test"), [(number, test) for number, _, test in rows()])
def test_a_row_names_tests_that_name_the_scenario(number: int, test: str) -> None:
    if number in NEEDS_A_BROWSER_OR_A_CLUSTER or number in AGREED_EXCEPTIONS:
        assert test.startswith("not here: ") or NAMED.match(test)
    else:
        assert NAMED.match(test), test
    if test.startswith("not here: "):
        return
    assert re.fullmatch(NAMED.pattern + "(, " + NAMED.pattern + ")*", test), "only tests, parted by commas"
    for file, name in NAMED.findall(test):
        tests = functions(ROOT / file)
        assert name in tests, f"{file} has no {name}"
        assert number in numbers(tests[name]), f"{name} does not say `# scenario {number}`"

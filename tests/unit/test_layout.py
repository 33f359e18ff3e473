"""Imports run down only: the order of the package's folders is written here, once, and ARCHITECTURE.md shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import crawler

ROOT = Path(crawler.__file__).parent
# From the top. A place imports what stands below it, and within itself; root modules stand here by their names.
ORDER = (
    "__main__ __init__",
    "bench",
    "cli",
    "api",
    "commands",
    "view",
    "engine",
    "report",
    "measure",
    "run",
    "frontier",
    "export",
    "parse",
    "fetch",
    "scope",
    "store",
    "settings",
    "files",
    "lab",
    "log",
    "records warc",
    "urls",
    "models errors version",
)
RANK = {name: rank for rank, names in enumerate(reversed(ORDER)) for name in names.split()}
LAB_GUESTS = {"lab", "bench", "commands", "cli"}  # the made-up web is no part of a crawl
PLACE = re.compile(r"crawler(\.\w+)+:\w+")  # of what is loaded by name


def modules() -> dict[str, Path]:
    """Every module of the package, by its dotted name without `crawler.`; a folder is its `__init__`."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


MODULES = modules()


def place_of(module: str) -> str:
    """The folder, or the module of the root, that a module belongs to."""
    return module.partition(".")[0]


def named_in(text: str, *, is_table: bool = False) -> Iterator[str]:
    """The modules of the package that a source names: in imports of any kind, and in strings that are loaded later.

    The table of commands names the module of each by a string, so that one that was not asked for is not loaded; these
    are no imports of the command line.
    """
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module whole"
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not is_table
            and PLACE.fullmatch(node.value)
        ):
            names = [node.value.partition(":")[0]]
        for name in names:
            if name == "crawler" or name.startswith("crawler."):
                yield module_of(name.removeprefix("crawler").removeprefix("."))


def module_of(name: str) -> str:
    """The module that a dotted name is, or is in; the root's face for a name that the root defines."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or "__init__"


IMPORTS = {
    name: sorted(set(named_in(path.read_text(encoding="utf-8"), is_table=name == "cli")) - {name})
    for name, path in MODULES.items()
}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_below_it(module: str) -> None:
    here = place_of(module)
    above = [each for each in IMPORTS[module] if place_of(each) != here and RANK[place_of(each)] >= RANK[here]]
    assert not above, f"{module} ({here}) imports what stands above or beside it"
    if here not in LAB_GUESTS:
        assert "lab" not in map(place_of, IMPORTS[module])


def test_no_modules_import_each_other_in_a_circle() -> None:
    below = {name: set(imports) for name, imports in IMPORTS.items()}
    while leaves := {name for name, imports in below.items() if not imports & below.keys()}:
        below = {name: imports for name, imports in below.items() if name not in leaves}
    assert not below, f"among these is a circle: {sorted(below)}"


def test_the_order_names_every_place_and_no_other() -> None:
    assert set(RANK) == {place_of(module) for module in MODULES}


def test_the_order_is_the_one_that_architecture_md_shows() -> None:
    text = (ROOT.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.partition("## The layers")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| ((?:`\w+` ?)+)\|", table, re.MULTILINE)) == tuple(
        "".join(f"`{name}` " for name in names.split()) for names in ORDER
    )


def test_every_folder_says_what_it_offers() -> None:
    for path in ROOT.rglob("__init__.py"):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert said, f"{path.parent.name}/ does not say what it offers"
        assert "mports" in said or path.parent == ROOT, f"{path.parent.name}/ does not say what it imports"

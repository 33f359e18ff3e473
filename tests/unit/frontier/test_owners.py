"""The state of a host belongs to the frontier: others get values, and within it only the host itself writes its own."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import crawler
from crawler.frontier.frontier import Frontier
from crawler.frontier.host import HostQueue
from crawler.frontier.hosts import HostViews
from crawler.frontier.outlook import HostView
from tests.unit.frontier.driver import Crawl, pages

ROOT = Path(crawler.__file__).parent
MODULES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
OUTSIDE = [name for name in MODULES if not name.startswith("frontier/")]
OTHER_OWNERS = [name for name in MODULES if name.startswith("frontier/") and name != "frontier/host.py"]


def nodes_of(module: str) -> Iterator[ast.AST]:
    """The parts of a module's syntax tree."""
    return ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", OUTSIDE)
def test_no_module_outside_the_frontier_imports_a_host_queue(module: str) -> None:
    """Not for its type either."""
    for node in nodes_of(module):
        if isinstance(node, ast.ImportFrom):
            assert node.module != "crawler.frontier.host"
            assert "HostQueue" not in {each.name for each in node.names}
        elif isinstance(node, ast.Import):
            assert "crawler.frontier.host" not in {each.name for each in node.names}


@pytest.mark.parametrize("module", OTHER_OWNERS)
def test_within_the_frontier_only_the_host_queue_writes_its_fields(module: str) -> None:
    """An attribute of its name is written in another module only by a method of the object that has it."""
    for node in nodes_of(module):
        if isinstance(node, ast.Attribute) and node.attr in HostQueue.__slots__:
            is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
            assert is_own or not (node.attr.startswith("_") or isinstance(node.ctx, ast.Store)), ast.unparse(node)


@pytest.mark.parametrize("offered", [Frontier, HostViews])
def test_nothing_that_the_frontier_offers_takes_or_gives_a_host_queue(offered: type) -> None:
    for name, member in vars(offered).items():
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function) and (not name.startswith("_") or name == "__iter__"):
            hints = typing.get_type_hints(function, vars(inspect.getmodule(offered)))
            assert "HostQueue" not in " ".join(map(str, hints.values())), name


def test_a_view_of_a_host_cannot_be_changed_and_does_not_change() -> None:
    crawl = Crawl(pages("a.example", 3)).run(until=0.05)
    (view,) = crawl.frontier.hosts
    assert view == crawl.frontier.hosts.get("a.example")
    for name in HostView.__struct_fields__:
        assert isinstance(getattr(view, name), str | int | float | None)
        with pytest.raises(AttributeError):
            setattr(view, name, 0)
    before = msgspec.structs.astuple(view)
    crawl.run()
    assert msgspec.structs.astuple(view) == before
    assert crawl.frontier.hosts.get("a.example") != view
    assert crawl.frontier.hosts.get("b.example") is None

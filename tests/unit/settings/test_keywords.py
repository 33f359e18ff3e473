"""The keyword arguments of the library are the settings, with their types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from mypy import api as mypy

from crawler.settings.groups import GROUPS, Settings
from crawler.settings.keywords import ALIASES, Options

# `run` is an argument of `crawl` itself, and the others are set by commands alone.
LEFT_OUT = {"run", "parent", "named_origins"}
OPTIONS = ("--config-file=", "--strict", "--ignore-missing-imports", "--follow-imports=silent")
OWN = {"rules", "extract"}  # what a library call takes beyond what a file can say


def of_settings() -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for group in GROUPS:
        if group != "dashboard":
            hints |= get_type_hints(type(getattr(Settings(), group)))
    return {name: hint for name, hint in hints.items() if name not in LEFT_OUT}


def test_every_setting_is_a_keyword_and_has_the_type_of_the_setting() -> None:
    keywords, settings = get_type_hints(Options), of_settings()
    assert keywords.keys() - ALIASES.keys() - OWN == settings.keys() - OWN
    for name, hint in keywords.items():
        if name not in OWN:
            wanted = settings[ALIASES.get(name, name)]
            assert hint == (Sequence[str] if get_origin(wanted) is tuple else wanted), (name, get_args(hint))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ('crawler.crawl("https://a.example/", max_pages=9, delay=2.0, files=["pdf"], parse="inline")', ""),
        ('crawler.stream(["https://a.example/"], strategy="threads", rules={"price": {"css": ".price"}})', ""),
        ('crawler.crawl("https://a.example/", max_page=9)', 'Unexpected keyword argument "max_page"'),
        ('crawler.crawl("https://a.example/", max_pages="9")', 'Argument "max_pages"'),
        ('crawler.stream("https://a.example/", parser="html5")', 'Argument "parser"'),
    ],
)
def test_a_type_checker_finds_an_option_that_there_is_not(call: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(f"import crawler\n\n{call}\n")
    said, _, status = mypy.run([*OPTIONS, str(path)])
    assert complaint in said
    assert bool(status) == bool(complaint), said

"""CSS selectors find what browsers' querySelectorAll finds: each element once, in document order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from crawler.models import ExtractRule
from crawler.parse.extract import selectors
from crawler.parse.extract.page import ExtractPage
from crawler.parse.extract.rules import Rules
from crawler.parse.extract.selectors import Tree
from tests.conftest import lacking

DOCUMENTATION = Path("/usr/share/doc/python3.11/html/library")
PAGE = """<!DOCTYPE html><body id="body"><h2 class="a" id="1">one</h2><div class="b" id="2"><div class="a b" id="3">
<p id="4" title="x, y"><b id="5"><code id="6">six</code></b></p><p class="a" id="7">seven</p></div></div>
<h1 id="8" class="a :is(p)">eight</h1><section id="9"><h2 id="10">ten</h2>
<p id="11"><code id="12">12</code></p></section>"""
SELECTORS = (
    "h1, h2, .a",
    ".a, h2, h1",
    "p, p, div p",
    "div p, div div p, code",
    "div div p",
    ":is(p) code",
    ":is(p, div) code, code",
    "div :is(p, section) code",
    ":where(p) code",
    "div :not(b) code",
    "div > :not(i) code",
    ":has(> h2) code, p",
    "section > :is(h1, h2), section:has(h2) > p, [id='10']",
    '[title="x, y"], [title*=":is(p)"], p',
    "p:first-child, p:last-child, p:nth-child(2n + 1)",
    "h2 ~ p, h2 + p, [id]",
    "a[href], a[title], .reference, :is(dt, li):not(.toctree-l1) a",
    "*",
    "none, .none",
)


def numbered(html: bytes | str) -> Tree:
    """A tree of which each element knows its place."""
    tree = Tree(html)
    root = tree.root
    assert root is not None
    for number, node in enumerate(node for node in root.traverse() if node.is_element_node):
        node.attrs["data-number"] = str(number)
    return tree


@pytest.mark.parametrize("selector", SELECTORS)
def test_elements_come_once_in_document_order(selector: str) -> None:
    tree = numbered(PAGE)
    wanted = [each["data-number"] for each in BeautifulSoup(tree.html or "", "html.parser").select(selector)]
    assert [node.attributes["data-number"] for node in tree.css(selector)] == wanted
    first = tree.css_first(selector)
    assert (first.attributes["data-number"] if first else None) == (wanted[0] if wanted else None)


def test_real_pages_are_read_as_soupsieve_reads_them() -> None:
    pages = sorted(DOCUMENTATION.glob("[a-c]*.html"))[:5]
    if not pages:
        lacking(f"there is no {DOCUMENTATION} (Debian: apt-get install python3.11-doc)")
    found = 0
    for page in pages:
        tree = numbered(page.read_bytes())
        soup = BeautifulSoup(tree.html or "", "html.parser")
        for selector in SELECTORS:
            wanted = [each["data-number"] for each in soup.select(selector)]
            assert [node.attributes["data-number"] for node in tree.css(selector)] == wanted, (page.name, selector)
            found += len(wanted)
    assert found > 1_000


def read(**rule: Any) -> Any:
    values, faults = Rules({"it": ExtractRule(**rule)}).read(ExtractPage("https://a.example/", PAGE.encode()))
    assert faults == []
    return values["it"]


def test_a_rule_with_a_list_of_selectors_takes_each_element_once() -> None:
    assert read(css="h1, .a, h2", list=True, attribute="id") == ["1", "3", "7", "8", "10"]
    assert read(css=".a, h2, #\\31", list=True, attribute="id") == ["1", "3", "7", "8", "10"]
    assert read(css=":is(p) code", list=True) == ["six", "12"]


def test_extractors_find_each_element_once() -> None:
    page = ExtractPage("https://a.example/", PAGE.encode())
    assert [node.id for node in page.tree.css("h2, .a")] == ["1", "3", "7", "8", "10"]


def test_one_element_that_matches_twice_is_the_only_one() -> None:
    tree = Tree(PAGE)
    assert tree.css_first("section, #\\39", strict=True).id == "9"
    assert tree.css_first("nav, aside", default=3) == 3
    with pytest.raises(ValueError, match="'h1, h2' matches 3 elements, not one"):
        tree.css_first("h1, h2", strict=True)


@pytest.mark.parametrize(
    "query", ['[title="a, :is(b)"]', "#a\\:is\\(b", 'p:lexbor-contains(":is(")', "a:is(b) > c:not(d)"]
)
def test_a_selector_is_changed_nowhere_else(query: str) -> None:
    assert selectors._explicit(query) == query

"""Articles in the structure of their pages: headings, lists, tables and code stay what they are."""

from __future__ import annotations

import re
from collections import Counter
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from tests.conftest import lacking
from tests.unit.parse.test_article import SENTENCES, record

pytestmark = pytest.mark.skipif(
    find_spec("trafilatura") is None, reason="trafilatura is not installed: pip install trafilatura lxml_html_clean"
)
# Where no element is named for the main content, as in documentation.
LAYOUT = """<!DOCTYPE html><html lang="en"><head><title>Herons 3.2.25 documentation</title></head><body>
<div class="hd"><h1><a href="/">Herons 3.2.25 documentation</a></h1><a href="/a">Home</a> | <a href="/b">Index</a></div>
<div class="yui-b"><div class="yui-g"><div class="section">{}</div></div></div>
<div class="sidebar"><h3>Table of Contents</h3><ul><li><a href="#a">Herons</a></li><li><a href="#b">Fish</a></li></ul>
</div><div class="ft"><a href="/c">previous</a> | <a href="/d">next</a></div></body></html>"""
DOCUMENTATION = {
    "python3.11-doc": ("/usr/share/doc/python3.11/html", "library/[a-e]*.html", '[role="main"]'),
    "python-django-doc": ("/usr/share/doc/python-django-doc/html", "topics/*.html", "#yui-main .yui-g"),
    "apache2-doc": ("/usr/share/doc/apache2-doc/manual/en", "mod/mod_[a-d]*.html", "#page-content"),
}


def markdown(body: str) -> str:
    text: str = record(LAYOUT.replace("{}", body), article="markdown")["article"]["text"]
    return text


def headings(text: str) -> Counter[str]:
    """The headings that a reader of Markdown finds, as `level word word`."""
    tokens = MarkdownIt("commonmark").parse(text)
    found: Counter[str] = Counter()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            said = "".join(each.content for each in inline.children or () if each.type in ("text", "code_inline"))
            found[f"{opening.tag} {plain(said)}"] += 1
    return found


def plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def test_headings_stand_where_no_element_is_named_for_the_content() -> None:
    text = markdown(
        f'<h1>Herons<a class="headerlink" href="#h" title="Permalink">¶</a></h1><p>{SENTENCES}</p>'
        f'<div class="section"><h2><code>wait()</code> and <em>see</em></h2><p>{SENTENCES}</p>'
        f"<div class='section'><h3>Fish_ing [1]</h3><p>{SENTENCES}</p></div></div><h2>Last</h2><p>{SENTENCES * 2}</p>"
    )
    wanted = ["# Herons", "## `wait()` and *see*", "### Fish\\_ing \\[1]", "## Last"]
    assert [line for line in text.split("\n") if line.startswith("#")] == [
        each.replace("h\\_i", "h_i") for each in wanted
    ]
    for outside in ("3.2.25", "Contents", "previous", "¶"):
        assert outside not in text


def test_a_heading_under_which_the_article_has_nothing_is_left_out() -> None:
    text = markdown(
        f"<h1>Herons</h1><p>{SENTENCES * 3}</p><h2>More</h2><div class='related'><a href='/x'>Eels</a></div>"
    )
    assert headings(text) == {"h1 herons": 1}


def test_lists_are_whole_and_nested() -> None:
    text = markdown(
        f"<h1>Herons</h1><p>{SENTENCES}</p><p>Herons eat:</p>"
        "<ul><li>fish, of which they take <a href='/1'>roach</a>;</li>"
        "<li><a href='/2'>frogs</a><ol><li>green ones</li><li><p>brown ones,</p><p>and toads</p></li></ol></li>"
        f"<li>mice.</li></ul><p>{SENTENCES * 3}</p>"
    )
    frogs = "- frogs\n  1. green ones\n  2. brown ones,\n\n     and toads\n"
    assert f"Herons eat:\n\n- fish, of which they take roach;\n{frogs}- mice.\n\n" in text


def test_terms_keep_their_definitions_tables_their_rows_and_code_its_lines() -> None:
    text = markdown(
        f"<h1>Herons</h1><p>{SENTENCES * 2}</p><dl><dt>wait(<em>n</em>)<a href='#w'>¶</a></dt><dd><p>{SENTENCES}</p>"
        "<pre>while True:\n    wait()\n</pre></dd></dl><table><tr><th>Fish</th><th>Weight</th></tr>"
        f"<tr><td>Roach | Rudd</td><td>200 g, as a rule</td></tr></table><blockquote><p>{SENTENCES}</p><p>{SENTENCES}"
        f"</p></blockquote><p>{SENTENCES}</p>"
    )
    assert f"- wait(*n*)\n\n  {SENTENCES.strip()}\n\n  ```\n  while True:\n      wait()\n  ```\n\n" in text
    assert "| Fish | Weight |\n|---|---|\n| Roach \\| Rudd | 200 g, as a rule |\n" in text
    assert f"> {SENTENCES.strip()}\n>\n> {SENTENCES.strip()}\n" in text


def test_what_looks_like_markdown_means_itself() -> None:
    said = "# 1 *is* not [a](b) `c` <b> __init__ 3 < 4 snake_case"
    text = markdown(f"<h1>Herons</h1><p>{SENTENCES * 3}</p><p>{said.replace('<', '&lt;')}</p><p>1. {SENTENCES}</p>")
    html = BeautifulSoup(MarkdownIt("commonmark").render(text), "lxml")
    assert [each.get_text() for each in html.find_all("p")] == [
        (SENTENCES * 3).strip(),
        said,
        f"1. {SENTENCES.strip()}",
    ]


def test_as_text_it_has_the_same_lines() -> None:
    body = f"<h1>Herons</h1><p>{SENTENCES}</p><h2>Fish <em>too</em></h2><ul><li>{SENTENCES}</li></ul><p>{SENTENCES}</p>"
    found = record(LAYOUT.replace("{}", body), article="text")["article"]["text"]
    assert found == "\n".join(("Herons", SENTENCES.strip(), "Fish too", SENTENCES.strip(), SENTENCES.strip()))


def test_a_deep_page_has_its_article() -> None:
    body = "<div><ul><li>" * 60 + f"<p>{SENTENCES * 3}</p>" + "</li></ul></div>" * 60
    assert SENTENCES.strip() in markdown(f"<h1>Herons</h1>{body}<p>{SENTENCES}</p>")


@pytest.mark.parametrize("package", DOCUMENTATION)
def test_headings_of_documentation_stay(package: str) -> None:
    """Of the headings in the main content of real pages, 95 in 100 are headings of their articles."""
    folder, pattern, main = DOCUMENTATION[package]
    pages = sorted(Path(folder).glob(pattern))[:15]
    if not pages:
        lacking(f"there is no {folder} (Debian: apt-get install {package})")
    wanted = kept = 0
    for page in pages:
        html = page.read_text()
        content = BeautifulSoup(html, "lxml").select_one(main)
        assert content is not None
        for beside in content.select(".headerlink, .permalink, #quickview, #comments_section, .contents, .sidebar"):
            beside.decompose()
        there = Counter(f"{each.name} {plain(each.get_text())}" for each in content.select("h1, h2, h3, h4, h5, h6"))
        there = Counter({each: count for each, count in there.items() if " " in each.strip()})
        article = record(html, article="markdown")["article"]
        wanted += there.total()
        kept += (there & headings(article["text"] if article else "")).total()
    assert wanted > 50
    assert kept >= 0.95 * wanted

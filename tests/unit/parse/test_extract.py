"""Extractors in Python: where they come from, what they see of a page, and what becomes of their mistakes."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.engine import assembly
from crawler.errors import UsageError
from crawler.models import ExtractRule, Request, Response
from crawler.parse.extract.extractors import LEFT_OUT, MAX_DEPTH
from crawler.parse.extract.page import ExtractPage, load
from crawler.parse.options import ExtractOptions
from crawler.parse.stage import PageParser, PageWork, StageContext, decode_parsed, encode_page
from crawler.records import FIELDS
from crawler.scope.scope import Scope, SeedSite
from crawler.scope.seeds import Seeds
from crawler.settings import file as settings_file

URL = "https://shop.example/things/7"
HTML = "<!DOCTYPE html><title>Thïng</title><base href=/b/><h1>A</h1><p class='a b'>x<b>y</b></p><a href=n>next</a>"
MODULE = """
import datetime

class Missing(Exception):
    pass

def fine(page):
    return {
        "url": page.url,
        "starts": page.html[:9],
        "lexbor": [node.text() for node in page.tree.css("p b")],
        "soup": page.soup.select_one("p")["class"],
        "lxml": page.root.xpath("string(//b)"),
        "title": page.soup.title.string,
        "links": [page.join(a["href"]) for a in page.soup.find_all("a")],
        1: datetime.date(2024, 1, 2),
    }

def nothing(page):
    return None

def text(page):
    return "text"

def no_json(page):
    return {"page": page}

def circle(page):
    inner = {}
    inner["again"] = inner
    return inner

def deep(page):
    value = {}
    for _ in range(100):
        value = {"in": value}
    return value

def surrogate(page):
    return {"\\ud800": ["\\udfff", 2.0**2000 if page.url.startswith("x") else float("inf")]}

def fails(page):
    raise ValueError("no\\nluck\\x1b " + "x" * 500)

def misses(page):
    raise Missing(page.url)

def leaves(page):
    raise SystemExit(3)

def takes_all_memory(page):
    raise MemoryError

async def waits(page):
    return {}

constant = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, which Python does not look into, with a module `made_extractor` in it."""
    (tmp_path / "made_extractor.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith(("made_", "broken_"))]:
        del sys.modules[name]


def context(function: str, **wanted: Any) -> StageContext:
    name = f"made_extractor:{function}" if function else ""
    return StageContext(Scope([SeedSite("https://shop.example/")]), wanted=ExtractOptions(function=name, **wanted))


def page(html: str = HTML) -> Response:
    fields = (("content-type", "text/html; charset=utf-8"),)
    return Response(Request(URL, "shop.example", 1), 200, fields, html.encode(), 0.0, 0.0, "asyncio")


def record(function: str, *, is_lone: bool = False, **wanted: Any) -> dict[str, Any]:
    """The record of the page, through the whole stage as a worker runs it."""
    work = PageWork(pickle.loads(pickle.dumps(context(function, **wanted))))
    parsed = decode_parsed(work(b"".join(encode_page(page())), is_lone))
    assert parsed.outcome == "ok"
    found: dict[str, Any] = json.loads(parsed.line)
    assert tuple(found) == FIELDS
    assert found["title"] == "Thïng"
    assert found["links"] == ["https://shop.example/b/n"]
    return found


# What it gives


@pytest.mark.usefixtures("folder")
def test_an_extractor_sees_the_page_as_it_likes_and_its_dictionary_is_in_the_record() -> None:
    found = record("fine")
    assert found["extracted"] == {
        "url": URL,
        "starts": "<!DOCTYPE",
        "lexbor": ["y"],
        "soup": ["a", "b"],
        "lxml": "y",
        "title": "Thïng",
        "links": ["https://shop.example/b/n"],
        "1": "2024-01-02",
    }
    assert found["extract_error"] is None
    assert record("nothing")["extracted"] is None


@pytest.mark.usefixtures("folder")
def test_what_utf8_and_json_cannot_hold_is_replaced() -> None:  # scenario 88
    assert record("surrogate")["extracted"] == {"\ufffd": ["\ufffd", None]}


@pytest.mark.usefixtures("folder")
def test_the_trees_are_the_whole_page_whatever_the_parser_made_of_its_own() -> None:
    for parser in ("lexbor", "bs4"):
        own = StageContext(Scope([SeedSite(URL)]), parser=parser, wanted=ExtractOptions(function="made_extractor:fine"))  # type: ignore[arg-type]
        assert json.loads(PageParser(own).parse(page()).line)["extracted"]["lexbor"] == ["y"]


def test_a_page_is_one_for_all_its_trees() -> None:
    seen = ExtractPage(URL, b"<p>x</p>")
    assert seen.tree is seen.tree
    assert seen.soup is seen.soup
    assert repr(seen) == f"<ExtractPage {URL}>"


# What goes wrong


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("misses", f"made_extractor.Missing: {URL}"),
        ("leaves", "SystemExit: 3"),
        ("takes_all_memory", "MemoryError"),
        ("text", "TypeError: the extractor returned str, not a dictionary"),
        ("no_json", "TypeError: the extractor returned a ExtractPage, which JSON does not have"),
        ("circle", "RecursionError: "),
        ("deep", f"ValueError: the extractor returned more than {MAX_DEPTH} lists"),
        ("fails", "ValueError: no luck\x1b xxxx"),
    ],
)
def test_a_mistake_is_noted_on_its_page_and_the_page_keeps_its_record(function: str, error: str) -> None:
    found = record(function)
    assert found["extracted"] is None
    assert found["extract_error"].startswith(error)
    assert len(found["extract_error"]) <= 200


@pytest.mark.usefixtures("folder")
def test_one_mistake_does_not_keep_the_others_from_their_work() -> None:
    found = record(
        "fails", rules={"h": ExtractRule(css="h1"), "none": ExtractRule(css="h9", required=True)}, simhash=True
    )
    assert found["rules"] == {"h": "A", "none": None}
    assert found["extract_error"].startswith("missing: none; ValueError: no luck")
    assert len(found["simhash"]) == 16


@pytest.mark.usefixtures("folder")
def test_a_page_that_runs_alone_runs_without_extractors_and_says_so() -> None:
    """It ended a worker before: the design's second try, alone and without extractors."""
    found = record("fine", is_lone=True, rules={"h": ExtractRule(css="h1")}, simhash=True)
    assert (found["extracted"], found["rules"], found["article"]) == (None, None, None)
    assert found["extract_error"] == LEFT_OUT
    assert len(found["simhash"]) == 16
    assert record("", is_lone=True, simhash=True)["extract_error"] is None
    assert record("", is_lone=True)["extract_error"] is None


def test_pages_that_are_not_parsed_have_nothing_extracted() -> None:
    parser = PageParser(context("", rules={"h": ExtractRule(css="h1", required=True)}))
    for status, kind in ((404, "text/html"), (200, "application/pdf")):
        other = Response(
            Request(URL, "shop.example", 1), status, (("content-type", kind),), b"%PDF-", 0.0, 0.0, "asyncio"
        )
        found = json.loads(parser.parse(other).line)
        assert (found["rules"], found["extract_error"]) == (None, None)


# Where it comes from


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("made_extractor", ["module:function"]),
        ("made_extractor:", ["module:function"]),
        (":fine", ["module:function"]),
        ("made_extractor:finer", ["no function 'finer'", "made_extractor.py"]),
        ("made_extractor:constant", ["no function 'constant'"]),
        ("made_extractor:waits", ["async"]),
        ("made_nowhere:fine", ["no module 'made_nowhere'"]),
        ("made_nowhere.deep:fine", ["no module 'made_nowhere'"]),
        ("broken_syntax:fine", ["broken_syntax cannot be imported", "SyntaxError"]),
        ("broken_import:fine", ["broken_import cannot be imported", "made_missing"]),
        ("broken_exit:fine", ["broken_exit cannot be imported", "SystemExit"]),
    ],
)
def test_an_extractor_that_cannot_be_had_is_named_before_the_crawl(folder: Path, name: str, words: list[str]) -> None:
    (folder / "broken_syntax.py").write_text("def fine(page:\n")
    (folder / "broken_import.py").write_text("import made_missing\n")
    (folder / "broken_exit.py").write_text("raise SystemExit(1)\n")
    with pytest.raises(UsageError) as caught:
        assembly.check(settings_file.build({"parse": {"extract": name}}, "the test"), Seeds((), ()))
    assert str(caught.value).startswith(f"--extract {name}: ")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.usefixtures("folder")
def test_nothing_in_the_current_directory_takes_the_place_of_a_library() -> None:
    Path("json.py").write_text("raise SystemExit")
    load("made_extractor:fine")
    assert sys.path[-1] == str(Path.cwd())
    assert sys.path[0] != str(Path.cwd())

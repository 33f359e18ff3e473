"""Pages that are made to be deep, enormous or slow are read within bounds, or refused for all to see."""

from __future__ import annotations

import ast
import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import crawler
from crawler.engine import assembly
from crawler.errors import ParseError, RunError
from crawler.lab import hostile
from crawler.models import ExtractRule, Parsed, Request, Response
from crawler.parse import lexbor, sitemap, soup
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.options import USUAL, ExtractOptions
from crawler.parse.stage import PageParser, StageContext
from crawler.scope.scope import Scope, SeedSite
from crawler.settings.groups import ParseSettings
from tests.unit.bounded import MIB, within

URL = "https://a.example/"
READERS = {"lexbor": lexbor.read, "bs4": soup.read}
MANY = 100_000
HTML = (("Content-Type", "text/html; charset=utf-8"),)


def page(body: bytes, kind: str = "page") -> Response:
    return Response(Request(URL, "a.example", 1, kind), 200, HTML, body, 0.0, 0.0, "asyncio")  # type: ignore[arg-type]


async def parse(
    *pages: Response, cpu_s: float = 10.0, parser: str = "lexbor", wanted: ExtractOptions = USUAL
) -> list[Parsed | ParseError]:
    """What a worker makes of pages, with the limits of the defaults but for the CPU time."""
    context = StageContext(Scope([SeedSite(URL)]), parser=parser, wanted=wanted)  # type: ignore[arg-type]
    futures = [asyncio.get_running_loop().create_future() for _ in pages]

    def fatal(error: RunError) -> None:
        for future in futures:
            future.set_exception(error)

    pool = assembly.parse_pool(ParseSettings(workers=1, cpu_limit_s=cpu_s), context, fatal)
    await pool.start()
    for each, future in zip(pages, futures, strict=True):
        pool.submit(each, future.set_result)
    try:
        return list(await asyncio.wait_for(asyncio.gather(*futures), 60))
    finally:
        await pool.close()


# Depth

# name → what is opened again and again, and how often
NESTED = {
    **{name: (f"<{name}>", MANY) for name in ("font", "span", "b", "button", "nobr", "math", "svg")},
    "table": ("<table><tr><td>", MANY // 3),
    "font in p": ("<p><font>", MANY // 2),
    "span with text": ("<span>w ", MANY),
}
# Blocks are looked through for an open paragraph at each start tag, so these are nested less deep.
BLOCKS = {
    "div": ("<div>", 10_000),
    "dl": ("<dl><dd>", 5_000),
    "ul": ("<ul><li>", 5_000),
    "section": ("<section><div>", 5_000),
    "list in i": ("<i><ul>", 5_000),
    "div with text": ("<div>w", 10_000),
}


def read_nested(parser: str, opened: str, count: int) -> tuple[str, list[str]]:
    """Text and links at the bottom of a deep page."""
    body = (opened * count + "deep <a href=/deep>down</a>").encode()
    document = READERS[parser](body, URL, LinkJoiner(), 5_000)
    return document.text[-9:].replace("\n", " "), document.hrefs[-1:]


def read_all_nested(parser: str) -> dict[str, tuple[str, list[str]]]:
    share = 10 if parser == "bs4" else 1  # whose depth the last of these tests tries, once
    shapes = {**NESTED, **BLOCKS}.items()
    return {kind: read_nested(parser, opened, count // share) for kind, (opened, count) in shapes}


@pytest.mark.parametrize("parser", READERS)
def test_nothing_is_lost_at_the_bottom_of_a_deep_page(parser: str) -> None:
    """No crash, no recursion, no text and no link missing, whatever is nested, in a minute and half a GiB together."""
    # scenario 91
    assert within(60, 512, read_all_nested, parser) == {
        kind: ["deep down", [URL + "deep"]] for kind in (*NESTED, *BLOCKS)
    }


async def test_a_page_too_deep_for_its_time_is_refused_and_its_neighbours_are_read() -> None:
    """A hundred thousand nested blocks take Lexbor longer than a page may: not lost in silence, and no page with it."""
    # scenario 91
    deep = page(b"<div>" * MANY + b"deep")
    before, answer, after = await parse(page(b"<p>one"), deep, page(b"<p>two"), cpu_s=0.5)
    assert isinstance(answer, ParseError)
    assert answer.reason == "parse_cpu"
    assert [json.loads(each.line)["text"] for each in (before, after) if isinstance(each, Parsed)] == ["one", "two"]


async def test_a_page_as_deep_as_that_is_read_by_the_other_parser() -> None:
    # scenario 91
    (answer,) = await parse(page(b"<dl><dd>" * (MANY // 2) + b"deep"), parser="bs4")
    assert isinstance(answer, Parsed)
    assert json.loads(answer.line)["text"] == "deep"


# Size

MILLION = 1_000_000
ENORMOUS: dict[str, Callable[[], str]] = {
    "an attribute of 10 MB": lambda: f"<a href='/{'x' * 10 * MILLION}'>end",
    "a hundred thousand attributes that are one": lambda: f"<p {'a=1 ' * MANY}>end",
    "ten thousand attributes": lambda: f"<p {' '.join(f'a{n}=1' for n in range(10_000))}>end",
    "a text of 10 MB": lambda: f"<p>{'y' * 10 * MILLION} end",
    "10 MB of white space": lambda: "<p>" + " \n" * 5 * MILLION + "end",
    "a word after 10 MB of white space": lambda: " \n" * 5 * MILLION + "end",
    "a million line breaks": lambda: f"{'<br>' * MILLION}end",
    "a million characters by name": lambda: f"<p>{'&amp;' * MILLION} end",
    "300,000 links": lambda: f"{''.join(f'<a href=/{n}>' for n in range(300_000))}end",
    "a comment of 10 MB": lambda: f"<!--{'-' * 10 * MILLION}--><p>end",
    "200,000 comments": lambda: f"{'<!-- x -->' * 200_000}<p>end",
    "a script of 10 MB": lambda: f"<script>{'<script>' * MILLION}</script><p>end",
    "100,000 metas": lambda: f"{'<meta name=description content=x>' * MANY}<p>end",
}


def read_enormous() -> dict[str, tuple[str, int, int]]:
    """The last word of each text, how long the text is, and how many links were kept."""
    read = {name: lexbor.read(make().encode(), URL, LinkJoiner(), 5_000) for name, make in ENORMOUS.items()}
    return {name: (each.text[-3:], len(each.text), len(each.hrefs)) for name, each in read.items()}


def test_an_enormous_page_is_read_to_its_end_within_bounds() -> None:
    """In half a minute together and a GiB, which is the limit of a worker; the links above their limit are left."""
    # scenario 92
    read = within(30, 1024, read_enormous)
    assert {name: each[0] for name, each in read.items()} == dict.fromkeys(ENORMOUS, "end")
    assert read["a text of 10 MB"][1] == 10 * MILLION + 4
    assert read["300,000 links"][2] == 5_000


async def test_more_attributes_than_a_page_may_take_time_for_are_refused() -> None:
    """Lexbor compares each new attribute of an element with all before."""
    # scenario 92
    body = f"<p {' '.join(f'a{number}=1' for number in range(MANY))}>end"
    answer, after = await parse(page(body.encode()), page(b"<p>after"), cpu_s=0.5)
    assert isinstance(answer, ParseError)
    assert answer.reason == "parse_cpu"
    assert isinstance(after, Parsed)


def headings_of(parser: str, layers: int, length: int) -> list[int]:
    """How many headings a page has that nests them, and how many characters they have together."""
    body = b"<h1><div>" * layers + b"y" * length
    document = READERS[parser](body, URL, LinkJoiner(), 5_000)
    return [len(document.headings), sum(len(text) for _, text in document.headings)]


@pytest.mark.parametrize("parser", READERS)
def test_headings_inside_of_each_other_do_not_multiply_their_text(parser: str) -> None:
    """Two thousand headings around 100 kB would be 200 MB; those around a line are kept as they are."""
    # scenario 92
    assert within(5, 256, headings_of, parser, 2_000, 100_000) == [2, 200_000]
    assert within(5, 256, headings_of, parser, 20, 50) == [20, 1_000]


# Slow readers


def test_no_selector_runs_on_every_page() -> None:
    """The parsers walk their tree once; only what the user asks for by a selector is looked for by one."""
    # scenario 93
    selectors = {"select", "select_one", "css", "css_first", "css_matches", "xpath", "cssselect", "find_all", "findall"}
    on_request = {"rules.py", "elements.py", "extract.py", "article.py"}
    for path in (Path(crawler.__file__).parent / "parse").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert called.isdisjoint(selectors) or path.name in on_request, path.name


@pytest.mark.parametrize(
    "rule", [ExtractRule(css="div:has(div div p)"), ExtractRule(xpath="//div[.//div[.//div[not(.//p)]]]")]
)
async def test_a_rule_that_a_deep_page_makes_slow_costs_the_page_its_rules_and_nothing_more(rule: ExtractRule) -> None:
    """The page ends its worker, is read once more without rules, and says so; the next page has them again."""
    # scenario 93
    wanted = ExtractOptions(rules={"slow": rule})
    deep, after = await parse(page(b"<div>" * 3_000 + b"deep"), page(b"<p>after"), cpu_s=0.5, wanted=wanted)
    assert isinstance(deep, Parsed)
    assert isinstance(after, Parsed)
    record = json.loads(deep.line)
    assert (record["outcome"], record["text"]) == ("ok", "deep")
    assert record["extract_error"]
    assert json.loads(after.line)["extract_error"] is None


# What makes a reader go back and forth that was not made for it: patterns, prescans, entities, unfinished constructs.
REFERENCE = '{"author":{"@id":"x"}}'
SLOW: dict[str, Callable[[], str]] = {
    "a refresh of digits": lambda: f"<meta http-equiv=refresh content='{'0' * MILLION}'>",
    "a refresh of dots": lambda: f"<meta http-equiv=refresh content='{'0.' * MILLION}'>",
    "a refresh of white space": lambda: f"<meta http-equiv=refresh content='0{' ' * MILLION}x'>",
    "a refresh of separators": lambda: f"<meta http-equiv=refresh content='{'0 ;url ' * 200_000}'>",
    "a charset that never comes": lambda: f"<meta charset{'=' * MILLION}>",
    "metas that never end": lambda: "<meta " * 200_000,
    "comments that never end": lambda: "<!--" * MILLION,
    "less-than signs": lambda: "<" * MILLION,
    "tags that never end": lambda: "<a href='" * 500_000,
    "declarations": lambda: "<?xml " * 500_000,
    "white space before a declaration": lambda: " " * MILLION + "<?xml" + " " * MILLION,
    "ampersands": lambda: "&" * MILLION,
    "a path of dots": lambda: f"<a href='{'../' * 5_000}'>",
    "paths of slashes": lambda: "".join(f"<a href='/{'/' * 8_000}{n}'>" for n in range(300)),
    "white space around an href": lambda: f"<a href='{' ' * 15_000}x{' ' * 1_000}'>" * 50,
    "directives": lambda: f"<meta name=robots content='{'a,' * MILLION}'>",
    "relations": lambda: f"<a rel='{'x ' * MILLION}' href=/x>",
    "JSON-LD in JSON-LD": lambda: f"<script type='application/ld+json'>{'[' * MILLION}</script>",
    "JSON-LD that refers to itself": lambda: (
        f"<script type='application/ld+json'>[{','.join([REFERENCE] * 2_700)}]</script>"
    ),
    "drawings with titles": lambda: "<svg>" * 5_000 + "<title></title>" * 5_000,
}


def read_slow(parser: str) -> dict[str, str]:
    """The outcome of each page in the whole stage."""
    reader = PageParser(StageContext(Scope([SeedSite(URL)]), parser=parser))  # type: ignore[arg-type]
    return {name: reader.parse(page(make().encode())).outcome for name, make in SLOW.items()}


@pytest.mark.parametrize("parser", READERS)
def test_no_page_makes_a_reader_go_back_and_forth(parser: str) -> None:
    """Together they take half a minute at most, where one reader that goes back would take hours for one of them."""
    # scenario 94
    assert within(30, 512, read_slow, parser) == dict.fromkeys(SLOW, "ok")


# Sitemaps

ENTRY = b"<url><loc>https://a.example/1</loc></url>"
SITEMAPS: dict[str, Callable[[], bytes]] = {
    "a bomb": lambda: gzip.compress(b"<urlset>" + ENTRY) + hostile.bomb(),
    "a bomb in a bomb": lambda: gzip.compress(gzip.compress(b"<urlset>" + ENTRY + b" " * 200 * MIB)),
    "more entries than there may be": lambda: b"<urlset>" + ENTRY * 60_000,
    "more lines than there may be": lambda: b"https://a.example/1\n" * 60_000,
    "20 MB of ampersands": lambda: b"<urlset>" + ENTRY + b"<url><loc>" + b"&" * 20 * MILLION,
    "300,000 elements that mean nothing": lambda: b"<urlset>" + ENTRY + b"<a/>" * 3 * MANY,
    "300,000 elements in one entry": lambda: b"<urlset>" + ENTRY + b"<url>" + b"<a/>" * 3 * MANY,
    "a million nested elements": lambda: b"<urlset>" + ENTRY + b"<a>" * MILLION,
    "20 MB of attributes": lambda: b"<urlset>" + ENTRY + b"<url " + b"a='1' " * 3 * MILLION,
}


def read_sitemaps() -> dict[str, tuple[int, bool]]:
    """How many pages each sitemap names, and whether there were more."""
    found = {name: sitemap.parse(make()) for name, make in SITEMAPS.items()}
    return {name: (len(each.pages), each.truncated) for name, each in found.items()}


def test_a_hostile_sitemap_keeps_what_came_before_and_takes_bounded_memory() -> None:
    # scenarios 62, 63
    read = within(30, 512, read_sitemaps)
    assert {name: each[0] for name, each in read.items()} == {
        name: 50_000 if name.startswith("more") else 1 for name in SITEMAPS
    }
    assert all(is_truncated for name, (_, is_truncated) in read.items() if "bomb" in name or name.startswith("more"))

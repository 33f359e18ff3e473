"""Rules: what `[extract.NAME]` tables take from a page, and what is said of those that cannot be used."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.engine import assembly
from crawler.errors import UsageError
from crawler.models import ExtractRule
from crawler.parse.extract import rules
from crawler.parse.extract.page import ExtractPage
from crawler.parse.extract.rules import Rules, number_in
from crawler.scope.seeds import Seeds
from crawler.settings import file as settings_file
from crawler.settings.groups import Settings

URL = "https://shop.example/things/7?x=1"
PAGE = """<!DOCTYPE html><html><head><title>A thing</title>
<meta property="og:price" content="12.50"><base href="/base/">
<link rel="canonical" href="seven"></head><body>
<div class="product" data-id="7" data-empty><h1>A <em>good</em> thing</h1>
 <p class="price">EUR&nbsp;1.234,50</p><p class="old price">1,499.00</p>
 <ul class="tags"><li>one</li><li>two</li><li> </li></ul>
 <time datetime="2024-01-02T10:00Z">yesterday</time>
 <a class="more" href="next#top">next</a><a class="more" href="javascript:x">no</a><img src="//cdn.example/i.png">
 <script id="state">{"stock": 5}</script><p class="note">a<br>b<!-- c --> <b>c</b><style>x</style></p>
</div></body></html>"""


def read(url: str = URL, html: str = PAGE, **rule: Any) -> Any:
    """What one rule takes from the page."""
    values, faults = Rules({"it": ExtractRule(**rule)}).read(ExtractPage(url, html.encode()))
    assert faults == []
    return values["it"]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"css": "h1"}, "A good thing"),
        ({"css": ".tags li", "list": True}, ["one", "two"]),
        ({"css": ".tags"}, "one two"),
        ({"css": ".note"}, "a b c"),
        ({"css": "title"}, "A thing"),
        ({"css": "#state"}, '{"stock": 5}'),
        ({"css": "#state", "regex": r'"stock": (\d+)', "type": "number"}, 5),
        ({"css": ".product", "attribute": "data-id"}, "7"),
        ({"css": ".product", "attribute": "data-empty"}, None),
        ({"css": ".product", "attribute": "none"}, None),
        ({"css": ".none"}, None),
        ({"css": ".none", "list": True}, []),
        ({"css": "meta[property='og:price']", "type": "number"}, 12.5),
        ({"css": ".price", "type": "number"}, 1234.5),
        ({"css": ".price", "type": "number", "list": True}, [1234.5, 1499.0]),
        ({"css": "h1", "type": "number"}, None),
        ({"css": "time", "type": "date"}, "2024-01-02T10:00:00Z"),
        ({"css": "time"}, "yesterday"),
        ({"css": "h1", "type": "date"}, None),
        ({"css": "a.more", "type": "url", "list": True}, ["https://shop.example/base/next"]),
        ({"css": "img", "type": "url"}, "https://cdn.example/i.png"),
        ({"css": "link", "type": "url"}, "https://shop.example/base/seven"),
        ({"css": "a.more", "attribute": "href"}, "next#top"),
        ({"css": "h1", "type": "html"}, "<h1>A <em>good</em> thing</h1>"),
        ({"css": "h1", "regex": "(good|bad) (.*)"}, "good"),
        ({"css": "h1", "regex": "good.*"}, "good thing"),
        ({"css": "h1", "regex": "(x)?good"}, None),
        ({"css": "h1", "regex": "better"}, None),
        ({"css": "li", "regex": "t.*"}, "two"),
        ({"xpath": "//h1"}, "A good thing"),
        ({"xpath": "//p[@class='note']"}, "a b c"),
        ({"xpath": "//li/text()", "list": True}, ["one", "two"]),
        ({"xpath": "//a/@href", "list": True, "type": "url"}, ["https://shop.example/base/next"]),
        ({"xpath": "//a", "type": "url"}, "https://shop.example/base/next"),
        ({"xpath": "//div", "attribute": "data-id", "type": "number"}, 7),
        ({"xpath": "//h1", "type": "html"}, "<h1>A <em>good</em> thing</h1>"),
        ({"xpath": "//li/following-sibling::li[1]"}, "two"),
        ({"xpath": "count(//li)", "type": "number"}, 3),
        ({"xpath": "string(//h1)"}, "A good thing"),
        ({"xpath": "boolean(//h1)"}, True),
        ({"xpath": "//comment()"}, "c"),
        ({"xpath": "//none"}, None),
    ],
)
def test_a_rule_takes_what_it_says(rule: dict[str, Any], value: Any) -> None:
    assert read(**rule) == value


def test_a_rule_is_for_the_urls_in_which_its_pattern_is_found() -> None:
    assert read(css="h1", url_pattern=r"/things/\d+\?") == "A good thing"
    assert read(css="h1", url_pattern=r"/people/") is None


def test_a_required_value_that_is_missing_is_named_where_the_rule_is_for_the_page() -> None:
    table = {
        "here": ExtractRule(css="h1", required=True),
        "gone": ExtractRule(css=".gone", required=True),
        "all": ExtractRule(css=".gone", list=True, required=True),
        "elsewhere": ExtractRule(css=".gone", required=True, url_pattern="/people/"),
    }
    values, faults = Rules(table).read(ExtractPage(URL, PAGE.encode()))
    assert values == {"here": "A good thing", "gone": None, "all": [], "elsewhere": None}
    assert faults == ["missing: gone, all"]


@pytest.mark.parametrize(
    "html", ["", "\0", "<p>\0x", "word", "<?xml version='1.0' encoding='latin-1'?><p>é", "<!-- -->"]
)
def test_every_page_can_be_asked(html: str) -> None:
    for rule in ({"css": "p"}, {"xpath": "//p"}):
        assert read(html=html, **rule) in (None, "x", "\ufffdx", "é")


def test_rules_that_would_take_a_page_many_times_over_are_stopped() -> None:  # scenario 94
    """Each element holds all others: their sources together have 50 million characters."""
    page = ExtractPage(URL, (b"<div>" * 400 + b"x" * 100_000))
    for rule in (ExtractRule(css="div", type="html", list=True), ExtractRule(xpath="//div", type="html", list=True)):
        values, faults = Rules({"all": rule, "later": ExtractRule(css="div")}).read(page)
        assert 0 < sum(map(len, values["all"])) <= rules.MAX_CHARS
        assert values["later"] is None
        assert faults == ["the rules take more than 1,048,576 characters of this page; the rest was left out"]


# Faults


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("css = 'div['", ["extract.price.css", "'div['", "not a CSS selector"]),
        ("css = 'p::text'", ["extract.price.css", "attribute"]),
        ("css = 'p:nosuch(1)'", ["extract.price.css"]),
        ("xpath = '//a['", ["extract.price.xpath", "'//a['", "not an XPath expression"]),
        ("xpath = 'nosuch(1)'", ["extract.price.xpath", "function"]),
        ("xpath = '//x:a'", ["extract.price.xpath", "namespace"]),
        ("css = 'p'\nregex = '('", ["extract.price.regex", "'('", "regular expression"]),
        ("css = 'p'\nurl_pattern = '['", ["extract.price.url_pattern", "'['", "regular expression"]),
        ("css = 'p'\nxpath = '//p'", ["extract.price", "both css and xpath"]),
        ("required = true", ["extract.price", "neither css nor xpath"]),
        ("css = 'p'\ntype = 'colour'", ["crawl.toml", "extract.price.type", "colour"]),
        ("css = 'p'\nlists = true", ["crawl.toml", "extract.price", "unknown key 'lists'"]),
        ("css = 3", ["crawl.toml", "extract.price.css", "expected text"]),
        ("css = 'p'\nlist = 'all'", ["crawl.toml", "extract.price.list", "expected true or false"]),
    ],
)
def test_a_rule_that_cannot_be_used_is_named_before_the_crawl(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "crawl.toml"
    path.write_text(f"[extract.title]\ncss = 'h1'\n[extract.price]\n{text}\n")
    with pytest.raises(UsageError) as caught:
        assembly.check(settings_file.load(path, {}), Seeds((), ()))
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_extract_is_a_table_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "crawl.toml"
    for text in ("extract = 3", "[extract]\ncss = 'h1'"):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"in .*crawl\.toml: extract.*expected a table"):
            settings_file.load(path, {})


def test_rules_survive_being_written_and_read() -> None:
    """A run's settings hold them, so that it goes on with them."""
    tables = {
        "price": {"css": "p > .price", "type": "number", "list": True, "required": True},
        'an "odd" näme.': {"xpath": "//a[@b='c']/@href", "regex": '\\d\t\\"', "attribute": "x", "url_pattern": "^h"},
    }
    chosen = settings_file.build({"extract": tables}, "the test")
    assert chosen.extract["price"] == ExtractRule(css="p > .price", type="number", list=True, required=True)
    assert settings_file.build(tomllib.loads(settings_file.render(chosen)), "the test") == chosen


def test_the_default_file_shows_a_rule_as_a_comment_that_is_one() -> None:
    text = settings_file.render(Settings(), comments=True)
    assert "\n# [extract.price]\n" in text
    example = text[text.index("# [extract.price]") :].replace("# ", "")
    assert Rules(settings_file.build(tomllib.loads(example), "the example").extract)
    assert "[extract" not in settings_file.render(Settings())


# Numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.50", 1234.5),
        ("1.234,50 €", 1234.5),
        ("€ 1\u00a0234,5", 1234.5),
        ("CHF 1'234'567.89", 1234567.89),
        ("1.234.567", 1234567),
        ("12,34,567", 1234567),
        ("1,234", 1234),
        ("0,125", 0.125),
        ("1.234", 1.234),
        ("12,5", 12.5),
        (".5", 0.5),
        ("$-5", -5),
        ("−3 °C", -3),
        ("-$5.20", -5.2),
        ("A-5", 5),
        ("EUR12", 12),
        ("2020-2021", 2020),
        ("12 34", 12),
        ("v1.2.3", 1.2),
        ("page 3 of 1,000", 3),
        ("none", None),
        ("", None),
        ("9" * 5_000, None),
        ("٣", None),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, number: float | None) -> None:
    found = number_in(text)
    assert (found, type(found)) == (number, type(number))


@given(st.floats(-1e9, 1e9).map(lambda value: round(value, 2)))
def test_numbers_come_back_however_their_thousands_are_set_apart(value: float) -> None:
    english = f"{value:,.2f}"
    assert number_in(f"now {english} only") == value
    assert number_in(english.replace(",", " ")) == value
    assert number_in(english.translate({ord(","): ".", ord("."): ","})) == value


@given(st.text() | st.text("0123456789,.- '$"))
def test_no_text_makes_the_reader_of_numbers_raise(text: str) -> None:
    found = number_in(text)
    assert found is None or isinstance(found, int | float)

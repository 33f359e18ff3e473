"""What pages say of themselves for machines: both parsers find the same, and nothing that is wrong in it does harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.models import Metadata, Record, Request, Response
from crawler.parse import lexbor, soup
from crawler.parse.dates import iso_date
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.metadata import MAX_JSONLD_CHARS, MAX_JSONLD_DEPTH
from crawler.parse.options import ExtractOptions
from crawler.parse.stage import PageParser, StageContext
from crawler.records import FIELDS
from crawler.scope.scope import Scope, SeedSite

URL = "https://a.example/dir/page"
READERS = {"lexbor": lexbor.read, "bs4": soup.read}

Read = Callable[..., Metadata]


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest) -> Read:
    """A function of HTML that returns the Metadata, once for each parser."""

    def run(html: str, **wanted: Any) -> Metadata:
        return READERS[request.param](html.encode(), URL, LinkJoiner(), 5_000, ExtractOptions(**wanted)).metadata

    return run


ARTICLE = """<!DOCTYPE html>
<html lang="en"><head><title>T</title>
 <meta property="og:title" content=" A  title "><meta property="OG:Type" content="article">
 <meta property="og:image" content="/one.jpg"><meta property="og:image" content="/two.jpg">
 <meta name="twitter:card" content="summary"><meta property="og:empty" content="">
 <meta property="article:published_time" content="2024-01-02T10:00:00+00:00">
 <meta property="article:tag" content="crawling"><meta name="author" content="Ann Example">
 <link rel="alternate" hreflang="de" href="/de/seite"><link rel="alternate" hreflang="x-default" href="/page">
 <link rel="alternate" hreflang="de" href="/de/noch-eine"><link rel="alternate" hreflang="fr" href="javascript:x">
 <link rel="alternate" type="application/json" href="api/page.json">
 <link rel="alternate" media="only screen and (max-width: 640px)" href="https://m.a.example/">
 <link rel="alternate" type="application/rss+xml; charset=utf-8" title="News" href="/feed#top">
 <link rel="alternate" type="application/atom+xml" href="/atom"><link rel="feed" href="/feed">
 <link rel="alternate stylesheet" href="/dark.css" title="dark">
 <script type="application/ld+json">
  {"@context": "https://schema.org", "@type": "Article", "headline": "A <b>title</b>", "dateModified": "2024-02-03"}
 </script>
 <script>var no = {"@type": "Article"};</script>
</head><body><h1>A title</h1><p>Text</p></body></html>"""


def test_a_page_with_everything_is_read_as_a_whole(read: Read) -> None:
    assert read(ARTICLE) == Metadata(
        og={
            "og:title": "A title",
            "og:type": "article",
            "og:image": ["/one.jpg", "/two.jpg"],
            "twitter:card": "summary",
            "article:published_time": "2024-01-02T10:00:00+00:00",
            "article:tag": "crawling",
        },
        jsonld=[
            {
                "@context": "https://schema.org",
                "@type": "Article",
                "headline": "A <b>title</b>",
                "dateModified": "2024-02-03",
            }
        ],
        alternates={
            "de": "https://a.example/de/seite",
            "x-default": "https://a.example/page",
            "application/json": "https://a.example/dir/api/page.json",
            "only screen and (max-width: 640px)": "https://m.a.example/",
        },
        feeds=["https://a.example/feed", "https://a.example/atom"],
        author="Ann Example",
        published="2024-01-02T10:00:00Z",
        modified="2024-02-03",
    )


def test_what_a_page_does_not_say_and_what_is_not_wanted_is_none(read: Read) -> None:
    assert read("<p>x<time>yesterday</time><script type='application/ld+json'></script>") == Metadata()
    assert read(ARTICLE, metadata=False) == Metadata()
    assert read("<p>x", images=True, link_details=True) == Metadata()


def test_text_and_links_do_not_depend_on_what_else_is_wanted() -> None:
    page = ARTICLE + "<p>a <a href=/x rel=author>link <b>to</b></a> b<img src=i alt=I> <time datetime=2024>c</time></p>"
    for reader in READERS.values():
        bare = reader(page.encode(), URL, LinkJoiner(), 5_000, ExtractOptions(metadata=False))
        full = reader(page.encode(), URL, LinkJoiner(), 5_000, ExtractOptions(images=True, link_details=True))
        assert msgspec.structs.replace(full, metadata=Metadata()) == bare


# JSON-LD


def scripts(*texts: str) -> str:
    return "".join(f'<script type="application/ld+json">{text}</script>' for text in texts)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, {}]", [1, {}]),
        ('{"a": "line\nend\ttab"}', {"a": "line\nend\ttab"}),
        ('<!--\n{"a": 1}\n-->', {"a": 1}),
        ('//<![CDATA[\n{"a": "<p>"}\n//]]>', {"a": "<p>"}),
        ('<![CDATA[{"a": 1}]]>;', {"a": 1}),
        ('{"a": NaN, "b": 1e999}', {"a": None, "b": None}),
        ('{"a": "\\ud800", "\\ud800": 1}', {"a": "\ufffd", "\ufffd": 1}),
        ('{"a": 1180591620717411303424}', {"a": 2**70}),
    ],
)
def test_what_browsers_of_data_forgive_is_forgiven(text: str, value: Any) -> None:  # scenario 88
    for parser in READERS:
        assert recorded(scripts(text), parser)["jsonld"] == [value]


@pytest.mark.parametrize("text", ["", "null", '"text"', "1", "{", '{"a": 1,}', "{'a': 1}", "&quot;", "9" * 5_000])
def test_what_is_no_object_or_list_is_left_out_and_the_next_script_counts(read: Read, text: str) -> None:
    assert read(scripts(text, '{"a": 1}')).jsonld == [{"a": 1}]


def recorded(html: str, parser: str) -> dict[str, Any]:
    """The record of a page, through the whole stage."""
    request = Request(URL, "a.example", 1)
    page = Response(request, 200, (("content-type", "text/html; charset=utf-8"),), html.encode(), 0.0, 0.0, "asyncio")
    parsed = PageParser(StageContext(Scope([SeedSite(URL)]), parser=parser)).parse(page)  # type: ignore[arg-type]
    assert parsed.outcome == "ok"
    record: dict[str, Any] = json.loads(parsed.line)
    assert tuple(record) == FIELDS
    assert msgspec.json.decode(parsed.line, type=Record).jsonld == record["jsonld"]
    return record


@pytest.mark.parametrize("parser", READERS)
@pytest.mark.parametrize("depth", [MAX_JSONLD_DEPTH + 1, 900, 5_000, 30_000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_json_inside_of_json_is_left_out(parser: str, depth: int, left: str, right: str) -> None:  # scenario 94
    deep = left * depth + "1" + right * depth
    assert recorded(scripts(deep, '{"a": 1}'), parser)["jsonld"] == [{"a": 1}]


def test_json_as_deep_as_allowed_is_kept(read: Read) -> None:
    deep = "[" * MAX_JSONLD_DEPTH + "]" * MAX_JSONLD_DEPTH
    assert json.dumps(read(scripts(deep)).jsonld) == f"[{deep}]"


def test_json_is_kept_up_to_a_size_and_what_fits_after_it_is_kept_too(read: Read) -> None:  # scenario 94
    half = json.dumps(["x" * (MAX_JSONLD_CHARS // 2)])
    kept = read(scripts(half, half, "[1]", json.dumps("y" * 10_000_000))).jsonld
    assert kept == [json.loads(half), [1]]


# Author and dates


@pytest.mark.parametrize(
    ("html", "author"),
    [
        ("<meta name=AUTHOR content=' Ann '>", "Ann"),
        ("<meta name=citation_author content=Ann><meta name=citation_author content=Ben>", "Ann, Ben"),
        ("<meta property=article:author content=https://social.example/ann>", None),
        ("<meta property=article:author content=Ann>", "Ann"),
        (scripts('{"author": "Ann"}'), "Ann"),
        (scripts('{"author": {"@type": "Person", "name": ["Ann", "Anna"]}}'), "Ann"),
        (scripts('{"author": [{"name": "Ann"}, {"name": "Ben"}, {"name": "Ann"}]}'), "Ann, Ben"),
        (scripts('{"@graph": [{"author": {"@id": "#p"}}, {"@id": "#p", "name": "Ann"}]}'), "Ann"),
        (scripts('{"author": [1, null, {}, {"name": {}}], "@graph": {}}', '[[], 1, {"author": "Ann"}]'), "Ann"),
        (
            "<p>by <a rel='nofollow Author' href=/ann>Ann <b>Example</b></a> <a rel=author href=/b>Ben</a>",
            "Ann Example",
        ),
        ("<meta name=author content=Meta>" + scripts('{"author": "Ann"}'), "Meta"),
        ("<a rel=author href=/b>Ben</a>" + scripts('{"author": "Ann"}'), "Ann"),
    ],
)
def test_the_author_is_who_is_named_in_the_best_place(read: Read, html: str, author: str | None) -> None:
    assert read(html).author == author


@pytest.mark.parametrize(
    ("html", "published", "modified"),
    [
        ("<meta name=date content=2024-01-02>", "2024-01-02", None),
        ("<meta itemprop=datePublished content=2024-01-02>", "2024-01-02", None),
        ("<meta property=og:updated_time content='Tue, 02 Jan 2024 10:00:00 GMT'>", None, "2024-01-02T10:00:00Z"),
        (scripts('{"datePublished": "2024-01-02", "dateModified": ["2024-01-03"]}'), "2024-01-02", "2024-01-03"),
        ("<time itemprop=datePublished datetime=2024-01-02>", "2024-01-02", None),
        ("<time pubdate datetime=2024-01-02T03:04Z>", "2024-01-02T03:04:00Z", None),
        ("<time class='entry-date updated' datetime=2024-01-02>", "2024-01-02", "2024-01-02"),
        ("<time datetime=2024-01-02>", None, None),
        ("<meta name=date content=' last  spring '>", "last spring", None),
        ("<meta name=date content=3.2.25><time pubdate datetime=2024-01-02>", "2024-01-02", None),
        ("<meta name=date content=0001-01-01><meta name=pubdate content=2024-01-02>", "2024-01-02", None),
    ],
)
def test_dates_are_what_is_stated(read: Read, html: str, published: str | None, modified: str | None) -> None:
    found = read(f"<p>{html}</p>")
    assert (found.published, found.modified) == (published, modified)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T10:00:00.5+0200", "2024-01-02T10:00:00.500000+02:00"),
        ("updated 2024-01-02 10:00", "2024-01-02T10:00:00"),
        ("Last updated 2024-01-02 10:00:55 UTC", "2024-01-02T10:00:55Z"),
        ("2024-01-02 10:00 GMT", "2024-01-02T10:00:00Z"),
        ("2024-01-02 10:00 GMT+1", "2024-01-02T10:00:00"),
        ("20240102T101112Z", "2024-01-02T10:11:12Z"),
        ("2024-01", "2024-01"),
        ("Tue, 02 Jan 2024 10:00:00 +0100", "2024-01-02T10:00:00+01:00"),
        ("2nd January 2024", "2024-01-02"),
        ("Posted: Sept. 2, 2024 by Ann", "2024-09-02"),
        ("2.1.2024", "2024-01-02"),
        ("2024/1/2", "2024-01-02"),
        ("13/01/2024", "2024-01-13"),
        ("01/13/2024", "2024-01-13"),
        ("02/01/2024", None),
        ("2024-02-30", None),
        ("31 February 2024", None),
        ("2024-01-02T25:00:00Z", None),
        ("marching 12, 2024", None),
        ("1 day ago", None),
        ("6. März 2023", "2023-03-06"),
        ("1er août 2023", "2023-08-01"),
        ("2 de enero de 2024", "2024-01-02"),
        ("2024年1月2日", "2024-01-02"),
        ("2 nonsense 2024", None),
        ("0001-01-01T00:00:00Z", None),
        ("1.2.3.2020", None),
        ("1.2.2020.4", None),
        ("v2023.1.2", None),
        ("Version 2023.1.2", None),
        ("3.2.25", None),
        ("12.4.19", None),
        ("2024-01-02-3", None),
        ("12-2024-01-02", None),
        ("x" * 200 + "2024-01-02", None),
        ("", None),
    ],
)
def test_a_date_is_read_where_only_one_reading_makes_sense(text: str, date: str | None) -> None:
    assert iso_date(text) == date


@given(st.text(st.sampled_from("0129-/.:TZ+ JanFebgmMay,st"), max_size=40) | st.text())
def test_no_text_makes_the_reader_of_dates_raise(text: str) -> None:
    found = iso_date(text)
    assert found is None or found[:4].isdigit()


# Images and links


def test_images_come_with_their_alternative_text(read: Read) -> None:
    html = (
        "<img src=a.png alt=' An  a '><img src=/b.png><img alt=none><img src='data:image/gif;base64,R0' data-src=c.png>"
        "<img src='a.png' alt='An a'><noscript><img src=d.png alt=''></noscript>"
    )
    assert read(html, images=True).images == [
        ("https://a.example/dir/a.png", "An a"),
        ("https://a.example/b.png", None),
        ("https://a.example/dir/c.png", None),
        ("https://a.example/dir/d.png", ""),
    ]


def test_links_come_with_text_rel_and_whether_they_stay(read: Read) -> None:
    html = (
        "<p><a href=x>one <b>bo</b>ld<script>no</script></a> and <a href=//www.a.example/y rel=' nofollow  me '>two</a>"
        "</p><a href='x#f'><h3>card</h3><p>text</p></a><a href=//b.example/><img src=i></a><a>none</a>"
        "<a href=mailto:x>x</a>"
        "<noscript><a href=z>unseen</a></noscript><map><area href=w alt='An area'></map>"
    )
    found = read(f"<!DOCTYPE html><title>t</title><body>{html}", link_details=True)
    assert found.link_details == [
        ("https://a.example/dir/x", "one bold", None, True),
        ("https://www.a.example/y", "two", "nofollow me", True),
        ("https://a.example/dir/x", "card text", None, True),
        ("https://b.example/", "", None, False),
        ("https://a.example/dir/z", "", None, True),
        ("https://a.example/dir/w", "An area", None, True),
    ]


def test_links_inside_of_links_do_not_repeat_their_text(read: Read) -> None:  # scenario 94
    """Drawings can hold any number of them: the outermost one has it all."""
    depth = 3_000
    html = "<!DOCTYPE html><svg>" + "".join(f"<a href={n}>t" for n in range(depth)) + "</a>" * depth + "</svg>"
    texts = [text for _, text, _, _ in read(html, link_details=True).link_details or ()]
    assert len(texts) == sum(map(len, texts)) == depth


def test_of_very_many_links_and_images_the_first_are_listed() -> None:
    html = "".join(f"<a href={n}>t</a><img src={n}.png>" for n in range(50)).encode()
    for reader in READERS.values():
        found = reader(html, URL, LinkJoiner(), 10, ExtractOptions(images=True, link_details=True)).metadata
        assert len(found.images or ()) == len(found.link_details or ()) == 10


PIECES = (
    *(
        "<script type=application/ld+json>",
        '{"author":',
        '"x"',
        "}",
        "</script>",
        "<meta property=og:x content=",
        "'a'>",
    ),
    *(
        "<link rel=alternate hreflang=",
        "en href=/x>",
        "<time pubdate datetime=",
        "2024>",
        "<a rel=author href=x>",
        "</a>",
    ),
    *("<img src=x alt=y>", "<noscript>", "</noscript>", "<svg>", "<template>", "text", "<div>", "<area href=q>"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_no_page_makes_a_reader_of_metadata_fail(html: str) -> None:
    for reader in READERS.values():
        document = reader(html.encode(), URL, LinkJoiner(), 50, ExtractOptions(images=True, link_details=True))
        assert len(document.metadata.link_details or ()) <= document.links_total

"""Both parsers read the same Document from a page, and it is the one that HTML5 describes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import urls
from crawler.errors import UrlError
from crawler.models import Document
from crawler.parse import hrefs, lexbor, soup
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.text import EDGE, fold, lines

URL = "https://a.example/dir/page?x=1"
READERS = {"lexbor": lexbor.read, "bs4": soup.read}


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    """A function of HTML that returns the Document, once for each parser."""

    def run(html: str | bytes, url: str = URL, max_links: int = 5000) -> Document:
        body = html.encode() if isinstance(html, str) else html
        return READERS[request.param](body, url, LinkJoiner(), max_links)

    return run


PAGE = """<!DOCTYPE html>
<html lang=" en-GB ">
<head>
 <meta charset="utf-8"><title> The
   title </title><title>second</title>
 <META NAME="Description" CONTENT=" What it
   is about "><meta name="description" content="second">
 <link rel="stylesheet" href="/style.css"><link rel="Canonical alternate" href="../canon#f">
 <style>p { color: red }</style><script>var a = "<p>no</p>";</script>
</head>
<body>
 <header><nav><ul><li><a href="/">Home</a></li><li><a href="two.html">Two</a></li></ul></nav></header>
 <main>
  <h1>A <em>big</em> heading</h1>
  <p>Some <b>bold</b>,<!-- hidden --> <i>slanted</i> and <code>code</code>.</p>
  <p>Next<br>line &amp; entity&nbsp;end</p>
  <h2>Sub<br>heading</h2>
  <table><tr><th>Name</th><td>Value</td></tr></table>
  <select><option>One</option><option>Two</option></select>
  <textarea>typed</textarea>
  <noscript>no <a href="noscript">script</a></noscript>
  <template><p>template <a href="template">x</a></p></template>
  <svg><title>drawing</title><text>drawn</text></svg>
 </main>
 <map name="m"><area href="//b.example/area"></map>
</body>
</html>"""


def test_a_page_is_read_as_a_whole(read) -> None:  # type: ignore[no-untyped-def]
    assert read(PAGE) == Document(
        title="The title",
        description="What it is about",
        canonical="https://a.example/canon",
        lang="en-GB",
        h1="A big heading",
        headings=[(1, "A big heading"), (2, "Sub heading")],
        text="Home\nTwo\nA big heading\nSome bold, slanted and code.\nNext\nline & entity\xa0end\nSub\nheading\n"
        "Name\nValue\nOne\nTwo\ntyped drawn",
        hrefs=[
            "https://a.example/",
            "https://a.example/dir/two.html",
            "https://a.example/dir/noscript",
            "https://b.example/area",
        ],
        links_total=4,
    )


def test_an_empty_page_is_an_empty_document(read) -> None:  # type: ignore[no-untyped-def]
    assert read("") == Document()
    assert read("<title> </title><meta name=description content=''><h1></h1><html lang=''>") == Document()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<p>b", "a\nb"),
        ("<div>a<div>b</div>c</div>d", "a\nb\nc\nd"),
        ("<span>a</span><span>b</span> <i> c </i>", "ab c"),
        ("a<!-- x -->b<wbr>c<img src=x>d", "abcd"),
        ("a<script>x</script>b<style>y</style>c", "abc"),
        ("a<hr>b<br><br><br>c", "a\nb\nc"),
        ("<a href=x><h3>card</h3><p>text</p></a><span>more</span>", "card\ntext\nmore"),
        ("<my-element>a</my-element>b", "ab"),
        ("<pre>a\n  b</pre>", "a b"),
        ("<p>\n\t\f \r</p><p>x</p>", "x"),
        ("<p>\u3000a\u2003</p>", "\u3000a\u2003"),
        ("<iframe>a <p>b</iframe>c", "c"),
        ("<p>a<meta itemprop=x content=y>b<link rel=z href=w>c", "abc"),
    ],
)
def test_lines_are_what_block_elements_make_of_the_text(read, html: str, text: str) -> None:  # type: ignore[no-untyped-def]
    assert read(f"<!DOCTYPE html><title>t</title><body>{html}").text == text


@pytest.mark.parametrize(
    ("href", "target"),
    [
        ("x", "https://a.example/dir/x"),
        (" \n x \t", "https://a.example/dir/x"),
        ("/x?b=1&amp;a=2#f", "https://a.example/x?b=1&a=2"),
        ("", "https://a.example/dir/page?x=1"),
        ("#f", "https://a.example/dir/page?x=1"),
        ("?y", "https://a.example/dir/page?y"),
        ("?", "https://a.example/dir/page"),
        (" ?z", "https://a.example/dir/page?z"),
        ("../../../x", "https://a.example/x"),
        ("x/./y/../z", "https://a.example/dir/x/z"),
        ("//B.example:443", "https://b.example/"),
        ("http:\\\\c.example\\p", "http://c.example/p"),
        ("/%7e é|", "https://a.example/%7E%20%C3%A9|"),
        ("https://u:p@a.example/", "https://a.example/"),
    ],
)
def test_links_are_resolved_to_canonical_urls(read, href: str, target: str) -> None:  # type: ignore[no-untyped-def]
    document = read(f'<a href="{href}">')
    assert (document.hrefs, document.links_total) == ([target], 1)


@pytest.mark.parametrize(
    "href",
    ["mailto:a@b.example", "javascript:void(0)", "tel:1", "data:text/html,x", "ftp://a.example/", "http://[", "//"],
)
def test_what_is_no_page_is_counted_and_not_listed(read, href: str) -> None:  # type: ignore[no-untyped-def]
    document = read(f'<a href="{href}"></a><a name="no-target"></a>')
    assert (document.hrefs, document.links_total) == ([], 1)


def test_links_are_distinct_in_order_and_limited(read) -> None:  # type: ignore[no-untyped-def]
    html = "".join(f'<a href="/{n % 7}#{n}">' for n in range(50))
    assert read(html, max_links=5).hrefs == [f"https://a.example/{n}" for n in range(5)]
    assert read(html).links_total == 50


def test_a_link_is_nofollow_only_if_it_always_is(read) -> None:  # type: ignore[no-untyped-def]
    document = read('<a href=/a rel="ugc NoFollow"><a href=/b rel=nofollow><a href=/b rel=noopener><a href=/c rel>')
    assert document.hrefs == ["https://a.example/a", "https://a.example/b", "https://a.example/c"]
    assert document.nofollow_hrefs == {"https://a.example/a"}


@pytest.mark.parametrize(
    ("bases", "base"),
    [
        ('<base href="/other/">', "https://a.example/other/"),
        (
            '<base href="javascript:x"><base target=_top><base href="//b.example/d/f?q"><base href="/late/">',
            "https://b.example/d/",
        ),
        ('<base href="http://[">', "https://a.example/dir/"),
        ('<base href="data:text/html,">', "https://a.example/dir/"),
    ],
)  # scenario 42
def test_the_first_usable_base_wins_for_links_before_it_too(read, bases: str, base: str) -> None:  # type: ignore[no-untyped-def]
    document = read(f'<body><a href="x">{bases}<a href="y"><link rel=canonical href="c">')
    assert document.hrefs == [base + "x", base + "y"]
    assert document.canonical == base + "c"


def test_a_fragment_means_the_base_and_not_the_page(read) -> None:  # type: ignore[no-untyped-def]
    assert read('<base href="/other/b?q"><a href="#f">').hrefs == ["https://a.example/other/b?q"]


@pytest.mark.parametrize(
    ("meta", "nofollow", "noindex"),
    [
        ('<meta name=robots content="noindex, NOFOLLOW">', True, True),
        ("<meta name=ROBOTS content=none>", True, True),
        ("<meta name=crawler content=nofollow><meta name=robots content=index>", True, False),
        ("<meta name=googlebot content=none>", False, False),
        ('<meta name=robots content="max-snippet:5,noindexing">', False, False),
        ("<meta name=robots>", False, False),
    ],
)
def test_meta_robots_is_read(read, meta: str, nofollow: bool, noindex: bool) -> None:  # type: ignore[no-untyped-def]
    document = read(meta)
    assert (document.nofollow, document.noindex) == (nofollow, noindex)


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0;url=/next", "https://a.example/next"),
        ("5; URL='/a b'", "https://a.example/a%20b"),
        ("1.5,url=/x", "https://a.example/x"),
        (" 0 /x", "https://a.example/x"),
        ("30;/x", "https://a.example/x"),
        ("31;url=/x", None),
        ("9" * 400 + ";url=/x", None),
        ("5", None),
        ("url=/x", None),
        ("0;url=javascript:x", None),
        ("", None),
    ],
)
def test_a_meta_refresh_leads_on_within_half_a_minute(read, content: str, target: str | None) -> None:  # type: ignore[no-untyped-def]
    assert read(f'<meta http-equiv="Refresh" content="{content}">').refresh == target


def test_headings_in_hidden_elements_are_none_and_titles_in_drawings_neither(read) -> None:  # type: ignore[no-untyped-def]
    html = "<body><svg><g><title>drawn</title></g></svg><noscript><h1>no</h1></noscript><h1>yes</h1><title>late</title>"
    document = read(html)
    assert (document.headings, document.title, document.text) == ([(1, "yes")], "late", "yes")


@pytest.mark.parametrize("depth", [300, 20_000])
def test_depth_loses_no_text_and_no_link(read, depth: int) -> None:  # type: ignore[no-untyped-def]  # scenario 91
    html = "<dl><dd>" * (depth // 2) + "<b>deep</b><a href=/deep>er</a>" + "</dd></dl>" * (depth // 2) + "<p>out</p>"
    document = read(html)
    assert (document.text, document.hrefs) == ("deeper\nout", ["https://a.example/deep"])


def test_100000_nested_inline_elements_are_read(read) -> None:  # type: ignore[no-untyped-def]  # scenario 91
    assert read("<span>" * 100_000 + "deep").text == "deep"


def test_a_huge_attribute_is_no_link_and_a_huge_text_is_whole(read) -> None:  # type: ignore[no-untyped-def]  # scenarios 48 and 92
    document = read(
        f'<a href="/{"x" * 20_000}"><a href="/{"é" * 3_000}"><a href="data:{"x" * 1_000_000}"><p>{"y" * 1_000_000}'
    )
    assert (document.hrefs, document.links_total) == ([], 3)
    assert document.text == "y" * 1_000_000


def test_10000_attributes_are_read(read) -> None:  # type: ignore[no-untyped-def]  # scenario 92
    assert read("<a " + " ".join(f"a{n}" for n in range(10_000)) + " href=/x>").links_total == 1


@pytest.mark.parametrize(
    "html",
    [
        "<table><div>before</div><tr><td>in</td></tr></table>",
        "<p>cut in a tag <a href='/x",
        "<b><p>a</b>b</p>",
        "a\0b<a href=/x>c",
        "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body>x</body></html>",
        "word",
        "<frameset><frame src=x></frameset>",
        "</body></html><p>late",
        "<select><div>x</div></select>",
        "&#x80;&#xD800;&amp",
    ],
)
def test_malformed_pages_are_read(read, html: str) -> None:  # type: ignore[no-untyped-def]  # scenario 40
    document = read(html)
    assert EDGE not in document.text
    document.text.encode()


@given(st.text("<>/!-pbahref=x \"'&\n\0é", max_size=60))
def test_no_page_makes_a_parser_raise(html: str) -> None:
    for name in READERS:
        READERS[name](html.encode(), URL, LinkJoiner(), 100)


# Links that need no URL parser, and those that are remembered


@given(
    st.text("ab.~-_/%?#&=+: \\@\té", max_size=12),
    st.sampled_from([URL, "http://b.example:8080/", "https://a.example/x/?/y"]),
)
def test_remembered_and_joined_links_are_what_the_url_parser_says(href: str, url: str) -> None:
    try:
        expected = urls.canonicalize(href, url)
    except UrlError:
        expected = ""
    targets = LinkJoiner()
    targets = LinkJoiner()
    assert targets.target(targets.base(url), href) == expected
    assert targets.target(targets.base(url), href) == expected
    for other in ("https://a.example/one/q?r=/s/", "https://a.example/one/", "https://a.example/a/b/c/d"):
        try:
            expected = urls.canonicalize(href, other)
        except UrlError:
            expected = ""
        assert targets.target(targets.base(other), href) == expected


def test_what_is_remembered_of_an_href_serves_every_page_that_it_can_stand_on() -> None:
    targets = LinkJoiner()
    base = targets.base("https://a.example/one/two/p")
    for href in ("/x", "x", "./x", "../x", "../../../x#y", "?x=1", "https://b.example/x", "mailto:x", "#x", "", "é"):
        targets.target(base, href)
    assert set(base.rooted) == {"/x", "https://b.example/x", "mailto:x"}
    assert set(base.places) == {"x", "./x", "../x", "../../../x#y", "?x=1"}
    other = targets.base("https://a.example/three/q?r=/s/")
    found = [targets.target(other, href) for href in base.places]
    assert found == [f"https://a.example/{rest}" for rest in ("three/x", "three/x", "x", "x", "three/q?x=1")]
    assert not targets.base("http://a.example/").rooted


def test_an_href_on_a_page_with_a_very_long_url_is_joined_with_care() -> None:
    targets, href = LinkJoiner(), "y" * 500
    targets.target(targets.base("https://a.example/"), href)
    long = "https://a.example/" + "x" * (hrefs.MAX_TARGET_CHARS - 300) + "/"
    assert [targets.target(targets.base(long), each) for each in (href, href, "y", "y")] == [
        "",
        "",
        long + "y",
        long + "y",
    ]


def test_the_memory_of_links_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hrefs, "_CACHED_TARGETS", 10)
    targets = LinkJoiner()
    for n in range(100):
        targets.target(targets.base("https://a.example/"), f"x{n}")
        targets.target(targets.base("https://a.example/"), f"/x{n}")
    base = targets.base("https://a.example/")
    assert len(base.places) + len(base.rooted) <= 13


@given(st.text(" \t\n\f\rab\0\xa0", max_size=30))
def test_folding_leaves_single_spaces_between_words(text: str) -> None:
    words = [word for word in text.translate(str.maketrans("\t\n\f\r", "    ")).split(" ") if word]
    assert fold(text) == " ".join(words)
    assert lines(text) == "\n".join(filter(None, (fold(piece) for piece in text.split(EDGE))))

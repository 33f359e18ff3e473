"""Links of pages that no author meant to write so: those of the HTML5 algorithm, and no others."""

from __future__ import annotations

import pytest

from crawler.models import Document
from crawler.parse import lexbor, soup
from crawler.parse.hrefs import LinkJoiner

READERS = {"lexbor": lexbor.read, "bs4": soup.read}


def read(html: str, parser: str) -> Document:
    page = f"<!DOCTYPE html>{html}".encode()
    return READERS[parser](page, "https://a.example/d/p", LinkJoiner(), 100)


def paths(document: Document) -> list[str]:
    return [href.removeprefix("https://a.example") for href in document.hrefs]


LINKS = [
    # What ends or begins without the other
    ("<a href=/1>x<a href=/2>y", "/1 /2"),
    ("<b><p><a href=/1></b><a href=/2></p>", "/1 /2"),
    ("<p><form><a href=/1></p></form><a href=/2>", "/1 /2"),
    ("</p></br><a href=/1>", "/1"),
    ("<head><a href=/1></head><body><a href=/2>", "/1 /2"),
    ("</body><a href=/1></html><a href=/2>", "/1 /2"),
    ("<table><a href=/1><tr><td><a href=/2></table>", "/1 /2"),
    ("<object><a href=/1></object><button><a href=/2></button>", "/1 /2"),
    # What holds text and no elements
    ("<script>'<a href=/no>'</script><style><a href=/no></style><a href=/1>", "/1"),
    ("<textarea><a href=/no></textarea><title><a href=/no></title><a href=/1>", "/1"),
    ("<iframe><a href=/no></iframe><noembed><a href=/no></noembed><xmp><a href=/no></xmp><a href=/1>", "/1"),
    ("<template><a href=/no></template><a href=/1>", "/1"),
    ("<a href=/1><plaintext><a href=/no>", "/1"),
    # Comments, and what becomes one
    ("<!-- <a href=/no> --><!--><a href=/1><!-- --!><a href=/2>", "/1 /2"),
    ("<![CDATA[<a href=/no>]]><?php <a href=/no> ?><a href=/1>", "/1"),
    # Foreign content
    ("<svg><a href=/1></svg><math><mtext><a href=/2></math>", "/1 /2"),
    ("<svg><![CDATA[<a href=/no>]]></svg><a href=/1>", "/1"),
    # Attributes
    ("<a href=/1 href=/no>", "/1"),
    ("<a href='/1'title=x><A HREF=/2><a\thref\n=\r'/3'><a / href=/4><a =href=/no href=/5>", "/1 /2 /3 /4 /5"),
    ("<a href=/1/><a href=/2 <b>x", "/1/ /2"),
    ("<a href='?a=1&copy=2&amp;b'><a href=/1&lt;x>", "/d/p?a=1&copy=2&b /1%3Cx"),
    ('<a href="/1>x<a href="/no">y', "/1%3Ex%3Ca%20href="),
]


@pytest.mark.parametrize(("html", "links"), LINKS)
@pytest.mark.parametrize("parser", READERS)
def test_links_are_those_that_a_browser_sees(parser: str, html: str, links: str) -> None:
    # scenario 42
    assert paths(read(html, parser)) == links.split()


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ("<table><tr><td><a href=/1></td></tr><a href=/2></table><a href=/3>", "/2 /1 /3"),  # moved before the table
        ("<svg><style><a href=/1></style></svg>", "/1"),
        ("<frameset><a href=/no></frameset>", ""),
        ("<a href=/1\0>x", "/1%EF%BF%BD"),
    ],
)
def test_lexbor_goes_where_only_the_html5_algorithm_goes(html: str, links: str) -> None:
    # scenario 42
    assert paths(read(html, "lexbor")) == links.split()


@pytest.mark.parametrize(
    "cut", ["<a href='/no", "<a href=/no", "<a hre", "<a", "<", "</a", "<!-- x", "<script>", "&am"]
)
@pytest.mark.parametrize("parser", READERS)
def test_a_page_cut_in_a_tag_has_the_links_before_the_cut(parser: str, cut: str) -> None:
    # scenario 40
    document = read(f"<title>t</title><p>text <a href=/1>one</a> {cut}", parser)
    assert paths(document) == ["/1"]
    assert document.text.startswith("text one")
    assert document.title == "t"

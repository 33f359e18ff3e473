"""Sitemaps that are made to take memory: what came before is kept, the rest is left."""

from __future__ import annotations

import pytest

from crawler.parse import sitemap

FIRST = b"<urlset><url><loc>http://a.example/</loc></url>"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    "rest",
    [
        b"<url " + b" ".join(b"a%d='>'" % number for number in range(600_000)) + b">",
        b"<!--" + b"x" * 5 * MIB + b"-->",
        b"<url><loc>" + b"<![CDATA[x]]>" * 400_000,
        b"<a>" * 2_000_000,
    ],
    ids=["attributes", "comment", "text", "depth"],
)
def test_megabytes_in_which_no_element_ends_are_the_end_of_a_sitemap(rest: bytes) -> None:
    # scenarios 62, 92
    found = sitemap.parse(FIRST + rest + b"</url><url><loc>http://b.example/</loc></url></urlset>")
    assert found.pages == ["http://a.example/"]
    assert found.truncated


def test_a_long_text_in_an_element_is_no_reason_to_stop() -> None:
    text = b"<url><description>" + b"x" * 3 * MIB + b"</description><loc>http://b.example/</loc></url></urlset>"
    found = sitemap.parse(FIRST + text)
    assert found.pages == ["http://a.example/", "http://b.example/"]
    assert not found.truncated


def test_a_list_has_a_url_in_each_line_whatever_ends_it() -> None:
    body = b"http://a/1\nhttp://a/2\r\n \thttp://a/3 \r\rHTTPS://a/4\n#http://a/5\nsee http://a/6\n\n\nhttp://a/\xff"
    assert sitemap.parse(body).pages == ["http://a/1", "http://a/2", "http://a/3", "HTTPS://a/4", "http://a/\ufffd"]


def test_a_list_ends_at_the_limit_of_urls() -> None:
    # scenario 62
    found = sitemap.parse(b"http://a/\n" * (sitemap.MAX_SITEMAP_URLS + 2))
    assert (len(found.pages), found.truncated) == (sitemap.MAX_SITEMAP_URLS, True)

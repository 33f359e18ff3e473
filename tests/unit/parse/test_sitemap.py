"""Sitemaps: what can be read is read, limits hold, and no entity, file or host is ever touched."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse import sitemap
from crawler.parse.sitemap import Sitemap, parse

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
URLSET = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {NAMESPACE} xmlns:image="urn:image">'
    "<url><loc>\n https://a.example/1 </loc><lastmod>9999-99-99</lastmod>"
    "<image:image><image:loc>https://a.example/1.png</image:loc></image:image></url>"
    "<url><image:loc>https://a.example/2.png</image:loc><loc>https://a.example/2?a=1&amp;b=2</loc></url></urlset>"
).encode()
PAGES = ["https://a.example/1", "https://a.example/2?a=1&b=2"]


def test_a_urlset_names_its_pages_and_not_its_pictures() -> None:  # scenario 65
    assert parse(URLSET) == Sitemap(PAGES)


def test_an_index_names_sitemaps() -> None:  # scenario 61
    index = f"<sitemapindex {NAMESPACE}><sitemap><loc>https://a.example/s.xml.gz</loc></sitemap></sitemapindex>"
    assert parse(index.encode()) == Sitemap([], ["https://a.example/s.xml.gz"])


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(URLSET),
        gzip.compress(gzip.compress(URLSET)),
        b"\xef\xbb\xbf" + URLSET,
        b"\n \n" + URLSET,
        URLSET.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        URLSET.replace(NAMESPACE.encode(), b'xmlns="http://www.google.com/schemas/sitemap/0.84"'),
        URLSET.replace(NAMESPACE.encode(), b""),
        URLSET.replace(b"</urlset>", b"<url><loc>"),
        URLSET + b"trailing <junk",
        URLSET.replace(b"</lastmod>", b"</wrong>\x01&undefined;"),
    ],
    ids="gzip twice mark space utf-16 old-namespace no-namespace cut junk faulty".split(),
)
def test_what_can_be_read_of_a_damaged_sitemap_is_read(body: bytes) -> None:  # scenario 64
    assert parse(body).pages == PAGES


def test_a_cut_gzip_file_keeps_what_came_before_the_cut() -> None:  # scenario 64
    many = "".join(f"<url><loc>https://a.example/{n * 7919 % 10007}</loc></url>" for n in range(5_000))
    whole = gzip.compress(f"<urlset {NAMESPACE}>{many}</urlset>".encode())
    assert len(parse(whole[: len(whole) // 2]).pages) > 1_000


def test_feeds_name_their_entries() -> None:  # scenario 64
    rss = (
        b'<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><link>https://a.example/</link>'
        b'<atom:link rel="self" href="https://a.example/feed"/>'
        b'<item><title>t</title><link>https://a.example/1</link><atom:link href="https://a.example/x"/></item></channel></rss>'
    )
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><link href="https://a.example/"/><entry>'
        b'<link rel="edit" href="https://a.example/edit"/><link href="https://a.example/1"/></entry></feed>'
    )
    assert parse(rss).pages == ["https://a.example/1"]
    assert parse(atom).pages == ["https://a.example/1"]


def test_a_text_file_is_a_list() -> None:  # scenario 64
    assert parse(b"\xef\xbb\xbfhttps://a.example/1\r\n\r\n# note\n HTTPS://a.example/2 \nfile:///etc/passwd").pages == [
        "https://a.example/1",
        "HTTPS://a.example/2",
    ]


@pytest.mark.parametrize(
    "body", [b"", b"<", b"<urlset>", b"\x1f\x8b", b"\x1f\x8b\x08junk", b"{}", b"<!DOCTYPE html><p>x"]
)
def test_what_is_no_sitemap_names_nothing(body: bytes) -> None:
    assert parse(body) == Sitemap()


def test_no_entity_is_expanded_and_no_file_is_read(tmp_path: Path) -> None:  # scenario 63
    secret = tmp_path / "secret"
    secret.write_text("https://a.example/secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    body = (
        f'<!DOCTYPE urlset SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY l0 "ha">{laughs}'
        f'<!ENTITY file SYSTEM "{secret.as_uri()}"><!ENTITY % more SYSTEM "{secret.as_uri()}"> %more;]>'
        f"<urlset {NAMESPACE}><url><loc>&l29;</loc></url><url><loc>&file;</loc></url>"
        "<url><loc>https://a.example/1</loc></url></urlset>"
    )
    assert parse(body.encode()).pages == ["&l29;", "&file;", "https://a.example/1"]


def test_ampersands_are_kept_however_they_are_written_and_whatever_stood_before() -> None:  # scenario 64
    body = (
        b"<urlset><url><a></b><loc>https://a.example/?a&b=1&amp;c=2&#38;d&copy=3</loc></url>"
        b"<url><loc><![CDATA[https://a.example/?a=1&b=2]]></loc></url></urlset>"
    )
    assert parse(body).pages == ["https://a.example/?a&b=1&c=2&d&copy=3", "https://a.example/?a=1&b=2"]


def test_urls_above_the_limit_are_left_and_told(monkeypatch: pytest.MonkeyPatch) -> None:  # scenario 62
    monkeypatch.setattr(sitemap, "MAX_SITEMAP_URLS", 3)
    entries = b"".join(b"<url><loc>https://a.example/%d</loc></url>" % n for n in range(4))
    assert parse(b"<urlset>" + entries + b"</urlset>") == Sitemap(
        ["https://a.example/0", "https://a.example/1", "https://a.example/2"], truncated=True
    )
    assert parse(b"\n".join(b"https://a.example/%d" % n for n in range(4))).truncated
    assert not parse(b"\n".join(b"https://a.example/%d" % n for n in range(3))).truncated


def test_bytes_above_the_limit_are_left_and_told(monkeypatch: pytest.MonkeyPatch) -> None:  # scenario 62
    monkeypatch.setattr(sitemap, "MAX_SITEMAP_BYTES", 100_000)
    bomb = gzip.compress(b"<urlset><url><loc>https://a.example/1</loc></url>" + b" " * 10_000_000)
    assert parse(bomb) == Sitemap(["https://a.example/1"], truncated=True)
    assert parse(b"https://a.example/1\n" + b"x" * 100_000).truncated


def test_a_url_of_absurd_length_is_left_out() -> None:  # scenario 48
    assert parse(b"<urlset><url><loc>https://a.example/" + b"x" * 20_000 + b"</loc></url></urlset>") == Sitemap()


@given(st.text("<>/&;![]? urlsetocdh:\"'=\0é", max_size=80))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    parse(text.encode())
    parse(b"<urlset><url><loc>" + text.encode())


SITEMAP = b"<urlset><url><loc>http://a.example/1</loc></url><url><loc>http://a.example/page</loc></url></urlset>"
FEED = b"<rss><channel><item><link>http://a.example/1</link></item><item><link>http://a.example/page</link></item></channel>"
ATOM = (
    b"<feed><entry><link href='http://a.example/1'/></entry><entry><link href='http://a.example/page'/></entry></feed>"
)
CDATA = (
    b"<urlset><url><loc>http://a.example/1</loc></url><url><loc><![CDATA[http://a.example/page]]></loc></url></urlset>"
)


@pytest.mark.parametrize("body", [SITEMAP, FEED, ATOM, CDATA], ids=["sitemap", "RSS", "Atom", "CDATA"])
def test_a_file_that_is_cut_anywhere_names_no_url_that_it_does_not_have_whole(body: bytes) -> None:
    for length in range(len(body)):
        assert sitemap.parse(body[:length]).pages in (
            [],
            ["http://a.example/1"],
            ["http://a.example/1", "http://a.example/page"],
        ), body[:length]
    assert sitemap.parse(body).pages == ["http://a.example/1", "http://a.example/page"]


def test_a_loc_that_is_never_closed_is_no_url() -> None:
    body = b"<urlset><url><loc>http://a.example/pag<url><loc>http://a.example/2</loc></url></urlset>"
    assert sitemap.parse(body).pages == ["http://a.example/2"]


def test_a_list_that_is_cut_in_a_line_is_read_up_to_that_line() -> None:
    text = b"http://a.example/1\nhttp://a.example/pag"
    assert sitemap.parse(text).pages == ["http://a.example/1", "http://a.example/pag"]
    assert sitemap.parse(text, is_cut=True).pages == ["http://a.example/1"]
    assert sitemap.parse(gzip.compress(text)[:-9]).pages == ["http://a.example/1"]

"""The parse stage: a Page goes in; its record's line, outcome and links to follow come out."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
from typing import Any

import pytest

from crawler import urls
from crawler.models import LeftOut, Link, Parsed, Request, Response
from crawler.parse import lexbor, stage
from crawler.parse.options import ExtractOptions
from crawler.parse.stage import (
    PageParser,
    PageWork,
    StageContext,
    decode_page,
    decode_parsed,
    encode_page,
    encode_parsed,
    robots_directives,
)
from crawler.scope.scope import Scope, SeedSite

URL = "https://a.example/dir/page"
SCOPE = Scope([SeedSite("https://a.example/")], exclude=["/private"])


def page_of(
    body: bytes = b"", content_type: str | None = "text/html", *headers: tuple[str, str], url: str = URL, **fields: Any
) -> Response:
    """A page as a fetcher gives it."""
    kind = fields.pop("kind", "page")
    head = (("Content-Type", content_type), *headers) if content_type is not None else headers
    request = Request(url, urls.host_key(url), urls.fingerprint(url), kind=kind)
    return Response(request, fields.pop("status", 200), head, body, 1_700_000_000.0, 0.1, "asyncio", **fields)


def parse(page: Response, **context: Any) -> tuple[Parsed, dict[str, Any]]:
    """The stage's answer and its record."""
    parsed = PageParser(StageContext(SCOPE, **context)).parse(page)
    return parsed, json.loads(parsed.line) if parsed.line else {}


def link(url: str) -> Link:
    """A link as the stage gives it."""
    return Link(url, urls.host_key(url), urls.fingerprint(url))


@pytest.mark.parametrize("parser", ["lexbor", "bs4"])
def test_a_page_becomes_a_record_and_links(parser: str) -> None:
    body = "<title>Tïtle</title><p>Text<a href=/in>in</a><a href=//b.example/out>out</a>".encode("latin-1")
    parsed, record = parse(
        page_of(gzip.compress(body), "text/html; charset=latin1", ("content-encoding", "gzip")), parser=parser
    )
    assert (parsed.outcome, parsed.error, parsed.complete) == ("ok", None, True)
    assert parsed.links == (link("https://a.example/in"),)
    assert parsed.outside == (LeftOut("b.example", "scope", 1, ("https://b.example/out",)),)
    assert parsed.cpu_s > 0
    expected = {
        "outcome": "ok",
        "title": "Tïtle",
        "text": "Textinout",
        "text_length": 9,
        "links": ["https://a.example/in", "https://b.example/out"],
        "links_total": 2,
        "charset": "windows-1252",
        "charset_source": "header",
        "bytes": len(body),
        "wire_bytes": len(gzip.compress(body)),
        "digest": "sha256:" + hashlib.sha256(body).hexdigest(),
        "complete": True,
        "truncated": None,
    }
    assert {name: record[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("href", "reason"),
    [("/private/x", "exclude"), ("//b.example/", "scope"), ("/" + "x" * 2_100, "too_long")],
)
def test_a_link_that_is_not_taken_has_its_reason(href: str, reason: str) -> None:
    parsed, _ = parse(page_of(f'<a href="{href}"><a href="{href}#again">'.encode()))
    target = urls.canonicalize(href, URL)
    assert (parsed.links, parsed.outside) == ((), (LeftOut(urls.host_key(target), reason, 1, (target,)),))


def test_what_is_no_html_is_recorded_without_html_fields() -> None:
    parsed, record = parse(page_of(b"%PDF-1.7", "text/html"))  # scenario 41
    assert (parsed.outcome, record["bytes"], record["charset"], record["charset_source"]) == ("ok", 8, None, None)
    assert (record["title"], record["text"], record["links"], record["links_total"]) == (None, None, None, None)
    assert parse(page_of(b"<p>x", "text/plain"))[1]["text"] is None
    assert parse(page_of(b"<p>x", None))[1]["text"] == "x"


def test_a_body_that_was_not_wanted_has_no_digest() -> None:
    parsed, record = parse(page_of(b"", "image/png", truncated="type"))
    assert (parsed.outcome, record["bytes"], record["digest"], record["truncated"]) == ("ok", None, None, "type")


def test_only_2xx_is_parsed() -> None:
    parsed, record = parse(page_of(b"<title>x</title><a href=/y>", status=404))
    assert (parsed.outcome, parsed.links, record["title"], record["status"]) == ("http_error", (), None, 404)


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (page_of(b"<p>kept", complete=False), "incomplete_body"),  # scenario 12
        (
            page_of(gzip.compress(b"<p>kept" + b"x" * 99)[:-9], "text/html", ("Content-Encoding", "gzip")),
            "incomplete_body",
        ),
        (page_of(b"<p>kept", "text/html", ("Content-Encoding", "br," * 6)), "too_many_codings"),  # scenario 31
    ],
)
def test_a_page_that_is_not_whole_has_failed(page: Response, error: str) -> None:
    parsed, record = parse(page)
    assert (parsed.outcome, parsed.error, record["outcome"], record["error"]) == ("failed", error, "failed", error)
    assert parsed.complete is record["complete"] is (error != "incomplete_body")
    assert (record["text"] or "").startswith("kept") is (error == "incomplete_body")


def test_a_coded_body_that_we_cut_ourselves_misses_nothing() -> None:
    whole = gzip.compress(bytes(range(256)) * 50 + b"<p>")
    parsed, record = parse(page_of(whole[:-20], "text/html", ("Content-Encoding", "gzip"), truncated="length"))
    assert (parsed.outcome, parsed.complete, record["truncated"]) == ("ok", True, "length")


def test_a_bomb_is_cut_and_flagged() -> None:  # scenario 30
    body = gzip.compress(b"<p>" + b"x" * 1_000_000)
    parsed, record = parse(page_of(body, "text/html", ("Content-Encoding", "gzip")), max_body_bytes=1000)
    assert (parsed.outcome, record["bytes"], record["truncated"], record["text_length"]) == ("ok", 1000, "length", 997)


def test_a_server_that_lies_about_its_coding_is_told_and_its_page_read() -> None:  # scenario 22
    for coding, fault in (("gzip", "bad_coding"), ("utf-8", "unknown_coding")):
        parsed, record = parse(page_of(b"<p>plain", "text/html", ("Content-Encoding", coding)))
        assert (parsed.outcome, parsed.error, record["text"]) == ("ok", fault, "plain")
    assert parse(page_of(b"\x00\x01garbage", "text/html", ("Content-Encoding", "zstd")))[1]["text"] is None


def test_a_parser_that_raises_fails_the_page_and_not_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(lexbor, "read", fail)
    parsed, record = parse(page_of(b"<p>x"))
    assert (parsed.outcome, parsed.error, record["error"], record["bytes"]) == (
        "failed",
        "parse_failed",
        "parse_failed",
        4,
    )


def test_running_out_of_memory_is_left_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:  # scenario 97
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(lexbor, "read", fail)
    with pytest.raises(MemoryError):
        parse(page_of(b"<p>x"))


NOFOLLOW_PAGES = [
    page_of(b"<meta name=robots content=nofollow><a href=/x>"),
    page_of(b"<a href=/x>", "text/html", ("X-Robots-Tag", "noindex, nofollow")),
    page_of(b"<a href=/x>", "text/html", ("X-Robots-Tag", "otherbot: none"), ("x-robots-tag", "Crawler: NONE")),
    page_of(b"<a href=/x rel=nofollow>"),
]


@pytest.mark.parametrize("page", NOFOLLOW_PAGES, ids="meta header addressed link".split())
def test_nofollow_links_are_listed_and_followed_only_if_that_is_wanted(page: Response) -> None:
    parsed, record = parse(page)
    assert (parsed.links, record["links"]) == ((), ["https://a.example/x"])
    assert parse(page, nofollow=False)[0].links == (link("https://a.example/x"),)


def test_the_header_shows_in_the_record() -> None:
    _, record = parse(page_of(b"<p>x", "text/html", ("X-Robots-Tag", "none")))
    assert (record["nofollow"], record["noindex"]) == (True, True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["noindex, NoFollow"], {"noindex", "nofollow"}),
        (["otherbot: noindex, nofollow"], set()),
        (["otherbot: noindex, crawler: nofollow"], {"nofollow"}),
        (
            ["unavailable_after: 25 Jun 2030 15:00:00 PST, noindex"],
            {"unavailable_after: 25 jun 2030 15:00:00 pst", "noindex"},
        ),
        (["otherbot: none", "noindex"], {"noindex"}),
        ([], set()),
    ],
)
def test_directives_count_if_they_are_addressed_to_us(fields: list[str], expected: set[str]) -> None:
    assert robots_directives(fields, ("robots", "crawler")) == expected


def test_a_page_may_be_addressed_to_the_name_that_the_user_gave_the_crawler() -> None:
    wanted = ExtractOptions(names=("robots", "mybot"))
    body = b'<meta name="mybot" content="nofollow"><meta name="crawler" content="noindex"><a href="/x">x</a>'
    parsed, record = parse(page_of(body), wanted=wanted)
    assert (record["nofollow"], record["noindex"], parsed.followed) == (True, False, 0)
    _, record = parse(page_of(b"", "text/html", ("X-Robots-Tag", "mybot: nofollow, crawler: noindex")), wanted=wanted)
    assert (record["nofollow"], record["noindex"]) == (True, False)


def test_a_refresh_is_followed_like_a_link() -> None:  # scenario 29
    body = b'<meta http-equiv=refresh content="3; url=/next"><a href=/x>'
    parsed, record = parse(page_of(body))
    assert parsed.links == (link("https://a.example/x"), link("https://a.example/next"))
    assert record["links"] == ["https://a.example/x"]
    assert parse(page_of(b"<meta name=robots content=nofollow>" + body))[0].links == ()
    assert parse(page_of(body.replace(b"/x", b"/next")))[0].links == (link("https://a.example/next"),)


def test_the_number_of_links_is_limited() -> None:  # scenario 80
    body = b"".join(b"<a href=/%d>" % n for n in range(100))
    parsed, record = parse(page_of(body), max_links=10)
    assert (len(parsed.links), record["links_total"]) == (10, 100)


@pytest.mark.parametrize("complete", [True, False])
def test_a_link_is_handed_out_once_unless_its_page_may_be_asked_for_again(complete: bool) -> None:
    parser = PageParser(StageContext(SCOPE))
    page = page_of(b"<a href=/x>", complete=complete)
    answers = [parser.parse(page), parser.parse(page)]
    assert [len(answer.links) for answer in answers] == ([1, 0] if complete else [1, 1])
    assert [answer.followed for answer in answers] == [1, 1]


def test_what_a_lost_answer_held_is_handed_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    work = PageWork(StageContext(SCOPE))
    payload = b"".join(encode_page(page_of(b"<a href=/x>")))

    def fail(parsed: Parsed) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(stage, "encode_parsed", fail)
        with pytest.raises(MemoryError):
            work(payload, False)
    assert decode_parsed(work(payload, False)).links == (link("https://a.example/x"),)


def test_a_sitemap_gives_pages_in_scope_and_further_sitemaps() -> None:  # scenarios 61 and 65
    body = (
        b"<urlset><url><loc>https://a.example/1</loc></url><url><loc>https://A.example/1#x</loc></url>"
        b"<url><loc>https://b.example/</loc></url><url><loc>file:///etc/passwd</loc></url><url><loc>/2</loc></url>"
        b"<sitemap><loc>https://a.example/more.xml</loc></sitemap></urlset>"
    )
    parsed, _ = parse(page_of(gzip.compress(body), "text/xml", ("Content-Encoding", "gzip"), kind="sitemap"))
    assert (parsed.line, parsed.outcome, parsed.sitemaps) == (b"", "ok", ("https://a.example/more.xml",))
    assert parsed.links == (link("https://a.example/1"), link("https://a.example/2"))
    assert parsed.outside == (LeftOut("b.example", "scope", 1, ("https://b.example/",)),)


def test_a_sitemap_may_be_longer_than_a_page() -> None:
    body = b"<urlset>" + b" " * 5_000 + b"<url><loc>https://a.example/1</loc></url></urlset>"
    page = page_of(gzip.compress(body), "text/xml", ("Content-Encoding", "gzip"), kind="sitemap")
    assert parse(page, max_body_bytes=1000)[0].links == (link("https://a.example/1"),)


def test_pages_and_answers_survive_the_way_through_a_pipe() -> None:
    page = page_of(b"<p>x\xff", "text/html", ("X", "\xe9\x80"))
    assert decode_page(b"".join(encode_page(page))) == page
    parsed, _ = parse(page_of(b"<a href=/x><a href=//b.example/>"))
    assert decode_parsed(encode_parsed(parsed)) == parsed


def test_a_worker_is_opened_with_a_pickled_context() -> None:
    context = pickle.loads(pickle.dumps(StageContext(SCOPE, parser="bs4", max_links=7)))
    assert (context.parser, context.max_links, context.scope.exclude) == ("bs4", 7, SCOPE.exclude)
    parsed = decode_parsed(PageWork(context)(b"".join(encode_page(page_of(b"<a href=/x>"))), False))
    assert parsed.links == (link("https://a.example/x"),)

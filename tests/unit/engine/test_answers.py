"""What an answer means: statuses, and redirects of every shape that servers send."""

from __future__ import annotations

import pytest

from crawler import urls
from crawler.engine.answers import NextStep, judge, redirect_target
from crawler.errors import UrlError
from crawler.models import Request, Response

HERE = "http://a.example/folder/page?x=1"


def page(
    status: int, *headers: tuple[str, str], body: bytes = b"", complete: bool = True, chain: tuple[str, ...] = ()
) -> Response:
    request = Request(HERE, urls.host_key(HERE), urls.fingerprint(HERE), chain=chain)
    return Response(request, status, headers, body, 0.0, 0.1, "replay", complete)


def moved(location: str, status: int = 301, chain: tuple[str, ...] = ()) -> Response:
    return page(status, ("Location", location), chain=chain)


@pytest.mark.parametrize("status", [200, 201, 203, 204, 206, 299])
def test_only_a_body_with_a_2xx_status_is_parsed(status: int) -> None:
    assert judge(page(status, body=b"x"), 10) == NextStep("parse", "ok")
    assert judge(page(status), 10) == NextStep("record", "ok")


@pytest.mark.parametrize("status", [300, 304, 305, 306, 400, 404, 410, 429, 500, 503, 599, 999])
def test_other_statuses_are_recorded_as_they_are(status: int) -> None:
    assert judge(page(status, ("Location", "/x"), body=b"x"), 10) == NextStep("record", "http_error")


def test_a_short_body_is_a_failure_that_is_parsed_all_the_same() -> None:
    # scenario 12
    assert judge(page(200, body=b"x", complete=False), 10) == NextStep("parse", "failed", "incomplete_body")
    assert judge(page(200, complete=False), 10) == NextStep("record", "failed", "incomplete_body")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    assert judge(moved("/x", status), 10) == NextStep("redirect", "redirect", None, "http://a.example/x")


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/x", "http://a.example/x"),
        ("x", "http://a.example/folder/x"),
        ("../x", "http://a.example/x"),
        ("?y", "http://a.example/folder/page?y"),
        ("//b.example/x", "http://b.example/x"),
        ("https://b.example", "https://b.example/"),
        ("HTTP://B.EXAMPLE:80/x", "http://b.example/x"),
        ("  /x \t", "http://a.example/x"),
        ("/a b", "http://a.example/a%20b"),
        ("/ü".encode().decode("latin-1"), "http://a.example/%C3%BC"),  # UTF-8, as most servers send it
        ("/ü", "http://a.example/%C3%BC"),  # latin-1
        ("/日", "http://a.example/%E6%97%A5"),  # as text, from a client that decodes
        ("http://user:secret@b.example/x", "http://b.example/x"),
        ("/x#fragment", "http://a.example/x"),
        ("http:\\\\b.example\\x", "http://b.example/x"),
    ],
)
def test_a_location_is_resolved_by_the_one_url_parser(location: str, target: str) -> None:
    # scenario 28
    assert judge(moved(location), 10).target == target


def test_line_ends_in_a_location_reach_no_request() -> None:
    # scenario 28
    target = judge(moved("/x\r\nCookie: a=b\r\n\r\nGET /y"), 10).target
    assert target == "http://a.example/xCookie:%20a=bGET%20/y"


def test_a_redirect_without_a_location_is_an_error_of_the_server() -> None:
    # scenario 28
    assert judge(page(302), 10) == NextStep("record", "http_error", "redirect_without_location")
    assert redirect_target(page(302)) is None


@pytest.mark.parametrize("location", ["", "#top", HERE, HERE + "#top", "http://me@a.example/folder/page?x=1"])
def test_a_location_that_leads_to_the_page_itself_is_a_loop(location: str) -> None:
    # scenario 23
    assert judge(moved(location), 10) == NextStep("record", "failed", "redirect_loop", HERE)


def test_a_location_that_is_in_the_chain_is_a_loop() -> None:
    # scenario 23
    chain = ("http://b.example/", "http://c.example/")
    assert judge(moved("http://b.example", chain=chain), 10) == NextStep(
        "record", "failed", "redirect_loop", "http://b.example/"
    )


@pytest.mark.parametrize("limit", [0, 1, 10])
def test_a_chain_ends_at_its_limit(limit: int) -> None:
    # scenario 23
    chain = tuple(f"http://a.example/{number}" for number in range(limit))
    assert judge(moved("/x", chain=chain), limit) == NextStep(
        "record", "failed", "too_many_redirects", "http://a.example/x"
    )
    if limit:
        assert judge(moved("/x", chain=chain[1:]), limit).action == "redirect"


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://a.example/", "data:text/html,x", "javascript:alert(1)", "chrome://gpu", "mailto:a@b"],
)
def test_a_redirect_to_another_scheme_is_refused(location: str) -> None:
    # scenario 24
    assert judge(moved(location), 10) == NextStep("record", "failed", "redirect_scheme")


@pytest.mark.parametrize(
    "location",
    [
        "http://",
        "http://[::1",
        "http://a.example:99999/",
        "http://a.example:25/",
        "http://%00/",
        "/\ud800",
        "x" * 70_000,
    ],
)
def test_a_location_that_is_no_url_is_a_permanent_failure(location: str) -> None:
    # scenario 28
    assert judge(moved(location), 10) == NextStep("record", "failed", "bad_redirect")


def test_several_locations_have_to_agree() -> None:
    # scenario 28
    same = page(301, ("Location", "/x"), ("location", "/x"))
    assert judge(same, 10) == NextStep("redirect", "redirect", None, "http://a.example/x")
    other = page(301, ("Location", "/x"), ("Location", "/y"))
    assert judge(other, 10) == NextStep("record", "failed", "bad_redirect")
    with pytest.raises(UrlError):
        redirect_target(other)

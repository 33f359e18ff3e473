"""Records: every page becomes one valid line of JSON with the same keys in the same order."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.models import Document, Request, Response
from crawler.records import FIELDS, empty_body, line_of, record_line, record_of, timestamp

REQUEST = Request("https://a.example/x", "a.example", 1, depth=2, via="https://a.example/", attempts=1)
PAGE = Response(
    REQUEST,
    200,
    (("Content-Type", " text/html; charset=utf-8 "), ("ETag", '"e"'), ("Last-Modified", "yesterday")),
    b"<p>hi",
    1_700_000_000.1234,
    0.0456,
    "asyncio",
)


def test_a_parsed_page_has_all_its_fields() -> None:
    document = Document(title="T", h1="H", headings=[(1, "H")], text="hé", hrefs=["https://b.example/"], links_total=3)
    record = record_of(
        REQUEST,
        "ok",
        page=PAGE,
        document=document,
        charset="utf-8",
        charset_source="header",
        body_bytes=5,
        digest="sha256:00",
        complete=True,
    )
    fields = json.loads(line_of(record))
    assert fields == {
        **dict.fromkeys(FIELDS),
        "url": "https://a.example/x",
        "outcome": "ok",
        "status": 200,
        "depth": 2,
        "via": "https://a.example/",
        "attempts": 2,
        "fetched_at": "2023-11-14T22:13:20.123Z",
        "elapsed_ms": 46,
        "strategy": "asyncio",
        "content_type": "text/html; charset=utf-8",
        "charset": "utf-8",
        "charset_source": "header",
        "etag": '"e"',
        "last_modified": "yesterday",
        "wire_bytes": 5,
        "bytes": 5,
        "digest": "sha256:00",
        "complete": True,
        "title": "T",
        "h1": "H",
        "headings": [[1, "H"]],
        "text": "hé",
        "text_length": 2,
        "links": ["https://b.example/"],
        "links_total": 3,
        "nofollow": False,
        "noindex": False,
    }


def test_keys_come_in_the_order_of_the_format_and_none_is_left_out() -> None:
    assert tuple(json.loads(record_line(REQUEST, "skipped"))) == FIELDS
    assert FIELDS[:5] == ("url", "outcome", "status", "error", "redirect_to")


def test_a_page_that_was_not_parsed_has_no_html_fields() -> None:
    fields = json.loads(record_line(REQUEST, "redirect", page=PAGE, redirect_to="https://a.example/y"))
    assert fields["redirect_to"] == "https://a.example/y"
    assert {fields[name] for name in FIELDS[FIELDS.index("title") :] if name != "headings"} == {None}
    assert (fields["bytes"], fields["digest"], fields["wire_bytes"], fields["complete"]) == (None, None, 5, True)


@pytest.mark.parametrize(
    ("outcome", "page", "elapsed_s", "attempts"),
    [
        ("ok", PAGE, None, 2),
        ("failed", None, 0.5, 2),
        ("failed", None, None, 1),  # it was given up while it waited for its next try
        ("quarantined", None, None, 2),
        ("skipped", None, None, 1),
    ],
)
def test_attempts_count_the_tries_that_were_made(outcome, page, elapsed_s, attempts) -> None:  # type: ignore[no-untyped-def]
    assert record_of(REQUEST, outcome, page=page, elapsed_s=elapsed_s).attempts == attempts


def test_a_fetch_without_an_answer_tells_how_long_it_took() -> None:
    fields = json.loads(record_line(REQUEST, "failed", error="refused", elapsed_s=1.5, strategy="threads"))
    assert (fields["error"], fields["elapsed_ms"], fields["strategy"]) == ("refused", 1500, "threads")


def test_only_the_first_5000_links_are_recorded() -> None:
    document = Document(hrefs=[f"https://a.example/{n}" for n in range(5_001)])
    assert len(record_of(REQUEST, "ok", page=PAGE, document=document).links or []) == 5_000


def test_a_body_cut_by_the_decoder_says_so_before_it_repeats_the_fetcher() -> None:
    cut = Response(REQUEST, 200, (), b"", 0.0, 0.0, "asyncio", truncated="time")
    assert record_of(REQUEST, "ok", page=cut).truncated == "time"
    assert record_of(REQUEST, "ok", page=cut, truncated="length").truncated == "length"


def test_a_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"


def test_a_header_with_control_characters_stays_on_one_line() -> None:  # scenario 87
    page = Response(REQUEST, 200, (("ETag", "a\x1b[2J\r\nb\0\x7f\u2028"),), b"", 0.0, 0.0, "asyncio")
    line = record_line(REQUEST, "ok", page=page)
    assert line.count(b"\n") == 1
    assert json.loads(line)["etag"] == "a\x1b[2J\r\nb\0\x7f\u2028"


@given(st.text(st.characters(categories=["Cs", "Cc", "L", "Zl"])))
def test_no_string_makes_a_line_invalid(text: str) -> None:  # scenarios 40 and 88
    document = Document(title=text, headings=[(1, text)], hrefs=[text])
    line = record_line(REQUEST, "ok", page=PAGE, document=document, error=text)
    fields = json.loads(line.decode("utf-8"))
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert len(fields["title"]) <= len(text)
    assert fields["headings"] == [[1, fields["title"]]]


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:  # scenario 88
    assert json.loads(record_line(REQUEST, "failed", error="a\ud800b"))["error"] == "a\ufffdb"


@pytest.mark.parametrize(
    ("status", "truncated", "is_known"), [(200, None, True), (200, "type", False), (404, None, False)]
)
def test_a_good_answer_without_a_body_has_no_bytes_and_their_digest(
    status: int, truncated: str | None, is_known: bool
) -> None:
    """A body that was not wanted, or belongs to an error, is not said to be empty."""
    page = msgspec.structs.replace(PAGE, status=status, body=b"", truncated=truncated)
    record = record_of(REQUEST, "ok", page=page, **empty_body(page))
    expected = (
        (0, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") if is_known else (None, None)
    )
    assert (record.bytes, record.digest) == expected

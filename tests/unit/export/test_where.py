"""The filters of `crawler export --where`: what they let through, and how they say what they cannot read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.errors import UsageError
from crawler.export.columns import FIELDS
from crawler.export.where import parse
from crawler.models import Article, Record

RECORD = Record(
    url="https://a.example/blog/1?page=2",
    outcome="ok",
    status=200,
    depth=0,
    fetched_at="2026-07-01T12:00:00.000Z",
    title="It's 404",
    description="",
    complete=True,
    truncated="null",
    headings=[],
    links=["https://a.example/a.pdf", "https://b.example/"],
    nofollow=False,
    og={"title": "Open", "image": ["one", "two"]},
    article=Article(text="body", title="Main"),
    rules={"price": 9.5, "stock": None, "deep": {"count": 3, "is_new": True}, "code": "007"},
)


def passes(*filters: str) -> bool:
    record = msgspec.convert(msgspec.to_builtins(RECORD), type=Row)
    return all(condition.holds(record) for condition in parse(filters))


INTEGERS = st.integers(-(2**63), 2**63 - 1)  # what SQLite keeps whole
Row = msgspec.defstruct("Row", [(name, Any, None) for name in FIELDS])


@pytest.mark.parametrize(
    ("text", "is_passed"),
    [
        ("status = 200", True),
        ("status=200", True),
        ("  status  =  200.0 ", True),
        ("status != 200", False),
        ("status >= 200", True),
        ("status > 200", False),
        ("status <= 199", False),
        ("status < 1e3", True),
        ("status > -5", True),
        ("depth = 0", True),
        ("outcome = 'ok'", True),
        ("outcome != 'failed'", True),
        ("url = https://a.example/blog/1?page=2", True),
        ("url ~ /blog/", True),
        ("url ~ ^http://", False),
        (r"url ~ page=\d+$", True),
        (r"url ~ 'page=\d+$'", True),
        ("title = 'It''s 404' ", True),
        ("title ~ 's 4'", True),
        ("fetched_at >= 2026-07-01", True),
        ("fetched_at < 2026-07-01", False),
        ("complete = true", True),
        ("complete", True),
        ("nofollow = false", True),
        ("nofollow", False),
        ("not nofollow", True),
        ("not complete", False),
        ("not status = 200", False),
        ("not title ~ zebra", True),
        ("not error > 5", True),
        ("title", True),
        ("description", False),
        ("depth", False),
        ("headings", False),
        ("links", True),
        ("error", False),
        ("not error", True),
        ("error = null", True),
        ("title = null", False),
        ("title != null", True),
        ("truncated = null", False),
        ("truncated = 'null'", True),
        ("error = 'null'", False),
        ("og.title = 'Open'", True),
        ("og.title", True),
        ("og.none", False),
        ("og.none = null", True),
        ("og.title.deeper", False),
        ("og.image ~ ^two$", True),
        ("article.title = 'Main'", True),
        ("rules.price > 9", True),
        ("rules.price = 9.50", True),
        ("rules.deep.count = 3", True),
        ("rules.deep.is_new = true", True),
        ("rules.deep.is_new = 1", False),
        ("rules.deep ~ is_new", True),
        ("rules.code = 007", True),
        ("rules.code = 7", False),
        (r"links ~ \.pdf$", True),
        (r"links ~ \.zip$", False),
        ("status ~ ^2", True),
        ("error ~ .", False),
        ("error < 5", False),
        ("error >= 5", False),
        ("title > 5", True),
        ("rules.price = 'x'", False),
        ("rules.price > 'x'", False),
        ("rules.price < 'x'", False),
        ("status == 200", True),
        ("error is null", True),
        ("title is null", False),
        ("title IS NOT NULL", True),
        ("complete is true", True),
        ("status = null", False),
        ("status = 404 or title", True),
        ("status = 404 or error", False),
        ("error and title or depth = 0", True),
        ("error and (title or depth = 0)", False),
        ("(url ~ (shop|blog)) and (error or depth=0)", True),
        ("not (status = 200 or error)", False),
        ("not (status = 404)", True),
        ("((((complete))))", True),
        ("title ~ 404 AND NOT nofollow", True),
        ("status = 200 and title and not error", True),
        ("status = 200 and title and error", False),
        ("status = 200 and not\tnofollow and url ~ and|blog", True),
    ],
)
def test_what_a_filter_lets_through(text: str, is_passed: bool) -> None:
    assert passes(text) is is_passed


def test_all_filters_must_hold() -> None:
    assert passes("status = 200", "title")
    assert not passes("status = 200", "error")
    assert passes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no field at character 1, at its end"),
        ("status =", "has no value at character 9, at its end"),
        ("status >> 4", "has no value at character 9, before '> 4'"),
        ("status = 4 or", "has no field at character 14, at its end"),
        ("status = 4 || depth", "has something else than `and` or `or` at character 12, before '|| depth'; write `or`"),
        (
            "title match 'x'",
            "has something else than `and` or `or` at character 7, before \"match 'x'\"; write FIELD ~ EX",
        ),
        ("title !~ x", "has something else than `and` or `or` at character 7, before '!~ x'; write `not FIELD ~ "),
        ("(status = 4", "has a parenthesis that is not closed at character 12, at its end"),
        ("(status = 4 title)", "has no `and` or `or` at character 13, before 'title)'"),
        ("()", "has no field at character 2, before ')'"),
        ("(" * 51 + "title", "has more than 50 parentheses inside of each other at character 52, before 'title'"),
        ("status > 'x'", "compares status, which is a number, with the text 'x' at character 10, before \"'x'\""),
        ("status = '200'", "compares status, which is a number, with the text '200' at character 10"),
        ("status < null", "compares status, which is a number, with null at character 10"),
        ("complete = 1", "compares complete, which is true or false, by = with '1' at character 12"),
        ("complete > true", "compares complete, which is true or false, by > with 'true' at character 12"),
        ("links = 'x'", "compares links, which is a list (search it with ~), at character 9"),
        ("status = 4 and", "has no field at character 15, at its end"),
        ("status = 4 and and", "has no field at character 16, before 'and'"),
        ("= 4", "has no field at character 1, before '= 4'"),
        ("title = 'x", 'has no value at character 9, before "\'x"'),
        ("title = 'x' y", "has something else than `and` or `or` at character 13, before 'y'; a value with a space"),
        ("title ~ a(", "has no regular expression at character 9, before 'a(';"),
        ("depth and titel", "asks for a field that no record has at character 11, before 'titel'; did you mean title?"),
        ("__class__", "asks for a field that no record has at character 1, before '__class__'; the fields are url,"),
        ("title.length > 4", "looks for a part of title, which has none, at character 1, before 'title.length > 4'"),
        ("links.0 = x", "looks for a part of links, which has none, at character 1, before 'links.0 = x'"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse([text])
    assert str(caught.value).startswith(f"the filter {text!r} {message}")
    assert "\n" not in str(caught.value)


@given(st.text(st.sampled_from("status title og. and or is not=!<>~'\"\\ 40()*") | st.characters()))
@example("status = " + "9" * 5_000)
@example("status < 1e99999")
@example("title ~ \0")
def test_any_text_is_a_filter_or_one_sentence(text: str) -> None:
    try:
        conditions = parse([text])
    except UsageError as error:
        said = str(error)
    else:
        said = f"the filter {all(condition.holds(Row()) for condition in conditions)}"
    assert said.startswith("the filter ")


@given(INTEGERS, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), INTEGERS)
def test_numbers_compare_as_numbers(left: int, sign: str, right: int) -> None:
    expected = {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    (condition,) = parse([f"status {sign} {right}"])
    assert condition.holds(Row(status=left)) is expected[sign]

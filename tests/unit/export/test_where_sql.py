"""SQLite's expressions in `crawler export --where`: what they may do, what is refused, and the limits they have."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from crawler.errors import UsageError
from crawler.export import where
from crawler.export.where import parse
from tests.unit.export.test_where import Row, passes


@pytest.mark.parametrize(
    ("text", "is_passed"),
    [
        ("canonical != url", True),  # null is unequal to all but null
        ("canonical = url", False),
        ("title = title", True),
        ("200 = status", True),
        ("status <> 200", False),
        ("status in (200, 404)", True),
        ("not not status", True),
        ("status between 100 and 300 and title", True),
        ("status + 1 = 201", True),
        ("title like '%404'", True),
        ("title collate nocase = 'IT''S 404'", True),
        ("length(title) > 5", True),
        ("coalesce(author, title)", True),
        ("coalesce(author, '') or error", False),
        ("cast(status as text) = '200'", True),
        ("case when error then 0 else title end", True),
        ("case status when 200 then 0 else 1 end", False),
        ("(title) = 'It''s 404'", True),
        ("(error or title) = true", True),
        ("url = canonical || '/'", False),
        ("rules ->> 'price' > 9", True),
        ("rules->>'price'", True),
        ("rules ->> 'stock'", False),
        ("og ->> 'title' = 'Open'", True),
        ("rules.price * 2 = 19", True),
        ("9 < rules.price and rules.price < 10 and 7 != rules.code", True),
        ("'x' || title = 'x' || title and status = 200 and 007 = rules.code", True),
        ("json_array_length(links) = 2", True),
        ("'https://b.example/' in (select value from json_each(links))", True),
        (r"exists (select 1 from json_each(links) where value ~ '\.pdf$' and not error)", True),
        ("exists (select 1 from json_each(links) as l where l.value like '%.zip')", False),
        ("exists (select 1 from json_each(links) where error)", False),
        ("(select count(*) from json_each(links)) > 1", True),
        ("lower(title) ~ ^it", True),
        ("title not ~ zebra", True),
        ("error not ~ zebra", True),
        ("links not ~ pdf", False),
        ("title regexp '404'", True),
        ("author != 'x'", True),
        ("not author = 'x'", True),
        ("author not in ('x')", True),
        ("author not like 'x%'", True),
        ("author < 'x' or author >= 'x'", False),
        ("rules.deep.is_new > 0", False),
        ("rules.deep.is_new != true", False),
        ("rules.price = '9.5'", False),
        ("url in (https://a.example/, https://a.example/blog/1?page=2)", True),
        ("published between 2020 and 2024", False),
    ],
)
def test_expressions_of_sqlite(text: str, is_passed: bool) -> None:
    assert passes(text) is is_passed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lang = de", "has the word de, which is no field, at character 8, before 'de'; write 'de' if it is text"),
        (
            "lang in ('en', de-AT)",
            "has the word de, which is no field, at character 16, before 'de-AT)'; write 'de-AT'",
        ),
        ("content_type = text/html", "has the word html, which is no field, at character 21, before 'html'; write 'te"),
        ("digest = 5f3a", "has the word 5f3a, which is no field, at character 10, before '5f3a'; write '5f3a'"),
        ("title = titel", "has the word titel, which is no field, at character 9, before 'titel'; write 'titel' if it"),
        ('lang = "de"', "has a double quote at character 8, before '\"de\"'; write 'de'"),
        (
            '"lang"',
            "has a double quote at character 1, before '\"lang\"'; write lang for the field, 'lang' for the text",
        ),
        ('url ~ "a b"', "has a double quote at character 7, before '\"a b\"'; write 'a b'"),
        (
            r"title = 'It\'s'",
            "has a backslash before a quote at character 12, before \"\\\\'s'\"; a quote in a text is",
        ),
        ("status = title", "compares status, which is a number, with title, which is text, at character 10"),
        ("title = true", "compares title, which is text, with 'true' at character 9, before 'true'; write 'true'"),
        ("title ->> 'x'", "looks for a part of title, which has none, at character 1, before \"title ->> 'x'\""),
        ("title || 'x'", "has something else than `and` or `or` at character 7, before \"|| 'x'\"; write `or`"),
        ("title ~ 'a' || 'b'", "has something else than `and` or `or` at character 13, before \"|| 'b'\"; write `or`"),
        ("title, status", "has something else than `and` or `or` at character 6, before ', status'"),
        ("status = 4; drop table x", "has something else than `and` or `or` at character 11, before '; drop table x'"),
        ("status = 4) from (url", "has something else than `and` or `or` at character 11, before ') from (url'"),
        ("select 1", "asks for a field that no record has at character 1, before 'select 1'"),
        ("pragma user_version", "asks for a field that no record has at character 1"),
        ("load_extension('x')", "calls load_extension(), which is no function of filters, at character 1"),
        ("length(writefile('x', 'y'))", "calls writefile(), which is no function of filters, at character 8"),
        ("title and zeroblob(9)", "calls zeroblob(), which is no function of filters, at character 11"),
        ("length(url, 2)", "gives length() a wrong number of values at character 1"),
        ("exists (select 1 from sqlite_master)", "reads what is no record, where a SELECT may read only json_each() a"),
        (
            "exists (select name from sqlite_master)",
            "reads sqlite_master, where a SELECT may read only json_each() and",
        ),
        ("exists (select 1 from pages)", "reads pages, where a SELECT may read only json_each() and json_tree()"),
        ("exists (select * from pragma_table_list)", "reads what is no record, where a SELECT may read only js"),
        ("exists (select no from json_each(links))", "has the word no, which is no field, at character 16"),
        ("(title, status)", "cannot be evaluated: row value misused"),
        ("title = \ud800", "has a character that is in no record at character 9"),
        (" or ".join(["title"] * 2_000), "has too much inside of each other"),
        ("(status or " * 45 + "status" + ")" * 45, "has too much inside of each other"),
    ],
)
def test_what_is_no_expression_of_a_filter_is_told_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse([text])
    assert str(caught.value).startswith(f"the filter {text!r} {message}")
    assert "\n" not in str(caught.value)


def test_filters_in_the_readme_can_be_read() -> None:
    readme = Path(__file__).parents[3].joinpath("README.md").read_text(encoding="utf-8")
    filters = re.findall(r"""--where (?:'([^']*)'|"([^"]*)")""", readme)
    assert len(filters) >= 6
    assert parse(single or double for single, double in filters)


def test_a_recursive_select_is_refused() -> None:
    with pytest.raises(UsageError, match="at character 9"):
        parse(["exists (with recursive n (x) as (select 1 union select x from n) select x from n)"])


def test_a_filter_has_a_greatest_length() -> None:
    with pytest.raises(
        UsageError, match=r"^the filter that begins with \"title = 'x+\" has more than 50000 characters$"
    ):
        parse([f"title = '{'x' * 50_000}'"])


def test_a_number_of_more_than_64_bits_is_compared_as_far_as_sqlite_can() -> None:
    (condition,) = parse(["bytes > 9e18"])
    assert condition.holds(Row(bytes=2**70))
    assert not condition.holds(Row(bytes=-(10**400)))


@pytest.mark.parametrize(
    "text",
    [
        "title ~ (a+)+$",
        "exists (select 1 from json_each(links) where title ~ '(a+)+$')",
        "(select count(*) from json_each(links) a join json_each(links) b join json_each(links) c) > 1",
    ],
)
def test_what_takes_too_long_is_told_with_the_page(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "LIMIT_S", 0.05)
    (condition,) = parse([text])
    record = Row(url="https://a.example/", title="a" * 40 + "!", links=["x"] * 2_000)
    with pytest.raises(UsageError) as caught:
        condition.holds(record)
    expected = f"the filter {text!r} cannot be answered for https://a.example/: it takes longer than 0.05 s"
    assert str(caught.value) == expected
    assert condition.holds(Row(title="a")) is (text == "title ~ (a+)+$")


def test_what_sqlite_cannot_evaluate_is_told_with_the_page() -> None:
    (condition,) = parse(["abs(bytes) > 1"])
    with pytest.raises(UsageError, match=r"cannot be answered for https://a\.example/: integer overflow"):
        condition.holds(Row(url="https://a.example/", bytes=-(2**63)))


def test_a_filter_may_be_asked_in_another_thread_than_the_one_that_read_it() -> None:
    (condition,) = parse(["title ~ 404"])
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(condition.holds(Row(title="404"))))
    thread.start()
    thread.join()
    assert answers == [True]

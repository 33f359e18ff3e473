"""Counts of pages from which something could not be extracted."""

from __future__ import annotations

import msgspec

from crawler.measure.extract_errors import MAX_LISTED, MAX_REASONS, MAX_TOLD, OTHERS, ExtractErrors


def test_without_such_a_page_there_is_nothing_to_say() -> None:
    assert ExtractErrors().sentence == ""
    assert msgspec.to_builtins(ExtractErrors().stats()) == {"pages": 0, "reasons": []}


def test_the_commonest_reason_is_named_with_its_first_page() -> None:
    errors = ExtractErrors()
    assert errors.add("http://a.example/1", "ValueError: \x1b[2J")
    assert errors.sentence == r"1 page has an extract_error; ValueError: \x1b[2J; see http://a.example/1"
    assert errors.add("http://a.example/2", "missing: price")
    assert not errors.add("http://a.example/3", "missing: price")
    assert errors.sentence == "3 pages have an extract_error; 2 of them: missing: price; see http://a.example/2"


def test_an_extractor_that_fails_with_other_words_each_time_takes_no_memory() -> None:
    errors = ExtractErrors()
    told = sum(errors.add(f"http://a.example/{n}", f"KeyError: {n}") for n in range(MAX_REASONS + 50))
    assert told == MAX_TOLD
    figures = msgspec.to_builtins(errors.stats())
    assert figures["pages"] == MAX_REASONS + 50
    reasons = figures["reasons"]
    assert isinstance(reasons, list)
    assert len(reasons) == MAX_LISTED
    assert (reasons[0]["reason"], reasons[0]["count"]) == (OTHERS, 50)

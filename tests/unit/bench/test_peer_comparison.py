"""How the records of two crawls are joined and compared by the benchmark against other crawlers."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.peers.comparison import FIELDS, PageFields, compare, read_pages

HOME = PageFields(
    "http://a.example/",
    title="Home",
    description="All of it",
    h1="Welcome",
    text="Welcome\nAll",
    links=["http://a.example/b"],
)


def test_pages_that_say_the_same_are_equal_in_every_field() -> None:
    found = compare([HOME], [HOME])
    assert found.shared == 1
    assert found.equal == dict.fromkeys(FIELDS, 1)
    assert not found.missing
    assert not found.extra
    assert not any(found.examples.values())


def test_pages_are_joined_by_canonical_url() -> None:
    theirs = PageFields("HTTP://A.example:80/%7eb?#top", text="")
    found = compare([PageFields("http://a.example/%7Eb", text="")], [theirs])
    assert (found.shared, found.missing, found.extra) == (1, [], [])


def test_pages_that_only_one_side_has_are_listed() -> None:
    found = compare([HOME, PageFields("http://a.example/b")], [HOME, PageFields("http://a.example/c")])
    assert (found.shared, found.missing, found.extra) == (1, ["http://a.example/b"], ["http://a.example/c"])


def test_a_page_recorded_again_is_counted_and_its_first_record_compared() -> None:
    found = compare([HOME], [HOME, PageFields("http://a.example/#again", title="Other")])
    assert found.repeated == 1
    assert found.equal["title"] == 1


def test_white_space_is_folded_in_titles_and_left_out_of_texts() -> None:
    theirs = PageFields(HOME.url, title=" Home\n", text="Wel come All", h1="Wel come")
    found = compare([HOME], [theirs])
    assert found.equal["title"] == 1
    assert found.equal["text"] == 1
    assert found.equal["h1"] == 0


def test_a_missing_field_equals_an_empty_one() -> None:
    found = compare([PageFields(HOME.url, title=None, text="")], [PageFields(HOME.url, title="", text="", links=[])])
    assert found.equal == dict.fromkeys(FIELDS, 1)


def test_links_are_sets_of_canonical_http_urls() -> None:
    ours = PageFields(HOME.url, links=["http://a.example/b", "http://a.example/c"])
    theirs = PageFields(HOME.url, links=["http://a.example/c#x", "http://A.example/b", "http://a.example/c", "tel:1"])
    assert compare([ours], [theirs]).equal["links"] == 1
    assert compare([ours], [PageFields(HOME.url, links=["http://a.example/b"])]).equal["links"] == 0


def test_links_beyond_the_most_that_a_record_of_ours_holds_do_not_count() -> None:
    many = [f"http://a.example/{number}" for number in range(5_001)]
    found = compare([PageFields(HOME.url, links=many[:-1])], [PageFields(HOME.url, links=many)])
    assert found.equal["links"] == 1


def test_a_difference_is_shown_from_where_it_begins() -> None:
    ours = PageFields(HOME.url, text="x" * 500 + " colour")
    found = compare([ours], [PageFields(HOME.url, text="x" * 500 + " color")])
    (example,) = found.examples["text"]
    assert example.url == HOME.url
    assert example.ours.endswith("colour")
    assert example.theirs.endswith("color")


def test_differing_links_are_shown_by_one_of_each_side() -> None:
    ours = PageFields(HOME.url, links=["http://a.example/b"])
    (example,) = compare([ours], [PageFields(HOME.url, links=["http://a.example/c"])]).examples["links"]
    assert "http://a.example/b" in example.ours
    assert "http://a.example/c" in example.theirs


def test_of_our_records_only_html_pages_that_are_ok_are_read(tmp_path: Path) -> None:
    records = [
        {"url": "http://a.example/", "outcome": "ok", "status": 200, "text": "", "links": []},
        {"url": "http://a.example/a.txt", "outcome": "ok", "status": 200, "text": None, "links": None},
        {"url": "http://a.example/gone", "outcome": "http_error", "status": 404, "text": None, "links": None},
    ]
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert [page.url for page in read_pages(path)] == ["http://a.example/"]

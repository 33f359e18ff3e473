"""What a report says of many records together, and what it makes of what comes from the web."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.report_reader import HOME, HOSTILE, Reader, ended, made, report
from tests.unit.made_run import alter

# What only many records together say


@pytest.fixture
def small(tmp_path: Path) -> Reader:
    """A site with a broken page behind two redirects, a loop, and pages with one title."""
    a, b, c, gone, x, y = (HOME + name for name in ("a", "b", "c", "gone", "x", "y"))
    return report(
        made(
            tmp_path / "run",
            {
                HOME: lambda request: ended(request, 200, a, b, c, gone, title="One title"),
                c: lambda request: ended(request, 200, a, HOME, title="One title"),
                a: lambda request: ended(request, 301, to=b),
                b: lambda request: ended(request, 302, to=gone),
                gone: lambda request: ended(request, 404),
                x: lambda request: ended(request, 301, to=y),
                y: lambda request: ended(request, 301, to=x),
            },
        )
    )


def test_links_through_redirects_count_as_links_to_what_is_broken(small: Reader) -> None:
    """The home page links there thrice and is one page."""
    assert "404 /gone 2 / /c" in small.text("broken")


def test_chains_of_redirects_are_shown_with_their_end(small: Reader) -> None:
    assert "2 404 /a /b /gone" in small.text("redirects")


def test_redirects_in_a_circle_are_a_loop(small: Reader) -> None:
    assert "2 a loop /x /y /x" in small.text("redirects")


def test_titles_that_different_pages_share_are_shown(small: Reader) -> None:
    assert "One title 2 / /c" in small.text("duplicates")


def test_a_small_site_is_drawn_with_all_its_pages(small: Reader) -> None:
    assert "7 pages and 10 links between them" in small.text("site")
    assert len([given for tag, given in small.elements if tag == "g" and given.get("class") == "node"]) == 7


def test_a_large_site_is_not_drawn(tmp_path: Path) -> None:
    urls = [f"{HOME}{number}" for number in range(151)]
    reader = report(made(tmp_path / "run", {url: lambda request: ended(request, 200) for url in urls}))
    assert "site" not in reader.sections
    assert "no more than 150 pages" in reader.text("content")


def test_long_lists_say_what_they_leave_out_and_which_command_has_it(tmp_path: Path) -> None:
    urls = [f"{HOME}{number}" for number in range(60)]
    reader = report(made(tmp_path / "run", {url: lambda request: ended(request, 404) for url in urls}))
    said = f"Shown are 50 of 60 broken pages; all of them: crawler show {tmp_path / 'run'} --failed"
    assert said in reader.text("broken")


# What comes from the web


def test_a_title_of_a_megabyte_is_shown_in_part(tmp_path: Path) -> None:
    pages = {HOME + name: lambda request: ended(request, 200, title="T" * 1_000_000) for name in ("", "b")}
    folder = made(tmp_path / "run", pages)
    report(folder)
    assert (folder / "report.html").stat().st_size < 1_000_000


def test_what_pages_say_of_themselves_is_inert(tmp_path: Path) -> None:
    # scenario 87
    pages = {HOME + name: lambda request: ended(request, 200, title=HOSTILE) for name in ("", "b")}
    folder = made(tmp_path / "run", pages)
    stats = {
        "why": HOSTILE,
        "notes": [HOSTILE],
        "verdict": {"sentence": HOSTILE, "advice": [HOSTILE], "shares": {HOSTILE: 1}},
        "stages": {"parse": {}, HOSTILE: {}},
        "outside": [{"host": HOSTILE, "reason": HOSTILE, "count": 1, "examples": [HOSTILE, "javascript:alert(1)"]}],
        "hosts": [{"host": HOSTILE}],
        "traps": [{"pattern": HOSTILE, "examples": [f"https://x/{HOSTILE}"]}],
        "sessions": [{"why": HOSTILE}, {"started_at": HOSTILE}],
    }
    (folder / "stats.json").write_text(json.dumps(stats))
    alter(folder, f"UPDATE details SET reason = '{HOSTILE}', outcome = 3, url = '{HOSTILE}' WHERE seq = 2")
    reader = report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "alert(1)" in text
    assert [tag for tag, _ in reader.elements].count("script") == 1
    assert "img" not in [tag for tag, _ in reader.elements]
    assert not any(href.startswith("javascript:") for href in reader.hrefs())
    assert "\u202e" not in text
    assert "\x1b" not in text

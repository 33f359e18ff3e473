"""What a page shows without linking to it, found for crawls that save such files."""

from __future__ import annotations

import pytest

from crawler.files.choice import FileChoice
from crawler.parse.embedded import MAX_SRCSET_CHARS, candidates, embedded_of
from crawler.parse.hrefs import LinkJoiner
from tests.unit.bounded import within

PAGE = "https://h.example/a/page"


def found(*arguments: str, images=(), elements=(), links=(), limit: int = 100) -> list[str]:  # type: ignore[no-untyped-def]
    """The paths of what is asked for on the host of the page."""
    base = LinkJoiner().base(PAGE)
    urls = embedded_of(images, elements, links, base.join, FileChoice(arguments).wants_embedded, limit)
    return [url.removeprefix("https://h.example") for url in urls]


@pytest.mark.parametrize(
    ("srcset", "urls"),
    [
        ("", []),
        (" , ,", []),
        ("a.png", ["a.png"]),
        ("a.png 1x, b.png 2x", ["a.png", "b.png"]),
        ("a.png, b.png", ["a.png", "b.png"]),
        ("a.png,, b.png", ["a.png", "b.png"]),
        ("a.png 100w,b.png 200w", ["a.png", "b.png"]),
        ("a,b.png 1x", ["a,b.png"]),
        ("\n a.png\t1x ,\n b.png 2x ", ["a.png", "b.png"]),
        ("a.png (x, y) 1x, b.png", ["a.png", "b.png"]),
        ("a.png (x, b.png", ["a.png"]),
        ("data:,a ( , data:,b 1x, ), data:,c", ["data:,a", "data:,c"]),
    ],
)
def test_srcset_is_read_as_browsers_read_it(srcset: str, urls: list[str]) -> None:
    assert list(candidates(srcset)) == urls


def read_hostile(units: list[str]) -> int:
    return sum(len(list(candidates(unit * MAX_SRCSET_CHARS))) for unit in units)


def test_a_srcset_of_one_thing_again_and_again_takes_linear_time() -> None:
    units = [",", " ", "(", "a (", ", (", "a,", "a ,", "()", "( )", "\n(,"]
    assert within(5, 500, read_hostile, units) > 0


def test_images_are_found_wherever_they_stand() -> None:
    images = [
        {"src": "1.png"},
        {"src": "data:image/gif;base64,R0", "data-src": "2.png"},
        {"srcset": "3.png 1x, /4.png 2x", "src": None},
        {"data-srcset": "5.png"},
        {"alt": "no source"},
        {"src": "1.png#again"},
        {"src": "mailto:x"},
    ]
    elements = [("source", {"srcset": "6.png"}), ("video", {"poster": "7.png", "src": "film.mp4"})]
    links = [
        {"rel": "shortcut icon", "href": "8.ico"},
        {"rel": "apple-touch-icon", "href": "9.png"},
        {"rel": "stylesheet", "href": "no.css"},
        {"rel": None, "href": "no.png"},
    ]
    expected = [
        "/a/1.png",
        "/a/2.png",
        "/a/3.png",
        "/4.png",
        "/a/5.png",
        "/a/6.png",
        "/a/7.png",
        "/a/8.ico",
        "/a/9.png",
    ]
    assert found("images", images=images, elements=elements, links=links) == expected
    assert found("image/png", images=images, elements=elements, links=links) == expected
    assert found("pdf", images=images, elements=elements, links=links) == []
    assert found("images", images=images, elements=elements, links=links, limit=2) == expected[:2]


def test_sounds_and_videos_are_found() -> None:
    elements = [
        ("video", {"src": "1.mp4", "poster": "no.png"}),
        ("audio", {"src": "2.mp3"}),
        ("source", {"src": "3.ogg"}),
    ]
    assert found("media", elements=elements) == ["/a/1.mp4", "/a/2.mp3", "/a/3.ogg"]
    assert found("audio/*", elements=elements) == ["/a/2.mp3", "/a/3.ogg"]
    assert found("all", elements=elements) == ["/a/1.mp4", "/a/no.png", "/a/2.mp3", "/a/3.ogg"]


def test_an_expression_takes_what_it_is_found_in() -> None:
    images = [{"src": "1.png"}, {"src": "2.webp"}]
    assert found(r"\.webp$", images=images) == ["/a/2.webp"]

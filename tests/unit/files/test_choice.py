"""Which bodies go into files: by type, by group, by URL; HTML stays a page whatever is asked for."""

from __future__ import annotations

import pickle

import pytest

from crawler.errors import UsageError
from crawler.files.choice import FileChoice

PDF, BINARY = "application/pdf", "application/octet-stream"


@pytest.mark.parametrize(
    ("argument", "url", "content_type", "is_wanted"),
    [
        ("pdf", "/get", PDF, True),
        ("pdf", "/get", "Application/PDF; charset=binary", True),
        ("pdf", "/a.pdf", BINARY, True),
        ("pdf", "/a.PDF?download", BINARY, True),
        ("pdf", "/a.pdf", None, True),
        ("pdf", "/a.pdf", "text/plain", True),
        ("pdf", "/a.pdf", "text/html", False),
        ("pdf", "/a.pdf", "image/png", False),
        ("pdf", "/get", BINARY, False),
        ("application/pdf", "/get", PDF, True),
        ("application/pdf", "/a.pdf", BINARY, False),
        ("APPLICATION/PDF", "/get", PDF, True),
        ("image/*", "/get", "image/avif", True),
        ("image/*", "/get", "application/image", False),
        ("images", "/get", "image/x-unheard-of", True),
        ("media", "/a", "video/mp4", True),
        ("media", "/a", "image/png", False),
        ("archives", "/a.tar.gz", "application/x-gzip", True),
        ("archives", "/a.7z", "text/plain", True),
        ("documents", "/a", "application/vnd.oasis.opendocument.text", True),
        ("documents", "/a.txt", "text/plain", False),
        ("all", "/a", "application/json", True),
        ("all", "/a", "text/html; charset=utf-8", False),
        ("all", "/a", "application/xhtml+xml", False),
        ("all", "/a", None, False),
        ("all", "/a.zip", None, True),
        ("all", "/a.html", None, False),
        ("all", "/a.php", "", False),
        ("*/*", "/a", "application/json", True),
        (r"/press/.*\.docx?$", "/press/a.doc", "x/y", True),
        (r"/press/.*\.docx?$", "/press/a.html", "text/html", False),
        (r"docs/report", "/docs/report", "x/y", True),
        ("PDF", "/a.PDF", "x/y", True),
        ("(?i)report", "/REPORT", "x/y", True),
    ],
)
def test_what_is_wanted(argument: str, url: str, content_type: str | None, is_wanted: bool) -> None:
    choice = FileChoice([argument])
    assert choice.wants_file(f"https://h.example{url}", content_type) is is_wanted
    assert pickle.loads(pickle.dumps(choice)).wants_file(f"https://h.example{url}", content_type) is is_wanted


def test_several_are_wanted_beside_each_other() -> None:
    choice = FileChoice(["pdf", "image/*", "(?i)/x", "^https://h"])
    assert choice.wants_file("https://h.example/a", "x/y")
    assert choice.wants_file("https://i.example/a", PDF)
    assert not choice.wants_file("https://i.example/a", "x/y")


def test_pages_are_kept_where_they_are_meant() -> None:
    url = "https://h.example/a"
    assert FileChoice([], saves_html=True).wants_page(url, "text/html")
    assert FileChoice(["text/html"]).wants_page(url, "text/html; charset=utf-8")
    assert FileChoice(["/a$"]).wants_page(url, None)
    assert not FileChoice(["/b$"]).wants_page(url, "text/html")
    assert not FileChoice(["all"]).wants_page(url, "text/html")
    assert [FileChoice(each).has_pages for each in ([], ["all"], ["pdf"], ["/a"], ["text/*"])] == [0, 0, 0, 1, 1]


def test_what_is_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no media type, none of pdf, .*all, and no regular expression"):
        FileChoice(["*.pdf"])

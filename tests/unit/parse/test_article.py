"""The main content of a page, by trafilatura; and what is said where the library is missing."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

import pytest

from crawler.engine import assembly
from crawler.errors import UsageError
from crawler.models import Request, Response
from crawler.parse.extract import extractors
from crawler.parse.options import ExtractOptions
from crawler.parse.stage import PageParser, StageContext
from crawler.scope.scope import Scope, SeedSite
from crawler.scope.seeds import Seeds
from crawler.settings import file as settings_file

URL = "https://a.example/news/1"
needs_library = pytest.mark.skipif(
    find_spec("trafilatura") is None, reason="trafilatura is not installed: pip install trafilatura lxml_html_clean"
)
SENTENCES = "The heron stood in the shallow water and waited. It had all the time in the world, and the fish had none. "
PAGE = f"""<!DOCTYPE html><html lang="en"><head><title>Herons wait</title>
<meta name="author" content="Ann Example"><meta property="article:published_time" content="2024-01-02T10:00:00Z"></head>
<body><nav><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li></ul></nav>
<article><h1>Herons wait</h1><p>{SENTENCES * 3}</p><h2>Fish do <em>not</em></h2><p>{SENTENCES * 4}</p></article>
<aside><p>Buy our newsletter today!</p></aside><footer><p>Copyright by nobody, all rights waived</p></footer></body>
</html>"""


def record(html: str, url: str = URL, **wanted: Any) -> dict[str, Any]:
    page = Response(
        Request(url, "a.example", 1), 200, (("content-type", "text/html"),), html.encode(), 0.0, 0.0, "asyncio"
    )
    context = StageContext(Scope([SeedSite(URL)]), wanted=ExtractOptions(**wanted))
    parsed = PageParser(context).parse(page)
    assert parsed.outcome == "ok"
    found: dict[str, Any] = json.loads(parsed.line)
    return found


@needs_library
def test_an_article_is_the_main_content_without_what_is_around_it() -> None:
    article = record(PAGE, article="text")["article"]
    assert list(article) == ["text", "title", "author", "date", "language"]
    assert article["text"].startswith("Herons wait\nThe heron stood")
    assert article["text"].count("The heron stood") == 7
    for outside in ("About us", "newsletter", "Copyright"):
        assert outside not in article["text"]
    assert (article["title"], article["author"]) == ("Herons wait", "Ann Example")
    assert (article["date"], article["language"]) == ("2024-01-02", "en")


def dated(body: str) -> str:
    """The page without what it says for machines, and with this at the end of its article."""
    plain = PAGE.replace('<meta property="article:published_time" content="2024-01-02T10:00:00Z">', "")
    return plain.replace("</article>", f"{body}</article>")


@needs_library
@pytest.mark.parametrize(
    "body",
    [
        '<p><time datetime="2023-05-06">6 May</time></p>',
        '<p class="post-date">6 May 2023</p>',
        '<div id="footer">Last updated 2023-05-06 00:35:55 UTC</div>',
        '<p>Posted: <abbr title="2023-05-06">in May</abbr></p>',
        '<script type="application/ld+json">{"@type": "Article", "datePublished": "2023-05-06"}</script>',
        '<meta itemprop="datePublished" content="2023-05-06"><meta itemprop="dateModified" content="2024-07-08">',
        '<div class="entry-meta">May 6, 2023 by Ann</div>',
        '<span class="datum">06.05.2023</span>',
        "<p>Date: 2023-05-06</p>",
        "<p><time>6. Mai 2023</time></p>",
        '<p><time class="version">3.2.25</time> of <time datetime="2023-05-06">May</time></p>',
        '<p class="byline">Publié le 6 mai 2023</p>',
        '<meta name="date" content="3.2.25"><p><time datetime="2023-05-06">May</time></p>',
        '<meta name="date" content="12.4.19"><meta itemprop="datePublished" content="2023-05-06">',
        '<script type="application/ld+json">{"datePublished": "0001-01-01"}</script><p class="date">2023-05-06</p>',
    ],
)
def test_the_date_of_an_article_is_the_one_that_the_page_states(body: str) -> None:
    assert record(dated(body), article="text")["article"]["date"] == "2023-05-06"


@needs_library
@pytest.mark.parametrize(
    "body",
    [
        "<pre>2010-12-12 11:41:42,612 is when this event was logged.</pre>",
        "<p>In version 2.4.3, 2014-03-02, the heron was given a beak.</p>",
        "<p>2014-03-02</p>",
        '<p><span class="versionmodified">Changed in version 2.7.13:</span> herons.</p>',
        f'<div id="updated-topics"><p>{SENTENCES * 3} It began on 2014-03-02.</p></div>',
        '<div class="date-of-birth">2014-03-02</div>',
        "<footer>Copyright 2014-03-02</footer>",
        '<ol class="comments"><li class="comment-date"><time datetime="2014-03-02">2 March</time></li></ol>',
    ],
)
def test_a_date_that_the_text_speaks_of_is_not_that_of_the_article(body: str) -> None:
    assert record(dated(body), article="text")["article"]["date"] is None


@needs_library
@pytest.mark.parametrize("version", ["3.2.25", "1.11.20", "12.4.19", "v2023.1.2", "1.2.3.2020", "20.10.24"])
@pytest.mark.parametrize(
    "place",
    [
        "<h1>Django {} documentation</h1>",
        '<p class="date">Version {}</p>',
        "<p>Updated for Django {}</p>",
        '<meta name="date" content="{}"><meta name="version" content="{}">',
        '<p><time datetime="{}">{}</time></p>',
        '<abbr class="published" title="{}">{}</abbr>',
        '<img src="/logo-{}.png" alt="{}" class="timestamp"><a href="/{}/">{}</a>',
        '<script type="application/ld+json">{{"@type": "Article", "datePublished": "{}"}}</script>',
        "<small>Release {}</small><footer>Python {}</footer><!-- {} -->",
    ],
)
def test_a_version_is_no_date(version: str, place: str) -> None:
    body = place.replace("{}", version).replace("{{", "{").replace("}}", "}")
    html = dated(body).replace("<title>Herons wait", f"<title>Django {version} documentation")
    assert record(html, article="text")["article"]["date"] is None


@needs_library
def test_a_version_in_the_url_is_no_date_and_the_folders_of_a_day_are() -> None:
    for path, date in (
        ("/docs/3.2.25/topics/", None),
        ("/docs/12.4.19/", None),
        ("/en/1.11.20/ref-20.10.24.html", None),
        ("/v/2023.1.2/", None),
        ("/12/4/19/", None),
        ("/2023/05/06/herons-wait/", "2023-05-06"),
        ("/2023/13/06/herons-wait/", None),
    ):
        assert record(dated(""), url=f"https://a.example{path}", article="text")["article"]["date"] == date


@needs_library
@pytest.mark.parametrize(
    ("element", "author"),
    [
        ('<p class="author">Bea Byline</p>', "Bea Byline"),
        ('<span itemprop="authorName" class="authorName">Bea Byline</span>', "Bea Byline"),
        ('<h2 id="authority">Certification Authority</h2>', None),
        ('<h2 id="authorphase">The Authorization Phase</h2>', None),
        ('<h2 class="AuthBasicAuthoritative">The Directive</h2>', None),
    ],
)
def test_what_only_sounds_like_an_author_is_none(element: str, author: str | None) -> None:
    html = dated(element).replace('<meta name="author" content="Ann Example">', "")
    assert record(html, article="text")["article"]["author"] == author


@needs_library
def test_the_author_is_named_as_the_page_states_it() -> None:
    found = record(PAGE.replace("Ann Example", "Ann Example, ann@a.example"), article="text")
    assert found["article"]["author"] == found["author"] == "Ann Example, ann@a.example"


@needs_library
def test_as_markdown_it_keeps_headings_and_emphasis() -> None:
    article = record(PAGE, article="markdown")["article"]
    assert "# Herons wait" in article["text"]
    assert "## Fish do *not*" in article["text"]


@needs_library
@pytest.mark.parametrize("html", ["", "<p>hi", "<title>t</title>", "\0", "word", "<?xml version='1.0'?><p>x"])
def test_a_page_without_an_article_has_none_and_that_is_no_error(html: str) -> None:
    found = record(html, article="text")
    assert (found["article"], found["extract_error"]) == (None, None)


@needs_library
def test_what_the_library_fails_at_is_noted_and_the_page_keeps_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise IndexError("out of luck")

    monkeypatch.setattr("trafilatura.extract", fails)
    found = record(PAGE, article="text")
    assert (found["article"], found["title"]) == (None, "Herons wait")
    assert found["extract_error"] == "article: IndexError: out of luck"


def test_a_missing_library_is_named_before_the_crawl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "find_spec", lambda name: None)
    chosen = settings_file.build({"parse": {"article": True}}, "the test")
    sentence = "^--article needs trafilatura; get it with: pip install trafilatura lxml_html_clean$"
    with pytest.raises(UsageError, match=sentence):
        assembly.check(chosen, Seeds((), ()))
    assembly.check(settings_file.build({"parse": {"article_format": "markdown"}}, "the test"), Seeds((), ()))

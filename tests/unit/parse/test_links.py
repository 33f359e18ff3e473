"""Links are judged once, handed out once and counted every time."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler import urls
from crawler.errors import UrlError
from crawler.models import EXAMPLES, LeftOut
from crawler.parse import hrefs, links
from crawler.parse.links import LinkJudge
from crawler.scope.rewrite import UrlRules
from crawler.scope.scope import Scope, SeedSite

SCOPE = Scope([SeedSite("https://a.example/")], exclude=["/private"])
AUTHORITIES = ("http://h.example", "https://h.example:443", "http://h.example:81")
PIECES = st.sampled_from(
    [*"ab./?#%:;=&~+'\"\\|^` \t@!$(),*[]{}<>", "..", "%2e", "%2E", "%41", "%4a", "//", "é", "\x0b", *AUTHORITIES]
)
BASES = ["http://h.example/", "http://h.example/a/b/c.html?x/y", "http://h.example/a//b/", "http://h.example:81/%7E/x"]


def urls_of(judged: links.Judged) -> list[str]:
    return [link.url for link in judged.links]


def test_a_link_is_handed_out_once_and_counted_every_time() -> None:
    judge = LinkJudge(SCOPE, UrlRules())
    first = judge.judge(["https://a.example/1", "https://a.example/2"])
    second = judge.judge(["https://a.example/2", "https://a.example/3"])
    assert (urls_of(first), first.followed) == (["https://a.example/1", "https://a.example/2"], 2)
    assert (urls_of(second), second.followed) == (["https://a.example/3"], 2)


def test_what_is_left_out_is_counted_by_host_and_reason_with_a_few_examples() -> None:
    judge = LinkJudge(SCOPE, UrlRules())
    outside = [f"https://b.example/{n}" for n in range(EXAMPLES + 5)]
    first = judge.judge([*outside, "https://a.example/private/x", "https://a.example/1"])
    assert first.outside == (
        LeftOut("b.example", "scope", EXAMPLES + 5, tuple(outside[:EXAMPLES])),
        LeftOut("a.example", "exclude", 1, ("https://a.example/private/x",)),
    )
    again = judge.judge(outside)
    assert again.outside == (LeftOut("b.example", "scope", EXAMPLES + 5, ()),)
    assert (again.links, again.followed) == ((), 0)


def test_the_memory_of_links_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_REMEMBERED_LINKS", 10)
    judge = LinkJudge(SCOPE, UrlRules())
    for n in range(50):
        assert urls_of(judge.judge([f"https://a.example/{n}"])) == [f"https://a.example/{n}"]
    assert len(judge._known) <= 11


@given(st.sampled_from(BASES), st.lists(PIECES, max_size=8).map("".join))
@example("http://h.example/a/b/c.html", "../../../x")
@example("http://h.example/a//b/", "../y")
@example("http://h.example/a/", "%2E%2E/y")
def test_joining_strings_gives_what_the_url_parser_gives(base: str, href: str) -> None:
    quick = hrefs.Base(base, {}, {})._join_plain(href)
    assert quick is None or quick == urls.canonicalize(href, base)
    hrefs.Base(base, {}, {}).join(href)  # it may learn an origin


@given(st.lists(st.tuples(st.sampled_from(BASES), st.lists(PIECES, max_size=6).map("".join)), max_size=20))
@example([("http://h.example/a/", "\u017f:x"), ("http://h.example/b/", "\u017f:x")])
@example([("http://h.example/a/", "http\u017f://x"), ("http://h.example/b/", "http\u017f://x")])
def test_what_is_remembered_of_other_pages_gives_what_the_url_parser_gives(pages: list[tuple[str, str]]) -> None:
    targets = hrefs.LinkJoiner()
    for base, _ in pages:
        for _, href in pages:
            try:
                target = urls.canonicalize(href, base)
            except UrlError:
                target = ""
            assert targets.target(targets.base(base), href) == target

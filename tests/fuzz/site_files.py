"""robots.txt and sitemaps: nothing raises, and the matcher says what the simplest possible one says."""

from __future__ import annotations

import re

from crawler import urls
from crawler.errors import UrlError
from crawler.frontier import robots
from crawler.parse import sitemap
from tests.fuzz import pages
from tests.fuzz.addresses import expect_canonical
from tests.fuzz.promise import expect

SITE = "https://a.example"
AGENTS = ("crawler/0.1", "Harvester", "*", "")
_MAX_PATHS = 12
_MAX_RULES = 30
_MAX_CHARS = 80  # of the patterns and paths of the simple matcher, which is quadratic
_PLAIN = re.compile(r"[^A-Za-z0-9/.?=&_*$-]")


def check_robots(data: bytes) -> None:
    """A robots.txt, asked for paths that are made of its own patterns."""
    paths = _paths(data)
    for agent in AGENTS:
        rules, again = robots.parse(data, agent), robots.parse(data, agent)
        expect(repr(rules) == repr(again), "robots.txt says the same twice", (rules, again))
        delay_s = rules.crawl_delay
        expect(delay_s is None or 0 <= delay_s < float("inf"), "a crawl-delay is a time", delay_s)
        expect(len(set(rules.sitemaps)) == len(rules.sitemaps) <= robots.MAX_SITEMAPS, "sitemaps are distinct")
        for url in rules.sitemaps[:20]:
            expect_canonical(url)
        expect(rules.allows(f"{SITE}/robots.txt"), "robots.txt itself may always be asked for")
        for url in paths:
            verdict = rules.allows(url)
            expect(verdict is again.allows(url), "a verdict stands", url)
    for status in (None, 200, 404, 429, 503):
        expect(robots.from_answer(status, data, "crawler").allows(f"{SITE}/robots.txt"), "robots.txt is free")
    _check_matcher(data)


def check_sitemap(data: bytes) -> None:
    """A sitemap: within its limits, and the same when it is read again."""
    found, again = sitemap.parse(data), sitemap.parse(data)
    expect(found == again, "a sitemap says the same twice")
    named = [*found.pages, *found.sitemaps]
    expect(len(named) <= sitemap.MAX_SITEMAP_URLS, "a sitemap keeps to its limit", len(named))
    for url in named:
        expect(bool(url) and url == url.strip(), "a URL stands alone", url)
        expect("\ufdd0" not in url, "an ampersand is one again", url)
        _refused_or_canonical(url)
    pages.check("lexbor", b":kind: sitemap\n\n" + data)


def _refused_or_canonical(url: str) -> None:
    try:
        target = urls.canonicalize(url, SITE)
    except UrlError:
        return
    expect_canonical(target)


def _paths(data: bytes) -> list[str]:
    """Canonical URLs: the values of the file's lines as paths, as they are and with something for each `*`."""
    found = [f"{SITE}/", f"{SITE}/index.html?a=b"]
    for line in data[:20_000].decode("utf-8", "surrogateescape").splitlines():
        value = line.partition(":")[2].strip() or line
        for path in (value, value.replace("*", "x/y").replace("$", "")):
            try:
                found.append(urls.canonicalize(path, f"{SITE}/dir/page"))
            except UrlError:
                continue
        if len(found) > _MAX_PATHS:
            break
    return found


def _check_matcher(data: bytes) -> None:
    """The matcher and the simple one agree on rules and paths in which nothing has to be escaped."""
    rules: list[tuple[bool, str]] = []
    for line in data[:20_000].decode("latin-1").splitlines()[:_MAX_RULES]:
        pattern = _PLAIN.sub("", line.partition(":")[2] or line)[:_MAX_CHARS]
        if pattern:
            rules.append((line[:1] in ("A", "a"), pattern))
    paths = {"/", "/robots.txt/x", "/a/b?c=d"}
    for _, pattern in rules:
        plain = pattern.replace("$", "")
        paths |= {"/" + plain.replace("*", filling).lstrip("/") for filling in ("", "a", "/a", "aa/b")}
    parsed = robots.Robots(rules)
    for path in sorted(paths)[:40]:
        length, verdict = -1, True
        for allow, pattern in rules:
            if len(pattern) >= length and _matches(pattern, path):
                verdict = allow if len(pattern) > length else verdict or allow
                length = len(pattern)
        verdict = verdict or path == robots.ROBOTS_PATH
        expect(parsed.allows(SITE + path) is verdict, "the matcher is right", (rules, path, verdict))


def _matches(pattern: str, path: str) -> bool:
    """Whether a pattern matches, by keeping every position that it could have come to."""
    is_anchored = pattern.endswith("$")
    positions = {0}
    for char in pattern.removesuffix("$").replace("$", "%24"):
        if char == "*":
            positions = set(range(min(positions), len(path) + 1))
        else:
            positions = {position + 1 for position in positions if path[position : position + 1] == char}
        if not positions:
            return False
    return len(path) in positions or not is_anchored

"""A web that is nothing but a function of its seed: hosts, pages, links, and the truth about them. No I/O.

Page 0 of a host is `/`; the pages form a tree with `BRANCH` children each, so that all can be reached from it, and link
across the tree and to other hosts besides. Only leaves of the tree are errors, redirects or forbidden by robots.txt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from crawler.lab import hostile, sitemaps, traps, words
from crawler.lab.answers import DEFAULT_PORT, Answer, PageKind, Truth, log_normal, numbers, split_host, url
from crawler.lab.codings import CHARSETS, CODINGS, PLAIN, Charset, compress, encode
from crawler.lab.markup import Frame, Place, draws_needed, note, place, write

BRANCH = 8  # A page has so many children in the tree of its host.
NAV_PAGES = 6  # Every page's header links to so many pages.
CROSS_HOST_SHARE = 0.15  # This share of the links in the text leads to other hosts, where there are any.
DISALLOWED_SHARE = 0.05  # robots.txt forbids this share of the leaves.
ERRORS = (404, 410, 500)
REDIRECTS = (301, 302, 307, 308)
CACHED_PLACES = 1 << 17
_PAGE_NUMBER = re.compile(r"(\d{1,9})(?:\.html|/)?$")


def _option(flag: str, help_text: str, **limits: Any) -> Meta:
    """A setting's help text, range and flag on the command line."""
    return Meta(description=help_text, extra={"flag": flag}, **limits)


class WorldSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a world is like; equal specs make equal worlds, byte for byte."""

    seed: Annotated[int, _option("--seed", "another number, another web")] = 1
    hosts: Annotated[int, _option("--hosts", "how many hosts", ge=1, le=100_000)] = 20
    pages_per_host: Annotated[int, _option("--pages", "pages of each host", ge=1, le=10_000_000)] = 50
    page_bytes: Annotated[int, _option("--page-bytes", "median size of a page's HTML, bytes", ge=0, le=1 << 26)] = (
        36_000
    )
    size_spread: Annotated[
        float, _option("--size-spread", "deviation of the sizes' logarithm; 0 = all pages equal", ge=0, le=3)
    ] = 0.6
    latency_ms: Annotated[float, _option("--latency-ms", "median time before an answer, milliseconds", ge=0)] = 0.0
    latency_spread: Annotated[
        float, _option("--latency-spread", "deviation of the times' logarithm; 0 = all equal", ge=0, le=3)
    ] = 0.5
    error_rate: Annotated[
        float, _option("--errors", "share of pages that answer 404, 410 or 500, at most all leaves", ge=0, le=1)
    ] = 0.0
    redirect_rate: Annotated[
        float, _option("--redirects", "share of pages that redirect to another page, at most all leaves", ge=0, le=1)
    ] = 0.0
    encodings: Annotated[
        bool, _option("--encodings", "many character encodings, and compression whether accepted or not")
    ] = False
    robots: Annotated[bool, _option("--robots", "a robots.txt that forbids some pages")] = True
    sitemaps: Annotated[bool, _option("--sitemaps", "a sitemap, named by robots.txt")] = True
    traps: Annotated[bool, _option("--traps", "crawler traps on every site, and whole hosts of them")] = False
    hostile: Annotated[bool, _option("--hostile", "hosts that reset, drip, lie, send bombs or never answer")] = False
    slow_robots_s: Annotated[
        float, _option("--slow-robots-s", "what the robots.txt of slow-robots.lab takes, seconds", ge=0)
    ] = 20.0


# field -> its flag on the command line
FLAGS: dict[str, str] = {
    field.name: field.type.extra["flag"]
    for field in msgspec.inspect.type_info(WorldSpec).fields  # type: ignore[attr-defined]
}


class World:
    """All hosts of a spec; makes any answer alone, in any order.

    Args:
        spec: What it is like.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self.spec = spec
        self.hosts = [f"site-{number:03d}.lab" for number in range(spec.hosts)]
        self.hostile_hosts = list(hostile.HOSTS) if spec.hostile else []
        self.trap_hosts = list(traps.HOSTS) if spec.traps else []
        self._numbers = {name: number for number, name in enumerate(self.hosts)}
        # Pages below this number have children.
        self._interior = (spec.pages_per_host - 2) // BRANCH + 1
        leaves = max(spec.pages_per_host - self._interior, 1)
        self._error_share = spec.error_rate * spec.pages_per_host / leaves
        self._redirect_share = spec.redirect_rate * spec.pages_per_host / leaves
        self._place: Callable[[int, int], Place] = lru_cache(CACHED_PLACES)(self._make_place)
        self._stocks = {"en": words.english(spec.seed)}
        if spec.encodings:
            self._stocks["ja"] = words.japanese(spec.seed)

    def seeds(self, port: int = DEFAULT_PORT) -> list[str]:
        """The canonical URL of every host's first page, the traps and then the hostile ones last."""
        return [url(host, "/", port) for host in (*self.hosts, *self.trap_hosts, *self.hostile_hosts)]

    def answer(self, authority: str, target: str) -> Answer:
        """What a host answers.

        Args:
            authority: Host name with the port where it is not 80, as in a Host header; absolute links carry it on.
            target: Path and query.
        """
        host, port = split_host(authority)
        if host in self.hostile_hosts:
            return hostile.answer(host, target, self.spec.slow_robots_s)
        if self.spec.traps and traps.is_host(host):
            return traps.answer(self.spec.seed, authority, target)
        number = self._numbers.get(host)
        if number is None:
            return _text(421, "text/plain", f"no host of this lab is called {host}\n".encode())
        index = self._index(number, target)
        answer = self._page(number, index, port) if index is not None else self._other(number, target, port)
        return Answer(answer.status, answer.headers, answer.body, self._latency_s(host, target))

    def truth(self, port: int = DEFAULT_PORT) -> Iterator[Truth]:
        """What is so about every page of every site, in the order of the hosts.

        Traps, hostile hosts, robots.txt and sitemaps are no part of it, though pages may link to traps.

        Args:
            port: The port that the world is served on.
        """
        for number in range(self.spec.hosts):
            for index in range(self.spec.pages_per_host):
                yield self._truth(number, index, port)

    def targets(self, host: str) -> Iterator[str]:
        """Path and query of every page of a site."""
        number = self._numbers[host]
        for index in range(self.spec.pages_per_host):
            yield self._place(number, index).path

    def _truth(self, number: int, index: int, port: int) -> Truth:
        here = self._place(number, index)
        own = url(here.host, here.path, port)
        if here.kind == "error":
            return Truth(own, here.status, here.kind)
        if here.kind == "redirect":
            target = self._redirect_target(number, index)
            return Truth(own, here.status, here.kind, redirect_to=url(target.host, target.path, port))
        frame = self._frame(number, index, port)
        _, targets = self._write(frame, number, index)
        links = tuple(dict.fromkeys(url(target.host, target.path, port) for target in targets))
        return Truth(own, 200, here.kind, frame.title, links, None, here.disallowed, frame.charset.label)

    def _make_place(self, number: int, index: int) -> Place:
        spec, host = self.spec, self.hosts[number]
        fate, which, hidden, section, first, second, shape = numbers(7, spec.seed, host, index)
        is_leaf = index >= max(self._interior, 1)
        kind: PageKind = "page"
        status = 200
        share = fate / 2**32
        if is_leaf and share < self._error_share:
            kind, status = "error", ERRORS[which % len(ERRORS)]
        elif is_leaf and share < self._error_share + self._redirect_share:
            kind, status = "redirect", REDIRECTS[which % len(REDIRECTS)]
        disallowed = spec.robots and is_leaf and kind == "page" and hidden / 2**32 < DISALLOWED_SHARE
        folder = "private" if disallowed else words.SECTIONS[section % len(words.SECTIONS)]
        pair = words.NOUNS[first % len(words.NOUNS)], words.NOUNS[second % len(words.NOUNS)]
        path = _path(folder, pair, index, shape) if index else "/"
        return place(host, path, f"{pair[0].capitalize()} {pair[1]} {index}", kind, status, disallowed)

    def _index(self, number: int, target: str) -> int | None:
        """The page at a path and query, None if there is none."""
        if target == "/":
            return 0
        match = _PAGE_NUMBER.search(target)
        if match is None:
            return None
        index = int(match[1])
        is_page = 0 < index < self.spec.pages_per_host and self._place(number, index).path == target
        return index if is_page else None

    def _redirect_target(self, number: int, index: int) -> Place:
        """Always a page of a smaller number: no loops, and after an odd one always a page that answers itself."""
        u, v, w = numbers(3, self.spec.seed, self.hosts[number], index, "redirect")
        to_host = v % self.spec.hosts if u < CROSS_HOST_SHARE * 2**32 else number
        to_index = w % index
        target = self._place(to_host, to_index)
        if target.kind == "redirect" and (index % 2 or not to_index % 2):
            target = self._place(to_host, (to_index - 1) // BRANCH)
        return target

    def _page(self, number: int, index: int, port: int) -> Answer:
        here = self._place(number, index)
        if here.kind == "error":
            return _text(here.status, "text/html; charset=utf-8", note(f"{here.status}: nothing here"))
        if here.kind == "redirect":
            target = self._redirect_target(number, index)
            is_short = target.host == here.host and index % 3 == 0
            location = target.path if is_short else url(target.host, target.path, port)
            moved = note("Moved", [location])
            return Answer(here.status, (("Location", location), ("Content-Type", "text/html; charset=utf-8")), moved)
        frame = self._frame(number, index, port)
        html, _ = self._write(frame, number, index)
        kind = "text/html" + (f"; charset={frame.charset.header}" if frame.charset.header else "")
        coding, tag = self._coding(here.host, index)
        headers = [("Content-Type", kind), ("ETag", f'"{tag:08x}"'), ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")]
        if coding:
            headers.append(("Content-Encoding", coding))
        return Answer(200, tuple(headers), compress(encode(html, frame.charset), coding))

    def _frame(self, number: int, index: int, port: int) -> Frame:
        here = self._place(number, index)
        charset = self._charset(here.host, index)
        name = here.label
        draw, accent = numbers(2, self.spec.seed, here.host, index, "title")
        if charset.language == "ja":
            name = f"{words.JAPANESE[draw % len(words.JAPANESE)]}{words.JAPANESE[accent % len(words.JAPANESE)]} {index}"
        elif draw % 4 == 0:
            name = f"{words.ACCENTED[accent % len(words.ACCENTED)]} & {name}"
        count = self.spec.pages_per_host
        nav = [self._place(number, each) for each in range(min(NAV_PAGES, count))]
        children = range(index * BRANCH + 1, min(index * BRANCH + 1 + BRANCH, count))
        tree = [self._place(number, each) for each in children]
        if index:
            tree.append(self._place(number, (index - 1) // BRANCH))
        foot = []
        if self.spec.traps and index == 0:
            foot = [place(here.host, path, label) for path, label in traps.ENTRIES]
        return Frame(here, port, f"{name} | Site {number:03d}", name, nav, tree, foot, charset)

    def _write(self, frame: Frame, number: int, index: int) -> tuple[bytes, list[Place]]:
        spec = self.spec
        identity = (spec.seed, frame.here.host, index)
        size = round(log_normal(spec.page_bytes, spec.size_spread, *numbers(2, *identity, "size")))
        hosts, count, find = spec.hosts, spec.pages_per_host, self._place
        cross = round(CROSS_HOST_SHARE * 2**16) if hosts > 1 else 0

        def pick(draw: int) -> Place:
            to_host = number if draw & 0xFFFF >= cross else draw % hosts
            # The draw is spread, so that the page does not follow the host.
            return find(to_host, (draw * 2_654_435_761 >> 16) % count)

        draws = numbers(draws_needed(size), *identity, "text")
        return write(frame, size, draws, self._stocks[frame.charset.language], pick)

    def _charset(self, host: str, index: int) -> Charset:
        if not self.spec.encodings:
            return PLAIN
        return CHARSETS[numbers(1, self.spec.seed, host, index, "charset")[0] % len(CHARSETS)]

    def _coding(self, host: str, index: int) -> tuple[str, int]:
        draw, tag = numbers(2, self.spec.seed, host, index, "coding")
        return CODINGS[draw % len(CODINGS)] if self.spec.encodings else "", tag

    def _latency_s(self, host: str, target: str) -> float:
        if not self.spec.latency_ms:
            return 0.0
        draws = numbers(2, self.spec.seed, host, target, "latency")
        return log_normal(self.spec.latency_ms, self.spec.latency_spread, *draws) / 1000.0

    def _other(self, number: int, target: str, port: int) -> Answer:
        """Everything of a site that is no page of its tree."""
        host = self.hosts[number]
        if self.spec.robots and target == "/robots.txt":
            return _text(200, "text/plain", self._robots(host, port))
        if self.spec.sitemaps and (part := sitemaps.part_of(target)) is not None:
            if sitemap := self._sitemap(number, part, port):
                return _text(200, "application/gzip" if target.endswith(".gz") else "application/xml", sitemap)
        elif target == "/static/style.css":
            return _text(200, "text/css", b"body { max-width: 50em; margin: auto }\n")
        elif self.spec.traps and (html := traps.answer_page(self.spec.seed, host, target)):
            return _text(200, "text/html; charset=utf-8", html)
        return _text(404, "text/html; charset=utf-8", note("404: nothing here"))

    def _robots(self, host: str, port: int) -> bytes:
        text = "User-agent: *\nDisallow: /private/\n"
        if self.spec.sitemaps:
            text += f"\nSitemap: {url(host, '/sitemap.xml', port)}\n"
        return text.encode()

    def _sitemap(self, number: int, part: int, port: int) -> bytes | None:
        """Part 0 is the only sitemap or the index of the others; None where there is no such part."""
        host, count = self.hosts[number], self.spec.pages_per_host
        parts = sitemaps.count_parts(count)
        if part > parts:
            return None
        if parts and not part:
            return sitemaps.index(parts, url(host, "", port))
        start = max(part - 1, 0) * sitemaps.PART_PAGES
        places = [self._place(number, each) for each in range(start, min(start + sitemaps.PART_PAGES, count))]
        listed = [url(host, each.path, port) for each in places if each.kind == "page" and not each.disallowed]
        return sitemaps.urlset(part, listed)


def _path(folder: str, pair: tuple[str, str], index: int, draw: int) -> str:
    """The path of a page in one of the shapes of the web; its number comes last."""
    shape = draw % 10
    if shape == 0:
        return f"/{folder}/{pair[0]}-{index}/"
    if shape == 1:
        return f"/{folder}/{pair[0]}?about={pair[1]}&id={index}"
    if shape == 2:
        return f"/{folder}/caf%C3%A9-{pair[1]}-{index}.html"
    if shape == 3:
        return f"/{folder}/{pair[0]}/{pair[1]}-{index}.html"
    return f"/{folder}/{pair[0]}-{pair[1]}-{index}.html"


def _text(status: int, content_type: str, body: bytes) -> Answer:
    return Answer(status, (("Content-Type", content_type),), body)

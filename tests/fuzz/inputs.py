"""Where inputs come from: past faults, strings of the unit tests, the lab's pages, documentation on this machine."""

from __future__ import annotations

import ast
import gzip
from collections.abc import Iterable, Iterator
from hashlib import sha1
from pathlib import Path
from random import Random

from crawler.lab.answers import split_host
from crawler.lab.world import World, WorldSpec
from crawler.settings.file import render
from crawler.settings.groups import Settings
from tests.fuzz.targets import TARGETS

PAGES = ("lexbor", "bs4")
REGRESSIONS = Path(__file__).parent / "regressions"
# Debian packages with many pages: python3.11-doc, git-doc, apache2-doc, postgresql-doc-15.
DOCUMENTATION = tuple(
    Path("/usr/share/doc", name) for name in ("python3.11", "git", "apache2-doc", "postgresql-doc-15")
)
_PAGES_PER_FOLDER = 12
_PIECE_BYTES = 24 * 1024  # of a page: small inputs are tried more often in the same time
_MAX_LITERAL_BYTES = 4096
# A page that says of itself what a page can say.
_TALKATIVE = b"""content-type: text/html
x-robots-tag: crawler: noindex

<!doctype html><html lang=en><base href=/dir/><title>Title</title><meta charset=utf-8>
<meta property="og:image" content=1><meta property="og:image" content=2><meta property="og:image" content=3>
<meta name=author content="A"><meta name=author content="B"><meta name=date content="1 January 2024">
<meta name=robots content="noindex, nofollow"><meta http-equiv=refresh content="0; url=/x"><link rel=canonical href=/c>
<link rel=alternate hreflang=de href=/de><link rel=alternate type="application/rss+xml" href=/feed>
<script type="application/ld+json">{"@graph":[{"@id":"x","name":["y"]},
{"author":[{"@id":"x"},"z",{"name":"w"}]}]}</script>
<script type="application/ld+json">//<![CDATA[
[{"author":{"@id":"x"},"datePublished":"2024-01-01T10:00:00+01:00","dateModified":["13.02.2024"]}]
//]]></script>
<time itemprop=datePublished datetime="Mon, 01 Jan 2024 10:00:00 GMT">x</time>
<time class=updated datetime=2024-02>y</time>
<time pubdate datetime="02/13/2024">z</time><a rel="author nofollow" href="?q">C</a><map><area href=/a alt=t></map>
<h1>One<h2>Two</h2></h1><img src=a.png alt=picture><img data-src=b.png><svg><title>no</title></svg><a href=#f>f</a>
<template><a href=/t>t</a></template><noscript><a href=/n>n</a></noscript><textarea><a href=/no></textarea>
<a href="/s?sid=0123456789abcdef0123456789abcdef">s</a><a href=//other.example/>o</a><a href=/private/>p</a>"""
_TESTS = Path(__file__).parents[1]


def regressions(target: str) -> list[Path]:
    """The inputs that once showed a fault."""
    return sorted(path for path in (REGRESSIONS / target).glob("*") if path.is_file())


def first_inputs(target: str) -> list[bytes]:
    """What a target begins with on every machine, each once, the shortest first."""
    found = {path.read_bytes() for path in regressions(target)}
    limit = TARGETS[target].max_bytes
    found.update(TARGETS[target].dress(text) for text in _literals(target))
    if target in PAGES:
        found.update(_lab_pages())
        found.update((_TALKATIVE, *_TALKATIVE.split(b"\n")))
    elif target in ("robots", "sitemap"):
        found.update(_lab_files(target))
    elif target == "settings":
        whole = render(Settings())
        found.update(group.encode() for group in [whole, *whole.split("\n\n")])
    return sorted((data[:limit] for data in found), key=lambda data: (len(data), data))


def save(folder: Path, inputs: Iterable[bytes]) -> None:
    """Write inputs under the names that libFuzzer gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / name_of(data)).write_bytes(data)


def name_of(data: bytes) -> str:
    """The name of an input in a corpus."""
    return sha1(data).hexdigest()


def _literals(target: str) -> Iterator[bytes]:
    """Every string and bytes literal of the target's tests."""
    for name in TARGETS[target].literals:
        path = _TESTS.joinpath(*name.split(".")).with_suffix(".py")
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                value = node.value
                data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
                if len(data) <= _MAX_LITERAL_BYTES:
                    yield data


def _lab_pages() -> Iterator[bytes]:
    """Pages of the lab as answers, with their encodings and codings; traps and notes among them."""
    world = World(WorldSpec(hosts=4, pages_per_host=12, page_bytes=3000, encodings=True, traps=True, error_rate=0.1))
    for host in world.hosts:
        for target in [*world.targets(host), "/calendar/2024-01.html", "/loop/", "/shop/item-1.html?sid=0"]:
            answer = world.answer(host, target)
            own = [(":url", f"http://{split_host(host)[0]}{target}"), (":status", str(answer.status))]
            head = "".join(f"{name}: {value}\n" for name, value in [*own, *answer.headers])
            yield head.encode("latin-1") + b"\n" + answer.body


def _lab_files(target: str) -> Iterator[bytes]:
    for pages_per_host in (10, 2500):  # one sitemap, and an index of several
        world = World(WorldSpec(hosts=1, pages_per_host=pages_per_host))
        body = world.answer(world.hosts[0], "/robots.txt" if target == "robots" else "/sitemap.xml").body
        yield body
        if target == "sitemap":
            yield gzip.compress(body, mtime=0)


def documentation(seed: int) -> Iterator[bytes]:
    """Pieces of real pages, where this machine has any; the seed chooses."""
    rand = Random(seed)
    for folder in DOCUMENTATION:
        if not folder.is_dir():
            continue
        found = sorted(path for path in folder.rglob("*.htm*") if path.is_file())
        for path in rand.sample(found, min(_PAGES_PER_FOLDER, len(found))):
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            start = rand.choice((0, rand.randrange(max(1, len(data) - _PIECE_BYTES))))
            yield b"content-type: text/html\n\n" + data[start : start + rand.choice((2048, 8192, _PIECE_BYTES))]

"""The lab's seeded web: the same for a seed, and as its own truth says."""

import gzip
import os
import re
import statistics
import subprocess
import sys
from hashlib import sha256
from urllib.parse import urlsplit

import brotli
import msgspec
import pytest
import zstandard
from selectolax.lexbor import LexborHTMLParser

from crawler import urls
from crawler.errors import UrlError
from crawler.lab import Answer, Truth, World, WorldSpec
from crawler.lab.codings import CHARSETS, CODINGS
from crawler.lab.markup import relative
from crawler.lab.process import PACKAGE_ROOT
from tests.unit.lab.lab_client import PLAIN, VARIED, header

PORT = 8080

DECODERS = {
    "": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


def get(world: World, url: str) -> Answer:
    parts = urlsplit(url)
    return world.answer(parts.netloc, url.partition(parts.netloc)[2])


def document(answer: Answer, truth: Truth) -> LexborHTMLParser:
    """The page as a reader has it who found the right encoding."""
    body = DECODERS[header(answer, "Content-Encoding")](answer.body)
    return LexborHTMLParser(body.decode(truth.charset or "utf-8").removeprefix("\ufeff"))


def links(page: LexborHTMLParser, base: str) -> list[str]:
    found = []
    for node in page.css("a[href]"):
        try:
            found.append(urls.canonicalize(node.attributes["href"] or "", base))
        except UrlError:
            continue  # mailto and its like
    return list(dict.fromkeys(found))


def digest(spec: WorldSpec) -> str:
    world = World(spec)
    state = sha256()
    for truth in world.truth(PORT):
        answer = get(world, truth.url)
        state.update(msgspec.json.encode(truth) + repr(answer.headers).encode() + answer.body)
    return state.hexdigest()


@pytest.mark.parametrize("spec", [PLAIN, VARIED])
def test_the_same_spec_makes_the_same_bytes_in_another_process(spec: WorldSpec) -> None:
    script = (
        "import sys, msgspec; from tests.unit.lab.test_world import digest; from crawler.lab import WorldSpec; "
        "print(digest(msgspec.json.decode(sys.argv[1], type=WorldSpec)))"
    )
    command = [sys.executable, "-c", script]
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(PACKAGE_ROOT)}
    output = subprocess.check_output([*command, msgspec.json.encode(spec).decode()], env=environment, text=True)
    assert output.strip() == digest(spec)


def test_another_seed_makes_other_pages() -> None:
    other = World(msgspec.structs.replace(PLAIN, seed=2))
    assert World(PLAIN).answer("site-000.lab", "/").body != other.answer("site-000.lab", "/").body


def test_a_page_is_the_same_whether_made_alone_or_after_all_others() -> None:
    world = World(VARIED)
    everything = {truth.url: get(world, truth.url) for truth in world.truth(PORT)}
    last = list(everything)[-1]
    assert get(World(VARIED), last) == everything[last]


@pytest.mark.parametrize("spec", [PLAIN, VARIED, WorldSpec(hosts=1, pages_per_host=1), WorldSpec(pages_per_host=2)])
def test_every_page_can_be_reached_by_links_and_is_what_the_truth_says(spec: WorldSpec) -> None:
    world = World(spec)
    truths = {truth.url: truth for truth in world.truth(PORT)}
    waiting = [world.seeds(PORT)[0]] if spec.hosts > 2 and spec.pages_per_host > 2 else world.seeds(PORT)
    seen = set(waiting)
    while waiting:
        url = waiting.pop()
        truth, answer = truths[url], get(world, url)
        assert answer.status == truth.status
        found = []
        if truth.kind == "redirect":
            target = urls.canonicalize(header(answer, "Location"), url)
            assert target == truth.redirect_to
            found = [target]
        elif truth.kind == "page":
            page = document(answer, truth)
            title = page.css_first("title")
            assert title is not None
            assert title.text() == truth.title
            found = links(page, url)
            assert found == list(truth.links)
        new = {each for each in found if not re.search(r"/(calendar|loop|shop)/", each)} - seen
        seen |= new
        waiting += new
    assert seen == set(truths)


def test_pages_of_a_host_are_reached_without_leaving_it_and_without_forbidden_or_nofollow_links() -> None:
    world = World(VARIED)
    truths = {truth.url: truth for truth in world.truth(PORT)}
    waiting = [world.seeds(PORT)[1]]
    seen = set(waiting)
    while waiting:
        url = waiting.pop()
        truth = truths.get(url)
        if truth is None or truth.kind != "page" or truth.disallowed:
            continue
        page = document(get(world, url), truth)
        for node in page.css("a[rel=nofollow]"):
            node.decompose()
        new = {each for each in links(page, url) if each.startswith(world.seeds(PORT)[1])} - seen
        seen |= new
        waiting += new
    own = {url for url in truths if url.startswith(world.seeds(PORT)[1])}
    assert own <= seen


def test_titles_are_unique() -> None:
    titles = [truth.title for truth in World(VARIED).truth() if truth.title]
    assert len(titles) == len(set(titles)) > 0


def test_redirects_never_loop_and_come_to_an_answer_after_two_hops_at_most() -> None:
    world = World(WorldSpec(hosts=3, pages_per_host=200, page_bytes=0, redirect_rate=0.6))
    truths = {truth.url: truth for truth in world.truth()}
    hops = []
    for truth in truths.values():
        count = 0
        while truth.redirect_to:
            truth, count = truths[truth.redirect_to], count + 1
        hops.append(count)
    assert max(hops) == 2


def test_errors_and_redirects_are_as_frequent_as_asked_for() -> None:
    truths = list(
        World(WorldSpec(hosts=5, pages_per_host=400, page_bytes=0, error_rate=0.1, redirect_rate=0.2)).truth()
    )
    share = {kind: sum(truth.kind == kind for truth in truths) / len(truths) for kind in ("error", "redirect")}
    assert share == pytest.approx({"error": 0.1, "redirect": 0.2}, abs=0.02)
    assert {truth.status for truth in truths} == {200, 301, 302, 307, 308, 404, 410, 500}


def test_sizes_spread_around_their_median() -> None:
    world = World(WorldSpec(hosts=2, pages_per_host=200, page_bytes=12_000))
    sizes = [len(get(world, truth.url).body) for truth in world.truth()]
    assert statistics.median(sizes) == pytest.approx(12_000, rel=0.1)
    assert max(sizes) > 3 * 12_000


def test_without_spread_all_pages_have_the_very_size() -> None:
    world = World(WorldSpec(hosts=2, pages_per_host=40, page_bytes=36_000, size_spread=0))
    assert {len(get(world, truth.url).body) for truth in world.truth()} == {36_000}


def test_a_page_of_ordinary_size_has_about_a_hundred_links() -> None:
    world = World(WorldSpec(hosts=20, pages_per_host=500, page_bytes=36_000, size_spread=0))
    truth = next(world.truth())
    assert 80 <= len(truth.links) <= 130


def test_all_encodings_and_compressions_occur() -> None:
    world = World(msgspec.structs.replace(VARIED, hosts=6))
    pages = [(truth, get(world, truth.url)) for truth in world.truth() if truth.kind == "page"]
    assert {truth.charset for truth, _ in pages} == {charset.label for charset in CHARSETS}
    assert {header(answer, "Content-Encoding") for _, answer in pages} == set(CODINGS)
    declared = {header(answer, "Content-Type") for _, answer in pages}
    assert {"text/html", "text/html; charset=Shift_JIS", "text/html; charset=windows-1252"} <= declared


def test_absolute_links_carry_the_port_that_was_asked_on() -> None:
    world = World(PLAIN)
    at_80, elsewhere = (World(PLAIN).answer(host, "/").body for host in ("site-001.lab", f"site-001.lab:{PORT}"))
    assert b"http://site-001.lab/" in at_80
    assert f"http://site-001.lab:{PORT}/".encode() in elsewhere
    assert {urlsplit(link).port for link in next(world.truth(PORT)).links} == {PORT}


@pytest.mark.parametrize("target", ["/nope", "/news/x-99999999999999.html", "/x-1.html", "/?id=1", "//", "/60"])
def test_what_is_no_page_is_not_found(target: str) -> None:
    assert World(PLAIN).answer("site-000.lab", target).status == 404


def test_robots_forbids_the_pages_that_the_truth_calls_disallowed() -> None:
    world = World(WorldSpec(hosts=2, pages_per_host=200, page_bytes=0))
    robots = world.answer("site-000.lab", "/robots.txt")
    assert b"Disallow: /private/\n" in robots.body
    assert b"Sitemap: http://site-000.lab/sitemap.xml\n" in robots.body
    disallowed = {truth.url for truth in world.truth() if truth.disallowed}
    assert disallowed == {truth.url for truth in world.truth() if "/private/" in truth.url} != set()


def test_without_robots_and_sitemaps_there_are_none() -> None:
    world = World(WorldSpec(hosts=1, pages_per_host=200, page_bytes=0, robots=False, sitemaps=False))
    assert [world.answer("site-000.lab", path).status for path in ("/robots.txt", "/sitemap.xml")] == [404, 404]
    assert not any(truth.disallowed for truth in world.truth())


@pytest.mark.parametrize("pages", [40, 2500])
def test_sitemaps_name_every_allowed_page(pages: int) -> None:
    world = World(WorldSpec(hosts=1, pages_per_host=pages, page_bytes=0, error_rate=0.1, redirect_rate=0.1))
    waiting, found = ["http://site-000.lab/sitemap.xml"], []
    while waiting:
        url = waiting.pop(0)
        body = get(world, url).body
        xml = gzip.decompress(body) if url.endswith(".gz") else body
        locations = re.findall(r"<loc>(.*?)</loc>", xml.decode().replace("&amp;", "&"))
        if b"<sitemapindex" in xml:
            waiting += locations
            assert len(locations) == 3
        else:
            found += locations
    assert found == [truth.url for truth in world.truth() if truth.kind == "page" and not truth.disallowed]
    assert world.answer("site-000.lab", "/sitemap-9.xml").status == 404


@pytest.mark.parametrize("entry", ["/calendar/2024-01.html", "/loop/", "/shop/item-1.html?sid=0"])
def test_traps_always_lead_somewhere_new(entry: str) -> None:  # scenarios 76, 77, 78
    world = World(VARIED)
    home = next(world.truth())
    url = f"http://site-000.lab{entry}"
    assert url in home.links
    seen: set[str] = set()
    for _ in range(50):
        seen.add(url)
        new = [link for link in links(LexborHTMLParser(get(world, url).body), url) if link not in seen]
        assert new
        url = new[-1]


def test_a_calendar_page_before_the_first_month_does_not_fail() -> None:
    assert World(VARIED).answer("site-000.lab", "/calendar/0000-01.html").status == 200


def test_latency_is_drawn_for_each_answer_and_equal_without_spread() -> None:
    world = World(msgspec.structs.replace(PLAIN, latency_ms=50))
    drawn = {get(world, truth.url).latency_s for truth in world.truth()}
    assert len(drawn) > 100
    assert statistics.median(drawn) == pytest.approx(0.05, rel=0.2)
    even = World(msgspec.structs.replace(PLAIN, latency_ms=50, latency_spread=0))
    assert {get(even, truth.url).latency_s for truth in even.truth()} == {0.05}


@pytest.mark.parametrize(
    ("base", "target", "reference"),
    [
        ("/", "/", "./"),
        ("/", "/a/b.html", "a/b.html"),
        ("/a/b.html", "/", "../"),
        ("/a/b.html", "/a/c.html", "c.html"),
        ("/a/b/", "/a/c/d.html", "../c/d.html"),
        ("/a/b?x=/y/", "/a/b/", "b/"),
        ("/a/b/", "/a/b?id=1", "../b?id=1"),
        ("/a/b/c.html", "/a/b/", "./"),
    ],
)
def test_relative_references_lead_back(base: str, target: str, reference: str) -> None:
    assert relative(base, target) == reference
    assert urls.canonicalize(reference, f"http://a.lab{base}") == f"http://a.lab{target}"

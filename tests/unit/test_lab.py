"""The lab: a seeded web whose truth is known, and the server that serves it."""

import argparse
import asyncio
import gzip
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import brotli
import msgspec
import pytest
import zstandard
from selectolax.lexbor import LexborHTMLParser

from crawler import urls
from crawler.errors import UrlError
from crawler.lab import Answer, FolderWorld, LabServer, Truth, World, WorldSpec, serve_folder, serve_in_process
from crawler.lab.__main__ import add_arguments, run
from crawler.lab.codings import CHARSETS, CODINGS
from crawler.lab.markup import relative
from crawler.lab.process import PACKAGE_ROOT, command_line

PORT = 8080
PLAIN = WorldSpec(hosts=3, pages_per_host=60, page_bytes=9000)
VARIED = WorldSpec(
    hosts=4, pages_per_host=80, page_bytes=9000, error_rate=0.1, redirect_rate=0.2, encodings=True, traps=True
)
DECODERS = {
    "": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers).get(name, "")


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


class Client:
    """One connection to a lab, one request after the other."""

    def __init__(self, server: LabServer) -> None:
        self.server = server

    async def __aenter__(self) -> "Client":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.close()

    def send(self, host: str, target: str = "/", method: str = "GET", fields: str = "") -> None:
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{self.server.port}\r\n{fields}\r\n"
        self.writer.write(head.encode())

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *fields = text.strip().split("\r\n")
        return int(status.split(" ")[1]), dict(field.split(": ", 1) for field in fields)

    async def ask(self, host: str, target: str = "/") -> tuple[int, dict[str, str], bytes]:
        self.send(host, target)
        status, fields = await self.head()
        return status, fields, await self.reader.readexactly(int(fields["Content-Length"]))


@pytest.fixture
async def lab() -> AsyncIterator[LabServer]:
    async with LabServer(World(PLAIN), log=True) as server:
        yield server


@pytest.fixture
async def hostile() -> AsyncIterator[LabServer]:
    async with LabServer(World(WorldSpec(hosts=1, pages_per_host=2, hostile=True))) as server:
        yield server


# --- the world ---


@pytest.mark.parametrize("spec", [PLAIN, VARIED])
def test_the_same_spec_makes_the_same_bytes_in_another_process(spec: WorldSpec) -> None:
    script = (
        "import sys, msgspec; sys.path[:0] = sys.argv[1:3]; import test_lab; from crawler.lab import WorldSpec; "
        "print(test_lab.digest(msgspec.json.decode(sys.argv[3], type=WorldSpec)))"
    )
    command = [sys.executable, "-c", script, str(PACKAGE_ROOT), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
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


# --- the server ---


async def test_every_url_of_the_truth_answers_as_it_says_over_one_connection() -> None:
    """Keep-alive carries pages, errors and redirects alike, and each request is counted once."""
    world = World(VARIED)
    async with LabServer(world) as server, Client(server) as client:
        for truth in world.truth(server.port):
            host, target = urlsplit(truth.url).hostname or "", truth.url.split(str(server.port), 1)[1]
            status, fields, body = await client.ask(host, target)
            assert status == truth.status
            if truth.redirect_to:
                assert urls.canonicalize(fields["Location"], truth.url) == truth.redirect_to
            assert body == world.answer(f"{host}:{server.port}", target).body
            assert server.counts.of(host, target) == 1
        assert server.counts.total == 4 * 80
        assert len(server.connections) == 1


async def test_requests_are_counted_by_host_and_target(lab: LabServer) -> None:
    async with Client(lab) as client:
        for host, target in [("site-000.lab", "/"), ("site-000.lab", "/"), ("site-001.lab", "/nope?a=1")]:
            await client.ask(host, target)
        _, _, body = await client.ask("any.name", "/__lab__/counts")
    counts = msgspec.json.decode(body)
    assert counts["total"] == 3
    assert counts["requests"] == {"site-000.lab": {"/": 2}, "site-001.lab": {"/nope?a=1": 1}}
    assert counts["max_in_flight"] == {"site-000.lab": 1, "site-001.lab": 1}
    starts = lab.counts.starts["site-000.lab"]
    assert len(starts) == 2
    assert starts == sorted(starts)


async def test_unanswered_requests_of_a_host_are_in_flight_together(hostile: LabServer) -> None:
    async with Client(hostile) as first, Client(hostile) as second, Client(hostile) as third:
        for client in (first, second):
            client.send("silent.lab")
        while hostile.counts.of("silent.lab") < 2:
            await third.ask("site-000.lab")
    assert hostile.counts.max_in_flight == {"silent.lab": 2, "site-000.lab": 1}


async def test_the_truth_is_told_over_http() -> None:
    with serve_in_process(VARIED) as lab:
        assert lab.truth() == list(World(VARIED).truth(lab.port))
        assert lab.counts().total == 0


async def test_head_is_answered_without_a_body_and_keeps_the_connection(lab: LabServer) -> None:
    async with Client(lab) as client:
        client.send("site-000.lab", method="HEAD")
        status, fields = await client.head()
        assert (status, (await client.ask("site-000.lab"))[1]) == (200, fields)


async def test_a_request_may_come_in_pieces_and_two_in_one(lab: LabServer) -> None:
    async with Client(lab) as client:
        for piece in (
            b"GET / HT",
            b"TP/1.1\r\nHOST:site-00",
            b"0.lab\r\n\r",
            b"\nGET /nope HTTP/1.1\r\nHost: site-000.lab\r\n\r\n",
        ):
            client.writer.write(piece)
            await client.writer.drain()
        for expected in (200, 404):
            status, fields = await client.head()
            await client.reader.readexactly(int(fields["Content-Length"]))
            assert status == expected


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"GET / HTTP/1.1\r\nHost: site-000.lab\r\nConnection: close", False),
        (b"GET / HTTP/1.0\r\nHost: site-000.lab", False),
        (b"GET / HTTP/1.0\r\nHost: site-000.lab\r\nConnection: Keep-Alive", True),
    ],
)
async def test_the_connection_closes_when_the_client_says_so(lab: LabServer, head: bytes, keeps: bool) -> None:
    async with Client(lab) as client:
        client.writer.write(head + b"\r\n\r\n")
        _, fields = await client.head()
        assert fields["Connection"] == ("keep-alive" if keeps else "close")
        if not keeps:
            assert len(await client.reader.read()) == int(fields["Content-Length"])


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"nonsense", 400),
        (b"GET / HTTP/2.0\r\nHost: a.lab", 400),
        (b"GET  / HTTP/1.1\r\nHost: a.lab", 400),
        (b"GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nHost: a.lab\r\nHost: b.lab", 400),
        (b"GET / HTTP/1.1\r\nHost: a.lab:port", 400),
        (b"GET nowhere HTTP/1.1\r\nHost: a.lab", 400),
        (b"GET / HTTP/1.1\r\nHost: a.lab\r\nContent-Length: 4", 400),
        (b"POST / HTTP/1.1\r\nHost: a.lab", 405),
        (b"GET / HTTP/1.1\r\nHost: a.lab\r\nX: " + b"x" * 70_000, 431),
    ],
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(
    lab: LabServer, head: bytes, status: int
) -> None:
    async with Client(lab) as client:
        client.writer.write(head + b"\r\n\r\n")
        assert (await client.head())[0] == status
        assert lab.counts.total == 0


async def test_a_request_in_absolute_form_is_answered_as_by_a_proxy(lab: LabServer) -> None:
    async with Client(lab) as client:
        client.writer.write(b"GET http://site-001.lab/ HTTP/1.1\r\nHost: site-000.lab\r\n\r\n")
        _, fields = await client.head()
        body = await client.reader.readexactly(int(fields["Content-Length"]))
    assert body == lab.world.answer("site-001.lab", "/").body
    assert lab.counts.of("site-001.lab") == 1


async def test_an_unknown_host_is_told_so(lab: LabServer) -> None:
    async with Client(lab) as client:
        assert (await client.ask("elsewhere.lab"))[0] == 421


async def test_late_answers_come_in_order_and_a_client_that_leaves_is_forgotten() -> None:
    async with LabServer(World(msgspec.structs.replace(PLAIN, latency_ms=2))) as server:
        async with Client(server) as client, Client(server) as leaving:
            leaving.send("site-001.lab")
            leaving.writer.transport.abort()
            client.send("site-000.lab")
            client.send("site-000.lab", "/nope")
            statuses = []
            for _ in range(2):
                status, fields = await client.head()
                await client.reader.readexactly(int(fields["Content-Length"]))
                statuses.append(status)
        assert statuses == [200, 404]
        assert server.counts.max_in_flight["site-000.lab"] == 1


async def test_a_full_cache_makes_room_and_answers_the_same() -> None:
    world = World(PLAIN)
    async with LabServer(world, cache_bytes=30_000) as server, Client(server) as client:
        targets = list(world.targets("site-000.lab"))
        first = [await client.ask("site-000.lab", target) for target in targets]
        assert [await client.ask("site-000.lab", target) for target in targets] == first


async def test_a_warm_server_answers_the_same() -> None:
    async with LabServer(World(PLAIN), cache_bytes=100_000) as server, Client(server) as client:
        server.warm()
        body = (await client.ask("site-000.lab"))[2]
        assert body == World(PLAIN).answer(f"site-000.lab:{server.port}", "/").body


# --- hosts that break the transport ---


async def test_reset_lab_resets(hostile: LabServer) -> None:
    async with Client(hostile) as client:
        client.send("reset.lab")
        with pytest.raises(ConnectionResetError):
            await client.reader.read()


async def test_short_lab_sends_half_of_what_it_announces(hostile: LabServer) -> None:  # scenario 12
    async with Client(hostile) as client:
        client.send("short.lab")
        _, fields = await client.head()
        assert 2 * len(await client.reader.read()) == int(fields["Content-Length"])


async def test_silent_lab_says_nothing(hostile: LabServer) -> None:  # scenario 7
    async with Client(hostile) as client:
        client.send("silent.lab")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.read(1), 0.05)


async def test_drip_lab_sends_single_bytes(hostile: LabServer) -> None:  # scenario 35
    async with Client(hostile) as client:
        client.send("drip.lab")
        await client.head()
        assert await client.reader.read(1000) == b"<"


async def test_garbage_lab_speaks_no_http(hostile: LabServer) -> None:  # scenario 21
    async with Client(hostile) as client:
        client.send("garbage.lab")
        assert not (await client.reader.read()).startswith(b"HTTP/")


async def test_bomb_lab_sends_a_page_a_thousand_times_its_size(hostile: LabServer) -> None:  # scenario 30
    async with Client(hostile) as client:
        _, fields, body = await client.ask("bomb.lab")
    assert fields["Content-Encoding"] == "gzip"
    inflate = zlib.decompressobj(wbits=31)
    size, rest = 0, body
    while rest and size < 1 << 26:
        size += len(inflate.decompress(rest, 1 << 22))
        rest = inflate.unconsumed_tail
    assert size >= 1 << 26
    assert (len(body) - len(rest)) * 900 < size


async def test_endless_lab_sends_as_long_as_it_is_read(hostile: LabServer) -> None:  # scenario 34
    async with Client(hostile) as client, Client(hostile) as other:
        client.send("endless.lab")
        await client.head()
        await client.reader.readexactly(1 << 22)
        assert (await other.ask("site-000.lab"))[0] == 200


@pytest.mark.parametrize("host", World(WorldSpec(hosts=1, hostile=True)).hostile_hosts)
def test_hostile_hosts_have_a_robots_txt_and_only_one_is_late(host: str) -> None:  # scenario 60
    answer = World(WorldSpec(hosts=1, hostile=True, slow_robots_s=7.0)).answer(host, "/robots.txt")
    assert (answer.status, answer.fault) == (200, None)
    assert answer.latency_s == (7.0 if host == "slow-robots.lab" else 0.0)


def test_without_hostile_there_is_no_such_host() -> None:
    assert World(PLAIN).answer("reset.lab", "/").status == 421


# --- folders ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "served"
    (root / "sub dir").mkdir(parents=True)
    (root / "index.html").write_text("<title>Home</title>")
    (root / "sub dir" / "index.html").write_text("<title>Below</title>")
    (root / "page.html").write_text("<title>Page</title>")
    (root / "empty").mkdir()
    (root / "data.bin").write_bytes(b"\x00\xff")
    (tmp_path / "secret.html").write_text("secret")
    (root / "out.html").symlink_to(tmp_path / "secret.html")
    (root / "in.html").symlink_to(root / "page.html")
    return root


@pytest.mark.parametrize(
    ("target", "status", "kind", "body"),
    [
        ("/", 200, "text/html", b"<title>Home</title>"),
        ("/page.html", 200, "text/html", b"<title>Page</title>"),
        ("/page.html?version=2", 200, "text/html", b"<title>Page</title>"),
        ("/p%61ge.html", 200, "text/html", b"<title>Page</title>"),
        ("/in.html", 200, "text/html", b"<title>Page</title>"),
        ("/sub%20dir/", 200, "text/html", b"<title>Below</title>"),
        ("/data.bin", 200, "application/octet-stream", b"\x00\xff"),
        ("/page.html/", 404, "text/plain", b"no such file\n"),
        ("/empty/", 404, "text/plain", b"no such file\n"),
        ("/none.html", 404, "text/plain", b"no such file\n"),
    ],
)
def test_a_folder_is_served(folder: Path, target: str, status: int, kind: str, body: bytes) -> None:
    answer = FolderWorld(folder).answer("any.name", target)
    assert (answer.status, header(answer, "Content-Type"), answer.body) == (status, kind, body)


def test_a_folder_without_its_slash_redirects_to_it(folder: Path) -> None:
    answer = FolderWorld(folder).answer("any.name", "//sub%20dir?a=1")
    assert (answer.status, header(answer, "Location")) == (301, "/sub%20dir/?a=1")


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.html",
        "/sub%20dir/../../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/%2e%2e%2fsecret.html",
        "/sub%20dir/..%2f..%2fsecret.html",
        "/out.html",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/page.html%00.txt",
        "/" + "x" * 5000,
    ],
)
def test_nothing_outside_the_folder_is_served(folder: Path, target: str) -> None:
    assert FolderWorld(folder).answer("any.name", target).status == 404


async def test_a_file_is_read_once_for_all_host_names(folder: Path) -> None:
    async with LabServer(FolderWorld(folder)) as server, Client(server) as client:
        first = await client.ask("one.lab", "/page.html")
        (folder / "page.html").write_text("changed")
        assert await client.ask("two.lab", "/page.html") == first
        assert server.counts.of("two.lab", "/page.html") == 1


def test_a_folder_in_a_process_of_its_own(folder: Path) -> None:
    with serve_folder(folder) as lab:
        assert fetch(lab.port, "any.name", "/page.html") == (200, b"<title>Page</title>")


# --- the process and the command line ---


def fetch(port: int, host: str, target: str = "/") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", target, headers={"Host": f"{host}:{port}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_the_lab_in_its_own_process_serves_counts_and_stops() -> None:
    with serve_in_process(msgspec.structs.replace(PLAIN, hostile=True), log=True, warm=True) as lab:
        port = lab.port
        assert fetch(port, "site-002.lab") == (200, World(PLAIN).answer(f"site-002.lab:{port}", "/").body)
        with pytest.raises(ConnectionResetError):
            fetch(port, "reset.lab")
        counts = lab.counts()
        assert (counts.of("site-002.lab"), counts.of("reset.lab"), counts.total) == (1, 1, 2)
        assert len(counts.starts["site-002.lab"]) == 1
        lab.stop()
        lab.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_the_process_ends_when_its_parent_dies() -> None:
    """Standard error closes only when both are gone."""
    script = (
        "import os; from crawler.lab import WorldSpec, serve_in_process\n"
        "lab = serve_in_process(WorldSpec(hosts=1, pages_per_host=1)); lab.__enter__(); os._exit(9)"
    )
    parent = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, timeout=30, cwd=PACKAGE_ROOT)
    assert (parent.returncode, parent.stderr) == (9, b"")


def test_a_server_that_cannot_start_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="did not start"), serve_in_process(WorldSpec(hosts=0)):
        pass
    assert "--hosts: Expected int >= 1" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_the_seeds_are_printed(number: int, tmp_path: Path) -> None:
    file = tmp_path / "sites.txt"
    command = [sys.executable, "-m", "crawler.lab", "--hosts", "2", "--pages", "2", "--sites-file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PACKAGE_ROOT) as lab:
        assert lab.stdout is not None
        *seeds, _, _, advice = [lab.stdout.readline() for _ in range(5)]
        lab.send_signal(number)
        _, errors = lab.communicate(timeout=30)
    assert (lab.returncode, errors) == (0, "")
    assert file.read_text() == "".join(seeds)
    assert re.fullmatch(r"http://site-001\.lab:\d+/\n", seeds[1])
    assert f"crawler crawl --sites {file} --resolve '*.lab:127.0.0.1' --allow-private 127.0.0.0/8" in advice


@pytest.mark.parametrize(
    "spec",
    [
        WorldSpec(),
        VARIED,
        WorldSpec(seed=-3, hosts=1, robots=False, sitemaps=False, hostile=True, latency_ms=0.5, slow_robots_s=1.0),
    ],
)
def test_a_spec_survives_the_command_line(spec: WorldSpec) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_arguments(parser)
    args = parser.parse_args(command_line(spec))
    assert WorldSpec(**{name: getattr(args, name) for name in WorldSpec.__struct_fields__}) == spec


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--pages=0"], "--pages: Expected int >= 1"),
        (["--errors=2"], "--errors: Expected float <= 1.0"),
        (["--folder=/no/such/folder"], "/no/such/folder"),
    ],
)
def test_a_value_out_of_range_names_its_option(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args(arguments)) == 2
    assert fault in capsys.readouterr().err


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--port", "65536"])
    assert "65536 is no port" in capsys.readouterr().err

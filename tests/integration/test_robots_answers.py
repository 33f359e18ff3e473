"""What becomes of a crawl for each answer that a server may give to the question for its robots.txt."""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from crawler import urls
from tests.contract.conftest import STRATEGIES
from tests.contract.server import CLOSE, HANG, RESET, ScriptedServer, Step, answer, closed_port
from tests.integration.conftest import Record, read_records, run_cli

QUICK = ("--delay", 0, "--patience", 0, "--retries", 0, "--no-sitemaps", "--parse", "inline")
LOOPBACK = ("--allow-private", "127.0.0.0/8")
PAGE = answer(b"<a href=/open>o</a><a href=/secret>s</a>", "200 OK", "Content-Type: text/html")
SECRET = answer(b"User-agent: *\nDisallow: /secret\n")


def site(stack: ExitStack, *robots: Step) -> ScriptedServer:
    """A server with three pages and a script for its robots.txt, where there is one."""
    server = stack.enter_context(ScriptedServer())
    if robots:
        server.script("/robots.txt", *robots)
    server.script("/", PAGE)
    server.script("/open", answer())
    server.script("/secret", answer())
    return server


def crawl(run: Path, servers: list[ScriptedServer], *arguments: object) -> dict[str, list[Record]]:
    """The records of a crawl that begins at each server, by origin."""
    seeds = [server.url + "/" for server in servers]
    done = run_cli("crawl", *seeds, *QUICK, *LOOPBACK, "--run", run, *arguments)
    assert done.returncode in (0, 1), done.stderr
    table: dict[str, list[Record]] = {server.url: [] for server in servers}
    for record in read_records(run):
        table[urls.origin(record["url"])].append(record)
    return table


def paths(server: ScriptedServer) -> list[str]:
    return [line.split()[1] for line in server.seen.request_lines]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_site_without_robots_txt_has_no_rules(strategy: str, tmp_path: Path) -> None:
    """Whoever may not read it, or finds none, may read the rest."""
    # scenario 52
    statuses = ["400 Bad", "401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone", "451 Unavailable"]
    with ExitStack() as stack:
        servers = [site(stack, answer(b"User-agent: *\nDisallow: /\n", status)) for status in statuses]
        crawl(tmp_path / "run", servers, "--strategy", strategy)
        for server in servers:
            assert sorted(paths(server)) == ["/", "/open", "/robots.txt", "/secret"]


BROKEN: dict[str, tuple[Step, ...]] = {
    "500": (answer(b"", "500 Error"),),
    "503 with rules that allow": (answer(b"User-agent: *\nAllow: /\n", "503 Busy"),),
    "429": (answer(b"", "429 Too Many", "Retry-After: 9"),),
    "reset": (RESET,),
    "closed": (CLOSE,),
    "no HTTP": (b"220 ready\r\n", HANG),
    "short": (answer(b"User-agent: *\nAllow: /\n", length=500), CLOSE),
    "gzip cut short": (answer(gzip.compress(b"User-agent: *\nAllow: /\n")[:-12], "200 OK", "Content-Encoding: gzip"),),
    "unknown coding": (answer(gzip.compress(b"Allow: /\n"), "200 OK", "Content-Encoding: exotic"),),
    "no gzip": (answer(b"\1\2" * 99, "200 OK", "Content-Encoding: gzip"),),
    "too many codings": (answer(b"x", "200 OK", "Content-Encoding: " + ", ".join(["gzip"] * 6)),),
    "broken chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n18\r\nUser-agent: *\nAllow: /\n\nzz\r\n",
        HANG,
    ),
    "silent": (HANG,),
}


# Where no answer came at all, the pages fail for the same reason.
REASONS = {
    "reset": "connection_lost",
    "closed": "connection_lost",
    "no HTTP": "protocol_error",
    "silent": "first_byte_timeout",
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_is_asked_of_a_site_whose_robots_txt_cannot_be_had(strategy: str, tmp_path: Path) -> None:
    """Its pages wait for the next try; where the user's patience ends before, they fail and are not forgotten."""
    # scenarios 53, 54
    config = tmp_path / "quick.toml"
    config.write_text("[fetch]\nfirst_byte_timeout_s = 0.5\n")
    with ExitStack() as stack:
        servers = [site(stack, *script) for script in BROKEN.values()]
        healthy = site(stack, SECRET)
        table = crawl(tmp_path / "run", [*servers, healthy], "--strategy", strategy, "--config", config)
        for name, server in zip(BROKEN, servers, strict=True):
            assert {*paths(server)} == {"/robots.txt"}, name
            assert [(each["outcome"], each["error"]) for each in table[server.url]] == [
                ("failed", REASONS.get(name, "robots_unreachable"))
            ], name
        assert sorted(paths(healthy)) == ["/", "/open", "/robots.txt"]


def chain(stack: ExitStack, hops: int) -> tuple[ScriptedServer, ScriptedServer]:
    """A site whose robots.txt is this many redirects away, from one host to another and back."""
    own, other = site(stack), stack.enter_context(ScriptedServer())
    places = [(own, "/robots.txt"), *(((other, own)[hop % 2], f"/hop{hop}") for hop in range(hops))]
    for (server, path), (target, next_path) in pairwise(places):
        server.script(path, answer(b"", "302 Found", f"Location: {target.url}{next_path}"))
    places[-1][0].script(places[-1][1], SECRET)
    other.script("/", PAGE)
    other.script("/robots.txt", answer(b"", "404 Not Found"))
    return own, other


@pytest.mark.parametrize("hops", [1, 5, 6])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_five_redirects_lead_to_a_robots_txt_and_six_to_none(strategy: str, hops: int, tmp_path: Path) -> None:
    """Its rules are for the host that was asked first, and for no other on the way."""
    # scenario 55
    with ExitStack() as stack:
        own, other = chain(stack, hops)
        table = crawl(tmp_path / "run", [own, other], "--strategy", strategy)
        assert ("/secret" in paths(own)) is (hops > 5)
        assert "/open" in paths(own)
        assert "/secret" in paths(other)
        hopped = [path for path in paths(own) + paths(other) if path.startswith("/hop")]
        assert sorted(hopped) == [f"/hop{hop}" for hop in range(min(hops, 5))]
        assert all("/hop" not in record["url"] for records in table.values() for record in records)


def test_a_robots_txt_that_redirects_in_a_circle_is_none(tmp_path: Path) -> None:
    # scenario 55
    with ExitStack() as stack:
        circle = site(stack, answer(b"", "301 Moved", "Location: /elsewhere"))
        circle.script("/elsewhere", answer(b"", "301 Moved", "Location: /robots.txt"))
        itself = site(stack, answer(b"", "301 Moved", "Location: /robots.txt"))
        bad = [site(stack, answer(b"", "302 Found", *fields)) for fields in ((), ("Location: file:///etc/passwd",))]
        servers = [circle, itself, *bad]
        crawl(tmp_path / "run", servers)
        for server in servers:
            assert paths(server).count("/robots.txt") == 1
            assert "/secret" in paths(server)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_of_an_enormous_robots_txt_the_first_500_kib_count(strategy: str, tmp_path: Path) -> None:
    """However little the user wants to keep of a page."""
    # scenario 56
    filler = b"#" * 1023 + b"\n"
    early = b"User-agent: *\nDisallow: /secret\n" + filler * 50_000
    late = b"User-agent: *\n" + filler * 400 + b"Disallow: /secret\n" + filler * 1000 + b"Disallow: /open\n"
    with ExitStack() as stack:
        servers = [site(stack, answer(body)) for body in (early, late)]
        crawl(tmp_path / "run", servers, "--strategy", strategy, "--max-body", 1024)
        for server in servers:
            assert "/secret" not in paths(server)
            assert "/open" in paths(server)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_port_has_a_robots_txt_of_its_own(strategy: str, tmp_path: Path) -> None:
    """One refuses all, one has no server, one allows all; all are on one host name."""
    # scenario 60
    with ExitStack() as stack:
        closed, open_to_all = site(stack, answer(b"User-agent: *\nDisallow: /\n")), site(stack, answer(b""))
        ports = (closed.port, closed_port(), open_to_all.port)
        seeds = [f"http://site.lab:{port}/" for port in ports]
        options = (*QUICK, *LOOPBACK, "--resolve", "site.lab:127.0.0.1", "--strategy", strategy)
        done = run_cli("crawl", *seeds, *options, "--run", tmp_path / "run")
        assert done.returncode == 0, done.stderr
        assert paths(closed) == ["/robots.txt"]
        assert sorted(paths(open_to_all)) == ["/", "/open", "/robots.txt", "/secret"]


def test_a_robots_txt_that_leads_to_a_private_address_refuses_everything(tmp_path: Path) -> None:
    """The seed's own origin is exempt from the guard; the port beside it is not, and nothing of it is asked."""
    # scenarios 60, 74
    with ExitStack() as stack:
        inner = site(stack, answer(b""))
        server = site(stack, answer(b"", "302 Found", f"Location: {inner.url}/robots.txt"))
        done = run_cli("crawl", server.url + "/", *QUICK, "--run", tmp_path / "run")
        assert done.returncode == 1, done.stderr
        assert inner.seen.connections == 0
        assert paths(server) == ["/robots.txt"]

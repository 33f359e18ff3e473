"""What the strategy `curl` has for itself: HTTP/2, libcurl's own connections, and what libcurl says of failures."""

from __future__ import annotations

import asyncio
import gc
import ssl
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

pytest.importorskip("pycurl", reason="pycurl is not installed: pip install pycurl")

from crawler import fetch
from crawler.errors import FETCH_REASONS, FetchError, UsageError
from crawler.fetch.base import ByteCount
from crawler.fetch.curl import pool as curl_pool
from crawler.fetch.curl.transfers import HAS_HTTP2, Access, Easy
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.target import Limits
from crawler.settings.groups import Settings

from . import nginx
from .conftest import BODY_DEADLINE_S, Client, Connect
from .server import CLOSE, HANG, TELL, Drip, ScriptedServer, answer

needs_http2 = pytest.mark.skipif(
    not HAS_HTTP2 or nginx.path() is None,
    reason="this libcurl has no HTTP/2" if not HAS_HTTP2 else "nginx is not installed: apt-get install nginx-light",
)

LOCATIONS = """
location /echo { return 200 "$request_uri|$http_x_extra|$http_user_agent|$http_accept|$http_host"; }
location /where { return 200 "$server_protocol $server_addr $connection"; }
location /error { return 503 "sorry"; }
location /gone { return 302 /elsewhere; }
location /twice { add_header Location /two always; return 302 /one; }
location /fields { add_header X-Many one always; add_header X-Many two always; add_header X-Empty "" always;
                   return 200 "hello"; }
location /empty { return 204; }
location /image { types { } default_type image/png; alias %(folder)s/large.html; }
location /large { alias %(folder)s/large.html; }
location /slow { limit_rate 1000; alias %(folder)s/large.html; }
location /silent { proxy_pass http://127.0.0.1:%(behind)d; }
location /hint { proxy_pass http://127.0.0.1:%(behind)d; proxy_buffering off; }
"""


@pytest.fixture
def strategy() -> str:
    return "curl"


@pytest.fixture(scope="module")
def behind() -> Iterator[ScriptedServer]:
    """What stands behind nginx."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA, behind: ScriptedServer
) -> Iterator[nginx.Nginx]:
    """A site that speaks HTTP/2 and HTTP/1.1 over TLS."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "large.html").write_bytes(b"0123456789abcdef" * 65_536)
    with nginx.running(folder, authority, LOCATIONS % {"folder": folder, "behind": behind.port}) as running:
        yield running


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """TLS settings that trust the authority of the tests."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def reason_of(client: Client, url: str, **options: object) -> str:
    """The reason for which a fetch fails."""
    with pytest.raises(FetchError) as caught:
        await client.get(url, **options)  # type: ignore[arg-type]
    return caught.value.reason


def open_files() -> int:
    """How many file descriptors this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


@needs_http2
async def test_http2_is_spoken_where_the_server_offers_it(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx
) -> None:
    client = await connect(tls=trusting(authority))
    for _ in range(2):
        page = await client.get(site.url + "/where")
        assert page.body.startswith(b"HTTP/2.0 127.0.0.1 ")
    assert (await client.get(f"https://name.lab:{site.old_port}/")).body == b"HTTP/1.1"


@needs_http2
@pytest.mark.parametrize(
    "path",
    [
        "/echo/%7e/a|b{c}^d/100%//x?a=|{}^'\"&%",
        "/echo?",
        "/echo//..;/%2e%2e/x",
        "/error",
        "/gone",
        "/twice",
        "/fields",
        "/empty",
        "/image",
        "/large",
        "/missing",
    ],
)
async def test_http2_and_http1_give_the_same_page(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx, path: str
) -> None:
    """Names of header fields are in small letters in HTTP/2, and a connection says nothing of itself."""
    fields = (("User-Agent", "crawler/test"), ("X-Extra", "a: b"), ("X-None", ""))
    limits = Limits(max_body_bytes=100_000)
    pages = []
    other = Client("threads", tls=trusting(authority))
    for client in (await connect(tls=trusting(authority)), other):
        page = await client.get(site.url + path, limits, headers=fields)
        dropped = ("date", "connection", "transfer-encoding", "etag")
        kept = Counter((name.lower(), value) for name, value in page.headers if name.lower() not in dropped)
        pages.append((page.status, kept, page.body, page.complete, page.truncated))
    await other.fetcher.close()
    assert pages[0] == pages[1]


@needs_http2
async def test_a_value_is_sent_as_utf8_over_http2_too(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx
) -> None:
    client = await connect(tls=trusting(authority))
    page = await client.get(site.url + "/echo", headers=(("X-Extra", "ü=日本"),))
    assert page.body.split(b"|")[1] == "ü=日本".encode()


@needs_http2
async def test_requests_to_one_http2_host_share_a_connection(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx
) -> None:
    client = await connect(tls=trusting(authority))
    await client.get(site.url + "/where")
    pages = await asyncio.gather(*(client.get(f"{site.url}/where?{number}") for number in range(40)))
    assert len({page.body for page in pages}) == 1
    assert [page.request.url for page in pages] == [f"{site.url}/where?{number}" for number in range(40)]


@needs_http2
async def test_ending_a_stream_leaves_the_others_alone(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that is too long, one that is not wanted, and one whose fetch was cancelled."""
    client = await connect(tls=trusting(authority))
    before = (await client.get(site.url + "/where")).body
    cut = await client.get(site.url + "/large", Limits(max_body_bytes=50_000))
    assert (len(cut.body), cut.truncated) == (50_000, "length")
    unread = await client.get(site.url + "/image")
    assert (unread.body, unread.truncated) == (b"", "type")
    used, add, has_come = client.counter.used, client.counter.add, asyncio.Event()
    monkeypatch.setattr(client.counter, "add", lambda count: (add(count), has_come.set()))
    fetching = asyncio.ensure_future(client.get(site.url + "/slow"))
    await asyncio.wait_for(has_come.wait(), 5)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert client.counter.used == used
    assert (await client.get(site.url + "/where")).body == before


@needs_http2
async def test_the_clock_of_a_stream_is_that_of_every_fetch(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx, behind: ScriptedServer
) -> None:
    # scenarios 7, 34, 35
    client = await connect(tls=trusting(authority))
    await client.get(site.url + "/where")
    behind.script("/silent", HANG)
    limits = Limits(first_byte_timeout_s=0.3, min_rate_bytes_s=0)
    assert await reason_of(client, site.url + "/silent", limits=limits) == "first_byte_timeout"
    assert await reason_of(client, site.url + "/silent", deadline_s=0.3) == "deadline"
    page = await client.get(site.url + "/slow", Limits(min_rate_bytes_s=0), deadline_s=BODY_DEADLINE_S)
    assert (page.truncated, page.complete) == ("time", True)
    assert 0 < len(page.body) < 100_000


@needs_http2
async def test_a_stream_that_is_cut_off_is_a_short_body(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx, behind: ScriptedServer
) -> None:
    # scenarios 8, 12
    client = await connect(tls=trusting(authority))
    await client.get(site.url + "/where")
    behind.script("/hint", answer(length=50), CLOSE)
    page = await client.get(site.url + "/hint")
    assert (page.status, page.body, page.complete) == (200, b"hello", False)


@needs_http2
async def test_heads_in_http2_have_the_same_limits(connect: Connect, authority: trustme.CA, site: nginx.Nginx) -> None:
    # scenario 20
    client = await connect(tls=trusting(authority))
    await client.get(site.url + "/where")
    assert await reason_of(client, site.url + "/fields", limits=Limits(max_header_fields=3)) == "header_too_large"


@needs_http2
async def test_a_connection_that_the_server_takes_leave_of_is_replaced(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx
) -> None:
    # scenario 37
    client = await connect(tls=trusting(authority))
    url = f"https://name.lab:{site.short_port}/"
    await client.get(url)
    answers = [(await client.get(url)).body.split() for _ in range(4)]
    assert {protocol for protocol, _ in answers} == {b"HTTP/2.0"}
    assert len({connection for _, connection in answers}) == 4


@needs_http2
async def test_an_http2_connection_to_an_address_that_is_no_longer_vetted_is_not_used(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx
) -> None:
    # scenario 71
    client = await connect(tls=trusting(authority))
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        page = await client.get(site.url + "/where", addresses=(address,))
        assert page.body.split()[1] == address.encode()


@needs_http2
async def test_a_head_that_libcurl_refuses_is_asked_for_over_http1(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx
) -> None:
    """So is everything else of that origin from then on."""
    client = await connect(tls=trusting(authority))
    page = await client.get(site.url + "/twice")
    assert [value.rpartition("/")[2] for value in page.header_all("location")] == ["one", "two"]
    assert (await client.get(site.url + "/where")).body.startswith(b"HTTP/1.1 ")


@needs_http2
async def test_a_server_that_gives_http2_up_is_asked_over_http1(
    connect: Connect, authority: trustme.CA, site: nginx.Nginx
) -> None:
    """What was learnt of an origin holds until the server says otherwise."""
    client = await connect(tls=trusting(authority))
    url = f"https://name.lab:{site.old_port}/"
    client.fetcher._learn(url[:-1], True)  # type: ignore[attr-defined]
    for _ in range(2):
        assert (await client.get(url)).body == b"HTTP/1.1"


async def test_a_connection_to_an_address_that_is_no_longer_vetted_is_not_used(
    client: Client, server: ScriptedServer
) -> None:
    # scenario 71
    server.script("/", answer())
    url = f"http://name.lab:{server.port}/"
    await client.get(url, addresses=("127.0.0.1",))
    assert await reason_of(client, url, addresses=("127.0.0.2",)) == "refused"
    assert len(server.seen.heads) == 1


async def test_connections_wait_for_their_next_request_only_so_long(
    client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl_pool, "KEEP_ALIVE_S", 0.05)
    await client.get(server.script("/", answer()))
    assert await asyncio.to_thread(server.client_left.wait, 5)


async def test_the_connection_that_has_waited_longest_is_closed_for_another(
    client: Client, server: ScriptedServer
) -> None:
    """Idle connections take no more than their share of the file descriptors."""
    client.fetcher._pool._max_idle = 2  # type: ignore[attr-defined]
    server.script("/", answer())
    for name in ("a", "b", "c"):
        await client.get(f"http://{name}.lab:{server.port}/")
    assert await asyncio.to_thread(server.client_left.wait, 5)
    for name in ("c", "b"):
        await client.get(f"http://{name}.lab:{server.port}/")
    assert server.seen.connections == 3


async def test_no_file_descriptor_is_left_behind(connect: Connect, authority: trustme.CA) -> None:
    """After good and bad ends, refusals, cancelled fetches and close, all that was opened is closed."""
    # scenario 117
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer() as plain, ScriptedServer(context) as secure:
        gc.collect()
        before = open_files()
        client = await connect(tls=trusting(authority))
        for server in (plain, secure):
            server.script("/", answer())
            server.script("/close", answer(b"x", "200 OK", "Connection: close"))
            server.script("/lost", CLOSE)
            server.script("/hang", TELL, HANG)
            server.script("/drip", answer(length=10**6), Drip(b"x"))
            for _ in range(5):
                fetching = asyncio.ensure_future(client.get(server.url + "/hang"))
                await asyncio.gather(client.get(server.url + "/"), client.get(server.url + "/close"))
                assert await reason_of(client, server.url + "/lost") == "connection_lost"
                await client.get(server.url + "/drip", Limits(max_body_bytes=10))
                await asyncio.to_thread(server.told.wait, 5)
                server.told.clear()
                fetching.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await fetching
        await client.fetcher.close()
    gc.collect()
    assert open_files() <= before


OUTCOMES = {
    (28, "Connection timed out"): "connect_timeout",
    (60, "SSL certificate problem"): "tls_failed",
    (35, "TLS connect error: error:0A00010B:SSL routines::wrong version number"): "tls_failed",
    (35, "Recv failure: Connection reset by peer"): "connection_lost",
    (35, "Send failure: Broken pipe"): "connection_lost",
    (56, "Recv failure: Connection reset by peer"): "connection_lost",
    (16, "nghttp2 shuts down connection"): "connection_lost",
    (92, "HTTP/2 stream 1 was not closed cleanly"): "connection_lost",
    (100, "Too many response headers, 5000 is max"): "header_too_large",
    (27, "Out of memory"): "no_resources",
    (7, "Could not connect to server"): "unreachable",
    (43, "a function was called with a bad parameter"): "internal",
}


@pytest.mark.parametrize(("outcome", "reason"), OUTCOMES.items(), ids=[str(outcome) for outcome in OUTCOMES])
def test_what_libcurl_says_has_a_reason(outcome: tuple[int, str], reason: str) -> None:
    assert Easy(Access(Guard(), None, "")).error(outcome).reason == reason
    assert reason in FETCH_REASONS


async def test_a_header_field_cannot_smuggle_another(client: Client, server: ScriptedServer) -> None:
    url = server.script("/", answer())
    assert await reason_of(client, url, headers=(("X-A", "b\r\nX-Evil: c"),)) == "internal"
    assert server.seen.heads == []


async def test_a_fetcher_that_is_closed_fetches_nothing(client: Client, server: ScriptedServer) -> None:
    await client.fetcher.close()
    await client.fetcher.close()
    assert await reason_of(client, server.script("/", answer())) == "connection_lost"
    assert server.seen.connections == 0


async def test_without_pycurl_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("crawler.fetch.curl")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pycurl", None)
    with pytest.raises(UsageError, match=r"'curl' needs pycurl, which is not installed: pip install pycurl"):
        fetch.create("curl", Settings(), Guard(), ByteCount())

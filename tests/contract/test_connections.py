"""Where connections go, which are kept, and that none is left behind."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
import trustme

from crawler.errors import FetchError, UsageError
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.target import Limits
from crawler.settings.groups import FetchSettings

from .conftest import Client, Connect
from .server import CLOSE, HANG, RESET, TELL, WAIT, Drip, ScriptedServer, answer, closed_port


async def reason_of(client: Client, url: str, **options: object) -> str:
    """The reason for which a fetch fails."""
    with pytest.raises(FetchError) as caught:
        await client.get(url, **options)  # type: ignore[arg-type]
    return caught.value.reason


@pytest.mark.keeps_connections
async def test_a_connection_is_kept_for_the_next_request(client: Client, server: ScriptedServer) -> None:
    server.script("/", answer())
    for _ in range(5):
        await client.get(server.url + "/")
    assert (len(server.seen.heads), server.seen.connections) == (5, 1)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_a_connection_that_the_server_will_close_is_not_kept(
    client: Client, server: ScriptedServer, head: bytes
) -> None:
    server.script("/", head)
    await client.get(server.url + "/")
    await client.get(server.url + "/")
    assert server.seen.connections == 2


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["close", "reset"])
@pytest.mark.keeps_connections
async def test_a_kept_connection_that_dies_as_it_is_used_again_is_replaced_once(
    client: Client, server: ScriptedServer, end: object
) -> None:
    """The second request reaches the server on the old connection, which is ended instead of an answer."""
    # scenario 9
    url = server.script("/", answer(b"first"))
    server.script("/", end)  # type: ignore[arg-type]
    server.script("/", answer(b"again"))
    assert (await client.get(url)).body == b"first"
    assert (await client.get(url)).body == b"again"
    assert (len(server.seen.heads), server.seen.connections) == (3, 2)


@pytest.mark.keeps_connections
async def test_the_silent_retry_is_one_and_on_a_fresh_connection(client: Client, server: ScriptedServer) -> None:
    """Not on another connection of the pool, and not again when the fresh one is lost too."""
    # scenario 9
    if client.fetcher.name != "sequential":
        server.script("/both", WAIT, answer())
        both = [asyncio.ensure_future(client.get(server.url + "/both")) for _ in range(2)]
        await asyncio.to_thread(_until, lambda: len(server.seen.heads) == 2)
        server.go()
        await asyncio.gather(*both)
    else:
        await client.get(server.script("/both", answer()))
    asked, opened = len(server.seen.heads), server.seen.connections
    assert await reason_of(client, server.script("/lost", CLOSE)) == "connection_lost"
    assert (len(server.seen.heads) - asked, server.seen.connections - opened) == (2, 1)


def _until(condition: object) -> None:
    import time

    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.002)


async def test_half_an_answer_on_a_kept_connection_is_not_asked_for_again(
    client: Client, server: ScriptedServer
) -> None:
    # scenario 9
    await client.get(server.script("/", answer()))
    assert await reason_of(client, server.script("/half", b"HTTP/1.1 200", CLOSE)) == "connection_lost"
    assert len(server.seen.heads) == 2


async def test_a_refused_connection_says_so(client: Client) -> None:
    # scenario 6
    assert await reason_of(client, f"http://127.0.0.1:{closed_port()}/") == "refused"


async def test_an_address_that_does_not_answer_runs_into_the_connect_timeout(client: Client) -> None:
    # scenario 6
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        queued = [socket.socket() for _ in range(4)]
        for sock in queued:  # fill the backlog, so that the next connection gets no answer at all
            sock.setblocking(False)
            sock.connect_ex(address)
        try:
            limits = Limits(connect_timeout_s=0.3)
            assert await reason_of(client, f"http://127.0.0.1:{address[1]}/", limits=limits) == "connect_timeout"
        finally:
            for sock in queued:
                sock.close()


async def test_the_next_address_is_tried_when_one_is_dead(client: Client, server: ScriptedServer) -> None:
    # scenario 3
    url = f"http://name.lab:{server.port}/"
    server.script("/", answer())
    page = await client.get(url, addresses=("127.0.0.3", "127.0.0.2", "127.0.0.1"))
    assert page.status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
@pytest.mark.parametrize("host", ["[::1]", "name.lab"])
async def test_ipv6_is_dialled_as_a_literal_and_for_a_name(connect: Connect, host: str) -> None:
    # scenario 3
    client = await connect(guard=Guard(["::1/128"]))
    with ScriptedServer(host="::1") as server:
        server.script("/", answer())
        page = await client.get(f"http://{host}:{server.port}/", addresses=("::1",))
        assert page.status == 200
        assert server.seen.fields()["Host"] == f"{host}:{server.port}"


async def test_the_guard_is_asked_where_a_socket_is_opened(connect: Connect, server: ScriptedServer) -> None:
    """Even for an address that the engine has let through, as a name or as a literal."""
    # scenarios 71, 73
    client = await connect(guard=Guard())
    assert await reason_of(client, server.script("/", answer())) == "private_address"
    assert await reason_of(client, f"http://name.lab:{server.port}/") == "private_address"
    assert server.seen.connections == 0


@pytest.mark.allow_hosts(["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1"])
async def test_an_exempt_address_is_dialled_however_a_library_writes_it(
    connect: Connect, server: ScriptedServer
) -> None:
    """The canonical URL has `::ffff:7f00:1`, the system `::ffff:127.0.0.1`."""
    server.script("/", answer(b"here"))
    url = f"http://[::ffff:7f00:1]:{server.port}/"
    guard = Guard(exempt_origins=[url[:-1]])
    client = await connect(guard=guard)
    assert (await client.get(url, addresses=guard.vet(url, ["::ffff:7f00:1"]))).body == b"here"


async def test_an_exempt_origin_is_dialled_and_the_port_beside_it_is_not(
    connect: Connect, server: ScriptedServer
) -> None:
    url = server.script("/", answer())
    guard = Guard(exempt_origins=[server.url])
    guard.vet(url, ["127.0.0.1"])
    client = await connect(guard=guard)
    assert (await client.get(url)).status == 200
    assert await reason_of(client, f"http://127.0.0.1:{closed_port()}/") == "private_address"


def _server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def _client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.keeps_connections
async def test_a_valid_certificate_is_accepted_and_its_connection_kept(connect: Connect, authority: trustme.CA) -> None:
    """The certificate is checked against the name, whatever address is dialled."""
    client = await connect(tls=_client_tls(authority))
    with ScriptedServer(_server_tls(authority, "name.lab")) as server:
        server.script("/", answer())
        url = f"https://name.lab:{server.port}/"
        assert (await client.get(url)).body == b"hello"
        assert (await client.get(url)).body == b"hello"
        assert server.seen.connections == 1


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["close", "reset"])
@pytest.mark.keeps_connections
async def test_a_kept_tls_connection_that_dies_is_replaced(
    connect: Connect, authority: trustme.CA, end: object
) -> None:
    # scenario 9
    client = await connect(tls=_client_tls(authority))
    with ScriptedServer(_server_tls(authority, "127.0.0.1")) as server:
        url = server.script("/", answer())
        server.script("/", end)  # type: ignore[arg-type]
        server.script("/", answer(b"again"))
        await client.get(url)
        assert (await client.get(url)).body == b"again"


async def test_a_certificate_for_another_name_is_refused(connect: Connect, authority: trustme.CA) -> None:
    # scenario 10
    client = await connect(tls=_client_tls(authority))
    with ScriptedServer(_server_tls(authority, "other.lab")) as server:
        assert await reason_of(client, f"https://name.lab:{server.port}/") == "tls_failed"
        assert server.seen.heads == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(client: Client, authority: trustme.CA) -> None:
    # scenario 10
    with ScriptedServer(_server_tls(authority, "127.0.0.1")) as server:
        assert await reason_of(client, server.url + "/") == "tls_failed"


async def test_plain_http_at_a_tls_port_is_a_tls_failure(client: Client, server: ScriptedServer) -> None:
    server.on_connect(b"HTTP/1.1 400 Bad Request\r\n\r\n", HANG)
    assert await reason_of(client, f"https://127.0.0.1:{server.port}/") == "tls_failed"


async def test_a_tls_handshake_without_answer_runs_into_the_connect_timeout(
    client: Client, server: ScriptedServer
) -> None:
    # scenario 7
    server.on_connect(HANG)
    url = f"https://127.0.0.1:{server.port}/"
    assert await reason_of(client, url, limits=Limits(connect_timeout_s=0.3)) == "connect_timeout"


async def test_a_tls_handshake_that_breaks_off_is_a_lost_connection(client: Client, server: ScriptedServer) -> None:
    server.on_connect(CLOSE)
    assert await reason_of(client, f"https://127.0.0.1:{server.port}/") == "connection_lost"


async def test_a_body_cut_by_the_end_of_tls_is_short(connect: Connect, authority: trustme.CA) -> None:
    # scenario 12
    client = await connect(tls=_client_tls(authority))
    with ScriptedServer(_server_tls(authority, "127.0.0.1")) as server:
        page = await client.get(server.script("/", answer(length=50), RESET))
        assert (page.body, page.complete) == (b"hello", False)


async def _proxied(connect: Connect, proxy: ScriptedServer, **options: object) -> Client:
    url = f"http://me:secret@127.0.0.1:{proxy.port}"
    return await connect(guard=Guard(), fetch_settings=FetchSettings(proxy=url), **options)


@pytest.mark.knows_proxies
async def test_a_proxy_gets_the_whole_url_and_its_own_credentials(connect: Connect, server: ScriptedServer) -> None:
    """It is dialled although it is private, because the user named it."""
    # scenario 74
    client = await _proxied(connect, server)
    server.script("http://site.example/%7E|", answer(b"through"))
    page = await client.get("http://site.example/%7e|", addresses=())
    assert page.body == b"through"
    assert server.seen.request_lines == ["GET http://site.example/%7E| HTTP/1.1"]
    assert server.seen.fields()["Host"] == "site.example"
    assert server.seen.fields()["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"


@pytest.mark.knows_proxies
async def test_a_proxy_that_opens_no_tunnel_fails_the_fetch(connect: Connect, server: ScriptedServer) -> None:
    client = await _proxied(connect, server)
    server.script("site.example:443", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", CLOSE)
    with pytest.raises(FetchError) as caught:
        await client.get("https://site.example/", addresses=())
    assert caught.value.reason == "proxy_failed"
    assert "secret" not in str(caught.value)
    assert server.seen.request_lines[0].startswith("CONNECT site.example:443 HTTP/1.")
    assert "Cookie" not in server.seen.fields()
    assert server.seen.fields()["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"


@pytest.mark.knows_proxies
async def test_a_dead_proxy_fails_the_fetch(connect: Connect) -> None:
    settings = FetchSettings(proxy=f"127.0.0.1:{closed_port()}")
    client = await connect(fetch_settings=settings)
    assert await reason_of(client, "http://site.example/", addresses=()) == "proxy_failed"


@pytest.mark.parametrize("proxy", ["https://127.0.0.1:8080", "socks5://127.0.0.1:1080", "http://"])
@pytest.mark.knows_proxies
async def test_a_proxy_that_cannot_be_used_is_a_usage_error(connect: Connect, proxy: str) -> None:
    with pytest.raises(UsageError, match="--proxy"):
        await connect(fetch_settings=FetchSettings(proxy=proxy))


@pytest.mark.parametrize("rest", ["127.0.0.1:25", "no host:8080", "[::1:8080"])
@pytest.mark.knows_proxies
async def test_the_password_of_a_proxy_is_in_no_message(connect: Connect, rest: str) -> None:
    with pytest.raises(UsageError) as caught:
        await connect(fetch_settings=FetchSettings(proxy=f"http://me:secret@{rest}"))
    assert rest in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("script", [(HANG,), (answer(length=10**6), TELL, Drip(b"x"))], ids=["head", "body"])
async def test_cancelling_a_fetch_frees_its_connection_and_its_bytes(
    client: Client, server: ScriptedServer, script: tuple[object, ...]
) -> None:
    # scenario 117
    url = server.script("/", TELL, *script)  # type: ignore[arg-type]
    fetching = asyncio.ensure_future(client.get(url))
    await asyncio.to_thread(server.told.wait, 5)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert await asyncio.to_thread(server.client_left.wait, 5)
    server.script("/next", answer())
    assert (await client.get(server.url + "/next")).body == b"hello"
    assert client.counter.used == 5


async def test_closing_ends_what_is_under_way(client: Client, server: ScriptedServer) -> None:
    url = server.script("/", TELL, HANG)
    fetching = asyncio.ensure_future(client.get(url))
    await asyncio.to_thread(server.told.wait, 5)
    await client.fetcher.close()
    with pytest.raises(FetchError):
        await fetching
    assert await asyncio.to_thread(server.client_left.wait, 5)
    assert client.counter.used == 0


async def test_many_fetches_at_once_get_their_own_answers(client: Client, server: ScriptedServer) -> None:
    """More than the strategy has threads."""
    for number in range(40):
        server.script(f"/{number}", answer(str(number).encode()))
    pages = await asyncio.gather(*(client.get(f"{server.url}/{number}") for number in range(40)))
    assert [page.body for page in pages] == [str(number).encode() for number in range(40)]
    assert all(page.request.url.endswith(f"/{number}") for number, page in enumerate(pages))


async def test_one_request_at_a_time_is_what_sequential_means(connect: Connect, server: ScriptedServer) -> None:
    client = await connect()
    server.script("/", answer())
    await asyncio.gather(*(client.get(server.url + "/") for _ in range(10)))
    if client.fetcher.name == "sequential":
        assert server.seen.connections == 1


@pytest.mark.keeps_connections
async def test_idle_connections_are_closed_when_descriptors_are_short_and_no_others(
    client: Client, server: ScriptedServer
) -> None:
    """A fetch that is under way meanwhile gets its answer, and the next one makes a connection again."""
    # scenario 112
    url = server.script("/", answer())
    await client.get(url)
    client.fetcher.close_idle()
    assert await asyncio.to_thread(server.client_left.wait, 10)
    held = asyncio.ensure_future(client.get(server.script("/held", TELL, WAIT, answer(b"held"))))
    assert await asyncio.to_thread(server.told.wait, 10)
    client.fetcher.close_idle()
    server.go()
    assert (await held).body == b"held"
    assert (await client.get(url)).body == b"hello"
    assert server.seen.connections == 2

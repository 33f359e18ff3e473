"""The server of the lab: its HTTP, its counts, and its hosts that break the transport."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import msgspec
import pytest

from crawler import urls
from crawler.lab import LabServer, World, WorldSpec, serve_in_process
from tests.unit.lab.lab_client import PLAIN, VARIED, Client


@pytest.fixture
async def lab() -> AsyncIterator[LabServer]:
    async with LabServer(World(PLAIN), log=True) as server:
        yield server


@pytest.fixture
async def hostile() -> AsyncIterator[LabServer]:
    async with LabServer(World(WorldSpec(hosts=1, pages_per_host=2, hostile=True))) as server:
        yield server


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

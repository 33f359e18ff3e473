"""A host with several addresses is reached through any of them, within the time for one connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from crawler.errors import FetchError
from crawler.fetch.dial.target import Limits

from .conftest import Client
from .server import ScriptedServer, answer, closed_port

SILENT = ("127.0.0.2", "127.0.0.3")  # the scripted server listens on 127.0.0.1 alone


@contextmanager
def black_holes(port: int, *addresses: str) -> Iterator[None]:
    """Endpoints that answer no connection, because their backlog is full."""
    with ExitStack() as stack:
        for address in addresses:
            full = stack.enter_context(socket.socket())
            full.bind((address, port))
            full.listen(0)
            for _ in range(4):
                queued = stack.enter_context(socket.socket())
                queued.setblocking(False)
                queued.connect_ex((address, port))
        yield


@pytest.mark.parametrize(
    "addresses",
    [(*SILENT, "127.0.0.1"), ("127.0.0.2", "127.0.0.1"), ("127.0.0.1", *SILENT)],
    ids=["two silent first", "one silent first", "silent last"],
)
async def test_an_address_that_never_answers_does_not_use_up_the_time_of_the_next(
    client: Client, server: ScriptedServer, addresses: tuple[str, ...]
) -> None:
    # scenario 3
    server.script("/", answer())
    with black_holes(server.port, *SILENT):
        page = await client.get(f"http://name.lab:{server.port}/", Limits(connect_timeout_s=1.5), addresses=addresses)
    assert (page.status, page.body) == (200, b"hello")
    assert len(server.seen.heads) == 1


async def test_dead_and_silent_addresses_are_passed_over_alike(client: Client, server: ScriptedServer) -> None:
    """127.0.0.2 never answers, 127.0.0.3 refuses."""
    # scenario 3
    server.script("/", answer())
    with black_holes(server.port, "127.0.0.2"):
        page = await client.get(
            f"http://name.lab:{server.port}/",
            Limits(connect_timeout_s=1.5),
            addresses=("127.0.0.2", "127.0.0.3", "127.0.0.1"),
        )
    assert page.status == 200


async def test_all_addresses_together_have_the_time_of_one_connection(client: Client) -> None:
    """It is not the time of one for each."""
    # scenarios 3, 6
    port = closed_port()
    with black_holes(port, *SILENT), pytest.raises(FetchError) as caught:
        await client.get(f"http://name.lab:{port}/", Limits(connect_timeout_s=0.6), deadline_s=60.0, addresses=SILENT)
    assert caught.value.reason == "connect_timeout"


async def test_when_every_address_refuses_the_host_refuses(client: Client) -> None:
    # scenarios 3, 6
    with pytest.raises(FetchError) as caught:
        await client.get(f"http://name.lab:{closed_port()}/", addresses=(*SILENT, "127.0.0.1"))
    assert (caught.value.reason, caught.value.is_retryable) == ("refused", True)

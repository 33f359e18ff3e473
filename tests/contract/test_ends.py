"""Where a connection ends and what the machine runs out of, under every strategy."""

from __future__ import annotations

import gc
import os
import resource
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from crawler.errors import FetchError
from crawler.fetch.dial.target import Limits

from .conftest import Client, Connect
from .server import ScriptedServer, answer


@contextmanager
def tls_without_farewell(authority: trustme.CA, data: bytes) -> Iterator[str]:
    """A server that answers once and closes the socket under TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        raw, _ = listening.accept()
        secured = context.wrap_socket(raw, server_side=True)
        secured.recv(65536)
        secured.sendall(data)
        socket.socket.close(secured)

    thread = threading.Thread(target=serve, name="tls server")
    thread.start()
    try:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        thread.join(5)
        listening.close()


@pytest.mark.parametrize(("length", "complete"), [(None, True), (50, False)])
async def test_tls_without_a_farewell_ends_a_body_as_a_plain_connection_does(
    connect: Connect, authority: trustme.CA, length: int | None, complete: bool
) -> None:
    """Too many servers leave it out: only a length can tell that something is missing."""
    # scenario 12
    context = ssl.create_default_context()
    authority.configure_trust(context)
    client = await connect(tls=context)
    data = answer(length=length) if length else b"HTTP/1.1 200 OK\r\n\r\nhello"
    with tls_without_farewell(authority, data) as url:
        page = await client.get(url)
    assert (page.body, page.complete) == (b"hello", complete)


@contextmanager
def no_file_descriptor_left() -> Iterator[None]:
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # what earlier tests have left is not closed meanwhile
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)  # the lowest that is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_no_file_descriptor_for_a_socket_is_no_resources(client: Client, server: ScriptedServer) -> None:
    """And once there is one again, the next fetch works."""
    # scenario 112
    url = server.script("/", answer())
    with no_file_descriptor_left(), pytest.raises(FetchError) as caught:
        await client.get(url, Limits(connect_timeout_s=5))
    assert (caught.value.reason, caught.value.is_retryable) == ("no_resources", True)
    assert (await client.get(url)).status == 200


async def test_a_request_larger_than_all_buffers_arrives_whole(client: Client) -> None:
    """It is sent as fast as the server takes it."""
    value = "x" * 12_000_000
    received = bytearray()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            while not received.endswith(b"\r\n\r\n"):
                received.extend(connection.recv(65536))
            connection.sendall(answer())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = listening.getsockname()[1]
        thread = threading.Thread(target=serve, name="slow reader")
        thread.start()
        page = await client.get(f"http://127.0.0.1:{port}/", headers=(("X-Large", value),))
        thread.join(5)
    assert page.status == 200
    assert received == f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Large: {value}\r\n\r\n".encode()

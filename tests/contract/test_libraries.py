"""What a server cannot show: every exception of the client libraries becomes a FetchError with its cause."""

from __future__ import annotations

import errno
import ssl
import threading
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import requests
import responses
import urllib3
from aioresponses import aioresponses

from crawler.errors import FETCH_REASONS, FetchError
from crawler.fetch import blocking, threads
from crawler.fetch.base import system_error

from .conftest import Client, Connect
from .server import ScriptedServer, answer

URL = "http://name.lab/"
KEY = aiohttp.client_reqrep.ConnectionKey("name.lab", 80, False, True, None, None, None, None)


class _MockedResponse(aiohttp.ClientResponse):
    """aiohttp's response as the mock makes it, which knows of no writer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"stream_writer": SimpleNamespace(output_size=0), **options})


AIOHTTP = [
    (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "refused")), "refused"),
    (aiohttp.ClientConnectorError(KEY, OSError(errno.EMFILE, "too many files")), "no_resources"),
    (aiohttp.ClientConnectorError(KEY, OSError(errno.ENETUNREACH, "no route")), "unreachable"),
    (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(1, "bad")), "tls_failed"),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version")), "tls_failed"),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLEOFError(8, "eof")), "connection_lost"),
    (aiohttp.ClientProxyConnectionError(KEY, OSError(errno.ECONNREFUSED, "refused")), "proxy_failed"),
    (aiohttp.ServerDisconnectedError(), "connection_lost"),
    (aiohttp.ClientOSError(errno.ECONNRESET, "reset"), "connection_lost"),
    (aiohttp.ClientPayloadError("broken"), "connection_lost"),
    (aiohttp.ConnectionTimeoutError("late"), "connect_timeout"),
    (aiohttp.ClientError("whatever"), "internal"),
    (ValueError("a fault of ours"), "internal"),
]


@pytest.mark.parametrize("strategy", ["asyncio"])
@pytest.mark.parametrize(("error", "reason"), AIOHTTP, ids=lambda value: getattr(value, "__class__", type).__name__)
async def test_what_aiohttp_raises_is_translated(client: Client, error: Exception, reason: str) -> None:
    with aioresponses() as mock:
        mock.get(URL, exception=error)
        with pytest.raises(FetchError) as caught:
            await client.get(URL)
    assert caught.value.reason == reason
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("strategy", ["asyncio"])
async def test_an_answer_that_aiohttp_holds_is_a_page(client: Client) -> None:
    with aioresponses() as mock:
        mock.get(URL, status=418, body=b"teapot", headers={"Content-Length": "6"}, response_class=_MockedResponse)
        page = await client.get(URL)
    assert (page.status, page.body, page.header("content-length")) == (418, b"teapot", "6")


REQUESTS = [
    (requests.exceptions.SSLError("bad"), "tls_failed"),
    (requests.exceptions.ProxyError("no"), "proxy_failed"),
    (requests.exceptions.ConnectTimeout("late"), "connect_timeout"),
    (requests.exceptions.ReadTimeout("late"), "first_byte_timeout"),
    (requests.exceptions.ConnectionError("gone"), "connection_lost"),
    (
        requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("x", ConnectionResetError(104, "reset"))),
        "connection_lost",
    ),
    (
        requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("x", OSError(errno.EMFILE, "files"))),
        "no_resources",
    ),
    (requests.exceptions.ChunkedEncodingError("broken"), "connection_lost"),
    (requests.exceptions.InvalidURL("no"), "internal"),
    (ValueError("a fault of ours"), "internal"),
]


@pytest.mark.parametrize("strategy", ["threads", "sequential"])
@pytest.mark.parametrize(("error", "reason"), REQUESTS, ids=lambda value: getattr(value, "__class__", type).__name__)
async def test_what_requests_raises_is_translated(client: Client, error: Exception, reason: str) -> None:
    with responses.RequestsMock() as mock:
        mock.get(URL, body=error)
        with pytest.raises(FetchError) as caught:
            await client.get(URL)
    assert caught.value.reason == reason
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("strategy", ["threads", "sequential"])
async def test_an_answer_that_requests_holds_is_a_page(client: Client) -> None:
    """Compressed or not, redirect or not: as it came."""
    with responses.RequestsMock() as mock:
        mock.get(URL, status=200, body=b"not gzip", headers={"Content-Encoding": "gzip"})
        page = await client.get(URL)
        assert (page.status, page.body, page.header("content-encoding")) == (200, b"not gzip", "gzip")
        mock.get(URL + "moved", status=301, headers={"Location": "http://[broken"})
        assert (await client.get(URL + "moved")).header("location") == "http://[broken"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "refused"),
        (ConnectionAbortedError(errno.ECONNABORTED, "x"), "connection_lost"),
        (BrokenPipeError(errno.EPIPE, "x"), "connection_lost"),
        (OSError(errno.EHOSTUNREACH, "x"), "unreachable"),
        (OSError(errno.ETIMEDOUT, "x"), "connect_timeout"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "unreachable"),
        (OSError(errno.ENFILE, "x"), "no_resources"),
        (TimeoutError("x"), "connect_timeout"),
        (OSError("no number"), "unreachable"),
    ],
)
def test_what_the_system_says_has_a_reason(error: OSError, reason: str) -> None:
    # scenario 112
    assert system_error(error).reason == reason
    assert reason in FETCH_REASONS


@pytest.mark.parametrize("strategy", ["sequential", "threads"])
async def test_a_thread_that_does_not_come_back_is_replaced(
    connect: Connect, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fetch ends with its deadline, and the slot is free for the next one."""
    # scenario 117
    monkeypatch.setattr(threads, "WATCHDOG_GRACE_S", 0.01)
    monkeypatch.setattr(threads, "ABANDON_S", 0.05)
    release = threading.Event()
    send = blocking.Session.send

    def stuck(self: blocking.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if request.url == stuck_url:
            release.wait(10)
        return send(self, request, **options)

    monkeypatch.setattr(blocking.Session, "send", stuck)
    client = await connect()
    stuck_url = server.script("/stuck", answer())
    server.script("/", answer())
    try:
        for _ in range(3):
            with pytest.raises(FetchError) as caught:
                await client.get(stuck_url, deadline_s=0.05)
            assert caught.value.reason == "deadline"
            assert (await client.get(server.url + "/")).body == b"hello"
    finally:
        release.set()
    assert client.counter.used == 15


@pytest.mark.parametrize("strategy", ["threads"])
async def test_no_thread_to_be_had_is_no_resources(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # scenario 112
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(FetchError) as caught:
        await client.get(URL)
    assert caught.value.reason == "no_resources"

"""What is sent: the canonical URL byte for byte, and no header field that nobody asked for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from crawler import urls
from crawler.errors import UrlError

from .conftest import FIELDS, Client
from .server import ScriptedServer, answer

TARGETS = [
    "/%7e/%7E",
    "/a|b{c}^d",
    "/100%/%/%zz",
    "/%2e%2e/%2E/x",
    "//double//slashes//",
    "/path?",
    "/path??",
    "/path?q=a|b{c}^d'e\"f&%7e=%&x=[1]",
    "/?//a/../b",
    "/;a=b/c;d",
    "/a'b(c)*!$,~@:&=+",
    "/%41%5B%20%2F",
    "/ü/日本?ü=日",
    "/a\\b",
    "/[a]",
    "/a%0Ab",
    "/..;/x",
]


@pytest.mark.parametrize("target", TARGETS)
async def test_the_request_line_is_the_canonical_url(client: Client, server: ScriptedServer, target: str) -> None:
    # scenarios 44, 45
    url = urls.canonicalize(server.url + target)
    server.script(url.removeprefix(server.url), answer())
    page = await client.get(url)
    assert server.seen.request_lines == [f"GET {url.removeprefix(server.url)} HTTP/1.1"]
    assert (page.status, page.body) == (200, b"hello")


_PIECES = [*"/?#&=;:@!$'()*+,[]|{}^~.%\\ éüa\t日", *"%2f %2E%2e % %00 %0d%0a .. // a=b".split()]


async def test_any_url_is_sent_as_its_canonical_form(client: Client, server: ScriptedServer) -> None:
    """Whatever a page links to: the bytes of the request line are the path and query that were judged."""
    # scenarios 44, 45
    made = random.Random(45)
    expected = []
    for _ in range(150):
        target = "/" + "".join(made.choices(_PIECES, k=made.randint(1, 10)))
        try:
            url = urls.canonicalize(target, server.url)
        except UrlError:
            continue
        if urls.origin(url) == server.url:
            await client.get(url)
            expected.append(f"GET {url.removeprefix(server.url)} HTTP/1.1")
    assert server.seen.request_lines == expected
    assert len(expected) > 100


async def test_exactly_the_given_header_fields_are_sent(client: Client, server: ScriptedServer) -> None:
    """The same set under every strategy, Host first; there is no Referer to tell where a link stood."""
    # scenario 49
    await client.get(server.script("/", answer()))
    assert server.seen.fields() == {"Host": f"127.0.0.1:{server.port}", **dict(FIELDS)}
    assert server.seen.heads[0].split(b"\r\n")[1].startswith(b"Host: ")


async def test_no_header_field_is_sent_that_was_not_given(client: Client, server: ScriptedServer) -> None:
    await client.get(server.script("/", answer()), headers=())
    assert list(server.seen.fields()) == ["Host"]


async def test_a_field_may_be_given_twice(client: Client, server: ScriptedServer) -> None:
    await client.get(server.script("/", answer()), headers=(("X-A", "1"), ("X-A", "2")))
    assert server.seen.heads[0].count(b"X-A: ") == 2


@pytest.mark.parametrize("host", ["site-007.lab", "site.lab.", "xn--bcher-kva.lab", "under_score.lab"])
async def test_a_name_is_sent_as_written_and_the_given_address_dialled(
    client: Client, server: ScriptedServer, host: str
) -> None:
    """No client looks the name up by itself."""
    server.script("/", answer())
    page = await client.get(f"http://{host}:{server.port}/")
    assert page.status == 200
    assert server.seen.fields()["Host"] == f"{host}:{server.port}"


async def test_environment_and_netrc_are_ignored(
    client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # scenario 70
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    page = await client.get(server.script("/", answer()))
    assert page.status == 200
    assert "Authorization" not in server.seen.fields()


async def test_cookies_are_not_kept(client: Client, server: ScriptedServer) -> None:
    server.script("/", answer(b"", "200 OK", "Set-Cookie: a=b; Path=/"))
    await client.get(server.url + "/")
    page = await client.get(server.url + "/")
    assert page.header("set-cookie") == "a=b; Path=/"
    assert "Cookie" not in server.seen.fields()


async def test_a_hundred_thousand_cookies_cost_nothing(client: Client, server: ScriptedServer) -> None:
    # scenario 67
    page = await client.get(server.script("/", answer(b"x", "200 OK", *["Set-Cookie: a=b"] * 999)))
    assert len(page.header_all("set-cookie")) == 999


@pytest.mark.parametrize("status", [200, 201, 300, 400, 404, 418, 500, 503, 599, 999])
async def test_any_status_is_a_page(client: Client, server: ScriptedServer, status: int) -> None:
    page = await client.get(server.script("/", answer(b"body", f"{status} Some Reason")))
    assert page.status == status
    assert page.strategy == client.fetcher.name
    assert 0 <= page.first_byte_s <= page.elapsed_s


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_not_followed_and_their_bodies_not_read(
    client: Client, server: ScriptedServer, status: str
) -> None:
    # scenarios 24, 27, 28
    page = await client.get(server.script("/", answer(b"x" * 100, status, "Location: /next", "Location: file:///etc")))
    assert page.header_all("location") == ["/next", "file:///etc"]
    assert (page.body, page.truncated) == (b"", "type")
    assert len(server.seen.heads) == 1


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "nonsense"])
async def test_content_coding_is_not_undone(client: Client, server: ScriptedServer, coding: str) -> None:
    # scenarios 22, 30
    page = await client.get(server.script("/", answer(b"\x1f\x8bplain", "200 OK", f"Content-Encoding: {coding}")))
    assert page.body == b"\x1f\x8bplain"
    assert page.complete

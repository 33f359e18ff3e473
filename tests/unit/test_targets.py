"""What is sent where: headers by origin, addresses by the guard."""

from __future__ import annotations

import pytest

from crawler import urls
from crawler.errors import FetchError, UsageError
from crawler.fetch.guard import Guard
from crawler.fetch.resolve import Resolver
from crawler.models import Request
from crawler.settings import FetchSettings
from crawler.targets import Targets

OWN, OTHER = "https://own.test/", "https://other.test/"
PUBLIC = ("*.test:93.184.215.14",)


def targets(**changes: object) -> Targets:
    settings = FetchSettings(**changes)  # type: ignore[arg-type]
    return Targets(settings, Resolver(settings.resolve or PUBLIC), Guard(), frozenset([urls.origin(OWN)]))


def request(url: str) -> Request:
    return Request(url, urls.host_key(url), urls.fingerprint(url))


async def headers_for(made: Targets, url: str) -> dict[str, str]:
    return dict((await made.target(request(url), 0.0)).headers)


@pytest.mark.parametrize("field", ["Authorization: Bearer x", "Cookie: a=b", "X-Api-Key: x"])
async def test_what_may_be_a_secret_goes_to_the_seeds_origins_alone(field: str) -> None:
    """Credentials never follow a link or a redirect to an origin that the user did not name."""  # scenario 69
    made, name = targets(headers=(field,)), field.partition(":")[0]
    assert name in await headers_for(made, OWN)
    assert name not in await headers_for(made, OTHER)
    assert name not in await headers_for(made, "http://own.test/")
    await made.close()


async def test_a_harmless_header_replaces_ours_everywhere() -> None:
    """Accept-Language goes to all, and a user agent given as a header counts."""
    made = targets(headers=("Accept-Language: de", "user-agent: mine"))
    for url in (OWN, OTHER):
        sent = await headers_for(made, url)
        assert sent["Accept-Language"] == "de"
        assert sent["user-agent"] == "mine"
        assert "User-Agent" not in sent
    await made.close()


@pytest.mark.parametrize("field", ["no colon", "Bad Name: x", "X: a\r\nInjected: b", "Host: evil.test", ": x"])
def test_a_header_that_cannot_be_sent_is_refused(field: str) -> None:
    """Line breaks and names that are no token never reach the wire."""
    with pytest.raises(UsageError, match="-H"):
        targets(headers=(field,))


@pytest.mark.parametrize("url", ["http://localhost:8080/", "http://a.localhost/", "http://10.0.0.1/"])
async def test_a_proxy_is_not_asked_for_this_machine(url: str) -> None:
    """Names are the proxy's to resolve, but local ones are refused before."""  # scenario 74
    made = targets(proxy="http://192.0.2.1:3128", resolve=("localhost:127.0.0.1", "*.localhost:127.0.0.1"))
    with pytest.raises(FetchError, match="private_address"):
        await made.resolve(url)
    assert await made.resolve("http://public.example/") == ()
    await made.close()

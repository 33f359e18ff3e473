"""What is sent where: headers by origin, addresses by the guard."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from crawler import urls
from crawler.errors import FetchError, UsageError
from crawler.fetch.dial.guard import Guard, exempt_origins
from crawler.fetch.dial.resolve import POSITIVE_TTL_S, Resolver
from crawler.fetch.dial.targets import MAX_ORIGINS, Targets
from crawler.models import Kind, Request, Response
from crawler.settings.groups import KIB, MIB, FetchSettings

OWN, OTHER = "https://own.test/", "https://other.test/"
PUBLIC = ("*.test:93.184.215.14",)


def targets(**changes: object) -> Targets:
    settings = FetchSettings(**changes)  # type: ignore[arg-type]
    return Targets(settings, Resolver(settings.resolve or PUBLIC), Guard(), frozenset([urls.origin(OWN)]))


def request(url: str, kind: Kind = "page") -> Request:
    return Request(url, urls.host_key(url), urls.fingerprint(url), kind)


async def headers_for(made: Targets, url: str) -> dict[str, str]:
    return dict((await made.target(request(url), 0.0)).headers)


@pytest.mark.parametrize("field", ["Authorization: Bearer x", "Cookie: a=b", "X-Api-Key: x"])
async def test_what_may_be_a_secret_goes_to_the_seeds_origins_alone(field: str) -> None:
    """Credentials never follow a link or a redirect to an origin that the user did not name."""  # scenarios 25, 26, 69
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


@pytest.mark.parametrize(
    "field", ["no colon", "Bad Name: x", "X: a\r\nInjected: b", "Host: evil.test", ": x", "X: \udcff"]
)
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


def test_a_user_agent_that_cannot_be_sent_is_refused() -> None:
    """A line break in it would begin another header."""
    with pytest.raises(UsageError, match="--user-agent"):
        targets(user_agent="mine\r\nInjected: b")


@pytest.mark.parametrize("max_body_bytes", [KIB, 10 * MIB])
async def test_a_sites_own_files_are_read_whole_whatever_a_page_may_have(max_body_bytes: int) -> None:
    """Half a robots.txt would be other rules, and half a sitemap other pages."""  # scenarios 56, 62
    made = targets(max_body_bytes=max_body_bytes)
    kinds: tuple[Kind, ...] = ("page", "robots", "sitemap")
    limits = [(await made.target(request(OWN, kind), 0.0)).limits.max_body_bytes for kind in kinds]
    assert limits == [max_body_bytes, 500 * KIB + 1, 50 * MIB]
    await made.close()


class CountingGuard(Guard):
    """A guard that counts how often it is asked about a URL."""

    vetted = 0

    def vet(self, url: str, addresses: Iterable[str]) -> tuple[str, ...]:
        self.vetted += 1
        return super().vet(url, addresses)


class Names:
    """A name server with one name and a clock."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = iter(answers)
        self.now = 0.0

    def __call__(self, host: str) -> list[str]:
        return next(self._answers)

    def clock(self) -> float:
        return self.now


async def test_the_guard_is_asked_again_when_the_answer_has_changed() -> None:
    """A name that moves to a private address is dialled no more, though it was public before."""  # scenario 73
    names = Names(["93.184.215.14", "10.0.0.1"], ["93.184.215.15"], ["10.0.0.1"])
    guard = CountingGuard()
    made = Targets(FetchSettings(), Resolver(lookup=names, clock=names.clock), guard, frozenset())
    for _ in range(3):
        assert (await made.target(request(OWN), 0.0)).addresses == ("93.184.215.14",)
    assert guard.vetted == 1
    names.now += POSITIVE_TTL_S
    assert (await made.target(request(OWN), 0.0)).addresses == ("93.184.215.15",)
    names.now += POSITIVE_TTL_S
    for _ in range(2):
        with pytest.raises(FetchError, match="private_address"):
            await made.target(request(OWN), 0.0)
    assert guard.vetted == 4
    await made.close()


async def test_what_the_guard_allowed_one_origin_is_no_permission_for_another() -> None:
    """Of one host, even of one address: exemption is by scheme, host and port."""  # scenarios 71, 72
    guard = Guard(exempt_origins=exempt_origins(["http://127.0.0.1:8000/"]))
    made = Targets(FetchSettings(), Resolver(["name.test:127.0.0.1"]), guard, frozenset())
    assert (await made.target(request("http://127.0.0.1:8000/a"), 0.0)).addresses == ("127.0.0.1",)
    for url in ("http://127.0.0.1:8001/", "https://127.0.0.1:8000/", "http://name.test:8000/"):
        with pytest.raises(FetchError, match="private_address"):
            await made.target(request(url), 0.0)
    await made.close()


async def test_origins_without_end_do_not_take_memory_without_end() -> None:
    made = targets()  # scenario 4
    for number in range(MAX_ORIGINS + 10):
        await made.target(request(f"https://h{number}.test/"), 0.0)
    assert len(made._places) == MAX_ORIGINS
    await made.close()


def answered(url: str, *cookies: str, status: int = 200, now: float = 1e9) -> Response:
    fields = tuple(("Set-Cookie", cookie) for cookie in cookies)
    return Response(request(url), status, (("Content-Type", "text/html"), *fields), b"", now, 0.1, "replay")


@pytest.mark.parametrize("status", [200, 302, 404, 503])
async def test_cookies_of_every_answer_go_back_to_their_origin_alone(status: int) -> None:
    # scenarios 25, 69
    made = targets(cookies=True)
    made.learn(answered(OTHER, "a=1", "b=2; Path=/", status=status))
    assert (await headers_for(made, OTHER))["Cookie"] == "a=1; b=2"
    for url in (OWN, "http://other.test/", "https://other.test:8443/", "https://sub.other.test/"):
        assert "Cookie" not in await headers_for(made, url)
    await made.close()


async def test_without_the_option_no_cookie_is_kept() -> None:
    made = targets()
    made.learn(answered(OWN, "a=1"))
    assert "Cookie" not in await headers_for(made, OWN)
    await made.close()


async def test_the_users_cookies_and_a_servers_make_one_field() -> None:
    """At the seeds' origins; elsewhere only what the server has set itself."""  # scenario 69
    made = targets(cookies=True, headers=("Cookie: mine=1; both=mine", "cookie: last=3;", "X-Other: x"))
    made.learn(answered(OWN, "both=theirs"))
    made.learn(answered(OTHER, "both=other"))
    own = (await made.target(request(OWN), 0.0)).headers
    assert [value for name, value in own if name.lower() == "cookie"] == ["mine=1; last=3; both=theirs"]
    assert dict(own)["X-Other"] == "x"
    assert (await headers_for(made, OTHER))["Cookie"] == "both=other"
    assert "Cookie" not in await headers_for(made, "https://third.test/")
    await made.close()

"""The dashboard of a running crawl: what it shows, to whom, and that it cannot do the crawl any harm."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from crawler.cli import Parser
from crawler.engine import assembly
from crawler.engine.ending import Ending
from crawler.scope import seeds
from crawler.settings.file import build
from crawler.settings.options import add_settings
from crawler.view import dashboard as module
from crawler.view.dashboard import Dashboard
from crawler.view.live import Live
from tests.contract.server import ScriptedServer, answer
from tests.integration.conftest import LAB_OPTIONS, run_cli
from tests.integration.watched import Watched, watched
from tests.kill.site import Site
from tests.kill.site import serving as serving_site

SLOW = [*LAB_OPTIONS[:-2], "--delay", "2", "--parse-workers", "1"]  # a crawl that lasts until it is stopped
QUICK = [*LAB_OPTIONS, "--parse-workers", "1"]
TOKEN = "a-secret-that-is-long-enough"


@pytest.fixture(scope="module")
def slow(seeds: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A crawl that goes on while it is looked at."""
    with watched("crawl", *seeds, *SLOW, "--run", tmp_path_factory.mktemp("slow") / "run", "--dashboard") as crawl:
        yield crawl


def test_a_state_arrives_again_and_again(slow: Watched) -> None:
    with slow.events() as events:
        name, opening = next(events)
        assert (name, opening["sites"], opening["strategy"]) == ("opening", 4, "asyncio")
        states = [next(events)]
        while states[-1][1]["pages"] < states[0][1]["pages"] + 2:
            states.append(next(events))
    assert {name for name, _ in states} == {"state"}
    last = states[-1][1]
    assert (last["phase"], last["slots"], last["workers"]) == ("crawling", 64, 1)
    assert {host["host"].partition(".")[0] for host in last["hosts"]} == {f"site-00{number}" for number in range(4)}
    assert last["recent"][0]["url"].startswith("http://site-00")
    assert {"first_byte", "parse", "commit"} <= {stage[0] for stage in last["stages"]}
    assert last["verdict"]["sentence"]


def test_the_page_runs_nothing_that_is_not_its_own(slow: Watched) -> None:
    status, headers, page = slow.ask("/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//|innerHTML", page)


OTHER_HOSTS = [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example:80"}, {"Host": "10.0.0.1"}, {"Host": "[::"}]
OTHER_PAGES = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},  # another port of this machine
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", [*OTHER_HOSTS, *OTHER_PAGES], ids=str)
def test_another_page_can_neither_look_nor_stop_the_crawl(slow: Watched, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/stop"), ("GET", "/events"), ("GET", "/stats.json"), ("GET", "/metrics")):
        status, _, body = slow.ask(path, method, **headers)
        assert (status, body.count("\n")) == (403, 1), path
    status, _, _ = slow.ask("/stop", "POST", **headers, **{"Sec-Fetch-Mode": "navigate"})  # a form
    assert status == 403
    with slow.events() as events:
        next(events)
        assert next(events)[1]["phase"] == "crawling"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8080", "[::1]:8080"])
def test_this_machine_has_several_names(slow: Watched, host: str) -> None:
    assert slow.ask("/stats.json", Host=host)[0] == 200


def test_a_link_may_lead_to_the_page(slow: Watched) -> None:
    assert slow.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/stop"), ("GET", "/nothing"), ("DELETE", "/"), ("PUT", "/events"), ("GET", "/../a")]
)
def test_what_is_not_there_is_a_sentence(slow: Watched, method: str, path: str) -> None:
    status, headers, body = slow.ask(path, method)
    assert status in (404, 405)
    assert headers["content-type"].startswith("text/plain")
    assert "<" not in body


def test_metrics_are_those_of_the_crawl(slow: Watched) -> None:
    """They are read by Prometheus's own parser, in its old format as in OpenMetrics."""
    with slow.events() as events:
        next(event for event in events if event[0] == "state" and event[1]["pages"])
    status, headers, text = slow.ask("/metrics")
    assert (status, headers["content-type"].partition(";")[0]) == (200, "text/plain")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    pages = {sample.labels["outcome"]: sample.value for sample in families["crawler_pages"].samples}
    assert pages["ok"] >= 1
    assert families["crawler_pages"].type == "counter"
    stages = families["crawler_stage_seconds"]
    parse = [sample for sample in stages.samples if sample.labels["stage"] == "parse"]
    counts = [sample.value for sample in parse if sample.name.endswith("_bucket")]
    assert counts == sorted(counts)
    assert counts[-1] == next(sample.value for sample in parse if sample.name.endswith("_count")) >= 1
    assert slow.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")[2].endswith("# EOF\n")
    assert slow.ask("/metrics", Accept="application/openmetrics-text; version=none")[0] == 200


def test_figures_are_those_of_the_ledger(slow: Watched) -> None:
    status, headers, text = slow.ask("/stats.json")
    assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
    for key in ("pages", "outcomes", "requests", "stages", "verdict", "timeline", "in_flight", "pending"):
        assert f'"{key}":' in text


def test_the_end_comes_to_whoever_looks(tmp_path: Path) -> None:
    """The last event says how it ended; somebody who never reads holds neither it nor the process up."""
    with (
        serving_site(Site({"/": ["/held"], "/held": []}, holds=("/held",))) as site,
        watched("crawl", site.url("/"), *QUICK, "--run", tmp_path / "run", "--dashboard", "-q") as crawl,
        socket.create_connection(("127.0.0.1", crawl.port)) as deaf,
    ):
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with crawl.events() as events:
            next(event for event in events if event[1].get("pages"))
            site.is_over.set()
            *_, (_, last) = events
        assert crawl.wait() == 0
    assert (last["phase"], last["why"]) == ("ended", "finished")
    assert last["sentence"].startswith("finished")
    assert (last["pages"], last["pending"], last["in_flight"]) == (2, 0, 0)
    assert {page["url"] for page in last["recent"]} == {site.url("/"), site.url("/held")}


def test_the_stop_button_ends_a_crawl_that_resume_goes_on_with(seeds: list[str], tmp_path: Path) -> None:
    """It does what the first Ctrl-C does; pressed again it does no more."""
    run = tmp_path / "run"
    with watched("crawl", *seeds, *SLOW, "--run", run, "--dashboard") as crawl, crawl.events() as events:
        next(event for event in events if event[1].get("pages"))
        own = {"Origin": f"http://127.0.0.1:{crawl.port}", "Sec-Fetch-Site": "same-origin"}
        assert crawl.ask("/stop", "POST", **own)[0] == 202
        assert crawl.ask("/stop", "POST", **own)[0] == 202
        *_, (_, last) = events
        assert crawl.wait() == 3
    assert (last["phase"], last["why"]) == ("ended", "stopped")
    assert f"crawler resume {run}" in crawl.said
    with watched("resume", run, "--delay", "0", "--dashboard") as crawl:
        assert crawl.wait() == 0
    assert run_cli("verify", run).returncode == 0


def test_a_port_in_use_is_one_sentence_before_anything_begins(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_cli("crawl", "http://a.example/", "--run", tmp_path / "run", "--dashboard", port)
    assert done.returncode == 2
    assert done.stderr == f"crawler: --dashboard {port}: the port is in use; give another, or none to take a free one\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--dashboard-host", "0.0.0.0"], "--dashboard-host '0.0.0.0' would show the crawl to others: give --dash"),
        (["--dashboard-token", "short"], "--dashboard-token has to be 16 or more ASCII characters"),
        (["--dashboard", "70000"], "--dashboard 70000: "),
        (["--dashboard-host", "192.0.2.1", "--dashboard-token", TOKEN], "'192.0.2.1' is no address of this machine"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    done = run_cli("crawl", "http://a.example/", "--run", tmp_path / "run", "--dashboard", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("crawler: ")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "port", "urls"),
    [
        (["--dashboard", "http://a.example/"], "0", ["http://a.example/"]),
        (["--dashboard", "8080", "http://a.example/"], "8080", ["http://a.example/"]),
        (["http://a.example/", "--dashboard"], "0", ["http://a.example/"]),
        (["--dashboard=8080", "8081"], "8080", ["8081"]),
        (["--dashboard", "-1", "http://a.example/"], "-1", ["http://a.example/"]),
        (["--dashboard", "--dashboard-host", "::1", "http://a.example/"], "0", ["http://a.example/"]),
        (["http://a.example/"], None, ["http://a.example/"]),
    ],
)
def test_a_url_behind_the_option_is_not_its_port(given: list[str], port: str | None, urls: list[str]) -> None:
    parser = Parser(prog="crawler")
    parser.add_argument("urls", nargs="*")
    add_settings(parser, ("dashboard",))
    parsed = parser.parse_intermixed_args(parser.complete(given))
    assert (vars(parsed)["dashboard.port"], parsed.urls) == (port, urls)


# On an event loop of the test's own


@pytest.fixture
def site() -> Iterator[ScriptedServer]:
    """A site of two pages."""
    with ScriptedServer() as server:
        server.script("/", answer(b"<title>A \xe2\x80\xae title</title><a href=/next>next</a>"))
        yield server


@asynccontextmanager
async def serving(site: ScriptedServer, **options: object) -> AsyncIterator[tuple[Dashboard, str]]:
    """A dashboard of a crawl that has its first page and waits for the second longer than any test does."""
    tables = {"crawl": {"robots": False}, "politeness": {"delay_s": 600}, "parse": {"mode": "inline"}}
    chosen = build({**tables, "dashboard": {"port": 0, **options}}, "the test")
    given = seeds.read([f"{site.url}/"], (), (), "host", sys.stdin.buffer)
    dashboard = Dashboard(chosen.dashboard)
    engine = assembly.build(chosen, given, None, dashboard.take)
    await dashboard.start(engine, [f"{site.url}/"], "", engine.stop)
    crawl = asyncio.create_task(engine.run([f"{site.url}/"]))
    try:
        yield dashboard, dashboard.url.partition("?")[0]
    finally:
        engine.stop()
        engine.stop()
        await crawl
        await dashboard.end(Ending("stopped"))
        dashboard.close()


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("localhost", "localhost"), ("127.0.0.2", "127.0.0.2")])
async def test_it_may_be_served_on_any_name_of_this_machine(site: ScriptedServer, host: str, shown: str) -> None:
    async with serving(site, host=host) as (_, url), aiohttp.ClientSession() as client, client.get(url) as page:
        assert url.startswith(f"http://{shown}:")
        assert page.status == 200


async def test_without_its_token_a_dashboard_says_nothing(site: ScriptedServer) -> None:
    async with serving(site, token=TOKEN) as (dashboard, url), aiohttp.ClientSession() as client:
        assert dashboard.url.endswith("/?token=…")
        for path in ("", "events", "stats.json", "metrics", "?token=", f"?token={TOKEN[:-1]}", f"?token={TOKEN}%00"):
            async with client.get(url + path) as refused:
                assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
                assert TOKEN not in await refused.text()
        async with client.post(url + "stop", headers={"Authorization": "Bearer wrong"}) as refused:
            assert refused.status == 401
        for headers in (
            {"Authorization": f"Bearer {TOKEN}"},
            {"Authorization": f"bearer {TOKEN}", "Host": "a.example"},
        ):
            async with client.get(url + "stats.json", headers=headers) as given:
                assert given.status == 200


async def test_a_token_is_needed_once_and_then_the_cookie_is_enough(site: ScriptedServer) -> None:
    """The cookie is for this server alone: not for scripts, not sent along from other pages, and not the token."""
    jar = aiohttp.CookieJar(unsafe=True)  # which keeps cookies of addresses, too
    async with serving(site, token=TOKEN) as (_, url), aiohttp.ClientSession(cookie_jar=jar) as client:
        async with client.get(f"{url}?token={TOKEN}") as page:
            cookie = page.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        async with client.get(url + "stats.json") as figures:
            assert figures.status == 200
        async with client.post(url + "stop", headers={"Origin": "http://evil.example"}) as refused:
            assert refused.status == 403


async def test_metrics_say_what_they_lack(site: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with serving(site) as (_, url), aiohttp.ClientSession() as client, client.get(url + "metrics") as answered:
        assert answered.status == 501
        assert await answered.text() == "Metrics need one library more: pip install prometheus-client\n"


def at_work() -> list[asyncio.Task[object]]:
    """What gathers states on this event loop."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "dashboard"]


async def test_nothing_is_gathered_while_nobody_looks(site: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    async with serving(site) as (dashboard, url), aiohttp.ClientSession() as client:
        async with client.get(url + "stats.json"):
            assert not at_work()
        async with client.get(url + "events") as stream:
            await stream.content.readuntil(b"event: state")
            (task,) = at_work()
        await asyncio.wait([task])
        assert dashboard.listener_count == 0


async def test_a_listener_that_never_reads_is_dropped_and_others_go_on(
    site: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    async with serving(site) as (dashboard, url), aiohttp.ClientSession() as client:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", urlsplit(url).port))
            deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with client.get(url + "events") as stream:
                for wanted in (2, 1):
                    while dashboard.listener_count != wanted:
                        await stream.content.readuntil(b"\n\n")
                await stream.content.readuntil(b"event: state")


async def test_what_a_page_says_is_shown_without_its_power(site: ScriptedServer) -> None:
    async with serving(site) as (_, url), aiohttp.ClientSession() as client, client.get(url + "events") as stream:
        while b'"recent":[{' not in (event := await stream.content.readuntil(b"\n\n")):
            pass
    assert rb'"title":"A \\u202e title"' in event


async def test_connections_that_ask_for_nothing_take_few_descriptors(
    site: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can connect has no right yet, and a crawl needs descriptors for its own connections."""
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    async with serving(site) as (_, url):
        port = urlsplit(url).port
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in idle:
            writer.write(b"GET / HTTP/1.1\r\nHost: ")
        reader, one_more = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        idle[0][1].write(b"localhost\r\nConnection: close\r\n\r\n")
        assert (await idle[0][0].read()).startswith(b"HTTP/1.1 200")
        for writer in (one_more, *(each for _, each in idle)):
            writer.close()


async def test_a_listener_that_reads_nothing_of_a_long_course_is_dropped(
    site: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes first can be more than a connection holds."""
    told = asyncio.Event()

    def opening(live: object) -> dict[str, str]:
        told.set()
        return {"timeline": "x" * 8_000_000}

    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    monkeypatch.setattr(Live, "opening", opening)
    async with serving(site) as (dashboard, url), aiohttp.ClientSession() as client:
        with socket.socket() as deaf:
            deaf.connect(("127.0.0.1", urlsplit(url).port))
            deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await told.wait()
            while dashboard.listener_count:
                async with client.get(url + "stats.json"):
                    pass


async def test_requests_that_are_none_leave_the_log_alone(
    site: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """They come before any question of who may ask."""
    async with serving(site, token=TOKEN) as (_, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(b"\x16\x03\x01\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 400")
        writer.close()
    assert not [record for record in caplog.records if record.exc_info]

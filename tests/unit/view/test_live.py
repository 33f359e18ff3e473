"""What the dashboard reads of a crawl: its last pages and failures, and the hosts that matter most."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from crawler import urls
from crawler.engine import assembly
from crawler.engine.engine import Engine
from crawler.frontier import robots
from crawler.models import Outcome, Request
from crawler.records import record_line
from crawler.scope import seeds
from crawler.settings.file import build
from crawler.view.live import KEPT, MAX_LINE_BYTES, TOP_HOSTS, Live, Recent, pace_of


def line(name: str, outcome: Outcome = "ok", **fields: object) -> bytes:
    url = f"http://a.example/{name}"
    return record_line(Request(url, "a.example", urls.fingerprint(url)), outcome, **fields)


def names(recent: Recent, which: str) -> list[str]:
    return [shown.url.rpartition("/")[2] for shown in recent.shown()[which]]


def test_the_newest_comes_first_and_the_oldest_make_room() -> None:
    recent = Recent()
    recent.take([line(str(number)) for number in range(KEPT + 5)])
    assert names(recent, "recent") == [str(number) for number in range(KEPT + 4, 4, -1)]
    recent.take([line("a"), line("b")])
    assert names(recent, "recent")[:3] == ["b", "a", str(KEPT + 4)]
    assert len(names(recent, "recent")) == KEPT


def test_failures_are_kept_when_many_good_pages_follow() -> None:
    recent = Recent()
    bad: list[Outcome] = ["failed", "http_error", "quarantined", "skipped"]
    recent.take([line(outcome, outcome, error="a reason") for outcome in bad])
    recent.take([line("good"), line("moved", "redirect", redirect_to="http://a.example/good")] * KEPT)
    assert names(recent, "failures") == bad[::-1]
    assert recent.shown()["failures"][0].error == "a reason"


def test_what_is_said_twice_is_the_same() -> None:
    recent = Recent()
    recent.take([line("a"), line("b", "failed")])
    assert recent.shown() == recent.shown()


def test_a_long_record_is_not_kept_whole() -> None:
    """Of a page of many megabytes the dashboard holds a few words."""
    recent = Recent()
    long = line("long")[:-2] + b',"more":"' + b"x" * MAX_LINE_BYTES + b'"}\n'
    recent.take([long, line("short")])
    assert names(recent, "recent") == ["short", "long"]


def test_no_text_steers_what_shows_it() -> None:
    recent = Recent()
    recent.take([line("a", "failed", error="\x1b[2J\u202e" + "x" * 1000)])
    (shown,) = recent.shown()["failures"]
    assert shown.error is not None
    assert shown.error.startswith("\\x1b[2J\\u202exxx")
    assert len(shown.error) == 300


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """A crawl that has not begun."""
    chosen = build({"fetch": {"strategy": "sequential"}, "parse": {"mode": "inline"}}, "the test")
    engine = assembly.build(chosen, seeds.read(["a.example"], (), (), "host", io.BytesIO()), None)
    yield engine
    await engine.parts.fetcher.close()
    await engine.parts.targets.close()


async def test_of_many_hosts_those_are_shown_that_take_longest(engine: Engine) -> None:
    count = 20 * TOP_HOSTS
    for number in range(count):
        for page in range(40 if number % 100 == 7 else 1):
            url = f"http://h{number}.example/{page}"
            engine.frontier.add(Request(url, urls.host_key(url), urls.fingerprint(url), seq=number + 1), 0.0)
    live = Live(engine, ["http://a.example/"], "")
    await live.survey()
    hosts = live.state()["hosts"]
    assert len(hosts) == TOP_HOSTS
    assert {host["host"] for host in hosts[: count // 100]} == {f"h{number}.example" for number in range(7, count, 100)}
    assert hosts[0]["needs_s"] > hosts[-1]["needs_s"]


async def test_a_state_is_whole_before_the_first_request(engine: Engine) -> None:
    live = Live(engine, ["http://a.example/"] * 5, "a folder")
    state = msgspec.json.decode(msgspec.json.encode(live.state()))
    assert (state["phase"], state["pages"], state["recent"], state["stages"]) == ("crawling", 0, [], [])
    opening = live.opening()
    assert (opening["sites"], opening["seeds"], opening["folder"]) == (5, ["http://a.example/"] * 3, "a folder")


@pytest.fixture
async def paced(tmp_path: Path) -> AsyncIterator[Engine]:
    """A crawl of a site with a delay of its own and of one without, that has not begun."""
    sites = tmp_path / "sites.txt"
    sites.write_text("http://a.example/ delay=5\nhttp://b.example/\n")
    chosen = build({"fetch": {"strategy": "sequential"}, "parse": {"mode": "inline"}}, "the test")
    engine = assembly.build(chosen, seeds.read([], [str(sites)], (), "host", io.BytesIO()), None)
    yield engine
    await engine.parts.fetcher.close()
    await engine.parts.targets.close()


async def test_the_pace_that_is_shown_is_that_of_the_hosts(paced: Engine) -> None:
    """Before any is met that of the sites; later what their robots.txt asks for as well."""
    live = Live(paced, ["http://a.example/", "http://b.example/"], "")
    assert live.state()["pace"] == "1 to 5 s between two requests to a host"
    url = "http://a.example/1"
    paced.frontier.add(Request(url, urls.host_key(url), urls.fingerprint(url), seq=1), 0.0)
    await live.survey()
    assert live.state()["pace"] == "5 s between two requests to a host"
    rules = robots.parse(b"User-agent: *\nCrawl-delay: 20\n", "crawler/1")
    paced.frontier.set_robots("http://a.example", "a.example", rules, 0.0)
    live = Live(paced, [], "")
    await live.survey()
    assert live.state()["pace"] == "20 s between two requests to a host, as robots.txt asks"


async def test_no_delay_is_told_as_none() -> None:
    assert pace_of([0.0], has_crawl_delay=False) == "no delay"
    both = pace_of([0.0, 2.0], has_crawl_delay=True)
    assert both == "0 to 2 s between two requests to a host, partly as robots.txt asks"

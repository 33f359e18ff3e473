"""What a crawl was bound by: real crawls, each made to wait for one part far longer than for all others together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from crawler.engine import assembly
from crawler.engine.engine import Engine
from crawler.measure import bottleneck
from crawler.measure.machine import Machine
from crawler.measure.stats import Bottleneck
from crawler.models import Request
from crawler.scope import seeds
from crawler.settings import file as settings_file
from crawler.store.base import NO_STATES, Done, Found, Output, States
from crawler.store.memory import MemoryStore

COMMIT_S = 0.35  # of a slow disk
TINY = b"<title>page</title>"
Body = Callable[[int], bytes]


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on the machine that tests run on is no part of what they judge."""
    monkeypatch.setattr(Machine, "others_s", 0.0)


def linking(pages: int, body: bytes = TINY) -> Body:
    """The first page leads to all others, which lead nowhere."""
    links = b"".join(b"<a href=/%d>x</a>" % number for number in range(1, pages))
    return lambda number: links + TINY if number == 0 else body


def chained(pages: int, width: int = 1) -> Body:
    """Each page leads to the next ones only, so many at a time."""

    def body(number: int) -> bytes:
        first = (number + width - 1) // width * width + 1
        last = min(first + width, pages)
        return b"".join(b"<a href=/%d>x</a>" % following for following in range(first, last)) + TINY

    return body


@asynccontextmanager
async def serving(body: Body, wait_s: float = 0.0, pieces: int = 1, pause_s: float = 0.0) -> AsyncIterator[str]:
    """A site of numbered pages: its address.

    Args:
        body: What a page says, by its number.
        wait_s: Before each answer, seconds.
        pieces: In how many a body is sent.
        pause_s: Between two of them, seconds.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                page = body(int(head.split(b" ", 2)[1].strip(b"/") or 0))
                await asyncio.sleep(wait_s)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page))
                size = -(-len(page) // pieces)
                for start in range(0, len(page), size):
                    writer.write(page[start : start + size])
                    await writer.drain()
                    await asyncio.sleep(pause_s)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


def made(site: str, tables: dict[str, dict[str, Any]]) -> Engine:
    """A crawl of a site that keeps nothing, with a parse worker and no delay, but for what the tables say."""
    defaults: dict[str, dict[str, Any]] = {
        "crawl": {"robots": False, "sitemaps": False},
        "fetch": {"strategy": "asyncio"},
        "politeness": {"delay_s": 0, "per_host": 64},
        "parse": {"workers": 1},
    }
    chosen = settings_file.build(
        {group: {**defaults[group], **tables.get(group, {})} for group in defaults}, where="a test"
    )
    return assembly.build(chosen, seeds.read([site], (), (), "host", None), None)  # type: ignore[arg-type]


async def verdict_of(engine: Engine, site: str) -> Bottleneck:
    """What the crawl was bound by, after its proper end."""
    assert (await engine.run([site])).why == "finished"
    return engine.ledger.bottleneck()


async def test_a_delay_binds_a_crawl_of_one_site() -> None:
    """The verdict names the host, and that the site should be one's own before the delay is lowered."""
    async with serving(linking(8)) as site:
        verdict = await verdict_of(made(site, {"politeness": {"delay_s": 0.3, "per_host": 1}}), site)
    assert (verdict.bound_by, verdict.host) == ("politeness", site.removeprefix("http://").rstrip("/"))
    assert "of 64 slots were idle" in verdict.sentence
    assert any("--delay 0.15" in each and "yours" in each for each in verdict.advice)


async def test_slow_answers_and_few_slots_are_bound_by_latency() -> None:
    """More slots are the advice."""
    async with serving(linking(42), wait_s=0.1) as site:
        verdict = await verdict_of(made(site, {"fetch": {"concurrency": 2}}), site)
    assert verdict.bound_by == "latency"
    assert any("--concurrency 4: up to 2.0 x" in each for each in verdict.advice)


async def test_bodies_that_drip_are_bound_by_bandwidth() -> None:
    """An answer that begins at once and takes long to end."""
    async with serving(linking(38, TINY * 100), pieces=4, pause_s=0.06) as site:
        verdict = await verdict_of(made(site, {"fetch": {"concurrency": 4}}), site)
    assert verdict.bound_by == "bandwidth"


@pytest.fixture
def busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other programs have all processors all the time."""
    monkeypatch.setattr(Machine, "others_s", 1e6)


@pytest.mark.usefixtures("busy_machine")
async def test_a_dripping_download_is_not_blamed_on_the_processors_that_others_have() -> None:
    """The crawl itself has nothing to compute."""
    async with serving(linking(6, TINY * 100), pieces=8, pause_s=0.2) as site:
        verdict = await verdict_of(made(site, {"fetch": {"concurrency": 2}}), site)
    assert verdict.bound_by == "bandwidth"
    assert "processor" not in verdict.sentence


@pytest.mark.usefixtures("busy_machine")
async def test_a_delay_is_not_blamed_on_the_processors_that_others_have() -> None:
    """Nor is it any less worth to lower it."""
    async with serving(linking(6)) as site:
        verdict = await verdict_of(made(site, {"politeness": {"delay_s": 0.4, "per_host": 1}}), site)
    assert verdict.bound_by == "politeness"
    assert "processor" not in verdict.sentence
    assert any("--delay 0.2" in each for each in verdict.advice)


async def test_large_pages_and_the_slow_parser_are_bound_by_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker; the faster parser is the advice, then more workers."""
    monkeypatch.setattr(bottleneck, "MIN_S", 0.2)  # how long it takes is up to the machine
    large = b"<div class=item><p>some <b>text</b> and <a href=/1>a link</a></p></div>" * 600
    async with serving(linking(30, large)) as site:
        verdict = await verdict_of(made(site, {"parse": {"parser": "bs4", "workers": 1}}), site)
    assert verdict.bound_by == "parse"
    assert "--parser lexbor" in verdict.advice[0]
    assert "--parse-workers 2" in verdict.advice[1]


async def test_a_slow_function_of_the_user_is_bound_by_extraction() -> None:
    """It is the function that has to become faster."""
    async with serving(linking(40)) as site:
        extract = "tests.integration.slow_extractor:read"
        verdict = await verdict_of(made(site, {"parse": {"extract": extract, "workers": 1}}), site)
    assert verdict.bound_by == "extraction"
    assert "the --extract function" in verdict.advice[0]


class SlowStore(MemoryStore):
    """A store on a disk that takes its time."""

    def commit(
        self,
        done: Sequence[Done],
        found: Sequence[Found],
        outputs: Sequence[Output] = (),
        states: States = NO_STATES,
    ) -> list[Request]:
        time.sleep(COMMIT_S)
        return super().commit(done, found, outputs, states)


async def test_slow_commits_are_bound_by_the_disk() -> None:
    """Eight pages lead to the next eight, which are known when the commit is made."""
    async with serving(chained(41, width=8)) as site:
        engine = made(site, {})
        engine.committer._store = SlowStore()
        verdict = await verdict_of(engine, site)
    assert verdict.bound_by == "disk"


async def test_pages_that_lead_to_one_another_are_bound_by_supply() -> None:
    """A chain of pages, however many slots there are."""
    async with serving(chained(18), wait_s=0.1) as site:
        verdict = await verdict_of(made(site, {}), site)
    assert verdict.bound_by == "supply"


async def test_a_short_crawl_is_not_judged() -> None:
    """There is a sentence that says so, and no advice."""
    async with serving(linking(2)) as site:
        verdict = await verdict_of(made(site, {}), site)
    assert (verdict.bound_by, verdict.advice) == ("unknown", ())
    assert "too short" in verdict.sentence

"""Names become addresses: once, bounded in time, threads and memory."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import pytest_asyncio

from crawler.errors import FetchError, UsageError
from crawler.fetch.dial.resolve import Resolver, interleave, is_literal

Make = Callable[..., Resolver]


class Names:
    """A resolver's other side: answers from a table, counts, and hangs where it is told to."""

    def __init__(self, **answers: Sequence[str] | Exception) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.release = threading.Event()
        self.lock = threading.Lock()

    def __call__(self, host: str) -> Sequence[str]:
        with self.lock:
            self.asked.append(host)
        answer = self.answers.get(host, ("192.0.2.1",))
        if host.startswith("slow"):
            self.release.wait(10)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest_asyncio.fixture
async def make() -> AsyncIterator[Make]:
    """Makes resolvers that are closed after the test."""
    made: list[Resolver] = []

    def make_one(*args: object, **options: object) -> Resolver:
        made.append(Resolver(*args, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make_one
    for resolver in made:
        await resolver.close()


async def reason_of(resolver: Resolver, host: str) -> str:
    with pytest.raises(FetchError) as caught:
        await resolver.resolve(host, 80)
    return caught.value.reason


async def test_a_name_is_asked_once_and_remembered(make: Make) -> None:
    names = Names(host=("192.0.2.7", "192.0.2.7", "192.0.2.8"))
    resolver = make(lookup=names)
    assert await resolver.resolve("host", 80) == ("192.0.2.7", "192.0.2.8")
    assert await resolver.resolve("host", 443) == ("192.0.2.7", "192.0.2.8")
    assert names.asked == ["host"]


async def test_ten_thousand_questions_at_once_are_one_lookup(make: Make) -> None:
    # scenario 1
    names = Names(slow=("192.0.2.1",))
    resolver = make(lookup=names)
    waiting = [asyncio.ensure_future(resolver.resolve("slow", 80)) for _ in range(10_000)]
    await asyncio.sleep(0)
    names.release.set()
    assert set(await asyncio.gather(*waiting)) == {("192.0.2.1",)}
    assert names.asked == ["slow"]


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
async def test_a_name_that_does_not_exist_fails_at_once_and_is_remembered(make: Make, code: int) -> None:
    # scenario 1
    names = Names(none=socket.gaierror(code, "unknown"))
    resolver = make(lookup=names)
    for _ in range(3):
        assert await reason_of(resolver, "none") == "dns_not_found"
    assert names.asked == ["none"]


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_AGAIN, "later"), socket.gaierror(socket.EAI_FAIL, "broken"), OSError("files")]
)
async def test_a_failing_lookup_is_tried_twice_and_can_help_later(make: Make, error: Exception) -> None:
    # scenario 2
    names = Names(bad=error)
    with pytest.raises(FetchError) as caught:
        await make(lookup=names).resolve("bad", 80)
    assert caught.value.reason == "dns_failed"
    assert caught.value.is_retryable
    assert caught.value.__cause__ is error
    assert names.asked == ["bad", "bad"]


async def test_a_name_that_idna_refuses_does_not_exist(make: Make) -> None:
    # scenario 5
    assert await reason_of(make(lookup=Names(long=UnicodeError("label too long"))), "long") == "dns_not_found"


async def test_a_name_without_addresses_does_not_exist(make: Make) -> None:
    assert await reason_of(make(lookup=Names(empty=())), "empty") == "dns_not_found"


async def test_a_lookup_that_hangs_ends_with_its_timeout_and_blocks_nobody_for_longer(make: Make) -> None:
    """Both threads hang; the third name waits for a replacement, not for them."""
    # scenario 2
    names = Names()
    resolver = make(timeout_s=0.05, concurrency=2, lookup=names)
    results = await asyncio.gather(
        *(resolver.resolve(host, 80) for host in ("slow-1", "slow-2", "host")), return_exceptions=True
    )
    assert [getattr(result, "reason", result) for result in results] == ["dns_failed", "dns_failed", ("192.0.2.1",)]
    names.release.set()


async def test_threads_that_never_come_back_are_bounded(make: Make) -> None:
    # scenario 2
    names = Names()
    resolver = make(timeout_s=0.01, tries=1, concurrency=1, lookup=names)
    details = []
    for number in range(10):
        with pytest.raises(FetchError) as caught:
            await resolver.resolve(f"slow-{number}", 80)
        details.append(caught.value.detail)
    assert len(names.asked) == 8
    assert "do not come back" in details[-1]
    names.release.set()


async def test_one_who_stops_waiting_does_not_stop_the_others(make: Make) -> None:
    names = Names()
    resolver = make(lookup=names)
    first, second = (asyncio.ensure_future(resolver.resolve("slow", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    names.release.set()
    assert await second == ("192.0.2.1",)
    assert first.cancelled() or await asyncio.gather(first, return_exceptions=True)


async def test_answers_are_forgotten_after_their_time(make: Make) -> None:
    now = 0.0
    names = Names(none=socket.gaierror(socket.EAI_NONAME, "unknown"), bad=socket.gaierror(socket.EAI_AGAIN, "later"))
    resolver = make(lookup=names, tries=1, clock=lambda: now)
    for moment, expected in ((0, 3), (29, 3), (31, 4), (61, 6), (91, 7), (299, 9), (301, 10)):
        now = float(moment)
        await resolver.resolve("host", 80)
        await reason_of(resolver, "none")
        await reason_of(resolver, "bad")
        assert len(names.asked) == expected


async def test_the_memory_is_bounded_and_the_oldest_goes_first(make: Make) -> None:
    # scenario 4
    names = Names()
    resolver = make(lookup=names, cache_size=3)
    for host in ("a", "b", "c", "d"):
        await resolver.resolve(host, 80)
    await resolver.resolve("d", 80)
    await resolver.resolve("a", 80)
    assert names.asked == ["a", "b", "c", "d", "a"]


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "::1", "::ffff:1.2.3.4", "::a"])
async def test_a_literal_is_its_own_answer(make: Make, host: str) -> None:
    names = Names()
    assert await make(lookup=names).resolve(host, 80) == (host,)
    assert names.asked == []


def test_literals_are_told_from_names() -> None:
    assert not any(is_literal(text) for text in ("host", "1.2.3", "a1", "1.2.3.4.5", "host.1", ""))


async def test_the_table_comes_first(make: Make) -> None:
    names = Names()
    table = ["www.example.com:192.0.2.9", "WWW.example.com.:[2001:db8::1]", "*.lab:127.0.0.1", "*.deep.lab:127.0.0.2"]
    resolver = make(table, lookup=names)
    assert await resolver.resolve("www.example.com", 80) == ("192.0.2.9", "2001:db8::1")
    assert await resolver.resolve("www.example.com.", 80) == ("192.0.2.9", "2001:db8::1")
    assert await resolver.resolve("site-007.lab", 80) == ("127.0.0.1",)
    assert await resolver.resolve("a.b.lab", 80) == ("127.0.0.1",)
    assert await resolver.resolve("a.deep.lab", 80) == ("127.0.0.2",)
    assert names.asked == []
    await resolver.resolve("lab", 80)
    await resolver.resolve("collab", 80)
    assert names.asked == ["lab", "collab"]


@pytest.mark.parametrize(
    "entry", ["", "name", "name:", ":127.0.0.1", "name:host", "*:127.0.0.1", "a.*.b:127.0.0.1", "*.:1.2.3.4"]
)
def test_an_entry_that_is_none_is_a_usage_error(entry: str) -> None:
    with pytest.raises(UsageError, match="--resolve"):
        asyncio.run(_table(entry))


async def _table(entry: str) -> None:
    Resolver([entry])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"], ("::1", "1.1.1.1", "::2", "2.2.2.2", "::3")),
        (["1.1.1.1", "2.2.2.2", "::1"], ("1.1.1.1", "::1", "2.2.2.2")),
        (["1.1.1.1", "1.1.1.1"], ("1.1.1.1",)),
        ([], ()),
        ([f"10.0.0.{n}" for n in range(99)], tuple(f"10.0.0.{n}" for n in range(16))),
    ],
)
def test_families_take_turns(given: list[str], expected: tuple[str, ...]) -> None:
    # scenario 3
    assert interleave(given) == expected


async def test_localhost_is_known_to_the_system(make: Make) -> None:
    assert set(await make().resolve("localhost", 80)) <= {"127.0.0.1", "::1"}


async def test_closing_ends_what_is_under_way(make: Make) -> None:
    names = Names()
    resolver = make(lookup=names)
    waiting = asyncio.ensure_future(resolver.resolve("slow", 80))
    await asyncio.sleep(0)
    names.release.set()
    await resolver.close()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], (asyncio.CancelledError, tuple))

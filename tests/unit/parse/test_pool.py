"""Worker processes that die, hang, grow and leak, and the jobs that survive them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from crawler.errors import ParseError, RunError
from crawler.parse.workers.inprocess import InlinePool, ThreadPool
from crawler.parse.workers.pool import ProcessPool
from crawler.parse.workers.worker import WorkerSpec

MIB = 1024 * 1024
Answer = bytes | ParseError


class Words:
    """The workers' work: the payload says what to do."""

    def __init__(self, context: list[str]) -> None:
        self.context = context

    def update(self, change: str) -> None:
        self.context.append(change)

    def __call__(self, payload: bytes, is_lone: bool) -> bytes:
        word, _, rest = payload.partition(b" ")
        match word:
            case b"pid":
                return str(os.getpid()).encode()
            case b"context":
                return " ".join(self.context).encode()
            case b"die":
                os.kill(os.getpid(), signal.SIGKILL)
            case b"die-once" if not is_lone:
                os.kill(os.getpid(), signal.SIGSEGV)
            case b"hang":
                while True:
                    signal.pause()
            case b"burn":
                while True:
                    pass
            case b"grow":
                return str(len(bytearray(8 * 1024 * MIB))).encode()
            case b"keep":
                _kept.append(os.urandom(int(rest)))
            case b"fault":
                raise ValueError("no such page")
            case b"large":
                return bytes(int(rest))
        return b"did " + payload


class SlowToStart(Words):
    """The same, when it is told through a pipe that it may begin."""

    def __init__(self, context: list[str]) -> None:
        super().__init__(context)
        with Path(os.environ["GATE"]).open("rb") as gate:
            gate.read(1)


def open_broken(context: object) -> Callable[[bytes, bool], bytes]:
    """A function that cannot be made."""
    raise ImportError("no parser here")


_kept: list[bytes] = []


@asynccontextmanager
async def pool_of(
    workers: int = 1, *, factory: str = "Words", wall_s: float = 30.0, **limits: float
) -> AsyncIterator[ProcessPool[bytes, bytes]]:
    """A pool that runs `Words`, and fails the test if it becomes unusable."""
    context[:] = ["first"]
    values = {
        "cpu_limit_s": 10.0,
        "memory_limit_bytes": 1024 * MIB,
        "recycle_growth_bytes": 256 * MIB,
        "recycle_jobs": 10**6,
    }
    spec = WorkerSpec(factory=f"tests.unit.parse.test_pool:{factory}", context=context, **{**values, **limits})  # type: ignore[arg-type]
    pool = ProcessPool[bytes, bytes](spec, lambda job: (job,), bytes, workers, wall_s, fatal.append)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


fatal: list[RunError] = []
context: list[str] = []  # the caller's own, with which workers start


@pytest.fixture(autouse=True)
def _no_fatal_errors() -> None:
    fatal.clear()


async def ask(
    pool: ProcessPool[bytes, bytes] | InlinePool[bytes, bytes] | ThreadPool[bytes, bytes], *jobs: bytes
) -> list[Answer]:
    """Submit jobs together and wait for all answers, in the order submitted."""
    futures: list[asyncio.Future[Answer]] = []
    for job in jobs:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        pool.submit(job, future.set_result)
        futures.append(future)
    return await asyncio.wait_for(asyncio.gather(*futures), 60)


async def test_every_job_is_answered_once() -> None:
    """Many jobs over two workers come back paired with their payloads."""
    async with pool_of(2) as pool:
        jobs = [f"page {number}".encode() for number in range(1000)]
        assert await ask(pool, *jobs) == [b"did " + job for job in jobs]
        assert len(set(await ask(pool, *[b"pid"] * 64))) == 2


async def test_large_payloads_and_answers_in_both_directions_do_not_lock() -> None:
    """Megabytes queue in both directions at once, and everything arrives."""  # scenario 100
    async with pool_of() as pool:
        answers = await ask(pool, *[b"large 3000000 " + bytes(0)] * 8, *[b"page " + bytes(3_000_000)] * 8)
        assert [len(answer) for answer in answers if isinstance(answer, bytes)] == [3_000_000] * 8 + [3_000_009] * 8


async def test_a_deadly_page_is_tried_once_alone_and_then_given_up() -> None:
    """Two deaths end a page; no other page that was sent with it is lost."""  # scenario 96
    async with pool_of() as pool:
        answers = await ask(pool, b"a", b"b", b"die", b"c", b"d")
        assert [answers[index] for index in (0, 1, 3, 4)] == [b"did a", b"did b", b"did c", b"did d"]
        assert isinstance(answers[2], ParseError)
        assert answers[2].reason == "worker_died"
        assert "SIGKILL" in answers[2].detail
        assert pool.replaced == 2


async def test_a_page_that_kills_only_in_company_gets_its_answer() -> None:
    """The lone second try counts."""  # scenario 96
    async with pool_of() as pool:
        assert await ask(pool, b"die-once", b"a") == [b"did die-once", b"did a"]


async def test_a_worker_killed_from_outside_loses_nothing() -> None:
    """Whatever moment SIGKILL hits, every page is answered."""
    async with pool_of(2) as pool:
        first = asyncio.ensure_future(ask(pool, *[b"large 100000"] * 200))
        await ask(pool, b"a")
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        assert {len(answer) for answer in await first if isinstance(answer, bytes)} == {100_000}


async def test_a_hanging_page_is_ended_at_its_wall_limit() -> None:
    """A worker that sleeps for ever is killed."""  # scenario 98
    async with pool_of(wall_s=0.3) as pool:
        answers = await ask(pool, b"hang", b"a")
        assert isinstance(answers[0], ParseError)
        assert answers[0].reason == "parse_timeout"
        assert answers[1] == b"did a"


async def test_a_worker_that_is_slow_to_start_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's time begins when there is a worker that could read it."""  # scenario 98
    os.mkfifo(tmp_path / "gate")
    gate = os.open(tmp_path / "gate", os.O_RDWR)
    monkeypatch.setenv("GATE", str(tmp_path / "gate"))
    sweep = ProcessPool._sweep

    def swept(pool: ProcessPool[bytes, bytes]) -> None:
        """Let the worker begin when its page has waited for longer than a page may take, and was looked at."""
        sweep(pool)
        late_s = asyncio.get_running_loop().time() - 0.3
        if any(worker.outstanding and worker.since < late_s for worker in pool._workers):
            os.write(gate, b"x")

    monkeypatch.setattr(ProcessPool, "_sweep", swept)
    async with pool_of(factory="SlowToStart", wall_s=0.3) as pool:
        assert await ask(pool, b"a") == [b"did a"]
        assert pool.replaced == 0
    os.close(gate)


async def test_a_burning_page_is_ended_at_its_cpu_limit() -> None:
    """The kernel ends a worker that computes for too long, and the reason says so."""  # scenario 98
    async with pool_of(cpu_limit_s=0.2) as pool:
        answers = await ask(pool, b"burn", b"a")
        assert isinstance(answers[0], ParseError)
        assert answers[0].reason == "parse_cpu"
        assert answers[1] == b"did a"


async def test_a_page_that_needs_too_much_memory_is_refused_it() -> None:
    """The address-space limit turns a balloon into a reason."""  # scenario 97
    async with pool_of() as pool:
        answers = await ask(pool, b"grow", b"a")
        assert isinstance(answers[0], ParseError)
        assert answers[0].reason == "parse_memory"
        assert answers[1] == b"did a"


async def test_a_worker_that_has_grown_is_replaced_without_a_gap() -> None:
    """Growth past the limit brings a successor, and no job is lost on the way."""  # scenario 99
    async with pool_of(recycle_growth_bytes=MIB) as pool:
        before = pool.pids
        answers = await ask(pool, *[b"keep 100000"] * 200)
        assert all(isinstance(answer, bytes) for answer in answers)
        await until(lambda: pool.replaced >= 1 and set(pool.pids).isdisjoint(before))


async def test_a_worker_is_replaced_after_its_number_of_pages() -> None:
    """Recycling by count never loses or repeats a job."""  # scenario 99
    async with pool_of(2, recycle_jobs=50) as pool:
        jobs = [f"page {number}".encode() for number in range(1000)]
        assert await ask(pool, *jobs) == [b"did " + job for job in jobs]
        assert pool.replaced >= 1


async def test_an_exception_is_that_pages_alone() -> None:
    """The worker lives on after a Python exception."""
    async with pool_of() as pool:
        answers = await ask(pool, b"pid", b"fault", b"pid")
        assert isinstance(answers[1], ParseError)
        assert answers[1].reason == "parse_failed"
        assert "no such page" in answers[1].detail
        assert answers[0] == answers[2]


async def test_a_change_of_the_context_reaches_every_worker() -> None:
    """Jobs that are submitted after an update are done with it, by successors too."""
    async with pool_of(2) as pool:
        assert set(await ask(pool, *[b"context"] * 40)) == {b"first"}
        context.append("second")
        pool.update("second")
        assert set(await ask(pool, *[b"context"] * 40)) == {b"first second"}
        await ask(pool, b"die")
        assert set(await ask(pool, *[b"context"] * 40)) == {b"first second"}


async def test_workers_that_cannot_start_are_reported_once() -> None:
    """A broken installation is a sentence, not an endless loop of new processes."""
    async with pool_of(factory="open_broken") as pool:
        pool.submit(b"a", lambda answer: None)
        await until(lambda: bool(fatal))
        assert "no parser here" in str(fatal[0])


async def test_closing_leaves_no_process() -> None:
    """After close every worker is gone and reaped."""
    async with pool_of(2) as pool:
        await ask(pool, b"a")
        pids = pool.pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_in_process_pools_answer_the_same() -> None:
    """Threads and the loop itself do the same work, exceptions and changes of the context included."""

    def factory(context: object) -> Callable[[bytes], bytes]:
        assert isinstance(context, list)
        work = Words(context)
        return lambda payload: work(payload, False)

    for kind in (InlinePool[bytes, bytes], lambda *made: ThreadPool[bytes, bytes](*made, 2)):
        shared = ["first"]
        pool = kind(factory, shared)
        await pool.start()
        answers = await ask(pool, b"a", b"fault", b"context")
        assert [answers[0], answers[2]] == [b"did a", b"first"]
        assert isinstance(answers[1], ParseError)
        shared.append("second")
        pool.update("second")
        assert await ask(pool, b"context") == [b"first second"]
        await pool.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - the pool has no event for it
            await asyncio.sleep(0.01)

"""Worker processes for CPU-bound work, supervised: a worker that dies, hangs or grows is replaced and no job is lost.

The pool knows nothing of HTML. Each worker hangs on a socket pair that the event loop reads and writes without ever
blocking, so full buffers in both directions cannot lock the two sides. A worker answers its jobs in the order sent;
the first unanswered one is therefore what it was doing when it died. Only that job is charged: its worker's successor
runs it alone, once, and a second death gives it up. Everything else that was sent is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from crawler.errors import ParseError, RunError
from crawler.parse.workers.worker import CHANGE, FAULT, HEADER, JOB, LONE_JOB, MEMORY, READY, RETIRE, WorkerSpec

Item = TypeVar("Item")
Answer = TypeVar("Answer")

WINDOW_JOBS = 16  # jobs sent to one worker and not yet answered
WINDOW_BYTES = 1024 * 1024  # A worker has payloads of this many bytes at most before it; one job may exceed it.
SWEEP_S = 0.5  # how often deadlines are looked at, seconds
# A worker has this many seconds to be ready; no page is charged for a machine that is slow to start one.
START_LIMIT_S = 60.0
REST_BYTES = 256 * 1024
LAUNCHES = 10  # tries to start a worker where there is none at all
LAUNCH_PAUSE_S = 1.0
STARTS_WITHOUT_WORK = 3  # workers in a row that die before they are ready, until the pool gives up
_DEATHS = {-signal.SIGPROF: "parse_cpu", -signal.SIGXCPU: "parse_cpu"}
# The child gets the parent's import path and never imports the caller's main module.
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from crawler.parse.workers.worker import main; main({fd})"
)


class Job(Generic[Answer]):
    """One payload on its way through the pool, and whom to tell."""

    __slots__ = ("done", "is_lone", "payload", "size")

    def __init__(self, payload: Sequence[bytes], done: Callable[[Answer | ParseError], None]) -> None:
        self.payload = payload
        self.size = sum(map(len, payload))
        self.done = done
        self.is_lone = False


class ProcessPool(Generic[Item, Answer]):
    """Runs jobs in worker processes; every submitted item is answered once, by an answer or a ParseError.

    Args:
        spec: What the workers run, and their limits.
        encode: Makes a payload of an item, in pieces that are sent one after another.
        decode: Makes an answer of what a worker returns.
        workers: Number of processes.
        wall_limit_s: Seconds for one job, after which its worker is killed.
        on_fatal: Told once when workers cannot be started at all.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        encode: Callable[[Item], Sequence[bytes]],
        decode: Callable[[bytes], Answer],
        workers: int,
        wall_limit_s: float,
        on_fatal: Callable[[RunError], None],
    ) -> None:
        self._spec = spec
        self._encode = encode
        self._decode = decode
        self._size = workers
        self._wall_limit_s = wall_limit_s
        self._on_fatal = on_fatal
        self._queue: deque[Job[Answer]] = deque()
        self._workers: set[_Worker[Answer]] = set()
        self._failed_starts = 0
        self._launches_failed = 0  # How many launches in a row have failed.
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_closing = False
        self.replaced = 0

    async def start(self) -> None:
        """Start the workers; jobs may be submitted at once and wait until one is ready."""
        for _ in range(self._size):
            await self._start_worker()
        self._sweep()

    def submit(self, item: Item, done: Callable[[Answer | ParseError], None]) -> None:
        """Queue an item; `done` is called on the event loop with its answer or a ParseError."""
        self._queue.append(Job(self._encode(item), done))
        self._feed()

    def update(self, change: object) -> None:
        """Tell all workers of a change that the caller has made to the context, which later workers start with.

        Jobs submitted from now on are done with it.
        """
        pickled = pickle.dumps(change)
        for worker in self._workers:
            worker.send_frame(CHANGE, len(pickled), pickled)

    @property
    def is_closing(self) -> bool:
        """Whether answers are of no more use."""
        return self._is_closing

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that run now."""
        return [worker.process.pid for worker in self._workers]

    async def close(self) -> None:
        """End all workers, at once; jobs without an answer stay unanswered."""
        self._is_closing = True
        if self._sweeper:
            self._sweeper.cancel()
        for worker in list(self._workers):
            worker.end()
        self._workers.clear()

    async def _start_worker(self, lone: Job[Answer] | None = None, successor_of: _Worker[Answer] | None = None) -> None:
        try:
            here, process = self._open_worker()
        except OSError as error:
            self._no_room(RunError(f"cannot start a parse worker: {error.strerror}"), lone, successor_of)
            return
        self._launches_failed = 0
        worker = _Worker(self, process, lone, successor_of, here.dup())
        await asyncio.get_running_loop().connect_accepted_socket(lambda: worker, here)

    def _open_worker(self) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        here, there = socket.socketpair()
        try:
            with there:
                boot = _BOOT.format(fd=there.fileno())
                process = _launch([sys.executable, "-c", boot, json.dumps(sys.path)], there.fileno())
        except OSError:
            here.close()
            raise
        here.setblocking(False)
        return here, process

    def _no_room(self, error: RunError, lone: Job[Answer] | None, successor_of: _Worker[Answer] | None) -> None:
        """This machine has no descriptor or process left: try again, for there may be some when others have ended."""
        self._launches_failed += 1
        if self._launches_failed > LAUNCHES and not self._workers:
            self._on_fatal(error)
        elif not self._is_closing:
            asyncio.get_running_loop().call_later(LAUNCH_PAUSE_S, self._spawn, lone, successor_of)

    def connected(self, worker: _Worker[Answer]) -> None:
        """Called by a worker's channel when it is open: what the worker runs comes before any job."""
        self._workers.add(worker)
        pickled = pickle.dumps(self._spec)
        worker.send_frame(CHANGE, len(pickled), pickled)
        worker.take_lone()
        self._feed()

    def _feed(self) -> None:
        """Give queued jobs to the workers with the least to do."""
        while self._queue:
            free = [worker for worker in self._workers if worker.has_room]
            if not free:
                return
            worker = min(free, key=lambda each: each.outstanding_bytes)
            worker.send(self._queue.popleft())

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for worker in self._workers:
            limit_s = self._wall_limit_s if worker.is_ready else START_LIMIT_S
            if worker.outstanding and loop.time() - worker.since > limit_s:
                worker.kill("parse_timeout")
        self._sweeper = loop.call_later(SWEEP_S, self._sweep)

    def answered(self, worker: _Worker[Answer], job: Job[Answer], kind: int, payload: bytes) -> None:
        """Called by a worker's channel for each answer."""
        is_again = kind & ~RETIRE == MEMORY and not job.is_lone  # once more alone, like a job that a worker died on
        if kind & RETIRE and not worker.is_retiring:
            worker.is_retiring = True  # it works on until its successor is ready
            self.replaced += 1
            self._spawn(job if is_again else None, worker)
        elif is_again:
            self._queue.appendleft(job)
        if is_again:
            job.is_lone = True
            self._feed()
            return
        kind &= ~RETIRE
        if kind == FAULT:
            job.done(ParseError("parse_failed", payload.decode("utf-8", "replace")))
        elif kind == MEMORY:
            job.done(ParseError("parse_memory", "the page needs more than the worker's memory limit"))
        else:
            job.done(self._decoded(payload))
        self._feed()

    def _decoded(self, payload: bytes) -> Answer | ParseError:
        try:
            return self._decode(payload)
        except Exception as error:
            return ParseError("parse_failed", f"the worker's answer makes no sense: {error}")

    def ready(self, worker: _Worker[Answer]) -> None:
        """Called by a worker's channel when it can work."""
        self._failed_starts = 0
        if worker.successor_of is not None:
            worker.successor_of.drain()
            worker.successor_of = None
        self._feed()

    def left(self, worker: _Worker[Answer], unanswered: deque[Job[Answer]], fault: str) -> None:
        """Called when a worker's channel closed: charge the job it was at, send the others again, replace it."""
        self._workers.discard(worker)
        if self._is_closing:
            return
        status = worker.reap()
        if worker.is_drained and not unanswered:
            return
        self.replaced += 1
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS_WITHOUT_WORK:
                why = fault or f"exit status {status}"
                self._on_fatal(RunError(f"parse workers cannot start: {why}"))
                return
        lone: Job[Answer] | None = None
        if unanswered and worker.is_ready:
            lone = unanswered.popleft()
            if lone.is_lone:
                reason = worker.kill_reason or _DEATHS.get(status, "worker_died")
                lone.done(ParseError(reason, _describe(status)))
                lone = None
            else:
                lone.is_lone = True
        self._queue.extendleft(reversed(unanswered))
        self._spawn(lone, worker.successor_of)

    def _spawn(self, lone: Job[Answer] | None, successor_of: _Worker[Answer] | None) -> None:
        task = asyncio.ensure_future(self._start_worker(lone, successor_of))
        _starting.add(task)
        task.add_done_callback(_starting.discard)


_starting: set[asyncio.Future[None]] = set()  # the loop holds tasks weakly


class _Worker(asyncio.Protocol, Generic[Answer]):
    """One worker process and the parent's end of its channel."""

    transport: asyncio.Transport

    def __init__(
        self,
        pool: ProcessPool[object, Answer] | ProcessPool[Item, Answer],
        process: subprocess.Popen[bytes],
        lone: Job[Answer] | None,
        successor_of: _Worker[Answer] | None,
        rest: socket.socket,
    ) -> None:
        self.pool = pool
        self._rest = rest  # the channel once more: its transport drops what it has not read when a write fails
        self.process = process
        self.lone = lone
        self.successor_of = successor_of
        self.outstanding: deque[Job[Answer]] = deque()
        self.outstanding_bytes = 0
        self.since = 0.0  # loop time at which the first outstanding job became the one worked on
        self.is_ready = self.is_retiring = self.is_drained = False
        self.kill_reason: str | None = None
        self._fault = ""
        self._buffer = bytearray()  # the beginning of a frame
        self._wanted = HEADER.size  # bytes of it that have to be there before it is worth a look

    @property
    def has_room(self) -> bool:
        if self.is_drained or self.kill_reason or self.lone or (self.outstanding and self.outstanding[0].is_lone):
            return False
        return len(self.outstanding) < WINDOW_JOBS and self.outstanding_bytes < WINDOW_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self.pool.connected(self)

    def take_lone(self) -> None:
        if self.lone:
            job, self.lone = self.lone, None
            self.send(job)

    def send(self, job: Job[Answer]) -> None:
        if not self.outstanding:
            self.since = asyncio.get_running_loop().time()
        self.outstanding.append(job)
        self.outstanding_bytes += job.size
        self.send_frame(LONE_JOB if job.is_lone else JOB, job.size, *job.payload)

    def send_frame(self, kind: int, size: int, *pieces: bytes) -> None:
        self.transport.writelines((HEADER.pack(size, kind), *pieces))

    def data_received(self, data: bytes) -> None:
        if not self._buffer:  # mostly whole frames arrive
            data = data[self._take_frames(data) :]
        self._buffer += data
        if len(self._buffer) >= self._wanted:
            del self._buffer[: self._take_frames(self._buffer)]

    def _take_frames(self, data: bytes | bytearray) -> int:
        """Pass on the frames that are complete; returns how many bytes they took."""
        at = 0
        with memoryview(data) as view:
            while len(view) - at >= HEADER.size:
                length, kind = HEADER.unpack_from(view, at)
                self._wanted = HEADER.size + length
                if len(view) - at < self._wanted:
                    return at
                payload = bytes(view[at + HEADER.size : at + self._wanted])
                at += self._wanted
                self._wanted = HEADER.size
                self._frame(kind, payload)
        return at

    def _frame(self, kind: int, payload: bytes) -> None:
        self.since = asyncio.get_running_loop().time()
        if kind == READY:
            self.is_ready = True
            self.pool.ready(self)
        elif not self.is_ready:
            self._fault = payload.decode("utf-8", "replace")
        else:
            job = self.outstanding.popleft()
            self.outstanding_bytes -= job.size
            self.pool.answered(self, job, kind, payload)
            if self.is_drained and not self.outstanding:
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        with self._rest, contextlib.suppress(OSError):
            while not self.pool.is_closing and (data := self._rest.recv(REST_BYTES, socket.MSG_DONTWAIT)):
                self.data_received(data)
        unanswered, self.outstanding = self.outstanding, deque()
        if self.lone:
            unanswered.appendleft(self.lone)
        self.pool.left(self, unanswered, self._fault)

    def drain(self) -> None:
        """Take no more jobs, leave when the last is answered."""
        self.is_drained = True
        if not self.outstanding:
            self.transport.close()

    def kill(self, reason: str) -> None:
        """Kill the process; the closing channel does the rest."""
        if self.kill_reason is None:
            self.kill_reason = reason
            self.process.kill()

    def reap(self) -> int:
        """Make sure that the process is gone and return its exit status."""
        if not self.is_drained:
            # The channel closes a moment before a dying process can be reaped; what closed it and lives is broken.
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(timeout=0.2)
        self.process.kill()
        return self.process.wait()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.transport.abort()


def _launch(command: list[str], descriptor: int) -> subprocess.Popen[bytes]:
    # Not asyncio's own: it would tie the process to a child watcher, and the channel tells its end anyway.
    # Standard output goes to ours for errors, because records may be streaming on the other.
    # A group of its own, so that Ctrl-C reaches the parent alone.
    return subprocess.Popen(command, pass_fds=[descriptor], stdin=subprocess.DEVNULL, stdout=2, process_group=0)


def _describe(status: int) -> str:
    if status < 0:
        return f"the worker was ended by {signal.Signals(-status).name}"
    return f"the worker left with exit status {status}"

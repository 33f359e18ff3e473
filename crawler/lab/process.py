"""The lab in a process of its own, so that it takes no time from the crawler that is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import msgspec

from crawler.lab.answers import Truth
from crawler.lab.server import Counts
from crawler.lab.world import FLAGS, WorldSpec

STOP_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 300.0  # The truth of a large world takes its time, in seconds.
PACKAGE_ROOT = Path(__file__).parents[2]


class LabProcess(NamedTuple):
    """A lab that is running elsewhere.

    Args:
        port: Where it listens on 127.0.0.1.
        pid: Its process id.
        stop: Ends it; a second call does nothing.
    """

    port: int
    pid: int
    stop: Callable[[], None]

    def counts(self) -> Counts:
        """What it was asked for until now."""
        return msgspec.json.decode(self._get("/__lab__/counts"), type=Counts)

    def truth(self) -> list[Truth]:
        """What is so about all of its pages."""
        return msgspec.json.Decoder(Truth).decode_lines(self._get("/__lab__/truth"))

    def _get(self, target: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=READ_TIMEOUT_S)
        try:
            connection.request("GET", target)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def serve_in_process(spec: WorldSpec, *, log: bool = False, warm: bool = False) -> Iterator[LabProcess]:
    """Serve a world from a process of its own, for as long as the context lasts.

    Args:
        spec: The world.
        log: Whether to keep when each request came.
        warm: Whether to make all pages before the context is entered.

    Raises:
        RuntimeError: If the server did not start.
    """
    arguments = [*command_line(spec), *(["--log"] if log else []), *(["--warm"] if warm else [])]
    with _running(arguments) as lab:
        yield lab


@contextmanager
def serve_folder(path: Path, *, log: bool = False, latency_ms: float = 0.0) -> Iterator[LabProcess]:
    """Serve the files of a folder from a process of its own, under every host name.

    Args:
        path: The folder.
        log: Whether to keep when each request came.
        latency_ms: Time before an answer, milliseconds.

    Raises:
        RuntimeError: If the server did not start.
    """
    options = [f"--latency-ms={latency_ms:g}", *(["--log"] if log else [])]
    with _running(["--folder", str(path), *options]) as lab:
        yield lab


def command_line(spec: WorldSpec) -> list[str]:
    """The arguments of `python -m crawler.lab` that make a spec."""
    plain = WorldSpec()
    arguments: list[str] = []
    for name, flag in FLAGS.items():
        value = getattr(spec, name)
        if value == getattr(plain, name):
            continue
        if isinstance(value, bool):
            arguments.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            arguments.append(f"{flag}={value}")
    return arguments


def environment() -> dict[str, str]:
    """The environment of a Python that finds this package even where it is not installed."""
    paths = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@contextmanager
def _running(arguments: Sequence[str]) -> Iterator[LabProcess]:
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler.lab", "--exit-with-stdin", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        # Ctrl-C reaches the caller alone, who then ends this.
        process_group=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    standard_input = process.stdin

    def stop() -> None:
        standard_input.close()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    with process.stdout:
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the lab did not start; what it said is on standard error")
            yield LabProcess(msgspec.json.decode(line, type=dict[str, int])["port"], process.pid, stop)
        finally:
            stop()

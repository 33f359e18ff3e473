"""A crawl by the real command that serves its dashboard, and a client that looks at it as a browser would."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.conftest import COMMAND, ROOT

TIMEOUT_S = 60.0
SAID = "Dashboard: "


class Watched:
    """A crawl that is running.

    Args:
        process: It, with its standard error piped.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stderr is not None
        self.said = ""
        for line in process.stderr:
            self.said += line
            if line.startswith(SAID):
                break
        else:
            raise AssertionError(f"no dashboard: {self.said}")
        self.url = line.removeprefix(SAID).strip()
        self.port = urlsplit(self.url).port or 0

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        """One request: status, header fields by lower-case name, and the body; `_` in names of fields means `-`."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    @contextmanager
    def events(self, **headers: str) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """The stream of events: their names and data, until the server ends it."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", "/events", headers=headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            yield _read_events(answer)
        finally:
            connection.close()

    def wait(self) -> int:
        """Wait for the end of the process; its exit status."""
        assert self.process.stderr is not None
        self.said += self.process.stderr.read()
        assert "Traceback" not in self.said, self.said
        return self.process.wait(TIMEOUT_S)


def _read_events(answer: HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in answer:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


@contextmanager
def watched(*arguments: object, cwd: Path | None = None) -> Iterator[Watched]:
    """Start a crawl with a dashboard on a free port; what still runs at the end is killed."""
    command = [*COMMAND, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=cwd, env=environment) as process:
        try:
            yield Watched(process)
        finally:
            process.kill()

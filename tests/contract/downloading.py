"""A client that saves files, and what the tests of it look at."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crawler import urls
from crawler.engine.downloads import Downloads
from crawler.fetch.dial.target import Limits, Target
from crawler.files.choice import FileChoice
from crawler.files.folder import PART, partial_name
from crawler.models import Request, Response

if TYPE_CHECKING:
    from .conftest import Client

KIB = 1024
BODY = os.urandom(300 * KIB)
CUT = 120 * KIB
PDF = "Content-Type: application/pdf"
TAG = 'ETag: "one"'


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class Saver:
    """Fetches into a folder of files.

    Args:
        client: With the strategy.
        run: The run's folder.
        choice: What is wanted.
        max_bytes: How much is written of each file.
        min_free_bytes: Left free on the disk.
    """

    def __init__(
        self, client: Client, run: Path, choice: FileChoice, max_bytes: int = 2**31, min_free_bytes: int = 0
    ) -> None:
        self.client = client
        self.run = run
        self.downloads = Downloads(client.fetcher, run, choice, max_bytes, min_free_bytes)

    async def get(
        self, url: str, limits: Limits | None = None, deadline_s: float = 10.0, kind: str = "page"
    ) -> Response:
        """Fetch one URL."""
        url = urls.canonicalize(url)
        request = Request(url, urls.host_key(url), urls.fingerprint(url), kind)  # type: ignore[arg-type]
        target = Target(("127.0.0.1",), time.monotonic() + deadline_s, limits or Limits())
        return await self.downloads.fetch(request, target)

    def part(self, url: str) -> Path:
        """Where what has come of a URL is."""
        return self.run / "files" / "+partial" / (partial_name(urls.canonicalize(url)) + PART)

    def whole(self) -> list[Path]:
        """All files that have their lasting name."""
        return sorted(
            path for path in (self.run / "files").rglob("*") if path.is_file() and "+partial" not in path.parts
        )


Save = Callable[..., Saver]


def assert_saved(saver: Saver, page: Response, body: bytes, wire_bytes: int | None = None) -> Path:
    """A page's body is all in its file, and nothing of it anywhere else."""
    assert page.saved is not None
    assert page.complete
    file = saver.run / page.saved.path
    assert file.read_bytes() == body
    assert (page.saved.bytes, page.saved.digest) == (len(body), digest(body))
    assert page.saved.wire_bytes == (len(body) if wire_bytes is None else wire_bytes)
    assert page.body == b""
    assert saver.client.counter.used == 0
    assert list((saver.run / "files" / "+partial").iterdir()) == []
    assert file in saver.whole()
    return file

"""The strategy `replay`: answers from a table, a folder or a WARC, for tests and for crawls without a network."""

from __future__ import annotations

import asyncio
import mimetypes
import time
from collections.abc import Mapping
from pathlib import Path
from ssl import SSLContext
from urllib.parse import unquote

import msgspec

from crawler import urls
from crawler.errors import FetchError, UsageError
from crawler.fetch.archived import NAME, ArchivedAnswers
from crawler.fetch.base import ByteCount, Intake, check_head, make_page
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.resolve import Resolver
from crawler.fetch.dial.target import Target
from crawler.models import Headers, Request, Response
from crawler.settings.groups import Settings

INDEX = "index.html"

Answer = tuple[int, Headers | Mapping[str, str], bytes] | Response | FetchError


class ReplayFetcher:
    """Answers without a network, in the way of the real strategies: same limits, same bodies left unread.

    Args:
        source: Canonical URL → `(status, headers, body)`, a Page, or the FetchError to raise; or a WARC; or a folder,
            in which `http://host:port/path` is the file `host:port/path` or, failing that, `path`, and a URL that
            ends in a slash is its `index.html`. What a table or a WARC lacks is `not_in_replay`; what a folder lacks
            is a 404.
        counter: Where the bytes of bodies are counted.
    """

    name = NAME

    def __init__(self, source: Mapping[str, Answer] | ArchivedAnswers | Path, counter: ByteCount | None = None) -> None:
        self._source = source
        self._counter = counter or ByteCount()

    async def fetch(self, request: Request, target: Target) -> Response:
        """Ask for one URL; see `Fetcher.fetch`."""
        await asyncio.sleep(0)  # a fetch is a turn of the loop, here as everywhere
        started = time.monotonic()
        answer = self._find(request, target)
        if isinstance(answer, FetchError):
            raise FetchError(answer.reason, answer.detail)
        stored = answer if isinstance(answer, Response) else None
        status, fields, body = (answer.status, answer.headers, answer.body) if isinstance(answer, Response) else answer
        headers = tuple(fields.items()) if isinstance(fields, Mapping) else fields
        check_head(headers, target.limits)
        intake = Intake(target, self._counter, started)
        is_unread = stored is not None and stored.truncated == "type"  # there is nothing that could go into a file
        truncated = "type" if is_unread else intake.begin(request.kind, status, headers)
        if truncated is None and status not in (204, 304) and intake.add(body, started):
            truncated = "length"
        page = make_page(request, (status, headers), intake.take(), (started, started), self.name, truncated=truncated)
        if stored is None:
            return page
        return msgspec.structs.replace(
            page,
            fetched_at=stored.fetched_at,
            complete=stored.complete,
            truncated=truncated or stored.truncated,
        )

    def _find(self, request: Request, target: Target) -> Answer:
        if isinstance(self._source, Path):
            return _from_folder(self._source, request.url)
        if isinstance(self._source, ArchivedAnswers):
            return self._source.find(request, target.limits)
        try:
            return self._source[request.url]
        except KeyError:
            raise FetchError("not_in_replay", request.url[:200]) from None

    def close_idle(self) -> None:
        """Nothing: no connection is ever made."""

    async def close(self) -> None:
        """Close the WARC, if it is one."""
        if isinstance(self._source, ArchivedAnswers):
            self._source.close()


class NoResolver(Resolver):
    """What a replay has in place of a resolver: nothing is dialled, so no name is looked up."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """No address."""
        return ()

    def known(self, host: str) -> None:
        """Nothing is."""


def _from_folder(folder: Path, url: str) -> Answer:
    path = unquote(urls.split(url)[3].partition("?")[0])
    if path.endswith("/"):
        path += INDEX
    root = folder.resolve()
    for base in (root / urls.host_key(url), root):
        try:
            file = Path(f"{base}{path}").resolve()
            is_there = file.is_relative_to(root) and file.is_file()
        except (OSError, ValueError):  # too long a name, or one with NUL
            continue
        if is_there:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            return 200, (("Content-Type", kind),), file.read_bytes()
    return 404, (("Content-Type", "text/plain"), ("Content-Length", "0")), b""


def create(settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None) -> ReplayFetcher:
    """The fetcher that the settings ask for; see `crawler.fetch.create`."""
    path = Path(settings.fetch.replay)
    if path.is_dir():
        return ReplayFetcher(path, counter)
    if path.is_file():
        return ReplayFetcher(ArchivedAnswers(path), counter)
    raise UsageError(f"--replay {path} is neither a folder nor a WARC")

"""The pages that every crawler is given: the lab's site or a folder's, on 127.0.0.1, by a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import quote

import msgspec

from crawler import urls
from crawler.lab.answers import Answer, split_host
from crawler.lab.folder import FolderWorld
from crawler.lab.process import STOP_TIMEOUT_S, LabProcess
from crawler.lab.server import LabServer
from crawler.lab.world import World, WorldSpec
from crawler.parse import lexbor
from crawler.parse.charset import decode_text
from crawler.parse.hrefs import LinkJoiner

HOST = "127.0.0.1"
PAGES = 4_389
PAGE_BYTES = 36_000
MAX_LINKS = 5_000
SERVER_START_TIMEOUT_S = 120.0
_NOT_FOUND = Answer(404, (("Content-Type", "text/plain"),), b"left out\n")


class RenamedWorld(World):
    """The lab's only site under the name it is asked by, for crawlers that cannot be told where `site-000.lab` is."""

    def answer(self, authority: str, target: str) -> Answer:
        """What the site answers, with its own name replaced.

        Args:
            authority: Value of the Host header.
            target: Path and query.
        """
        host, port = split_host(authority)
        answer = super().answer(f"{self.hosts[0]}:{port}", target)
        return msgspec.structs.replace(answer, body=answer.body.replace(self.hosts[0].encode(), host.encode()))


class FolderPart(FolderWorld):
    """The pages of a folder that are nearest to its first one; the others are not found.

    Args:
        root: The folder.
        limit: How many HTML pages there are.
    """

    def __init__(self, root: Path, limit: int) -> None:
        super().__init__(root)
        self._chosen = self._nearest(limit)

    def answer(self, authority: str, target: str) -> Answer:
        """The file at a path, unless it is a page that was left out.

        Args:
            authority: Value of the Host header.
            target: Path and query.
        """
        answer = super().answer(authority, target)
        return answer if target in self._chosen or not _is_page(answer) else _NOT_FOUND

    def _nearest(self, limit: int) -> frozenset[str]:
        """The targets of the first pages that are met when links are followed breadth first."""
        start = f"http://{HOST}"
        chosen: set[str] = set()
        known, queue, targets = {"/"}, deque(["/"]), LinkJoiner()
        while queue and len(chosen) < limit:
            target = queue.popleft()
            answer = super().answer(HOST, target)
            if not _is_page(answer):
                continue
            chosen.add(target)
            html, *_ = decode_text(answer.body, None)
            for href in lexbor.read(html, start + target, targets, MAX_LINKS).hrefs:
                if urls.origin(href) == start and (path := href.removeprefix(start)) not in known:
                    known.add(path)
                    queue.append(path)
        return frozenset(chosen)


@contextmanager
def repeated(folder: Path | None, copies: int) -> Iterator[Path | None]:
    """A folder that holds another so many times, with a page that leads to each: its crawl takes longer than its start.

    Args:
        folder: A folder of HTML with an index.html; None stays None.
        copies: How many; 1 gives the folder itself.
    """
    if folder is None or copies == 1:
        yield folder
        return
    with tempfile.TemporaryDirectory() as made:
        for number in range(1, copies + 1):
            shutil.copytree(folder, Path(made) / str(number))
        links = "".join(f'<a href="{number}/">{number}</a>\n' for number in range(1, copies + 1))
        (Path(made) / "index.html").write_text(f"<!doctype html><title>Copies</title>\n{links}")
        yield Path(made)


@contextmanager
def serve(folder: Path | None, limit: int | None) -> Iterator[LabProcess]:
    """Serve the pages for as long as the context lasts; they are all in memory before it is entered.

    Args:
        folder: A folder of HTML with an index.html; None for the lab's site.
        limit: How many pages at most, None for all.

    Raises:
        RuntimeError: If the server did not start.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_pages, args=(folder, limit, theirs), daemon=True)
    process.start()
    theirs.close()

    def stop() -> None:
        ours.close()
        process.join(STOP_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join()

    try:
        if not ours.poll(SERVER_START_TIMEOUT_S):
            raise RuntimeError("the server of the pages did not start in time")
        try:
            port = ours.recv()
        except EOFError:
            raise RuntimeError("the server of the pages did not start; what it said is on standard error") from None
        yield LabProcess(port, process.pid or 0, stop)
    finally:
        stop()


def _serve_pages(folder: Path | None, limit: int | None, parent: Connection) -> None:
    import uvloop  # only the server's process needs it

    world: World | FolderWorld
    if folder is not None:
        world = FolderWorld(folder) if limit is None else FolderPart(folder, limit)
        files = [path.relative_to(world.root) for path in world.root.rglob("*") if path.is_file()]
        targets = ["/" + quote(path.as_posix()) for path in files]
    else:
        size = PAGES if limit is None else limit
        # Without sitemaps, because the peers would not read them.
        world = RenamedWorld(
            WorldSpec(hosts=1, pages_per_host=size, page_bytes=PAGE_BYTES, size_spread=0, sitemaps=False)
        )
        targets = list(world.targets(world.hosts[0]))
    uvloop.run(_serve(world, targets, parent))


async def _serve(world: World | FolderWorld, targets: list[str], parent: Connection) -> None:
    async with LabServer(world) as server:
        for target in targets:
            server.reply(f"{HOST}:{server.port}", target)
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_reader(parent.fileno(), stopped.set)
        parent.send(server.port)
        await stopped.wait()


def _is_page(answer: Answer) -> bool:
    return answer.status == 200 and any("html" in value for name, value in answer.headers if name == "Content-Type")

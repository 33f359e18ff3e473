"""Downloads: the fetcher of a crawl that keeps files, around the one that its strategy names.

It tells each request what an earlier try has left, and waits until a file is on the disk before its page goes on: so no
record ever names a file that a loss of power could take away.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from crawler.errors import FetchError, RunError
from crawler.fetch.base import REFUSED, Fetcher
from crawler.fetch.dial.target import Target
from crawler.files.choice import FileChoice
from crawler.files.download import Download
from crawler.files.finish import finish
from crawler.files.folder import NOTE, PART, FileFolder, NoRoom, partial_name
from crawler.log.crawl_log import tell
from crawler.models import Request, Response

THREADS = 4  # This many threads wait for the disk.
_OTHER_RESOURCES = (errno.EMFILE, errno.ENFILE)  # fewer requests under way may help


class Downloads:
    """Fetches like the fetcher that it is made around, except that bodies which are wanted go into files.

    Args:
        fetcher: Does the fetching; closed with this one.
        run: The run's folder.
        choice: Which bodies are wanted.
        max_file_bytes: How much is written of each.
        min_free_bytes: Left free on the disk.

    Raises:
        RunError: If the run's folder for files cannot be used.
    """

    def __init__(
        self, fetcher: Fetcher, run: Path, choice: FileChoice, max_file_bytes: int, min_free_bytes: int
    ) -> None:
        self._fetcher = fetcher
        self._choice = choice
        self._max_bytes = max_file_bytes
        self._where = run
        try:
            self._folder = FileFolder(run, min_free_bytes)
            self._folder.tidy()
        except OSError as error:
            raise self._unwritable(error) from error
        self._received = 0  # Bytes of downloads that have ended, well or not.
        self._under_way: set[Download] = set()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="files")

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self._fetcher.name

    @property
    def received(self) -> int:
        """Bytes that came of files in this session, those among them that are not whole yet."""
        return self._received + sum(each.received for each in self._under_way)

    async def fetch(self, request: Request, target: Target) -> Response:
        """Ask for one URL; see `Fetcher.fetch`.

        Returns:
            As any fetcher. A body that went into a file is in `Response.saved` if it is whole, and the response is not
            complete if it is not; `Response.truncated` is `REFUSED` where the URL has to be asked for again at once.

        Raises:
            FetchError: If no answer came.
            RunError: If the disk is full, or has less free than it should, or fails.
        """
        try:
            self._folder.check_room()
            if request.kind != "page":
                return await self._fetcher.fetch(request, target)
            return await self._fetch(request, target)
        except OSError as error:
            raise self._unwritable(error) from error

    async def _fetch(self, request: Request, target: Target) -> Response:
        download = Download(self._folder, self._choice, self._max_bytes, request.url)
        headers = (*target.headers, *download.fields)
        self._under_way.add(download)
        try:
            page = await self._fetcher.fetch(request, msgspec.structs.replace(target, headers=headers, sink=download))
        except FetchError as error:
            if download.failure is None or download.failure.errno in _OTHER_RESOURCES:
                raise
            raise download.failure from error
        finally:
            download.close()
            self._under_way.discard(download)
            self._received += download.received
        if download.is_refused:
            sentence = f"asking for all of {request.url}: its rest does not fit what had come"
            tell(logging.INFO, "asked_again", sentence, url=request.url, host=request.host)
            return msgspec.structs.replace(page, truncated=REFUSED)
        return await self._finish(page, download) if download.is_file else page

    async def _finish(self, page: Response, download: Download) -> Response:
        """The page of a download that has ended, well or not."""
        # What came in parts counts as if it had come at once (RFC 9110, 15.3.7.3).
        page = msgspec.structs.replace(page, status=200, headers=download.headers)
        saved = None
        if page.complete and download.is_whole:
            loop = asyncio.get_running_loop()
            saved = await loop.run_in_executor(self._threads, finish, self._folder, self._max_bytes, download)
        if saved is None:
            return msgspec.structs.replace(page, complete=False)
        return msgspec.structs.replace(page, saved=saved, truncated="length" if download.is_cut else page.truncated)

    def close_idle(self) -> None:
        """Close the fetcher's idle connections."""
        self._fetcher.close_idle()

    def forget(self, url: str) -> None:
        """Delete what has come of a URL that will not be asked for again."""
        name = partial_name(url)
        try:
            self._folder.remove(name + PART, name + NOTE)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RunError:
        what = error.strerror or str(error)
        remedy = "make room, then resume" if isinstance(error, NoRoom) else "what was committed before is safe"
        return RunError(f"cannot write files in {self._where}: {what}; {remedy}")

    async def close(self) -> None:
        """Close the fetcher, and let what is being finished come to its end."""
        try:
            await self._fetcher.close()
        finally:
            await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
            self._folder.leave()
            self._folder.close()

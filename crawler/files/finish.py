"""Files that are whole: unpacked, on the disk, and under the name that they keep.

What a server packed for the way is saved unpacked, as a browser would save it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from crawler.files.choice import FileChoice, suffix_of
from crawler.files.coding import GZIP_MAGIC, CodingError, can_undo, codings_of, decoded
from crawler.files.download import Download, Fields
from crawler.files.folder import CHECK_BYTES, NOTE, PART, FileFolder, partial_name
from crawler.files.media_types import essence
from crawler.files.names import flat_path_of, path_of
from crawler.models import Saved

READ_BYTES = 1024 * 1024
DECODED = ".decoded.part"
PAGE = ".page.part"


def finish(folder: FileFolder, max_bytes: int, download: Download) -> Saved | None:
    """Give a download that is whole its lasting name, when it is on the disk; blocks.

    Args:
        folder: Where it is.
        max_bytes: How much of it is unpacked; the rest is cut off.
        download: Which has ended.

    Returns:
        None if its content-coding breaks off, and all of it is gone then.

    Raises:
        OSError: If it cannot be written.
    """
    fields = Fields(download.headers)
    content_type, suggestion = fields.first("content-type"), fields.first("content-disposition")
    part, plain = download.name + PART, download.name + DECODED
    whole, error = part, None
    try:
        if download.size and (codings := codings_of(fields.every("content-encoding"))):
            error = _unpack(folder, max_bytes, download, codings)
            if error == "broken_coding":
                folder.remove(part, download.name + NOTE)
                return None
            is_packed_itself = codings[-1] in ("gzip", "x-gzip") and _is_gzip(download.url, content_type)
            # Servers call the packing that is the file's own a content-coding; undone, it would not be that file.
            if error is None and not (is_packed_itself and folder.read(plain, 2) != GZIP_MAGIC):
                whole = plain
        size, digest = _sealed(folder, whole)
        path = folder.keep(
            whole,
            path_of(download.url, content_type, suggestion),
            flat_path_of(download.url, content_type, suggestion),
        )
        folder.remove(part, download.name + NOTE)
    finally:
        folder.remove(plain)
    return Saved(path, size, digest, download.size, error)


def _is_gzip(url: str, content_type: str | None) -> bool:
    """Whether a file is a gzip file by its name or its type."""
    return suffix_of(url) in ("gz", "tgz", "svgz") or essence(content_type) in (
        "application/gzip",
        "application/x-gzip",
    )


def _unpack(folder: FileFolder, max_bytes: int, download: Download, codings: list[str]) -> str | None:
    """Undo the codings of a download into a file beside it; returns why that cannot be done, None if it could."""
    if not can_undo(codings):
        return "unknown_coding"
    room, unchecked = max_bytes, 0
    source, target = folder.open(download.name + PART), folder.create(download.name + DECODED)
    with os.fdopen(source, "rb") as packed, os.fdopen(target, "wb") as file:
        try:
            for piece in decoded(_pieces(packed.fileno()), codings):
                file.write(piece[:room])
                if len(piece) > room:
                    download.is_cut = True
                    break
                room -= len(piece)
                unchecked += len(piece)
                if unchecked >= CHECK_BYTES:
                    unchecked = 0
                    folder.check_room()
        except CodingError:
            if room == max_bytes:
                return "bad_coding"
            return None if download.is_cut else "broken_coding"
    return None


def _sealed(folder: FileFolder, name: str) -> tuple[int, str]:
    """Wait until a partial file is on the disk; returns its size and the digest of what is there."""
    descriptor = folder.open(name)
    try:
        os.fsync(descriptor)
        return digest_of(descriptor)
    finally:
        os.close(descriptor)


def digest_of(descriptor: int) -> tuple[int, str]:
    """The length of an open file, bytes, and its digest as a record has it."""
    size, digest = 0, hashlib.sha256()
    for piece in _pieces(descriptor):
        size += len(piece)
        digest.update(piece)
    return size, f"sha256:{digest.hexdigest()}"


def _pieces(descriptor: int) -> Iterator[bytes]:
    while piece := os.read(descriptor, READ_BYTES):
        yield piece


class PageFiles:
    """Keeps HTML pages, where they are parsed; it pickles.

    Args:
        run: The run's folder.
        choice: Which pages are kept.
    """

    def __init__(self, run: Path, choice: FileChoice) -> None:
        self._run = run
        self._choice = choice

    def keep(self, url: str, content_type: str | None, body: bytes) -> str | None:
        """Save a page.

        Args:
            url: Canonical URL.
            content_type: Its Content-Type field, or None.
            body: With its content-coding undone.

        Returns:
            Where it is, within the run's folder; None if it is not kept.

        Raises:
            OSError: If it cannot be written.
        """
        if not self._choice.wants_page(url, content_type):
            return None
        name = partial_name(url) + PAGE
        with closing(FileFolder(self._run)) as folder:
            with os.fdopen(folder.create(name), "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            return folder.keep(name, path_of(url, "text/html"), flat_path_of(url, "text/html"))

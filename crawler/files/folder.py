"""`files/` of a run's folder: names are looked up relative to open folders, and no symbolic link is followed."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

FOLDER = "files"
PARTIAL = "+partial"  # what is not complete; a `+` is in no plain host's name
PART = ".part"
NOTE = ".part.json"
CHECK_BYTES = 16 * 1024 * 1024  # written between two looks at the room that is left

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FOLDER = _READ | os.O_DIRECTORY
_RESUMABLE = re.compile(r"[0-9a-f]{32}(?:\.part|\.part\.json)")
_IN_THE_WAY = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST, errno.ENOTEMPTY})


class NoRoom(OSError):
    """The disk has less free than it should."""


def partial_name(url: str) -> str:
    """The name, without a suffix, of what has come of a URL's body so far."""
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class FileFolder:
    """The files of a run, those that are complete and those that are not.

    Args:
        run: The run's folder, which exists.
        min_free_bytes: Left free on its disk.

    Raises:
        OSError: If its `files/` cannot be made, or is something else than a folder.
    """

    def __init__(self, run: Path, min_free_bytes: int = 0) -> None:
        self._min_free_bytes = min_free_bytes
        parent = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._files = _entered(parent, FOLDER)
        finally:
            os.close(parent)
        try:
            self._partial = _entered(self._files, PARTIAL)
        except BaseException:
            os.close(self._files)
            raise

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._partial)
        os.close(self._files)

    def check_room(self) -> None:
        """Raise NoRoom if the disk has less free than it should."""
        room = os.fstatvfs(self._files)
        if room.f_bavail * room.f_frsize < self._min_free_bytes:
            wanted = f"{self._min_free_bytes / 2**30:,.1f} GiB"
            raise NoRoom(errno.ENOSPC, f"less than {wanted} are free on the disk, see --min-free")

    # What is not complete

    def create(self, name: str) -> int:
        """Open a new partial file for writing; one of that name is gone then."""
        self.remove(name)
        return os.open(name, _WRITE | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=self._partial)

    def reopen(self, name: str, size: int) -> int | None:
        """Open a partial file to write behind its first `size` bytes; None if it is not what we left."""
        try:
            descriptor = os.open(name, _WRITE, dir_fd=self._partial)
        except FileNotFoundError:
            return None
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size < size:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, size)
        os.lseek(descriptor, size, os.SEEK_SET)
        return descriptor

    def size(self, name: str) -> int | None:
        """Bytes of a partial file, None where there is none."""
        try:
            found = os.stat(name, dir_fd=self._partial, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, name: str, limit: int) -> bytes:
        """The beginning of a partial file; nothing where there is none."""
        try:
            descriptor = os.open(name, _READ, dir_fd=self._partial)
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            return file.read(limit)

    def open(self, name: str) -> int:
        """Open a partial file for reading."""
        return os.open(name, _READ, dir_fd=self._partial)

    def remove(self, *names: str) -> None:
        """Delete partial files, as far as they are there."""
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._partial)

    def tidy(self) -> None:
        """Delete what an earlier session left that cannot be gone on with."""
        with os.scandir(self._partial) as entries:
            names = [entry.name for entry in entries if not _RESUMABLE.fullmatch(entry.name)]
        for name in names:
            with suppress(IsADirectoryError, PermissionError):
                self.remove(name)

    def leave(self) -> None:
        """Delete the folder of partial files if there are none; nothing can be written any more."""
        with suppress(OSError):
            os.rmdir(PARTIAL, dir_fd=self._files)

    # What is complete

    def keep(self, name: str, path: Sequence[str], otherwise: Sequence[str]) -> str:
        """Give a partial file, which is on the disk, its lasting name; a file of that name is replaced.

        Args:
            name: Of the partial file.
            path: Where it goes.
            otherwise: Where it goes if something that is no file of ours is in the way.

        Returns:
            Where it went, within the run's folder.

        Raises:
            OSError: If it cannot be renamed.
        """
        try:
            return self._move(name, path)
        except OSError as error:
            if error.errno not in _IN_THE_WAY or path == otherwise:
                raise
        return self._move(name, otherwise)

    def _move(self, name: str, path: Sequence[str]) -> str:
        *folders, last = path
        with _walk(self._files, folders, _entered) as folder:
            os.rename(name, last, src_dir_fd=self._partial, dst_dir_fd=folder)
            os.fsync(folder)
        return "/".join((FOLDER, *path))


@contextmanager
def opened(run: Path, path: str) -> Iterator[int]:
    """Open a saved file for reading, no symbolic link followed below the run's folder.

    Args:
        run: The run's folder.
        path: As a record has it.

    Raises:
        OSError: If it is not there, or is no file.
        ValueError: If no file of a run can be there.
    """
    parts = path.split("/")
    if len(parts) < 3 or parts[0] != FOLDER or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise ValueError(path)
    *folders, last = parts
    start = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _walk(start, folders, _found) as folder:
            # A pipe without a writer would be waited for.
            descriptor = os.open(last, _READ | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(start)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _walk(start: int, folders: Sequence[str], step: Callable[[int, str], int]) -> Iterator[int]:
    """Go down from an open folder; the last one is open while the context is."""
    at = os.dup(start)
    try:
        for name in folders:
            below = step(at, name)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def _found(parent: int, name: str) -> int:
    return os.open(name, _OPEN_FOLDER, dir_fd=parent)


def _entered(parent: int, name: str) -> int:
    """Open a folder, made if missing."""
    try:
        return _found(parent, name)
    except FileNotFoundError:
        pass
    with suppress(FileExistsError):  # another process was faster
        os.mkdir(name, 0o755, dir_fd=parent)
        os.fsync(parent)
    return _found(parent, name)

"""What is being worked on, in a small memory-mapped file: it survives the process, however that dies.

After an unclean stop it names the URLs one of which may have killed the process. It is a hint and no promise, so it is
never synced: the kernel keeps it when the process is killed, and after a power cut no URL is to blame.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from crawler.errors import RunError

SLOTS = 65_536
_ENTRY = struct.Struct("<q")  # a `seq`, 0 for none
_SIZE = (SLOTS + 1) * _ENTRY.size  # the first entry is the URL that runs alone


class InProgress:
    """The URLs that are being fetched or parsed, by their position in the store.

    Args:
        path: The file; made if missing.

    Raises:
        RunError: If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("a+b") as file:
                file.truncate(_SIZE)
                if hasattr(os, "posix_fallocate"):
                    # A write into a hole of a mapped file is no error on a full disk but a signal that kills.
                    os.posix_fallocate(file.fileno(), 0, _SIZE)
                self._map = mmap.mmap(file.fileno(), _SIZE)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from None
        self._slots: dict[int, int] = {}
        self._free = list(range(_SIZE - _ENTRY.size, 0, -_ENTRY.size))

    def enter(self, seq: int, *, alone: bool = False) -> None:
        """A URL is being worked on from now, perhaps with nothing else beside it."""
        if alone:
            _ENTRY.pack_into(self._map, 0, seq)
        elif seq and self._free:
            offset = self._slots[seq] = self._free.pop()
            _ENTRY.pack_into(self._map, offset, seq)

    def leave(self, seq: int) -> None:
        """Nobody works on a URL any more."""
        offset = self._slots.pop(seq, None)
        if offset is not None:
            _ENTRY.pack_into(self._map, offset, 0)
            self._free.append(offset)
        if seq and _ENTRY.unpack_from(self._map, 0)[0] == seq:
            _ENTRY.pack_into(self._map, 0, 0)

    def left_over(self) -> tuple[int, list[int]]:
        """What an earlier process left: the URL that ran alone (or 0), and those that were under way."""
        alone, *rest = (entry[0] for entry in _ENTRY.iter_unpack(self._map[:]))
        return alone, [seq for seq in rest if seq]

    def clear(self) -> None:
        """Forget everything."""
        self._map[:] = bytes(_SIZE)

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()

"""Files that appear under their name when they are whole, and never before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from crawler.errors import RunError, UsageError
from crawler.store.journal import sync_folder


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its name once all is on the disk, and goes away if anything fails.

    Args:
        target: A file that exists is replaced; a link is replaced itself, not what it leads to.

    Raises:
        UsageError: If the target is a folder, or no file can be made beside it.
        RunError: If the disk is full or failing.
    """
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)  # An export that was killed, or somebody else, may have left it.
        file = part.open("xb")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    try:
        yield file
        file.flush()
        os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise RunError(f"{target} could not be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # closing writes what is left to the same full disk; the first error is told
            file.close()
        part.unlink(missing_ok=True)

"""Whether the files that records name are there and hold what the records say."""

from __future__ import annotations

from pathlib import Path

from crawler.files.finish import digest_of
from crawler.files.folder import opened
from crawler.models import Record
from crawler.store.checks import short


def fault_of(folder: Path, record: Record) -> str | None:
    """What is wrong with a record's file, in a sentence; None if nothing is, or if it has none.

    Args:
        folder: The run's folder.
        record: Any record of the run.
    """
    if record.file is None:
        return None
    named = f"{short(record.file)}, the file of {short(record.url)},"
    try:
        with opened(folder, record.file) as descriptor:
            size, digest = digest_of(descriptor)
    except FileNotFoundError:
        return f"{named} is missing"
    except ValueError:
        return f"{named} cannot be the place of a file"
    except OSError as error:
        return f"{named} cannot be read: {error.strerror}"
    if size != record.bytes:
        return f"{named} has {size:,} bytes, its record says {record.bytes or 0:,}"
    return None if digest == record.digest else f"{named} does not hold what was saved: its digest is another"

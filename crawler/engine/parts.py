"""What a crawl is made of."""

from __future__ import annotations

from msgspec import Struct

from crawler.engine.downloads import Downloads
from crawler.fetch.base import ByteCount, Fetcher
from crawler.fetch.dial.targets import Targets
from crawler.parse.workers.base import ParsePool
from crawler.store.archive import Archive
from crawler.store.base import Store
from crawler.store.in_progress import InProgress
from crawler.store.journal import Journal


class Parts(Struct):
    """What a crawl is made of, put together by `assembly.py`.

    Args:
        fetcher, pool, store: One of each seam.
        journal: Where records go; None keeps none.
        archive: Where answers go as they came; None keeps none.
        in_progress: Where it is noted what is being worked on; None does not.
        targets: Resolves and vets what is dialled.
        held: Bytes of bodies between download and parse.
        downloads: The fetcher once more if it saves files.
    """

    fetcher: Fetcher
    pool: ParsePool
    store: Store
    journal: Journal | None
    archive: Archive | None
    in_progress: InProgress | None
    targets: Targets
    held: ByteCount
    downloads: Downloads | None = None

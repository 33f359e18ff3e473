"""The crawl by Crawlee: `python -m tests.bench.peers.crawlee_crawl SEED FILE [--lean]`, run by the peers' Python."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urljoin

from crawlee import ConcurrencySettings
from crawlee.crawlers import BasicCrawlingContext, ParselCrawler, ParselCrawlingContext
from crawlee.http_clients import ImpitHttpClient
from crawlee.storage_clients import MemoryStorageClient

from tests.bench.peers.fields import fields, origin

CONCURRENCY = ConcurrencySettings(min_concurrency=32, max_concurrency=32, desired_concurrency=32)
PACKAGES = ("crawlee", "impit", "parsel", "lxml")


async def crawl(seed: str, file: Path, lean: bool) -> float:
    """Follow every link within one host and keep the fields of each HTML page.

    Args:
        seed: URL of the first page.
        file: Where the records go, one JSON object a line.
        lean: Whether to remember which links were passed on, instead of leaving all of that to Crawlee.

    Returns:
        Seconds from the first request to the last record.
    """
    crawler = _crawler()
    started: list[float] = []
    known = {seed}

    @crawler.pre_navigation_hook
    async def requested(context: BasicCrawlingContext) -> None:
        if not started:
            started.append(time.monotonic())

    @crawler.router.default_handler
    async def answered(context: ParselCrawlingContext) -> None:
        if "html" not in context.http_response.headers.get("content-type", ""):
            return
        url = context.request.loaded_url or context.request.url
        base = urljoin(url, context.selector.xpath("/html/head/base/@href").get() or "")
        page = fields(context.selector, url, base)
        await context.push_data(page)
        if lean:
            new = [link for link in page["links"] if link not in known and link.startswith(origin(seed))]
            known.update(new)
            await context.add_requests(new)
        else:
            await context.enqueue_links(selector="a[href], area[href]", strategy="same-origin")

    await crawler.run.folder([seed])
    await _write(crawler, file)
    if not started:
        raise SystemExit("Crawlee asked for nothing")
    return time.monotonic() - started[0]


def _crawler() -> ParselCrawler:
    return ParselCrawler(
        storage_client=MemoryStorageClient(),
        http_client=ImpitHttpClient(),
        concurrency_settings=CONCURRENCY,
        respect_robots_txt_file=True,
        use_session_pool=False,
        configure_logging=False,
    )


async def _write(crawler: ParselCrawler, file: Path) -> None:
    dataset = await crawler.get_dataset()
    with file.open("w", encoding="utf-8") as lines:
        async for page in dataset.iterate_items():
            lines.write(json.dumps(page) + "\n")


def main() -> None:
    """Crawl and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed")
    parser.add_argument("file", type=Path)
    parser.add_argument("--lean", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)  # each dead link would be a traceback otherwise
    seconds = asyncio.run(crawl(arguments.seed, arguments.file, arguments.lean))
    print(json.dumps({"seconds": seconds, "versions": {name: version(name) for name in PACKAGES}}))


if __name__ == "__main__":
    main()

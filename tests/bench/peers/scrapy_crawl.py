"""The crawl by Scrapy: `python -m tests.bench.peers.scrapy_crawl SEED FILE [--lean]`, run by the peers' Python."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from scrapy import Request, Spider, signals
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.utils.response import get_base_url

from tests.bench.peers.fields import fields, origin

SETTINGS = {
    "CONCURRENT_REQUESTS": 32,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
    "DOWNLOAD_DELAY": 0,
    "AUTOTHROTTLE_ENABLED": False,
    "ROBOTSTXT_OBEY": True,
    "LOG_LEVEL": "WARNING",
    "TELNETCONSOLE_ENABLED": False,
    "COOKIES_ENABLED": False,
    "HTTPPROXY_ENABLED": False,
    "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
}
PACKAGES = ("scrapy", "twisted", "parsel", "lxml", "uvloop")


class SiteSpider(Spider):
    """Follows every link within one host and keeps the fields of each HTML page.

    Args:
        seed: URL of the first page.
        lean: Whether to remember which links were passed on, instead of leaving all of that to Scrapy.
    """

    name = "site"

    def __init__(self, seed: str, lean: bool, **kwargs: Any) -> None:
        super().__init__(start_urls=[seed], **kwargs)
        self._origin = origin(seed)
        self._known: set[str] | None = {seed} if lean else None

    def parse(self, response: Response, **kwargs: Any) -> Iterator[Any]:
        """A page's record, and requests for where its links lead."""
        if not isinstance(response, HtmlResponse):
            return
        page = fields(response.selector, response.url, get_base_url(response))
        yield page
        for link in page["links"]:
            if link.startswith(self._origin) and self._is_wanted(link):
                yield Request(link)

    def _is_wanted(self, link: str) -> bool:
        if self._known is None:
            return True
        is_new = link not in self._known
        self._known.add(link)
        return is_new


class Times:
    """When the first request left and when the last record was made, monotonic seconds."""

    first: float | None = None
    last = 0.0

    def requested(self) -> None:
        """A request leaves, that for robots.txt included."""
        self.first = self.first or time.monotonic()

    def recorded(self) -> None:
        """A record is on its way to the file."""
        self.last = time.monotonic()


def main() -> None:
    """Crawl and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed")
    parser.add_argument("file")
    parser.add_argument("--lean", action="store_true")
    arguments = parser.parse_args()
    process = CrawlerProcess({**SETTINGS, "FEEDS": {arguments.file: {"format": "jsonlines"}}})
    crawler = process.create_crawler(SiteSpider)
    times = Times()
    crawler.signals.connect(times.requested, signals.request_reached_downloader)
    crawler.signals.connect(times.recorded, signals.item_scraped)
    process.crawl(crawler, seed=arguments.seed, lean=arguments.lean)
    process.start()
    if times.first is None:
        raise SystemExit("Scrapy asked for nothing")
    print(json.dumps({"seconds": times.last - times.first, "versions": {name: version(name) for name in PACKAGES}}))


if __name__ == "__main__":
    main()

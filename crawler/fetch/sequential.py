"""The strategy `sequential`: one request at a time, the baseline that the others are measured against."""

from __future__ import annotations

from ssl import SSLContext

from crawler.fetch.base import ByteCount, tls_context
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.proxy import Proxy, find_proxy
from crawler.fetch.threads import ThreadsFetcher
from crawler.settings.groups import Settings


class SequentialFetcher(ThreadsFetcher):
    """Fetches with requests in a single thread; whoever comes meanwhile waits in line.

    Args:
        guard: Asked for every socket.
        counter: Where the bytes of bodies are counted.
        tls: TLS settings.
        proxy: The proxy that every request goes through, or None.
    """

    name = "sequential"

    def __init__(self, guard: Guard, counter: ByteCount, tls: SSLContext, proxy: Proxy | None = None) -> None:
        super().__init__(guard, counter, tls, 1, proxy)


def create(settings: Settings, guard: Guard, counter: ByteCount, tls: SSLContext | None = None) -> SequentialFetcher:
    """The fetcher that the settings ask for; see `crawler.fetch.create`."""
    proxy = find_proxy(settings.fetch.proxy, settings.fetch.resolve, guard)
    return SequentialFetcher(guard, counter, tls or tls_context(), proxy)

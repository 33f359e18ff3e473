"""The least that a page can cost in Python: a bare fetch and a bare parse, each to be run in a process of its own.

What a crawler adds to them (limits, deadlines, records, links to follow, politeness, durability) is measured against
these.
"""

from __future__ import annotations

import gc
import importlib.util
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import ada_url
from selectolax.lexbor import LexborHTMLParser

from crawler.bench.samples import Sample
from crawler.bench.web import ADDRESS, Corpus
from crawler.parse.workers.worker import keep_memory

if TYPE_CHECKING:
    import pycurl

READ_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 10.0
SELECT_S = 1.0


def client() -> str:
    """What the bare fetch is done with: libcurl where it is installed, as the cheapest client that is a library."""
    return "libcurl" if importlib.util.find_spec("pycurl") else "sockets"


def fetch(folder: Path, port: int, concurrency: int) -> Sample:
    """Read every body of a corpus over kept connections, and nothing else.

    Args:
        folder: The corpus.
        port: Where it is served on this machine.
        concurrency: Connections.
    """
    corpus = Corpus.load(folder)
    ask = _with_libcurl if client() == "libcurl" else with_sockets
    started, cpu_started = time.monotonic(), time.process_time()
    bytes_read = ask(corpus, port, concurrency)
    cpu_s, wall_s = time.process_time() - cpu_started, time.monotonic() - started
    return Sample(count=len(corpus.entries), wall_s=wall_s, cpu_s={"fetcher": cpu_s}, bytes_read=bytes_read)


def _with_libcurl(corpus: Corpus, port: int, concurrency: int) -> int:
    import pycurl

    waiting = iter(corpus.entries)
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, concurrency)
    running = bytes_read = 0

    def ask(handle: pycurl.Curl) -> int:
        entry = next(waiting, None)
        if entry is None:
            return 0
        handle.setopt(pycurl.URL, corpus.url(entry))
        multi.add_handle(handle)
        return 1

    handles = [_handle(f"{corpus.authority}:{ADDRESS}") for _ in range(min(concurrency, len(corpus.entries)))]
    for handle in handles:
        running += ask(handle)
    while running:
        multi.perform()
        left, ended, failed = multi.info_read()
        if failed:
            raise RuntimeError(f"libcurl: {failed[0][2]}")
        for handle in ended:
            bytes_read += handle.getinfo(pycurl.SIZE_DOWNLOAD_T)
            multi.remove_handle(handle)
            running += ask(handle) - 1
        if not ended and not left:
            multi.select(SELECT_S)
    return bytes_read


def _handle(resolved: str) -> pycurl.Curl:
    import pycurl

    handle = pycurl.Curl()
    handle.setopt(pycurl.RESOLVE, [resolved])
    handle.setopt(pycurl.WRITEFUNCTION, _drop)
    handle.setopt(pycurl.BUFFERSIZE, READ_BYTES)
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.PROXY, "")
    return handle


def _drop(piece: bytes) -> None:
    pass


def with_sockets(corpus: Corpus, port: int, concurrency: int) -> int:
    """Ask over plain sockets; only for servers that announce each length, as the lab does. Returns the bodies' bytes.

    Args:
        corpus: What to ask for.
        port: Where it is served on this machine.
        concurrency: Connections, each with a thread.
    """
    waiting = iter(corpus.entries)
    authority = corpus.authority.encode()

    def ask() -> int:
        bytes_read = 0
        with socket.create_connection((ADDRESS, port), CONNECT_TIMEOUT_S) as connection:
            for entry in waiting:
                target = entry.target.encode()
                connection.sendall(b"GET %b HTTP/1.1\r\nHost: %b\r\nAccept: */*\r\n\r\n" % (target, authority))
                bytes_read += _receive(connection)
        return bytes_read

    with ThreadPoolExecutor(concurrency) as threads:
        asked = [threads.submit(ask) for _ in range(min(concurrency, len(corpus.entries)))]
        return sum(each.result() for each in asked)


def _receive(connection: socket.socket) -> int:
    """Read one answer whose head comes in one piece; returns the bytes of its body."""
    head, _, body = connection.recv(READ_BYTES).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    left = length - len(body)
    while left:
        size = len(connection.recv(READ_BYTES))
        if not size:
            raise RuntimeError("the server closed a connection")
        left -= size
    return length


def parse(folder: Path) -> Sample:
    """Read tree, title, description, h1, text and joined links of every page of a corpus, and nothing else.

    Args:
        folder: The corpus.
    """
    as_in_a_worker()
    corpus = Corpus.load(folder)
    clock = Clock()
    for entry, body in corpus.bodies():
        url = corpus.url(entry)
        with clock:
            read(body, url)
    return clock.sample("parser", corpus)


def read(html: bytes, url: str) -> tuple[list[str], str | None, dict[str, str | None]]:
    """The texts, the description and the links of a page.

    Args:
        html: Its bytes as received.
        url: Its URL.
    """
    tree = LexborHTMLParser(html)
    title, h1 = tree.css_first("title"), tree.css_first("h1")
    description = tree.css_first('meta[name="description"]')
    links: dict[str, str | None] = {}
    for node in tree.css("a[href]"):
        href = node.attributes["href"] or ""
        if href not in links:
            links[href] = _joined(url, href)
    texts = [node.text() for node in (title, h1, tree.body) if node is not None]
    return texts, description.attributes.get("content") if description is not None else None, links


def _joined(url: str, href: str) -> str | None:
    try:
        return ada_url.join_url(url, href)
    except ValueError:
        return None


def as_in_a_worker() -> None:
    """Treat memory as parse workers do: keep what is freed, and spare the collector what lives for good."""
    keep_memory()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Clock:
    """Adds up the time spent in its context, entered once for each page, so that reading a page does not count."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def __exit__(self, *exc: object) -> None:
        self.cpu_s += time.thread_time() - self._cpu
        self.wall_s += time.perf_counter() - self._wall

    def sample(self, process: str, corpus: Corpus) -> Sample:
        """What it has measured.

        Args:
            process: Whose time it is.
            corpus: The pages.
        """
        return Sample(
            count=len(corpus.entries), wall_s=self.wall_s, cpu_s={process: self.cpu_s}, bytes_read=corpus.size
        )

"""A site of a few pages on loopback, whose answers can be held back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOMENT_S = 0.5
ASKED_WITHIN_S = 60.0


class Site:
    """The pages and their manners.

    Args:
        pages: Paths, and the paths that they link to.
        holds: Paths that are never answered.
        slow: Paths that are answered after a moment.
        follows: Path → the path whose request it waits for, but no longer than a moment.
    """

    def __init__(
        self,
        pages: dict[str, list[str]],
        *,
        holds: tuple[str, ...] = (),
        slow: tuple[str, ...] = (),
        follows: dict[str, str] | None = None,
    ) -> None:
        self.pages = pages
        self.holds = holds
        self.slow = slow
        self.follows = follows or {}
        self.asked = {path: threading.Event() for path in pages}
        self.requests: Counter[str] = Counter()
        self.is_over = threading.Event()
        self.port = 0

    def url(self, path: str) -> str:
        """The canonical URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def wait_for(self, path: str) -> None:
        """Wait until a path is asked for, after the last time that somebody waited for it."""
        assert self.asked[path].wait(ASKED_WITHIN_S), f"nobody asks for {path}"
        self.asked[path].clear()

    def answer(self, path: str) -> bytes | None:
        """The body of a page, None where there is none; returns when it may be sent."""
        if path not in self.pages:
            return None
        self.requests[path] += 1
        self.asked[path].set()
        if path in self.holds:
            self.is_over.wait()
        if path in self.slow:
            self.is_over.wait(MOMENT_S)
        if path in self.follows:
            other = self.asked[self.follows[path]]
            other.wait(MOMENT_S)
            other.clear()
        links = "".join(f'<a href="{link}">{link}</a>' for link in self.pages[path])
        return f"<title>{path}</title>{links}".encode()


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve a site, each connection from a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = site.answer(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def handle(self) -> None:
            with suppress(ConnectionError):  # a killed crawler
                super().handle()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        site.port = server.server_address[1]
        thread = threading.Thread(
            target=server.serve_forever, args=(0.05,)
        )  # seconds until it notices that it is to end
        thread.start()
        try:
            yield site
        finally:
            site.is_over.set()
            server.shutdown()
            thread.join()

"""Small servers on loopback whose answers are a function or a table, and the options of a crawl that is quick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

Routes = dict[str, tuple[int, dict[str, str], bytes]]  # by path: status, header fields, body
QUICK = ("--delay", 0, "--patience", 0, "--retries", 0)
PAGE = (200, {"Content-Type": "text/html"}, b"<title>x</title>")


class Asked(NamedTuple):
    """One request as a server saw it."""

    host: str
    path: str
    cookie: str | None
    authorization: str | None


class Answer(NamedTuple):
    """What a server says to it; the body's length is told unless the fields tell another one."""

    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@contextmanager
def serve_answers(site: Callable[[Asked], Answer]) -> Iterator[tuple[int, list[Asked]]]:
    """A server on loopback: its port, and what it was asked for."""
    log: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = (self.headers["Host"] or "").partition(":")[0]
            asked = Asked(host, self.path, self.headers["Cookie"], self.headers["Authorization"])
            log.append(asked)
            answer = site(asked)
            own = {"Content-Length": str(len(answer.body)), "Connection": "close"}
            said = {name for name, _ in answer.fields}
            self.send_response(answer.status)
            for name, value in (*((name, own[name]) for name in own if name not in said), *answer.fields):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))  # seconds until it notices that it is to end
    thread.start()
    try:
        yield server.server_port, log
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serve(routes: Routes) -> Iterator[tuple[str, Counter[str]]]:
    """A server of a table, which may change meanwhile: its URL, and how often each path was asked for.

    In a header field, `{next}` is the number in the query and one more.
    """
    asked: Counter[str] = Counter()

    def site(request: Asked) -> Answer:
        asked[request.path] += 1
        path, _, query = request.path.partition("?")
        status, headers, body = routes.get(path, (404, {}, b""))
        number = str(int(query or 0) + 1) if query.isdecimal() or not query else ""
        return Answer(status, tuple((name, value.replace("{next}", number)) for name, value in headers.items()), body)

    with serve_answers(site) as (port, _):
        yield f"http://127.0.0.1:{port}", asked

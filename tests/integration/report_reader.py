"""A report as a reader finds it, and runs that it is made of."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from crawler.models import Document, Outcome, Request, Response
from crawler.records import record_line
from crawler.report import page
from crawler.run.folder import Run
from crawler.store.base import Done
from tests.unit.made_run import MadeRun, found

HOME = "http://a.example/"
HOSTILE = "</title></svg><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[2J"
EMPTY = ("meta", "link", "br", "img")


class Reader(HTMLParser):
    """What a report says: its elements, its figures by name, and the text of each of its sections."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, list[str]] = {}
        self.unclosed: list[str] = []
        self._section = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.elements.append((tag, given))
        if tag == "section":
            self._section = given["id"] or ""
        if tag not in EMPTY:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.sections.setdefault(self._section, []).append(data.strip())

    def figure(self, name: str) -> str:
        """The figure with a name in the summary."""
        said = self.sections["summary"]
        return said[said.index(name) + 1]

    def text(self, section: str) -> str:
        return " ".join(self.sections.get(section, []))

    def hrefs(self) -> list[str]:
        return [given["href"] or "" for tag, given in self.elements if tag == "a"]


def report(folder: Path) -> Reader:
    """Make the report of a run and read it."""
    reader = Reader(page.write(Run(folder)))
    assert reader.unclosed == []
    return reader


def ended(request: Request, status: int, *links: str, title: str | None = None, to: str | None = None) -> Done:
    """A request that was answered with a status, by a page that links somewhere."""
    outcome: Outcome = "redirect" if to else "ok" if status < 400 else "http_error"
    reason = None if outcome == "ok" else str(status)
    answer = Response(request, status, (("content-type", "text/html"),), b"x" * 2000, 1.7e9, 0.25, "asyncio")
    document = Document(title=title, text="words", hrefs=list(links)) if outcome == "ok" else None
    fields: dict[str, Any] = {
        "page": answer,
        "redirect_to": to,
        "document": document,
        "digest": f"sha256:{request.seq:064x}",
    }
    return Done(request, outcome, reason, record_line(request, outcome, **fields))


def made(folder: Path, answers: dict[str, Callable[[Request], Done]]) -> Path:
    """A run in which these URLs were answered so."""
    run = MadeRun(folder)
    requests = run.commit(groups=[found(*answers)])
    run.commit([answers[request.url](request) for request in requests])
    return run.close()

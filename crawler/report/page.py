"""`crawler report`: a run as one HTML file that needs nothing else, with pictures, for a browser or for paper."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from crawler.report import charts
from crawler.report.findings import Findings, gather
from crawler.report.sections import content, overview, timing, troubles
from crawler.report.sections.markup import Html, join, tag
from crawler.report.sections.style import SCRIPT, STYLE
from crawler.run.folder import Run
from crawler.store.replacing import replacing
from crawler.version import VERSION

_SECTIONS = (
    overview.summary,
    overview.bottleneck,
    timing.speed,
    timing.stages,
    timing.hosts,
    timing.slow_pages,
    troubles.answers,
    troubles.reasons,
    troubles.broken,
    troubles.redirects,
    content.pages,
    content.alike,
    content.site,
    troubles.outside,
    troubles.traps,
)
_HEADING = re.compile(r'<h2 id="([a-z]+)-title">([^<]*)</h2>')


def write(chosen: Run, path: Path | None = None) -> Path:
    """Make the report of a run.

    Args:
        chosen: The run; a crawl may be going on in it.
        path: The file; `report.html` in the run's folder if not given.

    Returns:
        The file.

    Raises:
        RunError: If the run's journal is missing or damaged.
        UsageError: If the file cannot be written.
    """
    target = path or chosen.report
    data = render(gather(chosen)).encode("utf-8", "replace")
    with replacing(target) as file:
        file.write(data)
    return target


def render(facts: Findings) -> str:
    """The whole page."""
    head = overview.header(facts)
    sections = [part for part in (make(facts) for make in _SECTIONS) if part]
    named = [found for part in sections for found in _HEADING.findall(part)]
    contents = tag("ul", *(tag("li", tag("a", Html(title), href=f"#{name}")) for name, title in named))
    body = [
        tag("a", "To the figures", class_="skip", href="#main"),
        head,
        tag("nav", contents, aria_label="Contents"),
        tag("main", *sections, id="main"),
        tag("footer", f"Made by crawler {VERSION} at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC. "),
        tag("script", Html(SCRIPT)),
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{_head(facts)}\n<body>\n{join(body, chr(10))}\n</body>\n</html>\n'


def _head(facts: Findings) -> str:
    style = charts.STYLE + STYLE
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src {_digest(style)}",
            f"script-src {_digest(SCRIPT)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    metas = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="robots" content="noindex">',
        '<link rel="icon" href="data:,">',
    ]
    title = tag("title", f"Crawl report: {facts.sources.run.folder.name}")
    return "\n".join(["<head>", *metas, title, tag("style", Html(style)), "</head>"])


def _digest(text: str) -> str:
    """What a Content-Security-Policy calls a style or a script that is allowed."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

"""What an answer means for the crawl: pure judgements on a status and its headers, the same for every strategy."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from crawler import urls
from crawler.errors import UrlError
from crawler.models import Outcome, Response

REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NextStep(Struct, frozen=True):
    """What to do with a page.

    Args:
        action: parse it in a worker, follow its redirect, or write its record as it is.
        outcome: Of the record; what a parse says can still change it.
        error: Word that explains the outcome, or None.
        target: Canonical URL that a redirect leads to, followed or not; else None.
    """

    action: Literal["parse", "redirect", "record"]
    outcome: Outcome
    error: str | None = None
    target: str | None = None


def judge(page: Response, max_redirects: int) -> NextStep:
    """Decide what an answer means.

    Args:
        page: The answer.
        max_redirects: Hops that one chain may have.
    """
    if 200 <= page.status < 300:
        return NextStep("parse" if page.body else "record", "ok" if page.complete else "failed", _incomplete(page))
    if page.status in REDIRECTS:
        return _redirect(page, max_redirects)
    return NextStep("record", "http_error")


def _incomplete(page: Response) -> str | None:
    return None if page.complete else "incomplete_body"


def redirect_target(page: Response) -> str | None:
    """Where a redirect leads: a canonical URL, or None without a Location.

    Raises:
        UrlError: If the Location is no http or https URL, or if there are several that differ.

    Source: RFC 9110, 10.2.2; Fetch Standard, "location URL" (several are a failure).
    """
    locations = page.header_all("location")
    if not locations:
        return None
    if any(location != locations[0] for location in locations):
        raise UrlError("invalid", ", ".join(locations))
    return urls.canonicalize(_text(locations[0]), page.request.url)


def _redirect(page: Response, max_redirects: int) -> NextStep:
    request = page.request
    try:
        target = redirect_target(page)
    except UrlError as error:
        return NextStep("record", "failed", "redirect_scheme" if error.reason == "scheme" else "bad_redirect")
    if target is None:
        return NextStep("record", "http_error", "redirect_without_location")
    if target == request.url or target in request.chain:
        return NextStep("record", "failed", "redirect_loop", target)
    if len(request.chain) >= max_redirects:
        return NextStep("record", "failed", "too_many_redirects", target)
    return NextStep("redirect", "redirect", None, target)


def _text(value: str) -> str:
    """A header value as text: servers send UTF-8 in Location, though HTTP knows only bytes."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value

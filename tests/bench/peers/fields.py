"""The fields of a page as both peers read them: with parsel, in the way that its documentation shows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from parsel import Selector

# The body's text, without what no reader sees.
VISIBLE = "//body//text()[not(ancestor::script or ancestor::style or ancestor::template or ancestor::noscript)]"


def fields(page: Selector, url: str, base: str) -> dict[str, Any]:
    """Read a page.

    Args:
        page: The parsed page.
        url: Where it was found.
        base: URL that its links start from.
    """
    return {
        "url": url,
        "title": page.xpath("normalize-space(/html/head/title)").get(),
        "description": page.xpath("normalize-space(/html/head/meta[@name='description']/@content)").get(),
        "h1": page.xpath("normalize-space((//h1)[1])").get(),
        "text": " ".join(" ".join(page.xpath(VISIBLE).getall()).split()),
        "links": _links(page, base),
    }


def origin(url: str) -> str:
    """Scheme, host and port of a URL with a slash: what all URLs of the same host begin with."""
    return urljoin(url, "/")


def _links(page: Selector, base: str) -> list[str]:
    """Every distinct target of a page's links, absolute and without fragment, in order."""
    found: dict[str, None] = {}
    for href in dict.fromkeys(page.xpath("//a/@href | //area/@href").getall()):
        try:
            target = urljoin(base, href.strip())
        except ValueError:  # brackets around what is no address
            continue
        if target.startswith(("http://", "https://")):
            found[target.partition("#")[0]] = None
    return list(found)

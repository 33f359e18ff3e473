"""The values of the lab: what a host answers, what is true of a page, and the draws that decide both."""

from __future__ import annotations

import math
from hashlib import shake_128
from struct import unpack
from typing import Literal

from msgspec import Struct

from crawler.urls import split_authority

Fault = Literal["reset", "short", "silent", "drip", "garbage", "endless"]
PageKind = Literal["page", "error", "redirect"]
DEFAULT_PORT = 80


class Answer(Struct, frozen=True):
    """What a host of the lab says to one request; the server adds Content-Length and Connection.

    Args:
        status: HTTP status code.
        headers: Names and values in order.
        body: Bytes as they travel, after content-coding.
        latency_s: Time between request and answer, seconds.
        fault: How the transport misbehaves instead: `reset` closes with RST, `short` announces twice the body and
            closes, `silent` never answers, `drip` sends one byte at a time, `garbage` sends the body without a head,
            `endless` sends the body again and again in chunks.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    latency_s: float = 0.0
    fault: Fault | None = None


class Truth(Struct, frozen=True):
    """What is so about one URL of the world, whatever a crawl says.

    Args:
        url: Canonical URL.
        status: The status it answers with.
        kind: page, error or redirect.
        title: Title of a page, None of others.
        links: Every distinct http target of the page's links, canonical, in order.
        redirect_to: Canonical target of a redirect.
        disallowed: Whether the host's robots.txt forbids it.
        charset: WHATWG label of the encoding that a reader must come to, None where there is no page.
    """

    url: str
    status: int
    kind: PageKind
    title: str | None = None
    links: tuple[str, ...] = ()
    redirect_to: str | None = None
    disallowed: bool = False
    charset: str | None = None


def url(host: str, path: str = "/", port: int = DEFAULT_PORT) -> str:
    """The canonical URL of a path (with its query) on a host of the lab."""
    return f"http://{host}{path}" if port == DEFAULT_PORT else f"http://{host}:{port}{path}"


def split_host(authority: str) -> tuple[str, int]:
    """Split the value of a Host header into the name and the port."""
    name, port = split_authority(authority)
    return name, port or DEFAULT_PORT


def numbers(count: int, *identity: object) -> tuple[int, ...]:
    """Draw numbers of 32 bits that depend on nothing but an identity, so that any page can be made alone.

    Args:
        count: How many.
        identity: What they belong to; seed, host and page, say.
    """
    name = "\0".join(map(str, identity)).encode()
    return unpack(f"<{count}I", shake_128(name).digest(4 * count))


def log_normal(median: float, spread: float, first: int, second: int) -> float:
    """Draw from a log-normal distribution.

    Args:
        median: Half of the values are smaller.
        spread: Standard deviation of the logarithm; 0 gives the median always.
        first, second: Two draws of `numbers`.
    """
    radius = math.sqrt(-2.0 * math.log((first + 1) / 2**32))
    return median * math.exp(spread * radius * math.cos(2.0 * math.pi * second / 2**32))

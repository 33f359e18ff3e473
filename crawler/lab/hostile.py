"""Hosts of the lab that break HTTP or the connection. Each does so on every path but /robots.txt.

reset.lab        closes the connection with RST instead of answering
short.lab        announces twice the bytes that it sends, then closes
silent.lab       takes the request and never answers
drip.lab         sends its body one byte at a time
garbage.lab      answers with bytes that are no HTTP
bomb.lab         a page of 1 GiB in 1 MiB of gzip (the check sum at its end is not computed)
endless.lab      a page that never ends
slow-robots.lab  healthy pages behind a robots.txt that takes long to come
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache

from crawler.lab.answers import Answer
from crawler.lab.markup import note

HTML = (("Content-Type", "text/html; charset=utf-8"),)
BOMB_BYTES = 1 << 30
BOMB_STEP_BYTES = 1 << 20
DRIP_BYTES = 3600  # The body lasts an hour at a byte a second.
ENDLESS_CHUNK = b"<p>and so on " + b"and on " * 2000 + b"</p>\n"


def _reset() -> Answer:
    return Answer(200, (), fault="reset")


def _short() -> Answer:
    return Answer(200, HTML, note("Half of a page", ["/next.html"]), fault="short")


def _silent() -> Answer:
    return Answer(200, (), fault="silent")


def _drip() -> Answer:
    return Answer(200, HTML, note("Drop by drop").ljust(DRIP_BYTES), fault="drip")


def _garbage() -> Answer:
    return Answer(200, (), b"\x00\x16\x03\x01 this is no answer\r\n\r\n" + bytes(range(256)), fault="garbage")


def _endless() -> Answer:
    return Answer(200, HTML, ENDLESS_CHUNK, fault="endless")


def _bomb() -> Answer:
    return Answer(200, (*HTML, ("Content-Encoding", "gzip")), bomb())


def _healthy() -> Answer:
    return Answer(200, HTML, note("Worth waiting for", ["/", "/next.html"]))


HOSTS: dict[str, Callable[[], Answer]] = {
    "reset.lab": _reset,
    "short.lab": _short,
    "silent.lab": _silent,
    "drip.lab": _drip,
    "garbage.lab": _garbage,
    "bomb.lab": _bomb,
    "endless.lab": _endless,
    "slow-robots.lab": _healthy,
}


def answer(host: str, target: str, slow_robots_s: float) -> Answer:
    """What a hostile host answers.

    Args:
        host: One of `HOSTS`.
        target: Path and query.
        slow_robots_s: How long the robots.txt of slow-robots.lab takes, seconds.
    """
    if target == "/robots.txt":
        latency_s = slow_robots_s if host == "slow-robots.lab" else 0.0
        return Answer(200, (("Content-Type", "text/plain"),), b"User-agent: *\nDisallow:\n", latency_s)
    return HOSTS[host]()


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """A gzip member of `BOMB_BYTES` spaces, put together from equal blocks so that making it costs nothing."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    step = deflate.compress(b" " * BOMB_STEP_BYTES) + deflate.flush(zlib.Z_FULL_FLUSH)
    # By RFC 1952, 2.3 the header says deflate, no flags and no time, and the end is an empty final block.
    header, end = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff", b"\x03\x00"
    trailer = b"\x00" * 4 + BOMB_BYTES.to_bytes(4, "little")
    return header + step * (BOMB_BYTES // BOMB_STEP_BYTES) + end + trailer

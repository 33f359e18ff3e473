"""A jar with cookies of a page, and what it sends."""

from __future__ import annotations

from crawler.fetch.dial.cookies import CookieJar

NOW = 1_700_000_000.0
PAGE = "https://www.example.com/shop/cart"


def jar_of(*fields: str, url: str = PAGE) -> CookieJar:
    """A jar that has seen one answer with these Set-Cookie fields."""
    jar = CookieJar()
    jar.learn(url, fields, NOW)
    return jar


def sent(jar: CookieJar, url: str = PAGE, now: float = NOW) -> str | None:
    return jar.field(url, now)

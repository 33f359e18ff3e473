"""An HTTP proxy that the user named: where it is and what it is called by the client libraries."""

from __future__ import annotations

import socket

from msgspec import Struct

from crawler import urls
from crawler.errors import UrlError, UsageError
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.resolve import ask_system, parse_table


class Proxy(Struct, frozen=True):
    """One HTTP proxy for every request.

    Args:
        url: `http://[user:password@]host:port`.
        addresses: What its host resolved to.
        port: Its port.
    """

    url: str
    addresses: tuple[str, ...]
    port: int


def find_proxy(url: str, table: tuple[str, ...], guard: Guard) -> Proxy | None:
    """The proxy of the settings, resolved once, its endpoints permitted; None where none is set.

    Args:
        url: What the user gave, with or without `http://`.
        table: The `--resolve` entries.
        guard: What will be asked when the proxy is dialled.

    Raises:
        UsageError: If it is no http URL or its host has no address.
    """
    if not url:
        return None
    given = url if "://" in url else f"http://{url}"
    try:
        scheme, host, port, _ = urls.split(urls.canonicalize(given))
    except UrlError as error:
        shown = given.rpartition("@")[2]  # without what may be a password
        raise UsageError(f"--proxy {shown!r} is not a usable URL ({error.reason})") from None
    if scheme != "http":
        raise UsageError("--proxy takes an http:// URL; https:// pages pass through it in a tunnel")
    try:
        addresses = parse_table(table)[0].get(host) or tuple(dict.fromkeys(ask_system(host)))
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(f"--proxy {host} has no address: {error}") from None
    for address in addresses:
        guard.permit_endpoint(address, port)
    return Proxy(given, addresses, port)

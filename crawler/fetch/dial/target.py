"""Values that a request carries to its fetcher: where to dial, with which limits, and where a body goes."""

from __future__ import annotations

import errno
from typing import Protocol

from msgspec import Struct

from crawler.models import Headers
from crawler.settings.groups import KIB, FetchSettings

_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN})


class Limits(Struct, frozen=True):
    """The limits of one fetch; the fields are those of the settings, times in seconds, sizes in bytes.

    Args:
        connect_timeout_s: To connect, TLS included, over all addresses.
        first_byte_timeout_s: From the request to the end of the answer's head.
        read_timeout_s: Between two pieces of a body.
        timeout_s: The whole fetch; the engine makes `Target.deadline` of it.
        min_rate_bytes_s: Slower bodies are given up, measured over `RATE_WINDOW_S`; 0 is no limit.
        max_body_bytes: Bytes kept of a body.
        max_header_bytes, max_header_fields: Size and number of an answer's header fields.
    """

    connect_timeout_s: float = 10.0
    first_byte_timeout_s: float = 30.0
    read_timeout_s: float = 20.0
    timeout_s: float = 180.0
    min_rate_bytes_s: int = 100
    max_body_bytes: int = 10 * 1024 * KIB
    max_header_bytes: int = 256 * KIB
    max_header_fields: int = 1000

    @classmethod
    def from_settings(cls, settings: FetchSettings) -> Limits:
        """The limits that a group of settings asks for."""
        return cls(
            connect_timeout_s=settings.connect_timeout_s,
            first_byte_timeout_s=settings.first_byte_timeout_s,
            read_timeout_s=settings.read_timeout_s,
            timeout_s=settings.timeout_s,
            min_rate_bytes_s=settings.min_rate_bytes_s,
            max_body_bytes=settings.max_body_bytes,
            max_header_bytes=settings.max_header_bytes,
            max_header_fields=settings.max_header_fields,
        )


class Sink(Protocol):
    """Where the body of an answer goes that is wanted as a file; called in the thread that fetches."""

    def open(self, status: int, headers: Headers) -> str:
        """Decide when the head has come: `file` goes here, `page` to the page, else `Page.truncated` of it unread.

        Raises:
            FetchError: If nothing can be written.
        """

    def write(self, piece: bytes) -> bool:
        """Take a piece of the body; True when a limit cut it, and nothing more is wanted.

        Raises:
            FetchError: If it cannot be written.
        """


class Target(Struct, frozen=True):
    """Where and how one request is sent; the engine decides all of it.

    Args:
        addresses: The vetted addresses of the URL's host, in the order to try them.
        deadline: When the whole fetch must be over, `time.monotonic()` seconds; a body that goes into a file has none.
        limits: The limits of this fetch.
        headers: Request headers to send, in this order, besides Host; nothing else is sent.
        sink: Where the body goes if it is wanted as a file; None if none is.
    """

    addresses: tuple[str, ...]
    deadline: float
    limits: Limits
    headers: Headers = ()
    sink: Sink | None = None


class DialRefused(OSError):
    """The guard did not allow an address; an OSError, because clients expect nothing else where they dial."""


def is_shortage(error: OSError) -> bool:
    """Whether an error says that this machine has no descriptors, memory or threads left."""
    return error.errno in _RESOURCES

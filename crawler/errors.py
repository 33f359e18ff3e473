"""Every error that this package raises.

CrawlerError
├── UsageError           what the user asked for makes no sense; the sentence names what and where
├── UrlError             a string that is no http or https URL
├── FetchError           no answer came; `reason` is one of the words of `FETCH_REASONS`
├── ParseError           a page that no parser can be asked again about
└── RunError             a run folder that cannot be used: it exists, or its disk is full
    ├── BusyError        another process is crawling it
    └── DamageError      what it holds was altered
"""

from __future__ import annotations

# reason -> (what it means, whether a second try can help)
FETCH_REASONS: dict[str, tuple[str, bool]] = {
    "dns_not_found": ("the host name does not exist", False),
    "dns_failed": ("the host name could not be resolved", True),
    "refused": ("the server refused the connection", True),
    "unreachable": ("the network or host cannot be reached", True),
    "connect_timeout": ("no connection within the connect timeout", True),
    "tls_failed": ("the certificate or the TLS handshake is not valid", False),
    "first_byte_timeout": ("connected, but no answer began in time", True),
    "read_timeout": ("the answer stopped coming", True),
    "deadline": ("the whole fetch took longer than allowed", True),
    "too_slow": ("the body came slower than the minimum rate", True),
    "connection_lost": ("the connection broke before a complete answer head", True),
    "protocol_error": ("the answer is not valid HTTP", False),
    "header_too_large": ("the answer's headers are larger than allowed", False),
    "private_address": ("the host is not on the public internet", False),
    "proxy_failed": ("the proxy did not pass the request on", True),
    "not_in_replay": ("the replayed pages hold no answer for this URL", False),
    "no_resources": ("this machine has no file descriptors, ports or threads left", True),
    "internal": ("the crawler itself failed; crawl.log has the details", False),
}


class CrawlerError(Exception):
    """The base of all errors that this package raises on purpose."""


class UsageError(CrawlerError):
    """Arguments or settings that cannot be used, in one sentence that names what and where."""


class UrlError(CrawlerError, ValueError):
    """A string that does not make a usable http or https URL.

    Args:
        reason: One word for tables: `invalid`, `scheme`, `too_long`, `host_too_long`, `bad_port`.
        url: What was given; the message shows at most 200 characters of it.
    """

    def __init__(self, reason: str, url: str) -> None:
        super().__init__(reason, url)
        self.reason = reason
        self.url = url

    def __str__(self) -> str:
        shown = self.url if len(self.url) <= 200 else self.url[:200] + "…"
        return f"not a usable URL ({self.reason}): {shown!r}"


class FetchError(CrawlerError):
    """No answer came for a request; any HTTP status, in contrast, is a Page.

    Args:
        reason: A key of `FETCH_REASONS`.
        detail: What the client library or the system said, for people.

    Attributes:
        sends: How often the request was sent: more than once where kept connections turned out to be dead.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.sends = 1

    @property
    def is_retryable(self) -> bool:
        """Whether a second try can help."""
        return FETCH_REASONS[self.reason][1] or self._is_server_in_trouble

    @property
    def _is_server_in_trouble(self) -> bool:
        """Whether the server broke TLS off for a fault of its own, which says nothing of its certificate.

        Source: RFC 8446, 6.2, internal_error.
        """
        return self.reason == "tls_failed" and "alert internal error" in self.detail.lower()

    @property
    def is_not_tls(self) -> bool:
        """Whether something else than TLS came back, as from a server that speaks plain HTTP on that port."""
        # What OpenSSL says of it, under every strategy.
        return self.reason == "tls_failed" and "wrong version number" in self.detail.lower().replace("_", " ")

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class ParseError(CrawlerError):
    """A page whose worker died, hung or ran out of memory.

    Args:
        reason: `worker_died`, `parse_timeout`, `parse_cpu`, `parse_memory` or `parse_failed`.
        detail: What is known of the cause.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class RunError(CrawlerError):
    """A run folder that cannot be used, in one sentence that names the folder and what to do."""


class BusyError(RunError):
    """A run folder that another process is crawling."""


class DamageError(RunError):
    """A run folder whose files do not hold what was written to them."""

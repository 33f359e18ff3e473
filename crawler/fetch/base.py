"""What every fetch strategy shares: the protocol, the limits, which bodies are wanted, and the table of errors.

A fetcher asks one question and brings one answer. It follows no redirect, retries nothing, undoes no content-coding,
keeps no cookie and reads no robots.txt: those are decisions about the crawl, made once for every strategy.
"""

from __future__ import annotations

import errno
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import certifi

from crawler import urls
from crawler.errors import FetchError
from crawler.fetch.dial.target import _RESOURCES, DialRefused, Limits, Target
from crawler.models import Headers, Kind, Request, Response
from crawler.settings.groups import KIB

MAX_ERROR_BODY_BYTES = 16 * KIB  # a 4xx or 5xx body up to this is read, so that its connection can be used again
READ_BYTES = 64 * KIB
RATE_WINDOW_S = 30.0
REFUSED = (
    "range"  # `Response.truncated` of the rest of a file that does not fit what had come: ask again, for all of it
)


_UNWANTED_MAJOR = frozenset({"image", "audio", "video", "font"})
_UNWANTED_APPLICATION = frozenset(
    "epub+zip gzip java-archive msword octet-stream ogg pdf postscript rtf vnd.rar wasm x-7z-compressed x-bittorrent "
    "x-bzip x-bzip2 x-cab-compressed x-compress x-compressed x-debian-package x-executable x-font-ttf x-font-woff "
    "x-gtar x-gzip x-iso9660-image x-lzma x-msdos-program x-msdownload x-rar x-rar-compressed x-rpm x-shockwave-flash "
    "x-tar x-xz x-zip-compressed zip zstd".split()
)


class Fetcher(Protocol):
    """One way to wait for the network."""

    @property
    def name(self) -> str:
        """The strategy's name, as on the command line."""

    async def fetch(self, request: Request, target: Target) -> Response:
        """Ask for one URL, byte for byte as it is written, and bring back the answer.

        Returns:
            The answer, whatever its status. Its body stays in the byte count until the caller takes it out.

        Raises:
            FetchError: If no answer came; nothing of it stays in the byte count.
        """

    def close_idle(self) -> None:
        """Close the connections that are kept for later requests, because descriptors are short."""

    async def close(self) -> None:
        """Free connections, threads and tasks; fetches still under way end with an error."""


class ByteCount:
    """The bytes of all bodies between the first piece of their download and the commit of their page."""

    def __init__(self) -> None:
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes held at this moment."""
        return self._used

    def add(self, count: int) -> None:
        """Count `count` bytes more, or fewer where it is negative; safe in any thread."""
        with self._lock:
            self._used += count


class Intake:
    """One body as it arrives: counted, cut at the size limit, watched for its rate.

    A body slower than the minimum rate is an error and not a short page: at less than a few kilobytes in half a
    minute there is nothing worth keeping, and a second try may find the server in better shape. A body that still
    flows when the whole deadline comes keeps what it has, see `Response.truncated`.

    A body that goes into a file takes no memory, is not counted, and has no deadline.

    Args:
        target: Its limits, its deadline and its sink count.
        counter: Where its bytes are counted.
        now: Monotonic seconds.

    Attributes:
        deadline: When the whole fetch must be over, monotonic seconds.
    """

    def __init__(self, target: Target, counter: ByteCount, now: float) -> None:
        self.deadline = target.deadline
        self._sink = target.sink
        self._is_file = False
        self._room = target.limits.max_body_bytes
        self._min_bytes = target.limits.min_rate_bytes_s * RATE_WINDOW_S
        self._counter = counter
        self._body = bytearray()  # not a list: pieces may be single bytes, millions of them
        self._size = 0
        self._window_start = now
        self._window_size = 0

    def begin_later(self, now: float, waited_s: float) -> None:
        """The fetch begins now, monotonic seconds, having waited so long for its turn."""
        self.deadline += waited_s
        self._window_start = now

    @property
    def has_deadline(self) -> bool:
        """Whether the fetch must be over at some time, however well its body flows."""
        return self.deadline < math.inf

    def begin(self, kind: Kind, status: int, headers: Headers) -> str | None:
        """Decide when the head has come whether the body is read; the answers are those of `unread_reason`.

        Raises:
            FetchError: If it is wanted as a file that cannot be written.
        """
        if self._sink is not None and (where := self._sink.open(status, headers)) != "page":
            if where != "file":
                return where
            self._is_file = True
            self.deadline = math.inf
            return None
        return unread_reason(kind, status, headers)

    def add(self, piece: bytes, now: float) -> bool:
        """Take a piece; True when the size limit cut it, and nothing more is wanted.

        Raises:
            FetchError: `too_slow`, or that the file cannot be written.
        """
        self._size += len(piece)
        is_cut = self._write(piece) if self._is_file else self._hold(piece)
        if now - self._window_start >= RATE_WINDOW_S:
            self._check_rate()
            self._window_start, self._window_size = now, self._size
        return is_cut

    def _write(self, piece: bytes) -> bool:
        assert self._sink is not None
        return self._sink.write(piece)

    def _hold(self, piece: bytes) -> bool:
        is_cut = len(piece) > self._room
        if is_cut:
            piece = piece[: self._room]
        self._body += piece
        self._room -= len(piece)
        self._counter.add(len(piece))
        return is_cut

    def _check_rate(self) -> None:
        arrived = self._size - self._window_size
        if arrived < self._min_bytes:
            raise FetchError("too_slow", f"{arrived} bytes in {RATE_WINDOW_S:g} s")

    def take(self) -> bytes:
        """The body so far; nothing of one that went into a file."""
        return bytes(self._body)

    def discard(self) -> None:
        """Forget the body and take it out of the byte count."""
        self._counter.add(-len(self._body))
        self._body = bytearray()


def check_head(headers: Headers, limits: Limits) -> None:
    """Raise `header_too_large` if an answer has more or larger header fields than allowed."""
    if len(headers) > limits.max_header_fields:
        raise FetchError("header_too_large", f"{len(headers)} header fields")
    size = sum(len(name) + len(value) + 4 for name, value in headers)  # with ": " and the line end
    if size > limits.max_header_bytes:
        raise FetchError("header_too_large", f"{size} bytes of header fields")


def unread_reason(kind: Kind, status: int, headers: Headers) -> str | None:
    """Why the body of an answer is not read, judged by status and header fields alone.

    Bodies of redirects are never read. Those of other refusals are read only if they announce that they are small,
    so that the connection can be used again. Of pages, images, media, fonts, archives and documents are not read.

    Returns:
        None if it is to be read, else `Response.truncated` for it.
    """
    if status in (204, 304):
        return None
    length = kind_of_body = ""
    is_chunked = False
    for name, value in headers:
        name = name.lower()
        if name == "content-length":
            length = length or value
        elif name == "content-type":
            kind_of_body = kind_of_body or value
        elif name == "transfer-encoding":
            is_chunked = True
    if length == "0" and not is_chunked:
        return None
    if 200 <= status < 300:
        return "type" if kind == "page" and is_file_type(kind_of_body) else None
    is_small = length.isdecimal() and not is_chunked and int(length) <= MAX_ERROR_BODY_BYTES
    return None if status >= 400 and is_small else "type"


def is_file_type(content_type: str) -> bool:
    """Whether a Content-Type names something that is no page: image, audio, video, font, archive, document, binary."""
    major, _, minor = content_type.partition(";")[0].strip().lower().partition("/")
    if major in _UNWANTED_MAJOR:
        return True
    if major != "application":
        return False
    if minor.startswith("vnd."):
        return not minor.endswith(("+xml", "+json"))
    return minor in _UNWANTED_APPLICATION


def authority(url: str) -> str:
    """`host[:port]` of a canonical URL, which is what the Host field says."""
    return urls.host_key(url)


def request_target(url: str) -> str:
    """What stands in the request line for a canonical URL: everything from the path on, byte for byte."""
    return url[url.index("/", 8) :]


def make_page(
    request: Request,
    head: tuple[int, Headers],
    body: bytes,
    times: tuple[float, float],
    strategy: str,
    complete: bool = True,
    truncated: str | None = None,
    dial: tuple[float, float] = (0.0, 0.0),
    sends: int = 1,
) -> Response:
    """A page that is complete at this moment.

    Args:
        request: What was asked for.
        head: Status and header fields.
        body: What was read of the body.
        times: When the fetch began and when the head was complete, `time.monotonic()` seconds.
        complete, truncated: See `Response`.
        dial: What the connection took and then TLS, seconds; 0 where a connection was used again.
        sends: How often the request was sent.
    """
    started, head_at = times
    elapsed = time.monotonic() - started
    status, headers = head
    head_s = max(0.0, head_at - started)
    # By place, which costs least.
    return Response(
        request,
        status,
        headers,
        body,
        time.time(),
        elapsed,
        strategy,
        complete,
        truncated,
        head_s,
        None,
        *dial,
        False,
        sends,
    )


def tell_sends(error: BaseException, sends: int) -> None:
    """Let a fetch that fails tell how often its request was sent."""
    if isinstance(error, FetchError):
        error.sends = sends


_LOST = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN, errno.EBADF})


def system_error(error: BaseException) -> FetchError:
    """What an OSError of a socket, TLS included, means for a fetch."""
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, DialRefused):
        return FetchError("private_address", str(error))
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return FetchError("connection_lost", detail)
    if isinstance(error, ssl.SSLError):
        return FetchError("tls_failed", detail)
    number = getattr(error, "errno", None)
    if number == errno.ECONNREFUSED:
        return FetchError("refused", detail)
    if number in _LOST or isinstance(error, ConnectionError):
        return FetchError("connection_lost", detail)
    if number in _RESOURCES:
        return FetchError("no_resources", detail)
    if number == errno.ETIMEDOUT or isinstance(error, TimeoutError):
        return FetchError("connect_timeout", detail)
    return FetchError("unreachable", detail)


ErrorTable = Mapping[type[BaseException], str | Callable[[BaseException], FetchError]]


@contextmanager
def translated(table: ErrorTable) -> Iterator[None]:
    """Raise FetchError for what a library raises; the original stays its cause.

    Args:
        table: Exception class → reason, or a function that makes the error. The first row that fits counts, so
            special classes stand above general ones. What is not in the table is `internal`.
    """
    try:
        yield
    except FetchError:
        raise
    except Exception as error:
        raise translate(error, table) from error


def translate(error: BaseException, table: ErrorTable) -> FetchError:
    """The FetchError that a table has for an exception."""
    for kind, meaning in table.items():
        if isinstance(error, kind):
            return (
                FetchError(meaning, f"{type(error).__name__}: {error}") if isinstance(meaning, str) else meaning(error)
            )
    return FetchError("internal", f"{type(error).__name__}: {error}")


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """The TLS settings of every strategy: verified against one list of authorities, whatever the environment says.

    Args:
        ca_file: PEM file of authorities instead of certifi's.
    """
    context = ssl.create_default_context(cafile=ca_file or certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context

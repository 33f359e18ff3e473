"""libcurl on the event loop: its handles, its sockets and timer, and what its errors mean."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pycurl
from msgspec import Struct

from crawler import urls
from crawler.errors import FetchError
from crawler.fetch.base import system_error
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.proxy import Proxy
from crawler.fetch.dial.target import DialRefused

DNS_CACHE_S = 600  # longer than any fetch may look for its addresses; libcurl then forgets them
HAS_HTTP2 = bool(pycurl.version_info()[4] & pycurl.VERSION_HTTP2)

E_WEIRD_SERVER_REPLY, E_HTTP2_STREAM, E_PROXY, E_TOO_LARGE = 8, 92, 97, 100  # pycurl has no names for these.

_PROXY_CODES = frozenset(
    {
        E_PROXY,
        pycurl.E_COULDNT_RESOLVE_PROXY,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_RECV_ERROR,
        pycurl.E_SEND_ERROR,
        pycurl.E_GOT_NOTHING,
        E_WEIRD_SERVER_REPLY,
        pycurl.E_UNSUPPORTED_PROTOCOL,
    }
)
_REASONS = {
    pycurl.E_OPERATION_TIMEDOUT: "connect_timeout",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls_failed",
    pycurl.E_SSL_CACERT_BADFILE: "tls_failed",
    pycurl.E_SSL_CIPHER: "tls_failed",
    pycurl.E_SSL_ISSUER_ERROR: "tls_failed",
    pycurl.E_RECV_ERROR: "connection_lost",
    pycurl.E_SEND_ERROR: "connection_lost",
    pycurl.E_GOT_NOTHING: "connection_lost",
    pycurl.E_PARTIAL_FILE: "connection_lost",
    pycurl.E_HTTP2: "connection_lost",
    E_HTTP2_STREAM: "connection_lost",
    E_WEIRD_SERVER_REPLY: "protocol_error",
    E_TOO_LARGE: "header_too_large",
    pycurl.E_OUT_OF_MEMORY: "no_resources",
}

Outcome = tuple[int, str]  # what libcurl says of a transfer that has ended: a code, 0 for well, and a sentence


class Access(Struct, frozen=True):
    """What every handle of a fetcher is made with.

    Args:
        guard: Asked for every socket.
        proxy: The proxy that every request goes through, or None.
        ca_file: PEM file of the authorities that are trusted.
        authorities: PEM text of authorities in place of the file.
    """

    guard: Guard
    proxy: Proxy | None
    ca_file: str
    authorities: bytes = b""


class Easy:
    """One libcurl handle, used for one transfer after another; it dials vetted addresses only.

    Args:
        access: Whom it may reach and whom it trusts.

    Attributes:
        curl: The handle.
        addresses: Those that the present transfer may reach.
    """

    def __init__(self, access: Access) -> None:
        self.addresses: tuple[str, ...] = ()
        self._access = access
        self._refusal: OSError | None = None
        self._is_proxied = False
        self.curl = curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROXY, "")  # whatever the environment says
        curl.setopt(pycurl.PATH_AS_IS, 1)
        curl.setopt(pycurl.DNS_CACHE_TIMEOUT, DNS_CACHE_S)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)  # It takes later versions, too.
        curl.unsetopt(pycurl.CAPATH)  # what libcurl was built with
        if access.authorities:
            curl.unsetopt(pycurl.CAINFO)
            curl.setopt(pycurl.CAINFO_BLOB, access.authorities)
        else:
            curl.setopt(pycurl.CAINFO, access.ca_file)

    def aim(self, url: str, addresses: tuple[str, ...], connect_timeout_s: float) -> None:
        """Set where the next transfer goes.

        Args:
            url: Canonical URL, of which only the origin counts.
            addresses: What its host resolved to, vetted; a proxy has its own.
        """
        scheme, host, port, _ = urls.split(url)
        proxy = self._access.proxy
        self._refusal = None
        self._is_proxied = proxy is not None
        origin = urls.origin(url)
        if proxy is not None:
            addresses, port = proxy.addresses, proxy.port
            host = urls.split(urls.canonicalize(proxy.url))[1]
            if scheme == "http":  # the proxy forwards it, so the proxy is the server
                origin = f"http://{_bracketed(host)}:{port}"
            self.curl.setopt(pycurl.PROXY, "" if scheme == "http" else proxy.url)
        self.addresses = addresses
        self.curl.setopt(pycurl.URL, origin + "/")
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(connect_timeout_s * 1000)))
        if ":" not in host:
            self.curl.setopt(pycurl.RESOLVE, [f"+{host}:{port}:{','.join(map(_bracketed, addresses))}"])

    def vetted(self, address: str) -> str | None:
        """The address that the transfer may reach and libcurl writes like this; None if there is none."""
        if address in self.addresses:
            return address
        return next((allowed for allowed in self.addresses if _is_same(address, allowed)), None)

    @property
    def dial_s(self) -> tuple[float, float]:
        """What the connection of the transfer took and then TLS, seconds; 0 where one was used again."""
        curl = self.curl
        if not curl.getinfo(pycurl.NUM_CONNECTS):
            return 0.0, 0.0
        connect_s, secured_s = curl.getinfo(pycurl.CONNECT_TIME), curl.getinfo(pycurl.APPCONNECT_TIME)
        return connect_s, max(0.0, secured_s - connect_s)

    def error(self, outcome: Outcome) -> FetchError:
        """What it means that a transfer failed before an answer's head."""
        code, message = outcome
        if self._refusal is not None and code == pycurl.E_COULDNT_CONNECT:
            return system_error(self._refusal)
        if self._is_proxied and code in _PROXY_CODES:
            return FetchError("proxy_failed", message)
        if code == pycurl.E_COULDNT_CONNECT:
            return system_error(OSError(self.curl.getinfo(pycurl.OS_ERRNO), message))
        if code == pycurl.E_SSL_CONNECT_ERROR:
            is_lost = any(
                sign in message for sign in ("SSL_ERROR_SYSCALL", "unexpected eof", "Recv failure", "Send failure")
            )
            return FetchError("connection_lost" if is_lost else "tls_failed", message)
        return FetchError(_REASONS.get(code, "internal"), f"libcurl {code}: {message}")

    def _open(self, purpose: int, where: Any) -> int:
        """Open the socket that libcurl asks for, if it may be connected to that address."""
        address, port = where.addr[:2]
        vetted = self.vetted(address)
        if vetted is None or not self._access.guard.permits(vetted, port):
            self._refusal = DialRefused(f"{address} port {port} is not on the public internet")
            return int(pycurl.SOCKET_BAD)
        try:
            return socket.socket(where.family, where.socktype, where.protocol).detach()
        except OSError as error:
            self._refusal = error
            return int(pycurl.SOCKET_BAD)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_same(address: str, other: str) -> bool:
    try:
        return ip_address(address) == ip_address(other)
    except ValueError:
        return False


class Transfers:
    """Runs libcurl's transfers on the running event loop, which watches their sockets.

    Args:
        max_idle: Connections that libcurl itself may keep.
    """

    def __init__(self, max_idle: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Any, asyncio.Future[Any]] = {}
        self._watched: dict[int, int] = {}
        self._timer: asyncio.Handle | None = None
        self._is_draining = False
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_idle)

    def start(self, easy: Easy, ended: asyncio.Future[Any]) -> None:
        """Begin a transfer; `ended` gets its outcome, unless something else ends it first."""
        self._waiting[easy.curl] = ended
        self._multi.add_handle(easy.curl)

    def remove(self, easy: Easy) -> None:
        """End a transfer, whether it is over or not; a connection that was only made is closed."""
        self._waiting.pop(easy.curl, None)
        self._multi.remove_handle(easy.curl)

    def close(self) -> None:
        """Close every connection that libcurl keeps; all transfers have been removed before."""
        self._multi.close()
        if self._timer is not None:
            self._timer.cancel()
        for fd in list(self._watched):
            self._watch(pycurl.POLL_REMOVE, fd)

    def _watch(self, wanted: int, fd: int, *_: object) -> None:
        """Watch a socket for what libcurl wants of it."""
        loop = self._loop
        before = self._watched.pop(fd, 0)
        now = 0 if wanted == pycurl.POLL_REMOVE else wanted
        if now:
            self._watched[fd] = now
        if (now ^ before) & pycurl.POLL_IN:
            if now & pycurl.POLL_IN:
                loop.add_reader(fd, self._act, fd, pycurl.CSELECT_IN)
            else:
                loop.remove_reader(fd)
        if (now ^ before) & pycurl.POLL_OUT:
            if now & pycurl.POLL_OUT:
                loop.add_writer(fd, self._act, fd, pycurl.CSELECT_OUT)
            else:
                loop.remove_writer(fd)

    def _set_timer(self, delay_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_ms > 0:
            self._timer = self._loop.call_later(delay_ms / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0)
        elif delay_ms == 0:
            self._timer = self._loop.call_soon(self._act, pycurl.SOCKET_TIMEOUT, 0)

    def _act(self, fd: int, events: int) -> None:
        """Let libcurl do what can be done now; what has ended is asked for once in a turn of the loop."""
        self._multi.socket_action(fd, events)
        if not self._is_draining:
            self._is_draining = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._is_draining = False
        if self._multi.closed:
            return
        left = 1
        while left:
            left, well, badly = self._multi.info_read()
            for curl in well:
                self._end(curl, (0, ""))
            for curl, code, message in badly:
                self._end(curl, (code, message))

    def _end(self, curl: Any, outcome: Outcome) -> None:
        ended = self._waiting.pop(curl, None)
        if ended is not None and not ended.done():
            ended.set_result(outcome)

"""HTTP/2 in libcurl's own hands: frames, compressed heads and streams that share a connection."""

from __future__ import annotations

import asyncio

import pycurl

from crawler.errors import FetchError
from crawler.fetch.answer import HEAD_SLACK_BYTES, MAX_INFORMATIONAL, parse_head
from crawler.fetch.base import authority, request_target
from crawler.fetch.curl.state import FetchState
from crawler.fetch.curl.transfers import E_WEIRD_SERVER_REPLY, Access, Easy, Outcome, Transfers
from crawler.models import Headers

_PASS, _ABORT = None, 0  # what libcurl's callbacks for heads and bodies return
MAX_ATTEMPTS = 2  # libcurl asks again by itself on a fresh connection where one that it kept is dead


class AskOverHttp1(Exception):
    """The answer has to be asked for over HTTP/1.1: the server no longer speaks HTTP/2, or libcurl refuses its head."""


class _Stream(Easy):
    """A handle that asks over HTTP/2 and writes what comes into an state."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._state: FetchState | None = None
        self._failure: Exception | None = None
        self._head: list[bytes] = []
        self._head_bytes = 0
        self._informational = 0
        self._attempts = 0
        self.needs_fresh = False  # the connection that libcurl chose leads to an address that is no longer vetted
        curl = self.curl
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.PIPEWAIT, 1)  # wait for a connection that can be shared rather than open another
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
        curl.setopt(pycurl.PREREQFUNCTION, self._before)
        curl.setopt(pycurl.HEADERFUNCTION, self._take_line)
        curl.setopt(pycurl.WRITEFUNCTION, self._take_piece)

    def prepare(self, state: FetchState | None, fresh: bool = False) -> None:
        """Set what the next transfer asks for and whom it answers."""
        self._state = state
        self._failure = None
        self._head, self._head_bytes, self._informational, self._attempts = [], 0, 0, 0
        self.needs_fresh = False
        if state is not None:
            url, target = state.request.url, state.target
            self.aim(url, target.addresses, target.limits.connect_timeout_s)
            self.curl.setopt(pycurl.REQUEST_TARGET, request_target(url))
            self.curl.setopt(pycurl.HTTPHEADER, _fields(url, target.headers))
            self.curl.setopt(pycurl.FRESH_CONNECT, int(fresh))

    def conclude(self, outcome: Outcome) -> None:
        """Judge how the transfer ended.

        Raises:
            FetchError: If no answer came.
            AskOverHttp1: If libcurl could not read it.
        """
        state = self._state
        assert state is not None
        code, message = outcome
        if self._failure is not None:
            raise self._failure
        if state.truncated is not None:
            return
        if state.status:
            state.is_broken = code != 0
        elif code == E_WEIRD_SERVER_REPLY or "Too large response headers" in message:
            raise AskOverHttp1(message)
        else:
            raise self.error(outcome) if code else FetchError("connection_lost", "no answer on the stream")

    def _before(self, address: str, _local: str, _port: int, _local_port: int) -> int:
        """Called when there is a connection and nothing has been sent on it."""
        state = self._state
        assert state is not None
        self._attempts += 1
        state.sends += self._attempts > 1
        if self.vetted(address) is None:
            self.needs_fresh = True
            return int(pycurl.PREREQFUNC_ABORT)
        if self._attempts > MAX_ATTEMPTS:
            self._failure = FetchError("connection_lost", "lost twice without an answer")
            return int(pycurl.PREREQFUNC_ABORT)
        state.enter("head", state.target.limits.first_byte_timeout_s)
        return int(pycurl.PREREQFUNC_OK)

    def _take_line(self, line: bytes) -> int | None:
        """Take one line of a head, its line end too."""
        state = self._state
        if state is None:
            return _ABORT
        if state.status:  # a trailer
            return _PASS
        limits = state.target.limits
        if not self._head and not line.startswith(b"HTTP/2"):
            self._failure = AskOverHttp1("the server has given HTTP/2 up")
            return _ABORT
        self._head.append(line)
        self._head_bytes += len(line)
        if self._head_bytes > limits.max_header_bytes + HEAD_SLACK_BYTES:
            self._failure = FetchError("header_too_large", f"{self._head_bytes} bytes and no end")
            return _ABORT
        if line not in (b"\r\n", b"\n"):
            return _PASS
        head = b"".join(self._head).rstrip(b"\r\n")
        self._head = []
        try:
            # libcurl writes heads as HTTP/1 does; without the number of the version they are that.
            status, _, headers = parse_head(b"HTTP/1.1" + head[len(b"HTTP/2") :], limits)
            if status >= 200:
                return _PASS if state.take_head(status, headers) else _ABORT
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise FetchError("protocol_error", "1xx answers without end")
        except FetchError as error:
            self._failure = error
            return _ABORT
        return _PASS

    def _take_piece(self, piece: bytes) -> int | None:
        state = self._state
        if state is None:
            return _ABORT
        try:
            return _PASS if state.take(piece) else _ABORT
        except FetchError as error:
            self._failure = error
            return _ABORT


class Streams:
    """Asks servers that speak HTTP/2; requests to one origin share a connection.

    Args:
        transfers: Where libcurl runs.
        access: What its handles are made with.
    """

    def __init__(self, transfers: Transfers, access: Access) -> None:
        self._transfers = transfers
        self._access = access
        self._free: list[_Stream] = []

    async def ask(self, state: FetchState) -> None:
        """Ask and wait for the end of the answer.

        Raises:
            FetchError: If no answer came.
            AskOverHttp1: If it has to be asked for in another way.
        """
        stream = self._free.pop() if self._free else _Stream(self._access)
        try:
            if not await self._run(stream, state, fresh=False) and not await self._run(stream, state, fresh=True):
                raise FetchError("connection_lost", "the connection leads elsewhere")
        finally:
            stream.prepare(None)
            self._free.append(stream)

    async def _run(self, stream: _Stream, state: FetchState, fresh: bool) -> bool:
        """Run the transfer; False if the connection that libcurl chose may not be used."""
        ended: asyncio.Future[Outcome | None] = state.expect()
        state.enter("connect", state.target.limits.connect_timeout_s)
        stream.prepare(state, fresh)
        self._transfers.start(stream, ended)
        try:
            outcome = await ended
        finally:
            self._transfers.remove(stream)
        if stream.needs_fresh:
            return False
        state.note_dial(stream.dial_s)
        if outcome is not None:  # None: the clock has ended it, and what has come is kept
            stream.conclude(outcome)
        return True

    def close(self) -> None:
        """Close the handles; nothing is under way."""
        for stream in self._free:
            stream.curl.close()


def _fields(url: str, headers: Headers) -> list[bytes]:
    """The fields as libcurl takes them: in UTF-8, and an empty value is written with a semicolon."""
    fields = [f"Host: {authority(url)}"]
    fields += [f"{name}: {value}" if value else f"{name};" for name, value in headers]
    if not any(name.lower() == "accept" for name, _ in headers):
        fields.append("Accept:")  # libcurl's own
    return [field.encode() for field in fields]  # pycurl takes no text but ASCII.

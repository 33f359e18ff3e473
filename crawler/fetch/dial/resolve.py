"""From host names to addresses: one resolver for everything, bounded in threads, time and memory."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from itertools import chain, zip_longest

from crawler.errors import FetchError, UsageError
from crawler.fetch.dial.target import is_shortage
from crawler.fetch.dial.workers import Workers

POSITIVE_TTL_S = 300.0  # getaddrinfo tells no TTL
NOT_FOUND_TTL_S = 60.0
FAILED_TTL_S = 30.0
TRIES = 2
CLOSE_S = 0.2  # to wait for threads whose lookup may hang for longer
MAX_ADDRESSES = 16  # tried for one host

Lookup = Callable[[str], Sequence[str]]
Answer = tuple[str, ...] | FetchError

_NOT_FOUND = frozenset(
    code
    for code in (getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY"))
    if code is not None
)


class Resolver:
    """Addresses of hosts, from the `--resolve` table or from the system, remembered for a while.

    Literal addresses are their own answer. Several questions for one host at a time are one lookup. A lookup that
    hangs costs its thread only until the timeout; then another thread takes its place.

    Args:
        table: Entries `NAME:ADDRESS`; `*.NAME` is everything below a name. Several for one name are tried in order.
        timeout_s: For one lookup; a failed or late one is tried once more.
        concurrency: Lookups at a time.
        cache_size: Answers remembered.
        lookup: Asks the system for a name, blocking; raises `socket.gaierror`.
        clock: Monotonic seconds.

    Raises:
        UsageError: If an entry of the table is not valid.
    """

    def __init__(
        self,
        table: Iterable[str] = (),
        timeout_s: float = 5.0,
        *,
        tries: int = TRIES,
        concurrency: int = 32,
        cache_size: int = 10_000,
        lookup: Lookup | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exact, self._below = parse_table(table)
        self._timeout_s = timeout_s
        self._tries = tries
        self._cache_size = cache_size
        self._lookup = lookup or ask_system
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrency)
        self._workers = Workers(concurrency, "resolve")
        self._cache: dict[str, tuple[float, Answer]] = {}
        self._in_flight: dict[str, asyncio.Task[Answer]] = {}

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a host, IPv6 and IPv4 in turns, beginning with the family that the system prefers.

        Args:
            host: Host of a canonical URL, IPv6 without brackets.
            port: Not part of the question; here for whoever answers by service.

        Raises:
            FetchError: `dns_not_found` or `dns_failed`.
        """
        answer = self._remembered(host) or await self._shared(host)
        if isinstance(answer, FetchError):
            raise FetchError(answer.reason, answer.detail) from answer.__cause__
        return answer

    def known(self, host: str) -> tuple[str, ...] | None:
        """The addresses of a host if they are known without a lookup; None for one that is to be asked for."""
        answer = self._remembered(host)
        return None if isinstance(answer, FetchError) else answer

    async def close(self) -> None:
        """End what is under way."""
        for task in list(self._in_flight.values()):
            task.cancel()
        await asyncio.gather(*self._in_flight.values(), return_exceptions=True)
        self._workers.close(patience_s=CLOSE_S)

    def _remembered(self, host: str) -> Answer | None:
        entry = self._cache.get(host)
        if entry is not None:
            expires, answer = entry
            if expires > self._clock():
                return answer
            del self._cache[host]
        fixed = self._fixed(host)
        if fixed is not None:
            self._remember(host, fixed, math.inf)
        return fixed

    def _fixed(self, host: str) -> tuple[str, ...] | None:
        """The answer for a host that is an address or stands in the table."""
        if is_literal(host):
            return (host,)
        name = host.removesuffix(".").lower()
        if name in self._exact:
            return self._exact[name]
        if self._below:
            labels = name.split(".")
            for start in range(1, len(labels)):
                if addresses := self._below.get(".".join(labels[start:])):
                    return addresses
        return None

    async def _shared(self, host: str) -> Answer:
        task = self._in_flight.get(host)
        if task is None:
            task = asyncio.create_task(self._ask(host), name=f"resolve {host[:60]}")
            self._in_flight[host] = task
            task.add_done_callback(lambda _: self._in_flight.pop(host, None))
        return await asyncio.shield(task)  # one who stops waiting does not stop the others

    async def _ask(self, host: str) -> Answer:
        answer: Answer = FetchError("dns_failed", f"no lookup of {host} was made")
        async with self._slots:
            for _ in range(self._tries):
                answer = await self._try(host)
                if not isinstance(answer, FetchError) or answer.reason == "dns_not_found":
                    break
        # A shortage says nothing of the name.
        if not (isinstance(answer, FetchError) and answer.reason == "no_resources"):
            self._remember(host, answer, _ttl_s(answer))
        return answer

    async def _try(self, host: str) -> Answer:
        try:
            call = self._workers.submit(lambda: self._lookup(host))
        except FetchError as error:
            return error
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await call.future
        except TimeoutError:
            return FetchError("dns_failed", f"no answer for {host} within {self._timeout_s:g} s")
        except socket.gaierror as error:
            reason = "dns_not_found" if error.errno in _NOT_FOUND else "dns_failed"
            return _caused(FetchError(reason, f"{host}: {error.strerror or error}"), error)
        except UnicodeError as error:  # a name that IDNA does not take cannot exist
            return _caused(FetchError("dns_not_found", f"{host}: {error}"), error)
        except OSError as error:
            reason = "no_resources" if is_shortage(error) else "dns_failed"
            return _caused(FetchError(reason, f"{host}: {error}"), error)
        finally:
            if not call.future.done() or call.future.cancelled():
                self._workers.abandon(call)
        return interleave(found) or FetchError("dns_not_found", f"{host} has no address")

    def _remember(self, host: str, answer: Answer, ttl_s: float) -> None:
        while len(self._cache) >= self._cache_size:
            del self._cache[next(iter(self._cache))]  # the oldest
        self._cache[host] = (self._clock() + ttl_s, answer)


def _ttl_s(answer: Answer) -> float:
    """How long an answer of the system is remembered."""
    if isinstance(answer, FetchError):
        return NOT_FOUND_TTL_S if answer.reason == "dns_not_found" else FAILED_TTL_S
    return POSITIVE_TTL_S


def _caused(error: FetchError, cause: BaseException) -> FetchError:
    error.__cause__ = cause
    return error


def is_literal(host: str) -> bool:
    """Whether a host, IPv6 without brackets, is an address and no name."""
    if ":" not in host and not host[-1:].isdigit():
        return False  # most names, without the cost of an exception
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def ask_system(host: str) -> list[str]:
    """Ask the system's resolver, blocking; addresses in its order of preference."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def interleave(addresses: Iterable[str]) -> tuple[str, ...]:
    """Distinct addresses with the families in turns, so that a dead family costs one try (RFC 8305, 4)."""
    distinct = list(dict.fromkeys(addresses))
    if not distinct:
        return ()
    first_is_v6 = ":" in distinct[0]
    preferred = [address for address in distinct if (":" in address) == first_is_v6]
    others = [address for address in distinct if (":" in address) != first_is_v6]
    pairs = chain.from_iterable(zip_longest(preferred, others))
    return tuple(address for address in pairs if address is not None)[:MAX_ADDRESSES]


Table = dict[str, tuple[str, ...]]


def parse_table(entries: Iterable[str]) -> tuple[Table, Table]:
    """Read `NAME:ADDRESS` entries into a table of names and one of the names behind `*.`.

    Raises:
        UsageError: If an entry has no name or no address.
    """
    exact: Table = {}
    below: Table = {}
    for entry in entries:
        name, _, address = entry.partition(":")
        name = name.strip().lower().removesuffix(".")
        address = address.strip().removeprefix("[").removesuffix("]")
        table = exact
        if name.startswith("*."):
            table, name = below, name[2:]
        if not name or "*" in name or not is_literal(address):
            raise UsageError(
                f"--resolve {entry} is not NAME:ADDRESS, like www.example.com:192.0.2.1 or *.lab:127.0.0.1"
            )
        table[name] = (*table.get(name, ()), address)
    return exact, below

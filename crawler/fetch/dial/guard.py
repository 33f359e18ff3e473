"""Which addresses may be dialled: only what is on the public internet, unless the user named it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from crawler import urls
from crawler.errors import FetchError, UsageError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's special-purpose registries; what they call globally reachable stands in the second list of each family.
_PRIVATE_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    ).split()
)
_PUBLIC_V4 = frozenset({IPv4Address("192.0.0.9"), IPv4Address("192.0.0.10")})
_UNICAST_V6 = IPv6Network("2000::/3")  # all that is given out; the rest of the space is special or unused
_PRIVATE_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: reaches any IPv4 address through a relay
        "3fff::/20",  # documentation
    )
)
_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:3::/32 2001:4:112::/48 2001:20::/28 2001:30::/28"
    ).split()
)
_NAT64 = IPv6Network("64:ff9b::/96")


class Guard:
    """The judge of everything that dials: it vets a URL's addresses and is asked again where a socket is opened.

    Args:
        allow: Networks that may be crawled although they are not public, `10.0.0.0/8`.
        exempt_origins: Origins (`urls.origin`) that the user named by a literal private address or as localhost.

    Raises:
        UsageError: If a network is not valid.
    """

    def __init__(self, allow: Iterable[str] = (), exempt_origins: Iterable[str] = ()) -> None:
        self._allow = tuple(_network(text) for text in allow)
        self._exempt = frozenset(exempt_origins)
        self._endpoints: set[tuple[str, int]] = set()

    def vet(self, url: str, addresses: Iterable[str]) -> tuple[str, ...]:
        """Keep those addresses of a URL's host that may be dialled for it.

        Args:
            url: Canonical URL.
            addresses: What its host resolved to.

        Raises:
            FetchError: `private_address` if none is left.
        """
        given = tuple(addresses)
        kept = tuple(address for address in given if self._is_allowed(address))
        if urls.origin(url) in self._exempt:
            _, host, port, _ = urls.split(url)
            kept = tuple(address for address in given if address in kept or _is_meant(host, address))
            self._endpoints.update((address, port) for address in kept)
        if not kept:
            shown = ", ".join(given[:4]) or "no address"
            raise FetchError(
                "private_address", f"{urls.host_key(url)} is at {shown}; --allow-private permits a network"
            )
        return kept

    def permits(self, address: str, port: int) -> bool:
        """Whether a socket may be connected to this endpoint."""
        return self._is_allowed(address) or (address, port) in self._endpoints

    def permit_endpoint(self, address: str, port: int) -> None:
        """Allow one endpoint that the user named, a proxy."""
        self._endpoints.add((address, port))

    def _is_allowed(self, address: str) -> bool:
        if is_public(address):
            return True
        if not self._allow or "%" in address:
            return False
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        forms = (parsed, embedded(parsed))
        return any(form in network for form in forms if form is not None for network in self._allow)


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise UsageError(f"--allow-private {text} is not a network like 10.0.0.0/8 or fd00::/8") from None


def _is_meant(host: str, address: str) -> bool:
    """Whether an address is what the user named: the literal itself, or loopback for localhost."""
    return address == host or (is_local_name(host) and is_loopback(address))


def is_local_name(host: str) -> bool:
    """Whether a host name is localhost or below it (RFC 6761, 6.3)."""
    name = host.removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def is_loopback(address: str) -> bool:
    """Whether an address, IPv4 in IPv6 too, belongs to this machine."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return (embedded(parsed) or parsed).is_loopback


def exempt_origins(seeds: Iterable[str]) -> frozenset[str]:
    """The origins among canonical seed URLs whose host is localhost or a literal address that is not public."""
    return frozenset(urls.origin(url) for url in seeds if _is_literal_private(urls.split(url)[1]))


def _is_literal_private(host: str) -> bool:
    if is_local_name(host):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return not is_public(host)


@lru_cache(maxsize=65_536)
def is_public(address: str) -> bool:
    """Whether an address is a globally reachable unicast address; one that embeds another is as public as that.

    Source: IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed.scope_id is not None:
            return False
        inner = embedded(parsed)
        if inner is None:
            return _is_public_v6(parsed)
        parsed = inner
    return parsed in _PUBLIC_V4 or not any(parsed in network for network in _PRIVATE_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address not in _UNICAST_V6:
        return False
    if any(address in network for network in _PUBLIC_V6):
        return True
    return not any(address in network for network in _PRIVATE_V6)


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv4-mapped or NAT64 address stands for (RFC 4291, 2.5.5.2; RFC 6052, 2.1)."""
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None

"""The one URL parser: WHATWG (ada), for resolving, scope, guard, politeness and the request line alike."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

import ada_url

from crawler.errors import UrlError

MAX_INPUT_CHARS = 65_536  # longer strings are refused before any parser sees them
MAX_LABEL_CHARS = 63  # RFC 1035, 2.3.4
MAX_HOST_CHARS = 253
SHARDS = 1024  # parts that all sites are divided into; the number is in the state of runs
DEFAULT_PORTS = {"http": 80, "https": 443}
# The Fetch standard's bad ports: services that are not HTTP, where a request could do harm.
BAD_PORTS = frozenset(
    int(port)
    for port in (
        "0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 "
        "115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 "
        "563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 "
        "6667 6668 6669 6679 6697 10080 "
    ).split()
)
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")


def canonicalize(url: str, base: str | None = None) -> str:
    """Return the canonical form of a URL: WHATWG href without fragment, userinfo, empty query; upper-case escapes.

    Nothing is decoded and nothing is reordered, so two different pages never become one. Idempotent.

    Args:
        url: Absolute, or relative to `base`.
        base: Absolute URL to resolve against.

    Returns:
        An absolute http or https URL.

    Raises:
        UrlError: If it is no URL, has another scheme, or its host or port cannot be dialled.

    Source: WHATWG URL Standard.
    """
    if len(url) > MAX_INPUT_CHARS:
        raise UrlError("too_long", url)
    try:
        href: str = ada_url.join_url(base, url) if base is not None else ada_url.normalize_url(url)
    except ValueError:
        raise UrlError("invalid", url) from None
    return _trim(href, url)


def _trim(href: str, given: str) -> str:
    if not href.startswith(("http://", "https://")):
        raise UrlError("scheme", given)
    href = href.partition("#")[0]
    if href.endswith("?") and href.index("?") == len(href) - 1:  # `/??` has a query, `?`
        href = href[:-1]
    start = href.index("//") + 2
    end = href.find("/", start)
    authority = href[start:end]
    if "@" in authority:
        authority = authority.rpartition("@")[2]
        href = href[:start] + authority + href[end:]
    _check_authority(authority, given)
    if "%" in href:
        href = _ESCAPE.sub(lambda match: match[0].upper(), href)
    return href


@lru_cache(maxsize=4096)
def _authority_fault(authority: str) -> str | None:
    name, port = split_authority(authority)
    if port in BAD_PORTS:
        return "bad_port"
    if not name.startswith("["):
        if len(name.rstrip(".")) > MAX_HOST_CHARS:
            return "host_too_long"
        labels = name.removesuffix(".").split(".")
        if any(len(label) > MAX_LABEL_CHARS for label in labels):
            return "host_too_long"
        if not all(labels):
            return "invalid"
    return None


def _check_authority(authority: str, given: str) -> None:
    if fault := _authority_fault(authority):
        raise UrlError(fault, given)


def split_authority(authority: str) -> tuple[str, int | None]:
    """Split `host[:port]` of a canonical URL into the host (IPv6 in brackets) and the port or None."""
    if authority.endswith("]") or ":" not in authority:
        return authority, None
    name, _, port = authority.rpartition(":")
    return name, int(port)


def split(url: str) -> tuple[str, str, int, str]:
    """Split a canonical URL into scheme, host (no brackets), port and the rest from the path on."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    name, port = split_authority(authority)
    return scheme, name.strip("[]"), port or DEFAULT_PORTS[scheme], slash + path


def origin(url: str) -> str:
    """The origin of a canonical URL, `scheme://host[:port]`: the key of robots, credentials and guard exemption."""
    return url[: url.index("/", 8)]


def host_key(url: str) -> str:
    """The politeness key of a canonical URL: its host name, with the port only where it is not a default one."""
    start = url.index("//") + 2
    return url[start : url.index("/", start)]


def fingerprint(url: str) -> int:
    """The identity of a canonical URL: blake2b of its bytes, 64 bits, as a signed integer (SQLite's range)."""
    return int.from_bytes(blake2b(url.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)


def is_address(host: str) -> bool:
    """Whether the host of a canonical URL, without port and with or without brackets, is an IP address and no name."""
    return ":" in host or host.rstrip(".").replace(".", "").isdigit()


@lru_cache(maxsize=1)
def _suffixes() -> object:
    from publicsuffixlist import PublicSuffixList  # 3 MB of rules, needed only by `--scope domain`

    return PublicSuffixList()


@lru_cache(maxsize=65_536)
def registrable_domain(host: str) -> str:
    """The registrable domain of a host name by the public suffix list; addresses and suffixes are their own.

    Args:
        host: Host name without port.
    """
    name = host.rstrip(".")
    if is_address(name):
        return name
    return _suffixes().privatesuffix(name) or name  # type: ignore[attr-defined]


@lru_cache(maxsize=65_536)
def domain_of(host: str) -> str:
    """The registrable domain of a politeness key."""
    return registrable_domain(split_authority(host)[0].strip("[]"))


def shard_of(host: str) -> int:
    """The shard of a politeness key, from 0 to `SHARDS` - 1; all hosts of a registrable domain are of one shard."""
    return shard_of_domain(domain_of(host))


def shard_of_domain(domain: str) -> int:
    """The shard of a registrable domain, as `domain_of` names it."""
    return fingerprint(domain) % SHARDS

"""Rows of the state's `details` and `hosts`: made of requests and outcomes, and read back."""

from __future__ import annotations

import msgspec

from crawler import urls
from crawler.models import OUTCOMES, Link, Request
from crawler.store.base import Done, Found
from crawler.store.checksums import crc_of

PENDING = OUTCOMES.index("pending")


def novel_request(link: Link, group: Found, seq: int) -> Request:
    """The request for a link that was never seen before.

    Args:
        link: The link.
        group: What it was found with.
        seq: Its place in the order of discovery.
    """
    key = link.fingerprint
    extra = group.extra.get(key) if group.extra else None
    return Request(
        link.url, link.host, key, "page", group.depth, group.via, group.chain, 0, group.are_seeds, seq, extra
    )


def crc_of_request(request: Request, host_id: int, outcome: int = PENDING, reason: str | None = None) -> int:
    """The checksum of a URL's row, see `checksums.DETAILS`."""
    via, chain = request.via, _chain_text(request.chain)
    return crc_of(
        request.seq,
        host_id,
        request.url.encode(),
        request.depth,
        None if via is None else via.encode(),
        None if chain is None else chain.encode(),
        int(request.is_seed),
        outcome,
        None if reason is None else reason.encode(),
        request.attempts,
        request.extra,
    )


def outcome_row(done: Done, host_id: int) -> tuple[object, ...]:
    """The columns of a URL's row that its outcome changes, and its `seq`."""
    request, outcome = done.request, OUTCOMES.index(done.outcome)
    attempts = request.attempts + done.was_open
    extra = request.extra if done.extra is None else done.extra
    changed = msgspec.structs.replace(request, attempts=attempts, extra=extra)
    return outcome, done.reason, attempts, extra, crc_of_request(changed, host_id, outcome, done.reason), request.seq


def host_crc(key: str, next_at: float | None = None, gap_s: float | None = None) -> int:
    """The checksum of a host's row, see `checksums.COLUMNS`."""
    return crc_of(key.encode(), urls.shard_of(key), next_at, gap_s)


def novel_row(request: Request, host_id: int) -> tuple[object, ...]:
    """The row of a URL that is new."""
    return (
        request.seq,
        host_id,
        request.url,
        request.depth,
        request.via,
        _chain_text(request.chain),
        request.is_seed,
        PENDING,
        None,
        0,
        request.extra,
        crc_of_request(request, host_id),
    )


def _chain_text(chain: tuple[str, ...]) -> str | None:
    return msgspec.json.encode(chain).decode() if chain else None


def _chain(text: str | None) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...]) if text else ()


def request_of(
    url: str,
    host: str,
    depth: int,
    via: str | None,
    chain: str | None,
    attempts: int,
    is_seed: int,
    seq: int,
    extra: bytes | None,
) -> Request:
    """The request of a pending URL by the columns of its row, and its host's key."""
    key = urls.fingerprint(url)
    return Request(url, host, key, "page", depth, via, _chain(chain), attempts, bool(is_seed), seq, extra)


def batch_crc(number: int, output: str, *numbers: int) -> int:
    """The checksum of a batch's row, see `checksums.COLUMNS`."""
    return crc_of(number, output.encode(), *numbers)

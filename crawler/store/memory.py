"""A store in memory, for crawls that keep nothing."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice

from crawler.models import Outcome, Request
from crawler.store.base import NO_STATES, Done, Found, Output, States, Territory, TrapRow


class MemoryStore:
    """A store that lives and dies with the process, so that no session ever finds what an earlier one left."""

    def __init__(self) -> None:
        self._state: dict[int, tuple[str, Outcome, str | None]] = {}
        self._pending: dict[str, deque[Request]] = {}
        self._next_seq = 1

    def begin_session(self) -> bool:
        """See `Store.begin_session`."""
        return True

    def charge(self, seqs: Iterable[int]) -> None:
        """Nothing to do: a crash leaves nothing behind."""

    def request(self, seq: int) -> Request | None:
        """Nothing: no earlier session left anything."""
        return None

    def revive(self, reasons: Sequence[str]) -> int:
        """Nothing to do: no earlier session had other limits."""
        return 0

    def take_over(self, shards: Container[int], max_crashes: int) -> Territory:
        """Nothing: no earlier session left anything."""
        return Territory()

    def commit(
        self,
        done: Sequence[Done],
        found: Sequence[Found],
        outputs: Sequence[Output] = (),
        states: States = NO_STATES,
    ) -> list[Request]:
        """See `Store.commit`."""
        for each in done:
            self._state[each.request.fingerprint] = (each.request.url, each.outcome, each.reason)
            self._forget(each.request.host)
        novel: list[Request] = []
        for group in [*found, *(each.found for each in done if each.found is not None)]:
            novel += self._insert(group)
        return novel

    def _insert(self, group: Found) -> Iterator[Request]:
        for link in group.links:
            if link.fingerprint in self._state:
                continue
            self._state[link.fingerprint] = (link.url, "pending", None)
            request = Request(
                link.url,
                link.host,
                link.fingerprint,
                depth=group.depth,
                via=group.via,
                chain=group.chain,
                is_seed=group.are_seeds,
                seq=self._next_seq,
                extra=group.extra.get(link.fingerprint),
            )
            self._next_seq += 1
            self._pending.setdefault(link.host, deque()).append(request)
            yield request

    def _forget(self, host: str) -> None:
        """Let go of the requests at the head of a host's queue that have an outcome."""
        queue = self._pending.get(host)
        while queue and not self._is_pending(queue[0]):
            queue.popleft()

    def take(self, host: str, after: int, count: int) -> list[Request]:
        """See `Store.take`; what comes before `after` is in the frontier's hands and is forgotten here."""
        queue = self._pending.get(host, deque())
        while queue and queue[0].seq <= after:
            queue.popleft()
        return list(islice((request for request in queue if self._is_pending(request)), count))

    def _is_pending(self, request: Request) -> bool:
        return self._state[request.fingerprint][1] == "pending"

    def keep_traps(self, rows: Sequence[TrapRow]) -> None:
        """Nothing to do: no later session needs them."""

    def counts(self) -> dict[Outcome, int]:
        """See `Store.counts`."""
        return dict(Counter(outcome for _, outcome, _ in self._state.values()))

    def outcomes(self) -> Iterator[tuple[str, Outcome, str | None]]:
        """See `Store.outcomes`."""
        return iter(self._state.values())

    def output_length(self, name: str) -> int:
        """Nothing: there are no outputs."""
        return 0

    def close(self, *, is_clean: bool) -> None:
        """Nothing is held."""

"""What the frontier answers: decisions for the caller to act on."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from crawler.models import Outcome, Request

# The next request waits for its host's turn, for a free slot, or for being discovered.
Hold = Literal["turn", "slots", "nothing"]
Admission = Literal["accepted", "in_store", "depth", "dead"]


class Wait(Struct, frozen=True):
    """Nothing may be fetched before `until` (monotonic seconds)."""

    until: float


class Refill(Struct, frozen=True):
    """The store has more requests for `host` after position `after`: hand `count` of them to `Frontier.refilled`."""

    host: str
    after: int
    count: int


class Resolve(Struct, frozen=True):
    """A host must be resolved before its first request: answer with `resolved`, `unresolved` or `fail_host`."""

    host: str
    url: str


class Drop(Struct, frozen=True):
    """Requests that will not be fetched, with the outcome and reason to record."""

    requests: tuple[Request, ...]
    outcome: Outcome
    reason: str


class Waits(Struct, frozen=True):
    """What a request that is handed out has waited for, in seconds.

    Args:
        queue_s: For a free slot, or for room behind the fetch, while its host might have been asked.
        politeness_s: For its host's turn: while its host was cooling down, or had as many requests as it may have; that
            for its robots.txt and the look-up of its name are among them.
        gap_s: What the host's pace alone kept it waiting since it was last busy; unlike `politeness_s`, what many
            requests of one host wait for at the same time is in it once.
    """

    queue_s: float
    politeness_s: float
    gap_s: float


NO_WAITS = Waits(0.0, 0.0, 0.0)

Decision = Request | Wait | Refill | Resolve | Drop

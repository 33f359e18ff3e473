"""Which links of a page are followed: judged once for each distinct link, handed out once, counted every time.

Links repeat from page to page: a site's pages may all lead to the same two hundred others. Handing these to the parent
each time would cost it more than fetching the page does, so a link that was handed out is not handed out again: the
answer that held it is before this one on the same channel, and the store decides what is new anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from msgspec import Struct

from crawler import urls
from crawler.models import EXAMPLES, LeftOut, Link
from crawler.scope import Scope

_REMEMBERED_LINKS = 100_000  # about 20 MiB
_FOLLOWED = 0


class Judged(Struct, frozen=True):
    """What became of a page's links.

    Args:
        links: To follow, and not handed out before.
        followed: How many of the page's links are followed, those handed out before included.
        outside: What was left out.
    """

    links: tuple[Link, ...] = ()
    followed: int = 0
    outside: tuple[LeftOut, ...] = ()


class LinkJudge:
    """Judges links for one worker, which hands its answers over in the order in which they were judged.

    Args:
        scope: What belongs to the crawl.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[str, int] = {}  # target → `_FOLLOWED`, or the number of its reason in `_reasons`
        self._reasons: dict[tuple[str, str], int] = {}
        self._named: list[tuple[str, str]] = [("", "")]  # the same by number, none of which is `_FOLLOWED`
        self._examples: list[int] = [0]  # how many were given for each

    def judge(self, targets: Collection[str]) -> Judged:
        """Judge the distinct canonical targets of one page."""
        known = self._known
        if len(known) > _REMEMBERED_LINKS:
            self.forget()
        links: list[Link] = []
        examples: dict[int, list[str]] = {}
        verdicts = list(map(known.get, targets))
        if None in verdicts:
            for target in [each for each in targets if each not in known]:
                verdict = known[target] = self._judge(target, links)
                if verdict != _FOLLOWED and self._examples[verdict] < EXAMPLES:
                    self._examples[verdict] += 1
                    examples.setdefault(verdict, []).append(target)
            verdicts = list(map(known.get, targets))
        followed = verdicts.count(_FOLLOWED)
        if followed == len(verdicts):
            return Judged(tuple(links), followed)
        outside = tuple(
            LeftOut(*self._named[number], count, tuple(examples.get(number, ())))
            for number, count in Counter(verdicts).items()
            if number
        )
        return Judged(tuple(links), followed, outside)

    def forget(self) -> None:
        """Hand out again what was handed out before: an answer was lost, or memory is full."""
        self._known.clear()

    def take_back(self, links: Collection[Link]) -> None:
        """Hand out links again, because the answer that holds them may be thrown away."""
        for link in links:
            self._known.pop(link.url, None)

    def _judge(self, target: str, links: list[Link]) -> int:
        host = urls.host_key(target)
        refusal = self._scope.refusal(target)
        if refusal is None:
            links.append(Link(target, host, urls.fingerprint(target)))
            return _FOLLOWED
        number = self._reasons.setdefault((host, refusal), len(self._named))
        if number == len(self._named):
            self._named.append((host, refusal))
            self._examples.append(0)
        return number

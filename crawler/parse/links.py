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
from crawler.models import EXAMPLES, LeftOut, Link, Merged
from crawler.scope.rewrite import UrlRules
from crawler.scope.scope import Scope

_REMEMBERED_LINKS = 100_000  # about 20 MiB
_FOLLOWED = 0


class Judged(Struct, frozen=True):
    """What became of a page's links.

    Args:
        links: To follow, and not handed out before.
        followed: How many of the page's links are followed, those handed out before included.
        outside: What was left out.
        merged: What was rewritten.
    """

    links: tuple[Link, ...] = ()
    followed: int = 0
    outside: tuple[LeftOut, ...] = ()
    merged: tuple[Merged, ...] = ()


class _Verdicts:
    """What links are counted under: a host and a reason, or a rule; each has a number, and a few examples."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self.names: list[tuple[str, str]] = [("", "")]  # What each number stands for; the first is `_FOLLOWED`.
        self._given = [0]  # how many examples, by number

    def number(self, host: str, reason: str) -> int:
        """The number of a host and a reason, or of no host and a rule."""
        number = self._numbers.setdefault((host, reason), len(self.names))
        if number == len(self.names):
            self.names.append((host, reason))
            self._given.append(0)
        return number

    def wants_example(self, number: int) -> bool:
        """Whether one more example is to be given."""
        self._given[number] += 1
        return self._given[number] <= EXAMPLES


class LinkJudge:
    """Judges links for one worker, which hands its answers over in the order in which they were judged.

    Args:
        scope: What belongs to the crawl.
        rules: Rewrite links before they are judged.
    """

    def __init__(self, scope: Scope, rules: UrlRules) -> None:
        self._scope = scope
        self._rules = rules if rules != UrlRules() else None
        self._known: dict[str, int] = {}  # target → `_FOLLOWED`, or what it is counted under
        self._verdicts = _Verdicts()

    def judge(self, targets: Collection[str]) -> Judged:
        """Judge the distinct canonical targets of one page."""
        known = self._known
        if len(known) > _REMEMBERED_LINKS:
            self.forget()
        links: list[Link] = []
        examples: dict[int, list[tuple[str, str]]] = {}
        verdicts = list(map(known.get, targets))
        if None in verdicts:
            for target in targets:
                if target not in known:
                    self._judge(target, links, examples)
            verdicts = list(map(known.get, targets))
        followed = verdicts.count(_FOLLOWED)
        if followed == len(verdicts):
            return Judged(tuple(links), followed)
        return self._counted(Counter(verdicts), links, examples)

    def forget(self) -> None:
        """Hand out again what was handed out before: an answer was lost, may be thrown away, or memory is full."""
        self._known.clear()
        self._verdicts = _Verdicts()

    def _judge(self, target: str, links: list[Link], examples: dict[int, list[tuple[str, str]]]) -> None:
        url, rule = self._rules.rewrite(target) if self._rules is not None else (target, "")
        host = urls.host_key(url)
        refusal = self._scope.refusal(url)
        if refusal is not None:
            verdict = self._verdicts.number(host, refusal)
        else:
            if url not in self._known:
                self._known[url] = _FOLLOWED
                links.append(Link(url, host, urls.fingerprint(url)))
            verdict = self._verdicts.number("", rule) if rule else _FOLLOWED
        self._known[target] = verdict
        if verdict != _FOLLOWED and self._verdicts.wants_example(verdict):
            examples.setdefault(verdict, []).append((target, url))

    def _counted(
        self, counts: Counter[int | None], links: list[Link], examples: dict[int, list[tuple[str, str]]]
    ) -> Judged:
        followed = counts.pop(_FOLLOWED, 0)
        outside, merged = [], []
        for number, count in counts.items():
            if number is None:
                continue
            host, reason = self._verdicts.names[number]
            given = examples.get(number, ())
            if host:
                outside.append(LeftOut(host, reason, count, tuple(url for _, url in given)))
            else:
                followed += count
                merged.append(Merged(reason, count, tuple(given)))
        return Judged(tuple(links), followed, tuple(outside), tuple(merged))

"""What pages have waited for before they are handed out: their host's turn, or a free slot."""

from __future__ import annotations

from crawler.frontier.decisions import Waits


class WaitClock:
    """Remembers when pages came, in groups, because most come together; they leave about in the order they came in.

    Attributes:
        free_s: Seconds for which the host might have been visited and was not.
    """

    __slots__ = ("_groups", "free_s")

    def __init__(self) -> None:
        self.free_s = 0.0
        # Each group says how many pages came together, when, and what `free_s` was at that moment.
        self._groups: list[list[float]] = []

    def __repr__(self) -> str:
        return f"<WaitClock {sum(int(group[0]) for group in self._groups)} pages in {len(self._groups)} groups>"

    def came(self, now: float) -> None:
        """A page waits behind the others from now on."""
        groups = self._groups
        if groups and groups[-1][1] == now:
            groups[-1][0] += 1
        else:
            groups.append([1, now, self.free_s])

    def came_back(self, now: float) -> None:
        """A page waits before the others from now on."""
        self._groups.insert(0, [1, now, self.free_s])

    def left(self, now: float) -> tuple[float, float]:
        """A page waits no more: when it came, and what `free_s` was at that moment."""
        if not self._groups:
            return now, self.free_s
        first = self._groups[0]
        first[0] -= 1
        if not first[0]:
            del self._groups[0]
        return first[1], first[2]

    def waits(self, now: float, due: float, busy_at: float) -> Waits:
        """What a page that is handed out now has waited for.

        Args:
            now: Monotonic seconds, as the other two.
            due: When its host's turn had come.
            busy_at: When a request to its host left or ended last.
        """
        known_at, free_s = self.left(now)
        turn_at = due if due > known_at else known_at
        if turn_at < now:
            self.free_s += now - turn_at
        waited_s = now - known_at
        queue_s = min(self.free_s - free_s, waited_s)
        gap_s = turn_at - (busy_at if busy_at > known_at else known_at)
        return Waits(queue_s, waited_s - queue_s, gap_s if gap_s > 0.0 else 0.0)

    def clear(self) -> None:
        """No page waits any more."""
        self._groups.clear()

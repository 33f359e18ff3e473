"""What other programs have of this machine's processors while a crawl runs, where the system tells."""

from __future__ import annotations

import os
import time

from crawler.measure import procfs
from crawler.settings.groups import cores


def _others_s() -> float:
    """CPU time that this machine spent on anything but this process and its children, seconds.

    Raises:
        OSError, ValueError, IndexError: If the system does not tell, or not in the words of Linux.
    """
    own_s = time.process_time() + procfs.ended_s()
    for pid in procfs.children(os.getpid()):
        try:
            own_s += procfs.cpu_s(pid)
        except OSError:  # The process has ended meanwhile.
            continue
    return procfs.machine_s() - own_s


class Machine:
    """Measures from its `start` to its `stop`, or to now."""

    def __init__(self) -> None:
        self._before_s: float | None = None
        self._after_s: float | None = None

    def start(self) -> None:
        """Measure from now on."""
        self._before_s = self._look()

    def stop(self) -> None:
        """Measure no further."""
        self._after_s = self._look()

    @property
    def others_s(self) -> float:
        """CPU time of other programs on the processors that this process may use, seconds; 0 if that is not known."""
        if self._before_s is None:
            return 0.0
        after_s = self._look() if self._after_s is None else self._after_s
        if after_s is None:
            return 0.0
        # Of a machine of which this process may use a part, others are taken to be spread evenly over all of it.
        return max(0.0, after_s - self._before_s) * min(1.0, cores() / (os.cpu_count() or 1))

    @staticmethod
    def _look() -> float | None:
        try:
            return _others_s()
        except (OSError, ValueError, IndexError):
            return None

"""What holds for all tests."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

import hypothesis
import pytest

# A busy machine makes any example slow, which says nothing of what is tested.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# A shell starts what runs in the background with SIGINT ignored, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def lacking(what: str) -> NoReturn:
    """A test cannot run for want of something that CI installs: it fails there, and is skipped elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)

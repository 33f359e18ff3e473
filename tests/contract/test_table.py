"""Strategies by name, and what it costs to know their names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crawler import fetch
from crawler.errors import UsageError
from crawler.fetch.base import ByteCount
from crawler.fetch.dial.guard import Guard
from crawler.settings.groups import FetchSettings, Settings


@pytest.mark.parametrize(
    ("name", "concurrency"), [("asyncio", 64), ("threads", 16), ("sequential", 1), ("curl", 64), ("replay", 64)]
)
def test_each_strategy_has_its_own_concurrency(name: str, concurrency: int) -> None:
    assert fetch.concurrency_of(FetchSettings(strategy=name)) == concurrency
    assert fetch.concurrency_of(FetchSettings(strategy=name, concurrency=5)) == 5
    assert name in fetch.STRATEGIES


async def test_an_unknown_strategy_and_one_that_is_not_installed_have_different_sentences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match=r"no strategy 'carrier'; known are asyncio, threads"):
        fetch.create("carrier", Settings(), Guard(), ByteCount())
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "crawler.fetch.aio", raising=False)
    with pytest.raises(UsageError, match=r"needs aiohttp, which is not installed: pip install aiohttp"):
        fetch.create("asyncio", Settings(), Guard(), ByteCount())


def test_knowing_the_strategies_imports_no_client_library() -> None:
    clients = {"aiohttp", "requests", "urllib3", "pycurl"}
    code = f"import sys, crawler.fetch, crawler.fetch.base; print({clients} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"

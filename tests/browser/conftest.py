"""Pages looked at by a real browser: Debian's Chromium, driven by playwright, that reaches nothing but this machine."""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.conftest import lacking

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page, Route

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LOCAL_SCHEMES = ("file", "data", "blob", "about")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser serves all tests here, so they share the event loop that it lives on."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def is_local(url: str) -> bool:
    """Whether a request stays on this machine."""
    parts = urlsplit(url)
    if parts.scheme in LOCAL_SCHEMES or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    driver = pytest.importorskip("playwright.async_api", reason="playwright is not installed (crawler[dev] has it)")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        lacking("there is no Chromium (Debian: apt-get install chromium)")
    # Chromium's sandbox refuses to be set up by root, which is who runs tests in a container.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with driver.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=path, args=options)
        yield browser
        await browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the tab has complained about; a test that wants some of it takes that out."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, complaints: list[str]) -> AsyncIterator[Page]:
    """An empty tab; whatever it complains about, and each request that would leave this machine, fails the test."""

    async def judge(route: Route) -> None:
        if is_local(route.request.url):
            await route.continue_()
        else:
            complaints.append(f"asked for {route.request.url}")
            await route.abort()

    context = await chromium.new_context(locale="en-GB")
    await context.route("**/*", judge)
    context.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield await context.new_page()
    await context.close()
    assert complaints == []

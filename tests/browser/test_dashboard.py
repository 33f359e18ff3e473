"""The dashboard as a person sees it: in a real browser, beside a real crawl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crawler.lab.process import serve_in_process
from crawler.lab.world import World, WorldSpec
from tests.integration.conftest import LAB_OPTIONS
from tests.integration.watched import Watched, watched
from tests.kill.site import Site, serving

if TYPE_CHECKING:
    from playwright.async_api import Page

expect = pytest.importorskip("playwright.async_api", reason="playwright is not installed (crawler[dev] has it)").expect

HOSTS = 3
TIMEOUT_MS = 30_000
OPTIONS = [*LAB_OPTIONS[:-2], "--delay", "0.1", "--parse-workers", "1"]


@pytest.fixture(scope="module")
def seeds() -> Iterator[list[str]]:
    """A web with pages that fail."""
    world = WorldSpec(hosts=HOSTS, pages_per_host=2_000, page_bytes=4_000, error_rate=0.3)
    with serve_in_process(world) as lab:
        yield World(world).seeds(lab.port)


@pytest.fixture(scope="module")
def crawl(seeds: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A crawl that goes on while it is looked at."""
    with watched("crawl", *seeds, *OPTIONS, "--run", tmp_path_factory.mktemp("run") / "run", "--dashboard") as crawl:
        yield crawl


async def counted(page: Page, selector: str, count: int) -> None:
    """Wait until a page has so many of something."""
    await expect(page.locator(selector)).to_have_count(count, timeout=TIMEOUT_MS)


async def said(page: Page, selector: str, text: str | re.Pattern[str]) -> None:
    """Wait until the first of something says this."""
    await expect(page.locator(selector).first).to_have_text(text, timeout=TIMEOUT_MS)


async def test_everything_that_has_figures_shows_them(page: Page, crawl: Watched) -> None:
    await page.goto(crawl.url)
    await counted(page, "#charts path.curve", 3)
    await said(page, "#failures li .tag", re.compile(r"404|410|500"))
    assert await page.inner_text("#title") == f"{HOSTS} sites"
    assert await page.inner_text("#phase") == "Crawling"
    assert len(await page.inner_text("#bottleneck")) > 10
    assert await page.locator("#hosts tbody tr").count() == HOSTS
    assert await page.locator("#meters [role=meter]").count() == 5
    assert {"First byte", "Parse", "Commit"} <= set(await page.locator("#stages tbody th").all_inner_texts())
    await said(page, "#figures dd", re.compile(r"[1-9]\d"))
    labels = await page.locator("#charts svg").evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
    assert [label.partition(":")[0] for label in labels] == [
        "Pages per second",
        "Received per second",
        "Requests in flight",
    ]
    for label in labels[:2]:
        highest = re.search(r", ([\d.,]+)[^,]* at most", label)
        assert highest is not None
        assert float(highest[1].replace(",", "")) > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_nothing_sticks_out(page: Page, crawl: Watched, width: int, scheme: str) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(crawl.url)
    await counted(page, "#charts path.curve", 3)
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 128) == (scheme == "dark")
    small = await page.locator("button:visible").evaluate_all(
        "all => all.filter(each => each.getBoundingClientRect().height < 24).length"
    )
    assert small == 0


async def test_the_whole_session_can_be_chosen_by_keyboard(page: Page, crawl: Watched) -> None:
    await page.goto(crawl.url)
    await counted(page, "#charts path.curve", 3)
    await page.focus("input[name=span]:checked")
    await page.keyboard.press("ArrowRight")
    assert await page.input_value("input[name=span]:checked") == "0"
    await counted(page, "#charts path.curve", 3)


async def test_the_stop_button_asks_once_and_the_page_keeps_the_last_state(
    page: Page, seeds: list[str], tmp_path: Path
) -> None:
    with watched("crawl", *seeds, *OPTIONS, "--run", tmp_path / "run", "--dashboard") as crawl:
        await page.goto(crawl.url)
        await said(page, "#figures dd", re.compile("[1-9]"))
        await page.focus("#stop")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Escape")
        assert await page.inner_text("#phase") == "Crawling"
        await page.click("#stop")
        await page.click("#firm")
        await said(page, "#phase", "Stopped")
        assert crawl.wait() == 3
    assert "The crawl has stopped early" in await page.inner_text("#notice")
    assert await page.locator("#hosts tbody tr").count() == HOSTS
    assert not await page.is_visible("#stop")


async def test_a_crawl_that_is_over_says_so(page: Page, tmp_path: Path) -> None:
    pages: dict[str, list[str]] = {"/": ["/held", "/more"], "/held": [], "/more": []}
    limit = ["--delay", "0", "--parse-workers", "1", "--max-pages", "2", "--run", tmp_path / "run"]
    with (
        serving(Site(pages, holds=("/held",))) as site,
        watched("crawl", site.url("/"), *limit, "--dashboard", "--dashboard-token", "a-secret-of-ours") as crawl,
    ):
        await page.goto(crawl.url.replace("…", "a-secret-of-ours"))
        await said(page, "#figures dd", "1")
        assert "token" not in page.url
        site.is_over.set()
        await said(page, "#phase", "Stopped")
        assert crawl.wait() == 0
    assert "stopped at --max-pages" in await page.inner_text("#notice")
    assert await page.inner_text("#title") == site.url("/")


async def test_a_crawl_that_is_gone_is_not_taken_for_one_that_goes_on(
    page: Page, seeds: list[str], tmp_path: Path, complaints: list[str]
) -> None:
    with watched("crawl", *seeds, *OPTIONS, "--run", tmp_path / "run", "--dashboard") as crawl:
        await page.goto(crawl.url)
        await said(page, "#figures dd", re.compile("[1-9]"))
        crawl.process.kill()
        await said(page, "#phase", "No connection")
    assert "has not been heard of since" in await page.inner_text("#notice")
    assert await page.is_disabled("#stop")
    # The browser itself complains of the connection that broke off, and of each one that is refused then.
    complaints[:] = [each for each in complaints if "net::ERR_" not in each]


HOSTILE = "<img src=x onerror=document.title='pwned'>\u202e</script><script>document.title='pwned'</script>"


async def test_what_the_web_says_is_text(page: Page, crawl: Watched) -> None:
    """Even if the server let hostile text through as it came, the page would show it as what it is."""
    await page.goto(crawl.url)
    await said(page, "#recent li .tag", re.compile(r"200|404|410|500"))
    await page.evaluate(
        """hostile => {
            const page = {url: `javascript:${hostile}`, outcome: "failed", status: null, error: hostile, attempts: 1,
                          elapsed_ms: null, wire_bytes: null, title: hostile, content_type: hostile, redirect_to: null};
            const host = {...state.hosts[0], host: hostile, dead: hostile};
            const verdict = {...state.verdict, sentence: hostile, advice: [hostile]};
            const reasons = [["failed", hostile, 1]];
            show({...state, recent: [page], failures: [page], hosts: [host], reasons, verdict});
        }""",
        HOSTILE,
    )
    assert await page.locator("img, #recent script, a[href^=javascript]").count() == 0
    assert HOSTILE in (await page.text_content("#bottleneck") or "")
    assert HOSTILE in (await page.text_content("#failures") or "")
    assert "pwned" not in await page.title()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

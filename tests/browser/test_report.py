"""The report in a real browser: it opens offline, on a phone, in the dark, by keyboard and on paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import LAB_OPTIONS, lab, run_cli, seeds, world

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ("lab", "seeds", "world")  # fixtures

MIN_CONTRAST = 4.5  # of text, WCAG 2.2, 1.4.3 (AA)
# Every element that has text of its own and can be seen, with its contrast to the ground behind it.
CONTRASTS = """() => {
  const channels = colour => colour.match(/[0-9.]+/g).map(Number);
  const light = colour => channels(colour).slice(0, 3).map(each => each / 255)
    .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(each => each.nodeType === Node.TEXT_NODE && each.data.trim());
    if (!own || !node.getClientRects().length || node.closest("title, desc, script")) continue;
    const style = getComputedStyle(node);
    const a = light(node instanceof SVGElement ? style.fill : style.color), b = light(ground(node));
    found.push([node.tagName + ": " + node.textContent.trim().slice(0, 40),
      (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
  }
  return found;
}"""
# What is drawn or written further right than its own box that scrolls, or the page, has room for.
OUTSIDE = """() => [...document.querySelectorAll("body *")]
  .filter(node => !node.closest(".scroll, .skip, svg") && node.getBoundingClientRect().right > innerWidth + 1)
  .map(node => node.outerHTML.slice(0, 80))"""
# Texts in pictures that their picture cuts off.
CUT = """() => [...document.querySelectorAll("svg text")].filter(node => node.getClientRects().length).filter(node => {
    const own = node.getBoundingClientRect(), whole = node.ownerSVGElement.getBoundingClientRect();
    return own.left < whole.left - 1 || own.right > whole.right + 1 || own.bottom > whole.bottom + 1;
  }).map(node => node.textContent)"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, seeds: Sequence[str]) -> str:
    """Where the report of a crawl of the lab is, as a file."""
    folder = tmp_path_factory.mktemp("report") / "run"
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", folder, "--report", "--simhash")
    assert done.returncode == 0, done.stderr
    return (folder / "report.html").as_uri()


async def test_it_opens_from_a_file_and_its_pictures_have_data(page: Page, address: str) -> None:
    """Whatever the browser complains about, or is asked for, fails the test by the page itself."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.goto(address)
    assert [url for url in requests if not url.startswith("data:")] == [address]
    for words in ("Outcomes", "Broken links", "Where the time went", "Speed and occupancy"):
        assert await page.get_by_role("heading", name=words).is_visible()
    pictures = page.locator("figure .wide svg")
    assert await pictures.count() > 10
    for number in range(await pictures.count()):
        picture = pictures.nth(number)
        box = await picture.bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert await picture.locator("rect, path.line").count() > 0
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [320, 360, 768, 1200])
async def test_nothing_overflows(page: Page, address: str, width: int) -> None:
    """Also with every list unfolded; wide tables scroll within their own box."""
    await page.set_viewport_size({"width": width, "height": 740})
    await page.goto(address)
    await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert await page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert await page.evaluate(OUTSIDE) == []
    assert await page.evaluate(CUT) == []


async def test_on_a_phone_pictures_are_drawn_for_it(page: Page, address: str) -> None:
    """Their letters have the size that they have elsewhere."""
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.goto(address)
    assert await page.locator("figure .wide svg").first.is_hidden()
    heights = await page.evaluate(
        "[...document.querySelectorAll('figure .narrow text')].map(each => each.getBoundingClientRect().height)"
    )
    assert min(heights) > 11


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_its_ground(page: Page, address: str, scheme: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(address)
    contrasts = await page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [each for each in contrasts if each[1] < MIN_CONTRAST] == []


async def test_the_keyboard_reaches_every_region(page: Page, address: str) -> None:
    await page.goto(address)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    regions = await page.evaluate(
        "[...document.querySelectorAll('[role=region]')].filter(e => e.checkVisibility()).map(e => e.ariaLabel)"
    )
    assert len(regions) > 5
    reached: list[str] = []
    for _ in range(await page.locator("main [tabindex], main a, main summary").count()):
        await page.keyboard.press("Tab")
        if name := await page.evaluate("document.activeElement.ariaLabel"):
            reached.append(name)
    assert reached[: len(regions)] == regions


async def test_headings_leave_out_no_level(page: Page, address: str) -> None:
    await page.goto(address)
    levels = await page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


async def test_it_can_be_printed(page: Page, address: str) -> None:
    """On white, without what is for clicking, and nothing is cut off that scrolls on a screen."""
    await page.emulate_media(media="print", color_scheme="dark")
    await page.goto(address)
    assert await page.locator("nav").is_hidden()
    assert await page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(31, 41, 51)"
    paper = await page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 3


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, seeds: Sequence[str]) -> Path:
    """The report of one small site."""
    folder = tmp_path_factory.mktemp("report") / "run"
    assert run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", folder, "--report").returncode == 0
    return folder / "report.html"


async def test_a_page_of_the_graph_shows_its_links(page: Page, small: Path) -> None:
    await page.goto(small.as_uri())
    home = page.locator(".node").first
    number = await home.get_attribute("data-number")
    links = await page.locator(f"[data-from='{number}'], [data-to='{number}']").count()
    assert links > 1
    await home.locator("circle").hover()
    assert await page.locator(".graph path.on").count() == links
    assert await page.locator(".graph .node.on").count() > 1
    await page.locator("h1").hover()
    assert await page.locator(".graph .on").count() == 0


async def test_no_two_names_in_the_graph_meet(page: Page, small: Path) -> None:
    """Each has a direction of its own, with room for its letters."""
    await page.goto(small.as_uri())
    turns = await page.evaluate(
        "[...document.querySelectorAll('.graph text')].map(each => (+each.getAttribute('transform')"
        ".match(/-?[0-9.]+/)[0] + (each.getAttribute('text-anchor') === 'end' ? 180 : 360)) % 360)"
    )
    rim = await page.evaluate("Math.max(...[...document.querySelectorAll('.ring')].map(each => each.r.baseVal.value))")
    turns.sort()
    gaps = [after - before for before, after in pairwise([*turns, turns[0] + 360])]
    assert min(gaps) / 360 * 2 * 3.14159 * rim > 12

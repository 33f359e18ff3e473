"""Answers without a network, in the way of the strategies that have one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crawler import fetch
from crawler.errors import FetchError, UsageError
from crawler.fetch.base import ByteCount
from crawler.fetch.dial.guard import Guard
from crawler.fetch.dial.target import Limits, Target
from crawler.fetch.replay import ReplayFetcher
from crawler.models import Request, Response
from crawler.settings.groups import FetchSettings, Settings

HTML = (("Content-Type", "text/html"),)


async def get(fetcher: ReplayFetcher, url: str, limits: Limits | None = None) -> Response:
    return await fetcher.fetch(Request(url, "h", 0), Target((), time.monotonic() + 10, limits or Limits()))


async def test_a_table_answers_with_what_it_holds() -> None:
    held = Response(Request("http://a/p", "a", 1), 203, HTML, b"page", 0.0, 0.0, "asyncio")
    fetcher = ReplayFetcher(
        {
            "http://a/": (200, {"Content-Type": "text/html"}, b"root"),
            "http://a/p": held,
            "http://a/x": FetchError("refused"),
        }
    )
    page = await get(fetcher, "http://a/")
    assert (page.status, page.headers, page.body, page.strategy) == (200, HTML, b"root", "replay")
    assert (await get(fetcher, "http://a/p")).status == 203
    with pytest.raises(FetchError, match="refused"):
        await get(fetcher, "http://a/x")
    with pytest.raises(FetchError) as caught:
        await get(fetcher, "http://a/none")
    assert caught.value.reason == "not_in_replay"


async def test_the_limits_are_those_of_the_real_strategies() -> None:
    counter = ByteCount()
    fetcher = ReplayFetcher(
        {
            "http://a/long": (200, HTML, b"x" * 3000),
            "http://a/image": (200, (("Content-Type", "image/png"),), b"png"),
            "http://a/moved": (301, (("Location", "/"), ("Content-Length", "4")), b"body"),
            "http://a/empty": (204, (), b"body"),
            "http://a/heads": (200, HTML * 50, b""),
        },
        counter,
    )
    cut = await get(fetcher, "http://a/long", Limits(max_body_bytes=2048))
    assert (len(cut.body), cut.truncated) == (2048, "length")
    assert counter.used == 2048
    assert (await get(fetcher, "http://a/image")).truncated == "type"
    assert (await get(fetcher, "http://a/moved")).body == b""
    assert (await get(fetcher, "http://a/empty")).body == b""
    with pytest.raises(FetchError, match="header_too_large"):
        await get(fetcher, "http://a/heads", Limits(max_header_fields=20))


async def test_a_folder_answers_by_path_and_suffix(tmp_path: Path) -> None:
    for name, text in {
        "index.html": "<p>root",
        "a b.html": "<p>space",
        "style.css": "p {}",
        "one.example:8080/index.html": "<p>one",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    settings = Settings(fetch=FetchSettings(strategy="replay", replay=str(tmp_path)))
    fetcher = fetch.create("replay", settings, Guard(), ByteCount())
    assert isinstance(fetcher, ReplayFetcher)
    page = await get(fetcher, "http://any.example/?q=1")
    assert (page.status, page.header("content-type"), page.body) == (200, "text/html", b"<p>root")
    assert (await get(fetcher, "http://any.example/a%20b.html")).body == b"<p>space"
    assert (await get(fetcher, "http://any.example/style.css")).header("content-type") == "text/css"
    assert (await get(fetcher, "http://one.example:8080/")).body == b"<p>one"
    assert (await get(fetcher, "http://any.example/none")).status == 404
    await fetcher.close()


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/x/%2e%2e/%2e%2e/secret", "/%00"])
async def test_a_folder_gives_nothing_from_outside(tmp_path: Path, path: str) -> None:
    # scenario 81
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "pages"
    folder.mkdir()
    assert (await get(ReplayFetcher(folder), f"http://a{path}")).status == 404


async def test_a_folder_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    settings = Settings(fetch=FetchSettings(replay=str(tmp_path / "none")))
    with pytest.raises(UsageError, match="--replay"):
        fetch.create("replay", settings, Guard(), ByteCount())

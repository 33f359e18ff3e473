"""Hosts that break HTTP, lie, send bombs or never end: every way to crawl gives the same records of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from crawler.lab.process import LabProcess, serve_in_process
from crawler.lab.world import World, WorldSpec
from tests.contract.conftest import STRATEGIES
from tests.integration.conftest import LAB_OPTIONS, Record, read_records, run_cli, settled
from tests.integration.serving import PAGE, QUICK, Routes, serve

MODES = ("processes", "threads", "inline")
WAYS = list(product(STRATEGIES, MODES))
AT_ONCE = 6  # crawls, which mostly wait for a time to run out
LIMITS = """
[crawl]
patience_s = 0
[fetch]
first_byte_timeout_s = 4
timeout_s = 6
max_body_bytes = 100000
[politeness]
retries = 0
[parse]
workers = 1
"""
# What a body is that the deadline cut depends on the moment.
CUT_BY_TIME = ("bytes", "wire_bytes", "digest", "title", "text", "text_length")
EXPECTED = {
    "reset.lab": ("failed", "connection_lost", None),
    "short.lab": ("failed", "incomplete_body", None),
    "silent.lab": ("failed", "first_byte_timeout", None),
    "drip.lab": ("ok", None, "time"),
    "garbage.lab": ("failed", "protocol_error", None),
    "bomb.lab": ("ok", None, "length"),
    "endless.lab": ("ok", None, "length"),
    "slow-robots.lab": ("ok", None, None),
}


@pytest.fixture(scope="module")
def spec() -> WorldSpec:
    return WorldSpec(hosts=2, pages_per_host=6, page_bytes=3_000, hostile=True, slow_robots_s=0.5)


@pytest.fixture(scope="module")
def hostile_lab(spec: WorldSpec) -> Iterator[LabProcess]:
    with serve_in_process(spec) as process:
        yield process


def steady(records: list[Record]) -> dict[str, Record]:
    """Records by URL without what depends on the moment."""
    table = settled(records)
    for record in table.values():
        if record["truncated"] == "time":
            record.update(dict.fromkeys(CUT_BY_TIME))
    return table


@pytest.fixture(scope="module")
def crawls(
    spec: WorldSpec, hostile_lab: LabProcess, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, Record]]:
    """The records of a crawl for each way."""
    folder = tmp_path_factory.mktemp("hostile")
    config = folder / "limits.toml"
    config.write_text(LIMITS)
    seeds = World(spec).seeds(hostile_lab.port)

    def crawl(way: tuple[str, str]) -> dict[str, Record]:
        strategy, mode = way
        run = folder / f"{strategy} {mode}"
        options = ("--config", config, "--run", run, "--strategy", strategy, "--parse", mode)
        done = run_cli("crawl", *seeds, *LAB_OPTIONS, *options)
        assert done.returncode == 0, done.stderr
        return steady(read_records(run))

    with ThreadPoolExecutor(AT_ONCE) as crawlers:
        return dict(zip(WAYS, crawlers.map(crawl, WAYS), strict=True))


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_every_way_gives_the_same_records_of_hostile_hosts(
    way: tuple[str, str], crawls: dict[tuple[str, str], dict[str, Record]]
) -> None:
    # scenarios 7, 8, 12, 21, 30, 34, 35
    assert crawls[way] == crawls[WAYS[0]]


def test_each_hostile_host_has_its_reason_and_the_healthy_ones_are_whole(
    crawls: dict[tuple[str, str], dict[str, Record]], hostile_lab: LabProcess
) -> None:
    records = crawls[WAYS[0]]
    port = hostile_lab.port
    found = {
        host: tuple(records[f"http://{host}:{port}/"][key] for key in ("outcome", "error", "truncated"))
        for host in EXPECTED
    }
    assert found == EXPECTED
    healthy = {truth.url for truth in hostile_lab.truth() if truth.kind == "page" and not truth.disallowed}
    assert {url for url in records if "site-" in url} == healthy
    assert all(records[url]["outcome"] == "ok" for url in healthy)


def test_a_page_that_takes_its_worker_too_long_is_quarantined_and_nothing_else(tmp_path: Path) -> None:
    """A hundred thousand nested blocks: it has a record that says so, and the pages around it are read."""
    # scenarios 91, 96, 98
    config = tmp_path / "limits.toml"
    config.write_text("[parse]\ncpu_limit_s = 0.5\n")
    html = {"Content-Type": "text/html"}
    others = [f"/{number}" for number in range(20)]
    links = "".join(f"<a href={path}>x</a>" for path in ("/deep", *others))
    routes: Routes = dict.fromkeys(others, PAGE)
    routes |= {"/": (200, html, links.encode()), "/deep": (200, html, b"<div>" * 100_000)}
    with serve(routes) as (site, asked):
        done = run_cli("crawl", site, *QUICK, "--config", config, "--run", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    outcomes = {record["url"]: (record["outcome"], record["error"]) for record in read_records(tmp_path / "run")}
    assert outcomes.pop(f"{site}/deep") == ("quarantined", "parse_cpu")
    assert outcomes == {f"{site}{path}": ("ok", None) for path in ("/", *others)}
    assert asked["/deep"] == 1
    assert "quarantined" in done.stderr

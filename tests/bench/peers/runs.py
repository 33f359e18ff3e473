"""One crawl by one crawler in a process of its own, and what it cost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from crawler.lab.process import LabProcess
from crawler.version import VERSION
from tests.bench.peers.comparison import PageFields, by_url, read_pages
from tests.bench.peers.installation import ROOT
from tests.bench.peers.pages import HOST

PEERS = {  # name → module and options
    "scrapy": ("scrapy_crawl",),
    "crawlee": ("crawlee_crawl",),
    "scrapy-lean": ("scrapy_crawl", "--lean"),
    "crawlee-lean": ("crawlee_crawl", "--lean"),
}
OURS = {  # strategy → its HTTP library
    "asyncio": "aiohttp",
    "curl": "pycurl",
    "threads": "requests",
}
OPTIONS = ("--delay", "0", "--per-host", "32", "--concurrency", "32")
RECORDS = "records.jsonl"


class Run(Struct, frozen=True):
    """One crawl.

    Args:
        crawler: Name of the crawler.
        seconds: From the first request to the last record.
        cpu_s: CPU time of all of its processes, start-up included, seconds.
        pages: Distinct HTML pages recorded.
        requests: Requests that the server had.
        repeated: Those of them that asked for something once more.
        versions: Package → version.
    """

    crawler: str
    seconds: float
    cpu_s: float
    pages: int
    requests: int
    repeated: int
    versions: dict[str, str]

    @property
    def pages_per_s(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds

    @property
    def cpu_ms_per_page(self) -> float:
        """CPU time of a page, milliseconds."""
        return self.cpu_s / self.pages * 1000


def available() -> list[str]:
    """The crawlers that are compared unless others are named."""
    return ["scrapy", "crawlee", "asyncio", *(["curl"] if find_spec("pycurl") else [])]


def crawl(name: str, lab: LabProcess, folder: Path, peers_python: Path | None) -> tuple[Run, list[PageFields]]:
    """Let a crawler crawl the pages.

    Args:
        name: One of `PEERS` or `OURS`.
        lab: Where the pages are.
        folder: An empty folder for what it writes.
        peers_python: The Python that has the peers' packages.

    Returns:
        What it cost, and its records of HTML pages.

    Raises:
        SystemExit: If it failed; the message is what it said.
    """
    command = _command(name, f"http://{HOST}:{lab.port}/", folder, peers_python)
    before, spent = lab.counts().requests.get(HOST, {}), _children_cpu_s()
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT, env=_environment())
    spent, after = _children_cpu_s() - spent, lab.counts().requests.get(HOST, {})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode(errors='replace')}")
    pages = read_pages(folder / RECORDS)
    if not pages:
        raise SystemExit(f"{name} recorded no page")
    figures = json.loads(done.stdout)
    asked = [count - before.get(target, 0) for target, count in after.items()]
    run = Run(
        crawler=name,
        # Ours gives the rate of all answers, those that are no HTML included.
        seconds=figures["pages"] / figures["pages_per_s"] if name in OURS else figures["seconds"],
        cpu_s=spent,
        pages=len(by_url(pages)),
        requests=sum(asked),
        repeated=sum(count - 1 for count in asked if count > 1),
        versions=_our_versions(name) if name in OURS else figures["versions"],
    )
    return run, pages


def _command(name: str, seed: str, folder: Path, peers_python: Path | None) -> list[str]:
    if name in OURS:
        crawl = [sys.executable, "-m", "crawler", "crawl", seed, "--strategy", name, *OPTIONS]
        return [*crawl, "--run", str(folder), "--quiet", "--json"]
    module, *options = PEERS[name]
    return [str(peers_python), "-m", f"tests.bench.peers.{module}", seed, str(folder / RECORDS), *options]


def _children_cpu_s() -> float:
    """CPU time of all ended processes that this one has waited for, and of those that they have."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _environment() -> dict[str, str]:
    """Without the caller's packages and proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONPATH", None)
    return kept


def _our_versions(strategy: str) -> dict[str, str]:
    return {"crawler": VERSION} | {name: version(name) for name in (OURS[strategy], "selectolax", "uvloop")}

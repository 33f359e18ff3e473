"""Compares the two parsers on a folder of pages: where their Documents differ, and what a page costs.

python -m tests.bench.parsers DIR [MAX_PAGES]
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from crawler.bench.least_cost import read as bare
from crawler.models import Document
from crawler.parse import lexbor, soup
from crawler.parse.charset import decode_text
from crawler.parse.hrefs import LinkJoiner
from crawler.parse.workers.worker import keep_memory

MAX_LINKS = 5_000
TURNS = 3  # the best one counts: the machine is noisy


def main(folder: Path, max_pages: int) -> None:
    """Print the comparison."""
    keep_memory()
    gc.set_threshold(20_000, 20, 50)  # as in a worker
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".html", ".htm", ".en"))
    pages = [(f"https://site.test/{path.relative_to(folder).as_posix()}", path) for path in paths[:max_pages]]
    bodies = [(url, decode_text(path.read_bytes(), None)[0]) for url, path in pages]
    if not bodies:
        sys.exit(f"no pages in {folder}")
    fast = [lexbor.read(body, url, LinkJoiner(), MAX_LINKS) for url, body in bodies]
    slow, slow_s = _timed(lambda: [soup.read(body, url, LinkJoiner(), MAX_LINKS) for url, body in bodies])
    bare_s = min(_timed(lambda: _each(bodies, bare))[1] for _ in range(TURNS))
    fast_s = min(_timed(lambda: _each(bodies, _reader()))[1] for _ in range(TURNS))
    fields, examples = _differences(fast, slow, [url for url, _ in bodies])
    differing = len({url for urls in examples.values() for url in urls})
    print(f"{len(bodies)} pages, {sum(len(body) for _, body in bodies) / len(bodies) / 1024:.0f} KiB on average")
    print(f"{differing} differ ({differing / len(bodies):.2%}):", dict(fields.most_common()) or "no field")
    for name, urls in examples.items():
        print(f"  {name}: {', '.join(urls[:3])}")
    per_page = 1e6 / len(bodies)
    print(f"lexbor {fast_s * per_page:.0f} µs a page, bs4 {slow_s * per_page:.0f}, bare Lexbor {bare_s * per_page:.0f}")
    print(f"lexbor is {fast_s / bare_s:.2f} times a bare parse, bs4 {slow_s / fast_s:.1f} times lexbor")


def _reader() -> Callable[[bytes, str], object]:
    targets = LinkJoiner()
    return lambda body, url: lexbor.read(body, url, targets, MAX_LINKS)


def _each(bodies: list[tuple[str, bytes]], read: Callable[[bytes, str], object]) -> None:
    for url, body in bodies:
        read(body, url)


Result = TypeVar("Result")


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.process_time()
    return work(), time.process_time() - started


def _differences(
    fast: list[Document], slow: list[Document], urls: list[str]
) -> tuple[Counter[str], dict[str, list[str]]]:
    fields: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    for left, right, url in zip(fast, slow, urls, strict=True):
        theirs = msgspec.structs.asdict(right)
        for name, value in msgspec.structs.asdict(left).items():
            if value != theirs[name]:
                fields[name] += 1
                examples.setdefault(name, []).append(url)
    return fields, examples


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize)

"""Measures what a record costs in each format of an export, on a journal that is made for it.

python -m tests.bench.export [RECORDS] [SUFFIX …]
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from crawler.export.formats import FORMATS, export
from crawler.export.selection import select
from crawler.lab.words import NOUNS, SMALL, VERBS
from crawler.models import Record
from crawler.records import line_of, timestamp

DEFAULT_RECORDS = 100_000
TEXT_CHARS = 2_000
LINKS = 20
HEADINGS = 5
DISTINCT = 500  # records, which are repeated with another URL at the start of url and text
FILTER = "status >= 400 and title ~ zephyr"


def main(count: int, suffixes: list[str]) -> None:
    """Make the journal and print a line for each format."""
    with TemporaryDirectory() as name:
        journal = Path(name, "records.jsonl")
        write_journal(journal, count)
        size = journal.stat().st_size
        print(f"{count:,} records of {size / count:,.0f} bytes")
        print(f"{'':12} {'records/s of CPU':>18} {'MB/s':>7} {'size':>7}")
        for suffix in suffixes:
            cpu_s, written = measure(journal, journal.with_name(f"out{suffix}"), ())
            print(f"{suffix:12} {count / cpu_s:18,.0f} {size / cpu_s / 1e6:7,.0f} {written / size:7.0%}")
        cpu_s, _ = measure(journal, journal.with_name("out.jsonl"), (FILTER,))
        print(f"{'--where':12} {count / cpu_s:18,.0f} {size / cpu_s / 1e6:7,.0f}")


def measure(journal: Path, target: Path, filters: tuple[str, ...]) -> tuple[float, int]:
    """CPU seconds of one export, which a busy machine changes less than the time on the wall, and bytes written."""
    start_s = time.process_time()
    export(journal, None, target, select(filters=filters))
    cpu_s = time.process_time() - start_s
    written = target.stat().st_size
    target.unlink()
    return cpu_s, written


def write_journal(path: Path, count: int) -> None:
    """A journal of so many records, the same ones each time."""
    random.seed(1)
    records = [record() for _ in range(DISTINCT)]
    with path.open("wb") as file:
        for number in range(count):
            url = f"https://site-{number % 97}.example/{number}"
            known = records[number % DISTINCT]
            file.write(line_of(msgspec.structs.replace(known, url=url, text=f"{url}\n{known.text}")))


def record() -> Record:
    """A page of an ordinary site."""
    text = ""
    while len(text) < TEXT_CHARS:
        text += words(random.randrange(4, 20)) + random.choice((". ", "? ", ".\n"))
    return Record(
        url="",
        outcome="ok",
        status=200,
        depth=3,
        via=address(),
        fetched_at=timestamp(1.8e9 + random.random() * 1e6),
        elapsed_ms=random.randrange(1_000),
        strategy="asyncio",
        content_type="text/html; charset=utf-8",
        charset="utf-8",
        etag=f'"{random.randbytes(8).hex()}"',
        wire_bytes=random.randrange(10_000),
        bytes=random.randrange(50_000),
        digest=f"sha256:{random.randbytes(32).hex()}",
        complete=True,
        title=words(6),
        description=words(20),
        canonical=address(),
        lang="en",
        h1=words(5),
        headings=[(2, words(5)) for _ in range(HEADINGS)],
        text=text,
        text_length=len(text),
        links=[address() for _ in range(LINKS)],
        links_total=LINKS,
        nofollow=False,
        noindex=False,
        og={"title": words(6), "type": "article", "image": [address(), address()]},
    )


def words(count: int) -> str:
    """So many words."""
    return " ".join(random.choice(random.choice((NOUNS, SMALL, VERBS))) for _ in range(count))


def address() -> str:
    """The URL of a page."""
    return f"https://site-{random.randrange(97)}.example/{words(3).replace(' ', '-')}/{random.randrange(10_000)}"


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else DEFAULT_RECORDS, given[1:] or list(FORMATS))

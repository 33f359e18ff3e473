"""What `make crawl` shows: the lab served and crawled with the defaults, but without a delay, and its first records."""

from __future__ import annotations

import sys
import tempfile
from itertools import islice
from pathlib import Path

import msgspec

from crawler import cli
from crawler.commands.exit import Exit
from crawler.lab.process import serve_in_process
from crawler.lab.world import World, WorldSpec
from crawler.log.terminal import printable
from crawler.run.folder import fresh_folder
from crawler.store.journal import read_lines

SHOWN = 3
WORLD = WorldSpec(hosts=20, pages_per_host=50, latency_ms=20, error_rate=0.03, redirect_rate=0.03, encodings=True)


def main() -> int:
    """Crawl the lab and show what came out; returns the exit status."""
    folder = fresh_folder()
    with serve_in_process(WORLD) as lab, tempfile.TemporaryDirectory() as temporary:
        sites = Path(temporary) / "sites.txt"
        sites.write_text("".join(f"{seed}\n" for seed in World(WORLD).seeds(lab.port)), encoding="utf-8")
        options = ["--resolve", "*.lab:127.0.0.1", "--allow-private", "127.0.0.0/8", "--delay", "0"]
        status = cli.main(
            ["crawl", "--sites", str(sites), *options, "--run", str(folder), "-o", str(folder.with_suffix(".csv"))]
        )
    if status == Exit.OK:
        _show(folder / "records.jsonl")
    return status


def _show(journal: Path) -> None:
    print(f"\nThe first {SHOWN} records:")
    for line in islice(read_lines(journal), SHOWN):
        record = msgspec.json.decode(line)
        text = printable(" ".join((record["text"] or "").split()), 60)
        print(f"  {record['url']}\n    {record['status']} {record['outcome']}, {record['links_total']} links")
        print(f"    title: {printable(record['title'] or '', 60)}\n    text:  {text}")
    print(
        "\nNow your own list, politely (a request a second to each site):\n"
        "  make crawl SITES=config/sites.txt\n"
        "  .venv/bin/crawler crawl https://example.com/ --max-pages 100\n"
    )


if __name__ == "__main__":
    sys.exit(main())

"""Files that `-o` names are written when the crawl ends, in each format, whole."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import zstandard

from tests.integration.conftest import LAB_OPTIONS, read_records, run_cli


def test_every_output_of_a_crawl_holds_every_record(seeds: list[str], tmp_path: Path) -> None:
    # scenario 90
    run = tmp_path / "run"
    names = ("a.parquet", "a.db", "a.csv.zst")
    outputs = [part for name in names for part in ("-o", tmp_path / name)]
    done = run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", run, *outputs)
    assert done.returncode == 0, done.stderr
    expected = [(record["url"], record["status"], record["title"]) for record in read_records(run)]
    assert len(expected) == len(set(expected)) > 1
    rows = pyarrow.parquet.read_table(tmp_path / "a.parquet", columns=["url", "status", "title"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == expected
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        assert database.execute("SELECT url, status, title FROM pages ORDER BY id").fetchall() == expected
    text = zstandard.ZstdDecompressor().decompressobj().decompress((tmp_path / "a.csv.zst").read_bytes()).decode()
    cells = [(row["url"], row["status"], row["title"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert cells == [(url, str(status or ""), title or "") for url, status, title in expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "run"])

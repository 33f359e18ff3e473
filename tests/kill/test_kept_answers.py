"""A crawl that keeps its answers is killed: the WARC ends where the journal does, and has every answer once."""

# scenarios 89, 103, 106

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from crawler import warc
from crawler.run.folder import Run
from tests.kill.campaign import OPTIONS, Bench
from tests.kill.session import FAST, copied, look, run_session

NAME = "pages.warc.gz"


def answered(run: Path, length: int | None = None) -> Counter[str]:
    """How many answers there are for each URL, site files left out."""
    entries = (entry for entry in warc.entries(run / NAME, length) if entry.is_answer)
    return Counter(entry.url for entry in entries if not entry.url.endswith(("/robots.txt", "/sitemap.xml")))


# The journal and the WARC are appended to in turns, so that two passes in a row tear both.
@pytest.mark.parametrize(
    ("point", "at"),
    [
        ("torn", 4),
        ("torn", 5),
        ("torn", 6),
        ("torn", 7),
        ("appended", 6),
        ("appended", 7),
        ("synced", 6),
        ("synced", 7),
        ("marked", 3),
        ("committed", 3),
        ("closed", 1),
    ],
)
def test_after_a_kill_the_warc_holds_just_the_answers_of_the_records(
    point: str, at: int, bench: Bench, tmp_path: Path
) -> None:
    """As far as it is committed at once, and altogether when the run has gone on to its end."""
    run = tmp_path / "run"
    ended = run_session("crawl", *bench.seeds, *OPTIONS, "--warc", "--run", run, point=(point, at))
    assert ended.was_killed, ended
    left = look(run)
    assert left.faults == []
    with copied(run) as copy:
        length = Run(copy).committed_length(copy / NAME)
        assert answered(copy, length) == Counter(left.recorded)
    ended = run_session("resume", run, *FAST)
    assert ended.status == 0, ended.said
    left = look(run)
    assert left.faults == []
    assert answered(run) == Counter(left.recorded)
    assert bench.differences(run) == []
    gzip.decompress((run / NAME).read_bytes())  # all of it, with every checksum
    kinds = Counter(entry.kind for entry in warc.entries(run / NAME))
    assert kinds["request"] == kinds["response"] + kinds["revisit"]

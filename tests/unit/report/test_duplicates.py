"""Which pages of a run say the same, or nearly the same."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.errors import RunError
from crawler.report import duplicates
from crawler.run.folder import Run

Row = tuple[str, str | None, int | None]  # URL, what its digest is made of, SimHash


def written(folder: Path, rows: Iterable[Row]) -> Run:
    """A run with just the records that are given."""
    lines = [
        msgspec.json.encode(
            {
                "url": f"https://a.example/{name}",
                "outcome": "ok" if content is not None else "failed",
                "digest": None if content is None else f"sha256:{hash_of(content)}",
                "simhash": None if simhash is None else f"{simhash:016x}",
            }
        )
        for name, content, simhash in rows
    ]
    (folder / "records.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return Run(folder)


def hash_of(content: str) -> str:
    return f"{random.Random(content).getrandbits(256):064x}"


def groups(run: Run, kind: str) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for line in duplicates.duplicates(run):
        whose, number, url = line.split("\t")
        if whose == kind:
            found.setdefault(number, []).append(url.removeprefix("https://a.example/"))
    assert list(found) == [str(number + 1) for number in range(len(found))]
    return list(found.values())


def test_pages_with_the_same_content_are_a_group_each_with_its_number(tmp_path: Path) -> None:
    run = written(tmp_path, [("a", "x", None), ("b", "y", None), ("c", "x", None), ("d", "z", None), ("e", "z", None)])
    assert list(duplicates.duplicates(run)) == [
        "same\t1\thttps://a.example/a",
        "same\t1\thttps://a.example/c",
        "same\t2\thttps://a.example/d",
        "same\t2\thttps://a.example/e",
    ]


def test_pages_without_a_body_are_no_duplicates(tmp_path: Path) -> None:
    assert groups(written(tmp_path, [("a", None, None), ("b", None, None)]), "same") == []


def test_look_alikes_differ_in_three_bits_at_most(tmp_path: Path) -> None:
    base = 0x0123456789ABCDEF
    rows = [("a", "1", base), ("b", "2", base ^ 0b111), ("c", "3", ~base % 2**64), ("d", "4", base ^ (0b1111 << 60))]
    assert groups(written(tmp_path, rows), "alike") == [["a", "b"]]


def test_of_pages_with_the_same_content_the_first_stands_for_all(tmp_path: Path) -> None:
    rows = [("a", "same", 7), ("b", "same", 7), ("c", "other", 7), ("d", "same", 7), ("e", "third", 3)]
    run = written(tmp_path, rows)
    assert groups(run, "same") == [["a", "b", "d"]]
    assert groups(run, "alike") == [["a", "c", "e"]]


def test_groups_are_joined_by_what_is_near_to_both(tmp_path: Path) -> None:
    rows = [("a", "1", 0), ("b", "2", 0b111111), ("c", "3", 0b000111)]
    assert groups(written(tmp_path, rows), "alike") == [["a", "b", "c"]]


@pytest.mark.parametrize("seed", range(3))
def test_no_pair_is_missed_wherever_its_bits_differ(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    rows: list[Row] = []
    for number in range(200):
        value = chosen.getrandbits(64)
        near = value
        for bit in chosen.sample(range(64), 1 + number % 3):
            near ^= 1 << bit
        rows += [(f"{number}", f"{number}", value), (f"{number}-near", f"{number}-near", near)]
    chosen.shuffle(rows)
    found = groups(written(tmp_path, rows), "alike")
    assert sorted(map(sorted, found)) == sorted([f"{number}", f"{number}-near"] for number in range(200))


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40), max_size=30))
def test_groups_are_those_that_comparing_all_pairs_would_find(
    tmp_path_factory: pytest.TempPathFactory, values: list[int]
) -> None:
    rows = [(str(number), str(number), value) for number, value in enumerate(values)]
    parts = [{number} for number in range(len(values))]
    for one, left in enumerate(values):
        for other, right in enumerate(values[:one]):
            if (left ^ right).bit_count() <= 3:
                joined = {number for part in parts if part & {one, other} for number in part}
                parts = [part for part in parts if not part & joined] + [joined]
    expected = sorted(sorted(map(str, part)) for part in parts if len(part) > 1)
    run = written(tmp_path_factory.mktemp("run"), rows)
    assert sorted(sorted(group) for group in groups(run, "alike")) == expected


def test_a_crowd_that_agrees_in_much_is_still_one_group(tmp_path: Path) -> None:
    """Of the pages made by one template, not all pairs are compared; those that are join the others."""
    values = [number ^ number >> 1 for number in range(2_000)]  # each differs from the next in one bit
    rows = [(str(number), str(number), value) for number, value in enumerate(values)]
    assert [len(group) for group in groups(written(tmp_path, rows), "alike")] == [2_000]


def test_a_url_changes_nothing_at_the_terminal(tmp_path: Path) -> None:
    run = written(tmp_path, [("\x1b[2J", "x", None), ("b", "x", None)])
    assert next(duplicates.duplicates(run)) == "same\t1\thttps://a.example/\\x1b[2J"


def test_a_missing_or_damaged_journal_is_a_sentence(tmp_path: Path) -> None:
    # scenario 105
    with pytest.raises(RunError, match=r"cannot read .*records\.jsonl: No such file"):
        list(duplicates.duplicates(Run(tmp_path)))
    (tmp_path / "records.jsonl").write_bytes(b'{"url": "x"}\n{"ur\n')
    with pytest.raises(RunError, match=r"a line of .*records\.jsonl is no record; `crawler verify` tells more"):
        list(duplicates.duplicates(Run(tmp_path)))

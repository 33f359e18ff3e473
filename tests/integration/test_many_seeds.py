"""Lists of very many seeds: what is said of them stays short, and says what happened."""

from __future__ import annotations

from pathlib import Path

from tests.integration.conftest import run_cli
from tests.integration.serving import QUICK, Answer, Asked, serve_answers


def same(asked: Asked) -> Answer:
    """A site every page of which says the same."""
    return Answer(200, (("Content-Type", "text/html"),), b"<title>Welcome</title><p>It works")


def test_seeds_that_all_say_the_same_are_fetched_and_no_note(tmp_path: Path) -> None:
    """The pattern closes, but all was asked for, so there is nothing to say."""
    with serve_answers(same) as (port, _):
        (tmp_path / "sites.txt").write_text("".join(f"http://127.0.0.1:{port}/item/{n}\n" for n in range(300)))
        options = ("--trap-pages", 50, "--no-robots", "--per-host", 16, "--max-depth", 0, "--report")
        done = run_cli("crawl", "--sites", tmp_path / "sites.txt", *QUICK, *options, "--run", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "300 ok" in done.stderr
    assert "trap" not in done.stderr
    assert '"left_out": 0' in (tmp_path / "run" / "stats.json").read_text(encoding="utf-8")
    assert "/item/#" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_notes_on_how_seeds_were_read_are_few(tmp_path: Path) -> None:
    (tmp_path / "sites.txt").write_text("".join(f"h{number}.test\n" for number in range(40)))
    options = ("--resolve", "*.test:10.0.0.1", "--run", tmp_path / "run")
    done = run_cli("crawl", "--sites", tmp_path / "sites.txt", *QUICK, *options)
    assert done.stderr.count("was given without a scheme") == 10
    assert "\nand 30 more notes of that kind\n" in done.stderr

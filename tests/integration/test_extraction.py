"""What users take from pages, over a hundred real ones: by rules, by a function of their own, in every parse mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.lab.process import LabProcess, serve_folder
from crawler.parse.extract.extractors import LEFT_OUT
from crawler.records import FIELDS
from tests.integration.conftest import Record, read_records, run_cli

PAGES = 100
RULES = """
[extract.title]
css = "title"
required = true

[extract.first]
xpath = "//h1[1]"

[extract.sections]
css = "h2"
list = true

[extract.links]
xpath = "count(//a[@href])"
type = "number"

[extract.home]
css = "a[href]"
type = "url"

[extract.elsewhere]
css = "title"
url_pattern = "^https://elsewhere"
required = true
"""
MODULE = """
import os

def counted(page):
    if page.tree.css_first("title") is None:
        raise LookupError("no title")
    return {
        "url": page.url,
        "links": len(page.tree.css("a[href], area[href]")),
        "title": page.soup.title.get_text(" ", strip=True),
        "source": len(page.html),
    }

def deadly(page):
    if page.url.endswith("a.html"):
        os._exit(1)
    if page.url.endswith("b.html"):
        while True:
            pass
    return {"fine": True}
"""


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProcess]:
    folder = tmp_path_factory.mktemp("site")
    names = "abcdefgh"
    for name in names:
        links = "".join(f"<a href={other}.html>{other}</a> " for other in names)
        (folder / f"{name}.html").write_text(f"<!DOCTYPE html><title>{name}</title><h1>Page {name}</h1>{links}")
    with serve_folder(folder) as server:
        yield server


def pages_of(run: Path) -> list[Record]:
    records = read_records(run)
    assert {tuple(record) for record in records} == {FIELDS}
    return [record for record in records if record["text"] is not None]


@pytest.mark.parametrize("mode", ["processes", "inline"])
def test_rules_and_a_function_take_the_same_from_real_pages_as_the_record_says(
    documentation: list[str], tmp_path: Path, mode: str
) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "mine.py").write_text(MODULE)
    options = ["--config", "rules.toml", "--extract", "mine:counted", "--max-pages", PAGES, "--parse", mode]
    done = run_cli("crawl", *documentation, *options, "--run", "run", "-o", "out.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    pages = pages_of(tmp_path / "run")
    assert len(pages) >= PAGES * 0.7
    for page in pages:
        rules, extracted = page["rules"], page["extracted"]
        assert list(rules) == ["title", "first", "sections", "links", "home", "elsewhere"]
        assert rules["title"] == page["title"] == " ".join(extracted["title"].split())
        assert rules["first"] == page["h1"]
        assert rules["sections"] == [text for level, text in page["headings"] if level == 2]
        assert rules["links"] == page["links_total"] == extracted["links"]
        assert rules["home"] == page["links"][0]
        assert rules["elsewhere"] is None
        assert extracted["url"] == page["url"]
        assert page["extract_error"] is None
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith(",".join(FIELDS))


def test_a_run_goes_on_with_its_rules(documentation: list[str], tmp_path: Path) -> None:
    """They stand in the run's own settings; the file that they came from may be gone."""
    (tmp_path / "rules.toml").write_text(RULES)
    run = tmp_path / "run"
    first = run_cli("crawl", *documentation, "--config", "rules.toml", "--max-pages", 5, "--run", "run", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    (tmp_path / "rules.toml").unlink()
    again = run_cli("resume", run, "--max-pages", 15, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    pages = pages_of(run)
    assert len(pages) > 5
    assert all(page["rules"]["title"] == page["title"] for page in pages)


def test_fetch_shows_what_rules_and_a_function_give(small_site: LabProcess, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "mine.py").write_text(MODULE)
    url = f"http://127.0.0.1:{small_site.port}/c.html"
    done = run_cli("fetch", url, "--config", "rules.toml", "--extract", "mine:counted", "--simhash", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    assert record["rules"]["first"] == "Page c"
    assert record["extracted"] == {"url": url, "links": 8, "title": "c", "source": 214}
    assert len(record["simhash"]) == 16


def test_a_page_whose_extractor_ends_its_worker_is_read_without_it(small_site: LabProcess, tmp_path: Path) -> None:
    """One dies, one never ends; both are tried again alone, and all others keep what was extracted."""
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "limits.toml").write_text("[parse]\ncpu_limit_s = 0.5\n")
    url = f"http://127.0.0.1:{small_site.port}/c.html"
    options = ["--config", "limits.toml", "--extract", "mine:deadly", "--run", "run", "--delay", 0, "--per-host", 8]
    done = run_cli("crawl", url, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = {record["url"].rpartition("/")[2]: record for record in read_records(tmp_path / "run")}
    assert sorted(records) == [f"{name}.html" for name in "abcdefgh"]
    for name, record in records.items():
        assert (record["outcome"], record["title"]) == ("ok", name[0])
        expected = (None, LEFT_OUT) if name in ("a.html", "b.html") else ({"fine": True}, None)
        assert (record["extracted"], record["extract_error"]) == expected


def test_pages_with_an_extract_error_are_counted_with_the_commonest_reason(
    small_site: LabProcess, tmp_path: Path
) -> None:
    """In the summary, in the log, where each reason is told once, and in stats.json."""
    (tmp_path / "rules.toml").write_text("[extract.price]\ncss = '.price'\nrequired = true\n")
    (tmp_path / "mine.py").write_text("def picky(page):\n    if page.url.endswith('b.html'):\n        1 / 0\n")
    url = f"http://127.0.0.1:{small_site.port}/c.html"
    options = ["--config", "rules.toml", "--extract", "mine:picky", "--run", "run", "--delay", 0]
    done = run_cli("crawl", url, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    errors = {record["url"]: record["extract_error"] for record in read_records(tmp_path / "run")}
    assert len(errors) == 8
    said = " ".join(done.stderr.split())
    assert f"8 pages have an extract_error; 7 of them: missing: price; see {url}" in said
    log = (tmp_path / "run" / "crawl.log").read_text()
    assert log.count("missing: price; other pages") == 1
    assert log.count("missing: price; ZeroDivisionError: division by zero; other pages") == 1
    assert "warning 8 pages have an extract_error" in log
    figures = json.loads((tmp_path / "run" / "stats.json").read_text())["extract_errors"]
    assert (figures["pages"], [each["count"] for each in figures["reasons"]]) == (8, [7, 1])
    for each in figures["reasons"]:
        assert errors[each["example"]] == each["reason"]


def test_what_cannot_be_extracted_is_one_sentence_and_no_run_is_begun(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("[extract.price]\ncss = 'div['\n")
    for options, words in (
        (["--config", "rules.toml"], "extract.price.css: 'div[' is not a CSS selector"),
        (["--extract", "nowhere:f"], "--extract nowhere:f: there is no module 'nowhere'"),
    ):
        for command in ("crawl", "fetch"):
            done = run_cli(command, "https://example.com/", *options, cwd=tmp_path)
            assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
            assert words in done.stderr
    assert not (tmp_path / "data").exists()


def test_duplicates_of_a_crawl_are_shown(small_site: LabProcess, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{small_site.port}"
    given = [f"{url}/a.html?1", f"{url}/a.html?2", f"{url}/b.html"]
    done = run_cli("crawl", *given, "--max-depth", 0, "--simhash", "--run", "run", "--delay", 0, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = run_cli("show", "run", "--duplicates", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    same = sorted(line for line in shown.stdout.splitlines() if line.startswith("same\t"))
    assert same == [f"same\t1\t{url}/a.html?1", f"same\t1\t{url}/a.html?2"]

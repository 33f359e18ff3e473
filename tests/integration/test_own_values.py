"""What a site has of its own wins over what is given for all, and what has no effect is told."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.integration.conftest import read_records, run_cli
from tests.integration.serving import PAGE, QUICK, Routes, serve

OWN = "which have limits of their own (max_pages)"


def words(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A list of three sites, which nobody answers for; two have values of their own."""
    path = tmp_path / "sites.txt"
    path.write_text("http://a.test/ max_pages=40 delay=0\nhttp://b.test/ max_pages=0 depth=0\nhttp://c.test/\n")
    return path


def crawl(*arguments: object, run: Path) -> str:
    """What is said of a crawl of names that are in a network which may not be asked."""
    options = ("--resolve", "*.test:10.0.0.1", "--patience", 0, "--retries", 0)
    return words(run_cli("crawl", *arguments, *options, "--run", run).stderr)


def test_an_option_that_a_list_overrules_is_told_with_how_many_sites(listed: Path, tmp_path: Path) -> None:
    """By crawl and by resume, each option by itself; none where it was not given."""
    run = tmp_path / "run"
    said = crawl("--sites", listed, "--max-pages-per-site", 60, "--delay", 2, run=run)
    assert f"--max-pages-per-site 60 has no effect on 2 of 3 sites, {OWN} in the list" in said
    assert "--delay 2 has no effect on 1 of 3 sites, which has a delay of its own (delay) in the list" in said
    assert "--max-depth" not in said
    said = words(run_cli("resume", run, "--max-pages-per-site", 80, "--max-depth", 3).stderr)
    place = f"in the list ([[site]] in {run}/run.toml)"
    assert f"--max-pages-per-site 80 has no effect on 2 of 3 sites, {OWN} {place}" in said
    assert f"--max-depth 3 has no effect on 1 of 3 sites, which has a limit of its own (depth) {place}" in said
    assert "--delay" not in said
    assert "no effect" not in run_cli("resume", run, "--max-pages-per-site", 80, "-q").stderr


def test_an_option_that_a_file_of_settings_has_is_told_as_well(listed: Path, tmp_path: Path) -> None:
    """The option of the command line instead of it where both have it; what is as by default is nobody's wish."""
    config = tmp_path / "wide.toml"
    config.write_text("[crawl]\nmax_pages_per_site = 60\nmax_depth = 20\n[politeness]\ndelay_s = 2.0\n")
    said = crawl("--sites", listed, "--config", config, "--delay", 3, run=tmp_path / "a")
    assert f"max_pages_per_site = 60 in {config} has no effect on 2 of 3 sites, {OWN} in the list" in said
    assert "--delay 3 has no effect on 1 of 3 sites" in said
    assert "max_depth" not in said
    assert "delay_s" not in said


def test_values_of_a_table_overrule_options_as_those_of_a_list_do(tmp_path: Path) -> None:
    config = tmp_path / "sites.toml"
    config.write_text("[[site]]\nurl = 'http://a.test/'\nmax_pages = 5\n")
    said = crawl("--config", config, "--max-pages-per-site", 60, run=tmp_path / "run")
    what = "--max-pages-per-site 60 has no effect on the site, which has a limit of its own (max_pages)"
    assert f"{what} in the [[site]] tables of {config}" in said


def test_the_sites_own_values_win_and_the_others_have_those_of_all(tmp_path: Path) -> None:
    """Whether they are more or less."""
    links = (200, {"Content-Type": "text/html"}, b"".join(b"<a href=/%d>x</a>" % number for number in range(1, 10)))
    routes: Routes = {f"/{number}": PAGE for number in range(1, 10)} | {"/": links}
    with serve(routes) as (more, _), serve(routes) as (less, _), serve(routes) as (general, _):
        lines = f"{more}/ max_pages=7\n{less}/ max_pages=2\n{general}/\n"
        (tmp_path / "sites.txt").write_text(lines)
        options = ("--sites", tmp_path / "sites.txt", "--max-pages-per-site", 4, "--run", tmp_path / "run")
        done = run_cli("crawl", *options, *QUICK)
        records = read_records(tmp_path / "run")
    counts = [sum(record["url"].startswith(site) for record in records) for site in (more, less, general)]
    assert counts == [7, 2, 4]
    of_limits = "limit reached on 1 site (--max-pages-per-site) and 2 sites (max_pages of their own) after"
    assert of_limits in done.stderr
    assert "and with more of the other sites when max_pages is higher in the [[site]] tables of" in words(done.stderr)


def test_what_failed_is_tried_again_at_its_sites_own_delay(listed: Path, tmp_path: Path) -> None:
    crawl("--sites", listed, run=tmp_path / "a")
    crawl("--retry-failed", tmp_path / "a", run=tmp_path / "b")
    tables = tomllib.loads((tmp_path / "b" / "run.toml").read_text(encoding="utf-8"))["site"]
    assert {table["url"]: table.get("delay_s") for table in tables} == {
        "http://a.test/": 0.0, "http://b.test/": None, "http://c.test/": None,
    }  # fmt: skip

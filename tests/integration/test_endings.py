"""What a crawl says that its sites' limits ended, or that no seed led into, and with which exit status it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import read_records, run_cli
from tests.integration.serving import PAGE, QUICK, Routes, serve

HTML = {"Content-Type": "text/html"}
LINKS = b"".join(b"<a href=/%d>x</a>" % number for number in range(1, 10))


def leads(to: str) -> tuple[int, dict[str, str], bytes]:
    """A redirect."""
    return 302, {"Location": to}, b""


@pytest.fixture(scope="module")
def sites() -> Iterator[list[str]]:
    """Two sites of ten pages, and one of one page."""
    routes: Routes = {f"/{number}": PAGE for number in range(1, 10)} | {"/": (200, HTML, LINKS)}
    with serve(routes) as (first, _), serve(routes) as (second, _), serve({"/": PAGE}) as (third, _):
        yield [first, second, third]


def words(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


# Limits of sites -----------------------------------------------------------------------------------------------------


def test_a_crawl_that_the_limits_of_its_sites_ended_says_so(sites: list[str], tmp_path: Path) -> None:
    """In the summary, in stats.json and in the report; a higher limit is the next step, and then it is finished."""
    run = tmp_path / "run"
    done = run_cli("crawl", *sites, *QUICK, "--max-pages-per-site", 4, "--report", "--run", run)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\nlimit reached on 2 sites (--max-pages-per-site) after ") == 1
    assert "finished" not in done.stderr
    assert f"go on with crawler resume {run} --max-pages-per-site N\n" in done.stderr
    stats = json.loads((run / "stats.json").read_bytes())
    assert (stats["why"], stats["limits_reached"]) == ("max_pages_per_site", {"max_pages_per_site": 2})
    assert stats["sessions"][0]["why"] == "max_pages_per_site"
    report = (run / "report.html").read_text(encoding="utf-8")
    assert "Limit reached on 2 sites (--max-pages-per-site)." in report
    assert "--max-pages-per-site N</code>" in report
    again = words(run_cli("resume", run).stderr)
    assert "There was nothing to do: limit reached on 2 sites (--max-pages-per-site) already." in again
    done = run_cli("resume", run, "--max-pages-per-site", 20)
    assert "finished: every URL" in done.stderr
    assert len(read_records(run)) == 21


def test_a_limit_of_a_sites_own_is_raised_in_the_settings_of_the_run(sites: list[str], tmp_path: Path) -> None:
    """The summary says where it stands, and a resume takes up what it had kept back."""
    run, listed = tmp_path / "run", tmp_path / "sites.txt"
    listed.write_text(f"{sites[0]}/ max_pages=4\n{sites[2]}/\n")
    done = run_cli("crawl", "--sites", listed, *QUICK, "--run", run)
    assert "limit reached on 1 site (max_pages of its own) after " in done.stderr
    goes_on = f"go on with crawler resume {run} when max_pages is higher in the [[site]] tables of {run}/run.toml"
    assert goes_on in words(done.stderr)
    report = Path(run_cli("report", run).stdout.strip()).read_text(encoding="utf-8")
    assert f"crawler resume {run}</code> goes on with them when max_pages is higher in the [[site]] tables" in report
    settings = (run / "run.toml").read_text(encoding="utf-8")
    (run / "run.toml").write_text(settings.replace("max_pages = 4", "max_pages = 40"), encoding="utf-8")
    done = run_cli("resume", run)
    assert "finished: every URL" in done.stderr
    assert len(read_records(run)) == 11


def test_a_crawl_that_the_limit_of_a_domain_ended_says_so(sites: list[str], tmp_path: Path) -> None:
    options = ("--scope", "any", "--max-pages", 100, "--max-pages-per-domain", 4)
    done = run_cli("crawl", sites[0], *QUICK, *options, "--run", tmp_path / "run")
    assert "limit reached on 1 domain (--max-pages-per-domain) after " in done.stderr
    assert "--max-pages-per-domain N\n" in done.stderr


# Seeds that lead elsewhere --------------------------------------------------------------------------------------------


def test_seeds_of_which_nothing_but_redirects_came_are_a_failure(tmp_path: Path) -> None:
    """An older output is left alone."""
    (tmp_path / "out.csv").write_text("older")
    with serve({"/docs/": leads("/login"), "/wiki/": leads("/login"), "/login": PAGE}) as (url, asked):
        seeds = (f"{url}/docs/", f"{url}/wiki/")
        options = ("--scope", "prefix", "--no-robots", "--run", "run", "-o", "out.csv")
        done = run_cli("crawl", *seeds, *QUICK, *options, cwd=tmp_path)
    assert done.returncode == 1
    assert "ended without a page: no seed led to one after " in done.stderr
    assert "finished" not in done.stderr
    for seed in seeds:
        sentence = f"the seed {seed} leads to {url}/login, outside of the crawl (by --scope)"
        assert sentence in words(done.stderr)
        assert sentence in (tmp_path / "run" / "crawl.log").read_text(encoding="utf-8")
    assert not asked["/login"]
    assert (tmp_path / "out.csv").read_text() == "older"


def test_one_of_several_seeds_that_leads_out_of_the_crawl_is_a_note(tmp_path: Path) -> None:
    with serve({"/docs/": leads("/login"), "/wiki/": PAGE, "/login": PAGE}) as (url, _):
        options = ("--scope", "prefix", "--run", tmp_path / "run")
        done = run_cli("crawl", f"{url}/docs/", f"{url}/wiki/", *QUICK, *options)
    assert done.returncode == 0, done.stderr
    assert "finished: every URL" in done.stderr
    assert f"note the seed {url}/docs/ leads to {url}/login, outside of the crawl" in words(done.stderr)


# Include and exclude --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["", "elsewhere"], ids=["same host", "another host"])
def test_what_exclude_names_is_not_followed_from_a_seed_either(host: str, tmp_path: Path) -> None:
    """Nor does the host that the seed leads to belong to the crawl then."""
    with serve({"/login": PAGE}) as (other, asked_there):
        target = f"{other}/login" if host else "/login"
        with serve({"/": leads(target), "/login": PAGE}) as (url, asked):
            options = ("--exclude", "/login", "--allow-private", "127.0.0.0/8", "--run", tmp_path / "run")
            done = run_cli("crawl", url, *QUICK, *options)
    assert done.returncode == 1
    assert "/login, outside of the crawl (by " in words(done.stderr)
    assert not asked["/login"]
    assert not asked_there


def test_where_a_seed_leads_need_not_match_include(tmp_path: Path) -> None:
    """Nor need the seed; what they link to has to."""
    routes = {"/": leads("/home"), "/home": (200, HTML, b"<a href=/blog/1>x</a><a href=/shop/1>x</a>")}
    with serve(routes | {"/blog/1": leads("/blog/2"), "/blog/2": leads("/shop/2")}) as (url, asked):
        done = run_cli("crawl", url, *QUICK, "--include", "/blog/", "--no-robots", "--run", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert sorted(asked) == ["/", "/blog/1", "/blog/2", "/home"]


# One page -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "options", "status"),
    [
        ("/", (), 0), ("/gone", (), 1), ("/gone", ("--no-fail",), 0), ("/moved", (), 0), ("/lost", (), 1),
        ("/lost", ("--no-fail",), 0), ("/round", (), 1), ("/round", ("--no-fail",), 1),
    ],
)  # fmt: skip
def test_fetch_says_by_its_status_whether_there_is_a_page(path: str, options: tuple[str, ...], status: int) -> None:
    """As `curl -f` does; the record is printed all the same."""
    routes = {"/": PAGE, "/moved": leads("/"), "/lost": leads("/gone"), "/round": leads("/round")}
    with serve(routes) as (url, _):
        done = run_cli("fetch", f"{url}{path}", "--delay", 0, "--retries", 0, *options)
    assert done.returncode == status, done.stderr
    assert f'"url": "{url}{path}"' in done.stdout


def test_a_fetch_without_an_answer_fails_whatever_is_asked_for(tmp_path: Path) -> None:
    for options in ((), ("--no-fail",)):
        assert run_cli("fetch", "http://a.test/", "--resolve", "a.test:10.0.0.1", *options).returncode == 1

"""robots.txt and sitemaps of servers that answer them badly, over the whole line."""

from __future__ import annotations

from pathlib import Path

from tests.integration.conftest import read_records, run_cli
from tests.integration.serving import PAGE, QUICK, Routes, serve


def test_half_a_robots_txt_refuses_everything(tmp_path: Path) -> None:
    """The part that is missing may hold the very rule that matters."""  # scenarios 12, 53
    short = (200, {"Content-Length": "500"}, b"User-agent: *\nAllow: /\n")
    with serve({"/robots.txt": short, "/": PAGE}) as (site, asked):
        assert run_cli("crawl", site, *QUICK, "--run", tmp_path / "run").returncode == 1
    assert asked["/"] == 0
    assert [record["error"] for record in read_records(tmp_path / "run")] == ["robots_unreachable"]


def test_a_sitemap_that_redirects_for_ever_ends_at_the_hop_limit(tmp_path: Path) -> None:
    """Ten hops and no more."""  # scenario 23
    routes: Routes = {"/": PAGE, "/s": (302, {"Location": "/s?{next}"}, b"")}
    with serve(routes) as (site, asked):
        routes["/robots.txt"] = (200, {}, f"Sitemap: {site}/s\n".encode())
        assert run_cli("crawl", site, *QUICK, "--run", tmp_path / "run").returncode == 0
    assert sum(count for path, count in asked.items() if path.startswith("/s")) == 11


def test_just_the_seeds_means_no_sitemaps(tmp_path: Path) -> None:
    """--max-depth 0 asks for robots.txt and the page."""
    routes: Routes = {"/": PAGE}
    with serve(routes) as (site, asked):
        routes["/robots.txt"] = (200, {}, f"Sitemap: {site}/sitemap.xml\n".encode())
        assert run_cli("crawl", site, *QUICK, "--max-depth", 0, "--run", tmp_path / "run").returncode == 0
    assert asked == {"/robots.txt": 1, "/": 1}


def test_a_sitemap_that_a_stop_left_unread_is_read_by_the_resume(tmp_path: Path) -> None:
    """Pages that only a sitemap names are not lost when a limit stops the crawl first."""
    routes: Routes = {path: PAGE for path in ("/", "/a", "/b")}
    with serve(routes) as (site, asked):
        body = f"<urlset><url><loc>{site}/a</loc></url><url><loc>{site}/b</loc></url></urlset>".encode()
        routes["/robots.txt"] = (200, {}, f"Sitemap: {site}/sitemap.xml\n".encode())
        run = tmp_path / "run"
        assert run_cli("crawl", site, *QUICK, "--max-pages", 1, "--run", run).returncode == 0
        routes["/sitemap.xml"] = (200, {"Content-Type": "application/xml"}, body)
        assert run_cli("resume", run, "--max-pages", 100).returncode == 0
    assert {record["url"] for record in read_records(run)} == {f"{site}{path}" for path in ("/", "/a", "/b")}
    assert asked["/"] == 1


def test_a_crawl_delay_is_kept_over_a_resume(tmp_path: Path) -> None:
    """robots.txt asked for the delay, and is asked for again only when that has passed."""  # scenario 116
    rules = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nCrawl-delay: 600\n")
    with serve({"/robots.txt": rules, "/": PAGE}) as (site, asked):
        options = ("--delay", 0, "--max-crawl-delay", 600, "--patience", 0)
        run = tmp_path / "run"
        assert run_cli("crawl", site, *options, "--max-time", 1.5, "--run", run).returncode == 0
        assert asked == {"/robots.txt": 1}
        for _ in range(2):
            assert run_cli("resume", run, "--max-time", 1).returncode == 0
        assert read_records(run) == []  # the page waits for its turn, without any patience
    assert asked == {"/robots.txt": 1}


def test_the_gap_between_two_requests_is_kept_over_a_resume(tmp_path: Path) -> None:
    """A resume begins with a wait, not with a request, on a host that was visited before."""  # scenario 116
    routes: Routes = {"/": (200, {"Content-Type": "text/html"}, b"<a href=/a>a</a>"), "/a": PAGE}
    with serve(routes) as (site, asked):
        options = ("--delay", 600, "--no-robots", "--patience", 0)
        run = tmp_path / "run"
        assert run_cli("crawl", site, *options, "--max-pages", 1, "--run", run).returncode == 0
        assert run_cli("resume", run, "--max-pages", 2, "--max-time", 1).returncode == 0
    assert asked == {"/": 1}

"""Nothing that a site says leads the crawler to an address that is not public, whatever kind of request it is."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.contract.conftest import STRATEGIES
from tests.integration.conftest import read_records, run_cli
from tests.integration.serving import PAGE, QUICK, Routes, serve

HTML = {"Content-Type": "text/html"}


def redirect(target: str) -> tuple[int, dict[str, str], bytes]:
    return 302, {"Location": target}, b""


def page(*links: str) -> tuple[int, dict[str, str], bytes]:
    return 200, HTML, "".join(f'<a href="{link}">x</a>' for link in links).encode()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_link_redirect_robots_txt_or_sitemap_leads_to_a_private_address(strategy: str, tmp_path: Path) -> None:
    """A listener that is named in every way there is hears nothing; what was in its place failed with the reason."""
    # scenarios 71, 72, 74
    routes: Routes = {"/deep": PAGE, "/own": PAGE}
    other: Routes = {"/": PAGE}
    with socket.create_server(("127.66.0.1", 0)) as forbidden, serve(routes) as (site, _), serve(other) as (second, _):
        port = forbidden.getsockname()[1]
        hosts = ["127.66.0.1", "inner.test", "0x7f420001", "127.66.1", "[::ffff:127.66.0.1]", "[64:ff9b::7f42:1]"]
        inner = [f"http://{host}:{port}" for host in hosts]
        elsewhere = ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", f"http://[::1]:{port}/"]
        links = [f"{origin}/link" for origin in inner]
        routes["/"] = page(*links, *elsewhere, "/one", "/refresh", "/own")
        routes["/one"] = redirect("/two")
        routes["/two"] = redirect(f"{inner[0]}/hop")
        routes["/refresh"] = (200, HTML, f"<meta http-equiv=refresh content='0;url={inner[1]}/refresh'>".encode())
        named = [f"{origin}/s.xml" for origin in inner] + [f"{site}/s.xml", f"{site}/moved.xml"]
        routes["/robots.txt"] = (200, {}, "".join(f"Sitemap: {url}\n" for url in named).encode())
        routes["/s.xml"] = (200, {}, f"<urlset><url><loc>{inner[0]}/loc</loc></url></urlset>".encode())
        routes["/moved.xml"] = redirect(f"{inner[1]}/moved.xml")
        other["/robots.txt"] = redirect(f"{inner[0]}/robots.txt")
        options = ("--scope", "any", "--max-pages", 100, "--resolve", "inner.test:127.66.0.1", "--strategy", strategy)
        done = run_cli("crawl", site, second, *QUICK, *options, "--run", tmp_path / "run")
        assert done.returncode == 0, done.stderr
        forbidden.setblocking(False)
        with pytest.raises(BlockingIOError):
            forbidden.accept()
    outcomes = {record["url"]: (record["outcome"], record["error"]) for record in read_records(tmp_path / "run")}
    assert outcomes[f"{site}/own"] == ("ok", None)
    assert outcomes[f"{second}/"] == ("failed", "robots_unreachable")  # nobody knows what its robots.txt says
    shown = run_cli("show", tmp_path / "run", "--failed").stdout
    refused = [line for line in shown.splitlines() if "private_address" in line]
    paths = Counter(line.rpartition("/")[2].split()[0] for line in refused if str(port) in line)
    assert set(paths) >= {"link", "hop", "refresh", "loc"}, shown
    assert len(refused) >= len(elsewhere) + 4


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_seed_that_leads_to_a_private_address_is_told(strategy: str, tmp_path: Path) -> None:
    """A name that the user gave is no permission for what it resolves to, and neither is a redirect of a seed."""
    # scenarios 71, 72
    routes: Routes = {}
    with socket.create_server(("127.66.0.1", 0)) as forbidden, serve(routes) as (site, _):
        target = f"http://127.66.0.1:{forbidden.getsockname()[1]}/"
        routes["/"] = redirect(target)
        seeds = (site, f"http://inner.test:{forbidden.getsockname()[1]}/")
        options = ("--resolve", "inner.test:127.66.0.1", "--strategy", strategy)
        done = run_cli("crawl", *seeds, *QUICK, *options, "--run", tmp_path / "run")
        assert done.returncode == 1, done.stderr
        forbidden.setblocking(False)
        with pytest.raises(BlockingIOError):
            forbidden.accept()
    outcomes = {record["url"]: (record["outcome"], record["error"]) for record in read_records(tmp_path / "run")}
    assert outcomes == {
        f"{site}/": ("redirect", None),
        target: ("failed", "private_address"),
        seeds[1]: ("failed", "private_address"),
    }

"""Redirects over the whole line: every hop is judged like a link, a chain ends, and no credential goes along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from crawler.fetch.base import request_target
from tests.contract.conftest import STRATEGIES
from tests.contract.server import Drip, ScriptedServer, answer
from tests.contract.test_tls import server_tls
from tests.integration.conftest import ROOT, Record, read_records, run_cli

QUICK = ("--delay", 0, "--patience", 0, "--retries", 0, "--no-robots", "--parse", "inline")
LOOPBACK = ("--allow-private", "127.0.0.0/8")
SECRETS = ("-H", "Authorization: Bearer 5ecret", "-H", "Cookie: id=5ecret", "-H", "X-Api-Key: 5ecret")
PAGE = "Content-Type: text/html"


def moved(to: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return answer(b"", status, f"Location: {to}")


def page(*links: str) -> bytes:
    """A page with links."""
    return answer("".join(f"<a href='{link}'>x</a>" for link in links).encode(), "200 OK", PAGE)


def crawl(run: Path, *arguments: object) -> dict[str, Record]:
    """The records of a crawl by their path and query."""
    done = run_cli("crawl", *arguments, *QUICK, "--run", run)
    assert done.returncode in (0, 1), done.stderr
    return {request_target(record["url"]): record for record in read_records(run)}


def paths(server: ScriptedServer) -> list[str]:
    """What a server was asked for."""
    return [line.split()[1] for line in server.seen.request_lines]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_circles_and_endless_chains_end_in_one_failure(strategy: str, tmp_path: Path) -> None:
    """Each hop is asked for once; the last one says why the chain went no further."""
    # scenario 23
    with ScriptedServer() as server:
        server.script("/", page("/self", "/a", "/1"))
        server.script("/self", moved("/self#again"))
        server.script("/a", moved("/b"))
        server.script("/b", moved("/a", "301 Moved"))
        for hop in range(1, 30):
            server.script(f"/{hop}", moved(f"/{hop + 1}", "307 Temporary"))
        records = crawl(tmp_path / "run", server.url + "/", "--strategy", strategy)
        asked = paths(server)
    assert sorted(asked) == sorted({*asked})
    assert (records["/self"]["outcome"], records["/self"]["error"]) == ("failed", "redirect_loop")
    assert (records["/a"]["outcome"], records["/a"]["redirect_to"]) == ("redirect", f"{server.url}/b")
    assert (records["/b"]["outcome"], records["/b"]["error"]) == ("failed", "redirect_loop")
    assert [records[f"/{hop}"]["outcome"] for hop in range(1, 12)] == ["redirect"] * 10 + ["failed"]
    assert (records["/11"]["error"], records["/11"]["via"]) == ("too_many_redirects", f"{server.url}/10")
    assert "/12" not in asked
    assert {record["depth"] for path, record in records.items() if path != "/"} == {1}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_redirect_to_another_scheme_is_a_failure_and_opens_nothing(strategy: str, tmp_path: Path) -> None:
    # scenario 24
    secret = tmp_path / "secret.txt"
    secret.write_text("5ecret")
    targets = [f"file://{secret}", "ftp://127.0.0.1/", "data:text/html,x", "javascript:alert(1)", "chrome://version"]
    with ScriptedServer() as server:
        server.script("/", page(*(f"/{number}" for number in range(len(targets)))))
        for number, target in enumerate(targets):
            server.script(f"/{number}", moved(target))
        records = crawl(tmp_path / "run", server.url + "/", "--strategy", strategy)
    for number in range(len(targets)):
        assert (records[f"/{number}"]["outcome"], records[f"/{number}"]["error"]) == ("failed", "redirect_scheme")
    assert "5ecret" not in (tmp_path / "run" / "records.jsonl").read_text()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_credentials_stay_with_the_origin_that_they_are_for(strategy: str, tmp_path: Path) -> None:
    """The seed leads to another port of its host and from there back: there without credentials, here with them."""
    # scenario 25
    with ScriptedServer() as own, ScriptedServer() as other:
        own.script("/", moved(other.url + "/in"))
        other.script("/in", moved(own.url + "/back"))
        own.script("/back", page())
        crawl(tmp_path / "run", own.url + "/", *LOOPBACK, *SECRETS, "--scope", "host", "--strategy", strategy)
        assert (paths(own), paths(other)) == (["/", "/back"], ["/in"])
        assert all(head.count(b"5ecret") == 3 for head in own.seen.heads)
        assert not any(b"5ecret" in head for head in other.seen.heads)
        assert {*other.seen.fields()} == {"Host", "User-Agent", "Accept", "Accept-Encoding"}


STATUSES = ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_from_https_to_http_no_credential_goes_along(strategy: str, tmp_path: Path) -> None:
    """And whatever the status, what follows is a GET without a body; each hop goes from one scheme to the other."""
    # scenarios 25, 26
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    trusting = f"import certifi; certifi.where = lambda: {str(tmp_path / 'authority.pem')!r}; "
    script = trusting + "from crawler.cli import main; import sys; sys.exit(main())"
    with ScriptedServer(server_tls(authority, "site.lab")) as secure, ScriptedServer() as plain:
        origins = (f"https://site.lab:{secure.port}", f"http://site.lab:{plain.port}")
        for hop, status in enumerate(STATUSES):
            (secure, plain)[hop % 2].script(f"/{hop}", moved(f"{origins[(hop + 1) % 2]}/{hop + 1}", status))
        plain.script("/5", page())
        run = tmp_path / "run"
        arguments = ["crawl", f"{origins[0]}/0", "--run", run, "--resolve", "site.lab:127.0.0.1", *LOOPBACK]
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, (*arguments, *SECRETS, *QUICK, "--strategy", strategy))],
            capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (paths(secure), paths(plain)) == (["/0", "/2", "/4"], ["/1", "/3", "/5"])
        assert all(head.count(b"5ecret") == 3 for head in secure.seen.heads)
        assert not any(b"5ecret" in head for head in plain.seen.heads)
        for head in (*secure.seen.heads, *plain.seen.heads):
            assert head.startswith(b"GET ")
            assert b"content-" not in head.lower()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_redirect_with_an_endless_body_is_followed_at_once(strategy: str, tmp_path: Path) -> None:
    # scenario 27
    with ScriptedServer() as server:
        bomb = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b"
        server.script("/", bomb, Drip(bytes(65_536), 0))
        server.script("/next", page())
        records = crawl(tmp_path / "run", server.url + "/", "--strategy", strategy)
    assert (records["/"]["outcome"], records["/next"]["outcome"]) == ("redirect", "ok")
    assert records["/"]["bytes"] is None


def test_every_hop_is_judged_by_scope_robots_and_guard(tmp_path: Path) -> None:
    """A page redirects out of the scope, to what robots.txt refuses, and to an address that is not public."""
    # scenario 29
    with ScriptedServer() as server, ScriptedServer() as outside:
        server.script("/robots.txt", answer(b"User-agent: *\nDisallow: /private"))
        server.script("/", page("/out", "/refused", "/fine"))
        server.script("/out", moved(outside.url + "/x"))
        server.script("/refused", moved("/private/x"))
        server.script("/fine", moved("/end"))
        server.script("/end", page())
        done = run_cli("crawl", server.url + "/", *LOOPBACK, "--delay", 0, "--json", "--run", tmp_path / "run")
        assert done.returncode == 0, done.stderr
        records = {record["url"].removeprefix(server.url): record for record in read_records(tmp_path / "run")}
        assert {path: record["outcome"] for path, record in records.items()} == {
            "/": "ok", "/out": "redirect", "/refused": "redirect", "/fine": "redirect", "/end": "ok",
        }  # fmt: skip
        assert outside.seen.connections == 0
        assert "/private/x" not in paths(server)
        stats = json.loads(done.stdout)
        assert stats["outcomes"]["skipped"] == 1
        # Without a border the guard still stands: only the seed's own origin was exempt.
        done = run_cli("crawl", server.url + "/", *QUICK, "--scope", "any", "--max-pages", 9, "--run", tmp_path / "any")
        assert done.returncode == 0, done.stderr
        assert outside.seen.connections == 0
        assert paths(server).count("/out") == 2


def test_refreshes_in_circles_end_and_endless_ones_end_at_the_depth(tmp_path: Path) -> None:
    """A refresh is a link: each page is asked for once, one step deeper than the one before."""
    # scenario 29
    with ScriptedServer() as server:

        def refresh(to: str) -> bytes:
            return answer(f"<meta http-equiv=refresh content='0;url={to}'>".encode(), "200 OK", PAGE)

        server.script("/", refresh("/a"))
        server.script("/a", refresh("/b"))
        server.script("/b", refresh("/a"))
        run = tmp_path / "circle"
        assert run_cli("crawl", server.url + "/", *QUICK, "--run", run).returncode == 0
        assert paths(server) == ["/", "/a", "/b"]
        for number in range(1, 50):
            server.script(f"/{number}", refresh(f"/{number + 1}"))
        run = tmp_path / "endless"
        assert run_cli("crawl", server.url + "/1", *QUICK, "--max-depth", 7, "--run", run).returncode == 0
        assert paths(server)[3:] == [f"/{number}" for number in range(1, 9)]

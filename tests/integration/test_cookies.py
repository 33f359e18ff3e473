"""Cookies over the whole line: kept in memory, sent back to where they came from, seen by nobody else."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.integration.conftest import read_records, run_cli
from tests.integration.serving import Answer, Asked, serve_answers

SECRET = "5ecret-va1ue"
OPTIONS = ("--parse", "inline", "--no-robots", "--delay", 0, "--patience", 0, "--retries", 0)
NAMES = ("--resolve", "*.lab:127.0.0.1", "--allow-private", "127.0.0.0/8")


def page(status: int = 200, fields: tuple[tuple[str, str], ...] = (), links: tuple[str, ...] = ()) -> Answer:
    """A page that leads somewhere."""
    body = "".join(f"<a href='{link}'>x</a>" for link in links).encode()
    return Answer(status, (("Content-Type", "text/html"), *fields), body)


def crawl(run: Path, *arguments: object) -> CompletedProcess[str]:
    done = run_cli("crawl", *arguments, *NAMES, *OPTIONS, "--run", run)
    assert done.returncode == 0, done.stderr
    return done


def set_cookie(*values: str) -> tuple[tuple[str, str], ...]:
    return tuple(("Set-Cookie", value) for value in values)


def behind_a_login(asked: Asked) -> Answer:
    """The first page gives a session by a redirect, an error adds to it, and the rest wants both."""
    if asked.path == "/":
        return page(302, (("Location", "/home"), *set_cookie(f"sid={SECRET}; Path=/; HttpOnly; SameSite=Lax")))
    if asked.path == "/home":
        return page(links=("/gone",)) if asked.cookie else page(403)
    if asked.path == "/gone":
        return page(404, set_cookie("seen=1; Path=/"))
    return page()


@pytest.mark.parametrize("strategy", ["asyncio", "threads"])
def test_a_session_is_kept_over_redirects_and_errors(tmp_path: Path, strategy: str) -> None:
    """What sets a cookie need not be a page, and robots.txt and pages share what their origin has set."""
    with serve_answers(behind_a_login) as (port, log):
        seed, options = f"http://www.shop.lab:{port}/", ("--per-host", 1, "--strategy", strategy)
        crawl(tmp_path / "on", seed, f"{seed}last", "--cookies", *options)
        crawl(tmp_path / "off", seed, *options)
    kept = {asked.path: asked.cookie for asked in log[:4]}
    assert kept["/home"] == f"sid={SECRET}"
    assert kept["/gone"] == f"sid={SECRET}"
    assert {asked.cookie for asked in log[4:]} == {None}
    assert {record["url"][len(seed) - 1 :]: record["status"] for record in read_records(tmp_path / "on")} == {
        "/": 302,
        "/home": 200,
        "/gone": 404,
        "/last": 200,
    }
    assert [record["status"] for record in read_records(tmp_path / "off")] == [302, 403]


def test_no_cookie_and_no_credential_follows_a_redirect_to_another_origin(tmp_path: Path) -> None:
    """Another port of the host, another host of the port; back at the first origin they are sent again."""
    # scenarios 25, 69
    ports: list[int] = []

    def site(asked: Asked) -> Answer:
        hops = {
            "/": f"http://www.shop.lab:{ports[1]}/1",
            "/1": f"http://evil.lab:{ports[0]}/2",
            "/2": f"http://evil.shop.lab:{ports[0]}/3",
            "/3": f"http://www.shop.lab:{ports[0]}/4",
        }
        location = (("Location", hops[asked.path]),) if asked.path in hops else ()
        first = set_cookie(f"sid={SECRET}; Path=/") if asked.path == "/" else ()
        return page(302 if location else 200, (*location, *first))

    with serve_answers(site) as (port, log), serve_answers(site) as (other_port, other_log):
        ports += [port, other_port]
        credentials = ("-H", "Authorization: Bearer mine", "-H", "Cookie: own=2")
        seed = f"http://www.shop.lab:{port}/"
        crawl(tmp_path / "run", seed, "--cookies", *credentials, "--scope", "any", "--max-pages", 9)
    assert other_log == [Asked("www.shop.lab", "/1", None, None)]
    assert log == [
        Asked("www.shop.lab", "/", "own=2", "Bearer mine"),
        Asked("evil.lab", "/2", None, None),
        Asked("evil.shop.lab", "/3", None, None),
        Asked("www.shop.lab", "/4", f"own=2; sid={SECRET}", "Bearer mine"),
    ]


def test_a_domain_reaches_the_hosts_of_its_own_site_and_no_suffix(tmp_path: Path) -> None:
    # scenario 66
    tried = ("shop.lab", "lab", ".lab", "evil.lab", "www.shop.lab.", "co.uk")

    def site(asked: Asked) -> Answer:
        if asked.path != "/":
            return page()
        fields = set_cookie("own=0", *(f"c{number}=x; Domain={domain}" for number, domain in enumerate(tried)))
        return page(fields=fields, links=tuple(f"http://{host}:{ports[0]}/x" for host in hosts))

    hosts, ports = ("www.shop.lab", "api.shop.lab", "shop.lab", "evil.lab"), [0]
    with serve_answers(site) as (port, log):
        ports[0] = port
        crawl(tmp_path / "run", f"http://www.shop.lab:{port}/", "--cookies", "--scope", "any", "--max-pages", 9)
    assert {asked.host: asked.cookie for asked in log if asked.path == "/x"} == {
        "www.shop.lab": "own=0; c0=x",
        "api.shop.lab": "c0=x",
        "shop.lab": "c0=x",
        "evil.lab": None,
    }


def test_cookies_without_end_neither_grow_requests_nor_stop_the_crawl(tmp_path: Path) -> None:
    # scenario 67
    def site(asked: Asked) -> Answer:
        number = int(asked.path[1:] or 0)
        many = (f"c{number}-{each}={'x' * 20}; Path=/" for each in range(90))
        fields = set_cookie("big=" + "x" * 20_000, *many)
        return page(302 if number < 8 else 200, (("Location", f"/{number + 1}"), *fields))

    with serve_answers(site) as (port, log):
        crawl(tmp_path / "run", f"http://www.shop.lab:{port}/", "--cookies")
    assert [asked.path for asked in log] == ["/", *(f"/{number}" for number in range(1, 9))]
    sizes = [len(asked.cookie or "") for asked in log]
    counts = [(asked.cookie or "").count("=") for asked in log]
    assert counts == [0, 49, 98, 147, 150, 150, 150, 150, 150]
    assert max(sizes) <= 8_000


def test_what_a_server_sets_is_nowhere_in_the_run_and_gone_at_a_resume(tmp_path: Path) -> None:
    """Not in the state, the records, the log, the figures, and not on the terminal."""

    # scenario 68
    def site(asked: Asked) -> Answer:
        links = ("/a", "/b") if asked.path == "/" else ()
        return page(fields=set_cookie(f"sid-{SECRET}={SECRET}; Path=/"), links=links)

    run = tmp_path / "run"
    with serve_answers(site) as (port, log):
        done = crawl(
            run, f"http://www.shop.lab:{port}/", "--cookies", "--max-pages", 2, "-v", "-o", tmp_path / "all.csv"
        )
        resumed = run_cli("resume", run, "--max-pages", 9)
    assert resumed.returncode == 0
    assert [asked.cookie is not None for asked in log] == [False, True, False]
    assert SECRET in (log[1].cookie or "")
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"run.toml", "state.sqlite", "records.jsonl", "crawl.log", "all.csv"} <= {file.name for file in files}
    assert [file.name for file in files if SECRET.encode() in file.read_bytes()] == []
    assert SECRET not in done.stdout + done.stderr + resumed.stdout + resumed.stderr


@pytest.mark.parametrize("strategy", ["asyncio", "threads"])
def test_nothing_in_the_environment_gives_credentials_or_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    # scenario 70
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\ndefault login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        serve_answers(lambda asked: page()) as (port, log),
        serve_answers(lambda asked: page()) as (proxy_port, proxy_log),
    ):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://me:secret@127.0.0.1:{proxy_port}")
        crawl(tmp_path / "run", f"http://127.0.0.1:{port}/", "--cookies", "--strategy", strategy)
    assert log == [Asked("127.0.0.1", "/", None, None)]
    assert proxy_log == []

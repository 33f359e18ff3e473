"""The whole line on the lab: what comes out is the truth, whichever strategy and parse mode made it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
from pathlib import Path

import pytest

from crawler import crawl
from crawler.fetch import STRATEGIES as STRATEGIES_BY_NAME
from crawler.fetch import Strategy
from crawler.lab.process import LabProcess
from crawler.run.verify import verify
from tests.contract.conftest import readme_fetcher
from tests.integration.conftest import COMMAND, HANGS_S, LAB_OPTIONS, ROOT, read_records, run_cli, settled

STRATEGIES = ("asyncio", "threads", "sequential", "curl")
MODES = ("processes", "threads", "inline")


@pytest.fixture(scope="module")
def reference(seeds: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """The records of a crawl with the defaults."""
    run = tmp_path_factory.mktemp("reference") / "run"
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", run)
    assert done.returncode == 0, done.stderr
    return settled(read_records(run))


def test_a_crawl_gives_the_truth(reference: dict[str, dict[str, object]], lab: LabProcess) -> None:
    """Every page of the web has one record, with the status, title and links that the web itself says it has."""
    truths = {truth.url: truth for truth in lab.truth() if truth.kind == "page"}
    allowed = {url for url, truth in truths.items() if not truth.disallowed}
    inside = {url for url in reference if url in truths}
    assert inside == allowed
    for url in allowed:
        truth, record = truths[url], reference[url]
        assert record["status"] == truth.status, url
        assert record["redirect_to"] == truth.redirect_to, url
        if truth.status == 200:
            assert record["outcome"] == "ok"
            assert record["title"] == truth.title, url
            assert record["links"] == list(truth.links), url


def test_a_fetcher_of_ones_own_gives_the_records_of_the_others(
    reference: dict[str, dict[str, object]], seeds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that the README writes, under a name that only this process knows."""
    monkeypatch.setitem(STRATEGIES_BY_NAME, "plain", Strategy(readme_fetcher(), concurrency=8))
    result = crawl(
        seeds,
        run=tmp_path / "run",
        strategy="plain",
        resolve=["*.lab:127.0.0.1"],
        allow_private=["127.0.0.0/8"],
        delay=0,
    )
    assert result.ending.why == "finished"
    assert settled(read_records(result.folder)) == reference
    assert {record.strategy for record in result.records()} == {"plain"}
    assert result.stats["concurrency"] == 8


@pytest.mark.parametrize(
    ("strategy", "mode"), [(s, m) for s in STRATEGIES for m in MODES if (s, m) != ("asyncio", "processes")]
)
def test_every_strategy_and_parse_mode_gives_the_same_records(
    strategy: str, mode: str, reference: dict[str, dict[str, object]], seeds: list[str], tmp_path: Path
) -> None:
    """Which flags were given shows in the speed and in nothing else."""
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", tmp_path / "run", "--strategy", strategy, "--parse", mode)
    assert done.returncode == 0, done.stderr
    assert settled(read_records(tmp_path / "run")) == reference


def test_both_parsers_give_the_same_records(
    reference: dict[str, dict[str, object]], seeds: list[str], tmp_path: Path
) -> None:
    """BeautifulSoup and Lexbor agree on well-formed pages."""
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", tmp_path / "run", "--parser", "bs4")
    assert done.returncode == 0, done.stderr
    assert settled(read_records(tmp_path / "run")) == reference


def test_exports_hold_every_record_of_the_journal(seeds: list[str], tmp_path: Path) -> None:
    """-o writes CSV and JSON lines at the end, `export` does so later, and -o - streams the same records."""
    run = tmp_path / "run"
    done = run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", run, "-o", tmp_path / "a.csv", "-o", "-")
    assert done.returncode == 0, done.stderr
    records = read_records(run)
    assert [json.loads(line) for line in done.stdout.splitlines()] == records
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["url"] for row in rows] == [record["url"] for record in records]
    assert [row["title"] for row in rows] == [record["title"] or "" for record in records]
    done = run_cli("export", run, tmp_path / "b.jsonl", "--only", "ok", "--fields", "url,status")
    assert done.returncode == 0, done.stderr
    exported = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert exported == [{"url": r["url"], "status": r["status"]} for r in records if r["outcome"] == "ok"]


def test_max_pages_is_kept_exactly(seeds: list[str], tmp_path: Path) -> None:
    """--max-pages counts ok and http_error pages, and the status is 0."""
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", tmp_path / "run", "--max-pages", 17, "--json")
    assert done.returncode == 0, done.stderr
    stats = json.loads(done.stdout)
    assert stats["why"] == "max_pages"
    counted = [record for record in read_records(tmp_path / "run") if record["outcome"] in ("ok", "http_error")]
    assert len(counted) == stats["pages"] == 17


def test_depth_zero_is_just_the_seeds(seeds: list[str], tmp_path: Path) -> None:
    """--max-depth 0 fetches what was named and follows nothing."""
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", tmp_path / "run", "--max-depth", 0, "--no-sitemaps")
    assert done.returncode == 0, done.stderr
    assert {record["url"] for record in read_records(tmp_path / "run")} == set(seeds)


def test_hosts_that_cannot_be_reached_are_recorded_and_the_crawl_goes_on(seeds: list[str], tmp_path: Path) -> None:
    """A name that does not exist, a closed port and a private address fail with their reasons."""
    # scenario 6
    resolve = ["--resolve", "private.test:10.0.0.1"]
    done = run_cli(
        "crawl", seeds[0], "http://127.0.0.1:4/", "http://private.test/", *resolve, *LAB_OPTIONS,
        "--run", tmp_path / "run", "--patience", 0, "--max-depth", 0, "--retries", 0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcomes = {record["url"]: (record["outcome"], record["error"]) for record in read_records(tmp_path / "run")}
    assert outcomes[seeds[0]] == ("ok", None)
    assert outcomes["http://127.0.0.1:4/"] == ("failed", "refused")
    assert outcomes["http://private.test/"] == ("failed", "private_address")


def test_a_crawl_without_any_answer_has_status_1(tmp_path: Path) -> None:
    """No seed could be fetched."""
    done = run_cli("crawl", "http://127.0.0.1:4/", "--run", tmp_path / "run", "--patience", 0, "--retries", 0)
    assert done.returncode == 1, done.stderr


def test_ctrl_c_writes_everything_so_far_and_has_status_3(seeds: list[str], tmp_path: Path) -> None:
    """SIGINT ends a crawl in order, however long the delays are."""
    run = tmp_path / "run"
    slow = [*LAB_OPTIONS[:-1], "1000"]
    arguments = [*COMMAND, "crawl", *seeds, *slow, "--run", str(run), "--no-robots", "-o", "-"]
    # Without a buffer, because `communicate` reads past one and would lose the lines in it.
    with subprocess.Popen(arguments, cwd=ROOT, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.readline()  # a record is committed; every host is now cooling down
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors
    assert b"Traceback" not in errors
    assert [json.loads(line) for line in (first + output).splitlines()] == read_records(run)
    assert b"stopped early" in errors


def test_what_failed_gets_a_second_go_in_a_run_of_its_own(tmp_path: Path, seeds: list[str]) -> None:
    """--retry-failed takes URLs and settings from a run, names it as its parent, and leaves it as it was."""
    first, second = tmp_path / "first", tmp_path / "second"
    # A port that nothing listens on, and a private host that was not allowed.
    dead, refused = "http://127.0.0.1:4/", seeds[0]
    options = ["--max-depth", 0, "--patience", 0, "--retries", 0, "--delay", 0, "--resolve", "*.lab:127.0.0.1"]
    done = run_cli("crawl", dead, refused, *options, "--run", first)
    assert done.returncode == 1, done.stderr
    before = (first / "records.jsonl").read_bytes()
    allowed = ("--allow-private", "127.0.0.0/8")
    done = run_cli("crawl", "--retry-failed", first, *allowed, "--run", second)
    assert done.returncode == 0, done.stderr
    outcomes = {record["url"]: record["outcome"] for record in read_records(second)}
    assert outcomes == {dead: "failed", refused: "ok"}
    assert f'parent = "{first}"' in (second / "run.toml").read_text()
    assert (first / "records.jsonl").read_bytes() == before


def test_a_run_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(
    seeds: list[str], reference: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    """SIGKILL in the middle, then resume: every record once, verify is content, show counts them."""
    run = tmp_path / "run"
    arguments = [*COMMAND, "crawl", *seeds, *LAB_OPTIONS, "--run", str(run), "-o", "-"]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    done = run_cli("resume", run)
    assert done.returncode == 0, done.stderr
    assert settled(read_records(run)) == reference
    done = run_cli("verify", run)
    assert done.returncode == 0, done.stdout
    assert "all good" in done.stdout


def test_a_higher_limit_takes_up_what_the_old_one_kept_back(seeds: list[str], tmp_path: Path) -> None:
    """resume --max-pages counts the pages of the whole run, and --max-depth revives what was too deep."""
    run = tmp_path / "run"
    assert run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", run, "--max-pages", 10).returncode == 0
    assert run_cli("resume", run, "--max-pages", 25).returncode == 0
    counted = [record for record in read_records(run) if record["outcome"] in ("ok", "http_error")]
    assert len(counted) == 25
    assert run_cli("verify", run).returncode == 0
    deep = tmp_path / "deep"
    assert run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", deep, "--max-depth", 0, "--no-sitemaps").returncode == 0
    assert len(read_records(deep)) == 1
    assert run_cli("resume", deep, "--max-depth", 1).returncode == 0
    assert len(read_records(deep)) > 1
    assert {record["depth"] for record in read_records(deep)} == {0, 1}
    assert run_cli("verify", deep).returncode == 0


@pytest.mark.parametrize("strategy", ["asyncio", "threads", "curl"])
def test_few_file_descriptors_make_a_crawl_slower_and_no_different(
    strategy: str, seeds: list[str], reference: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    """What finds no descriptor is asked for later: idle connections give theirs up, fewer requests are under way."""
    run = tmp_path / "run"  # scenario 112
    few = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)); "
    script = few + "from crawler.cli import main; sys.exit(main())"
    arguments = ["crawl", *seeds, *LAB_OPTIONS, "--per-host", "16", "--strategy", strategy, "--run", str(run)]
    done = subprocess.run(
        [COMMAND[0], "-c", script, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=HANGS_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "ulimit -n" in done.stderr
    assert verify(run) == []
    assert settled(read_records(run)) == reference

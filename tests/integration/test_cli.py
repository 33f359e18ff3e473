"""Bad input: one clear sentence that names what and where, exit status 2, no traceback, nothing lost."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from crawler.commands.exit import MEANINGS, Exit
from tests.integration.conftest import ROOT, Say, run_cli

SEED = "https://example.com/"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ("usage",)),
        (["crwal"], ("crwal", "did you mean crawl?")),
        (["crawl"], ("nothing to crawl",)),
        (["crawl", SEED, "--concurency", "3"], ("--concurency", "did you mean --concurrency?")),
        (["crawl", SEED, "--concurrency", "many"], ("--concurrency many", "whole number")),
        (["crawl", SEED, "--concurrency", "-3"], ("--concurrency",)),
        (["crawl", SEED, "--concurrency", "99999"], ("--concurrency", "4096")),
        (["crawl", SEED, "--strategy", "magic"], ("--strategy", "magic", "asyncio")),
        (["crawl", SEED, "--include", "("], ("--include", "(")),
        (["crawl", SEED, "--scope", "any"], ("--scope any", "--max-pages")),
        (["crawl", SEED, "-H", "no colon"], ("no colon", "Name: value")),
        (["crawl", SEED, "--allow-private", "10.0.0.0/99"], ("10.0.0.0/99",)),
        (["crawl", SEED, "--resolve", "nonsense"], ("nonsense",)),
        (["crawl", SEED, "-o", "out.xyz"], ("out.xyz", ".csv")),
        (["crawl", SEED, "-o", "missing/out.csv"], ("missing",)),
        (["crawl", SEED, "-o", "/proc/out.csv"], ("cannot write /proc/out.csv",)),
        (["crawl", SEED, "--config", "missing.toml"], ("missing.toml", "No such file")),
        (["crawl", "--sites", "missing.txt"], ("missing.txt", "No such file")),
        (["crawl", "ftp://example.com/"], ("ftp://example.com/",)),
        (["crawl", "https://example.com:99999/"], ("https://example.com:99999/",)),
        (["crawl", SEED, "--strategy", "replay"], ("--replay",)),
        (["crawl", SEED, "--replay", "data/run"], ("--replay", "--strategy replay")),
        (["export", "nowhere", "out.csv"], ("nowhere", "no run")),
        (["resume", "nowhere"], ("nowhere is no run: it is not there",)),
        (["fetch", SEED, "https://b.example/"], ("https://b.example/ is one too many: crawler fetch takes URL",)),
        (["crawl", SEED, "--log-format", "xml"], ("--log-format", "text", "json")),
    ],
)
def test_wrong_usage_is_a_sentence(arguments: list[str], words: tuple[str, ...], say: Say, tmp_path: Path) -> None:
    """What is wrong is named, in one line, and no run is begun."""
    done = say(*arguments)
    assert done.returncode == 2, done.stderr
    said = done.stderr + done.stdout
    for word in words:
        assert word in said
    if arguments:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("holds no URL",)),
        ("# only a comment\n", ("holds no URL",)),
        ("https://example.com/\nno url at all\n", ("line 2", "url")),
        ("https://example.com/ max_pages=many\n", ("line 1", "max_pages")),
        ("https://example.com/ speed=3\n", ("line 1", "speed")),
    ],
)
def test_a_bad_list_names_the_line(text: str, words: tuple[str, ...], say: Say, tmp_path: Path) -> None:
    """The file and the line stand in the sentence, from a file and from standard input."""
    (tmp_path / "list.txt").write_text(text)
    for name, label, stdin in (("list.txt", "list.txt", ""), ("-", "standard input", text)):
        done = say("crawl", "--sites", name, stdin=stdin)
        assert done.returncode == 2
        for word in (label, *words):
            assert word in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[fetch]\nconcurency = 3\n", ("fetch", "concurency")),
        ("[fetch]\nconcurrency = 'x'\n", ("fetch.concurrency",)),
        ("[fetch\n", ("not valid TOML", "line 1")),
        ("[nonsense]\na = 1\n", ("nonsense",)),
        ("[fetch]\nconcurency = 3\n", ("did you mean fetch.concurrency?",)),
        ("[crawl]\ndelay = 3\n", ("crawl: unknown key 'delay'; did you mean politeness.delay_s?",)),
        ("concurrency = 3\n", ("unknown key 'concurrency'; did you mean fetch.concurrency?",)),
        ("[polteness]\n", ("did you mean [politeness]?",)),
        ("[[site]]\nurl = 'http://a/'\nmaxpages = 3\n", ("did you mean max_pages?",)),
        ("[extract.price]\ntyp = 'number'\n", ("extract.price: unknown key 'typ'; did you mean type?",)),
        ("[extract.price]\ntype = 'money'\n", ("extract.price.type: there is no 'money'; it is one of text, number,",)),
        (
            "[fetch]\nstrategy = 'magic'\n",
            ("fetch.strategy: there is no 'magic'; it is one of asyncio, threads, sequential, curl, replay",),
        ),
    ],
)
def test_a_bad_config_names_file_and_key(text: str, words: tuple[str, ...], say: Say, tmp_path: Path) -> None:
    """An unknown key is an error, not ignored."""
    (tmp_path / "c.toml").write_text(text)
    done = say("crawl", SEED, "--config", "c.toml")
    assert done.returncode == 2
    for word in ("c.toml", *words):
        assert word in done.stderr


def test_a_fault_reaches_whoever_started_the_process() -> None:
    """The sentence on standard error, and the status."""
    done = run_cli("crawl", SEED, "--strategy", "magic")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("crawler: ")
    assert done.stderr.count("\n") == 1


def test_a_missing_scheme_is_taken_as_https_and_said_so(tmp_path: Path) -> None:
    """`example.test` means https://example.test/."""
    done = run_cli("crawl", "example.test", "--resolve", "example.test:10.0.0.1", "--run", tmp_path / "run")
    assert "https://example.test/" in done.stderr
    assert "https" in done.stderr.splitlines()[0]
    assert done.returncode == 1


def test_a_run_folder_that_exists_is_refused_and_left_alone(tmp_path: Path) -> None:
    """`crawl` never writes into an older run; it names `resume`."""
    run = tmp_path / "run"
    arguments = ("crawl", "http://a.test/", "--resolve", "a.test:10.0.0.1", "--run", run)
    run_cli(*arguments)
    before = {path: path.read_bytes() for path in run.iterdir()}
    done = run_cli(*arguments)
    assert done.returncode == 2
    assert str(run) in done.stderr
    assert "resume" in done.stderr
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_what_stands_in_the_way_of_a_crawl_is_found_before_it_begins(say: Say, tmp_path: Path) -> None:
    """A folder in the place of an output, and a file in that of the run."""
    (tmp_path / "out.csv").mkdir()
    (tmp_path / "notes.md").write_text("mine")
    assert "out.csv: it is a folder" in say("crawl", SEED, "--run", "run", "-o", "out.csv").stderr
    assert "notes.md is a file" in say("crawl", SEED, "--run", "notes.md").stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.md", "out.csv"]


def test_an_output_that_is_there_already_is_left_alone_until_the_new_one_is_whole(say: Say, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("older")
    assert say("crawl", SEED, "-o", "out.csv", "-o", "out.xyz").returncode == 2
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.csv", "older")]


def test_a_port_of_the_lab_that_is_in_use_is_a_sentence(say: Say) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = say("lab", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == f"crawler lab: --port {port}: the port is in use; give another, or none to take a free one\n"


def test_every_command_explains_itself() -> None:
    """--help of each command fits 80 columns and names its arguments."""
    overview = run_cli("--help")
    assert overview.returncode == 0
    assert max(len(line) for line in overview.stdout.splitlines()) <= 80
    for command in ("crawl", "fetch", "export", "lab", "show"):
        assert command in overview.stdout
        done = run_cli(command, "--help")
        assert done.returncode == 0
        assert max(len(line) for line in done.stdout.splitlines()) <= 80


def test_help_and_readme_list_the_same_exit_statuses(say: Say) -> None:
    """And these are all that there are."""
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    listed = readme.partition("Exit status: ")[2].partition(". ")[0].split(" · ")
    assert listed == [f"{status:d} {meaning}" for status, meaning in MEANINGS.items()]
    said = say("--help").stdout
    assert [f"{status:3d}  {meaning}" in said for status, meaning in MEANINGS.items()] == [True] * len(Exit)

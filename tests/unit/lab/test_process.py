"""The lab in a process of its own, and its command line."""

import argparse
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from crawler.lab import World, WorldSpec, serve_in_process
from crawler.lab.__main__ import add_arguments, run
from crawler.lab.process import PACKAGE_ROOT, command_line
from tests.unit.lab.lab_client import PLAIN, VARIED, fetch


def test_the_lab_in_its_own_process_serves_counts_and_stops() -> None:
    with serve_in_process(msgspec.structs.replace(PLAIN, hostile=True), log=True, warm=True) as lab:
        port = lab.port
        assert fetch(port, "site-002.lab") == (200, World(PLAIN).answer(f"site-002.lab:{port}", "/").body)
        with pytest.raises(ConnectionResetError):
            fetch(port, "reset.lab")
        counts = lab.counts()
        assert (counts.of("site-002.lab"), counts.of("reset.lab"), counts.total) == (1, 1, 2)
        assert len(counts.starts["site-002.lab"]) == 1
        lab.stop()
        lab.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_the_process_ends_when_its_parent_dies() -> None:
    """Standard error closes only when both are gone."""
    script = (
        "import os; from crawler.lab import WorldSpec, serve_in_process\n"
        "lab = serve_in_process(WorldSpec(hosts=1, pages_per_host=1)); lab.__enter__(); os._exit(9)"
    )
    parent = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, timeout=30, cwd=PACKAGE_ROOT)
    assert (parent.returncode, parent.stderr) == (9, b"")


def test_a_server_that_cannot_start_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="did not start"), serve_in_process(WorldSpec(hosts=0)):
        pass
    assert "--hosts: Expected int >= 1" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_the_seeds_are_printed(number: int, tmp_path: Path) -> None:
    file = tmp_path / "sites.txt"
    command = [sys.executable, "-m", "crawler.lab", "--hosts", "2", "--pages", "2", "--sites-file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PACKAGE_ROOT) as lab:
        assert lab.stdout is not None
        *seeds, _, _, advice = [lab.stdout.readline() for _ in range(5)]
        while advice.endswith("\\\n"):
            advice += lab.stdout.readline()
        lab.send_signal(number)
        _, errors = lab.communicate(timeout=30)
    assert (lab.returncode, errors) == (0, "")
    assert file.read_text() == "".join(seeds)
    assert re.fullmatch(r"http://site-001\.lab:\d+/\n", seeds[1])
    words = f"crawler crawl --sites {file} --resolve '*.lab:127.0.0.1' --allow-private 127.0.0.0/8"
    assert words in " ".join(advice.replace("\\\n", "").split())


@pytest.mark.parametrize(
    "spec",
    [
        WorldSpec(),
        VARIED,
        WorldSpec(seed=-3, hosts=1, robots=False, sitemaps=False, hostile=True, latency_ms=0.5, slow_robots_s=1.0),
    ],
)
def test_a_spec_survives_the_command_line(spec: WorldSpec) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_arguments(parser)
    args = parser.parse_args(command_line(spec))
    assert WorldSpec(**{name: getattr(args, name) for name in WorldSpec.__struct_fields__}) == spec


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--pages=0"], "--pages: Expected int >= 1"),
        (["--errors=2"], "--errors: Expected float <= 1.0"),
        (["--folder=/no/such/folder"], "/no/such/folder"),
    ],
)
def test_a_value_out_of_range_names_its_option(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert run(parser.parse_args(arguments)) == 2
    assert fault in capsys.readouterr().err


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--port", "65536"])
    assert "65536 is no port" in capsys.readouterr().err

"""What became of a run's URLs, as text: counts by reason and host, lists for piping, the slowest pages."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.cli import Parser
from crawler.commands import show as command
from crawler.errors import RunError, UsageError
from crawler.report import show
from crawler.run.folder import Run
from tests.unit.made_run import MadeRun, alter, answered, done, found, full_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good run that has ended."""
    return full_run(tmp_path / "run").close()


def parsed(*arguments: str) -> argparse.Namespace:
    parser = Parser()
    command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_overview_counts_urls_by_reason_and_by_host(folder: Path) -> None:
    assert list(show.overview(Run(folder))) == [
        f"{folder}: 13 URLs, 3 hosts",
        "",
        "             3  ok",
        "             2  http_error",
        "                           1  404",
        "                           1  500",
        "             2  redirect",
        "                           1  301",
        "                           1  302",
        "             2  failed",
        "                           1  read_timeout",
        "                           1  dns_not_found",
        "             1  quarantined",
        "                           1  parse_timeout",
        "             2  skipped",
        "                           1  robots",
        "                           1  depth",
        "             1  pending",
        "",
        "ok  http_error  redirect  failed  quarantined  skipped  pending  host",
        " 3           2         1       2            1        1        1  a.example",
        " 0           0         1       0            0        0        0  b.example:8080",
        " 0           0         0       0            0        1        0  c.example",
    ]


def test_the_hosts_with_most_urls_come_first_and_the_others_are_counted(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "run")
    names = [f"http://{host}.example/{page}" for host in range(25) for page in range(host + 1)]
    requests = run.commit(groups=[found(*names)])
    run.commit([done(request, "ok") for request in requests[-25:-5]])
    lines = list(show.overview(Run(run.folder)))
    run.close()
    assert lines[0].endswith(": 325 URLs, 25 hosts")
    table = lines[lines.index("") + 4 :]
    assert table[0].split() == ["ok", "http_error", "redirect", "failed", "skipped", "pending", "host"]
    assert [row.split()[-1] for row in table[1:21]] == [f"{host}.example" for host in range(24, 4, -1)]
    assert table[1].split() == ["20", "0", "0", "0", "0", "5", "24.example"]
    assert table[21:] == ["and 5 more hosts with fewer URLs"]


def test_reasons_with_most_urls_come_first(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "run")
    requests = run.commit(groups=[found(*(f"http://a.example/{page}" for page in range(6)))])
    reasons = ("depth", "trap", "trap", "robots", "trap", "robots")
    run.commit([done(r, "skipped", reason, was_open=False) for r, reason in zip(requests, reasons, strict=True)])
    lines = list(show.overview(Run(run.close())))
    assert [line.split() for line in lines[2:6]] == [["6", "skipped"], ["3", "trap"], ["2", "robots"], ["1", "depth"]]


def test_a_host_of_many_million_urls_fits_into_eighty_columns() -> None:
    counts = Counter(dict.fromkeys(("ok", "http_error", "redirect", "failed", "skipped", "pending"), 12_345_678))
    _, head, row = show._host_lines([("a.example", counts)], 1)
    assert len(head) <= 80
    assert len(row) == len(head) - len("host") + len("a.example")


def test_a_run_that_has_hardly_begun_can_be_shown(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "run")
    lines = list(show.overview(Run(run.folder)))
    assert lines[0] == f"{run.folder}: 0 URLs, 0 hosts"
    assert list(show.slowest(Run(run.folder))) == ["  seconds  status        size  URL"]
    run.close()


def test_a_crawl_may_go_on_beside_it(tmp_path: Path) -> None:
    """What is appended to the journal and not yet committed is left out."""
    run = MadeRun(tmp_path / "run")
    (request,) = run.commit(groups=[found("http://a.example/")])
    run.commit([answered(request, 1.5)])
    run.journal.append([b'{"url":"http://a.example/later","elapsed_ms":9000}\n', b'{"url'])
    assert len(list(show.slowest(Run(run.folder)))) == 2
    assert next(show.overview(Run(run.folder))).endswith(": 1 URL, 1 host")
    run.close()


def test_failed_lists_what_went_wrong_for_piping(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(parsed(str(folder), "--failed")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "http://a.example/1\thttp_error\t404\t1",
        "http://a.example/2\tfailed\tread_timeout\t1",
        "http://a.example/3\tquarantined\tparse_timeout\t1",
        "http://a.example/5\tfailed\tdns_not_found\t0",
        "http://a.example/8\thttp_error\t500\t1",
    ]


def test_skipped_lists_what_was_left_out_and_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(parsed(str(folder), "--skipped")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "http://c.example/\tskipped\trobots\t0",
        "http://a.example/4\tskipped\tdepth\t0",
    ]


def test_pending_lists_what_is_still_to_be_fetched(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(parsed(str(folder), "--pending")) == 0
    assert capsys.readouterr().out == "http://a.example/9\tpending\t\t0\n"


def test_slow_shows_the_twenty_pages_that_took_longest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = MadeRun(tmp_path / "run")
    requests = run.commit(groups=[found(*(f"http://a.example/{page}" for page in range(30)))])
    run.commit([answered(request, number / 10, b"x" * 2048) for number, request in enumerate(requests[:29])])
    run.commit([done(requests[29], "failed", "refused")])  # nobody knows how long that took
    assert command.run(parsed(str(run.close()), "--slow")) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "  seconds  status        size  URL"
    assert rows[0] == "    2.800     200     2.0 KiB  http://a.example/28"
    assert [row.split("/")[-1] for row in rows] == [str(page) for page in range(28, 8, -1)]


def test_only_one_list_at_a_time(folder: Path) -> None:
    with pytest.raises(UsageError, match="not allowed with"):
        parsed(str(folder), "--failed", "--slow")


def test_what_comes_from_the_web_steers_no_terminal_and_forges_no_row(folder: Path) -> None:
    # scenario 87
    alter(
        folder,
        "UPDATE details SET url = url || char(27) || '[2J', reason = 'a' || char(9) || 'b' WHERE seq = 6",
        "UPDATE hosts SET key = char(27) || 'c' WHERE id = 2",
    )
    assert "http://a.example/2\\x1b[2J\tfailed\ta\\x09b\t1" in list(show.listed(Run(folder), ["failed"]))
    lines = list(show.overview(Run(folder)))
    assert any(line.endswith("  \\x1bc") for line in lines)
    assert "                           1  a\\x09b" in lines


def test_an_outcome_that_does_not_exist_is_shown_as_unknown(folder: Path) -> None:
    alter(folder, "UPDATE details SET outcome = 99 WHERE seq = 4")
    assert "             1  unknown" in list(show.overview(Run(folder)))


@pytest.mark.parametrize("lines", [show.overview, lambda run: show.listed(run, ["failed"]), show.slowest])
@pytest.mark.parametrize("data", [b"", b"no database" * 999])
def test_a_damaged_state_is_a_sentence(folder: Path, lines: Callable[[Run], Iterator[str]], data: bytes) -> None:
    # scenario 105
    (folder / "state.sqlite").write_bytes(data)
    with pytest.raises(RunError, match=r"state\.sqlite is damaged"):
        list(lines(Run(folder)))


def test_without_a_state_the_overview_says_what_is_left(folder: Path) -> None:
    # scenario 105
    (folder / "state.sqlite").unlink()
    with pytest.raises(RunError, match=r"state\.sqlite is missing; `crawler export` still reads"):
        list(show.overview(Run(folder)))


def test_without_a_journal_there_is_no_list_of_slow_pages(folder: Path) -> None:
    (folder / "records.jsonl").unlink()
    with pytest.raises(RunError, match=r"cannot read .*records\.jsonl: No such file"):
        list(show.slowest(Run(folder)))


def test_a_damaged_journal_names_the_command_that_tells_more(folder: Path) -> None:
    path = folder / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"url"', b'"url"x', 1))
    with pytest.raises(RunError, match=r"a line of .*records\.jsonl is no record; `crawler verify` tells more"):
        list(show.slowest(Run(folder)))


def test_the_newest_run_is_shown_if_none_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.parent / "data").mkdir()
    folder.rename(folder.parent / "data" / "newest")
    monkeypatch.chdir(folder.parent)
    assert command.run(parsed()) == 0
    assert capsys.readouterr().out.startswith("data/newest: 13 URLs, 3 hosts\n")


def test_a_list_of_nothing_says_so_where_no_program_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = MadeRun(tmp_path / "run").close()
    for option, said in (("--pending", "no URL is pending"), ("--files", "no file was saved")):
        assert command.run(parsed(option, str(folder))) == 0
        assert capsys.readouterr() == ("", f"{folder}: {said}\n")

"""The benchmarks' own arithmetic, and their parts one by one."""

from __future__ import annotations

import argparse
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from crawler.bench import command, figures, isolated, least_cost, parts, picture, scale, table, web
from crawler.bench.figures import BenchConditions, BenchReport
from crawler.bench.samples import Sample, Spread
from crawler.errors import CrawlerError, UsageError
from crawler.fetch import STRATEGIES, Strategy
from crawler.measure import procfs
from crawler.report import charts

ABOUT = BenchConditions(
    version="0.1.0",
    python="3.11.9",
    system="Linux 6.1",
    pages_from="/home/somebody/with a rather long name/" + "x" * 200,
    pages=1_234_567,
    page_bytes=36_000,
    concurrency=4096,
    parse="processes",
    parser="lexbor",
    rounds=5,
    others_cores=1.5,
)

COLOURS = ("c0", "c1", "c2")


def sample(wall_s: float, detail: dict[str, float] | None = None, **cpu_us: float) -> Sample:
    """A measurement of a million pages; CPU times in µs a page."""
    peaks = dict.fromkeys(cpu_us, 64 * procfs.MIB)
    return Sample(count=1_000_000, wall_s=wall_s, cpu_s={**cpu_us}, bytes_read=1, peak_bytes=peaks, detail=detail or {})


def busy(main: float, workers: float, server: float) -> dict[str, float]:
    """How many cores each kind of process kept busy."""
    return {"main_cores": main, "workers_cores": workers, "server_cores": server}


def report(line: Sample, workers: int = 2, cores: int = 2) -> BenchReport:
    """What is made of one round with this measurement of the whole line."""
    samples = [
        ("bare fetch", "libcurl", sample(100, fetcher=50, server=30)),
        ("fetch", "asyncio", sample(400, fetcher=200, server=40)),
        ("bare parse", "lexbor", sample(320, parser=320)),
        ("parse", "lexbor", sample(480, parser=480)),
        ("frontier", "10,000 hosts", sample(5, frontier=5)),
        ("store", "with fsync", sample(60, store=50)),
        ("line", "asyncio", line),
        ("start", "one page", sample(1, main=1)),
        ("latency", "asyncio", sample(1000, {"slots": 64, "possible_pages_per_s": 640}, main=1, workers=1)),
        ("pages done", "last quarter", last_quarter()),
        ("URLs known", "1,000,000 URLs", sample(9, {"resume_s": 0.1, "file_bytes": 1}, store=99)),
    ]
    results = [figures.summarise(part, variant, [each]) for part, variant, each in samples]
    return figures.judge(ABOUT, results, cores, workers)


def last_quarter() -> Sample:
    """What is seen of a crawl at its end."""
    detail = {"from_page": 150_000.0, "to_page": 200_000.0, "open_files": 202.0, "threads": 6.0}
    return msgspec.structs.replace(sample(100, detail, main=300, workers=300), peak_bytes={"all": 300 * procfs.MIB})


# What is made of measurements


def test_the_limit_is_the_cores_over_the_least_cost_of_a_page() -> None:
    """2 cores ÷ (50 + 320 + 30) µs are 5,000 pages/s, and a line of 2,500 is half of it."""
    made = report(sample(400, busy(0.9, 0.8, 0.1), main=300, workers=640, server=35))
    assert made.limit is not None
    assert made.limit.pages_per_s == pytest.approx(5000)
    assert made.limit.client == "libcurl"
    assert made.lines[0].of_limit == pytest.approx(0.5)
    assert made.lines[0].workers_of_bare_parse == pytest.approx(2.0)
    assert made.ratios == {"fetch asyncio": pytest.approx(4.0), "parse lexbor": pytest.approx(1.5)}


def test_without_a_bare_part_there_is_no_limit_and_no_ratio() -> None:
    """Nothing is made up for what was not measured."""
    results = [figures.summarise("fetch", "asyncio", [sample(1, fetcher=1, server=1)])]
    made = figures.judge(ABOUT, results, 2, 2)
    assert made.limit is None
    assert made.ratios == {}
    assert made.lines == []


def test_rounds_become_a_median_with_the_lowest_and_the_highest() -> None:
    """One slow round moves the spread and not the median."""
    rounds = [sample(wall_s, fetcher=cpu) for wall_s, cpu in ((100, 3.0), (1000, 9.0), (200, 4.0))]
    result = figures.summarise("fetch", "asyncio", rounds)
    assert result.per_s == Spread(5_000, 1_000, 10_000)
    assert result.cpu_us["fetcher"] == Spread(4.0, 3.0, 9.0)
    assert result.rounds == rounds


@pytest.mark.parametrize(
    ("cores_busy", "binds"),
    [
        (busy(0.95, 1.0, 0.05), "main"),
        (busy(0.60, 1.9, 0.05), "workers"),
        (busy(0.50, 1.0, 0.97), "server"),
        (busy(0.60, 1.2, 0.10), "cores"),
        (busy(0.20, 0.4, 0.05), "others"),  # which use 1.5 of the 2 cores
        (busy(0.05, 0.1, 0.01), "waiting"),
    ],
)
def test_what_is_busy_all_the_time_binds_the_line(cores_busy: dict[str, float], binds: str) -> None:
    """A process near one core, else all cores together, else other programs, else nothing that computes."""
    made = report(sample(400, cores_busy, main=1, workers=1, server=1))
    assert made.lines[0].binds == binds


def test_a_line_without_workers_has_none_in_its_figures() -> None:
    """Parsed in the main process, there is nobody to compare with a bare parse."""
    made = report(sample(400, busy(0.99, 0.0, 0.1), main=900, server=30), workers=0)
    assert made.lines[0].workers_of_bare_parse is None
    assert made.lines[0].binds == "main"
    assert "workers" not in table.show(msgspec.structs.replace(made, results=made.of("line")))


# What is shown


def test_the_table_fits_80_columns_whatever_it_holds() -> None:
    """Large numbers and long names too; each part has its row."""
    text = table.show(report(sample(400, busy(0.9, 0.8, 0.1), main=123_456, workers=123_456, server=123_456)))
    assert max(map(len, text.splitlines())) <= 80, text
    for word in ("THE LIMIT", "5,000 pages/s", "fetch, asyncio", "THE WHOLE LINE", "the main process", "THE START"):
        assert word in text
    for word in ("100 ms UNTIL EACH ANSWER", "150,000–200,000", "1,000,000 URLs", "Other programs kept 1.5 cores busy"):
        assert word in text


@pytest.mark.parametrize(
    "binding", [busy(0, 1.9, 0), busy(0, 0, 0.9), busy(0.6, 1.2, 0.1), busy(0.2, 0.4, 0), busy(0, 0, 0)]
)
def test_every_sentence_of_what_binds_fits(binding: dict[str, float]) -> None:
    """They are as wide as the table."""
    text = table.show(report(sample(400, binding, main=1, workers=1, server=1)))
    assert max(map(len, text.splitlines())) <= 80


def test_the_picture_is_an_svg_that_stands_alone() -> None:
    """It is XML, names nothing outside of itself, and has a bar for the line and for each process's share of a page."""
    made = report(sample(400, busy(0.9, 0.8, 0.1), main=300, workers=600, server=60))
    text = picture.draw(made)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"(?:href|src|url|@import)", text) == []
    bars = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("height") == str(charts.BAR)]
    width = {kind: [float(each.get("width") or 0) for each in bars if each.get("class") == kind] for kind in COLOURS}
    # The limit stands above the line, and the least that a page can cost: 50, 320 and 30 µs, beside 300, 600 and 60.
    limit, line, *main = width["c0"]
    assert limit == pytest.approx(2 * line, abs=0.2)
    assert [len(each) for each in (main, width["c1"], width["c2"])] == [2, 2, 2]
    assert width["c1"][1] == pytest.approx(2 * main[1], abs=0.2)
    assert main[1] == pytest.approx(6 * main[0], abs=0.6)
    for name in ("main process", "parse workers", "server"):
        assert name in "".join(root.itertext())
    assert "the limit of this machine: 5,000" in text
    assert "2,500 (50 %)" in text


def test_names_cannot_break_the_picture() -> None:
    """What stands for text is escaped."""
    made = report(sample(400, busy(0.9, 0.8, 0.1), main=300, workers=600, server=60))
    odd = msgspec.structs.replace(made, about=msgspec.structs.replace(ABOUT, version="<&>\"'"))
    ElementTree.fromstring(picture.draw(odd))


# Processes


def test_a_measurement_runs_in_a_process_of_its_own() -> None:
    """It brings back what it measured and the memory that it took."""
    measured = isolated.measure(parts.frontier, 10)
    assert measured.count == parts.TURNS * parts.TURN_URLS
    assert measured.cpu_s["frontier"] > 0
    assert measured.peak_bytes["frontier"] > 8 * procfs.MIB


def test_a_measurement_that_fails_says_why(tmp_path: Path) -> None:
    """The last thing that its process said is in the sentence."""
    with pytest.raises(CrawlerError, match=r"parse failed: FileNotFoundError.*index\.json"):
        isolated.measure(least_cost.parse, tmp_path)


def test_a_process_does_not_outlive_its_context() -> None:
    """Nor does what it has started."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(flush=True); input()'])"
    with isolated.started([sys.executable, "-c", child]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"  # of the grandchild, which has its output from its parent
        pids = [process.pid, *procfs.children(process.pid)]
        assert len(pids) == 2
        watched = [os.pidfd_open(pid) for pid in pids]
    for descriptor in watched:
        with os.fdopen(descriptor) as file:
            assert has_ended(file.fileno())
    assert process.returncode == -9


def has_ended(pidfd: int) -> bool:
    """Whether a process ends within ten seconds; its descriptor becomes readable then."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(10_000))


def test_the_kernel_tells_cpu_time_memory_and_files() -> None:
    """Of this process, which has used all of them; of one that is gone there is nothing."""
    here = os.getpid()
    assert procfs.cpu_s(here) > 0
    assert procfs.main_thread_cpu_s(here) > 0
    assert procfs.machine_s() > procfs.cpu_s(here)
    assert procfs.peak_bytes(here) >= procfs.own_bytes(here) > 8 * procfs.MIB
    assert procfs.count(here, "fd") >= 3
    assert procfs.count(here, "task") >= 1
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        assert process.pid in procfs.children(here)
        process.wait()
    assert procfs.peak_bytes(process.pid) == procfs.count(process.pid, "fd") == 0
    assert procfs.children(process.pid) == []


# The parts


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[web.Web]:
    """A small site of the lab."""
    with web.serve_lab(40, 3_000, tmp_path_factory.mktemp("bench") / "corpus") as made:
        yield made


def test_a_corpus_is_what_the_site_allows(served: web.Web) -> None:
    """Every body is kept whole, and what robots.txt forbids is left out."""
    corpus = web.Corpus.load(Path(served.corpus.folder))
    assert corpus == served.corpus
    assert len(corpus.entries) == 40
    assert not [entry for entry in corpus.entries if entry.target.startswith("/private/")]
    assert all(body.startswith(b"<!DOCTYPE html>") and len(body) == entry.length for entry, body in corpus.bodies())


def test_every_client_reads_every_body(served: web.Web) -> None:
    """Sockets, the client that is installed, and our own fetcher bring the same bytes."""
    folder, corpus = Path(served.corpus.folder), served.corpus
    assert least_cost.with_sockets(corpus, served.lab.port, 8) == corpus.size
    for measured in (least_cost.fetch(folder, served.lab.port, 8), parts.fetch(folder, "asyncio", 8)):
        assert (measured.count, measured.bytes_read) == (len(corpus.entries), corpus.size)
        assert measured.cpu_s["fetcher"] > 0


def test_both_parsers_read_every_page(served: web.Web) -> None:
    """The bare one and ours go over the same bytes, in processes that keep their memory."""
    for measured in (
        isolated.measure(least_cost.parse, Path(served.corpus.folder)),
        isolated.measure(parts.parse, Path(served.corpus.folder), "bs4"),
    ):
        assert (measured.count, measured.bytes_read) == (len(served.corpus.entries), served.corpus.size)
        assert 0 < measured.cpu_s["parser"]


def test_the_bare_parse_reads_what_a_crawler_cannot_do_without() -> None:
    """Title, h1, text, description, and every distinct href joined once."""
    html = (
        b"<title>T</title><meta name=description content=D><h1>H</h1>"
        b"<a href=x>1</a><a href=x>2</a><a href=//b.example/>3</a><a href='http://[/'>4</a><a>5</a>"
    )
    texts, description, links = least_cost.read(html, "http://a.example/d/")
    assert texts == ["T", "H", "H12345"]
    assert description == "D"
    assert links == {"x": "http://a.example/d/x", "//b.example/": "http://b.example/", "http://[/": None}


@pytest.mark.parametrize("hosts", [10, 10_000])
def test_the_frontier_gives_back_all_it_was_given(hosts: int) -> None:
    """However many hosts there are."""
    assert parts.frontier(hosts).count == parts.TURNS * parts.TURN_URLS


def test_the_store_keeps_what_was_committed(tmp_path: Path) -> None:
    """One record a page in the journal, on the disk."""
    measured = parts.store(tmp_path, 700, 100)
    assert measured.count == 700
    assert (tmp_path / parts.JOURNAL).stat().st_size == 700 * 100


def test_a_store_of_known_urls_goes_on(tmp_path: Path) -> None:
    """Filled, measured and opened again; nothing of it stays."""
    measured = scale.known(tmp_path, 2_000)
    assert measured.detail["resume_s"] > 0
    assert measured.detail["file_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_strategy_whose_library_is_missing_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the library and how to get it."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    given = parser.parse_args(["--strategy", "threads"])
    monkeypatch.setitem(STRATEGIES, "threads", Strategy("library_that_nobody_has:create", "pycurl"))
    with pytest.raises(UsageError, match=r"'threads' needs library_that_nobody_has.*pip install pycurl"):
        command.run(given)

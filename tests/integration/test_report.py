"""The report of a run: its figures are those of the records, whatever is missing, and nothing in it acts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import RunError, UsageError
from crawler.report import joins, page, tally
from crawler.report.sources import AsOf
from crawler.run.folder import Run
from crawler.store import snapshot
from tests.integration.conftest import LAB_OPTIONS, read_records, run_cli
from tests.integration.report_reader import HOME, Reader, ended, report
from tests.unit.made_run import MadeRun, found, full_run

DEEP = b'{"x": ' + b"[" * 100_000


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory, seeds: Sequence[str]) -> Path:
    """A crawl of the lab that was told to make a report."""
    folder = tmp_path_factory.mktemp("report") / "run"
    done = run_cli("crawl", *seeds, *LAB_OPTIONS, "--run", folder, "--report", "--json")
    assert done.returncode == 0, done.stderr
    assert f"{folder / 'report.html'}\n" in done.stderr
    return folder


@pytest.fixture(scope="module")
def told(crawled: Path) -> Reader:
    """The report that the crawl made."""
    return Reader(crawled / "report.html")


def test_the_summary_has_the_figures_of_the_records(crawled: Path, told: Reader) -> None:
    records = read_records(crawled)
    outcomes = Counter(record["outcome"] for record in records)
    assert told.figure("pages") == f"{outcomes['ok'] + outcomes['http_error']:,}"
    assert told.figure("redirects") == f"{outcomes['redirect']:,}"
    assert told.figure("errors") == f"{outcomes['http_error'] + outcomes['failed']:,}"
    assert told.figure("hosts") == f"{len({record['url'].split('/')[2] for record in records})}"
    assert "Finished" in told.text("summary")


def test_every_status_stands_with_its_number_of_answers(crawled: Path, told: Reader) -> None:
    statuses = Counter(record["status"] for record in read_records(crawled) if record["status"])
    assert len(statuses) > 3
    for status, count in statuses.items():
        assert re.search(rf"\b{status}: {count:,} \(", told.text("answers"))


def test_reasons_stand_with_their_number_of_urls(crawled: Path, told: Reader) -> None:
    reasons = json.loads((crawled / "stats.json").read_text())["reasons"]
    wanted = [each for each in reasons if each["outcome"] != "redirect"]
    assert wanted
    for each in wanted:
        assert f"{each['outcome']} {each['reason']} {each['count']:,} " in told.text("reasons")


def test_broken_pages_stand_with_the_number_of_pages_that_link_to_them(crawled: Path, told: Reader) -> None:
    """A link to a redirect that ends at a broken page is a link to that page."""
    records = read_records(crawled)
    leads = {record["url"]: record["redirect_to"] for record in records if record["redirect_to"]}
    linking: dict[str, set[str]] = {record["url"]: set() for record in records if record["outcome"] == "http_error"}
    for record in records:
        for target in record["links"] or ():
            while target in leads:
                target = leads[target]
            if target in linking:
                linking[target].add(record["url"])
    most = sorted(linking.items(), key=lambda item: -len(item[1]))[:10]
    assert len(most[0][1]) > 1
    for url, pages in most:
        assert f"{url} {len(pages)} " in told.text("broken")


def test_the_report_says_what_bound_the_crawl_and_where_time_went(crawled: Path, told: Reader) -> None:
    stats = json.loads((crawled / "stats.json").read_text())
    sentence = stats["verdict"]["sentence"]
    assert sentence[1:] in told.text("bottleneck")
    for name, stage in stats["stages"].items():
        if stage["count"]:
            assert re.search(rf"{name.replace('_', ' ')} [a-z-]+ {stage['count']:,} ", told.text("stages"))


def test_the_headings_of_the_report_are_words_that_people_search_for(told: Reader) -> None:
    whole = " ".join(" ".join(said) for said in told.sections.values())
    wanted = ("Bottleneck", "Slow hosts", "Slowest pages", "Errors by reason", "Broken links", "Redirect chains")
    wanted += ("Missing titles", "Missing descriptions", "Noindex", "Duplicates", "Response times", "URLs by outcome")
    for words in wanted:
        assert words in whole
    assert "Stage Kind Count Total Median p90 p99 Max" in told.text("stages")


def test_stats_of_another_version_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    """Keys that are not known are ignored, and those that are missing are empty."""
    folder = full_run(tmp_path / "run").close()
    stats = {
        "why": "finished",
        "of_tomorrow": {},
        "verdict": {"sentence": "all is well", "mood": 7},
        "hosts": [{"host": "a"}],
    }
    (folder / "stats.json").write_text(json.dumps(stats))
    reader = report(folder)
    assert "stats.json" not in reader.text("summary")
    assert "All is well." in reader.text("bottleneck")


def test_the_report_asks_for_nothing_and_allows_nothing_but_its_own(told: Reader) -> None:
    policy = next(given for tag, given in told.elements if given.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in (policy["content"] or "").split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].startswith("'sha256-")
    assert "unsafe" not in (policy["content"] or "")
    for tag, given in told.elements:
        assert "src" not in given
        assert "style" not in given
        assert not any(name.startswith("on") for name in given)
        if tag == "link":
            assert given["href"] == "data:,"


def test_links_give_nothing_away(told: Reader) -> None:
    outward = [given for tag, given in told.elements if tag == "a" and not (given["href"] or "").startswith("#")]
    assert outward
    for given in outward:
        assert (given["href"] or "").startswith(("http://", "https://"))
        assert given["rel"] == "noreferrer noopener"


def test_headings_and_regions_can_be_found(told: Reader) -> None:
    names = [tag for tag, _ in told.elements]
    assert {"header", "nav", "main", "footer"} <= set(names)
    assert names.count("h1") == 1
    ids = {given.get("id") for _, given in told.elements}
    for href in told.hrefs():
        if href.startswith("#"):
            assert href[1:] in ids
    for _, given in told.elements:
        if given.get("role") == "region":
            assert given["tabindex"] == "0"
            assert given["aria-label"]


def test_the_command_makes_the_same_report_where_it_is_told_to(crawled: Path, tmp_path: Path) -> None:
    done = run_cli("report", crawled, "-o", tmp_path / "other.html")
    assert done.returncode == 0
    assert done.stdout == f"{tmp_path / 'other.html'}\n"
    again = Reader(tmp_path / "other.html")
    assert again.sections.keys() == Reader(crawled / "report.html").sections.keys()
    assert again.text("broken") == Reader(crawled / "report.html").text("broken")


def test_a_crawl_that_goes_on_makes_its_report_at_the_end(seeds: Sequence[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begun = run_cli("crawl", seeds[0], *LAB_OPTIONS, "--run", folder, "--max-pages", 3, "--report")
    assert begun.returncode == 0
    assert Reader(folder / "report.html").figure("pages") == "3"
    assert run_cli("resume", folder, "--max-pages", 9).returncode == 0
    pages = sum(record["outcome"] in ("ok", "http_error") for record in read_records(folder))
    assert pages > 3
    assert Reader(folder / "report.html").figure("pages") == f"{pages}"


# Runs that lack something


def test_without_stats_the_report_is_made_of_records_and_state(tmp_path: Path) -> None:
    """As after kill -9."""
    reader = report(full_run(tmp_path / "run").close())
    assert "There is no stats.json" in reader.text("summary")
    assert reader.figure("URLs known") == "13"
    assert reader.figure("pages") == "5"
    assert "failed dns_not_found 1 " in reader.text("reasons")
    assert "skipped robots 1 " in reader.text("reasons")
    assert "bottleneck" not in reader.sections


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b'{"stages": 7}', b'{"hosts": [{}]}', b"\xff\xfe", DEEP, b'{"elapsed_s": "nan"}']
)
def test_stats_that_cannot_be_read_are_named_and_left_out(tmp_path: Path, data: bytes) -> None:
    folder = full_run(tmp_path / "run").close()
    (folder / "stats.json").write_bytes(data)
    assert "stats.json is damaged" in report(folder).text("summary")


def test_stats_of_an_earlier_session_are_not_taken_for_those_of_the_whole_run(tmp_path: Path) -> None:
    folder = full_run(tmp_path / "run").close()
    (folder / "stats.json").write_text('{"why": "finished", "pages": 2, "elapsed_s": 1}')
    assert "2 of 5 pages" in report(folder).text("summary")


@pytest.mark.parametrize("data", [None, b"", b"no database" * 999])
def test_without_a_good_state_the_records_are_reported(tmp_path: Path, data: bytes | None) -> None:
    # scenario 105
    folder = full_run(tmp_path / "run").close()
    (folder / "state.sqlite").unlink()
    if data is not None:
        (folder / "state.sqlite").write_bytes(data)
    reader = report(folder)
    assert "state.sqlite" in reader.text("summary")
    assert reader.figure("pages") == "5"
    assert reader.figure("URLs known") == "10"


def test_a_run_that_has_hardly_begun_has_a_report(tmp_path: Path) -> None:
    run = MadeRun(tmp_path / "run")
    reader = report(run.folder)
    run.close()
    assert reader.figure("pages") == "0"
    assert "going on, or it was ended without a chance" in reader.text("summary")


def test_a_crawl_may_go_on_beside_it(tmp_path: Path) -> None:
    """What is appended to the journal and not yet committed is left out."""
    run = MadeRun(tmp_path / "run")
    (request,) = run.commit(groups=[found(HOME)])
    run.commit([ended(request, 200)])
    run.journal.append([b'{"url":"http://a.example/later","outcome":"ok","depth":0}\n', b'{"url'])
    assert report(run.folder).figure("pages") == "1"
    run.close()


def test_a_run_whose_records_are_lost_or_damaged_has_no_report(tmp_path: Path) -> None:
    folder = full_run(tmp_path / "run").close()
    journal = folder / "records.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"url"', b'"url"x', 1))
    with pytest.raises(RunError, match=r"a line of .*records\.jsonl is no record; `crawler verify` tells more"):
        page.write(Run(folder))
    journal.unlink()
    with pytest.raises(RunError, match=r"cannot read .*records\.jsonl: No such file"):
        page.write(Run(folder))
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("links", 5), ("links", ["\\xff"]), ("digest", "no number"), ("depth", -5), ("elapsed_ms", 10**30)],
)
def test_a_field_that_no_record_can_have_is_named_as_damage(tmp_path: Path, field: str, value: object) -> None:
    """Whichever of the passes over the journal comes upon it."""
    folder = full_run(tmp_path / "run").close()
    (folder / "state.sqlite").unlink()
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    line = json.dumps({**json.loads(lines[0]), field: value}).encode().replace(rb"\\xff", b"\xff")
    (folder / "records.jsonl").write_bytes(b"".join(each + b"\n" for each in (line, *lines[1:])))
    with pytest.raises(RunError, match=r"a line of .*records\.jsonl is no record"):
        page.write(Run(folder))


def test_many_redirects_to_broken_pages_are_not_compared_each_with_each(tmp_path: Path) -> None:
    """The work grows as they do; looking at every redirect for every broken page would be 32 million steps."""
    (tmp_path / "records.jsonl").touch()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(snapshot.scratch()) as db:
        tally.read(AsOf(tmp_path, None), db)
        db.executemany("INSERT INTO broken VALUES (?, '404', NULL)", ((str(number),) for number in range(4000)))
        db.executemany("INSERT INTO redirects VALUES (?, ?)", ((f"to {at}", str(at % 4000)) for at in range(8000)))
        db.set_progress_handler(count, 1000)
        found = joins.linked(AsOf(tmp_path, None), db, 0)
    assert len(found.broken) == joins.SHOWN
    assert steps < 5_000


@pytest.mark.parametrize(
    ("name", "words"),
    [("records.jsonl", "ends in .html"), ("missing/report.html", "No such file"), (".html", "ends in .html")],
)
def test_a_file_that_cannot_be_a_report_is_refused(tmp_path: Path, name: str, words: str) -> None:
    folder = full_run(tmp_path / "run").close()
    before = (folder / "records.jsonl").read_bytes()
    done = run_cli("report", folder, "-o", folder / name)
    assert done.returncode == 2
    assert words in done.stderr
    assert (folder / "records.jsonl").read_bytes() == before


def test_a_folder_is_no_place_for_a_report(tmp_path: Path) -> None:
    folder = full_run(tmp_path / "run").close()
    (folder / "report.html").mkdir()
    with pytest.raises(UsageError, match="it is a folder"):
        page.write(Run(folder))

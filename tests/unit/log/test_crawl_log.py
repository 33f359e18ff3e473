"""The crawl's log: a line for each failure, a host's own cause once, and nothing from the web forges a line."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import msgspec
import pytest

from crawler.errors import FetchError
from crawler.log.crawl_log import EventLog, LogLevel, logging_to, tell, tell_fault
from crawler.models import Response
from tests.unit.frontier.driver import request

EVIL = "\x1b]0;pwned\x07 \u202etxt \u2028\x9b31m \r\n2026-01-01 00:00:00,000 error forged \udcff"
URL = "http://a.example/page"


class Logged:
    """What some events leave in a log, as sentences and as JSON lines."""

    def __init__(self, folder: Path, level: LogLevel = "info") -> None:
        self._file, self._stream, self._level = folder / "crawl.log", io.StringIO(), level

    def __enter__(self) -> EventLog:
        self._context = logging_to(self._file, self._level, "json", self._stream)
        self._context.__enter__()
        return EventLog()

    def __exit__(self, *exception: object) -> None:
        self._context.__exit__(None, None, None)

    @property
    def sentences(self) -> list[str]:
        """Without time."""
        return [line.split(" ", 2)[2] for line in self._stream.getvalue().splitlines()]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """As a program reads them."""
        return [json.loads(line) for line in self._file.read_text(encoding="utf-8").splitlines()]


def test_tries_are_told_apart_from_the_failure_that_they_lead_to(tmp_path: Path) -> None:
    """The retry is routine and the failure a warning; each try has one line."""
    logged = Logged(tmp_path)
    error = FetchError("read_timeout", "nothing for 20 s")
    with logged as events:
        events.retried(request(URL), error.reason, error.detail, 1.23)
        events.ended(request(URL, attempts=1), "failed", error.reason, error.detail)
    assert logged.sentences == [
        f"info try 1 of {URL}: read_timeout: nothing for 20 s; tried again after 1.2 s or later",
        f"warning failed {URL}: read_timeout: nothing for 20 s (try 2)",
    ]
    first, second = logged.objects
    assert (first["event"], first["level"], first["attempt"], first["wait_s"]) == ("retry", "info", 1, 1.2)
    del second["ts"], second["message"]
    assert second == {
        "level": "warning", "event": "failed", "run": tmp_path.name, "url": URL, "host": "a.example", "attempt": 2,
        "reason": "read_timeout", "detail": "nothing for 20 s",
    }  # fmt: skip


def test_what_is_wrong_with_a_host_is_a_warning_once(tmp_path: Path) -> None:
    """All of its URLs have their line, and one of them the cause."""
    logged = Logged(tmp_path)
    with logged as events:
        events.unresolved("a.example", FetchError("dns_not_found", "Name or service not known"))
        for number in range(1000):
            events.dropped(request(f"http://a.example/{number}"), "failed", "dns_not_found")
    warnings = [line for line in logged.sentences if line.startswith("warning")]
    assert len(warnings) == 1
    assert "failed http://a.example/0: dns_not_found: Name or service not known;" in warnings[0]
    assert [each["event"] for each in logged.objects[:2]] == ["host_failed", "failed"]
    assert sorted(each["url"] for each in logged.objects) == sorted(f"http://a.example/{n}" for n in range(1000))
    assert {each["level"] for each in logged.objects[1:]} == {"info"}


def test_a_host_that_was_given_up_names_what_it_did_last(tmp_path: Path) -> None:
    """And where nothing is known, what the reason means."""
    logged = Logged(tmp_path)
    with logged as events:
        events.failed_try("a.example", FetchError("refused", "connection refused"))
        events.dropped(request(URL), "failed", "unreachable")
        events.dropped(request("http://b.example/"), "failed", "unreachable")
    assert "failed http://a.example/page: unreachable: refused: connection refused;" in logged.sentences[0]
    assert "unreachable: the network or host cannot be reached;" in logged.sentences[1]


def test_the_level_decides_what_stands_there(tmp_path: Path) -> None:
    """What is routine only where it is asked for; success is no failure."""
    page = Response(request(URL), 200, (), b"x" * 2048, 0.0, 0.05, "asyncio")
    for level, expected in (("debug", 3), ("info", 2), ("warning", 1), ("error", 0)):
        folder = tmp_path / level
        folder.mkdir()
        logged = Logged(folder, level)  # type: ignore[arg-type]
        with logged as events:
            events.fetched(page)
            events.retried(request(URL), "503", "", 1.0)
            events.ended(request(URL), "ok", None)
            events.ended(request(URL), "redirect", None)
            events.ended(request(URL), "http_error", "404")
        assert len(logged.objects) == len(logged.sentences) == expected
        if level == "debug":
            assert logged.sentences[0] == f"debug 200 {URL}: 2.0 KiB in 0.050 s"


def test_a_host_that_is_left_alone_is_told_once_for_each_pause(tmp_path: Path) -> None:
    """Short pauses are none."""
    logged = Logged(tmp_path)
    with logged as events:
        for until in (30.0, 300.0, 300.5, 1200.0):
            events.paused("a.example", until, 0.0)
    assert logged.sentences == [
        "warning a.example is left alone for 5 min 0 s",
        "warning a.example is left alone for 20 min 0 s",
    ]


def test_a_sitemap_that_fails_again_and_again_is_one_warning(tmp_path: Path) -> None:
    logged = Logged(tmp_path, "warning")
    with logged as events:
        for _ in range(3):
            events.ended(request("http://a.example/robots.txt", kind="robots"), "failed", "refused")
    assert [each["kind"] for each in logged.objects] == ["robots"]


def test_no_text_from_the_web_forges_a_line_or_steers_a_terminal(tmp_path: Path) -> None:
    """In JSON it is the same text again when it is read."""
    logged = Logged(tmp_path)
    with logged as events:
        events.ended(msgspec.structs.replace(request(URL), url=EVIL), "failed", "refused", EVIL)
        tell(logging.INFO, "odd", EVIL, url=EVIL)
    text = (tmp_path / "crawl.log").read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(logged.sentences) == 2
    for line in (*logged.sentences, *text.splitlines()):
        assert not set(line) & set("\x1b\x07\x9b\u202e\u2028\r\n\x7f")
    assert logged.objects[1]["url"] == EVIL.replace("\udcff", "\\udcff")


def test_a_fault_brings_its_traceback_on_lines_of_its_own(tmp_path: Path) -> None:
    """In JSON it is a field."""
    logged = Logged(tmp_path)
    with logged:
        try:
            raise ValueError(EVIL)
        except ValueError as error:
            tell_fault("it failed", error)
    (found,) = logged.objects
    assert (found["event"], found["level"], found["message"]) == ("fault", "error", "it failed")
    assert "ValueError" in found["traceback"]
    assert "Traceback" in logged._stream.getvalue()


def test_the_programs_own_logging_is_never_touched(tmp_path: Path) -> None:
    """Neither while a crawl has its log open nor afterwards, also if the crawl fails."""
    logger, root = logging.getLogger("crawler"), logging.getLogger()
    before = [(each.level, each.propagate, list(each.handlers)) for each in (logger, root)]
    context = logging_to(tmp_path / "crawl.log", "debug")
    context.__enter__()
    assert [(each.level, each.propagate, list(each.handlers)) for each in (logger, root)] == before
    context.__exit__(KeyError, KeyError(), None)
    assert [(each.level, each.propagate, list(each.handlers)) for each in (logger, root)] == before


def test_the_program_reads_what_its_own_level_lets_through(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the level of the run's log is, and as often as it was said: once."""
    caplog.set_level(logging.WARNING, "crawler")
    with logging_to(tmp_path / "crawl.log", "debug"):
        tell(logging.INFO, "started", "routine")
        tell(logging.WARNING, "host_paused", "worth a word")
    assert [record.getMessage() for record in caplog.records] == ["worth a word"]
    assert len((tmp_path / "crawl.log").read_text().splitlines()) == 2


def test_crawls_at_the_same_time_have_logs_of_their_own_and_leave_the_logger_as_it_was(tmp_path: Path) -> None:
    """The library may crawl in several threads; the first to begin is not the last to end."""
    logger = logging.getLogger("crawler")
    before = logger.level, logger.propagate
    began, ended = Barrier(2), Event()

    def crawl(name: str, level: LogLevel) -> None:
        with logging_to(tmp_path / name, level):
            began.wait(30)
            tell(logging.INFO, "started", name)
            if name == "later":
                ended.wait(30)
        ended.set()

    threads = [Thread(target=crawl, args=each) for each in (("first", "info"), ("later", "debug"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("first", "later"):
        assert [line.split(" ", 2)[2] for line in (tmp_path / name).read_text().splitlines()] == [f"info {name}"]
    assert (logger.level, logger.propagate) == before

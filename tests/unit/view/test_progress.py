"""The live view: what it says, on any width, and what it writes where there is no terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest

from crawler.log.terminal import wrapped
from crawler.measure.occupancy import Queues
from crawler.view import progress
from crawler.view.progress import Progress
from tests.unit.view.test_eta import fill, made_engine


class Clock:
    """A monotonic clock that the test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def finish(engine: Any, count: int) -> None:
    """Count so many pages as done."""
    engine.ledger.outcomes["ok"] += count


def test_before_the_first_page_it_says_that_it_is_starting(clock: Clock) -> None:
    """And no rate, which would be none."""
    engine = made_engine()
    shown = Progress(engine, io.StringIO())
    assert "0 pages, starting, 0 in flight" in shown.line()
    clock.now += 5
    assert "starting" in shown.line()
    assert "0.0/s" not in shown.line() + "\n".join(shown.lines(80))


@pytest.mark.parametrize(
    ("pages", "seconds", "rate"), [(100, 2, "50/s"), (4, 2, "2.0/s"), (1, 20, "3.0/min"), (5_000, 2, "2,500/s")]
)
def test_a_slow_rate_is_told_by_the_minute(clock: Clock, pages: int, seconds: float, rate: str) -> None:
    engine = made_engine()
    shown = Progress(engine, io.StringIO())
    finish(engine, pages)
    clock.now += seconds
    assert f", {rate}, " in shown.line()


def test_a_plain_line_has_what_is_left_and_the_verdict(clock: Clock) -> None:
    """All of it on one line."""
    engine = made_engine()
    fill(engine, "a.example", 1000)
    shown = Progress(engine, io.StringIO())
    finish(engine, 3)
    clock.now += 3
    line = shown.line()
    assert "3 pages, 1.0/s, 0 in flight, 1,000 queued, 0 failed, 0 B; at least 16 min 40 s: a.example alone" in line
    assert line.endswith(engine.ledger.bottleneck().sentence)
    assert "\n" not in line


@pytest.mark.parametrize("width", [20, 39, 79, 200])
def test_no_line_of_the_view_is_wider_than_the_terminal(clock: Clock, width: int) -> None:
    """Nothing is lost by it: what does not fit stands on the next line."""
    engine = made_engine()
    fill(engine, "a.example", 1000)
    engine.ledger.occupancy.times.update(politeness=1.0, servers=1.0, parsing=1.0)
    shown = Progress(engine, io.StringIO())
    finish(engine, 3)
    clock.now += 3
    lines = shown.lines(width)
    assert max(map(len, lines)) <= width
    if width > 30:
        words = " ".join(" ".join(lines).split())
        for part in (
            "3 pages, 1.0/s,",
            "0 of 64 in flight",
            "1,000 queued",
            "0 http errors",
            "waiting for servers 33 %",
            "politeness 34 %",
        ):
            assert part in words
        assert "at least 16 min 40 s: a.example alone has 1,000 URLs, 1 s apart" in words


async def test_a_stream_that_is_no_terminal_gets_no_commands_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the environment has it that every output is a terminal; news are lines like others."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "LINE_S", 0.0)
    monkeypatch.setattr(progress, "LOOK_S", 0.01)
    monkeypatch.setattr(progress, "MAX_LINE_S", 0.0)
    engine = made_engine()
    fill(engine, "a.example", 1000)
    stream = io.StringIO()
    shown = Progress(engine, stream)
    shown.start()
    shown._tick()
    shown.stop()
    news, line = stream.getvalue().splitlines()
    assert news == "a.example alone needs at least 16 min 40 s: 1,000 URLs, 1 s apart"
    assert line.startswith("0.0 s: 0 pages, starting, ")


def test_a_delay_that_is_waited_for_is_politeness_and_not_the_disk() -> None:
    """A page a second: each waits half a second for its commit, which holds nobody up."""
    engine = made_engine()
    for _ in range(10):
        engine.ledger.stage("first_byte").add(0.01)
        engine.ledger.stage("commit").add(0.5)
    looked = engine.ledger.occupancy.look
    looked(0.0, "turn", 0, Queues(cooling=1, writing=1))
    looked(99.0, "turn", 1)
    looked(100.0, "turn", 0)
    engine.ledger.ended = engine.ledger.started
    time = " ".join(Progress(engine, io.StringIO()).lines(200))
    assert "politeness 99 %, waiting for servers 1 %" in time
    assert "written" not in time


def test_long_text_is_wrapped_behind_its_label() -> None:
    """Between words; one that is longer than a line stays whole, so that it can be copied."""
    url = "http://a.example/" + "x" * 90
    lines = wrapped("  note       ", f"what is said of {url} takes more than the line that it stands on has room for")
    assert lines[0] == "  note       what is said of"
    assert lines[1] == f"             {url}"
    assert all(line.startswith(" " * 13) and len(line) <= 80 for line in lines[2:])

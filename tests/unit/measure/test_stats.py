"""What the sessions of a run come to together, whichever version wrote them."""

from __future__ import annotations

import pytest

from crawler.measure.stats import SessionStats, pages_of, time_shares, totals

FIRST = SessionStats("", 10.0, 80, "stopped", 10.0, 1000)  # its first request left after two seconds
SECOND = SessionStats("", 5.0, 20, "finished", 5.0, 500)


def test_the_sessions_of_a_run_add_up() -> None:
    """The speed is that since the first request of each: a hundred pages in eight and four seconds."""
    whole = totals([FIRST, SECOND])
    assert (whole.sessions, whole.pages, whole.elapsed_s, whole.wire_bytes) == (2, 100, 15.0, 1500)
    assert whole.pages_per_s == pytest.approx(100 / 12)


def test_one_session_is_as_fast_as_it_says() -> None:
    assert totals([FIRST]).pages_per_s == pytest.approx(FIRST.pages_per_s)


def test_of_a_session_that_does_not_say_how_fast_it_was_all_of_its_time_counts() -> None:
    """Nor is it known what was received; one without a page has received nothing worth a word."""
    whole = totals([FIRST, SessionStats("", 12.0, 20, "stopped")])
    assert whole.pages_per_s == pytest.approx(100 / 20)
    assert whole.wire_bytes is None
    assert totals([FIRST, SessionStats("", 12.0, 0, "stopped")]).wire_bytes == 1000


def test_no_session_comes_to_nothing() -> None:
    whole = totals([])
    assert (whole.sessions, whole.pages, whole.elapsed_s, whole.pages_per_s, whole.wire_bytes) == (0, 0, 0.0, 0.0, 0)


def test_pages_are_what_has_an_answer() -> None:
    assert pages_of({"ok": 3, "http_error": 2, "redirect": 5, "failed": 7}) == 5


def test_shares_below_half_a_percent_are_left_out_and_names_of_other_versions_stay() -> None:
    assert time_shares({"politeness": 999.0, "main": 1.0, "writing": 0.0}) == [("politeness", 100)]
    assert time_shares({"servers": 1.0, "of_tomorrow": 1.0}) == [("waiting for servers", 50), ("of_tomorrow", 50)]

"""Pictures: what they show is in them, whatever the labels hold, and they are drawn within their frame."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from crawler.report import charts

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</svg><script>alert(1)</script>\x1b[2J\u202e\ufffe\x00"
PICTURES = {
    "bars": charts.bars("Title", [("a", 3.0, "3 s"), ("b", 1.5, "1.5 s")], "s"),
    "lines": charts.lines("Title", [("a", [(0, 1), (60, 5)]), ("b", [(0, 2), (60, 3)])], "s", "pages"),
}


def words(picture: str) -> list[str]:
    """What is written in a picture."""
    found = ElementTree.fromstring(picture).iter(f"{SVG}text")
    return ["".join(each.itertext()).strip() for each in found]


def widths(picture: str) -> list[float]:
    """The lengths of the bars."""
    found = ElementTree.fromstring(picture).iter(f"{SVG}rect")
    return [float(each.attrib["width"]) for each in found if each.attrib["height"] == str(charts.BAR)]


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_picture_is_whole_by_itself(picture: str) -> None:
    """It has a name, its own style for light and dark ground, and asks for nothing from elsewhere."""
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "Title"
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")
    assert root.attrib["viewBox"].split()[2:] == [root.attrib["width"], root.attrib["height"]]
    assert not re.search(r"href|url\(|@import|<script|\sstyle=", picture)


def test_bars_are_as_long_as_their_values_say() -> None:
    long, short = widths(PICTURES["bars"])
    assert short == pytest.approx(long / 2, abs=0.1)
    assert {"Title s", "a", "3 s", "b", "1.5 s"} == set(words(PICTURES["bars"]))


def test_the_longest_bar_may_be_less_than_all_there_is() -> None:
    half = charts.bars("Title", [("a", 50, "")], highest=100)
    whole = charts.bars("Title", [("a", 100, "")], highest=100)
    assert widths(half)[0] == pytest.approx(widths(whole)[0] / 2, abs=0.1)


def test_a_line_rises_where_its_values_do() -> None:
    picture = charts.lines("Title", [("a", [(0, 0), (10, 5), (20, 10)])], "s", "")
    path = re.search(r'class="line c0" d="M([^"]+)"', picture)
    assert path is not None
    points = [tuple(map(float, corner.split())) for corner in path[1].split("L")]
    assert all(a[0] < b[0] and a[1] > b[1] for a, b in pairwise(points))
    assert points[1][1] == pytest.approx((points[0][1] + points[2][1]) / 2, abs=0.1)


def test_points_that_are_no_numbers_are_left_out() -> None:
    picture = charts.lines("Title", [("a", [(0, 1), (1, float("nan")), (2, float("inf")), (3, 1)])], "", "")
    ElementTree.fromstring(picture)
    assert not re.search(r"\b(nan|inf)\b", picture)


@pytest.mark.parametrize(
    "picture",
    [
        charts.bars(HOSTILE, [(HOSTILE, 1, HOSTILE)], HOSTILE),
        charts.lines(HOSTILE, [(HOSTILE, [(0, 1)]), (HOSTILE, [(1, 2)])], HOSTILE, HOSTILE),
    ],
    ids=PICTURES,
)
def test_labels_from_the_web_are_text(picture: str) -> None:
    # scenario 87
    root = ElementTree.fromstring(picture)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        "svg", "title", "desc", "style", "text", "tspan", "g", "rect", "path"
    }  # fmt: skip
    assert not set("\x1b\u202e\ufffe\x00") & set(picture)


@pytest.mark.parametrize("picture", [charts.bars("Title", []), charts.lines("Title", [("a", [])], "", "")])
def test_without_figures_a_picture_says_so(picture: str) -> None:
    assert words(picture) == ["Title", "nothing to show"]


@pytest.mark.parametrize("width", [320, 462, 960])
def test_everything_is_drawn_within_the_frame(width: int) -> None:
    """Also with long names and large numbers."""
    rows = [("W" * 200, 10.0**9, "1,000,000,000"), ("あ" * 200, 1.0, "1")]
    for picture in (charts.bars("A title " * 20, rows, "a unit " * 20, width),):
        root = ElementTree.fromstring(picture)
        for each in root.iter(f"{SVG}rect"):
            assert float(each.attrib["x"]) + float(each.attrib["width"]) <= width
        for each in root.iter(f"{SVG}text"):
            long = charts.measure("".join(each.itertext()))
            x = float(each.attrib["x"]) - (long if each.attrib.get("text-anchor") == "end" else 0)
            assert x >= -0.1
            assert x + long <= width + 1


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 0.25, 0.5, 0.75, 1]),
        (7, [0, 2, 4, 6, 8]),
        (100, [0, 25, 50, 75, 100]),
        (64_000, [0, 20_000, 40_000, 60_000, 80_000]),
    ],
)
def test_the_marks_of_an_axis_are_round_numbers_that_reach_above_the_highest(
    highest: float, expected: list[float]
) -> None:
    assert charts.steps(highest) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1234, "1,234"), (1234.5, "1,234"), (56.7, "56.7"), (0.5, "0.5"), (0.000123, "0.00012")],
)
def test_numbers_are_shown_with_the_digits_that_count(value: float, shown: str) -> None:
    assert charts.number(value) == shown


def test_time_on_an_axis_has_its_unit() -> None:
    picture = charts.lines("Title", [("a", [(0, 1), (7200, 2)])], "s", "")
    assert [word for word in words(picture) if word.endswith((" s", "min", "h"))] == [
        "0 s",
        "30 min",
        "1 h",
        "1 h 30 min",
        "2 h",
    ]


def test_what_is_cut_of_a_long_label_is_not_measured() -> None:
    """A content type can be as long as a header; cutting it letter by letter would take hours."""
    label = charts.fit("i" * 5_000_000, 100.0)
    assert label.endswith("…")
    assert charts.measure(label) <= 100.0

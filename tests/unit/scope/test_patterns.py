"""The shape of URLs and of what pages say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import urls
from crawler.scope.patterns import MAX_PATTERN_CHARS, NO_NOVELTY, novelty_of, path_fault, pattern_of

HOST = "https://www.example.com"


# --- paths that grow ---


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a/b/c.html",
        "/a/a/a",
        "/a/a/a/b/a/a/a/",
        "/a/b/a/b/a/b/",
        "/2011/11/11/11/",
        "/" + "/".join("abcdefghijklmnopqrst"),
        "/" + "/".join("abcdefghijklmnopqrst") + "/",
        "/a/b///c",
        "/?next=/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/",
    ],
)
def test_paths_that_a_site_may_have_are_no_fault(path: str) -> None:
    assert path_fault(HOST + path) is None


@pytest.mark.parametrize(  # scenario 78
    ("path", "fault"),
    [
        ("/a/a/a/a", "repeats"),
        ("/a/b/a/b/a/b/a/b", "repeats"),
        ("/shop/a/b/c/a/b/c/a/b/c/a/b/c/page.html", "repeats"),
        ("/a/a/a/a?x=1", "repeats"),
        ("/x/////y", "repeats"),
        ("/" + "/".join("abcdefghijklmnopqrstu"), "segments"),
        ("/" + "a/" * 1000, "segments"),
    ],
)
def test_paths_that_grew_by_accident_are_a_fault(path: str, fault: str) -> None:
    assert path_fault(HOST + path) == fault


def test_the_limits_of_paths_can_be_changed_and_lifted() -> None:
    assert path_fault(HOST + "/a/a", max_repeats=1) is None
    assert path_fault(HOST + "/a/a/a", max_repeats=1) == "repeats"
    assert path_fault(HOST + "/a/b/c", max_segments=2) == "segments"
    assert path_fault(HOST + "/a" * 30, max_segments=0, max_repeats=0) is None
    assert path_fault(HOST + "/a" * 30, max_segments=0) == "repeats"


@given(st.lists(st.sampled_from(["a", "b", "ab", ""]), max_size=20), st.integers(1, 3))
def test_repeats_are_found_wherever_they_stand(segments: list[str], max_repeats: int) -> None:
    url = HOST + "/" + "/".join([*segments, "end"])
    count = max_repeats + 2
    is_repeating = any(
        segments[start : start + size] * count == segments[start : start + size * count]
        for size in range(1, len(segments) // count + 1)
        for start in range(len(segments) - size * count + 1)
    )
    assert path_fault(url, 0, max_repeats) == ("repeats" if is_repeating else None)


# --- patterns ---


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://www.example.com/", "www.example.com/"),
        ("https://www12.example.com/calendar/2031/05/?view=month", "www#.example.com/calendar/#/#/?view=*"),
        ("http://example.com:8080/item-17.html", "example.com:8080/item-#.html"),
        ("https://example.com/shop?size=2&color=red&size=3", "example.com/shop?color=*&size=*"),
        ("https://example.com/shop?color=red&size=2", "example.com/shop?color=*&size=*"),
        ("https://example.com/?17", "example.com/?#=*"),
        ("https://example.com/a?f[3]=1", "example.com/a?f[#]=*"),
        ("https://example.com/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x", "example.com/o/*/x"),
        ("https://example.com/p/deadbeef0123cafe.html", "example.com/p/*.html"),
        ("https://example.com/p;jsessionid=0A1B2C3D4E5F60718293A4B5C6D7E8F9", "example.com/p;jsessionid=*"),
        ("https://example.com/t/dQw4w9WgXcQabcde1F", "example.com/t/*"),
        ("https://example.com/top-10-things-to-do-in-rome", "example.com/top-#-things-to-do-in-rome"),
        ("https://example.com/internationalization", "example.com/internationalization"),
        ("https://example.com/20310512093000", "example.com/#"),
        ("https://example.com/%E6%97%A5%E6%9C%AC-31", "example.com/%E6%97%A5%E6%9C%AC-#"),
        ("http://10.0.0.1/x1", "10.0.0.1/x#"),
        ("http://[2001:db8::1]:8080/x1", "[2001:db8::1]:8080/x#"),
        ("http://site-001.example/", "site-001.example/"),
    ],
)
def test_a_pattern_folds_numbers_ids_and_values_and_keeps_the_rest(url: str, pattern: str) -> None:
    assert pattern_of(urls.canonicalize(url)) == pattern


@given(st.text(max_size=3000))
def test_every_url_has_a_pattern_of_bounded_length(text: str) -> None:
    url = urls.canonicalize("https://www.example.com/" + text.replace("\\", "/"))
    pattern = pattern_of(url)
    assert pattern.startswith("www.example.com/")
    assert len(pattern) <= 3 * MAX_PATTERN_CHARS


# --- what pages say ---

PAGE = HOST + "/maze/walnut/kettle.html"


def test_numbers_dates_hex_ids_case_and_spacing_do_not_change_what_a_page_says() -> None:
    said = novelty_of(HOST + "/1", "Month 2031-05", "Events of 2031-05-17\nNone. Id 3f2504e0")
    assert said == novelty_of(HOST + "/2", "MONTH 1999-12", "events  of 1999-12-01 none, id: bead")
    assert said != NO_NOVELTY
    assert 0 < said < 2**64


def test_other_words_in_text_or_title_say_something_else() -> None:
    said = {
        novelty_of(PAGE, "Shoes", "Red shoes, 30 Euro"),
        novelty_of(PAGE, "Shoes", "Green shoes, 30 Euro"),
        novelty_of(PAGE, "Boots", "Red shoes, 30 Euro"),
        novelty_of(PAGE, None, "Red shoes, 30 Euro"),
        novelty_of(PAGE, "Shoes", "赤い靴"),
        novelty_of(PAGE, "Shoes", "青い靴"),
    }
    assert len(said) == 6


def test_a_page_that_repeats_its_own_path_says_nothing_by_it() -> None:  # scenario 79
    other = HOST + "/caf%C3%A9/lantern?x=y"
    said = novelty_of(PAGE, "404: /maze/walnut/kettle.html", "There is no /maze/walnut/kettle.html here")
    assert said == novelty_of(other, "404: /café/lantern?x=y", "There is no /café/lantern?x=y here")
    assert said == novelty_of(other, "404: /caf%C3%A9/lantern?x=y", "There is no /caf%C3%A9/lantern?x=y here")


def test_a_page_that_is_named_like_its_url_says_its_name() -> None:
    assert novelty_of(HOST + "/tag/walnut", "walnut", "Posts on walnut") != novelty_of(
        HOST + "/tag/kettle", "kettle", "Posts on kettle"
    )


@pytest.mark.parametrize("text", ["", " \n", "12 345", ".-!", "bead 03f"])
def test_a_page_without_text_cannot_be_judged_by_what_it_says(text: str) -> None:
    assert novelty_of(PAGE, "Picture 17 | Gallery", text) == NO_NOVELTY


@given(st.text(), st.text())
def test_every_page_has_a_signature_of_64_bits(title: str, text: str) -> None:
    assert 0 <= novelty_of(PAGE, title, text) < 2**64

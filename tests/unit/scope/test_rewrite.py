"""The optional rules that make one URL of several."""

import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crawler import urls
from crawler.errors import UrlError
from crawler.scope.rewrite import UrlRules

SITE = "https://example.com"
ID = "0a1B" * 8
ALL = UrlRules(strip_session_ids=True, strip_tracking=True, drop_params=("view", "f[a]"), sort_query=True)
ANY_RULES = st.builds(
    UrlRules,
    strip_session_ids=st.booleans(),
    strip_tracking=st.booleans(),
    drop_params=st.sampled_from([(), ("a",), ("", "x")]),
    sort_query=st.booleans(),
)
PIECES = st.sampled_from(
    [
        *("/", "//", ".", "..", "%2e", "a", "é", "?", "&", "=", ";", "#", "%", "%3D"),
        *(";jsessionid=", "(S(abc))", "(A(x)F(y))", "PHPSESSID=1", "sid=" + ID, "utm_source=x", "gclid", "a=1", "x="),
    ]
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/cart;jsessionid={ID}", "/cart"),
        (f"/cart;JSESSIONID={ID}?a=1", "/cart?a=1"),
        (f"/cart;v=2;jsessionid={ID}/page", "/cart;v=2/page"),
        ("/shop/(S(lit3py55t21z5v55vlm25s55))/page.aspx", "/shop/page.aspx"),
        ("/(A(abc)S(def-1_2))/page.aspx?x=1", "/page.aspx?x=1"),
        ("/?PHPSESSID=whatever", "/"),
        ("/?a=1&phpsessid=x&b=2", "/?a=1&b=2"),
        ("/?ASPSESSIONIDQQRSTUVW=ABCDEF", "/"),
        ("/?CFID=1&CFTOKEN=2&osCsid=3&zenid=4", "/"),
        (f"/?sid={ID}", "/"),
        (f"/?page=2&session_id={ID}", "/?page=2"),
    ],
)
def test_session_ids_are_taken_out_of_path_and_query(path: str, expected: str) -> None:  # scenario 77
    assert UrlRules(strip_session_ids=True).rewrite(SITE + path) == (SITE + expected, "session_ids")
    assert UrlRules(strip_tracking=True).rewrite(SITE + path) == (SITE + path, "")


@pytest.mark.parametrize(
    "path",
    [
        "/?sid=17",
        "/?s=search+words",
        "/?session=spring-2024",
        f"/{ID}",
        f"/?id={ID}",
        "/wiki/Set_(S(n))",
        "/f(x)/(S(a b))/",
        "/;v=1",
        "/?ASPSESSIONID=1",
        "/?",
        "/(S())/",
    ],
)
def test_what_only_looks_like_a_session_id_stays(path: str) -> None:
    url = urls.canonicalize(SITE + path)
    assert UrlRules(strip_session_ids=True).rewrite(url) == (url, "")


def test_tracking_is_taken_out_and_nothing_else() -> None:
    rules = UrlRules(strip_tracking=True)
    url = f"{SITE}/a?utm_source=x&id=7&UTM_Campaign=y&gclid=z&fbclid=1&ref=home&mc_cid=2"
    assert rules.rewrite(url) == (f"{SITE}/a?id=7&ref=home", "tracking")
    assert rules.rewrite(f"{SITE}/a?utm_medium") == (f"{SITE}/a", "tracking")
    assert rules.rewrite(f"{SITE}/utm_source=1?a=utm_source") == (f"{SITE}/utm_source=1?a=utm_source", "")


def test_the_order_of_parameters_goes_by_name_and_keeps_values_of_one_name() -> None:  # scenario 76
    rules = UrlRules(sort_query=True)
    assert rules.rewrite(f"{SITE}/?b=2&a=2&b=1&a=1") == (f"{SITE}/?a=2&a=1&b=2&b=1", "sort_query")
    assert rules.rewrite(f"{SITE}/?a=2&a=1&b") == (f"{SITE}/?a=2&a=1&b", "")


def test_parameters_that_the_user_names_are_dropped_encoded_or_not() -> None:
    rules = UrlRules(drop_params=("view", "f[a]"))
    url = urls.canonicalize(f"{SITE}/?view=list&x=1&f%5ba%5d=2&f[a]=3&View=grid")
    assert rules.rewrite(url) == (f"{SITE}/?x=1&View=grid", "drop_params")


def test_the_first_rule_that_changed_a_url_is_told() -> None:
    assert ALL.rewrite(f"{SITE}/;jsessionid=1?z=1&utm_id=2&a=3") == (f"{SITE}/?a=3&z=1", "session_ids")
    assert ALL.rewrite(f"{SITE}/?z=1&utm_id=2&a=3") == (f"{SITE}/?a=3&z=1", "tracking")


def test_a_path_that_is_canonical_only_with_its_session_id_becomes_canonical_again() -> None:
    assert UrlRules(strip_session_ids=True).apply(f"{SITE}/a/..;jsessionid=1/b") == f"{SITE}/b"


def test_without_rules_nothing_changes() -> None:
    url = f"{SITE}/;jsessionid=1?b=1&a=2&utm_id=3"
    assert UrlRules().rewrite(url) == (url, "")


def test_rules_pickle() -> None:
    assert pickle.loads(pickle.dumps(ALL)) == ALL


@given(st.lists(PIECES, max_size=14), ANY_RULES)
def test_canonical_urls_stay_canonical_and_a_second_time_changes_nothing(pieces: list[str], rules: UrlRules) -> None:
    try:
        url = urls.canonicalize(SITE + "/" + "".join(pieces))
    except UrlError:
        assume(False)
    once, rule = rules.rewrite(url)
    assert urls.canonicalize(once) == once
    assert rules.rewrite(once) == (once, "")
    assert (once == url) == (rule == "")
    assert rules.apply(url) == once


@given(st.text(max_size=200), ANY_RULES)
def test_any_text_makes_a_url_that_is_rewritten_once_and_for_all(text: str, rules: UrlRules) -> None:
    url = urls.canonicalize(f"{SITE}/{text}")
    once = rules.apply(url)
    assert urls.canonicalize(once) == once
    assert rules.apply(once) == once
    assert once.startswith(SITE + "/")

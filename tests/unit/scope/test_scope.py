"""What belongs to the crawl."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.scope.scope import Scope, ScopeKind, SeedSite


def scope_of(*seeds: str, kind: ScopeKind = "host", **rules: object) -> Scope:
    return Scope([SeedSite(seed, kind) for seed in seeds], **rules)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "is_inside"),
    [
        ("https://example.com/", True),
        ("https://example.com/other", True),
        ("http://example.com/", True),
        ("https://www.example.com/", True),
        ("http://www.example.com/a", True),
        ("https://example.com.evil.tld/", False),  # scenario 47
        ("https://evilexample.com/", False),
        ("https://example.com@evil.tld/", False),
        ("https://blog.example.com/", False),
        ("https://www.www.example.com/", False),
        ("https://example.com:8443/", False),
        ("https://example.org/", False),
        ("https://evil.tld/https://example.com/", False),
    ],
)
def test_host_is_the_seeds_name_with_and_without_www(url: str, is_inside: bool) -> None:
    for seed in ("https://example.com/docs/", "https://www.example.com/"):
        assert (scope_of(seed).refusal(url) is None) is is_inside


def test_a_seeds_own_port_belongs_to_it() -> None:
    scope = scope_of("http://example.com:8080/")
    inside = [
        "http://example.com:8080/a",
        "https://www.example.com:8080/",
        "http://example.com/",
        "https://example.com/",
    ]
    assert [scope.refusal(url) for url in inside] == [None] * 4
    assert scope.refusal("http://example.com:8081/") == "scope"


@pytest.mark.parametrize("seed", ["http://127.0.0.1:8000/", "http://[::1]:8000/"])
def test_addresses_can_be_seeds(seed: str) -> None:
    scope = scope_of(seed)
    assert scope.refusal(f"{seed}a") is None
    assert scope.refusal(seed.replace(":8000", ":8001")) == "scope"


@pytest.mark.parametrize(
    ("url", "is_inside"),
    [
        ("https://example.co.uk/", True),
        ("http://a.b.example.co.uk:8080/x", True),
        ("https://other.co.uk/", False),
        ("https://co.uk/", False),
        ("https://example.co.uk.evil.tld/", False),  # scenario 47
        ("https://notexample.co.uk/", False),
    ],
)
def test_domain_is_the_registrable_domain(url: str, is_inside: bool) -> None:
    scope = scope_of("https://shop.example.co.uk/x", kind="domain")
    assert (scope.refusal(url) is None) is is_inside


def test_domain_keeps_the_tenants_of_a_platform_apart() -> None:
    assert scope_of("https://me.github.io/", kind="domain").refusal("https://you.github.io/") == "scope"


@pytest.mark.parametrize(
    ("url", "is_inside"),
    [
        ("https://example.com/docs/", True),
        ("http://www.example.com/docs/a/b?c", True),
        ("https://example.com/docs", False),
        ("https://example.com/docs-old/", False),
        ("https://example.com/Docs/", False),
        ("https://example.com/", False),
        ("https://example.com/?/docs/", False),
        ("https://example.com.evil.tld/docs/", False),  # scenario 47
    ],
)
@pytest.mark.parametrize("seed", ["https://example.com/docs/", "https://example.com/docs/index.html?q=/x/"])
def test_prefix_is_the_seeds_folder(seed: str, url: str, is_inside: bool) -> None:
    assert (scope_of(seed, kind="prefix").refusal(url) is None) is is_inside


def test_any_has_no_border() -> None:
    assert scope_of("https://example.com/", kind="any").refusal("http://elsewhere.example:8080/x") is None


def test_no_site_owns_nothing() -> None:
    assert Scope([]).refusal("https://example.com/") == "scope"


@pytest.mark.parametrize("kind", ["host", "prefix", "domain", "any"])
def test_the_longest_match_owns_a_url(kind: ScopeKind) -> None:
    scope = scope_of("https://example.com/", "https://example.com/docs/", "https://example.com/docs/old/x", kind=kind)
    owners = {path: scope.site_of(f"https://example.com{path}") for path in ("/a", "/docs", "/docs/a", "/docs/old/y")}
    assert owners == {"/a": 0, "/docs": 0, "/docs/a": 1, "/docs/old/y": 2}


@pytest.mark.parametrize("kind", ["domain", "any"])
def test_a_seeds_own_host_is_its_own_whatever_folders_other_seeds_have(kind: ScopeKind) -> None:
    scope = scope_of("https://example.com/news/", "https://blog.example.com/", kind=kind)
    assert scope.site_of("https://blog.example.com/news/1") == 1
    assert scope.site_of("https://www.example.com/other") == 0
    assert scope.site_of("https://third.example.com/news/1") == 0


def test_the_first_of_equal_seeds_owns() -> None:
    assert scope_of("https://example.com/a", "http://www.example.com/b").site_of("https://example.com/c") == 0


@pytest.mark.parametrize("kind", ["host", "prefix"])
def test_seeds_of_one_folder_are_one_question_for_each_link(kind: ScopeKind) -> None:
    """Whether they differ by their names or by their ports; the first of them owns."""
    seeds = [f"https://example.com/docs/{number}" for number in range(1_000)]
    scope = scope_of("https://example.com/", *seeds, kind=kind)
    assert len(scope._candidates("example.com")) == 2
    assert [scope.site_of(f"https://example.com{path}") for path in ("/docs/x", "/x", "/docs")] == [1, 0, 0]
    scope = scope_of(*(f"http://127.0.0.1:{port}/" for port in range(8001, 9001)), kind=kind)
    assert len(scope._candidates("127.0.0.1")) == 1
    assert [scope.site_of(f"http://127.0.0.1{port}/") for port in ("", ":8002")] == [0, 1]


def test_a_seed_in_a_folder_owns_its_whole_host() -> None:
    assert scope_of("https://example.com/docs/").site_of("https://example.com/other") == 0


def test_exclude_wins_over_include_and_both_search_the_whole_url() -> None:
    scope = scope_of("https://example.com/", include=["/blog/", r"\.html$"], exclude=[r"\?print=", "^http:"])
    assert {url: scope.refusal(url) for url in (
        "https://example.com/blog/1",
        "https://example.com/a.html",
        "https://example.com/shop/1",
        "https://example.com/blog/1?print=1",
        "http://example.com/blog/1",
        "https://elsewhere.example/blog/1",
    )} == {
        "https://example.com/blog/1": None,
        "https://example.com/a.html": None,
        "https://example.com/shop/1": "include",
        "https://example.com/blog/1?print=1": "exclude",
        "http://example.com/blog/1": "exclude",
        "https://elsewhere.example/blog/1": "scope",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "refusal"), [({}, None), ({"exclude": ["/private"]}, "exclude"), ({"include": ["/blog"]}, "include")]
)
def test_a_rule_that_does_not_hold_hides_none_that_does(rules: dict[str, object], refusal: str | None) -> None:
    """A redirect may lead to a path that repeats itself, but not to one that is excluded as well."""
    url = "https://example.com/private/" + "a/b/" * 4
    scope = scope_of("https://example.com/", **rules)
    assert scope.refusal(url) == "repeats"
    assert scope.refusal(url, ("segments", "repeats")) == refusal
    assert scope.refusal(url, ("segments", "repeats", "include")) == (refusal if refusal == "exclude" else None)


def test_patterns_do_not_disturb_each_other() -> None:
    """Flags and group numbers are those of each pattern alone."""
    scope = scope_of("https://example.com/", exclude=["(x)(y)", "(?i)/PRIVATE/", r"/(\w)\1/"])
    assert scope.refusal("https://example.com/private/") == "exclude"
    assert scope.refusal("https://example.com/aa/") == "exclude"
    assert scope.refusal("https://example.com/ab/") is None


def test_long_urls_are_not_taken() -> None:
    # scenario 48
    scope = scope_of("https://example.com/", max_url_chars=100)
    fitting = "https://example.com/".ljust(100, "a")
    assert (scope.refusal(fitting), scope.refusal(f"{fitting}a")) == (None, "too_long")


def test_a_host_that_the_seed_redirects_to_belongs_to_it() -> None:
    scope = scope_of("https://a.example/", "https://b.example/")
    assert scope.site_of("https://new.example/x") is None
    scope.add_alias(1, "new.example")
    assert (scope.site_of("https://new.example/x"), scope.site_of("https://a.example/")) == (1, 0)
    scope.add_alias(0, "new.example")
    assert scope.site_of("https://new.example/x") == 0, "the first of several owners counts"


def test_an_alias_keeps_the_sites_limits_and_the_rules() -> None:
    site = SeedSite("https://a.example/", max_pages=5, delay_s=2.0, max_depth=1)
    scope = Scope([site], ["/i"], ["/e"], 99)
    for _ in range(2):
        scope.add_alias(0, "new.example")
    assert scope.sites == (SeedSite("https://a.example/", "host", 5, 2.0, 1, ("new.example",)),)
    assert (scope.include, scope.exclude, scope.max_url_chars) == (("/i",), ("/e",), 99)


URLS = [
    "https://a.example/docs/x",
    "https://b.example/docs/x",
    "https://new.example/docs/",
    "https://a.example/docs/no",
    "https://a.example/" + "a" * 200,
    "https://c.example/",
]


@pytest.mark.parametrize("kind", ["host", "domain", "prefix", "any"])
def test_a_copy_in_a_worker_answers_the_same(kind: ScopeKind) -> None:
    scope = scope_of("https://a.example/docs/", "https://b.example/", kind=kind, exclude=["no"], max_url_chars=100)
    scope.add_alias(1, "new.example")
    answers = [(scope.refusal(url), scope.site_of(url)) for url in URLS]
    copy = pickle.loads(pickle.dumps(scope))
    assert [(copy.refusal(url), copy.site_of(url)) for url in URLS] == answers
    assert copy.sites == scope.sites


_HOSTS = st.from_regex(r"\A[a-z]{1,3}(\.[a-z]{1,3}){0,3}\Z")


@given(_HOSTS, _HOSTS)
def test_only_the_same_name_is_the_same_host(seed: str, other: str) -> None:
    # scenario 47
    is_inside = scope_of(f"https://{seed}/").refusal(f"https://{other}/") is None
    assert is_inside is (seed.removeprefix("www.") == other.removeprefix("www."))

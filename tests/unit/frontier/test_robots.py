"""Which rule of a robots.txt counts for which URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier import robots
from tests.unit.frontier.robots_rules import AGENT, SITE, expected, rules, verdicts

# scenario 51: name of the fact, file, paths that are allowed, paths that are refused
FACTS = [
    ("an empty file allows all", b"", "/ /a", ""),
    ("a file for others allows all", rules("Disallow: /", agent="Other"), "/ /a", ""),
    ("one rule refuses all", rules("Disallow: /"), "", "/ /a/b?c"),
    ("names of no meaning are no rules", b"agent: Harvester\nforbid: /\n", "/a/b", ""),
    ("a space stands for a missing colon", b"user-agent Harvester\ndisallow /\n", "", "/a/b"),
    ("a tab stands for a missing colon", b"user-agent\tHarvester\ndisallow\t \t/\n", "", "/a/b"),
    ("a sentence is no rule", rules("disallow all of / please", "disallow"), "/a", ""),
    ("rules before any group are ignored", b"Disallow: /x\n" + rules("Disallow: /y"), "/x", "/y"),
    ("an empty Disallow allows all", rules("Disallow:", "Allow:"), "/ /a", ""),
    ("patterns tell case apart", rules("Disallow: /Cellar/"), "/cellar/a", "/Cellar/a"),
    ("the longer Disallow wins", rules("Allow: /x/", "Disallow: /x/page.html"), "/x/other", "/x/page.html"),
    ("the longer Allow wins", rules("Disallow: /x/", "Allow: /x/page.html"), "/x/page.html", "/x/"),
    ("Allow wins a tie of slashes", rules("Disallow: /", "Allow: /"), "/x", ""),
    ("Allow wins a tie of pages", rules("Allow: /x/page.html", "Disallow: /x/page.html"), "/x/page.html", ""),
    ("Allow wins a tie between a plain pattern and a wildcard", rules("Disallow: /abc", "Allow: /a*c"), "/abc", ""),
    ("Disallow wins with a longer wildcard", rules("Allow: /ab", "Disallow: /a*c"), "/ab", "/abc"),
    ("a closing slash makes a pattern longer", rules("Disallow: /x", "Allow: /x/"), "/x/ /x/y", "/x /xy"),
    ("a wildcard's length counts", rules("Allow: /page", "Disallow: /*.html"), "/page", "/page.html"),
    ("a longer prefix beats a wildcard", rules("Allow: /x/page.", "Disallow: /*.html"), "/x/page.html", "/x/y.html"),
    ("the order of rules does not matter", rules("Allow: /p", "Disallow: /"), "/page", "/other"),
    ("Allow wins a tie of folders", rules("Allow: /folder", "Disallow: /folder"), "/folder/page", ""),
    ("a longer wildcard beats Allow", rules("Allow: /page", "Disallow: /*.htm"), "", "/page.htm"),
    ("only the start page", rules("Allow: /$", "Disallow: /"), "/", "/page.html /?a"),
    (
        "a pattern is a prefix",
        rules("Disallow: /", "Allow: /cod"),
        "/cod /cod.html /cod/fillet.html /codfather /codfather/part.html /cod.php?id=any",
        "/bar /Cod.asp /norcod /?id=cod",
    ),
    (
        "a closing star adds nothing",
        rules("Disallow: /", "Allow: /cod*"),
        "/cod /cod.html /cod/fillet.html /codfather /codfather/part.html /cod.php?id=any",
        "/bar /Cod.bar /norcod /?id=cod",
    ),
    (
        "a folder is not the page of its name",
        rules("Disallow: /", "Allow: /cod/"),
        "/cod/ /cod/fillet /cod/?fillet /cod/fillet.htm /cod/?id=any",
        "/bar /cod /cod.html /Cod/Fillet.asp",
    ),
    (
        "a star stands for anything, nothing and slashes included",
        rules("Disallow: /", "Allow: /*.php"),
        "/name.php /a/name.php /a/name.php?args //a/any.php.file.html /name.php/ /index?f=name.php/ /.php",
        "/bar /php/ /index?php /windows.PHP",
    ),
    (
        "a dollar sign ends the URL",
        rules("Disallow: /", "Allow: /*.php$"),
        "/name.php /a/name.php /a.php.php",
        "/bar /name.php?args /name.php/ /name.php5 /php/ /name?php /aaaphpaaa //windows.PHP",
    ),
    (
        "a star in the middle",
        rules("Disallow: /", "Allow: /cod*.php"),
        "/cod.php /codfather/norcod.php?args",
        "/bar /Cod.PHP",
    ),
    ("a star between slashes", rules("Disallow: /a/b/q", "Allow: /a/*/z"), "/a/q /a//q /a/x/q", "/a/b/q"),
    ("a dollar sign behind a plain path", rules("Disallow: /a/b$"), "/a/b/ /a/b/c /a/bc", "/a/b"),
    ("a dollar sign elsewhere is itself", rules("Disallow: /a$b"), "/a /ab", "/a$b /a%24bc"),
    ("an anchored tail must not overlap", rules("Disallow: /ab*bc$"), "/abc", "/abbc /abxbc"),
    ("comments are cut", rules("# Disallow: /", "Disallow: /a/q#z", "Allow: /"), "/a/b", "/a/q /a/qz"),
    ("a comment can swallow a rule", rules("Disallow # : /", "Disa#llow: /"), "/a", ""),
    ("a pattern without a slash matches nothing", rules("Disallow: private"), "/private", ""),
    ("a pattern may begin with a star", rules("Disallow: *.gif$"), "/a.gift", "/a.gif"),
    (
        "whoever allows the index file allows the folder",
        rules("Allow: /shelf/index.html", "Disallow: /"),
        "/shelf/ /shelf/index.html",
        "/shelf/index.htm /shelf /other",
    ),
    ("the query belongs to the pattern", rules("Disallow: /*?", "Allow: /*?$"), "/a /a?", "/a?b"),
    (
        "a URL within a query stays as it is",
        rules("Disallow: /", "Allow: /a?b=c&d=http://e.f?g&h"),
        "/a?b=c&d=http://e.f?g&h",
        "/a?b",
    ),
    ("robots.txt itself is always allowed", rules("Disallow: /"), "/robots.txt", "/robots.txt.bak"),
]


@pytest.mark.parametrize(("body", "allowed", "refused"), [fact[1:] for fact in FACTS], ids=[fact[0] for fact in FACTS])
def test_rules(body: bytes, allowed: str, refused: str) -> None:
    # scenario 51
    assert verdicts(body, f"{allowed} {refused}") == expected(allowed, refused)


GROUPS = b"""\
Allow: /foo/

User-agent: One
Disallow: /
Allow: /x/
User-agent: Two
Disallow: /
Allow: /y/


Allow: /w/
User-agent: Three

User-agent: One
Allow: /z/
Disallow: /
"""


@pytest.mark.parametrize(
    ("agent", "allowed", "refused"),
    [
        ("One", "/x/b /z/d", "/y/c /foo/bar/ /w/a"),  # both of its groups count, and no line before the first
        ("Two", "/y/c /w/a", "/z/d /x/b /foo/bar/"),  # empty lines end nothing
        ("Three", "/z/d", "/foo/bar/ /x/b"),  # it shares the rules of the agent that follows
        ("Four", "/x/b /y/c /foo/bar/", ""),
    ],
)
def test_groups_of_one_agent_are_merged(agent: str, allowed: str, refused: str) -> None:
    # scenario 51
    assert verdicts(GROUPS, f"{allowed} {refused}", agent) == expected(allowed, refused)


@pytest.mark.parametrize("agent", ["Harvester", "harvester", "HARVESTER"])
@pytest.mark.parametrize("spelling", [str.upper, str.lower, str.title, str.swapcase])
def test_field_names_and_agents_have_no_case(spelling: object, agent: str) -> None:
    lines = b"".join(
        f"{spelling(name)}: {value}\n".encode()  # type: ignore[operator]
        for name, value in (("User-Agent", "HarVester two"), ("Allow", "/x/"), ("Disallow", "/"))
    )
    assert verdicts(lines, "/x/y /a/b", agent) == {"/x/y": True, "/a/b": False}


@pytest.mark.parametrize(
    ("line", "agent", "is_obeyed"),
    [
        ("Harvester", "Harvester/2.1", True),
        ("Harvester", "Harvester/2.1 (+https://harvester.example/)", True),
        ("Harvester/1.0", "Harvester/2.1", True),
        ("Harvester Images", "Harvester", True),  # a token ends at the first character that cannot be in one
        ("Harvester-Images", "Harvester", False),
        ("Harvester", "Harvester-Images", False),
        ("Harvester_News", "harvester_news", True),
        ("Harvest", "Harvester", False),
        ("*Harvester", "Harvester", False),
        ("ツ", "Harvester", False),
        ("ツ", "ツ", False),  # no token, no group of its own
        ("", "", False),
        ("Harvester", "", False),
        ("*", "Harvester", True),
        ("*", "", True),
        ("* all of them", "Harvester", True),
        ("*\tall", "Harvester", True),
    ],
)
def test_the_agent_token_chooses_the_group(line: str, agent: str, is_obeyed: bool) -> None:
    # scenario 51
    parsed = robots.parse(rules("Disallow: /", agent=line), agent)
    assert parsed.allows(f"{SITE}/a") is not is_obeyed


@pytest.mark.parametrize(
    ("body", "agent", "is_allowed"),
    [
        (rules("Allow: /", agent="*") + rules("Disallow: /"), "Harvester", False),
        (rules("Allow: /", agent="*") + rules("Disallow: /"), "Other", True),
        (rules("Disallow: /", agent="*") + rules("Disallow:"), "Harvester", True),
        (rules("Disallow: /x", agent="*") + rules("Disallow: /y"), "Harvester", True),
        (rules("Disallow: /x", agent="*") + rules("Disallow: /y"), "Other", False),
        (rules(agent="Harvester") + rules("Disallow: /", agent="*"), "Harvester", False),  # one group, two agents
        (rules("Disallow: /", agent="*") + rules(agent="Harvester"), "Harvester", True),  # named last, no rule
    ],
)
def test_the_group_for_all_counts_only_without_one_of_our_own(body: bytes, agent: str, is_allowed: bool) -> None:
    assert robots.parse(body, agent).allows(f"{SITE}/x/page") is is_allowed


@pytest.mark.parametrize("field", ["Sitemap: https://shop.example/s.xml", "Host: shop.example", "Noindex: /", "junk"])
def test_lines_that_are_no_rules_end_no_group(field: str) -> None:
    body = f"User-agent: Harvester\n{field}\nUser-agent: Other\nDisallow: /\n".encode()
    assert not robots.parse(body, "Harvester").allows(f"{SITE}/a")


def test_a_crawl_delay_is_a_rule_and_closes_the_list_of_agents() -> None:
    """A site that slows everyone and bans one crawler behind that has not banned everyone."""
    parsed = robots.parse(b"User-agent: *\nCrawl-delay: 10\n\nUser-agent: Bad\nDisallow: /\n", AGENT)
    assert (parsed.allows(f"{SITE}/a"), parsed.crawl_delay) == (True, 10.0)


@pytest.mark.parametrize("name", ["disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw", "DISALOW"])
def test_misspelt_disallow_is_understood(name: str) -> None:
    assert not robots.parse(rules(f"{name}: /"), AGENT).allows(f"{SITE}/a")


@pytest.mark.parametrize("name", ["user-agent", "useragent", "user agent", "User-Agents"])
def test_misspelt_user_agent_is_understood(name: str) -> None:
    assert not robots.parse(f"{name}: Harvester\ndisallow: /\n".encode(), AGENT).allows(f"{SITE}/a")


# Percent-encoding ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["/menu/ツ", "/menu/%E3%83%84", "/menu/%e3%83%84"])
@pytest.mark.parametrize("url", ["/menu/ツ", "/menu/%E3%83%84", "/menu/%e3%83%84/x"])
def test_one_character_in_three_spellings_is_one_character(pattern: str, url: str) -> None:
    assert robots.parse(rules("Disallow: /", f"Allow: {pattern}"), AGENT).allows(SITE + url)


@pytest.mark.parametrize(
    ("pattern", "url", "is_match"),
    [
        ("/a/%62%61%7A", "/a/baz", True),  # escapes of unreserved characters mean the characters
        ("/a/baz", "/a/%62%61%7a", True),
        ("/~home", "/%7Ehome", True),
        ("/a%2fb", "/a%2Fb", True),
        ("/a%2Fb", "/a/b", False),  # those of reserved ones do not
        ("/a/b", "/a%2Fb", False),
        ("/a%3Fb", "/a?b", False),
        ("/a b", "/a%20b", True),
        ("/a|{b}", "/a%7C%7Bb%7D", True),
        ("/file-%2A.html", "/file-*.html", True),  # an escaped star is a star, and no wildcard
        ("/file-%2A.html", "/file-x.html", False),
        ("/price%24", "/price$", True),
        ("/price%24", "/price$100", True),
        ("/50%", "/50%", True),
        ("/50%/", "/50%25/", False),
        ("/caf\xe9", "/caf%C3%A9", True),
    ],
)
def test_escapes_are_compared_by_meaning(pattern: str, url: str, is_match: bool) -> None:
    # scenario 51
    assert robots.parse(rules(f"Disallow: {pattern}"), AGENT).allows(SITE + url) is not is_match


def test_bytes_that_are_not_utf8_match_their_escapes() -> None:
    assert not robots.parse(b"User-agent: *\nDisallow: /caf\xe9\n", AGENT).allows(f"{SITE}/caf%E9")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("", "/"),
        (SITE, "/"),
        (f"{SITE}/", "/"),
        (f"{SITE}/a", "/a"),
        (f"{SITE}/a/", "/a/"),
        (f"{SITE}?a", "/?a"),
        (f"{SITE}#a/b", "/"),
        (f"{SITE}/a/b?c=http://d.e/", "/a/b?c=http://d.e/"),
        (f"{SITE}/a/b?c=d&e=f#part", "/a/b?c=d&e=f"),
        ("https://shop.example:8443/a", "/a"),
        ("shop.example", "/"),
        ("shop.example/", "/"),
        ("shop.example/a", "/a"),
        ("shop.example/a/b?c=d&e=f#part", "/a/b?c=d&e=f"),
        ("shop.example?a", "/?a"),
        ("shop.example/a;b#c", "/a;b"),
        ("a", "/"),
        ("a/", "/"),
        ("/a", "/a"),
        ("a/b", "/b"),
        ("//a/b/c", "/b/c"),
    ],
)
def test_path_and_query_of_any_spelling_of_a_url(url: str, path: str) -> None:
    """Only the pattern that is exactly the path refuses the URL."""
    assert not robots.parse(rules("Allow: /", f"Disallow: {path}$"), AGENT).allows(url)


_PATTERN = st.text("ab*$/", max_size=8)


def _matches(pattern: str, path: str) -> bool:
    """The matcher as its definition reads: slow, and plainly right."""
    if not pattern:
        return True
    if pattern == "$":
        return not path
    if pattern[0] == "*":
        return any(_matches(pattern[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and pattern[0] == path[0] and _matches(pattern[1:], path[1:])


@given(st.lists(st.tuples(st.booleans(), _PATTERN), max_size=6), st.text("ab$/", max_size=8))
def test_verdicts_agree_with_the_definition(pairs: list[tuple[bool, str]], path: str) -> None:
    """The longest matching pattern decides, and Allow wins a tie."""
    # scenario 51
    lines = [f"{'Allow' if allow else 'Disallow'}: /{pattern}" for allow, pattern in pairs]
    matching = [(len(pattern), allow) for allow, pattern in pairs if _matches(f"/{pattern}", f"/{path}")]
    assert robots.parse(rules(*lines), AGENT).allows(f"{SITE}/{path}") is max(matching, default=(0, True))[1]


def test_no_more_wildcards_are_tried_than_time_allows_and_what_is_left_over_refuses_more() -> None:
    some = "".join(f"Disallow: /shop/*item{number}$\n" for number in range(robots.MAX_WILDCARDS))
    more = "Disallow: /late/*x\nAllow: /late/*y\nDisallow: /plain\n"
    parsed = robots.parse(f"User-agent: *\n{some}{more}".encode(), AGENT)
    paths = ("/shop/item7", "/shop/other", "/late/y", "/plain/z", "/")
    refused = [path for path in paths if not parsed.allows(SITE + path)]
    assert refused == ["/shop/item7", "/late/y", "/plain/z"]

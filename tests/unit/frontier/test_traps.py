"""The trap guard: what it closes, what it leaves alone, and after how many pages a trap ends."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from crawler.frontier import traps
from crawler.frontier.limits import DomainBudget
from crawler.frontier.trap_tree import (
    FOLDER_FACTOR,
    MAX_NODES,
    MAX_UNJUDGED,
    NODE_BYTES,
    ONE_IN,
    OWN_HOSTS,
    OWN_NAMES,
    NoveltyFilter,
)
from crawler.frontier.traps import FIRST_PAGES, TrapGuard
from crawler.scope.patterns import NO_NOVELTY

LIMIT = 500
SAME = 7  # what all pages of a trap say
HOST = "www.example.com"


def feed(guard: TrapGuard, paths: Iterable[str], novelty: int = SAME, host: str = HOST) -> int:
    """Show pages to a guard as a frontier does, those of closed places left out; returns how many were fetched."""
    fetched = 0
    for path in paths:
        url = f"http://{host}{path}"
        if not guard.is_closed(url, host):
            fetched += 1
            guard.saw(url, host, novelty)
    return fetched


def known(guard: TrapGuard) -> TrapGuard:
    """A guard that has seen a domain's first pages, and has heard once what its traps say."""
    feed(guard, [f"/first/page-{number}.html" for number in range(min(FIRST_PAGES, guard.limit))])
    feed(guard, ["/first/last.html"])
    return guard


def patterns(guard: TrapGuard) -> list[str]:
    return [trap.pattern for trap in guard.reports()]


# --- the rule ---


def test_a_pattern_closes_when_so_many_pages_in_a_row_say_nothing_new() -> None:
    guard = known(TrapGuard(LIMIT))
    assert feed(guard, [f"/calendar/{number}/" for number in range(2 * LIMIT)]) == LIMIT
    assert patterns(guard) == ["www.example.com/calendar/#/"]
    assert not guard.is_closed("http://www.example.com/calendar/", HOST)
    assert not guard.is_closed("http://www.example.com/calendar/2031/05/", HOST)


def test_a_page_that_says_something_new_begins_the_count_again() -> None:
    guard = known(TrapGuard(LIMIT))
    feed(guard, [f"/{number}" for number in range(LIMIT - 1)])
    feed(guard, ["/4711"], novelty=8)
    assert feed(guard, [f"/{number}" for number in range(1000, 1000 + 2 * LIMIT)]) == LIMIT


def test_pages_of_other_patterns_are_not_touched() -> None:
    guard = known(TrapGuard(LIMIT))
    feed(guard, [f"/calendar/{number}/" for number in range(LIMIT)])
    assert guard.traps == 1
    for path in ("/", "/calendar/today/", "/shop/1/", "/calendar/7", "/calendar/7/?view=day"):
        assert not guard.is_closed(f"http://{HOST}{path}", HOST)
    assert not guard.is_closed("http://www.example.org/calendar/7/", "www.example.org")
    assert guard.is_closed("https://www.example.com/calendar/7/", HOST)


def test_pages_without_text_close_nothing() -> None:
    guard = known(TrapGuard(50))
    assert feed(guard, [f"/gallery/{number}" for number in range(20_000)], novelty=NO_NOVELTY) == 20_000
    assert not guard.reports()


def test_a_guard_without_a_limit_judges_nothing() -> None:
    guard = TrapGuard(0)
    assert feed(guard, [f"/{number}" for number in range(20_000)]) == 20_000
    other = known(TrapGuard(50))
    feed(other, [f"/{number}" for number in range(50)])
    guard.restore(other.snapshot())
    assert not guard.is_closed(f"http://{HOST}/1", HOST)


def test_what_was_under_way_when_a_place_closed_changes_nothing() -> None:
    guard = known(TrapGuard(LIMIT))
    feed(guard, [f"/{number}" for number in range(LIMIT)])
    for number in range(LIMIT):
        guard.saw(f"http://{HOST}/{number}", HOST, 99)
    assert [(trap.pages, trap.saved) for trap in guard.reports()] == [(LIMIT, 0)]


# --- names without end ---


def test_random_names_fold_so_that_they_end() -> None:  # scenario 79
    guard = known(TrapGuard(LIMIT))
    names = [f"/maze/{name}/" for name in word_names(5000)]
    assert feed(guard, names) == OWN_NAMES + LIMIT
    assert patterns(guard) == ["www.example.com/maze/{other}/"]
    assert not guard.is_closed(f"http://{HOST}{names[0]}", HOST)  # one of those that are kept apart


def test_random_names_of_parameters_fold_as_well() -> None:
    guard = known(TrapGuard(LIMIT))
    assert feed(guard, [f"/list?{name}=1" for name in word_names(5000)]) == OWN_NAMES + LIMIT
    assert patterns(guard) == ["www.example.com/list?{other}"]


def test_few_names_in_many_combinations_end_with_their_folder() -> None:
    guard = known(TrapGuard(LIMIT))
    few = word_names(40)
    paths = [f"/maze/{a}/{b}/{c}/" for a in few for b in few for c in few]
    random.Random(1).shuffle(paths)
    assert feed(guard, paths) == FOLDER_FACTOR * LIMIT
    assert patterns(guard) == ["www.example.com/maze/**"]
    assert not guard.is_closed(f"http://{HOST}/first/9.html", HOST)


def test_hosts_beyond_the_first_of_a_domain_share_their_patterns() -> None:  # scenarios 4 and 80
    guard = known(TrapGuard(LIMIT))
    fetched = 0
    for number in range(5 * LIMIT):
        fetched += feed(guard, ["/welcome"], host=f"mirror-{number}.example.com")
    assert fetched == LIMIT + OWN_HOSTS - 1  # one of the hosts that are kept apart is the first
    assert patterns(guard) == ["{other}.example.com/welcome"]


def test_names_that_never_fold_into_one_pattern_end_with_the_domain() -> None:
    guard = known(TrapGuard(50))
    fetched = 0
    for number, path in enumerate(random_paths(20_000)):
        fetched += feed(guard, [path], host=f"h{number % 5}.example.com")
    assert fetched == FOLDER_FACTOR * 50
    assert patterns(guard) == ["**.example.com/**"]


@pytest.mark.parametrize("things", [1, 5, 20])
def test_a_domain_that_says_so_many_things_is_left_after_the_number_of_pages_that_is_promised(things: int) -> None:
    limit = 50
    guard = TrapGuard(limit)
    fetched = feed(guard, [f"/first-{number}/" for number in range(min(FIRST_PAGES, limit))])
    draws = random.Random(things)
    for number, path in enumerate(random_paths(things * FOLDER_FACTOR * limit * 3)):
        host = f"h{draws.randrange(50)}.example.com"
        novelty = 1_000_003 * (number // (FOLDER_FACTOR * limit - 1) % things + 1)  # news as late as they can come
        fetched += feed(guard, [path], novelty, host)
    assert 0 < fetched <= things * FOLDER_FACTOR * limit + 1 + limit
    assert not feed(guard, random_paths(100))


def word_names(count: int) -> list[str]:
    letters = "ghijklmnopqrstuvwxyz"
    return [
        letters[n // 8000 % 20] + letters[n // 400 % 20] + letters[n // 20 % 20] + letters[n % 20] for n in range(count)
    ]


def random_paths(count: int) -> list[str]:
    draws, names = random.Random(count), word_names(3000)
    return ["/" + "".join(f"{draws.choice(names)}/" for _ in range(draws.randrange(1, 8))) for _ in range(count)]


# --- what is left alone ---


def test_a_site_whose_pages_all_differ_is_never_touched() -> None:
    guard = TrapGuard(LIMIT)
    draws = random.Random(1)
    for number in range(40_000):
        guard.saw(f"http://{HOST}/goods/{number}.html", HOST, draws.getrandbits(64))
    assert not guard.reports()


def test_a_site_of_which_most_pages_are_copies_is_not_touched_while_there_are_news() -> None:
    guard = TrapGuard(LIMIT)
    draws = random.Random(1)
    for number in range(20_000):
        guard.saw(f"http://{HOST}/goods/{number}.html", HOST, SAME if number % 100 else draws.getrandbits(64))
    assert not guard.reports()


def test_what_was_heard_is_never_new_again_and_what_is_new_is_mostly_heard() -> None:
    heard, draws = NoveltyFilter(), random.Random(2)
    things = [draws.getrandbits(64) for _ in range(300_000)]
    row = longest = 0
    for thing in things:
        row = 0 if heard.add(thing) else row + 1
        longest = max(longest, row)
    assert longest < 50
    assert not any(heard.add(thing) for thing in things)
    assert heard.size_bytes < 5_000_000


def test_a_domain_that_has_said_too_much_is_not_judged_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NoveltyFilter, "_MAPS", ((13, 1 / 8, 0), (13, 1 / 8, 13)))
    guard, draws = TrapGuard(50), random.Random(3)
    for number in range(4000):
        guard.saw(f"http://{HOST}/{number}", HOST, draws.getrandbits(64))
    assert feed(guard, [f"/{number}" for number in range(1000)]) == 1000


# --- what is judged ---


def judge(guard: TrapGuard, paths: Iterable[str], novelties: Iterable[int]) -> tuple[int, int]:
    """Show pages to a guard as the line does, judging what it wants; returns how many were fetched and judged."""
    fetched = judged = 0
    for path, novelty in zip(paths, novelties, strict=False):
        url = f"http://{HOST}{path}"
        if guard.is_closed(url, HOST):
            continue
        wanted = guard.wants(url, HOST)
        fetched, judged = fetched + 1, judged + wanted
        guard.saw(url, HOST, novelty if wanted else NO_NOVELTY)
    return fetched, judged


def judged_for_long(seed: int) -> TrapGuard:
    """A guard that has seen 2,000 pages of one pattern, all of them news."""
    guard, draws = TrapGuard(LIMIT), random.Random(seed)
    paths = [f"/goods/{number}.html" for number in range(2_000)]
    fetched, judged = judge(guard, paths, (draws.getrandbits(64) for _ in paths))
    assert fetched == 2_000
    assert judged < 1_900 / ONE_IN * 1.2  # some news are taken for known, and what follows them is judged
    return guard


def test_the_first_pages_of_a_domain_are_not_judged() -> None:
    guard = TrapGuard(LIMIT)
    assert judge(guard, [f"/{number}" for number in range(FIRST_PAGES)], [SAME] * FIRST_PAGES) == (FIRST_PAGES, 0)
    assert guard.wants(f"http://{HOST}/", HOST)


def test_a_guard_without_a_limit_wants_nothing() -> None:
    assert not TrapGuard(0).wants(f"http://{HOST}/", HOST)


def test_of_a_pattern_that_says_something_new_few_pages_are_judged_and_all_of_one_that_does_not() -> None:
    guard = judged_for_long(4)
    fetched, judged = judge(guard, [f"/calendar/{number}/" for number in range(3 * LIMIT)], [SAME] * 3 * LIMIT)
    assert judged == LIMIT + 1  # the first is news
    assert fetched == judged + ONE_IN - 1
    assert patterns(guard) == ["www.example.com/calendar/#/"]


def test_a_pattern_that_begins_to_repeat_itself_closes_soon() -> None:
    guard = judged_for_long(5)
    judge(guard, ["/help/1.html"], [SAME])
    fetched, judged = judge(guard, [f"/goods/{number}.html" for number in range(3 * LIMIT)], [SAME] * 3 * LIMIT)
    assert judged == LIMIT
    assert fetched < LIMIT + ONE_IN
    assert patterns(guard) == ["www.example.com/goods/#.html"]


def test_one_page_of_news_in_so_many_keeps_a_pattern_open_however_few_are_judged() -> None:
    guard, draws = judged_for_long(6), random.Random(7)
    said = (SAME if number % 50 else draws.getrandbits(64) for number in range(40 * LIMIT))
    judge(guard, (f"/goods/{number}.html" for number in range(40 * LIMIT)), said)
    assert not guard.traps


def test_pages_without_text_in_the_places_of_those_that_are_judged_do_not_keep_a_trap_open() -> None:
    guard = known(TrapGuard(LIMIT))
    said = (NO_NOVELTY if number and not number % ONE_IN else SAME + 1 for number in range(10 * LIMIT))
    fetched, _ = judge(guard, (f"/calendar/{number}/" for number in range(10 * LIMIT)), said)
    assert fetched <= MAX_UNJUDGED + LIMIT * ONE_IN / (ONE_IN - 1) + ONE_IN
    assert patterns(guard) == ["www.example.com/calendar/#/"]


def test_a_folder_is_not_closed_for_copies_while_few_of_its_news_are_judged() -> None:
    """Copies of many patterns, each too few to close it, and now and then a page of news."""
    guard, draws = judged_for_long(8), random.Random(9)
    copies = [f"/{name}/{number}" for name in word_names(OWN_NAMES) for number in range(LIMIT - 1)]
    for number, path in enumerate(copies):
        judge(guard, [path], [SAME])
        if not number % (3 * LIMIT):
            judge(guard, [f"/goods/{number}.html"], [draws.getrandbits(64)])
    assert not guard.traps


# --- what it reports, keeps and forgets ---


def test_a_report_names_the_place_its_pages_what_was_left_out_and_the_way_back() -> None:
    guard = known(TrapGuard(LIMIT))
    feed(guard, [f"/calendar/{number}/" for number in range(LIMIT + 40)])
    feed(guard, [f"/loop?page={number}" for number in range(LIMIT + 50)])
    loop, calendar = guard.reports()
    assert (loop.pattern, loop.saved) == ("www.example.com/loop?page=*", 50)
    assert (calendar.domain, calendar.pages, calendar.saved) == ("example.com", LIMIT, 40)
    assert calendar.examples == ("http://www.example.com/calendar/499/", "http://www.example.com/calendar/500/")
    for said in (
        "www.example.com/calendar/#/",
        "500 pages",
        "40 more",
        "/calendar/500/",
        "--no-trap-guard",
        "--trap-pages",
    ):
        assert said in calendar.sentence(LIMIT)


def test_what_is_closed_stays_closed_in_another_session_and_nothing_else_is() -> None:
    guard = known(TrapGuard(LIMIT))
    names = [f"/maze/{name}/deep.html" for name in word_names(2000)]
    feed(guard, names)
    feed(guard, [f"/calendar/{number}/" for number in range(LIMIT)])
    rows = guard.snapshot()
    assert len({(domain, pattern) for domain, pattern, _ in rows}) == 2
    again = TrapGuard(LIMIT)
    again.restore(rows)
    for path in (*names, "/", "/calendar/7/", "/calendar/x/", "/maze/new-name/deep.html", "/maze/new-name/other.html"):
        url = f"http://{HOST}{path}"
        assert again.is_closed(url, HOST) == guard.is_closed(url, HOST), path
    assert again.traps == 2
    assert sorted(again.snapshot()) == sorted(guard.snapshot())


def test_a_folder_and_its_page_of_two_asterisks_have_one_row() -> None:
    guard = known(TrapGuard(50))
    feed(guard, [f"/maze/*{number:016x}a" for number in range(100)])
    feed(guard, [f"/maze/{name}/{other}" for name in word_names(24) for other in word_names(24)])
    assert patterns(guard) == ["www.example.com/maze/**"] * 2
    (row,) = guard.snapshot()
    again = TrapGuard(50)
    again.restore([row])
    assert again.is_closed(f"http://{HOST}/maze/x/y", HOST)


def test_a_closed_domain_stays_closed_in_another_session() -> None:
    guard = known(TrapGuard(50))
    for number, path in enumerate(random_paths(2000)):
        guard.saw(f"http://h{number % 5}.example.com{path}", f"h{number % 5}.example.com", SAME)
    assert patterns(guard) == ["**.example.com/**"]
    again = TrapGuard(50)
    again.restore(guard.snapshot())
    assert again.is_closed("http://new.example.com/new/", "new.example.com")


def test_memory_is_bounded_and_what_is_closed_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traps, "MAX_BYTES", 200_000)
    guard = known(TrapGuard(50))
    feed(guard, [f"/calendar/{number}/" for number in range(50)])
    feed(guard, [f"/maze/{name}/" for name in word_names(OWN_NAMES + 50)])
    assert guard.traps == 2
    draws = random.Random(1)
    for number in range(200):
        host = f"www.site-{number}.example"
        for page, name in enumerate(word_names(110)):
            guard.saw(f"http://{host}/{page % 7}/{name}.html", host, draws.getrandbits(64))
        assert guard.size_bytes <= 200_000
    assert guard.is_closed(f"http://{HOST}/calendar/7/", HOST)
    assert guard.is_closed(f"http://{HOST}/maze/unheard-of/", HOST)
    assert not guard.is_closed(f"http://{HOST}/maze/{word_names(1)[0]}/", HOST)
    assert feed(guard, [f"/days/{number}/" for number in range(1000)]) < 1000  # it is watched again from the start


def test_one_domain_cannot_make_the_tree_grow_without_end() -> None:
    guard, draws = TrapGuard(50), random.Random(5)
    for path in random_paths(30_000):
        guard.saw(f"http://{HOST}{path}", HOST, draws.getrandbits(64))
    assert guard.size_bytes < MAX_NODES * NODE_BYTES + 300_000
    assert feed(guard, [f"/{number}/" for number in range(10_000)]) <= FOLDER_FACTOR * 50


# --- budgets of domains ---


def test_a_domain_has_a_budget_whatever_its_hosts_are_called() -> None:  # scenario 4
    budget = DomainBudget(100)
    asked = 0
    for number in range(1000):
        host = f"h{number}.example.com:8080"
        if not budget.is_used_up(host):
            asked += 1
            budget.count(host)
    assert asked == 100
    assert budget.is_used_up("example.com")
    assert not budget.is_used_up("example.org")
    assert not budget.is_used_up("[2001:db8::1]:8080")


def test_a_budget_of_0_is_none() -> None:
    budget = DomainBudget(0)
    budget.count("example.com")
    assert not budget.is_used_up("example.com")

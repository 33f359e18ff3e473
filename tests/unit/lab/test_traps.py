"""The lab's trap hosts: endless, the same for a seed, and saying as many different things as they claim."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from crawler import urls
from crawler.lab import Answer, LabServer, World, WorldSpec
from crawler.lab.traps import FACETS, HOSTS, MAZE_LINKS, MIRROR_PAGES, SHOP_ITEMS, TARPIT_LATENCY_S
from crawler.parse import lexbor
from crawler.parse.hrefs import LinkJoiner
from crawler.scope.patterns import novelty_of

PORT = 8080
SPEC = WorldSpec(hosts=1, pages_per_host=1, page_bytes=0, traps=True)


def get(url: str, spec: WorldSpec = SPEC) -> Answer:
    authority = urls.host_key(url)
    return World(spec).answer(authority, url.partition(authority)[2])


def read(url: str, spec: WorldSpec = SPEC) -> tuple[int, list[str]]:
    """What a page says and where it leads."""
    answer = get(url, spec)
    assert (answer.status, answer.fault) == (200, None), url
    document = lexbor.read(answer.body, url, LinkJoiner(), 5000)
    return novelty_of(url, document.title, document.text), document.hrefs


def test_trap_hosts_are_there_when_traps_are_asked_for() -> None:
    assert set(World(SPEC).seeds(PORT)) > {f"http://{host}:{PORT}/" for host in HOSTS}
    without = msgspec.structs.replace(SPEC, traps=False)
    assert World(without).seeds() == ["http://site-000.lab/"]
    assert get("http://maze.lab/", without).status == 421


@pytest.mark.parametrize("host", HOSTS)
def test_a_trap_host_is_the_same_for_a_seed_and_lets_robots_in(host: str) -> None:
    seed = f"http://{host}/"
    assert get(seed) == get(seed)
    assert get(seed + "robots.txt").body == b"User-agent: *\nDisallow:\n"
    page = read(seed)[1][0]
    assert get(page) == get(page)


@pytest.mark.parametrize("host", ["facets.lab", "sessions.lab", "maze.lab", "words.lab", "babble.lab", "tarpit.lab"])
def test_another_seed_makes_other_traps(host: str) -> None:
    pages = [f"http://{host}{path}" for path in ("/", "/item-1.html", "/goods?size=small")]
    other = msgspec.structs.replace(SPEC, seed=2)
    assert any(get(page).body != get(page, other).body for page in pages)


@pytest.mark.parametrize("host", [host for host in HOSTS if host != "facets.lab"])
def test_a_trap_always_leads_somewhere_new(host: str) -> None:  # scenarios 76, 77, 78, 79, 80
    url = f"http://{host}/"
    seen = {url}
    for _ in range(60):
        new = [link for link in read(url)[1] if link not in seen]
        assert new
        url = new[-1]
        seen.update(new)


@pytest.mark.parametrize("host", [host for host in HOSTS if host != "www1.mirror.lab"])
def test_a_trap_says_as_many_things_as_it_claims(host: str) -> None:  # scenario 79
    says = HOSTS[host].says
    waiting, seen, said = [f"http://{host}/"], {f"http://{host}/"}, set()
    for url in waiting:  # grows while it is walked
        novelty, hrefs = read(url)
        said.add(novelty)
        if len(seen) < 300 or host == "facets.lab":
            new = [href for href in hrefs if href not in seen and ("?" not in href or is_sorted(href))]
            seen.update(new)
            waiting += new
    assert len(said) == (says or len(seen))
    assert 0 not in said


def is_sorted(url: str) -> bool:
    pairs = url.partition("?")[2].split("&")
    return pairs == sorted(pairs)


def test_facets_can_be_chosen_in_any_order_and_the_order_says_nothing() -> None:  # scenario 76
    pairs = [f"{name}={values[0]}" for name, values in FACETS.items()][:3]
    pages = [read(f"http://facets.lab/goods?{'&'.join(order)}") for order in permutations(pairs)]
    assert len({said for said, _ in pages}) == 1
    assert all(len(links) == 6 for _, links in pages)
    assert len({link for _, links in pages for link in links}) == 36


@pytest.mark.parametrize("query", ["size=huge", "weight=1", "size=small&size=large", "size=small&size=small", "", "a"])
def test_goods_that_nobody_offers_are_not_found(query: str) -> None:
    assert get(f"http://facets.lab/goods?{query}").status == 404


def test_a_shop_gives_every_link_a_session_id_of_its_own() -> None:  # scenario 77
    first, second = read("http://sessions.lab/")[1], read("http://sessions.lab/item-1.html")[1]
    assert len(set(first) | set(second)) == 2 * SHOP_ITEMS
    assert read(first[0])[0] == read("http://sessions.lab/item-1.html")[0]
    assert get(f"http://sessions.lab/item-{SHOP_ITEMS + 1}.html").status == 404
    in_query = read("http://site-000.lab/shop/item-1.html?sid=0")[1]
    assert all(len(link.partition("?sid=")[2]) == 32 for link in in_query)
    assert get("http://site-000.lab/shop/item-1.html").status == 200


def test_any_url_of_a_maze_is_a_page_with_links() -> None:  # scenario 79
    for url in ("http://maze.lab/no/such/page?x=1", "http://words.lab/no/such/page?x=1", "http://babble.lab/x"):
        assert len(read(url)[1]) == MAZE_LINKS


def test_mirrors_have_the_same_pages_and_no_end() -> None:  # scenario 80
    first = read(f"http://www1.mirror.lab:{PORT}/page-3.html")
    far = read(f"http://www987654321.mirror.lab:{PORT}/page-3.html")
    assert first[0] == far[0]
    assert f"http://www3.mirror.lab:{PORT}/page-3.html" in first[1]
    assert f"http://www1.mirror.lab:{PORT}/page-4.html" in first[1]
    pages = [f"http://www{7**number}.mirror.lab/page-{number}.html" for number in range(MIRROR_PAGES)]
    assert len({read(page)[0] for page in pages}) == HOSTS["www1.mirror.lab"].says
    assert get(f"http://www1.mirror.lab/page-{MIRROR_PAGES}.html").status == 404
    assert get("http://www0.mirror.lab/").status == 421


def test_a_tarpit_takes_its_time() -> None:  # scenario 80
    assert get("http://tarpit.lab/any").latency_s == TARPIT_LATENCY_S
    assert get("http://maze.lab/any").latency_s == 0


async def test_a_lab_serves_its_trap_hosts() -> None:
    async with LabServer(World(SPEC)) as lab:
        reply = lab.reply(f"www7.mirror.lab:{lab.port}", "/")
        assert reply.wire.startswith(b"HTTP/1.1 200 OK\r\n")
        assert lab.url("www15.mirror.lab").encode() in reply.wire

"""The lab's crawler traps: on every site a calendar, a growing path and a shop with session ids; and whole hosts.

facets.lab       goods by five facets, each of which can be added to the query in any order
sessions.lab     a session id in the path of every link
paths.lab        a relative link that makes the path grow by two folders
maze.lab         every URL is a page that says there is none; links of random hex digits
words.lab        the same with random words
babble.lab       every page has sentences of its own, made of the same few words
tarpit.lab       a maze of which every page takes long to come
www1.mirror.lab  and www2, www3 and so on: few pages, the same on every host, each of which leads to further hosts
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from html import escape

from msgspec import Struct

from crawler.lab.answers import Answer, numbers, split_host, url
from crawler.lab.markup import note
from crawler.lab.words import NOUNS, SECTIONS, VERBS

ENTRIES = (("/calendar/2024-01.html", "calendar"), ("/loop/", "loop"), ("/shop/item-1.html?sid=0", "shop"))
SHOP_ITEMS = 20
MAZE_LINKS = 10
MIRROR_PAGES = 30
TARPIT_LATENCY_S = 2.0
FACETS = {
    "brand": ("harbour", "mill", "summit"),
    "colour": ("green", "purple", "yellow"),
    "fabric": ("linen", "nylon", "wool"),
    "season": ("spring", "summer", "winter"),
    "size": ("large", "medium", "small"),
}
GOODS = 60
HTML = (("Content-Type", "text/html; charset=utf-8"),)
_MONTH = re.compile(r"/calendar/(\d+)-(0[1-9]|1[0-2])\.html")
_LOOP = re.compile(r"/(?:loop/)+")
_ITEM = re.compile(r"/shop/item-(\d+)\.html(?:\?sid=[0-9a-f]+)?")
_SESSION_ITEM = re.compile(r"/(?:item-(\d+)\.html)?(?:;jsessionid=[0-9A-F]+)?")
_MIRROR = re.compile(r"www([1-9]\d{0,59})\.mirror\.lab")
_MIRROR_PAGE = re.compile(r"/(?:page-(\d+)\.html)?")

_Link = tuple[str, str]  # A link is its href and what it says.


def answer_page(seed: int, host: str, target: str) -> bytes | None:
    """The page of a site's trap at this path and query, or None where there is no trap.

    Every page of `/calendar/` leads to the months beside it, every one of `/loop/` to a path with one more `loop/`,
    every one of `/shop/` to all items under session ids that were never seen before.
    """
    if month := _MONTH.fullmatch(target):
        count = int(month[1][:9]) * 12 + int(month[2]) - 1
        hrefs = [f"{beside // 12:04d}-{beside % 12 + 1:02d}.html" for beside in (max(count - 1, 0), count + 1)]
        return note(f"Calendar of {month[1][:9]}-{month[2]}", hrefs)
    if _LOOP.fullmatch(target):
        return note("Round and round", ["loop/"])
    item = _ITEM.fullmatch(target)
    if item and 1 <= int(item[1][:9]) <= SHOP_ITEMS:
        sessions = _hex_labels(SHOP_ITEMS, seed, host, target)
        hrefs = [f"/shop/item-{number}.html?sid={session}" for number, session in enumerate(sessions, 1)]
        return note(f"Item {item[1]}", hrefs)
    return None


class TrapHost(Struct, frozen=True):
    """A host that is nothing but a trap.

    Args:
        page: The page at a path and query of a host, in a lab of a seed and a port; None where there is none.
        says: How many different things its pages say, numbers, hex digits and their own paths aside; None = endless.
        latency_s: How long each page takes, seconds.
    """

    page: Callable[[int, str, str, int], bytes | None]
    says: int | None
    latency_s: float = 0.0


def answer(seed: int, authority: str, target: str) -> Answer:
    """What a trap host answers.

    Args:
        seed: The world's.
        authority: A host for which `is_host` holds, with the port where it is not 80.
        target: Path and query.
    """
    host, port = split_host(authority)
    trap = HOSTS[_name(host)]
    if target == "/robots.txt":
        return Answer(200, (("Content-Type", "text/plain"),), b"User-agent: *\nDisallow:\n")
    html = trap.page(seed, host, target, port)
    if html is None:
        return Answer(404, HTML, note("404: nothing here"))
    return Answer(200, HTML, html, trap.latency_s)


def is_host(host: str) -> bool:
    """Whether a host is a trap; there is no end of mirrors."""
    return _name(host) in HOSTS


def _name(host: str) -> str:
    return "www1.mirror.lab" if _MIRROR.fullmatch(host) else host


def _facets(seed: int, host: str, target: str, port: int) -> bytes | None:
    if target == "/":
        return _page("Goods", "All that we have", [("/goods?" + link, says) for link, says in _further({})])
    path, _, query = target.partition("?")
    pairs = [(name, value) for name, _, value in (pair.partition("=") for pair in query.split("&"))]
    chosen = dict(pairs)
    if path != "/goods" or len(chosen) < len(pairs) or any(value not in FACETS.get(name, ()) for name, value in pairs):
        return None
    found = [name for name, facets in _goods(seed) if all(facets[each] == value for each, value in pairs)]
    text = ", ".join(f"{name} {value}" for name, value in sorted(pairs)) + ": " + (", ".join(found) or "nothing")
    return _page("Goods", text, [(f"/goods?{query}&{link}", says) for link, says in _further(chosen)])


def _further(chosen: dict[str, str]) -> list[_Link]:
    """The parameters that can be added to a query."""
    return [(f"{name}={value}", "Only these") for name in FACETS if name not in chosen for value in FACETS[name]]


@lru_cache(maxsize=8)
def _goods(seed: int) -> list[tuple[str, dict[str, str]]]:
    goods = []
    for number in range(GOODS):
        first, second, *draws = numbers(2 + len(FACETS), seed, "goods", number)
        facets = {name: values[draw % len(values)] for draw, (name, values) in zip(draws, FACETS.items(), strict=True)}
        goods.append((f"{NOUNS[first % len(NOUNS)]} {NOUNS[second % len(NOUNS)]}", facets))
    return goods


def _sessions(seed: int, host: str, target: str, port: int) -> bytes | None:
    item = _SESSION_ITEM.fullmatch(target)
    if item is None or not 0 <= int((item[1] or "0")[:9]) <= SHOP_ITEMS:
        return None
    what = NOUNS[int(item[1])] if item[1] else "everything"
    sessions = _hex_labels(SHOP_ITEMS, seed, host, target)
    links = [(f"/item-{number}.html;jsessionid={each.upper()}", "See") for number, each in enumerate(sessions, 1)]
    return _page(f"A {what}", f"Nobody has a better {what} than we have", links)


def _paths(seed: int, host: str, target: str, port: int) -> bytes | None:
    return _page("Here", "You are here", [("a/b/", "Onwards")]) if target.endswith("/") else None


def _maze(seed: int, host: str, target: str, port: int) -> bytes:
    labels = _hex_labels(2 * MAZE_LINKS, seed, host, target)
    return _nowhere(target, [f"/{labels[place]}/{labels[place + 1][:12]}.html" for place in range(0, len(labels), 2)])


def _word_maze(seed: int, host: str, target: str, port: int) -> bytes:
    return _nowhere(target, _word_hrefs(seed, host, target))


def _nowhere(target: str, hrefs: Sequence[str]) -> bytes:
    return _page("Not found", f"There is no {target} on this server.", [(href, "Perhaps here") for href in hrefs])


def _babble(seed: int, host: str, target: str, port: int) -> bytes:
    words = [(*NOUNS, *VERBS)[draw % (len(NOUNS) + len(VERBS))] for draw in numbers(40, seed, host, target, "babble")]
    return _page("Wisdom", " ".join(words), [(href, "More") for href in _word_hrefs(seed, host, target)])


def _mirror(seed: int, host: str, target: str, port: int) -> bytes | None:
    page, number = _MIRROR_PAGE.fullmatch(target), _MIRROR.fullmatch(host)
    if page is None or number is None or int((page[1] or "0")[:9]) >= MIRROR_PAGES:
        return None
    here = int(page[1] or 0)
    others = [f"www{each}.mirror.lab" for each in (int(number[1]) * 2, int(number[1]) * 2 + 1)]
    links = [(f"/page-{(here + 1) % MIRROR_PAGES}.html", "Next")]
    links += [(url(each, target, port), "Elsewhere") for each in others]
    return _page(f"On {NOUNS[here]}", f"All about {NOUNS[here]} and {NOUNS[here + 1]}", links)


def _hex_labels(count: int, *identity: object) -> list[str]:
    """Labels of 32 hex digits."""
    draws = numbers(4 * count, *identity)
    return ["".join(f"{draw:08x}" for draw in draws[start : start + 4]) for start in range(0, len(draws), 4)]


def _word_hrefs(seed: int, host: str, target: str) -> list[str]:
    draws = iter(numbers(4 * MAZE_LINKS, seed, host, target))
    return [
        f"/{NOUNS[a % len(NOUNS)]}-{NOUNS[b % len(NOUNS)]}/{VERBS[c % len(VERBS)]}/{SECTIONS[d % len(SECTIONS)]}.html"
        for a, b, c, d in zip(draws, draws, draws, draws, strict=True)
    ]


def _page(title: str, text: str, links: Sequence[_Link]) -> bytes:
    items = "".join(f'<li><a href="{escape(href)}">{escape(says)}</a></li>\n' for href, says in links)
    name = escape(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{name}</title></head>\n'
        f"<body><h1>{name}</h1>\n<p>{escape(text)}</p>\n<ul>\n{items}</ul>\n</body>\n</html>\n"
    ).encode()


HOSTS: dict[str, TrapHost] = {
    "facets.lab": TrapHost(_facets, (len(FACETS["size"]) + 1) ** len(FACETS)),
    "sessions.lab": TrapHost(_sessions, SHOP_ITEMS + 1),
    "paths.lab": TrapHost(_paths, 1),
    "maze.lab": TrapHost(_maze, 1),
    "words.lab": TrapHost(_word_maze, 1),
    "babble.lab": TrapHost(_babble, None),
    "tarpit.lab": TrapHost(_maze, 1, TARPIT_LATENCY_S),
    "www1.mirror.lab": TrapHost(_mirror, MIRROR_PAGES),
}

"""The pages of a small site and their links as a picture: pages in rings by depth, links as curves between them.

Every page has a direction of its own, in which its name stands on the rim; so no two names meet. What was found on a
page stands next to it. Nothing is left to chance: the same site gives the same picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import cos, degrees, pi, sin, sqrt

from msgspec import Struct

from crawler.log.terminal import printable
from crawler.report.charts import fit, measure, safe, svg
from crawler.report.joins import Node
from crawler.report.tally import BROKEN, host_of

MAX_LINKS = 1_500  # This many links are drawn at most; of more only those by which pages were found.
MENU_SHARE = 0.5  # A page that more than this share of pages link to stands in the menu; links to it say nothing.
NAME = 230.0  # A name on the rim has this many pixels.
FEW = 10  # A site of this many pages needs no menu.
BEND = 0.45  # A curve bends this share of the way to the middle.
SLOT = 14.0  # Two names on the rim are this far apart.
RIM = 220.0  # The radius has this many pixels at least.
INNER = 0.2  # The ring of the seeds has this share of the radius, if there are several seeds.


class Graph(Struct):
    """A picture of a site.

    Args:
        picture: SVG.
        pages, links: How many there are, drawn or not.
        menu: How many pages have so many links that only those by which pages were found are drawn.
        is_cut: Whether there are so many links that only those by which pages were found are drawn.
    """

    picture: str
    pages: int
    links: int
    menu: int
    is_cut: bool


class _NodePosition(Struct):
    """Where a page is drawn: its number, direction in radians, distance from the middle, and place in the picture."""

    number: int
    angle: float
    radius: float
    x: float
    y: float


def draw(nodes: Sequence[Node]) -> Graph:
    """Draw the pages of a site.

    Args:
        nodes: All of its pages, at most `MAX_NODES`; at least one.
    """
    known = {node.url: node for node in nodes}
    links = {(node.url, target) for node in nodes for target in node.links if target in known and target != node.url}
    found = {(node.via, node.url) for node in nodes if node.via in known and node.via != node.url}
    counts = Counter(target for _, target in links)
    menu = {url for url, count in counts.items() if len(nodes) > FEW and count > len(nodes) * MENU_SHARE}
    drawn = sorted(link for link in links - found if link[1] not in menu)
    is_cut = len(drawn) > MAX_LINKS
    order = _in_order(nodes, known)
    names = {url: _short(printable(name)) for url, name in _names(nodes).items()}
    layout = _Layout(order, known, max(map(measure, names.values())))
    parts = list(layout.rings())
    parts += [] if is_cut else [layout.curve("link", *link) for link in drawn]
    parts += [layout.curve("way", via, url) for via, url in sorted((via or "", url) for via, url in found)]
    parts += [layout.page(known[url], names[url], counts[url]) for url in order]
    told = f"{len(nodes)} pages and {len(links)} links between them"
    picture = svg("Pages and their links", 2 * layout.middle, 2 * layout.middle, parts, told, "chart graph")
    return Graph(picture, len(nodes), len(links), len(menu), is_cut)


def _in_order(nodes: Sequence[Node], known: dict[str, Node]) -> list[str]:
    """All pages so that what was found on a page, and on what was found there, comes behind it."""
    children: dict[str | None, list[str]] = {}
    for node in nodes:
        parent = node.via if node.via in known and node.via != node.url else None
        children.setdefault(parent, []).append(node.url)
    for each in children.values():
        each.sort()
    order: list[str] = []
    waiting = [*reversed(children.get(None, []))]
    seen: set[str] = set()
    while waiting or len(order) < len(known):
        if not waiting:  # Some pages were found on one another, and no other page leads to them.
            waiting.append(min(url for url in known if url not in seen))
        url = waiting.pop()
        if url not in seen:
            seen.add(url)
            order.append(url)
            waiting += reversed(children.get(url, []))
    return order


def _names(nodes: Sequence[Node]) -> dict[str, str]:
    """What is written for each page: its path, with its host only where there are several."""
    has_one = len({host_of(node.url) for node in nodes}) == 1
    names = {}
    for node in nodes:
        rest = node.url.partition("//")[2]
        names[node.url] = "/" + rest.partition("/")[2] if has_one else rest
    return names


class _Layout:
    """Where the pages are, and what is drawn of them."""

    def __init__(self, order: Sequence[str], known: dict[str, Node], name: float) -> None:
        self.rim = max(RIM, len(order) * SLOT / (2 * pi))
        self.middle = self.rim + name + 18
        deepest = max(node.depth for node in known.values())
        first = 0.0 if sum(node.depth == 0 for node in known.values()) == 1 else INNER
        self._places: dict[str, _NodePosition] = {}
        for at, url in enumerate(order):
            # The outer rings are nearer to each other: most pages are there, and they have more room.
            share = first + (1 - first) * sqrt(known[url].depth / deepest) if deepest else float(len(order) > 1)
            angle = 2 * pi * at / len(order) - pi / 2
            self._places[url] = _NodePosition(at, angle, self.rim * share, *self._at(angle, self.rim * share))

    def _at(self, angle: float, radius: float) -> tuple[float, float]:
        return self.middle + radius * cos(angle), self.middle + radius * sin(angle)

    def rings(self) -> Iterator[str]:
        """A circle for each depth."""
        for radius in sorted({place.radius for place in self._places.values() if place.radius}):
            yield f'<circle class="ring" cx="{self.middle:.1f}" cy="{self.middle:.1f}" r="{radius:.1f}"/>'

    def curve(self, kind: str, source: str, target: str) -> str:
        """A link, bent towards the middle."""
        a, b = self._places[source], self._places[target]
        x, y = ((one + other) / 2 * (1 - BEND) + self.middle * BEND for one, other in ((a.x, b.x), (a.y, b.y)))
        way = f"M{a.x:.1f} {a.y:.1f}Q{x:.1f} {y:.1f} {b.x:.1f} {b.y:.1f}"
        return f'<path class="{kind}" data-from="{a.number}" data-to="{b.number}" d="{way}"/>'

    def page(self, node: Node, name: str, links: int) -> str:
        """A page: its dot, its name on the rim, the line between them, and what is known of it."""
        kind = "bad" if node.outcome in BROKEN else "good" if node.outcome == "ok" else "moved"
        place = self._places[node.url]
        said = f"{safe(node.url)}\n{safe(node.outcome)}, linked by {links:,}"
        title = f"{safe(node.title)}\n" if node.title else ""
        x, y = self._at(place.angle, self.rim)
        leader = f'<path class="leader" d="M{place.x:.1f} {place.y:.1f}L{x:.1f} {y:.1f}"/>'
        return (
            f'<g class="node" data-number="{place.number}"><title>{title}{said}</title>{leader}'
            f'<circle class="{kind}" cx="{place.x:.1f}" cy="{place.y:.1f}" r="{min(10.0, 3 + sqrt(links)):.1f}"/>'
            f"{self._name(name, place)}</g>"
        )

    def _name(self, name: str, place: _NodePosition) -> str:
        """The name on the rim, along its direction and never upside down."""
        is_left = cos(place.angle) < -1e-9
        away = self.rim + 14
        x, anchor = (self.middle - away, "end") if is_left else (self.middle + away, "start")
        turn = degrees(place.angle) + 180 * is_left
        return (
            f'<text x="{x:.1f}" y="{self.middle + 4:.1f}" text-anchor="{anchor}" '
            f'transform="rotate({turn:.2f} {self.middle:.1f} {self.middle:.1f})">{safe(name)}</text>'
        )


def _short(name: str) -> str:
    """A path cut at its beginning, because its end tells more."""
    return fit(name[::-1], NAME)[::-1]

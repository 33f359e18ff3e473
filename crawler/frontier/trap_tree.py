"""The places of one registrable domain, and which of them have said nothing new for too long."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from crawler.urls import is_address

# A folder, a host or a domain closes after this many times as many pages as a pattern.
FOLDER_FACTOR: Final = 10
# So many names below one place are kept apart, and all others fold.
OWN_NAMES: Final = 64
# So many hosts of one domain are kept apart.
OWN_HOSTS: Final = 8
# Folded names are called so, since no path has braces: they are escaped there.
OTHER: Final = "{other}"
# So are the ports of a host that is a domain itself, or an address.
OTHER_PORT: Final = f":{OTHER}"
# One in so many pages of a pattern is judged while it says something new.
ONE_IN: Final = 4
# When so many pages of a pattern have passed since one was judged, each is to be.
MAX_UNJUDGED: Final = 64
# When a domain has so many nodes, further names fold at once.
MAX_NAMED_NODES: Final = 2_000
# When a domain has so many nodes, nothing is told apart below them any more.
MAX_NODES: Final = 4_000
# A node with its name takes about this many bytes.
NODE_BYTES: Final = 300


class Trap(Struct):
    """A place that was closed.

    Args:
        domain: Its registrable domain.
        pattern: Its shape; `**` at the end stands for everything below.
        pages: Pages that were judged there.
        last: The page that closed it.
        saved: URLs that were left out since.
        left_out: The first of them.
        keys: The way from the domain down to it.
        names: For each folded step of that way, in order, the names that are kept apart from it.
    """

    domain: str
    pattern: str
    pages: int
    last: str
    saved: int = 0
    left_out: str = ""
    keys: tuple[str, ...] = ()
    names: tuple[tuple[str, ...], ...] = ()

    @property
    def examples(self) -> tuple[str, ...]:
        """Two URLs of the place: the last that was fetched, and the first that was left out, if there is one."""
        return (self.last, self.left_out) if self.left_out else (self.last,)

    def sentence(self, limit: int) -> str:
        """What the summary says of it.

        Args:
            limit: The guard's, pages.
        """
        many = "1 more URL was" if self.saved == 1 else f"{self.saved:,} more URLs were"
        return (
            f"{self.pattern} is a trap: after {self.pages:,} pages nothing new was said there, and {many} left out, "
            f"like {self.left_out or self.last}; to fetch {'it' if self.saved == 1 else 'them'} all the same: "
            f"--no-trap-guard, or --trap-pages with more than {limit:,}"
        )


class NoveltyFilter:
    """The things that a domain has said, as bits in maps of which the next and larger begins when one is filled.

    Takes 1 KiB up to a thousand things, 17 KiB up to 17,000, 273 KiB up to 280,000, and 4.3 MiB above. It never takes a
    known thing for a new one, but a new one for known where the bit is set that stands for it. It is full after about
    30 million things.
    """

    # Each map has a size as a power of two, in bits, a share that is filled before the next one begins, and a place in
    # the 64 bits of a signature; the places of the last two share some bits, because there are no more.
    _MAPS = ((13, 1 / 8, 0), (17, 1 / 8, 13), (21, 1 / 8, 30), (25, 1 / 2, 39))

    def __init__(self) -> None:
        # Each map has its bits, and the shift and mask that find a signature's place in them.
        self._maps: list[tuple[bytearray, int, int]] = []
        # So many bits may still be set in the last map.
        self._room = 0
        self.size_bytes = 0
        self._grow()

    @property
    def is_full(self) -> bool:
        """Whether there is no room to learn anything."""
        return not self._room

    def add(self, signature: int) -> bool:
        """Learn one thing; returns whether it was new."""
        for bits, shift, mask in self._maps:
            place = signature >> shift & mask
            if bits[place >> 3] >> (place & 7) & 1:
                return False
        if not self._room:
            return False
        bits[place >> 3] |= 1 << (place & 7)
        self._room -= 1
        if not self._room and len(self._maps) < len(self._MAPS):
            self._grow()
        return True

    def _grow(self) -> None:
        size, fill, shift = self._MAPS[len(self._maps)]
        self._maps.append((bytearray((1 << size) // 8), shift, (1 << size) - 1))
        self._room = int((1 << size) * fill)
        self.size_bytes += (1 << size) // 8


class _Node:
    """One place: the pages under it, how many of them in a row said nothing new, and what closed it.

    `passed` counts the pages of a pattern since the last that was judged.
    """

    __slots__ = ("children", "pages", "passed", "row", "trap")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.pages = 0
        self.passed = 0
        self.row = 0
        self.trap: Trap | None = None


class DomainTree:
    """The tree of one registrable domain; the way to a place is the list of its keys.

    Args:
        name: The domain.

    Attributes:
        traps: The places that are closed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # A host of a domain is one of its names or, by another port, the domain itself; an address has only ports.
        self._itself = f"[{name}]" if ":" in name else name
        self._is_address = is_address(name)
        self._root = _Node()
        self._said = NoveltyFilter()
        self._nodes = 1
        self.traps: list[Trap] = []

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        return self._nodes * NODE_BYTES + self._said.size_bytes

    def wants(self, keys: list[str], limit: int) -> bool:
        """Whether the next page of a place is to be judged."""
        if self._said.is_full:
            return False
        way = self._way(keys)
        place = way[-1]
        if len(way) <= len(keys) or place.row or any(node.row >= limit for node in way):
            return True
        place.passed += 1
        return not place.passed % ONE_IN or place.passed > MAX_UNJUDGED

    def saw(self, keys: list[str], url: str, novelty: int, limit: int) -> Trap | None:
        """Count a page; returns the trap that it closed, if it did."""
        is_new = self._said.add(novelty)
        if self._said.is_full:
            return None
        if self.traps and self.trap_of(keys) is not None:
            # The page was under way when the place closed.
            return None
        path = self._path(keys)
        for node in path:
            node.pages += 1
            node.row = 0 if is_new else node.row + 1
        path[-1].passed %= ONE_IN
        limits = [limit * FOLDER_FACTOR] * len(keys) + [limit]
        for depth in range(len(path) - 1, -1, -1):
            if path[depth].row >= limits[depth]:
                return self._close(path[depth], keys[:depth], url, is_pattern=depth == len(keys))
        return None

    def trap_of(self, keys: list[str]) -> Trap | None:
        """The trap that a URL lies in."""
        return self._way(keys)[-1].trap

    def _way(self, keys: list[str]) -> list[_Node]:
        """The places from the root down to that of a URL, as far as they were met, and not below a closed one."""
        node = self._root
        way = [node]
        for depth, key in enumerate(keys):
            if node.trap is not None:
                break
            child = node.children.get(key) or node.children.get(self._folded(key, depth))
            if child is None:
                break
            way.append(node := child)
        return way

    def restore(self, trap: Trap) -> None:
        """Close a place again, with the names beside its way that are no part of it."""
        names = iter(trap.names)
        node = self._root
        if self._is_address and trap.keys[:1] == (f"{OTHER}/",):  # as versions before this one called its ports
            trap.keys = (f"{OTHER_PORT}/", *trap.keys[1:])
        for depth, key in enumerate(trap.keys):
            for name in next(names) if key == self._folded(key, depth) else ():
                self._child(node, name)
            node = self._child(node, key)
        node.trap = trap
        self.traps.append(trap)

    def _path(self, keys: list[str]) -> list[_Node]:
        """The places from the root down; names that are met for the first time are kept apart or folded."""
        node = self._root
        path = [node]
        room = OWN_HOSTS
        for position, key in enumerate(keys):
            children = node.children
            child = children.get(key)
            if child is None:
                fold = self._folded(key, position)
                child = children.get(fold)
                if child is None:
                    if self._nodes >= MAX_NODES:
                        break
                    if len(children) >= room or self._nodes >= MAX_NAMED_NODES:
                        key = fold
                    child = self._child(node, key)
                else:
                    key = fold
            keys[position] = key
            path.append(child)
            node = child
            room = OWN_NAMES
        return path

    def _child(self, node: _Node, key: str) -> _Node:
        child = node.children.get(key)
        if child is None:
            child = node.children[key] = _Node()
            self._nodes += 1
        return child

    def _close(self, node: _Node, keys: list[str], url: str, *, is_pattern: bool) -> Trap:
        names = []
        above = self._root
        for depth, key in enumerate(keys):
            if key == self._folded(key, depth):
                names.append(tuple(name for name in above.children if name != self._folded(name, depth)))
            above = above.children[key]
        pattern = self._text(keys) + ("" if is_pattern else "**")
        trap = Trap(self._name, pattern, node.pages, url, keys=tuple(keys), names=tuple(names))
        node.trap = trap
        self.traps.append(trap)
        self._nodes -= _count(node) - 1
        # Nothing below it is asked for again.
        node.children = {}
        return trap

    def _text(self, keys: list[str]) -> str:
        if not keys:
            return f"{self._itself}:**/" if self._is_address else f"**.{self._name}/"
        hosts = {f"{OTHER}/": f"{OTHER}.{self._name}/", f"{OTHER_PORT}/": f"{self._itself}{OTHER_PORT}/"}
        return hosts.get(keys[0], keys[0]) + "".join(keys[1:])

    def _folded(self, key: str, depth: int) -> str:
        """What a name is called when it is not kept apart: host or port, folder, name before parameters, or name."""
        if not depth and (key == f"{OTHER_PORT}/" or key.startswith(f"{self._itself}:")):
            return f"{OTHER_PORT}/"
        return OTHER + key[-1] if key.endswith(("/", "?")) else OTHER


def _count(node: _Node) -> int:
    """How many places there are from here on down."""
    found = [node]
    for each in found:
        found.extend(each.children.values())
    return len(found)

"""What a domain has said so far, in a few bits for each thing."""

from __future__ import annotations


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

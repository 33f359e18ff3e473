"""The lab's places without end: a calendar, a relative link that grows the path, and a session id in every URL."""

from __future__ import annotations

import re

from crawler.lab.answers import numbers
from crawler.lab.markup import note

ENTRIES = (("/calendar/2024-01.html", "calendar"), ("/loop/", "loop"), ("/shop/item-1.html?sid=0", "shop"))
SHOP_ITEMS = 20
_MONTH = re.compile(r"/calendar/(\d+)-(0[1-9]|1[0-2])\.html")
_LOOP = re.compile(r"/(?:loop/)+")
_ITEM = re.compile(r"/shop/item-(\d+)\.html\?sid=([0-9a-f]+)")


def answer_page(seed: int, host: str, target: str) -> bytes | None:
    """The page of a trap at this path and query, or None where there is no trap.

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
        sessions = numbers(SHOP_ITEMS, seed, host, target)
        hrefs = [f"/shop/item-{number}.html?sid={session:08x}" for number, session in enumerate(sessions, 1)]
        return note(f"Item {item[1]}", hrefs)
    return None

"""What the tests of robots.txt ask its rules."""

from __future__ import annotations

from crawler.frontier import robots

SITE = "http://shop.example"
AGENT = "Harvester"


def rules(*lines: str, agent: str = AGENT) -> bytes:
    return "".join(f"{line}\n" for line in (f"User-agent: {agent}", *lines)).encode()


def verdicts(body: bytes, paths: str, agent: str = AGENT) -> dict[str, bool]:
    parsed = robots.parse(body, agent)
    return {path: parsed.allows(SITE + path) for path in paths.split()}


def expected(allowed: str, refused: str) -> dict[str, bool]:
    return dict.fromkeys(allowed.split(), True) | dict.fromkeys(refused.split(), False)

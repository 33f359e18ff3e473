"""The trap guard on hosts that differ by their ports: these are no subdomains, and addresses have no domain."""

from __future__ import annotations

import msgspec
import pytest

from crawler.frontier.trap_tree import FOLDER_FACTOR, OWN_HOSTS, Trap
from crawler.frontier.traps import FIRST_PAGES, TrapGuard
from tests.unit.frontier.test_traps import LIMIT, feed, known, patterns, random_paths

ADDRESSES = ["127.0.0.1", "[2001:db8::1]"]
PORTS = range(8001, 8001 + 2 * LIMIT)


@pytest.mark.parametrize("name", [*ADDRESSES, "example.com"])
def test_ports_beyond_the_first_are_called_ports(name: str) -> None:
    """And what is closed there stays closed in another session."""
    guard = TrapGuard(LIMIT)
    for port in PORTS:
        feed(guard, ["/welcome"], host=f"{name}:{port}")
    apart = PORTS[FIRST_PAGES : FIRST_PAGES + OWN_HOSTS]  # The first pages are only counted.
    assert patterns(guard) == [f"{name}:{{other}}/welcome"]
    again = TrapGuard(LIMIT)
    again.restore(guard.snapshot())
    for path, port in (("/welcome", 9999), ("/", 9999), *(("/welcome", port) for port in PORTS)):
        url, host = f"http://{name}:{port}{path}", f"{name}:{port}"
        assert again.is_closed(url, host) == guard.is_closed(url, host) == (path == "/welcome" and port not in apart), (
            url
        )


def test_ports_of_a_subdomain_are_of_one_of_the_domains_names() -> None:
    guard = known(TrapGuard(LIMIT))
    for port in PORTS:
        feed(guard, ["/welcome"], host=f"shop.example.com:{port}")
    assert patterns(guard) == ["{other}.example.com/welcome"]


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_that_is_closed_as_a_whole_is_named_with_all_its_ports(name: str) -> None:
    guard = TrapGuard(50)
    for number, path in enumerate(random_paths(20_000)):
        feed(guard, [path], host=f"{name}:{8000 + number % 5}")
    assert patterns(guard) == [f"{name}:**/**"]
    assert guard.reports()[0].pages >= FOLDER_FACTOR * 50


def test_a_trap_that_an_earlier_version_closed_stays_closed() -> None:
    """It called ports as it called subdomains."""
    earlier = Trap(
        "127.0.0.1", "{other}.127.0.0.1/welcome", LIMIT, "", 0, "", ("{other}/", "welcome"), (("127.0.0.1:1/",),)
    )
    again = TrapGuard(LIMIT)
    again.restore([("127.0.0.1", earlier.pattern, msgspec.json.encode(earlier).decode())])
    assert again.is_closed("http://127.0.0.1:9999/welcome", "127.0.0.1:9999")
    assert not again.is_closed("http://127.0.0.1:1/welcome", "127.0.0.1:1")


def test_a_trap_says_how_many_urls_were_left_out() -> None:
    guard = known(TrapGuard(LIMIT))
    feed(guard, [f"/calendar/{number}/" for number in range(LIMIT + 1)])
    assert "and 1 more URL was left out, like" in guard.reports()[0].sentence(LIMIT)

"""The store in memory: novelty, order, and what is still pending."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler import urls
from crawler.models import Link, Request
from crawler.store.base import Done, Found
from crawler.store.memory import MemoryStore


def link(url: str) -> Link:
    return Link(url, urls.host_key(url), urls.fingerprint(url))


def found(*given_urls: str, depth: int = 0, via: str | None = None) -> Found:
    return Found([link(url) for url in given_urls], depth, via)


def test_only_what_was_never_seen_comes_back() -> None:
    store = MemoryStore()
    first = store.commit([], [found("http://a.example/1", "http://a.example/2")])
    again = store.commit([], [found("http://a.example/2", "http://a.example/3", "http://a.example/3")])
    assert [request.url for request in first] == ["http://a.example/1", "http://a.example/2"]
    assert [request.url for request in again] == ["http://a.example/3"]
    assert [request.seq for request in first + again] == [1, 2, 3]


def test_a_new_request_knows_where_it_was_found() -> None:
    store = MemoryStore()
    group = Found([link("http://a.example/x")], 3, "http://a.example/", ("http://a.example/old",), are_seeds=True)
    (request,) = store.commit([], [group])
    assert request == Request(
        "http://a.example/x",
        "a.example",
        urls.fingerprint("http://a.example/x"),
        depth=3,
        via="http://a.example/",
        chain=("http://a.example/old",),
        is_seed=True,
        seq=1,
    )


def test_a_record_and_its_links_take_effect_together() -> None:
    store = MemoryStore()
    (seed,) = store.commit([], [found("http://a.example/")])
    novel = store.commit([Done(seed, "ok", found=found("http://a.example/", "http://a.example/x", depth=1))], [])
    assert [(request.url, request.depth) for request in novel] == [("http://a.example/x", 1)]
    assert list(store.outcomes()) == [("http://a.example/", "ok", None), ("http://a.example/x", "pending", None)]


def test_each_host_has_its_own_order() -> None:
    store = MemoryStore()
    store.commit([], [found("http://a.example/1", "http://b.example/1", "http://a.example/2", "http://b.example/2")])
    assert [request.url for request in store.take("b.example", 0, 9)] == ["http://b.example/1", "http://b.example/2"]
    assert [request.url for request in store.take("a.example", 1, 9)] == ["http://a.example/2"]
    assert store.take("c.example", 0, 9) == []


def test_what_has_an_outcome_is_not_handed_out_again() -> None:
    """Also in the middle of the queue: what was dropped at once is not in the frontier's hands."""
    store = MemoryStore()
    requests = store.commit([], [found(*(f"http://a.example/{number}" for number in range(5)))])
    store.commit([Done(requests[0], "ok"), Done(requests[2], "skipped", "depth", was_open=False)], [])
    assert [request.seq for request in store.take("a.example", 0, 9)] == [2, 4, 5]


def test_finished_requests_are_let_go() -> None:
    store = MemoryStore()
    requests = store.commit([], [found(*(f"http://a.example/{number}" for number in range(100)))])
    store.commit([Done(request, "ok") for request in requests], [])
    assert not store._pending["a.example"]


@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=10), st.integers(1, 9))
def test_taking_in_pieces_gives_every_pending_request_once_and_in_order(groups: list[list[int]], count: int) -> None:
    store = MemoryStore()
    novel = []
    for group in groups:
        novel += store.commit([], [found(*(f"http://a.example/{number}" for number in group))])
    taken: list[Request] = []
    while requests := store.take("a.example", taken[-1].seq if taken else 0, count):
        taken += requests
        assert len(requests) == count or len(taken) == len(novel)
    assert taken == novel

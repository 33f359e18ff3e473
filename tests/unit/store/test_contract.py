"""What every store promises a crawl: novelty, order, what is pending, and that nothing is handed out twice."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler import urls
from crawler.models import Request
from crawler.store.base import ALL_SHARDS, Done, Found, Store, Territory
from crawler.store.memory import MemoryStore

from .conftest import Home, found, link


def test_only_what_was_never_seen_comes_back(store: Store) -> None:
    first = store.commit([], [found("http://a.example/1", "http://a.example/2")])
    again = store.commit([], [found("http://a.example/2", "http://a.example/3", "http://a.example/3")])
    assert [request.url for request in first] == ["http://a.example/1", "http://a.example/2"]
    assert [request.url for request in again] == ["http://a.example/3"]
    positions = [request.seq for request in first + again]
    assert positions == sorted(set(positions))
    assert positions[0] > 0


def test_a_new_request_knows_where_it_was_found(store: Store) -> None:
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
        seq=request.seq,
    )
    assert store.take("a.example", 0, 9) == [request]


def test_a_record_and_its_links_take_effect_together(store: Store) -> None:
    (seed,) = store.commit([], [found("http://a.example/")])
    novel = store.commit([Done(seed, "ok", found=found("http://a.example/", "http://a.example/x", depth=1))], [])
    assert [(request.url, request.depth) for request in novel] == [("http://a.example/x", 1)]
    assert list(store.outcomes()) == [("http://a.example/", "ok", None), ("http://a.example/x", "pending", None)]
    assert store.counts() == {"ok": 1, "pending": 1}


def test_each_host_has_its_own_order(store: Store) -> None:
    made = store.commit(
        [], [found("http://a.example/1", "http://b.example/1", "http://a.example/2", "http://b.example/2")]
    )
    assert [request.url for request in store.take("b.example", 0, 9)] == ["http://b.example/1", "http://b.example/2"]
    assert [request.url for request in store.take("a.example", made[0].seq, 9)] == ["http://a.example/2"]
    assert store.take("c.example", 0, 9) == []


def test_what_has_an_outcome_is_not_handed_out_again(store: Store) -> None:
    """Also in the middle of the queue: what was dropped at once is not in the frontier's hands."""
    requests = store.commit([], [found(*(f"http://a.example/{number}" for number in range(5)))])
    store.commit([Done(requests[0], "ok"), Done(requests[2], "skipped", "depth", was_open=False)], [])
    left = [requests[1].seq, requests[3].seq, requests[4].seq]
    assert [request.seq for request in store.take("a.example", 0, 9)] == left


def test_what_is_kept_of_a_url_comes_with_its_request(store: Store) -> None:
    url = "http://a.example/x"
    group = Found([link(url), link("http://a.example/y")], 1, extra={urls.fingerprint(url): b"\x00kept"})
    assert [request.extra for request in store.commit([], [group])] == [b"\x00kept", None]
    assert [request.extra for request in store.take("a.example", 0, 9)] == [b"\x00kept", None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=10), st.integers(1, 9))
def test_taking_in_pieces_gives_every_pending_request_once_and_in_order(
    store: Store, groups: list[list[int]], count: int
) -> None:
    host = f"h{len(list(store.outcomes()))}-{count}.example"  # an example leaves its URLs to the next one
    made = [request for each in groups for request in store.commit([], [found(*(f"http://{host}/{n}" for n in each))])]
    taken: list[Request] = []
    while piece := store.take(host, taken[-1].seq if taken else 0, count):
        assert len(piece) <= count
        taken += piece
    assert taken == made


def test_a_store_in_memory_is_never_gone_on_with() -> None:
    """Its crawl ends with the process, so that a session finds nothing; it answers the questions of a resume all the
    same."""
    store = MemoryStore()
    assert store.begin_session() is True
    (request,) = store.commit([], [found("http://a.example/")])
    store.charge([request.seq])
    assert store.request(request.seq) is None
    assert store.revive(["depth"]) == 0
    assert store.take_over(ALL_SHARDS, 1) == Territory()
    assert store.output_length("records.jsonl") == 0


def test_requests_that_are_finished_are_let_go_from_memory() -> None:
    store = MemoryStore()
    requests = store.commit([], [found(*(f"http://a.example/{number}" for number in range(100)))])
    store.commit([Done(request, "ok") for request in requests], [])
    assert not store._pending["a.example"]


def test_a_contract_runs_on_every_store(home: Home) -> None:
    """Each of them has the whole interface: what a crawl, a resume and questions need."""
    made = home.open()
    for name in (name for name in vars(Store) if not name.startswith("_")):
        assert callable(getattr(made, name)), name
    made.close(is_clean=True)

"""What every store that survives the process promises a resume and readers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crawler import urls
from crawler.models import Outcome, Pending, Request
from crawler.store.base import ALL_SHARDS, Done, Found, HostState, Known, Output, States, Store

from .conftest import Home, found, link

A, B, C = "http://a.example/", "http://b.example/", "http://c.example/"


def begun(home: Home) -> Store:
    store = home.open()
    store.begin_session()
    return store


def left(home: Home, *given_urls: str, states: States | None = None, are_seeds: bool = False) -> list[Request]:
    """The requests of a session that committed some links and was killed."""
    store = begun(home)
    made = store.commit([], [found(*given_urls, are_seeds=are_seeds)], (), states or States())
    store.close(is_clean=False)
    return made


def test_a_session_knows_whether_the_one_before_ended_in_order(lasting: Home) -> None:
    store = lasting.open()
    assert store.begin_session() is True
    store.close(is_clean=False)
    store = lasting.open()
    assert store.begin_session() is False
    store.close(is_clean=True)
    store = lasting.open()
    assert store.begin_session() is True
    store.close(is_clean=True)


def test_what_was_pending_is_pending_and_what_was_seen_is_seen(lasting: Home) -> None:
    requests = left(lasting, A, f"{A}x", B)
    store = begun(lasting)
    assert store.commit([], [found(A, B, C)])[0].url == C
    hosts = store.take_over(ALL_SHARDS, 3).hosts
    assert [(each.key, each.url, each.count) for each in hosts] == [
        ("a.example", A, 2),
        ("b.example", B, 1),
        ("c.example", C, 1),
    ]
    assert store.take("a.example", 0, 9) == requests[:2]
    assert store.request(requests[2].seq) == requests[2]
    store.close(is_clean=True)


def test_a_host_keeps_its_next_visit_and_its_crawl_delay(lasting: Home) -> None:
    left(lasting, A, B, C)
    store = begun(lasting)
    store.commit([], [], (), States([HostState("a.example", 1e9, 30.0), HostState("b.example", None, 2.5)]))
    store.close(is_clean=False)
    store = begun(lasting)
    assert store.take_over(ALL_SHARDS, 3).hosts == [
        Pending("a.example", A, 1e9, 1, 30.0),
        Pending("b.example", B, None, 1, 2.5),
        Pending("c.example", C, None, 1, None),
    ]
    store.commit([], [], (), States([HostState("a.example")]))
    store.close(is_clean=True)
    store = begun(lasting)
    assert store.take_over(ALL_SHARDS, 3).hosts[0] == Pending("a.example", A, None, 1, None)
    store.close(is_clean=True)


def test_sitemaps_that_were_not_read_to_their_end_are_named(lasting: Home) -> None:
    left(lasting, A, states=States(reading=["http://a.example", "http://b.example"]))
    store = begun(lasting)
    store.commit([], [], (), States(read=["http://a.example"]))
    assert list(store.take_over(ALL_SHARDS, 3).reading) == ["http://b.example"]
    store.close(is_clean=True)


def test_hosts_that_seeds_redirected_to_stay_theirs(lasting: Home) -> None:
    left(lasting, A, states=States(aliases=[(A, "www.a.example")]))
    store = begun(lasting)
    store.commit([], [], (), States(aliases=[(A, "www.a.example"), (B, "b.test")]))
    assert set(store.take_over(ALL_SHARDS, 3).aliases) == {(A, "www.a.example"), (B, "b.test")}
    store.close(is_clean=True)


def test_crawler_traps_are_kept_in_place_of_those_before(lasting: Home) -> None:
    store = begun(lasting)
    store.keep_traps([("a.example", "/*", "1")])
    store.keep_traps([("a.example", "/x/*", "2"), ("b.example", "/*", "3")])
    store.close(is_clean=False)
    store = begun(lasting)
    assert sorted(store.take_over(ALL_SHARDS, 3).traps) == [("a.example", "/x/*", "2"), ("b.example", "/*", "3")]
    store.close(is_clean=True)


def test_what_may_kill_the_process_is_kept_apart_until_it_has_an_outcome(lasting: Home) -> None:
    killer, other = left(lasting, A, f"{A}x")
    for crashes in (1, 2):
        store = begun(lasting)
        store.charge([killer.seq])
        territory = store.take_over(ALL_SHARDS, 2)
        assert list(territory.suspects) == ([] if crashes == 1 else [killer])
        assert territory.hosts[0].count == (2 if crashes == 1 else 1)
        assert store.take("a.example", 0, 9) == ([killer, other] if crashes == 1 else [other])
        store.close(is_clean=False)
    store = begun(lasting)
    assert list(store.take_over(ALL_SHARDS, 9).suspects) == []  # queued again where more crashes are suffered
    assert store.take("a.example", 0, 9) == [killer, other]
    store.commit([Done(killer, "quarantined")], [])
    assert store.request(killer.seq) is None
    store.close(is_clean=True)


def test_a_url_that_was_kept_back_is_asked_for_where_it_has_no_record(lasting: Home) -> None:
    """Seeds and what was tried have one, and no URL gets a second one."""
    requests = left(lasting, A, f"{A}x", f"{A}y")
    (seed,) = left(lasting, B, are_seeds=True)
    store = begun(lasting)
    tried = msgspec.structs.replace(requests[2], attempts=1)
    store.commit(
        [
            Done(requests[0], "skipped", "depth", was_open=False),
            Done(requests[1], "skipped", "robots", was_open=False),
            Done(tried, "skipped", "depth", was_open=False),
            Done(seed, "skipped", "depth", was_open=False),
        ],
        [],
    )
    assert store.revive(["depth", "budget"]) == 1
    assert store.counts() == {"pending": 1, "skipped": 3}
    assert [request.url for request in store.take("a.example", 0, 9)] == [A]
    store.close(is_clean=True)


def test_a_part_of_the_shards_is_taken_over_with_what_belongs_to_it(lasting: Home) -> None:
    states = States(
        reading=["http://a.example", "http://b.example"], aliases=[(A, "www.a.example"), (B, "www.b.example")]
    )
    ours, _ = left(lasting, A, B, states=states)
    store = begun(lasting)
    store.keep_traps([("a.example", "/*", "1"), ("b.example", "/*", "2")])
    territory = store.take_over({urls.shard_of("a.example")}, 1)
    assert [each.key for each in territory.hosts] == ["a.example"]
    assert list(territory.reading) == ["http://a.example"]
    assert list(territory.aliases) == [(A, "www.a.example")]
    assert list(territory.traps) == [("a.example", "/*", "1")]
    store.charge([ours.seq])
    assert list(store.take_over({urls.shard_of("b.example")}, 1).suspects) == []
    assert [each.url for each in store.take_over({urls.shard_of("a.example")}, 1).suspects] == [A]
    store.close(is_clean=True)


def test_what_is_kept_of_a_url_outlives_the_session(lasting: Home) -> None:
    store = begun(lasting)
    group = Found([link(A), link(B)], 0, extra={urls.fingerprint(A): b"first", urls.fingerprint(B): b"other"})
    first, other = store.commit([], [group])
    store.commit([Done(first, "skipped", "depth", was_open=False, extra=b"second"), Done(other, "ok")], [])
    assert store.revive(["depth"]) == 1
    store.close(is_clean=True)
    store = begun(lasting)
    assert [request.extra for request in store.take("a.example", 0, 9)] == [b"second"]
    store.close(is_clean=True)


def test_the_lengths_of_outputs_are_committed_with_what_they_hold(lasting: Home) -> None:
    store = begun(lasting)
    store.commit([], [found(A)], [Output("records.jsonl", 0, 10, 1, 1)])
    store.commit([], [], [Output("records.jsonl", 10, 5, 2, 1), Output("pages.warc.gz", 0, 7, 3, 2)])
    store.close(is_clean=True)
    store = begun(lasting)
    assert store.output_length("records.jsonl") == 15
    assert store.output_length("pages.warc.gz") == 7
    assert store.output_length("other") == 0
    store.close(is_clean=True)


# What readers are told


def ended(home: Home, outcomes: Sequence[tuple[str, Outcome, str | None]]) -> None:
    store = begun(home)
    requests = store.commit([], [found(*(url for url, _, _ in outcomes), are_seeds=True)])
    done = [
        Done(request, outcome, reason)
        for request, (_, outcome, reason) in zip(requests, outcomes, strict=True)
        if outcome != "pending"
    ]
    store.commit(done, [], [Output("records.jsonl", 0, 3, 1, 1)])
    store.commit([], [], [Output("records.jsonl", 3, 4, 2, 1)])
    store.close(is_clean=False)


def test_a_reader_sees_what_was_committed(lasting: Home) -> None:
    ended(lasting, [(A, "ok", None), (f"{A}x", "http_error", "404"), (B, "pending", None)])
    snapshot = lasting.snapshot()
    known = [
        Known(A, "a.example", "ok", None, 1, False),
        Known(f"{A}x", "a.example", "http_error", "404", 1, False),
        Known(B, "b.example", "pending", None, 0, False),
    ]
    assert list(snapshot.known()) == known
    assert list(snapshot.known(["http_error", "failed"])) == known[1:2]
    assert list(snapshot.seeds()) == known
    assert snapshot.host_count() == 2
    assert snapshot.largest_hosts(1) == ["a.example"]
    assert snapshot.outputs() == {"records.jsonl": 7}
    assert list(snapshot.batches("records.jsonl")) == [
        Output("records.jsonl", 0, 3, 1, 1),
        Output("records.jsonl", 3, 4, 2, 1),
    ]
    assert list(snapshot.batches("other")) == []
    assert not snapshot.is_clean()


def test_a_reader_stays_at_its_moment_while_the_crawl_goes_on(lasting: Home) -> None:
    store = begun(lasting)
    (request,) = store.commit([], [found(A)])
    snapshot = lasting.snapshot()
    store.commit([Done(request, "ok", found=found(B))], [], [Output("records.jsonl", 0, 3, 1, 1)])
    assert [each.outcome for each in snapshot.known()] == ["pending"]
    assert snapshot.outputs() == {}
    assert [each.outcome for each in lasting.snapshot().known()] == ["ok", "pending"]
    store.close(is_clean=True)


def test_a_reader_tells_a_seed_from_where_it_redirected_to(lasting: Home) -> None:
    store = begun(lasting)
    (seed,) = store.commit([], [found(A, are_seeds=True)])
    target = Found([link(B)], 0, A, (A,), are_seeds=True)
    store.commit([Done(seed, "redirect", "301", found=target)], [])
    store.close(is_clean=True)
    assert [(each.url, each.is_target) for each in lasting.snapshot().seeds()] == [(A, False), (B, True)]

"""Inputs that once showed a fault, a short share of mutated ones, and the workings of the fuzzing itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import inputs
from tests.fuzz.child import TallyFile
from tests.fuzz.findings import minimise, trial
from tests.fuzz.mutation import Mutator
from tests.fuzz.promise import BrokenPromise, expect
from tests.fuzz.targets import TARGETS

PAST = [(name, path) for name in TARGETS for path in inputs.regressions(name)]
SHARE = 60  # mutated inputs of each target
MAX_BYTES = 3000


@pytest.mark.parametrize(("name", "path"), PAST, ids=[f"{name}-{path.name}" for name, path in PAST])
def test_what_once_showed_a_fault_does_so_no_more(name: str, path: Path) -> None:
    TARGETS[name].check(path.read_bytes())  # scenario 95


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_inputs_keep_every_promise(name: str) -> None:
    # scenario 95
    target = TARGETS[name]
    pool = [data for data in inputs.first_inputs(name) if len(data) <= MAX_BYTES]
    mutator = Mutator(target.tokens, pool, lambda data, max_bytes: data[::-1][:max_bytes])
    rand = Random(1)
    for seed in range(SHARE):
        target.check(mutator.mutate(rand.choice(pool), MAX_BYTES, seed))


def test_every_folder_of_past_faults_has_its_target() -> None:
    assert {folder.name for folder in inputs.REGRESSIONS.iterdir()} <= TARGETS.keys()


def fragile(data: bytes) -> None:
    """Fails in one way for each of some words."""
    expect(b"lie" not in data, "nobody lies")
    if b"raise" in data:
        raise ValueError(data)
    if b"die" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"hang" in data:
        signal.setitimer(signal.ITIMER_PROF, 0.01)  # instead of the deadline
        sum(range(10**12))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"good", None),
        (b"lie", "not so: nobody lies"),
        (b"raise", "ValueError in tests/fuzz/test_regressions.py:fragile"),
        (b"die", "killed by SIGKILL"),
        (b"hang", "more than 5 s of CPU"),
    ],
)
def test_a_trial_tells_what_an_input_shows_and_survives_it(data: bytes, what: str | None) -> None:
    assert trial(fragile, data) == what


def test_a_finding_is_made_as_small_as_its_fault() -> None:
    data = b"some words before " + b"lie" + b" and " * 500
    assert minimise(data, lambda shorter: trial(fragile, shorter) == "not so: nobody lies", 60.0) == b"lie"


def test_an_input_that_kills_its_process_stands_in_the_tally(tmp_path: Path) -> None:
    tally = TallyFile(tmp_path / "tally", 100)

    def check(data: bytes) -> None:
        own = TallyFile(tmp_path / "tally", 100)
        own.begin(b"first")
        own.end(b"first", 0.5)
        own.begin(data)
        fragile(data)

    assert trial(check, b"die") == "killed by SIGKILL"
    assert tally.read() == (1, b"die", b"first", 0.5)


def test_a_broken_promise_names_its_rule() -> None:
    with pytest.raises(BrokenPromise, match="nobody lies: 3"):
        expect(False, "nobody lies", 3)

"""Feeds made and mutated input to everything that reads what a server or a stranger sends.

`python -m tests.fuzz [--minutes N] [--target NAME]… [--seed N]` needs the extra `fuzz` (Atheris, on Linux). Every
input is checked in a process with limits; one that raises, breaks a promise, takes more than 5 s of CPU or kills its
process is a finding, is made small and kept. The exit status is 1 if there is any.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import inputs
from tests.fuzz.child import Tally, TallyFile, keep
from tests.fuzz.findings import DEADLINE_S, ROOT, ended_by, minimise, trial
from tests.fuzz.targets import TARGETS

MINIMISE_S = 60.0  # for each finding
_START_UP_S = 120.0  # on a busy machine, beyond the time that a process is given; then it hangs without computing
_MAX_DEATHS = 5  # inputs kept of those that kill a target's process


class Outcome(NamedTuple):
    """What came of one target.

    Args:
        seconds: How long it was fuzzed, wall clock.
        tally: What was done.
        corpus: Inputs that were kept.
        faults: What is wrong with the fuzzing itself.
    """

    seconds: float
    tally: Tally
    corpus: int
    faults: tuple[str, ...]


class Finding(NamedTuple):
    """An input that shows a fault.

    Args:
        target: A key of `TARGETS`.
        what: The fault.
        file: The input, as small as it could be made.
    """

    target: str
    what: str
    file: Path


def fuzz(name: str, folder: Path, seconds: float, seed: int) -> Outcome:
    """Fuzz one target; a process that an input killed is followed by another one."""
    corpus, found = folder / "corpus" / name, folder / "found" / name
    found.mkdir(parents=True, exist_ok=True)
    inputs.save(corpus, inputs.first_inputs(name))
    if name in inputs.PAGES:
        inputs.save(corpus, inputs.documentation(seed))
    tally = TallyFile(folder / f"{name}.tally", TARGETS[name].max_bytes)
    began, faults, deaths = time.monotonic(), [], 0
    while (left := seconds - (time.monotonic() - began)) >= 1 and not faults:
        command = ["-m", "tests.fuzz.child", name, corpus, found, folder / f"{name}.tally", int(left), seed + deaths]
        status, said = _run(command, left + _START_UP_S)
        if status < 0:
            deaths += 1
            data = tally.read().current
            (corpus / inputs.name_of(data)).unlink(missing_ok=True)  # the next process would die of it as well
            if deaths <= _MAX_DEATHS:
                keep(found, ended_by(-status), data)
        elif status:
            said = "\n".join(line for line in said.splitlines() if not line.startswith("INFO: "))
            faults.append(f"{name}: the process ended with status {status}\n{said[-3000:]}")
    return Outcome(time.monotonic() - began, tally.read(), len(list(corpus.iterdir())), tuple(faults))


def _run(arguments: Sequence[object], seconds: float) -> tuple[int, str]:
    """Exit status of a Python process, negative for a signal, and what it said."""
    command = [sys.executable, *map(str, arguments)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=ROOT)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        return status, output.read().decode("utf-8", "replace")


def settle(name: str, folder: Path) -> list[Finding]:
    """Try what was found again, make it small and keep it with its target's name."""
    findings = []
    check = TARGETS[name].check
    for path in sorted((folder / "found" / name).glob("*.input")):
        note = path.with_suffix(".txt")
        data, what = path.read_bytes(), note.read_text()
        again = trial(check, data)
        if again is None:
            what += ", but not when tried alone: it takes what was read before, or was slow for being watched"
        else:
            what = again
            data = minimise(data, lambda shorter, what=again: trial(check, shorter) == what, MINIMISE_S)
        file = folder / "findings" / f"{name}-{inputs.name_of(data)[:12]}"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        path.unlink()
        note.unlink()
        if all(finding.file != file for finding in findings):
            findings.append(Finding(name, what, file))
    return findings


def report(folder: Path, outcomes: dict[str, Outcome], findings: list[Finding]) -> list[str]:
    """What was done, how far it reached and what was found, line by line."""
    rows = [
        "{:<10}{:>8}{:>12}{:>10}{:>9}  {}".format("target", "seconds", "executions", "a second", "corpus", "slowest")
    ]
    for name, outcome in outcomes.items():
        tally = outcome.tally
        speed = tally.executions / max(outcome.seconds, 0.001)
        slowest = f"{tally.slowest_s:.3f} s CPU, {len(tally.slowest)} bytes"
        rows.append(
            f"{name:<10}{outcome.seconds:>8.0f}{tally.executions:>12}{speed:>10.0f}{outcome.corpus:>9}  {slowest}"
        )
        (folder / f"{name}.slowest").write_bytes(tally.slowest)
    rows += ["", "lines of functions reached by the corpora", *_lines_reached(folder / "corpus", list(outcomes)), ""]
    rows += [fault for outcome in outcomes.values() for fault in outcome.faults]
    for finding in findings:
        command = f"python -m tests.fuzz --target {finding.target} --replay {shlex.quote(str(finding.file))}"
        rows += [f"FINDING {finding.target}: {finding.what}", f"  {command}"]
    rows.append(f"{len(findings)} findings, deadline {DEADLINE_S:g} s of CPU; all is kept in {folder}")
    return rows


def _lines_reached(corpora: Path, names: list[str]) -> list[str]:
    status, said = _run(["-m", "tests.fuzz.lines", corpora, *names], 3600)
    if status:
        return [f"could not be counted (status {status}): {said[-1000:]}"]
    rows = []
    for module, (count, missed) in json.loads(said.splitlines()[-1]).items():
        share = 100 * (count - len(missed)) / max(count, 1)
        rows.append(f"{module:<28}{share:>6.1f} %  {count - len(missed)} of {count}  {_ranges(missed)}".rstrip())
    return rows


def _ranges(numbers: list[int]) -> str:
    """`not 3, 7-9`; nothing for nothing."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number])
    return "not " + ", ".join("-".join(map(str, each)) for each in ranges) if ranges else ""


def main() -> int:
    """Fuzz all targets, one after another, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="repeatable; all if not given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="corpora and findings; what stands there is gone on with")
    parser.add_argument("--replay", type=Path, help="check this one input of a target, and say what it shows")
    arguments = parser.parse_args()
    names = list(dict.fromkeys(arguments.target or TARGETS))
    if arguments.replay:
        if len(names) != 1:
            parser.error("--replay needs one --target")
        TARGETS[names[0]].check(arguments.replay.read_bytes())
        print("all is as it has to be")
        return 0
    if importlib.util.find_spec("atheris") is None:
        parser.error("Atheris is not installed: python -m pip install --editable '.[fuzz]'")
    folder = (arguments.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))).resolve()
    outcomes: dict[str, Outcome] = {}
    findings: list[Finding] = []
    share_s = arguments.minutes * 60 / sum(TARGETS[name].share for name in names)
    for name in names:
        outcomes[name] = fuzz(name, folder, TARGETS[name].share * share_s, arguments.seed)
        findings += settle(name, folder)
        print(f"{name}: {outcomes[name].tally.executions} executions", file=sys.stderr, flush=True)
    print("\n".join(report(folder, outcomes, findings)))
    return 1 if findings or any(outcome.faults for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

"""A finding blames what is at fault, says what broke, and its fix, carried out, makes it go away."""

from __future__ import annotations

from typing import Any

import pytest

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import Source
from halfopen.vocabulary import Finding, Report, Severity
from halfopen_generators.saga.options import SagaOptions

RETRIABLE_FIRST: list[dict[str, Any]] = [
    {"name": "a", "service": "b", "action": "C", "kind": "retriable"},
    {"name": "d", "service": "e", "action": "F", "kind": "pivot", "can_be_refused": True},
]
BESIDE: list[dict[str, Any]] = [
    {"name": "a", "service": "s1", "action": "A", "compensation": "UA", "after": [], "can_be_refused": True},
    {"name": "p", "service": "s2", "action": "P", "kind": "pivot", "after": [], "can_be_refused": True},
    {"name": "r", "service": "s3", "action": "R", "kind": "retriable", "after": ["a", "p"]},
]
REREAD: list[dict[str, Any]] = [
    {"name": "look", "service": "inv", "action": "Look", "read_only": True, "reads": "stock"},
    {"name": "charge", "service": "pay", "action": "Charge", "kind": "pivot", "can_be_refused": True},
    {"name": "write", "service": "inv", "action": "Write", "kind": "retriable", "reads": "stock", "writes": "stock",
     "countermeasures": {"stock": "reread-value"}},
]  # fmt: skip
LOCKS: list[dict[str, Any]] = [
    {"name": "charge", "service": "pay", "action": "Charge", "kind": "pivot", "can_be_refused": True},
    {"name": "r1", "service": "inv", "action": "R1", "kind": "retriable", "after": "charge", "writes": "x",
     "countermeasures": {"x": "semantic-lock"}},
    {"name": "r2", "service": "inw", "action": "R2", "kind": "retriable", "after": "charge", "writes": "y",
     "countermeasures": {"y": "semantic-lock"}},
]  # fmt: skip


def report(steps: list[dict[str, Any]], instances: int) -> Report:
    spec = {"saga": "x", "style": "orchestration", "deadline": "1m", "steps": steps, "instances": instances}
    return run(capability("saga"), Source(spec), SagaOptions(), Silent())


def errors(found: Report) -> list[Finding]:
    return [finding for finding in found.findings if finding.severity is Severity.ERROR]


def changed(steps: list[dict[str, Any]], name: str, **change: Any) -> list[dict[str, Any]]:
    return [step | change if step["name"] == name else step for step in steps]


CASES = {
    "retriable before what can be refused": (
        RETRIABLE_FIRST, 1, "SAG01", "steps[0]", "the effect of C at b stands", "Give a a compensation",
        changed(RETRIABLE_FIRST, "a", compensation="UndoC", kind="compensatable"),
    ),
    "compensatable beside the pivot": (
        BESIDE, 1, "SAG02", "steps[0]", "turns back, although its pivot P is done", "Let p come after a",
        changed(BESIDE, "p", after=["a"]),
    ),
    "retriable that is refused for ever": (
        REREAD, 2, "SAG03", "steps[2]", "stands at write for ever", "`reread-value`",
        changed(changed(REREAD, "write", countermeasures={"stock": "semantic-lock"}), "look",
                countermeasures={"stock": "semantic-lock"}),
    ),
    "locks taken crosswise": (
        LOCKS, 2, "SAG09", "steps[2]", "stands at r2 for ever", "locks on x and y",
        changed(LOCKS, "r2", after="r1"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_fault_is_named_and_the_fix_mends_it(
    case: tuple[list[dict[str, Any]], int, str, str, str, str, list[dict[str, Any]]],
) -> None:
    steps, instances, code, place, told, fix, mended = case
    finding = errors(report(steps, instances))[0]
    assert (finding.code, finding.evidence[0].path) == (code, place)
    assert finding.counterexample is not None
    assert told in finding.counterexample.sentences[-1]
    assert fix in finding.fix
    assert errors(report(mended, instances)) == []

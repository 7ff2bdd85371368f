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
        RETRIABLE_FIRST, 1, "SAG01", "steps[0]", "the effect of C at b stands",
        "Give a a compensation and make it compensatable (`kind`), or let it come after every step that",
        changed(RETRIABLE_FIRST, "a", compensation="UndoC", kind="compensatable"),
    ),
    "compensatable beside the pivot": (
        BESIDE, 1, "SAG02", "steps[0]", "turns back, although its pivot P is done", "Let p come after a",
        changed(BESIDE, "p", after=["a"]),
    ),
    "retriable that is refused for ever": (
        REREAD, 2, "SAG03", "steps[2]", "stands at write for ever, since another run changes stock",
        "`countermeasures: {stock: semantic-lock}` at look and write.",
        changed(changed(REREAD, "write", countermeasures={"stock": "semantic-lock"}), "look",
                countermeasures={"stock": "semantic-lock"}),
    ),
    "locks taken crosswise": (
        LOCKS, 2, "SAG09", "steps[2]", "run A holds the lock on x and waits at r2 for the one on y",
        "Take the locks in one order in every run: x, then y. Let r2 come after r1 (`after`)",
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


PIVOT: dict[str, Any] = {"name": "p", "service": "s2", "action": "P", "kind": "pivot", "can_be_refused": True}
A: dict[str, Any] = {"name": "a", "service": "s1", "action": "A", "compensation": "UA"}
R: dict[str, Any] = {"name": "r", "service": "s3", "action": "R", "kind": "retriable"}
GIVEN_UP_PIVOT = [A, PIVOT | {"retry": {"attempts": 2}}, R]
BOTH_GIVEN_UP = changed(BESIDE, "p", retry={"attempts": 2})
REFUSED_LAST = [A, R | {"can_be_refused": True}]
FOR_GOOD: list[dict[str, Any]] = [{"name": "a", "service": "s1", "action": "A", "after": []}, PIVOT | {"after": ["a"]}]
UNDONE_LAST = [PIVOT, A | {"can_be_refused": True, "kind": "compensatable"}]
FIVE_TRIES = changed(RETRIABLE_FIRST, "a", retry={"attempts": 5})


def without(steps: list[dict[str, Any]], name: str, *keys: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in step.items() if step["name"] != name or k not in keys} for step in steps]


# The spec, the fault, what its fix says, and the spec with that carried out: one line for each way that a fix names.
FIXED = [
    (RETRIABLE_FIRST, "SAG01 steps[0]", "make it compensatable", changed(RETRIABLE_FIRST, "a", compensation="U",
                                                                         kind="compensatable")),
    (RETRIABLE_FIRST, "SAG01 steps[0]", "come after every step", changed(changed(RETRIABLE_FIRST, "a", after=["d"]),
                                                                         "d", after=[])),
    (FIVE_TRIES, "SAG03 steps[0].retry.attempts", "Leave out `retry.attempts`",
     changed(RETRIABLE_FIRST, "a", compensation="U", kind="compensatable")),
    (BESIDE, "SAG02 steps[0]", "Let p come after a (`after`)", changed(BESIDE, "p", after=["a"])),
    (BESIDE, "SAG02 steps[0]", "make a retriable and leave out `can_be_refused`",
     changed(without(BESIDE, "a", "compensation", "can_be_refused"), "a", kind="retriable", after=["p"])),
    (BESIDE, "SAG02 steps[1]", "Let p, the pivot, come after every step", changed(BESIDE, "p", after=["a"])),
    (BOTH_GIVEN_UP, "SAG02 steps[1]", "Let p, the pivot, come after every step",
     without(changed(BESIDE, "p", after=["a"]), "p", "retry")),
    (GIVEN_UP_PIVOT, "SAG05 steps[1]", "Leave out `retry.attempts` at p", without(GIVEN_UP_PIVOT, "p", "retry")),
    (GIVEN_UP_PIVOT, "SAG05 steps[1]", "give it a compensation", changed(GIVEN_UP_PIVOT, "p", compensation="UP")),
    (REFUSED_LAST, "SAG03 steps[1].can_be_refused", "in a step before it that can be undone what R may refuse",
     changed(without(REFUSED_LAST, "r", "can_be_refused"), "a", can_be_refused=True)),
    (FOR_GOOD, "SAG01 steps[0]", "Name what undoes a", changed(FOR_GOOD, "a", compensation="UA")),
    (FOR_GOOD, "SAG01 steps[0]", "say `read_only: true`", changed(FOR_GOOD, "a", read_only=True)),
    (FOR_GOOD, "SAG01 steps[0]", "behind the pivot (`after`), as `kind: retriable`",
     changed(changed(FOR_GOOD, "a", kind="retriable", after=["p"]), "p", after=[])),
    (UNDONE_LAST, "SAG02 steps[1]", "Let a come before p", list(reversed(UNDONE_LAST))),
    (UNDONE_LAST, "SAG02 steps[1]", "make a retriable and leave out `can_be_refused`",
     changed(without(UNDONE_LAST, "a", "compensation", "can_be_refused"), "a", kind="retriable")),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "fault", "fix", "mended"), FIXED)
def test_every_way_that_a_fix_names_makes_the_finding_go_away(
    steps: list[dict[str, Any]], fault: str, fix: str, mended: list[dict[str, Any]]
) -> None:
    found = {f"{finding.code} {finding.evidence[0].path}": finding for finding in errors(report(steps, 1))}
    assert fix in found[fault].fix
    assert errors(report(mended, 1)) == []


GUARANTEES = ("refuses_late_actions", "accepts_empty_compensation", "deduplicates")


@pytest.mark.parametrize("has", [GUARANTEES[2:], GUARANTEES[1:], ()])
def test_third_parties_that_guarantee_what_the_findings_ask_for_are_enough(has: tuple[str, ...]) -> None:
    parties = ("cars", "hotels")
    steps = [{"name": on, "service": on, "action": f"Book{on}", "compensation": f"Cancel{on}"} for on in parties]
    spec: dict[str, Any] = {"saga": "trip", "style": "orchestration", "deadline": "5m", "steps": steps}
    services = {on: {"external": True} | dict.fromkeys(has, True) for on in parties}
    for _ in GUARANTEES:
        found = errors(run(capability("saga"), Source(spec | {"services": services}), SagaOptions(), Silent()))
        for finding in found:
            _, on, guarantee = finding.evidence[0].path.split(".")
            assert f"`{guarantee}`" in finding.fix or f"`{guarantee}:" in finding.fix
            services[on] = services[on] | {guarantee: True}
        if not found:
            break
    assert found == []


def test_a_late_action_does_no_harm_where_nothing_undoes_it() -> None:
    services = {"s1": {"refuses_late_actions": False}, "s2": {}}
    spec: dict[str, Any] = {"saga": "x", "style": "orchestration", "deadline": "1m", "services": services}

    def found(steps: list[dict[str, Any]]) -> list[Finding]:
        return errors(run(capability("saga"), Source(spec | {"steps": steps}), SagaOptions(), Silent()))

    (late,) = found([A, PIVOT])
    assert late.code == "SAG06"
    assert "let a come behind all that can fail (`kind: retriable`), where nothing undoes it" in late.fix
    assert found([PIVOT, without([A], "a", "compensation")[0] | {"kind": "retriable"}]) == []


def test_what_is_said_of_a_pivot_and_of_what_lies_behind_it_is_said_where_there_is_one() -> None:
    for steps in (RETRIABLE_FIRST, REFUSED_LAST, FIVE_TRIES):
        told_of = report(steps, 1)
        words = [*(f"{f.title} {f.message}" for f in told_of.findings), *(d.because for d in told_of.decisions)]
        assert "behind the pivot" not in " ".join(words)
    for finding in report(REFUSED_LAST, 1).findings:
        assert "pivot" not in finding.fix


def told(finding: Finding) -> tuple[str, ...]:
    assert finding.counterexample is not None
    return finding.counterexample.sentences


def test_three_runs_in_a_circle_of_locks_are_told_one_by_one() -> None:
    third = {"name": "r3", "service": "inx", "action": "R3", "kind": "retriable", "after": "charge", "writes": "z",
             "countermeasures": {"z": "semantic-lock"}}  # fmt: skip
    (found,) = errors(report([*LOCKS, third], 3))
    assert found.code == "SAG09"
    assert "holds the lock on" in told(found)[-1]
    assert told(found)[:3] == tuple(f"Run {run} starts: the orchestrator sends Charge to pay." for run in "ABC")


def test_locks_and_reread_values_are_blamed_for_no_fault_of_others() -> None:
    refused = changed(LOCKS, "r2", after="r1", can_be_refused=True)
    assert {finding.code for finding in errors(report(refused, 2))} == {"SAG03"}
    undone = {
        "name": "note",
        "service": "log",
        "action": "Note",
        "compensation": {"action": "Erase", "can_be_refused": True},
    }
    (found,) = errors(report([undone, *changed(REREAD, "look", after=["note"])], 2))
    assert (found.code, found.evidence[0].path) == ("SAG13", "steps[0].compensation.can_be_refused")
    assert told(found)[-1].endswith("the run stands at note for ever, since Erase was refused.")


def choreographed(steps: list[dict[str, Any]], ends: dict[str, str], **more: Any) -> Report:
    spec = {"saga": "x", "style": "choreography", "deadline": "1m", "steps": steps, "ends": ends, **more}
    return run(capability("saga"), Source(spec), SagaOptions(), Silent())


CREATE: dict[str, Any] = {
    "name": "create", "service": "orders", "action": "Create", "consumes": "Requested", "emits": "Created",
    "compensation": {"action": "Fail", "consumes": ["PaymentFailed"], "emits": "Failed"},
}  # fmt: skip
PAY: dict[str, Any] = {
    "name": "pay", "service": "payment", "action": "Pay", "consumes": "Created", "emits": "Paid",
    "emits_on_refusal": "PaymentFailed", "can_be_refused": True, "kind": "pivot",
}  # fmt: skip


def test_a_run_that_ends_without_a_step_is_the_fault_of_what_the_step_waits_for() -> None:
    ends = {"Paid": "committed", "Failed": "cancelled"}
    (found,) = errors(choreographed([CREATE, PAY], ends, trigger="Created"))
    assert (found.code, found.evidence[0].path) == ("SAG19", "steps[0].consumes")
    assert told(found)[-1] == (
        "Nobody has anything left to do. By its events the run has ended committed (Paid), but Create never happened: "
        "orders waits for Requested."
    )
    assert errors(choreographed([CREATE, PAY], ends, trigger="Requested")) == []


def test_a_step_that_waits_for_what_no_run_publishes_together_is_left_out() -> None:
    both = {"name": "note", "service": "notes", "action": "Note", "consumes": ["Paid", "Failed"], "emits": "Noted",
            "kind": "retriable"}  # fmt: skip
    ends = {"Paid": "committed", "Failed": "cancelled"}
    found = {finding.code: finding for finding in errors(choreographed([CREATE, PAY, both], ends, trigger="Requested"))}
    assert told(found["SAG09"])[-1].endswith("ended committed (Paid), but Note never happened: notes waits for Failed.")
    assert found["SAG09"].fix.startswith("Let note wait for events that every run publishes which ends committed")
    mended = changed([CREATE, PAY, both], "note", consumes=["Paid"])
    ends = {"Noted": "committed", "Failed": "cancelled"}
    assert errors(choreographed(mended, ends, trigger="Requested")) == []


def test_an_event_that_nobody_publishes_is_blamed_for_a_run_that_waits() -> None:
    lost = changed([CREATE, PAY], "pay", consumes="Craeted")
    found = errors(choreographed(lost, {"Paid": "committed", "Failed": "cancelled"}, trigger="Requested"))
    stuck = next(finding for finding in found if finding.counterexample)
    assert (stuck.code, stuck.evidence[0].path) == ("SAG19", "steps[1].consumes")
    assert told(stuck)[-1].endswith("the run stands at pay for ever, since nobody publishes Craeted.")

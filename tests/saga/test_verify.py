"""What the exploration says of a design: findings with the shortest run, and the guarantees that are truly needed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import Source, parse_source
from halfopen.vocabulary import Outcome, Report
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.verify import verify
from tests.saga.designs import ALL_GUARANTEES, designed

LATE = """
saga: seats
style: orchestration
deadline: 30s
services: {hall: {deduplicates: true, refuses_late_actions: false, accepts_empty_compensation: true}}
steps:
  - {name: hold, service: hall, action: HoldSeat, compensation: FreeSeat, retry: {attempts: 1}}
"""

TWO_RUNS = """
saga: seats
style: orchestration
deadline: 30s
instances: 2
services: {hall: {deduplicates: true, refuses_late_actions: true, accepts_empty_compensation: true}}
steps:
  - {name: look, service: hall, action: CountSeats, kind: compensatable, read_only: true, reads: seats}
  - {name: hold, service: hall, action: HoldSeat, kind: pivot, writes: seats}
"""


def report(text: str, **options: Any) -> Report:
    return run(capability("saga"), parse_source(text), SagaOptions(**options), Silent())


def test_a_broken_promise_is_told_three_ways() -> None:
    (found,) = report(LATE).findings
    assert (found.code, found.severity, found.evidence[0].path) == snapshot(
        ("SAG06", "error", "services.hall.refuses_late_actions")
    )
    told = found.counterexample
    assert told is not None
    assert told.sentences == snapshot(
        (
            "A run starts: the orchestrator sends HoldSeat to hall.",
            "No answer to HoldSeat comes in one try: the orchestrator gives up on it, not knowing whether it happened. The run turns to compensating. The orchestrator sends FreeSeat to hall.",  # noqa: E501 - a sentence as it is told
            "FreeSeat arrives at hall, where HoldSeat never ran: it changes nothing and remembers that.",
            "HoldSeat arrives at hall after its compensation FreeSeat and is applied: nothing will undo it.",
        )
    )
    assert told.diagram == snapshot("""\
sequenceDiagram
    participant orchestrator as orchestrator
    participant p_hall as hall
    orchestrator->>p_hall: HoldSeat
    Note over orchestrator: gives up on HoldSeat
    Note over orchestrator: The run turns to compensating
    orchestrator->>p_hall: FreeSeat
    Note over p_hall: FreeSeat: nothing to undo
    orchestrator->>p_hall: HoldSeat (late)
    Note over p_hall: HoldSeat applied after its compensation
""")
    assert told.test == snapshot("pytest tests -k counterexample-sag-06-hold-refuses-late-actions")
    assert told.replayed


def test_the_same_run_without_bounds_and_within() -> None:
    for exact in (False, True):
        broken = [v.property for v in report(LATE, exact=exact).verdicts if v.outcome is Outcome.VIOLATED]
        assert broken == ["no action after its compensation"]


def test_what_needs_more_faults_than_the_spec_allows_is_labelled_so() -> None:
    calm = LATE + "faults: {lost_messages: 0, duplicated_messages: 0, late_messages: false, crashes: 0}\n"
    unbounded, exact = report(calm), report(calm, exact=True)
    (found,) = unbounded.findings
    assert found.counterexample is not None
    assert (found.severity, found.counterexample.replayed) == ("warning", False)
    assert "This takes more faults than `faults` allows" in found.message
    assert (unbounded.outcome, "more faults than these would break some: SAG06" in unbounded.summary) == ("warn", True)
    assert exact.outcome == "pass"


@pytest.mark.parametrize(
    ("measure", "broken"),
    [
        (None, ["no lost update"]),
        ("semantic-lock", []),
        ("commutative-update", []),
        ("reread-value", []),
        ("version-file", []),
    ],
)
def test_a_countermeasure_covers_what_it_is_for(measure: str | None, broken: list[str]) -> None:
    text = TWO_RUNS
    if measure:
        # A lock is held from the first touch on; the others belong to the write.
        for place in ("reads: seats", "writes: seats"):
            text = text.replace(place, f"{place}, countermeasures: {{seats: {measure}}}")
    verdicts = report(text).verdicts
    assert [v.property for v in verdicts if v.outcome is Outcome.VIOLATED] == broken


def test_runs_that_share_nothing_are_explored_one_by_one() -> None:
    alone = report(TWO_RUNS.replace("reads: seats", "reads: seats1").replace("writes: seats", "writes: seats2"))
    assert alone.outcome == "pass"


def test_a_budget_leaves_the_answer_open() -> None:
    small = report(TWO_RUNS, max_states=3)
    assert {v.outcome for v in small.verdicts} == {Outcome.INCOMPLETE}
    assert small.outcome == "warn"
    assert "ended at 3 states" in small.summary


SMALL = [
    {"steps": [{"name": "a", "service": "p", "action": "DoA", "compensation": "UndoA"}]},
    {"steps": [{"name": "a", "service": "p", "action": "DoA", "kind": "pivot", "can_be_refused": True}]},
    {
        "steps": [
            {"name": "a", "service": "p", "action": "DoA", "compensation": "UndoA", "can_be_refused": True},
            {"name": "b", "service": "q", "action": "DoB", "kind": "pivot", "can_be_refused": True},
        ]
    },
    {
        "steps": [
            {"name": "a", "service": "p", "action": "DoA", "compensation": "UndoA", "idempotent": True},
            {"name": "b", "service": "q", "action": "DoB", "kind": "compensatable", "read_only": True},
        ]
    },
]


@pytest.mark.parametrize("spec", SMALL)
def test_the_guarantees_called_needed_are_the_smallest_set_that_is_safe(spec: dict[str, Any]) -> None:
    # One exploration says which are needed; here every subset of all guarantees is tried instead.
    base = {"saga": "small", "style": "orchestration", **spec}
    services = sorted({step["service"] for step in spec["steps"]})
    every = [(service, guarantee) for service in services for guarantee in ALL_GUARANTEES]
    needed = set(verify(designed(base), SagaOptions(), Silent()).needed)
    safe = []
    for size in range(len(every) + 1):
        for chosen in itertools.combinations(every, size):
            promised = {s: {g: (s, g) in chosen for g in ALL_GUARANTEES} for s in services}
            verdicts = verify(designed({**base, "services": promised}), SagaOptions(), Silent()).verdicts
            if all(verdict.outcome is Outcome.HOLDS for verdict in verdicts):
                safe.append(set(chosen))
        if safe:
            break
    assert safe == [needed]


def test_an_obligation_says_what_happens_without_it() -> None:
    spec = {"saga": "one", "style": "orchestration", "deadline": "9s", **SMALL[1]}
    (first, *rest) = run(capability("saga"), Source(spec), SagaOptions(), Silent()).obligations
    assert (first.on, first.guarantee, first.provided_by, first.needed) == ("p", "deduplicates", "generated code", True)
    assert first.because == snapshot(
        "Without it: A copy of DoA, which p had refused, arrives there again and is applied."
    )
    assert [(found.guarantee, found.needed) for found in rest] == snapshot(
        [("refuses_late_actions", False), ("accepts_empty_compensation", False)]
    )


def test_a_run_that_is_over_too_soon_is_the_fault_of_the_step_that_still_stands() -> None:
    found = {finding.code: finding for finding in report(HALF_DONE).findings}["SAG11"]
    assert found.evidence[0].path == "steps[1]"
    assert found.fix.startswith("Let charge compensate on every event that says a later step failed")


HALF_DONE = """
saga: half
style: choreography
trigger: Placed
steps:
  - {name: note, service: a, action: NoteOrder, consumes: Placed, emits: Noted,
     compensation: {action: DropOrder, consumes: [StockRefused], emits: Dropped}}
  - {name: charge, service: b, action: ChargeCard, consumes: Noted, emits: Charged, compensation: {action: Refund}}
  - {name: stock, service: c, action: TakeStock, consumes: Charged, emits: Taken, can_be_refused: true,
     emits_on_refusal: StockRefused}
ends: {Taken: committed, Dropped: cancelled}
"""

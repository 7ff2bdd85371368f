"""The protocol as commands: exact counts, broken twins, and the laws that its reductions rest on."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import Phase, given, settings
from inline_snapshot import snapshot

from halfopen.checkers.explore import EVERY_RUN_ENDS, Budget, Result, explore
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.choreography import Choreography
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.protocol.promises import Rules
from halfopen_generators.saga.protocol.words import CHOREOGRAPHED, ORCHESTRATED
from tests.saga.designs import designed, in_a_row, orchestrated

# Shrinking a saga explores it thousands of times; two steps are small enough to read as they come.
quick = settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])


def broken(run: Run | Choreography, result: Result) -> set[str]:  # type: ignore[type-arg]
    """The labels of what is broken, without what a kept guarantee rules out."""
    ruled_out = {label for label, breach in run.breaches.items() if run.builder.ruled_out(breach)}
    return set(result.violations) - ruled_out


def verdict(run: Run, result: Result) -> set[str]:  # type: ignore[type-arg]
    """The labels of what is broken. Whether a run ends is left open where it may go on by a broken promise."""
    found = set(result.violations)
    return found if broken(run, result) <= {EVERY_RUN_ENDS} else found - {EVERY_RUN_ENDS}


@pytest.mark.parametrize(
    ("steps", "exact", "counts"),
    [
        (1, False, snapshot((4, 3))),
        (3, False, snapshot((27, 34))),
        (10, False, snapshot((202, 293))),
        (60, False, snapshot((4302, 6418))),
        (2, True, snapshot((145, 377))),
        (3, True, snapshot((1150, 4695))),
    ],
)
def test_the_state_space_has_exactly_this_size(steps: int, *, exact: bool, counts: tuple[int, int]) -> None:
    result = explore(Run(in_a_row(steps), exact=exact).model)
    assert (result.states, result.transitions) == counts
    assert result.bound is None


@pytest.mark.parametrize(("steps", "runs", "counts"), [(3, 2, snapshot((61, 119))), (8, 3, snapshot((642, 1262)))])
def test_runs_side_by_side_have_exactly_this_size(steps: int, runs: int, counts: tuple[int, int]) -> None:
    design = in_a_row(steps, touching=range(steps - 2), measure="semantic-lock", instances=runs)
    run = Run(design, exact=False, resources=Resources.of(design))
    result = explore(Instances(run.model, runs))
    assert (result.states, result.transitions) == counts
    assert broken(run, result) == set()


# Each rule of the protocol, left out, breaks a promise: what PROTOCOL.md asks for is needed.
TWINS = {
    "ends_with_nothing_to_undo": {EVERY_RUN_ENDS},
    "undoes_unknown_outcomes": {"all or compensated", "compensations in order"},
    "ignores_late_answers": {"all or compensated", "compensations in order", EVERY_RUN_ENDS},
    "ignores_repeated_answers": {"all or compensated"},
    "undoes_in_reverse_order": {"compensations in order"},
    "saves_and_sends_at_once": {EVERY_RUN_ENDS},
    "repeats_compensations": {"all or compensated", "compensations in order"},
    "repeats_retriable_steps": {EVERY_RUN_ENDS},
    "repeats_the_pivot": {"all or compensated"},
    "waits_for_dependencies": {"all or compensated"},
    "answers_again": {EVERY_RUN_ENDS},
}


@pytest.mark.parametrize("rule", [field.name for field in dataclasses.fields(Rules)])
def test_a_protocol_without_one_of_its_rules_is_caught(rule: str) -> None:
    design = in_a_row(4)
    # What is lost when nobody answers again shows only where copies are counted.
    run = Run(design, exact=rule == "answers_again", rules=Rules(**{rule: False}))
    result = explore(run.model)
    assert {label.split("/")[0] for label in broken(run, result)} == TWINS[rule]


def test_with_all_its_rules_it_holds() -> None:
    for exact in (False, True):
        run = Run(in_a_row(4), exact=exact)
        assert broken(run, explore(run.model)) == set()


@quick
@given(orchestrated(most_steps=2))
def test_what_is_settled_can_be_forgotten(design: SagaDesign) -> None:
    for exact in (False, True):
        fewer, all_of_it = (Run(design, exact=exact, forget=forget) for forget in (True, False))
        small, large = explore(fewer.model), explore(all_of_it.model, budget=Budget(states=15_000))
        if large.bound is None:
            assert verdict(fewer, small) == verdict(all_of_it, large)


@quick
@given(orchestrated(most_steps=2))
def test_what_breaks_within_bounds_breaks_without(design: SagaDesign) -> None:
    exact = explore(Run(design, exact=True).model, budget=Budget(states=15_000))
    run = Run(design, exact=False)
    unbounded = explore(run.model)
    assert unbounded.bound is None
    assert set(exact.violations) - {EVERY_RUN_ENDS} <= set(unbounded.violations)
    if EVERY_RUN_ENDS in exact.violations:
        # Without bounds a stuck run may yet go on to break another promise, and is told as that.
        assert broken(run, unbounded)


@quick
@given(orchestrated(most_steps=2, shared=True))
def test_symmetry_and_partial_order_lose_nothing(design: SagaDesign) -> None:
    run = Run(design, exact=False, resources=Resources.of(design))
    reduced = explore(Instances(run.model, 2))
    plain = Instances(run.model, 2, symmetry=False, partial_order=False)
    everything = explore(plain, budget=Budget(states=30_000))
    if everything.bound is None:
        assert verdict(run, reduced) == verdict(run, everything)
        assert reduced.states <= everything.states


@quick
@given(orchestrated(shared=True))
def test_every_event_can_be_told(design: SagaDesign) -> None:
    for exact in (False, True):
        kinds = {
            c.kind.partition(" ")[0] for c in Run(design, exact=exact, resources=Resources.of(design)).model.commands
        }
        eager = {"start", "leave", "settle", "undo", "commit", "cancel"}
        assert kinds - eager <= set(ORCHESTRATED)


def test_every_event_of_a_choreography_can_be_told() -> None:
    design = designed(DIAMOND)
    for exact in (False, True):
        commands = Choreography(design, exact=exact, resources=Resources.of(design)).model.commands
        assert {c.kind.partition(" ")[0] for c in commands} <= set(CHOREOGRAPHED)


DIAMOND = """
saga: diamond
style: choreography
trigger: Placed
steps:
  - name: stock
    service: inventory
    action: ReserveStock
    consumes: Placed
    emits: StockReserved
    can_be_refused: true
    emits_on_refusal: StockRefused
    reads: stock
    writes: stock
    countermeasures: {stock: reread-value}
    compensation: {action: ReleaseStock, consumes: [CreditRefused], emits: StockReleased, can_be_refused: true}
  - name: credit
    service: bank
    action: ReserveCredit
    consumes: Placed
    emits: CreditReserved
    can_be_refused: true
    emits_on_refusal: CreditRefused
    reads: credit
    writes: credit
    compensation: {action: ReleaseCredit, consumes: [StockRefused], emits: CreditReleased}
  - {name: confirm, service: orders, action: Confirm, consumes: [StockReserved, CreditReserved], emits: Confirmed}
ends: {Confirmed: committed, StockReleased: cancelled, CreditReleased: cancelled}
"""

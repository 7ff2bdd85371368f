"""Fewer states of several runs, and the same verdicts: what each reduction leaves out is held against everything."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.checkers.commands import Command, CommandModel, Layout
from halfopen.checkers.explore import Budget, Result, explore
from halfopen.progress import Silent
from halfopen.source import BadInput
from halfopen.vocabulary import Outcome
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.choreography import Choreography
from halfopen_generators.saga.protocol.instances import Chunks, Instances
from halfopen_generators.saga.protocol.interference import Interference
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.protocol.promises import Rules
from halfopen_generators.saga.verify import verify
from tests.saga.designs import EVERY_MEASURE, designed, in_a_row, orchestrated
from tests.saga.test_any_spec import specs
from tests.saga.test_isolation import table, two_runs

Protocol = Run | Choreography
quick = settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
WAYS = [
    {"symmetry": symmetry, "partial_order": partial_order, "forget": forget}
    for symmetry, partial_order, forget in itertools.product((True, False), repeat=3)
]
touching = orchestrated(shared=True, resources=("x", "y"), measures=EVERY_MEASURE)


def is_a_run(model: Instances, result: Result[Any, Any]) -> bool:
    """True if each step of each path is one that several runs side by side can take."""
    return all(
        (action, after) in list(model.every_step(before))
        for path in result.violations.values()
        for before, action, after in zip(path.states, path.actions, path.states[1:], strict=False)
    )


def agree(protocol: Protocol, *, runs: int = 2, most: int = 6_000) -> bool:
    """Hold each reduction, and all together, against every state there is; False if those were too many to tell."""
    nothing = Instances(protocol.model, runs, symmetry=False, partial_order=False, forget=False)
    everything = explore(nothing, budget=Budget(states=most))
    if everything.bound is not None:
        return False
    for way in WAYS:
        model = Instances(protocol.model, runs, **way)
        fewer = explore(model)
        assert set(fewer.violations) == set(everything.violations), way
        assert fewer.states <= everything.states, way
        assert is_a_run(model, fewer), way
        if not way["partial_order"]:
            lengths = {name: len(path.actions) for name, path in fewer.violations.items()}
            assert lengths == {name: len(path.actions) for name, path in everything.violations.items()}, way
    return True


def of(design: SagaDesign, **more: Any) -> Run:
    return Run(design, exact=False, resources=Resources.of(design), **more)


@quick
@given(touching)
def test_two_runs_of_any_saga_get_the_same_verdicts_from_fewer_states(design: SagaDesign) -> None:
    agree(of(design))


def commutes(model: Instances, state: Chunks, chosen: random.Random) -> bool:
    """Walk on without a run that is apart, and hold each of its steps now against the same step then.

    True if there was a run to walk on without.
    """
    index = model.apart(state)
    if index is None:
        return False
    now = {action: after for action, after in model.every_step(state) if action[0] == index}
    here, walk = state, []
    for _ in range(chosen.randint(1, 12)):
        moves = [move for move in model.every_step(here) if move[0][0] != index and not move[0][1].breaks]
        if not moves:
            break
        action, here = chosen.choice(moves)
        walk.append(action)
    then = {action: after for action, after in model.every_step(here) if action[0] == index}
    assert set(now) == set(then)
    for action, after in now.items():
        if action[1].breaks:
            continue
        there = after
        for other in walk:
            there = dict(model.every_step(there))[other]
        assert model.canonical(there) == model.canonical(then[action])
    return bool(walk)


@quick
@given(touching, st.integers(0, 2**32))
def test_what_a_run_that_is_apart_does_it_can_do_before_the_others_or_after(design: SagaDesign, seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 - which way a walk goes is no secret
    model = Instances(of(design).model, 2, symmetry=False)
    for _ in range(6):
        (state,) = model.initial()
        for _ in range(40):
            commutes(model, state, chosen)
            # Touches are rare among what may happen, so they are preferred.
            moves = [move for move in model.every_step(state) if not move[0][1].breaks]
            touches = [move for move in moves if move[0][1].note is not None]
            if not moves:
                break
            _, state = chosen.choice(touches if touches and chosen.random() < 0.6 else moves)


# A write that can be undone beside one that can't, which another run may still do when it has nothing to undo itself.
BESIDE: list[dict[str, Any]] = [
    {"name": "a", "service": "s", "action": "A", "compensation": "UnA", "after": [], "can_be_refused": True},
    {"name": "p", "service": "s", "action": "P", "kind": "pivot", "after": [], "can_be_refused": True},
]


@pytest.mark.parametrize(
    "design",
    [
        in_a_row(5, touching=(0, 2), instances=2),
        designed({"saga": "x", "style": "orchestration", "steps": [step | {"writes": ["x"]} for step in BESIDE]}),
    ],
    ids=["in a row", "side by side"],
)
def test_walks_come_upon_runs_that_are_apart(design: SagaDesign) -> None:
    chosen, apart = random.Random(1), 0  # noqa: S311 - the same
    model = Instances(of(design).model, 2, symmetry=False)
    for _ in range(100):
        (state,) = model.initial()
        while moves := [move for move in model.every_step(state) if not move[0][1].breaks]:
            apart += commutes(model, state, chosen)
            _, state = chosen.choice(moves)
    assert apart > 50


@quick
@given(orchestrated(most_steps=2, shared=True, measures=EVERY_MEASURE))
def test_so_do_three_runs(design: SagaDesign) -> None:
    agree(of(design), runs=3)


@quick
@given(orchestrated(most_steps=2, shared=True, measures=EVERY_MEASURE))
def test_also_where_nothing_that_is_settled_is_forgotten(design: SagaDesign) -> None:
    agree(of(design, forget=False))


@quick
@given(orchestrated(most_steps=2, shared=True), st.sampled_from(sorted(vars(Rules()))))
def test_also_where_a_rule_of_the_protocol_is_broken(design: SagaDesign, rule: str) -> None:
    agree(of(design, rules=Rules(**{rule: False})))


@st.composite
def choreographed(draw: st.DrawFn) -> dict[str, Any]:
    """Any choreography whose steps touch what another step of the same participant touches."""
    spec = draw(specs(style="choreography"))
    for step in spec["steps"]:
        step.pop("countermeasures", None)
        reads, writes = draw(st.booleans()), draw(st.booleans()) and not step.get("read_only")
        step |= {"reads": ["r"] if reads else [], "writes": ["r"] if writes else []}
        if (reads or writes) and (measure := draw(st.sampled_from(EVERY_MEASURE))):
            step["countermeasures"] = {"r": measure}
    return spec


@quick
@given(choreographed())
def test_so_do_choreographies(spec: dict[str, Any]) -> None:
    try:
        design = designed(spec)
    except BadInput:
        return
    agree(Choreography(design, exact=False, resources=Resources.of(design)))


@pytest.mark.parametrize("name", sorted(table()))
def test_the_table_of_two_runs_gets_the_same_verdicts(name: str) -> None:
    assert agree(of(two_runs(name)), most=50_000)


def row(steps: int, measure: str | None, **more: Any) -> SagaDesign:
    return in_a_row(steps, touching=range(steps - 2), measure=measure, instances=2, **more)


# What nobody asks for is not kept, and then no order of the two runs makes a difference.
@pytest.mark.parametrize(
    ("measure", "reads", "sizes"),
    [
        ("semantic-lock", True, snapshot([105, 201, 202, 298, 276, 465, 397, 586])),
        ("commutative-update", False, snapshot([72, 168, 478, 1059, 85, 187, 926, 2101])),
        ("version-file", False, snapshot([72, 168, 478, 1059, 85, 187, 926, 2101])),
        (None, True, snapshot([380, 491, 738, 924, 795, 969, 1463, 1838])),
    ],
)
def test_each_reduction_saves_states_by_itself(measure: str | None, reads: bool, sizes: list[int]) -> None:  # noqa: FBT001 - pytest
    model = of(row(4, measure, reads=reads)).model
    assert [explore(Instances(model, 2, **way)).states for way in WAYS] == sizes


@pytest.mark.parametrize(
    ("runs", "steps", "counts"),
    [(2, 24, snapshot((1532, 2504))), (3, 8, snapshot((337, 612))), (2, 40, snapshot((3852, 6136)))],
)
def test_runs_whose_updates_commute_are_decided(runs: int, steps: int, counts: tuple[int, int]) -> None:
    result = explore(Instances(of(row(steps, "commutative-update", reads=False)).model, runs))
    assert (result.states, result.transitions) == counts
    assert result.bound is None


def test_what_is_broken_is_still_told_by_the_shortest_run() -> None:
    found = verify(row(12, None), SagaOptions(), Silent())
    assert found.complete
    assert all(broken.replayed for broken in found.breaks)
    assert [len(broken.events) for broken in found.breaks][:3] == snapshot([4, 6, 6])
    violated = sorted(verdict.property for verdict in found.verdicts if verdict.outcome is Outcome.VIOLATED)
    assert violated == snapshot(["no dirty read", "no fuzzy read", "no lost update"])


def test_runs_with_too_many_states_of_their_own_are_still_put_in_order() -> None:
    """Then whatever a run can do counts as what it may still do, and nothing is forgotten."""
    model = of(row(4, "commutative-update")).model
    few = Interference(model, most=5)
    assert few.usable
    start = next(iter(Instances(model, 2).initial()))
    assert not few.apart(start, 0) or Interference(model).apart(start, 0)
    assert few.live(start[0]) == start[0]


def test_a_model_that_goes_round_in_circles_is_not_put_in_order() -> None:
    layout = Layout()
    layout.add("here", 1)
    there_and_back = [Command("go", when={"here": n}, then={"here": 1 - n}) for n in (0, 1)]
    model = Instances(CommandModel(layout, there_and_back, start={}, ended=[{"here": 1}]), 2)
    assert not model.partial_order
    assert not model.forget
    assert explore(model).states == 3

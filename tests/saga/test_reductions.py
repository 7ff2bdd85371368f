"""Fewer states of one run, and the same verdicts: with like steps as one, and with what can wait waiting."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.checkers.explore import EVERY_RUN_ENDS, Budget, Path, explore
from halfopen.checkers.reduced import Reduced, explore_reduced
from halfopen.progress import Silent
from halfopen.vocabulary import Outcome
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.protocol.promises import Rules
from halfopen_generators.saga.verify import WHOLE, verify
from tests.saga.designs import in_parallel, orchestrated
from tests.saga.promela.table import designed, table

quick = settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
ORCHESTRATED = sorted(name for name in table() if designed(name).orchestrated)


def reduced(run: Run, *, symmetry: bool = True, partial_order: bool = True, **more: Any) -> Any:
    return explore_reduced(run.model, alike=run.alike if symmetry else (), partial_order=partial_order, **more)


def is_a_run(run: Run, path: Path[int, Any]) -> bool:
    """True if each step of the path is one that the whole model has."""
    moves = zip(path.states, path.actions, path.states[1:], strict=False)
    return all((action, after) in list(run.model.steps(before)) for before, action, after in moves)


def agree(run: Run, *, states: int = 30_000, exact: bool = False) -> bool:
    """Hold each reduction, and both, against the whole graph; False if that was too large to tell."""
    everything = explore(run.model, budget=Budget(states=states))
    if everything.bound is not None:
        return False
    for symmetry, partial_order in itertools.product((True, False), (False,) if exact else (True, False)):
        fewer = reduced(run, symmetry=symmetry, partial_order=partial_order)
        assert set(fewer.violations) == set(everything.violations)
        assert fewer.states <= everything.states
        assert not fewer.cyclic
        for label, path in fewer.violations.items():
            assert is_a_run(run, path)
            assert label == EVERY_RUN_ENDS or path.actions[-1].breaks == label
    return True


@quick
@given(orchestrated(most_steps=3))
def test_any_saga_gets_the_same_verdicts_from_fewer_states(design: SagaDesign) -> None:
    agree(Run(design, exact=False))


@quick
@given(orchestrated(most_steps=3), st.booleans())
def test_also_where_nothing_is_forgotten_or_copies_are_counted(design: SagaDesign, exact: bool) -> None:  # noqa: FBT001 - hypothesis
    agree(Run(design, exact=exact, forget=exact), exact=exact, states=8_000)


@quick
@given(orchestrated(most_steps=5, alike=True))
def test_steps_side_by_side_get_the_same_verdicts(design: SagaDesign) -> None:
    agree(Run(design, exact=False))


@pytest.mark.parametrize("name", ORCHESTRATED)
def test_the_table_gets_the_same_verdicts(name: str) -> None:
    assert agree(Run(designed(name), exact=False))


@pytest.mark.parametrize(
    ("steps", "counts"),
    [(2, snapshot((53, 116))), (5, snapshot((301, 1128))), (12, snapshot((2898, 13476)))],
)
def test_steps_side_by_side_have_exactly_this_size(steps: int, counts: tuple[int, int]) -> None:
    run = Run(in_parallel(steps), exact=False)
    result = reduced(run)
    assert (result.states, result.transitions) == counts
    assert (result.bound, result.cyclic) == (None, False)


def test_each_reduction_saves_states_by_itself() -> None:
    run = Run(in_parallel(4), exact=False)
    sizes = [reduced(run, symmetry=s, partial_order=p).states for s, p in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert sizes == snapshot([2766, 273, 738, 182])


def test_twelve_steps_that_may_be_refused_are_decided() -> None:
    verdicts = verify(in_parallel(12), SagaOptions(), Silent()).verdicts
    assert {verdict.outcome for verdict in verdicts} == {Outcome.HOLDS}


def test_a_fault_among_many_steps_is_found_and_told() -> None:
    design = in_parallel(9, odd={"compensation": None, "kind": None, "irreversible": True})
    assert explore(Run(design, exact=False).model, budget=Budget(states=WHOLE)).bound is not None
    found = verify(design, SagaOptions(), Silent())
    assert found.complete
    assert {(broken.breach.promise, broken.breach.step) for broken in found.breaks} == snapshot(
        {("all or compensated", "s8")}
    )


def test_what_is_found_of_one_step_is_found_of_all_like_it() -> None:
    run = Run(in_parallel(5), exact=False)
    found = set(reduced(run).violations)
    assert found == set(explore(run.model, budget=Budget(states=100_000)).violations)
    assert {f"no effect twice/SAG07/s{n}/deduplicates" for n in range(5)} <= found


def test_steps_that_differ_are_not_taken_for_one() -> None:
    for odd, alike in (({}, [4]), ({"can_be_refused": False}, [3]), ({"retry": {"attempts": 2}}, [3])):
        run = Run(in_parallel(4, odd=odd), exact=True)
        assert [len(parts) for parts in Reduced(run.model, alike=run.alike).symmetry.classes] == alike


def test_a_model_with_faults_of_its_own_is_not_put_in_order() -> None:
    run = Run(in_parallel(2), exact=False, rules=Rules(saves_and_sends_at_once=False))
    assert not Reduced(run.model).partial_order
    assert not Reduced(Run(in_parallel(2), exact=True).model).partial_order

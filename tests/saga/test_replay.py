"""What is shown of a fault: the shortest exact run with the same events, on a slow machine as on a quick one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from halfopen.checkers.explore import Budget, Model, Path, explore
from halfopen.progress import Silent
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.protocol import replay as replaying
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.protocol.replay import replay
from halfopen_generators.saga.verify import verify
from tests.saga.designs import SagaDesign, in_a_row, orchestrated

MOST = 8_000


class Follow(Model[tuple[Any, int], Any]):
    """The exact model, held to the events of a run, for the explorer to search breadth first."""

    def __init__(self, exact: Model[Any, Any], wanted: Sequence[tuple[int, str, str]]) -> None:
        self.exact, self.wanted = exact, wanted
        self.always = {"found": lambda state: state[1] < len(wanted)}

    def initial(self) -> Iterable[tuple[Any, int]]:
        return [(state, 0) for state in self.exact.initial()]

    def steps(self, state: tuple[Any, int]) -> Iterator[tuple[Any, tuple[Any, int]]]:
        for action, (after, behind), _ in replaying._moves(state, self.exact, self.wanted):
            yield action, (after, behind)


def shortest(path: Path[Any, Any], exact: Model[Any, Any]) -> int | None:
    """How many events the shortest replay has; None if it has none."""
    wanted = [replaying._key(*(action if isinstance(action, tuple) else (0, action))) for action in path.actions]
    result = explore(Follow(exact, wanted), budget=Budget(states=MOST), until=["found"])
    found = result.violations.get("found")
    return len(found.actions) if found else None


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(orchestrated(most_steps=2))
def test_no_replay_is_shorter(design: SagaDesign) -> None:
    run, exact = Run(design, exact=False).model, Run(design, exact=True).model
    for path in itertools.islice(explore(run).violations.values(), 4):
        found, best = replay(path, exact, most_states=MOST), shortest(path, exact)
        if best is not None:
            assert found is not None
            assert len(found.actions) == best
        if found is not None:
            moves = zip(found.states, found.actions, found.states[1:], strict=False)
            assert all((action, after) in set(exact.steps(before)) for before, action, after in moves)


def two_that_meet(steps: int) -> SagaDesign:
    """Runs that nothing keeps apart, where they meet and long after."""
    return in_a_row(steps, touching=(1, steps - 4), instances=2)


def test_a_replay_ends_at_a_number_of_states() -> None:
    design = two_that_meet(6)
    runs = [Run(design, exact=exact, resources=Resources.of(design)).model for exact in (False, True)]
    found = explore(Instances(runs[0], 2, partial_order=False)).violations
    exact = Instances(runs[1], 2, symmetry=False, partial_order=False, forget=False)
    path = found["no lost update/SAG12/s1/stock"]
    assert replay(path, exact) is not None
    assert replay(path, exact, most_states=len(path.actions) // 2) is None
    with pytest.raises(ValueError, match="the very order of events"):
        replay(path, Instances(runs[0], 2))


def test_what_happens_late_in_a_run_is_replayed_too() -> None:
    found = verify(two_that_meet(12), SagaOptions(), Silent())
    assert max(len(broken.events) for broken in found.breaks) > 20
    assert all(broken.replayed for broken in found.breaks)


def test_the_clock_does_not_decide_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only explorations may end by it, of one run and of both: each looks twice, nothing else does."""
    design = two_that_meet(10)
    quick = verify(design, SagaOptions(), Silent())
    looks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(looks)))
    slow = verify(design, SagaOptions(max_seconds=1.5), Silent())
    assert slow.complete
    assert {broken.breach.code for broken in slow.breaks} == {"SAG12"}
    assert [broken.told for broken in slow.breaks] == [broken.told for broken in quick.breaks]
    happened = [[[(event.run, str(event.command)) for event in b.events] for b in v.breaks] for v in (slow, quick)]
    assert happened[0] == happened[1]
    assert next(looks) == 4


def test_an_exploration_that_ends_by_the_clock_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: float(next(looks)))
    found = verify(two_that_meet(10), SagaOptions(max_seconds=0.5), Silent())
    assert not found.complete
    assert {verdict.explored.bound for verdict in found.verdicts} == {"0.5 s"}

"""How long the checker takes to a verdict, how many states that is, and what each reduction saves.

`make bench` prints the table; states and states a second stand in `extra_info` (--benchmark-json). No test asserts a
time: what to reach is written beside each row, for a reader to compare on a quiet core.
"""

from __future__ import annotations

import resource
from typing import Any

import pytest

from halfopen.checkers.commands import Command
from halfopen.checkers.explore import Model, Result, explore
from halfopen.checkers.reduced import explore_reduced
from halfopen.progress import Silent
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.verify import Verification, verify
from tests.saga.designs import in_a_row, in_parallel

# How the steps of several runs touch what they share, as `in_a_row` takes it. Nothing keeps them apart in the last two.
TOUCHES: dict[str, dict[str, Any]] = {
    "semantic-lock": {"measure": "semantic-lock"},
    "commutative-update": {"measure": "commutative-update", "reads": False},
    "mixed": {"measures": ("semantic-lock", "commutative-update", "version-file"), "reads": False},
    "locked twice": {"measure": "semantic-lock", "only": (1, -4)},
    "two meet": {"only": (1, -4)},
    "all meet": {},
}


def row(steps: int, runs: int, touches: str = "semantic-lock") -> SagaDesign:
    """A saga in a row; with several runs every step but the last two touches one shared resource, or `only` some."""
    how = dict(TOUCHES[touches])
    only = how.pop("only", range(steps - 2))
    return in_a_row(steps, touching=[n % steps for n in only] if runs > 1 else (), instances=runs, **how)


def model(
    steps: int, runs: int, *, touches: str = "semantic-lock", exact: bool = False, reduced: str = "all"
) -> Model[Any, Any]:
    """The model of that saga, without one reduction."""
    design = row(steps, runs, touches)
    run = Run(design, exact=exact, resources=Resources.of(design), forget=reduced != "no forgetting of steps")
    if runs == 1:
        return run.model
    return Instances(
        run.model,
        runs,
        symmetry=reduced != "no symmetry",
        partial_order=not exact and reduced not in ("no partial order", "neither"),
        forget=not exact and reduced not in ("no forgetting of bits", "neither"),
    )


def timed(benchmark: Any, *args: Any, rounds: int = 3, **options: Any) -> Result[Any, Any]:
    """Build and explore afresh each round: what a user waits for."""

    def fresh() -> Result[Any, Any]:
        return explore(model(*args, **options))

    result: Result[Any, Any] = benchmark.pedantic(fresh, rounds=rounds)
    seconds = benchmark.stats.stats.median
    benchmark.extra_info["states"] = result.states
    benchmark.extra_info["states a second"] = round(result.states / seconds)
    benchmark.extra_info["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert result.bound is None
    return result


TO_REACH = [(2, 24, "1 s"), (3, 8, "1 s"), (2, 40, "10 s"), (3, 12, "10 s")]


def test_time_to_verdict_of_one_run(benchmark: Any) -> None:
    benchmark.extra_info["to reach"] = "1 s"
    timed(benchmark, 60, 1)


@pytest.mark.parametrize(("runs", "steps", "to_reach"), TO_REACH, ids=str)
@pytest.mark.parametrize("touches", [name for name in TOUCHES if name != "all meet"])
def test_time_to_verdict(benchmark: Any, runs: int, steps: int, to_reach: str, touches: str) -> None:
    benchmark.extra_info["to reach"] = to_reach
    timed(benchmark, steps, runs, touches=touches)


@pytest.mark.parametrize(("runs", "steps"), [(2, 24), (3, 8)], ids=str)
@pytest.mark.parametrize("touches", ["two meet", "all meet"])
def test_time_to_what_is_shown(benchmark: Any, runs: int, steps: int, touches: str) -> None:
    """A broken saga from its design to its shortest runs within bounds."""
    design = row(steps, runs, touches)
    found: Verification = benchmark.pedantic(lambda: verify(design, SagaOptions(), Silent()), rounds=3)
    benchmark.extra_info["states"] = found.verdicts[0].explored.states
    benchmark.extra_info["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert found.complete
    assert found.breaks
    assert all(broken.replayed for broken in found.breaks)


@pytest.mark.parametrize(("steps", "to_reach"), [(5, "1 s"), (12, "5 s"), (20, "5 s")], ids=str)
def test_steps_side_by_side(benchmark: Any, steps: int, to_reach: str) -> None:
    benchmark.extra_info["to reach"] = to_reach
    side_by_side(benchmark, steps)


@pytest.mark.parametrize("reduced", ["all", "no symmetry", "no partial order", "neither"])
def test_what_each_reduction_saves_side_by_side(benchmark: Any, reduced: str) -> None:
    symmetry, partial_order = reduced in ("all", "no partial order"), reduced in ("all", "no symmetry")
    side_by_side(benchmark, 5, symmetry=symmetry, partial_order=partial_order)


def side_by_side(benchmark: Any, steps: int, *, symmetry: bool = True, partial_order: bool = True) -> None:
    """Steps that may all be refused, with nothing to wait for but each other."""

    def fresh() -> Result[int, Command]:
        run = Run(in_parallel(steps), exact=False)
        return explore_reduced(run.model, alike=run.alike if symmetry else (), partial_order=partial_order)

    result = benchmark.pedantic(fresh, rounds=3)
    benchmark.extra_info["states"] = result.states
    benchmark.extra_info["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    assert result.bound is None


@pytest.mark.parametrize("touches", ["semantic-lock", "commutative-update"])
@pytest.mark.parametrize(
    "reduced",
    ["all", "no forgetting of steps", "no symmetry", "no partial order", "no forgetting of bits", "neither"],
)
def test_what_each_reduction_saves(benchmark: Any, reduced: str, touches: str) -> None:
    timed(benchmark, 6, 2, reduced=reduced, touches=touches)


@pytest.mark.parametrize("reduced", ["all", "no forgetting of steps"])
def test_exact_mode(benchmark: Any, reduced: str) -> None:
    benchmark.extra_info["to reach"] = "100,000 states a second"
    timed(benchmark, 4, 1, exact=True, reduced=reduced)

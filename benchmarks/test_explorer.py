"""How long the checker takes to a verdict, how many states that is, and what each reduction saves.

`make bench` prints the table; states and states a second stand in `extra_info` (--benchmark-json). No test asserts a
time: what to reach is written beside each row, for a reader to compare on a quiet core.
"""

from __future__ import annotations

import resource
from typing import Any

import pytest

from halfopen.checkers.explore import Model, Result, explore
from halfopen_generators.saga.protocol.isolation import Instances, Resources
from halfopen_generators.saga.protocol.orchestration import Run
from tests.saga.designs import in_a_row


def model(steps: int, runs: int, *, exact: bool = False, reduced: str = "all") -> Model[Any, Any]:
    """A sound saga in a row; with several runs every step but the last two touches one shared resource."""
    touching = range(steps - 2) if runs > 1 else ()
    design = in_a_row(steps, touching=touching, measure="semantic-lock")
    run = Run(design, exact=exact, resources=Resources.of(design), forget=reduced != "no forgetting")
    if runs == 1:
        return run.model
    return Instances(
        run.model, runs, symmetry=reduced != "no symmetry", partial_order=not exact and reduced != "no partial order"
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


@pytest.mark.parametrize(
    ("runs", "steps", "to_reach"),
    [(1, 60, "1 s"), (2, 24, "1 s"), (3, 8, "1 s"), (2, 40, "10 s"), (3, 12, "10 s")],
    ids=str,
)
def test_time_to_verdict(benchmark: Any, runs: int, steps: int, to_reach: str) -> None:
    benchmark.extra_info["to reach"] = to_reach
    timed(benchmark, steps, runs)


@pytest.mark.parametrize("reduced", ["all", "no forgetting", "no symmetry", "no partial order"])
def test_what_each_reduction_saves(benchmark: Any, reduced: str) -> None:
    timed(benchmark, 6, 2, reduced=reduced)


@pytest.mark.parametrize("reduced", ["all", "no forgetting"])
def test_exact_mode(benchmark: Any, reduced: str) -> None:
    benchmark.extra_info["to reach"] = "100,000 states a second"
    timed(benchmark, 4, 1, exact=True, reduced=reduced)

"""All troubles, four policies, several seeds: what the design is worth beside what else one might do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Literal

from halfopen.progress import Progress
from halfopen_generators.breaker.engines import settings_as
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Failure, RetryPlan, TimeoutPlan
from halfopen_generators.breaker.policy import policy
from halfopen_generators.breaker.simulation.clients import settings
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.measures import Outcome
from halfopen_generators.breaker.simulation.run import Times, run, times
from halfopen_generators.breaker.simulation.scale import Scale, scale
from halfopen_generators.breaker.simulation.scenarios import Scenario, Trouble, scenarios

Played = Literal["nothing", "retries only", "usual figures", "the design"]
DESIGN: Played = "the design"
_ALL: tuple[Failure, ...] = ("unreached", "unavailable", "timeout")
# Student's t of 95 %, two-sided, by the number of runs less one.
_T = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Mean:
    """A mean over seeds, and half of the interval that holds the true one in 95 of 100 studies."""

    value: float
    half: float

    def __str__(self) -> str:
        return f"{self.value:.3g}" if self.half == 0 else f"{self.value:.3g} ± {self.half:.1g}"


@dataclass(frozen=True)
class Cell:
    """One policy in one trouble, over all seeds."""

    outcomes: tuple[Outcome, ...]

    def mean(self, of: Callable[[Outcome], float]) -> Mean:
        """The mean of a measure that every run has."""
        values = [of(outcome) for outcome in self.outcomes]
        if len(values) == 1 or not all(map(math.isfinite, values)):
            return Mean(fmean(values), 0.0)
        return Mean(fmean(values), _T[min(len(values), len(_T)) - 1] * stdev(values) / math.sqrt(len(values)))

    def seen(self, of: Callable[[Outcome], float | None]) -> tuple[float, ...]:
        """A measure that not every run has, of those that have it."""
        return tuple(value for outcome in self.outcomes if (value := of(outcome)) is not None)

    @property
    def recovers(self) -> int:
        """In how many of the runs all was well again before they ended."""
        return len(self.seen(lambda outcome: outcome.recovered))


@dataclass(frozen=True)
class Study:
    """What was simulated, and what came of it."""

    load: Scale
    when: Times
    seeds: int
    troubles: Mapping[Scenario, Trouble]
    played: Mapping[Played, CallPlan]
    cells: Mapping[tuple[Scenario, Played], Cell]
    # Whose breaker the design's goes like; None: like one without peculiarities.
    library: str | None = None

    @property
    def runs(self) -> int:
        """How many runs it took."""
        return sum(len(cell.outcomes) for cell in self.cells.values())

    @property
    def whole(self) -> bool:
        """Whether nobody interrupted it."""
        return self.runs == len(self.troubles) * len(self.played) * self.seeds


def policies(call: CallPlan) -> dict[Played, CallPlan]:
    """What is compared: no policy at all, the usual retries without a breaker, the usual figures, and the design."""
    bare = replace(call, timeout=TimeoutPlan(math.inf, math.inf), retry=None, breaker=None, bulkhead=None, limit=None,
                   hedge=None)  # fmt: skip
    retries, breaker = policy().retry, policy().breaker
    attempts = 1 + policy().usual.attempts.value
    longest = retries.first_wait.value * retries.factor.value ** (attempts - 2)
    usual = RetryPlan(attempts, retries.first_wait.value, retries.factor.value, longest, "none", math.inf, _ALL)
    again = replace(bare, timeout=TimeoutPlan(policy().timeout.start.value, math.inf), retry=usual)
    figures = BreakerPlan(
        window="time",
        size=breaker.window.value,
        minimum_calls=policy().usual.minimum_calls.value,
        failure_ratio=breaker.failure_ratio.value,
        slow_ratio=None,
        slow_after=None,
        open_for=breaker.open_for.value,
        probes=breaker.probes.value,
    )
    return {"nothing": bare, "retries only": again, "usual figures": replace(again, breaker=figures), DESIGN: call}


def study(call: CallPlan, seeds: int, progress: Progress, library: str | None = None) -> Study:
    """Simulate a call; the innermost of a chain. What was not reached before it was cancelled is missing.

    Args:
        call: The designed call.
        seeds: How many runs each policy has in each trouble.
        progress: Told of each run.
        library: Whose breaker the design's goes like: a name of `engines.ENGINES`.
    """
    load = scale(call.known)
    when = times(call, load)
    troubles = scenarios(call.known, when.until - when.begins)
    played = policies(call)
    found: dict[tuple[Scenario, Played], list[Outcome]] = {}
    for number, (place, outcome) in enumerate(_runs(load, when, seeds, troubles, played, library), 1):
        found.setdefault(place, []).append(outcome)
        progress.report(number, "runs simulated")
        if progress.cancelled():
            break
    cells = {place: Cell(tuple(outcomes)) for place, outcomes in found.items()}
    return Study(load, when, seeds, troubles, played, cells, library)


def _runs(
    load: Scale,
    when: Times,
    seeds: int,
    troubles: Mapping[Scenario, Trouble],
    played: Mapping[Played, CallPlan],
    library: str | None,
) -> Iterator[tuple[tuple[Scenario, Played], Outcome]]:
    known = next(iter(played.values())).known
    latency = Latency.through(known.p50, known.p99, known.p999)
    manners = {name: settings(plan.breaker) if plan.breaker else None for name, plan in played.items()}
    if library is not None and (wanted := manners[DESIGN]) is not None:
        manners[DESIGN] = settings_as(library, wanted)
    for seed in range(seeds):
        draws = Draws(seed, latency)
        for scenario, trouble in troubles.items():
            for name, plan in played.items():
                yield (scenario, name), run(plan, manners[name], trouble, load, draws, when)

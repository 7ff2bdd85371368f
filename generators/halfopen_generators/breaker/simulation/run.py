"""One run: a policy, a trouble, a seed. The same three give the same outcome to the last digit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.automaton import Settings
from halfopen_generators.breaker.plan import BulkheadPlan, CallPlan
from halfopen_generators.breaker.simulation.clients import Client
from halfopen_generators.breaker.simulation.dependency import Dependency
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.measures import Measures, Outcome
from halfopen_generators.breaker.simulation.scale import Scale
from halfopen_generators.breaker.simulation.scenarios import Trouble

# The trouble lasts as long as the dependency takes to come back, but no longer than that: what has not shown by then,
# doesn't show later either. Each part of a run holds so many calls at least.
_LONGEST = 20.0
_BEFORE, _DURING, _AFTER = 10.0, 10.0, 35.0
_CALLS = 200.0


@dataclass(frozen=True)
class Times:
    """The parts of a run, in seconds from its start."""

    begins: float
    until: float
    ends: float


def times(plan: CallPlan, load: Scale) -> Times:
    """All is well for long enough to fill a window, then there is trouble, then there is none."""
    least = _CALLS / load.total
    window = plan.breaker.size if plan.breaker and plan.breaker.window == "time" else 0.0
    begins = max(_BEFORE, window, least)
    during = max(_DURING, min(plan.known.recovery_time, _LONGEST), least)
    return Times(begins, begins + during, begins + during + max(_AFTER, least))


def thinned(plan: CallPlan, load: Scale) -> CallPlan:
    """The policy as one simulated instance plays it: with as much less room as it has less traffic."""
    if plan.bulkhead is None or load.thinned == 1:
        return plan
    return replace(plan, bulkhead=BulkheadPlan(max(1, math.ceil(plan.bulkhead.concurrent * load.thinned))))


def run(plan: CallPlan, manner: Settings | None, trouble: Trouble, load: Scale, draws: Draws, when: Times) -> Outcome:
    """What came of the policy in that trouble.

    Args:
        plan: The policy.
        manner: How its breaker goes; None: it has none.
        trouble: What goes wrong.
        load: How much is simulated.
        draws: The luck of a seed; the same for all policies that are compared.
        when: The parts of the run.
    """
    simulation = Simulation(draws.seed)
    known = plan.known
    measures = Measures(when.begins, when.until, when.ends, plan.deadline, load.total)
    dependency = Dependency(simulation, load.servers, draws, known.error_rate, trouble, when.begins)
    own = thinned(plan, load)
    clients = [Client(simulation, own, dependency, measures, manner) for _ in range(load.instances)]
    usual, utilisation, gaps = load.total, known.rate / known.capacity, draws.gaps
    surges = trouble.scenario in ("herd", "overload")
    calls = [client.call for client in clients]

    def arrive(number: int) -> None:
        calls[number % len(calls)](None)
        if number + 1 >= len(gaps):
            draws.more_gaps()
        rate = usual * trouble.busier(simulation.now - when.begins, utilisation) if surges else usual
        simulation.after(gaps[number + 1] / rate, arrive, number + 1)

    draws.more_gaps()
    simulation.after(gaps[0] / usual, arrive, 0)
    simulation.run(when.begins)
    before = dependency.tries
    simulation.run(when.ends)
    return measures.outcome(dependency.tries - before)

"""One run: a policy, a trouble, a seed. The same three give the same outcome to the last digit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.automaton import Settings
from halfopen_generators.breaker.formulas import blocked, places
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import BreakerPlan, BulkheadPlan, CallPlan, Known, LimitPlan
from halfopen_generators.breaker.policy import policy
from halfopen_generators.breaker.simulation.clients import Client
from halfopen_generators.breaker.simulation.dependency import Dependency
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.measures import Measures, Outcome
from halfopen_generators.breaker.simulation.scale import Scale
from halfopen_generators.breaker.simulation.scenarios import Trouble

# The trouble lasts as long as the dependency takes to come back, but no longer than that: what has not shown by then,
# doesn't show later either. Each part of a run holds so many calls at least; and of a window that has to be filled
# before, so many at most, or a run would take minutes.
_LONGEST = 20.0
_BEFORE, _DURING, _AFTER = 10.0, 10.0, 35.0
_CALLS = 200.0
_MOST_CALLS = 10_000.0
# Fewer calls than these are opened by chance; what has more, or fewer already, keeps its relation.
_LEAST_CALLS = 20


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
    begins = max(_BEFORE, min(window, _MOST_CALLS / load.total), least)
    during = max(_DURING, min(plan.known.recovery_time, _LONGEST), least)
    return Times(begins, begins + during, begins + during + max(_AFTER, least))


def thinned(plan: CallPlan, load: Scale) -> CallPlan:
    """The policy as one simulated instance plays it: with as much less room as it has less traffic."""
    share = load.thinned
    if share == 1:
        return plan
    return replace(
        plan,
        bulkhead=plan.bulkhead and _less_room(plan.bulkhead, plan.known, share),
        limit=plan.limit and LimitPlan(plan.limit.rate * share),
        breaker=plan.breaker and _fewer_calls(plan.breaker, load.rate / plan.known.shards, share),
    )


@cache
def _less_room(bulkhead: BulkheadPlan, known: Known, share: float) -> BulkheadPlan:
    """As many places as refuse the same share of a healthy load: of a smaller one that is more than its share."""
    whole = known.each * Latency.through(known.p50, known.p99, known.p999).mean
    usual = max(policy().bulkhead.refused.value, blocked(bulkhead.concurrent, whole))
    return BulkheadPlan(max(math.ceil(bulkhead.concurrent * share), places(whole * share, usual)))


def _fewer_calls(breaker: BreakerPlan, rate: float, share: float) -> BreakerPlan:
    """A window that tells as soon as the whole one does, as far as so few calls can tell anything."""
    least = min(breaker.minimum_calls, _LEAST_CALLS)
    if breaker.window == "time":
        reached = max(least, int(rate * breaker.size / 2))
        return replace(breaker, minimum_calls=min(breaker.minimum_calls, reached))
    minimum = max(least, math.ceil(breaker.minimum_calls * share))
    return replace(breaker, size=max(minimum, math.ceil(breaker.size * share)), minimum_calls=minimum)


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
    if manner is not None and own.breaker is not plan.breaker and own.breaker and manner.window == own.breaker.window:
        manner = replace(manner, size=own.breaker.size, minimum_calls=own.breaker.minimum_calls)
    clients = [Client(simulation, own, dependency, measures, manner) for _ in range(load.instances)]
    before: list[int] = []
    simulation.after(when.begins, lambda _: before.append(dependency.tries))
    surges = trouble.scenario in ("herd", "overload")
    usual, utilisation = load.total, load.utilisation
    calls, many, gaps, callers, parts = (
        [one.call for one in clients],
        len(clients),
        draws.gaps,
        draws.callers,
        draws.parts,
    )
    number, now = 0, 0.0
    while True:
        if number >= len(gaps):
            draws.more_calls()
        now += gaps[number] / (usual * trouble.busier(now - when.begins, utilisation) if surges else usual)
        if now >= when.ends:
            break
        # What comes next is known, so that it need not wait among the events.
        simulation.run(now)
        calls[int(callers[number] * many)](parts[number])
        number += 1
    # Whoever comes last gets as much time for an answer as the others.
    simulation.run(when.ends + plan.deadline)
    return measures.outcome(dependency.tries - before[0])

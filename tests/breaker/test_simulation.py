"""The simulated callers and dependency: against queueing theory, against the laws of counting, and try by try."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass, field, replace
from random import Random
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.automaton import State
from halfopen_generators.breaker.formulas import blocked
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import (
    BreakerPlan,
    BulkheadPlan,
    CallPlan,
    HedgePlan,
    LimitPlan,
    RetryPlan,
    TimeoutPlan,
)
from halfopen_generators.breaker.simulation import clients
from halfopen_generators.breaker.simulation.clients import SAVED, Client
from halfopen_generators.breaker.simulation.dependency import Dependency
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.measures import Measures
from halfopen_generators.breaker.simulation.run import run, times
from halfopen_generators.breaker.simulation.scale import scale
from halfopen_generators.breaker.simulation.scenarios import Trouble, scenarios
from halfopen_generators.breaker.simulation.study import policies
from tests.breaker import plans

ALL_WELL = Trouble("errors", "", 1.0, "")
NEVER = math.inf
SEEDS = 20
# Student's t for a two-sided interval of 99.9 % from twenty runs.
T = 3.883
ALL = ("unreached", "unavailable", "timeout")


def holds(runs: list[float], expected: float) -> bool:
    """Whether the formula's value lies in the interval that the runs give."""
    half = T * stdev(runs) / math.sqrt(len(runs))
    # An interval as wide as the value would hold anything.
    assert half < 0.2 * expected
    return abs(fmean(runs) - expected) < half


class Exponential(Latency):
    """Service times that queueing theory has formulas for; the mean is what the quantiles are said to be."""

    def draw(self, numbers: Random) -> float:
        return numbers.expovariate(1 / self.p50)


def erlang_c(servers: int, load: float) -> float:
    """The chance to wait at all: https://en.wikipedia.org/wiki/Erlang_(unit)#Erlang_C_formula."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)


def asked(servers: int, rate: float, latency: Latency, seed: int) -> float:
    """The mean wait before service of 10,000 tries, after 500 that warm it up."""
    simulation, draws = Simulation(seed), Draws(seed, latency)
    dependency = Dependency(simulation, servers, draws, 0.0, ALL_WELL, NEVER)
    draws.more_tries()
    waits = []
    for number in range(10_500):
        if number + 1 >= len(draws.gaps):
            draws.more_calls()
        simulation.run(simulation.now + draws.gaps[number] / rate)
        ends, good = dependency.answers(0)
        assert good
        waits.append(ends - simulation.now - draws.services[number])
    return fmean(waits[500:])


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.5), (2, 1.4), (5, 4.0)])
def test_the_dependency_is_a_queue_of_erlang_c(servers: int, rate: float) -> None:
    found = [asked(servers, rate, Exponential(1.0, 1.0, 1.0), seed) for seed in range(SEEDS)]
    assert holds(found, erlang_c(servers, rate) / (servers - rate))


def test_the_dependency_with_any_times_waits_as_long_as_pollaczek_and_khinchine_say() -> None:
    """M/G/1: the mean wait is rate x E(S^2) / 2 (1 - utilisation); M/G/c by the approximation of Lee and Longton."""
    latency = Latency(0.5, 1.5, 2.5)
    second = fmean(latency.quantile((step + 0.5) / 20_000) ** 2 for step in range(20_000))
    rate = 0.6 / latency.mean
    found = [asked(1, rate, latency, seed) for seed in range(SEEDS)]
    assert holds(found, rate * second / 2 / (1 - 0.6))
    spread = second / latency.mean**2 - 1
    several = fmean(asked(5, 4.0 / latency.mean, latency, seed) for seed in range(SEEDS))
    expected = (1 + spread) / 2 * erlang_c(5, 4.0) / (5 - 4.0) * latency.mean
    assert several == pytest.approx(expected, rel=0.1)


@dataclass
class Told(Measures):
    """Measures that keep what they are told, too."""

    calls: int = 0
    ended: list[tuple[float, float, bool]] = field(default_factory=list)
    states: list[tuple[float, State]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(0.0, 1.0, 10_000.0, 1_000.0, 1.0)

    def came(self, now: float) -> None:
        self.calls += 1
        super().came(now)

    def over(self, came: float, now: float, *, good: bool) -> None:
        self.ended.append((came, now, good))
        super().over(came, now, good=good)

    def changed(self, now: float, state: State) -> None:
        self.states.append((round(now, 6), state))
        super().changed(now, state)


@dataclass
class Scripted:
    """A dependency that answers as it is told to: how long each try takes, and whether it ends well; the last again."""

    simulation: Simulation
    script: list[tuple[float, bool]]
    asked: list[float] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)

    def answers(self, part: int) -> tuple[float, bool]:
        takes, good = self.script[min(len(self.asked), len(self.script) - 1)]
        self.asked.append(round(self.simulation.now, 6))
        self.parts.append(part)
        return self.simulation.now + takes, good


def waiting(attempts: int, budget: float = math.inf, *, on_open: bool = False) -> RetryPlan:
    return RetryPlan(attempts, 1.0, 2.0, 3.0, "none", budget, ALL, on_open)


def played(
    plan: CallPlan, script: list[tuple[float, bool]], arrivals: list[float], parts: list[float] | None = None
) -> tuple[Told, Scripted]:
    """One instance that plays a policy: when each call came and was over, and what the dependency saw."""
    simulation = Simulation()
    told, dependency = Told(), Scripted(simulation, script)
    manner = clients.settings(plan.breaker) if plan.breaker else None
    client = Client(simulation, plan, dependency, told, manner)  # type: ignore[arg-type] # it answers, no more is asked
    for number, time in enumerate(arrivals):
        simulation.after(time, client.call, parts[number] if parts else 0.0)
    simulation.run(9_000.0)
    return told, dependency


def bare(**parts: Any) -> CallPlan:
    wanted: dict[str, Any] = {"timeout": TimeoutPlan(5.0, 100.0), "retry": None, "breaker": None, "bulkhead": None}
    return plans.call(**(wanted | parts))


def test_a_failed_try_is_tried_again_after_waits_that_grow_to_the_longest() -> None:
    told, dependency = played(bare(retry=waiting(5)), [(0.5, False)], [0.0])
    assert dependency.asked == [0.0, 1.5, 4.0, 7.5, 11.0]
    assert told.ended == [(0.0, 11.5, False)]
    told, dependency = played(bare(retry=waiting(3)), [(0.5, False), (0.5, True)], [0.0])
    assert (dependency.asked, told.ended) == ([0.0, 1.5], [(0.0, 2.0, True)])


def test_a_try_is_given_up_at_its_timeout_and_the_call_at_the_deadline_of_all() -> None:
    told, _ = played(bare(), [(60.0, True)], [0.0])
    assert told.ended == [(0.0, 5.0, False)]
    # The second try has what is left of the deadline; and no wait outlasts it.
    told, dependency = played(bare(timeout=TimeoutPlan(5.0, 8.0), retry=waiting(4)), [(60.0, True)], [0.0])
    assert (dependency.asked, told.ended) == ([0.0, 6.0], [(0.0, 8.0, False)])
    told, dependency = played(bare(timeout=TimeoutPlan(5.0, 5.5), retry=waiting(4)), [(60.0, True)], [0.0])
    assert (dependency.asked, told.ended) == ([0.0], [(0.0, 5.5, False)])


def test_a_budget_permits_its_share_and_what_it_has_saved() -> None:
    many = 200
    arrivals = [10.0 * number for number in range(many)]
    told, dependency = played(bare(retry=waiting(4, 0.1)), [(0.1, False)], arrivals)
    assert len(told.ended) == many
    assert len(dependency.asked) == pytest.approx(many * 1.1 + SAVED, abs=2)
    _, unlimited = played(bare(retry=waiting(4)), [(0.1, False)], arrivals)
    assert len(unlimited.asked) == many * 4
    # One retry for each call, and not three, since no more is saved for.
    _, whole = played(bare(retry=waiting(4, 1.0)), [(0.1, False)], arrivals)
    assert len(whole.asked) == pytest.approx(many * 2 + SAVED, abs=2)


BREAKER = BreakerPlan("count", 4, 4, 0.5, None, None, 10.0, 2)


def test_an_open_breaker_lets_nothing_through_until_probes_close_it() -> None:
    script = [(0.1, False)] * 4 + [(0.1, True)]
    arrivals = [0.0, 1.0, 2.0, 3.0, 4.0, 12.0, 13.2, 13.3, 13.4, 14.0]
    told, dependency = played(bare(breaker=BREAKER), script, arrivals)
    # Of three calls while it is half open two are probes, and nothing else passes before these are over.
    assert dependency.asked == [0.0, 1.0, 2.0, 3.0, 13.2, 13.3, 14.0]
    assert told.states == [(3.1, "open"), (13.2, "half_open"), (13.4, "closed")]
    assert [good for *_, good in told.ended] == [False] * 6 + [True, False, True, True]


def test_what_an_open_breaker_refuses_is_tried_again_only_where_that_is_wanted() -> None:
    quickly = replace(waiting(3), first_wait=6.0, longest_wait=6.0)
    script, arrivals = [(0.1, False)] * 4 + [(0.1, True)], [0.0, 0.0, 0.0, 0.0, 1.0]
    plan = bare(breaker=BREAKER, retry=replace(quickly, on_open=False))
    told, _ = played(plan, script, arrivals)
    # The first four come again at 6.1, are refused, and that is the end of them.
    assert [time for _, time, _ in told.ended] == pytest.approx([1.0, 6.1, 6.1, 6.1, 6.1])
    told, dependency = played(replace(plan, retry=replace(quickly, on_open=True)), script, arrivals)
    assert dependency.asked[4:] == pytest.approx([12.1, 12.1, 13.0])
    assert [good for *_, good in told.ended].count(True) == 3


def test_a_breaker_without_probes_never_closes_again() -> None:
    for window in ("count", "time"):
        plan = bare(breaker=replace(BREAKER, window=window, probes=0))
        told, dependency = played(plan, [(0.1, False)] * 4 + [(0.1, True)], [float(time) for time in range(100)])
        assert (len(dependency.asked), told.states) == (4, [(3.1, "open")])


def test_each_shard_has_a_breaker_of_its_own_and_a_retry_goes_to_the_same_shard() -> None:
    known = replace(plans.KNOWN, shards=4)
    script, arrivals = [(0.1, False)] * 4 + [(0.1, True)], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    told, dependency = played(bare(breaker=BREAKER, known=known), script, arrivals, [0.5] * 4 + [0.5, 0.76])
    assert dependency.parts == [2, 2, 2, 2, 3]
    assert [good for *_, good in told.ended] == [False] * 5 + [True]
    _, dependency = played(bare(retry=waiting(4), known=known), [(0.1, False)], [0.0], [0.3])
    assert dependency.parts == [1] * 4


def test_a_full_bulkhead_refuses_at_once_and_the_breaker_does_not_hear_of_it() -> None:
    plan = bare(bulkhead=BulkheadPlan(2), breaker=BREAKER, retry=waiting(3))
    told, dependency = played(plan, [(4.0, True)], [0.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.5])
    assert dependency.asked == [0.0, 1.0, 4.5]
    assert told.ended[:4] == [(time, time, False) for time in (2.0, 2.5, 3.0, 3.5)]
    assert told.states == []


def test_a_limit_refuses_what_is_beyond_so_many_a_second() -> None:
    arrivals = [number / 10 for number in range(100)]
    told, dependency = played(bare(limit=LimitPlan(4.0)), [(0.1, True)], arrivals)
    # A second's worth at once, and then four a second.
    assert dependency.asked[:5] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert len(dependency.asked) == pytest.approx(4 + 4 * 9.9, abs=1)
    assert sum(good for *_, good in told.ended) == len(dependency.asked)
    _, seldom = played(bare(limit=LimitPlan(0.1)), [(0.1, True)], arrivals)
    assert seldom.asked == [0.0]


def test_a_hedge_overtakes_a_slow_first_try() -> None:
    plan = bare(hedge=HedgePlan(2.0), retry=waiting(2, 0.1))
    told, dependency = played(plan, [(4.5, True), (1.0, True)], [0.0])
    assert (dependency.asked, told.ended) == ([0.0, 2.0], [(0.0, 3.0, True)])
    told, dependency = played(plan, [(1.5, True)], [0.0])
    assert dependency.asked == [0.0]
    # It is a try as any other: of the budget, and of the attempts.
    _, dependency = played(plan, [(4.5, True)], [100.0 * number for number in range(80)])
    assert len(dependency.asked) == pytest.approx(80 * 1.1 + SAVED, abs=2)


def test_a_hedge_and_a_retry_together_are_no_more_tries_than_are_permitted() -> None:
    plan = bare(hedge=HedgePlan(2.0), retry=waiting(3))
    # Both of the first tries fail before the third is due: it is one, and not one for each.
    told, dependency = played(plan, [(3.0, False), (1.5, False), (1.0, True)], [0.0])
    assert (dependency.asked, told.ended) == ([0.0, 2.0, 5.0], [(0.0, 6.0, True)])
    told, dependency = played(plan, [(3.0, False), (1.5, False), (1.0, False)], [0.0])
    assert (dependency.asked, told.ended) == ([0.0, 2.0, 5.0], [(0.0, 6.0, False)])


def test_what_refuses_a_second_try_does_not_end_a_call_whose_other_try_runs() -> None:
    plan = bare(hedge=HedgePlan(2.0), retry=waiting(3), bulkhead=BulkheadPlan(2))
    # The first fails at 3; its retry at 5 finds both places taken, by the hedge and by another call.
    told, dependency = played(plan, [(3.0, False), (4.0, True), (1.9, True)], [0.0, 4.0])
    assert dependency.asked == [0.0, 2.0, 4.0]
    assert [(came, good) for came, _, good in told.ended] == [(4.0, True), (0.0, True)]


OUTCOME = """
from tests.breaker import plans
from tests.breaker.test_simulation import outcome
print(outcome("usual figures", "herd", 5), outcome("the design", "brownout", 6))
"""


def outcome(name: Any, scenario: Any, seed: int, plan: CallPlan | None = None) -> Any:
    plan = plan or replace(plans.call(), deadline=2.0)
    load = scale(plan.known)
    when = times(plan, load)
    known = plan.known
    draws = Draws(seed, Latency(known.p50, known.p99, known.p999))
    one = policies(plan)[name]
    manner = clients.settings(one.breaker) if one.breaker else None
    return run(one, manner, scenarios(known, when.until - when.begins)[scenario], load, draws, when)


def test_a_seed_gives_the_same_outcome_to_the_last_digit_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", OUTCOME], check=True, capture_output=True, text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    here = f"{outcome('usual figures', 'herd', 5)} {outcome('the design', 'brownout', 6)}\n"
    assert told == {here}
    assert outcome("the design", "herd", 5) != outcome("the design", "herd", 6)


def test_all_policies_meet_the_same_calls() -> None:
    came: dict[str, list[float]] = {}

    class Noted(Measures):
        def came(self, now: float) -> None:
            came[name].append(now)
            super().came(now)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("halfopen_generators.breaker.simulation.run.Measures", Noted)
        for name in policies(plans.call()):
            came[name] = []
            outcome(name, "overload", 3)
    first, *others = came.values()
    assert len(first) > 2_000
    assert all(other == first for other in others)


def lossy(places: int, seed: int) -> float:
    """The share that a bulkhead refuses of Poisson arrivals to an instance, by a dependency that never queues."""
    simulation, latency = Simulation(seed), Exponential(1.0, 1.0, 1.0)
    draws = Draws(seed, latency)
    told = Told()
    dependency = Dependency(simulation, 1_000, draws, 0.0, ALL_WELL, NEVER)
    client = Client(simulation, bare(timeout=TimeoutPlan(NEVER, NEVER), bulkhead=BulkheadPlan(places)), dependency,
                    told, None)  # fmt: skip
    for number in range(4_000):
        if number + 1 >= len(draws.gaps):
            draws.more_calls()
        simulation.run(simulation.now + draws.gaps[number] / 4.0)
        client.call(0.0)
    simulation.run(simulation.now + 1_000.0)
    assert len(told.ended) == told.calls == 4_000
    refused = [(came, now) for came, now, good in told.ended if not good]
    assert all(came == now for came, now in refused)
    # Little's law: of those who are let in, rate x time are here, which is the load that is carried.
    carried = sum(now - came for came, now, _ in told.ended) / told.ended[-1][0]
    assert carried == pytest.approx(4.0 * (1 - len(refused) / 4_000), rel=0.15)
    return len(refused) / 4_000


@pytest.mark.parametrize("places", [1, 3, 6])
def test_a_bulkhead_is_the_loss_system_of_erlang_b(places: int) -> None:
    """M/M/c/c; that only the mean of the service times matters is why one formula will do for any of them."""
    assert holds([lossy(places, seed) for seed in range(SEEDS)], blocked(places, 4.0))


def with_queue(places: int, rate: float, seed: int) -> float:
    """The share that a bulkhead refuses before a dependency with one server: M/M/1/K."""
    simulation, draws, told = Simulation(seed), Draws(seed, Exponential(1.0, 1.0, 1.0)), Told()
    dependency = Dependency(simulation, 1, draws, 0.0, ALL_WELL, NEVER)
    client = Client(simulation, bare(timeout=TimeoutPlan(NEVER, NEVER), bulkhead=BulkheadPlan(places)), dependency,
                    told, None)  # fmt: skip
    for number in range(6_000):
        if number + 1 >= len(draws.gaps):
            draws.more_calls()
        simulation.run(simulation.now + draws.gaps[number] / rate)
        client.call(0.0)
    return 1 - dependency.tries / told.calls


@pytest.mark.parametrize(("places", "rate"), [(1, 0.7), (3, 0.9), (5, 1.5)])
def test_a_bulkhead_before_one_server_is_a_queue_with_places(places: int, rate: float) -> None:
    """M/M/1/K: the chance that all places are taken is (1 - r) r^K / (1 - r^(K + 1))."""
    expected = (1 - rate) * rate**places / (1 - rate ** (places + 1))
    assert holds([with_queue(places, rate, seed) for seed in range(SEEDS)], expected)


@settings(max_examples=60, deadline=None)
@given(plans.calls(), st.integers(0, 5), st.sampled_from(list(scenarios(plans.KNOWN, 20.0))), st.integers(1, 3))
def test_every_call_is_over_once_or_under_way_and_no_policy_tries_more_than_it_may(
    plan: CallPlan, seed: int, scenario: Any, shards: int
) -> None:
    plan = replace(plan, deadline=plan.timeout.overall, known=replace(plan.known, shards=shards))
    simulation = Simulation(seed)
    told = Told()
    draws = Draws(seed, Latency(0.04, 0.25, 0.9))
    trouble = scenarios(plan.known, 20.0)[scenario]
    dependency = Dependency(simulation, 3, draws, 0.01, trouble, 5.0)
    manner = clients.settings(plan.breaker) if plan.breaker else None
    client = Client(simulation, plan, dependency, told, manner)
    draws.more_calls()
    for number in range(800):
        simulation.run(simulation.now + draws.gaps[number] / 20.0)
        client.call(draws.parts[number])
    overall = plan.timeout.overall
    simulation.run(simulation.now + overall + 1.0)
    # All are over by now, since nobody waits beyond the deadline of all tries.
    assert sorted(came for came, *_ in told.ended) == pytest.approx(sorted({came for came, *_ in told.ended}))
    assert len(told.ended) == told.calls == 800
    assert all(now - came <= overall + 1e-6 for came, now, _ in told.ended)
    assert client._busy == 0  # no place is lost
    attempts = plan.retry.attempts if plan.retry else 1 + (plan.hedge is not None)
    assert sum(good for *_, good in told.ended) <= dependency.tries <= attempts * told.calls
    if plan.retry:
        assert dependency.tries <= told.calls * (1 + plan.retry.budget) + SAVED + 1

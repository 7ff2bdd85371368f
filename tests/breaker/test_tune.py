"""What is looked for around the design: it does no worse, breaks no rule, ends, and is found again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from halfopen.progress import Silent
from halfopen_generators.breaker import tune as tuning
from halfopen_generators.breaker.openings import seen
from halfopen_generators.breaker.plan import BreakerPlan, BulkheadPlan, CallPlan, HedgePlan, TimeoutPlan
from halfopen_generators.breaker.spec import Objective
from halfopen_generators.breaker.tune import Trial, Tuned, dials, front, keeps_rules, tune
from tests.breaker import plans
from tests.breaker.support_design import PAYMENT, a_dialect, answered, asked, dialects

__all__ = ["dialects"]
pytestmark = pytest.mark.usefixtures("dialects")


class Counted(Silent):
    """Counts runs, and ends the search after so many."""

    def __init__(self, most: float = math.inf) -> None:
        self.runs, self.most = 0, most

    def report(self, done: int, what: str) -> None:
        assert (done, what) == (self.runs + 1, "runs simulated")
        self.runs = done

    def cancelled(self) -> bool:
        return self.runs >= self.most


@pytest.fixture(scope="module")
def quick() -> Iterator[CallPlan]:
    """The payment's design, and a search that takes seconds: one seed, and each figure once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("halfopen_generators.breaker.shares.dialect", a_dialect)
        patched.setattr(tuning, "SEEDS", 1)
        patched.setattr(tuning, "ROUNDS", 1)
        yield answered(PAYMENT).call


@pytest.fixture(scope="module")
def found(quick: CallPlan) -> tuple[Tuned, int]:
    counted = Counted()
    return tune(quick, Objective(), counted), counted.runs


def chosen(tuned: Tuned) -> Trial:
    (one,) = (trial for trial in tuned.trials if trial.plan == tuned.chosen)
    return one


def test_what_is_found_answers_no_fewer_calls_than_the_design(quick: CallPlan, found: tuple[Tuned, int]) -> None:
    tuned, runs = found
    design = tuned.trials[0]
    assert (design.plan, design.differs) == (quick, ())
    best = chosen(tuned)
    assert best.goodput > design.goodput + 0.005
    assert best.differs
    assert tuned.met
    assert len(tuned.trials) * 8 <= runs <= tuning.MOST_RUNS
    assert len(tuned.trials) > 10


def test_nothing_that_breaks_a_rule_is_tried(found: tuple[Tuned, int]) -> None:
    for trial in found[0].trials:
        plan = trial.plan
        known, retry, breaker = plan.known, plan.retry, plan.breaker
        assert breaker
        assert plan.bulkhead
        tries = (retry.attempts, sum(retry.waits)) if retry else (1, 0.0)
        assert tries[0] * plan.timeout.per_try + tries[1] <= plan.deadline + 1e-9
        assert plan.timeout.overall == (plan.deadline if retry else plan.timeout.per_try)
        assert known.rate / known.capacity * (1 + (retry.budget if retry else 0)) < 1
        assert seen(known, known.rate) * breaker.size >= breaker.minimum_calls
        assert plan.bulkhead.concurrent >= known.each * known.p99
        assert ("retry" in plan.layers) == (retry is not None)


def test_the_front_is_what_each_load_buys(found: tuple[Tuned, int]) -> None:
    tuned, _ = found
    assert len(tuned.front) >= 3
    assert all(one.load < other.load and one.goodput < other.goodput for one, other in pairwise(tuned.front))
    assert max(trial.goodput for trial in tuned.trials) == tuned.front[-1].goodput
    for trial in tuned.trials:
        assert any(best.load <= trial.load and best.goodput >= trial.goodput for best in tuned.front)
    assert tuned.points == tuple((trial.load, trial.goodput) for trial in tuned.front)
    assert [row[0] for row in tuned.rows] == [f"{trial.goodput:.1%}" for trial in tuned.front]
    assert tuned.rows[-1][-1] == "; ".join(tuned.front[-1].differs)


def test_the_same_is_found_again(quick: CallPlan, found: tuple[Tuned, int]) -> None:
    assert tune(quick, Objective(), Silent()) == found[0]


def test_what_is_stated_is_met_with_the_least_load(quick: CallPlan, found: tuple[Tuned, int]) -> None:
    tuned = tune(quick, Objective(goodput="65%", amplification=1.2), Silent())
    best, most = chosen(tuned), chosen(found[0])
    assert tuned.met
    assert best.goodput >= 0.65
    assert best.amplification <= 1.2
    assert best.load < min(tuned.trials[0].load, most.load)


def test_what_can_not_be_met_is_said_and_the_nearest_given(quick: CallPlan) -> None:
    tuned = tune(quick, Objective(goodput="99.9%"), Counted(120))
    assert not tuned.met
    assert chosen(tuned).goodput == max(trial.goodput for trial in tuned.trials)


def test_a_search_that_is_cancelled_gives_the_best_so_far(quick: CallPlan) -> None:
    counted = Counted(20)
    tuned = tune(quick, Objective(), counted)
    assert counted.runs == 20
    assert tuned.trials[0].plan == quick
    at_once = tune(quick, Objective(), Counted(3))
    assert (at_once.chosen, at_once.trials, at_once.front, at_once.met) == (quick, (), (), False)


@pytest.mark.usefixtures("quick")
def test_so_many_runs_are_made_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "MOST_RUNS", 30)
    counted = Counted()
    tune(asked(), Objective(), counted)
    assert counted.runs == 30


@pytest.mark.usefixtures("quick")
def test_what_may_not_happen_twice_is_never_tried_twice() -> None:
    tuned = tune(asked(idempotency_key=None), Objective(), Counted(150))
    assert all(trial.plan.retry is None for trial in tuned.trials)
    # Not even where somebody asked for it: of what is tried, what keeps the rules is better.
    tuned = tune(asked(idempotency_key=None, retries={"attempts": 2}), Objective(), Silent())
    assert tuned.trials[0].plan.retry
    assert tuned.chosen.retry is None
    assert keeps_rules(tuned.chosen)
    assert all(trial.plan.retry is None for trial in tuned.front)


def trial(goodput: float, load: float, recovers: float | None = 1.0, plan: CallPlan | None = None) -> Trial:
    return Trial(plan or replace(plans.call(), deadline=2.0), (), goodput, load, load * 1.2, recovers)


def test_without_an_objective_goodput_counts_then_load_then_recovery() -> None:
    ordered = [trial(0.9, 1.0), trial(0.8, 0.7, 3.0), trial(0.8, 0.7, None), trial(0.8, 0.9), trial(0.7, 0.1)]
    assert sorted([*ordered[2:], *ordered[:2]], key=lambda one: tuning._rank(one, Objective())) == ordered
    # A difference that chance makes is none.
    assert tuning._rank(trial(0.8001, 1.0), Objective()) > tuning._rank(trial(0.7999, 0.9), Objective())


def test_with_an_objective_what_meets_it_counts_and_then_load() -> None:
    objective = Objective(goodput="80%", amplification=1.2, recover_within="10s")
    ordered = [trial(0.8, 0.9), trial(0.9, 1.0), trial(0.9, 1.1), trial(0.7, 1.0), trial(0.8, 0.1, None)]
    assert sorted([*ordered[2:], *ordered[:2]], key=lambda one: tuning._rank(one, objective)) == ordered
    assert [tuning._missing(one, objective) > 0 for one in ordered] == [False, False, True, True, True]
    broken = trial(1.0, 0.1, plan=replace(plans.call(), deadline=0.1))
    assert tuning._rank(broken, objective) > tuning._rank(ordered[-1], objective)


def test_a_front_leaves_out_what_another_does_better() -> None:
    one, better, same, worse, more = (
        trial(0.5, 1.0),
        trial(0.6, 1.0),
        trial(0.6, 1.0),
        trial(0.55, 1.1),
        trial(0.7, 2),
    )
    assert front([more, worse, one, same, better]) == (same, more)
    assert front([]) == ()


GOOD = replace(plans.call(), deadline=2.0)
BREAKER = GOOD.breaker or BreakerPlan("time", 10, 10, 0.5, None, None, 5.0, 3)


@pytest.mark.parametrize(
    "broken",
    [
        replace(GOOD, timeout=TimeoutPlan(0.96, 2.0)),
        replace(GOOD, timeout=TimeoutPlan(0.03, 2.0)),
        replace(GOOD, safety="unsafe"),
        replace(GOOD, retried_by=("mesh",)),
        replace(GOOD, known=replace(GOOD.known, capacity=239.0)),
        replace(GOOD, retry=None, hedge=HedgePlan(0.15)),
        replace(GOOD, hedge=HedgePlan(0.95)),
        replace(GOOD, breaker=replace(BREAKER, minimum_calls=1_000)),
        replace(GOOD, breaker=replace(BREAKER, window="count", size=10, minimum_calls=20)),
        replace(GOOD, breaker=replace(BREAKER, probes=0)),
        replace(GOOD, breaker=replace(BREAKER, slow_ratio=0.5, slow_after=1.0)),
        replace(GOOD, bulkhead=BulkheadPlan(8)),
    ],
)
def test_each_rule_is_kept(broken: CallPlan) -> None:
    assert keeps_rules(GOOD)
    assert not keeps_rules(broken)


def test_a_policy_without_a_part_has_no_figures_of_it() -> None:
    bare = replace(GOOD, breaker=None, bulkhead=None, retry=None, layers=("timeout",))
    changed = [plan for dial in dials(bare) for plan in dial(bare)]
    assert {(plan.breaker, plan.bulkhead) for plan in changed} == {(None, None)}
    # Retries may come to where there were none.
    assert {plan.layers for plan in changed} == {("timeout",), ("retry", "timeout")}

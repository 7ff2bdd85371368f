"""Looks around the design for a policy that does better in the simulation, and says what more load buys.

One figure after the other is tried at other values, the best is kept, and all are gone through once more. What is tried
meets one seed first, and only what does best there meets the others (successive halving). All meet the same calls, so
that a difference is theirs. Nothing that breaks a rule is ever tried: what retries may do is no matter of taste.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from halfopen.durations import spell_duration
from halfopen.progress import Progress
from halfopen.quantities import spell_share
from halfopen_generators.breaker.formulas import calls_needed, places, rounded_up
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.openings import seen, usual_errors
from halfopen_generators.breaker.plan import BreakerPlan, BulkheadPlan, CallPlan, RetryPlan, TimeoutPlan
from halfopen_generators.breaker.policy import policy
from halfopen_generators.breaker.simulation.clients import settings
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.measures import Outcome
from halfopen_generators.breaker.simulation.run import run, times
from halfopen_generators.breaker.simulation.scale import scale
from halfopen_generators.breaker.simulation.scenarios import scenarios
from halfopen_generators.breaker.spec import Objective

SEEDS = 3
ROUNDS = 2
# How many of the values that are tried meet all seeds.
_KEPT = 2
# A minute's worth of one core: so many runs at most, and so many calls in all of them.
MOST_RUNS = 1_200
_MOST_CALLS = 5_000_000
# Goodput that differs by less is the same.
_DIGITS = 3


@dataclass(frozen=True)
class Trial:
    """A policy, and what came of it in all troubles."""

    plan: CallPlan
    differs: tuple[str, ...]  # from the design: what, and what it was there
    goodput: float  # the share of calls answered well, over all troubles
    load: float  # tries that reach the dependency for one call, over all troubles
    amplification: float  # the same in the worst of them
    recovers: float | None  # seconds until all is well again, at the worst; None: not always seen


@dataclass(frozen=True)
class Tuned:
    """What was looked for and found. `trials` met all seeds, the design first; `front` is the best for each load."""

    chosen: CallPlan
    trials: tuple[Trial, ...]
    front: tuple[Trial, ...]
    met: bool

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """Load and goodput of the front, for a plot; both rise."""
        return tuple((trial.load, trial.goodput) for trial in self.front)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The front as a table: goodput, tries a call on average and at the worst, recovery, what differs."""
        return tuple(
            (
                f"{trial.goodput:.1%}",
                f"{trial.load:.2f}",
                f"{trial.amplification:.2f}",
                "not always" if trial.recovers is None else f"{trial.recovers:.3g} s",
                "; ".join(trial.differs) or "the design",
            )
            for trial in self.front
        )


def tune(call: CallPlan, objective: Objective, progress: Progress) -> Tuned:
    """Look for the policy that meets the objective with the least load, or, without one, for the most goodput.

    The same call gives the same result. If it is cancelled, what was best until then is the result.

    Args:
        call: The designed call.
        objective: What is to be met; where nothing is stated, goodput counts first, then load, then recovery.
        progress: Told of each run.
    """
    search = _Search(call, progress)
    best = search.trial(call, SEEDS)
    if best is None:
        return Tuned(call, (), (), met=False)
    for _ in range(ROUNDS):
        before = best
        for dial in dials(call):
            best = _turn(search, dial(best.plan), best, objective)
            if search.over:
                break
        if best is before or search.over:
            break
    found = tuple(search.found.values())
    lawful = [trial for trial in found if keeps_rules(trial.plan)]
    return Tuned(best.plan, found, front(lawful), met=_missing(best, objective) == 0)


def _turn(search: _Search, others: Iterable[CallPlan], best: Trial, objective: Objective) -> Trial:
    """The best of one figure's values: each on one seed, then the better ones on all."""
    tried = [trial for plan in others if keeps_rules(plan) and (trial := search.trial(plan, 1)) is not None]
    tried.sort(key=lambda trial: _rank(trial, objective))
    for first in tried[:_KEPT]:
        trial = search.trial(first.plan, SEEDS)
        if trial is not None and _rank(trial, objective) < _rank(best, objective):
            best = trial
    return best


def keeps_rules(plan: CallPlan) -> bool:
    """Whether the policy keeps what no figure of a simulation outweighs.

    All tries fit into the deadline; nothing unsafe, and nothing that others retry already, is tried again; retries
    never make of a busy dependency one that can't recover; the breaker can open; a healthy peak finds its place.
    """
    known, retry, breaker, per_try = plan.known, plan.retry, plan.breaker, plan.timeout.per_try
    if per_try > plan.deadline or per_try < known.p50:
        return False
    if retry and not (
        retry.attempts * per_try + sum(retry.waits) <= plan.deadline + 1e-9
        and plan.safety != "unsafe"
        and not plan.retried_by
        and known.rate / known.capacity * (1 + retry.budget) < 1
    ):
        return False
    if plan.hedge and not (retry and plan.hedge.after < per_try):
        return False
    if breaker and not _can_open(plan, breaker):
        return False
    return plan.bulkhead is None or plan.bulkhead.concurrent >= max(known.each * known.p99, _least_places(plan))


def _can_open(plan: CallPlan, breaker: BreakerPlan) -> bool:
    held = breaker.size if breaker.window == "count" else seen(plan.known, plan.known.rate) * breaker.size
    late = breaker.slow_after is not None and breaker.slow_after > plan.timeout.per_try
    return breaker.minimum_calls <= held and breaker.probes > 0 and not late


def _least_places(plan: CallPlan) -> int:
    known = plan.known
    mean = Latency.through(known.p50, known.p99, known.p999).mean
    return places(known.each * mean, policy().bulkhead.refused.value)


Dial = Callable[[CallPlan], Iterator[CallPlan]]


def dials(design: CallPlan) -> tuple[Dial, ...]:
    """Each gives a policy's neighbours in one figure; the values lie around the design's, so that they are bounded."""
    latency = Latency.through(design.known.p50, design.known.p99, design.known.p999)
    waited = sorted({rounded_up(latency.quantile(share)) for share in (0.99, 0.995, 0.998, 0.999)})

    def per_try(plan: CallPlan) -> Iterator[CallPlan]:
        for seconds in waited:
            overall = plan.deadline if plan.retry else seconds
            yield replace(plan, timeout=TimeoutPlan(seconds, overall))

    def attempts(plan: CallPlan) -> Iterator[CallPlan]:
        yield from (_with_attempts(plan, number) for number in range(1, policy().retry.most.value + 2))

    def budget(plan: CallPlan) -> Iterator[CallPlan]:
        if plan.retry:
            yield from (replace(plan, retry=replace(plan.retry, budget=share)) for share in (0.05, 0.1, 0.2, 0.3, 0.5))

    def bulkhead(plan: CallPlan) -> Iterator[CallPlan]:
        if plan.bulkhead and design.bulkhead:
            for times_as_many in (0.5, 0.75, 1.5, 2.0, 4.0):
                many = math.ceil(design.bulkhead.concurrent * times_as_many)
                yield replace(plan, bulkhead=BulkheadPlan(many))

    return (*_of_breaker(design), per_try, attempts, budget, bulkhead)


def _of_breaker(design: CallPlan) -> Iterator[Dial]:
    stood = design.breaker
    if stood is None:
        return

    def dial(name: str, values: Iterable[Any]) -> Dial:
        def neighbours(plan: CallPlan) -> Iterator[CallPlan]:
            for value in values:
                yield replace(plan, breaker=_with(plan, name, value))

        return neighbours

    factors = (0.5, 2.0)
    sizes = [stood.size * factor for factor in factors]
    yield dial("size", sizes if stood.window == "time" else [math.ceil(size) for size in sizes])
    yield dial("failure_ratio", (0.2, 0.3, 0.4, 0.5, 0.7))
    yield dial("open_for", [rounded_up(max(1.0, stood.open_for * factor)) for factor in (0.25, *factors)])
    yield dial("slow_ratio", (None, 0.3, 0.5, 0.8))


def _with(plan: CallPlan, name: str, value: Any) -> BreakerPlan:
    """The policy's breaker with another figure, and with those that follow from it."""
    breaker, known = plan.breaker, plan.known
    if breaker is None:
        raise ValueError("a policy without a breaker has no figures of one")
    if name == "slow_ratio":
        between = rounded_up(math.sqrt(known.p99 * plan.timeout.per_try))
        return replace(breaker, slow_ratio=value, slow_after=None if value is None else between)
    changed = replace(breaker, **{name: value})
    if name != "failure_ratio":
        return changed
    figures = policy().breaker
    wrong = usual_errors(known, plan.timeout)
    needed = calls_needed(value, wrong, figures.false_open.value, figures.least_calls.value, int(1e5))
    # Where chance opens it, however many are counted, no window holds as many as these.
    return replace(changed, minimum_calls=needed or int(1e9))


def _with_attempts(plan: CallPlan, number: int) -> CallPlan:
    """The policy with so many tries in all, and waits and layers as they then are."""
    per_try = plan.timeout.per_try
    others = tuple(layer for layer in plan.layers if layer != "retry")
    if number == 1:
        return replace(plan, timeout=TimeoutPlan(per_try, per_try), retry=None, hedge=None, layers=others)
    retry = plan.retry or _first_retry(plan)
    longest = max(retry.longest_wait, retry.first_wait * retry.factor ** (number - 2))
    place = others.index("fallback") + 1 if "fallback" in others else 0
    return replace(
        plan,
        timeout=TimeoutPlan(per_try, plan.deadline),
        retry=replace(retry, attempts=number, longest_wait=longest),
        layers=(*others[:place], "retry", *others[place:]),
    )


def _first_retry(plan: CallPlan) -> RetryPlan:
    """Retries for a policy that has none: what design would take, with a budget for half of what can be spared."""
    figures, known = policy().retry, plan.known
    wait = min(figures.first_wait.value, max(0.001, rounded_up(figures.share.value * plan.deadline)))
    spare = max(0.0, known.capacity / known.rate - 1)
    return RetryPlan(
        attempts=2,
        first_wait=wait,
        factor=figures.factor.value,
        longest_wait=wait,
        jitter=figures.jitter.value,
        budget=min(figures.budget.value, int(spare * 50) / 100),
        on=("unreached", "unavailable", "timeout"),
    )


class _Search:
    """What was simulated so far. The same policy is never simulated twice on one seed."""

    def __init__(self, design: CallPlan, progress: Progress) -> None:
        known = design.known
        self._design = design
        self._progress = progress
        self._load = scale(known)
        widest = replace(design.breaker, size=design.breaker.size * 2) if design.breaker else None
        self._when = times(replace(design, breaker=widest), self._load)
        self._troubles = tuple(scenarios(known, self._when.until - self._when.begins).values())
        latency = Latency.through(known.p50, known.p99, known.p999)
        self._draws = [Draws(seed, latency) for seed in range(SEEDS)]
        self._outcomes: dict[tuple[CallPlan, int], tuple[Outcome, ...]] = {}
        self._runs = 0
        self._most = min(MOST_RUNS, max(200, int(_MOST_CALLS / (self._when.ends * self._load.total))))
        self.found: dict[CallPlan, Trial] = {}

    @property
    def over(self) -> bool:
        """Whether nothing more is simulated."""
        return self._runs >= self._most or self._progress.cancelled()

    def trial(self, plan: CallPlan, seeds: int) -> Trial | None:
        """The policy on so many seeds; None if there is no time left for it."""
        every: list[Outcome] = []
        for seed in range(seeds):
            if (plan, seed) not in self._outcomes:
                outcomes = tuple(self._simulated(plan, seed))
                if len(outcomes) < len(self._troubles):
                    return None
                self._outcomes[plan, seed] = outcomes
            every += self._outcomes[plan, seed]
        trial = self._judged(plan, every)
        if seeds == SEEDS:
            self.found.setdefault(plan, trial)
        return trial

    def _simulated(self, plan: CallPlan, seed: int) -> Iterator[Outcome]:
        manner = settings(plan.breaker) if plan.breaker else None
        for trouble in self._troubles:
            if self.over:
                return
            yield run(plan, manner, trouble, self._load, self._draws[seed], self._when)
            self._runs += 1
            self._progress.report(self._runs, "runs simulated")

    def _judged(self, plan: CallPlan, outcomes: list[Outcome]) -> Trial:
        many = len(self._troubles)
        by_trouble = [fmean(one.amplification for one in outcomes[place::many]) for place in range(many)]
        recovered = [one.recovered for one in outcomes]
        return Trial(
            plan=plan,
            differs=tuple(_differences(self._design, plan)),
            goodput=fmean(one.goodput for one in outcomes),
            load=fmean(one.amplification for one in outcomes),
            amplification=max(by_trouble),
            recovers=None if None in recovered else max(one for one in recovered if one is not None),
        )


def _rank(trial: Trial, objective: Objective) -> tuple[float, ...]:
    """What is less is better: rules, then what is stated, then goodput and load in the order that is asked for."""
    broken = float(not keeps_rules(trial.plan))
    recovers = math.inf if trial.recovers is None else trial.recovers
    goodput, load = -round(trial.goodput, _DIGITS), round(trial.load, _DIGITS)
    if objective == Objective():
        return broken, goodput, load, recovers
    return broken, _missing(trial, objective), load, goodput, recovers


def _missing(trial: Trial, objective: Objective) -> float:
    """By how much the objective is missed, as a share of what is asked for; 0 if it is met."""
    missing = 0.0
    if objective.goodput:
        missing += max(0.0, 1 - trial.goodput / objective.goodput)
    if objective.amplification:
        missing += max(0.0, trial.amplification / objective.amplification - 1)
    if objective.recover_within:
        seconds = 1e6 if trial.recovers is None else trial.recovers
        missing += max(0.0, seconds / objective.recover_within - 1)
    return missing


def front(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Those of which none answers more calls well with as little load, the least load first."""
    best: list[Trial] = []
    for trial in sorted(trials, key=lambda one: (one.load, -one.goodput)):
        if not best or trial.goodput > best[-1].goodput:
            best.append(trial)
    return tuple(best)


def _differences(design: CallPlan, plan: CallPlan) -> Iterator[str]:
    before, now = _figures(design), _figures(plan)
    yield from (f"{name} {now[name]}, not {before[name]}" for name in now if now[name] != before[name])


def _figures(plan: CallPlan) -> Mapping[str, str]:
    """The figures that are looked for, as a spec writes them."""
    breaker, retry = plan.breaker, plan.retry
    found = {"timeout": spell_duration(plan.timeout.per_try), "tries": str(retry.attempts if retry else 1)}
    found["budget"] = spell_share(retry.budget) if retry else "none"
    if breaker:
        size = spell_duration(breaker.size) if breaker.window == "time" else f"{breaker.size:g} calls"
        slow = "none" if breaker.slow_ratio is None else spell_share(breaker.slow_ratio)
        slow += f" over {spell_duration(breaker.slow_after)}" if breaker.slow_after is not None else ""
        found |= {
            "window": size,
            "minimum_calls": str(breaker.minimum_calls),
            "failure_ratio": spell_share(breaker.failure_ratio),
            "open_for": spell_duration(breaker.open_for),
            "slow_ratio": slow,
        }
    found["concurrent"] = str(plan.bulkhead.concurrent) if plan.bulkhead else "any number"
    return found

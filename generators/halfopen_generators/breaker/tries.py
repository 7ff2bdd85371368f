"""How long one try is waited for, and what is tried again: one question, since all tries share one deadline."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from halfopen.durations import spell_duration
from halfopen.quantities import spell_share
from halfopen.vocabulary import Decision
from halfopen_generators.breaker.formulas import rounded_up
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import CallPlan, Failure, Known, RetryPlan, Safety, TimeoutPlan
from halfopen_generators.breaker.policy import policy
from halfopen_generators.breaker.spec import AskedRetries, Call

RESILIENCE_LAW = 5
IDEMPOTENCY_LAW = 7
YEAR = 365 * 24 * 3600.0  # the longest duration that there is
_ALL: tuple[Failure, ...] = ("unreached", "unavailable", "timeout")


@dataclass(frozen=True)
class Tries:
    """What was decided of one call's tries."""

    timeout: TimeoutPlan
    retry: RetryPlan | None
    decisions: tuple[Decision, ...]


def safety(call: Call) -> Safety:
    """Whether a second call with the same content does harm."""
    if call.idempotent:
        return "idempotent"
    return "keyed" if call.idempotency_key else "unsafe"


def tries(call: Call, known: Known, about: str, elsewhere: str | None = None, beneath: CallPlan | None = None) -> Tries:
    """Timeout and retries of a call.

    Args:
        call: What is asked.
        known: What is known of it.
        about: What the call's keys are called in decisions, such as `then[0].`.
        elsewhere: Who of the same chain tries again, if it isn't this call.
        beneath: What the dependency calls in turn before it answers.
    """
    latency = Latency.through(known.p50, known.p99, known.p999)
    figures = policy().timeout
    quantile = max(latency.quantile(1 - figures.false_share.value), figures.padding.value * known.p50)
    wanted = call.timeout or min(YEAR, rounded_up(quantile))
    # As long as what is called may still wait itself, there is an answer to wait for.
    longer = min(YEAR, rounded_up(beneath.timeout.overall + known.p50)) if beneath else 0.0
    if call.timeout is None:
        wanted = max(wanted, longer)
    asked = call.retries or AskedRetries()
    why_not = _why_not(call, known, asked, elsewhere)
    wishes = _wishes(call, known, asked)
    most = asked.attempts or (1 if why_not else policy().retry.most.value)
    # A quicker second try may be worth more than the last thousandth of patience, but not than a hundredth.
    least = max(latency.quantile(1 - figures.most_false.value), longer)
    attempts, per_try = _fitting(call, wishes, most, wanted, least)
    retry = _plan(wishes, attempts)
    timeout = TimeoutPlan(per_try, call.deadline if retry else per_try)
    decided = (
        *_about_timeout(call, latency, (timeout, attempts), wanted, about, beneath),
        *_about_retry(call, known, timeout, retry, why_not, about),
    )
    return Tries(timeout, retry, decided)


def _why_not(call: Call, known: Known, asked: AskedRetries, elsewhere: str | None) -> str:
    """Why nothing is tried again; empty if it may be."""
    if safety(call) == "unsafe":
        return (
            f"{call.operation} isn't idempotent and has no idempotency key: a try whose answer was lost may have had "
            "its effect, and a second one would have it again."
        )
    if call.retried_by:
        return f"{', '.join(call.retried_by)} retries this call already: retries at two layers multiply."
    if elsewhere is not None:
        return f"{elsewhere}: it is nearest to what fails, and retries at two layers multiply."
    if asked.budget is None and _room(known) < policy().retry.least_share.value:
        return (
            f"The dependency is {spell_share(round(known.rate / known.capacity, 3))} busy at the busiest hour: retries "
            "would be the load that keeps it down."
        )
    return ""


def _room(known: Known) -> float:
    """The budget that leaves half of the spare capacity to others."""
    return min(policy().retry.budget.value, max(0.0, known.capacity / known.rate - 1) / 2)


def _wishes(call: Call, known: Known, asked: AskedRetries) -> RetryPlan:
    """The retries as they are wished for, before the deadline says how many there can be."""
    figures = policy().retry
    first = asked.first_wait or min(
        figures.first_wait.value,
        max(0.001, rounded_up(figures.share.value * call.deadline)),
        asked.longest_wait or math.inf,
    )
    factor = asked.factor or figures.factor.value
    attempts = asked.attempts or figures.most.value
    longest = asked.longest_wait or max(first, min(call.deadline, first * factor ** max(0, attempts - 2)))
    return RetryPlan(
        attempts=attempts,
        first_wait=first,
        factor=factor,
        longest_wait=longest,
        jitter=asked.jitter or figures.jitter.value,
        budget=asked.budget if asked.budget is not None else int(_room(known) * 100 + 1e-9) / 100,
        on=_ALL,
        on_open=asked.on_open,
    )


def _plan(wishes: RetryPlan, attempts: int) -> RetryPlan | None:
    if attempts == 1:
        return None
    return RetryPlan(
        attempts=attempts,
        first_wait=wishes.first_wait,
        factor=wishes.factor,
        longest_wait=max(wishes.first_wait, min(wishes.longest_wait, max(_waits(wishes, attempts)))),
        jitter=wishes.jitter,
        budget=wishes.budget,
        on=wishes.on,
        on_open=wishes.on_open,
    )


def _waits(wishes: RetryPlan, attempts: int) -> tuple[float, ...]:
    return tuple(min(wishes.longest_wait, wishes.first_wait * wishes.factor**n) for n in range(attempts - 1)) or (0.0,)


def _fitting(call: Call, wishes: RetryPlan, most: int, wanted: float, least: float) -> tuple[int, float]:
    """How many tries the deadline has room for, and how long each may take: what is wanted, or no less than that."""
    asked = call.retries is not None and call.retries.attempts is not None
    if asked and call.timeout:
        return most, wanted  # whether it fits is for a rule to say
    for attempts in range(most, 1, -1):
        left = call.deadline - sum(_waits(wishes, attempts))
        if attempts * wanted <= left + 1e-9:
            return attempts, wanted
        fewest, shorter = most if asked else 2, _rounded_down(left / attempts)
        if attempts == fewest and call.timeout is None and shorter >= least and attempts * shorter <= left + 1e-9:
            return attempts, shorter
        if asked:
            return most, min(wanted, call.deadline)
    return 1, min(wanted, call.deadline)


def _rounded_down(seconds: float) -> float:
    return max(0.001, int(seconds * 100) / 100 if seconds >= 0.1 else int(seconds * 1000) / 1000)  # noqa: PLR2004 - two digits


def _about_timeout(
    call: Call,
    latency: Latency,
    tried: tuple[TimeoutPlan, int],
    wanted: float,
    about: str,
    beneath: CallPlan | None,
) -> Iterator[Decision]:
    timeout, attempts = tried
    if call.timeout:
        return
    usual = spell_duration(policy().timeout.start.value)
    cut = spell_share(round(latency.above(timeout.per_try), 4))
    because = f"{cut} of healthy calls take longer, by the latency that was measured."
    if beneath is not None and timeout.per_try > beneath.timeout.overall:
        waits = spell_duration(beneath.timeout.overall)
        because += f" {beneath.caller} itself waits up to {waits} for {beneath.dependency}."
    if timeout.per_try < wanted:
        room = (
            f"the deadline of {spell_duration(call.deadline)} leaves"
            if timeout.per_try >= call.deadline
            else f"{attempts} tries within {spell_duration(call.deadline)} leave"
        )
        because += f" {spell_duration(wanted)} would cut off fewer, but {room} no more room."
    yield Decision(
        about=f"{about}timeout",
        choice=spell_duration(timeout.per_try),
        because=because,
        instead_of=(f"{usual}, the usual figure (note timeout-from-measurement)",),
        law=RESILIENCE_LAW,
    )


def _about_retry(
    call: Call, known: Known, timeout: TimeoutPlan, retry: RetryPlan | None, why_not: str, about: str
) -> Iterator[Decision]:
    if call.retries is not None and call.retries.attempts is not None:
        return
    figures = policy().retry
    usual = f"{figures.start.value} retries after 1, 2 and 4 s, the usual figures (notes retries-add-up, retry-budget)"
    if retry is None:
        why = why_not or (
            f"A second try doesn't fit into {spell_duration(call.deadline)} without cutting off more than "
            f"{spell_share(policy().timeout.most_false.value)} of healthy calls."
        )
        law = IDEMPOTENCY_LAW if safety(call) == "unsafe" else RESILIENCE_LAW
        yield Decision(about=f"{about}retries", choice="none", because=why, instead_of=(usual,), law=law)
        return
    worst = retry.attempts * timeout.per_try + sum(retry.waits)
    safe = "It is idempotent" if call.idempotent else f"The dependency knows a repeated call by {call.idempotency_key}"
    waits = " and ".join(spell_duration(wait) for wait in retry.waits)
    yield Decision(
        about=f"{about}retries",
        choice=f"{retry.attempts} tries, waits of at most {waits} with {retry.jitter} jitter, budget "
        f"{spell_share(retry.budget)}",
        because=f"{safe}; at worst they take {spell_duration(round(worst, 3))} of "
        f"{spell_duration(call.deadline)}; the budget keeps the dependency below "
        f"{spell_share(rounded_up(known.rate * (1 + retry.budget) / known.capacity, 3))} of what it can do.",
        instead_of=(usual,),
        law=RESILIENCE_LAW,
    )

"""What can be said of one call's policy without running anything: one function per fault, each with its figures.

A fix begins with what to write, in backticks, wherever a figure mends it; what stands behind "or" is another way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from halfopen.durations import spell_duration
from halfopen.findings import at
from halfopen.quantities import spell_rate, spell_share
from halfopen.vocabulary import Finding, Severity
from halfopen.wording import count
from halfopen_generators.breaker.breaker_rules import OF_A_BREAKER, longer_timeout, spell_figure
from halfopen_generators.breaker.codes import finding
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import CallPlan, RetryPlan
from halfopen_generators.breaker.policy import policy

_SLIGHTLY = 1e-9
# Enough equal shares of the calls that the mean of their times is right to three digits.
_STEPS = 2_000
# What a spec may ask for.
_MOST_PLACES = 1_000_000


def tries_in_deadline(call: CallPlan) -> Iterator[Finding]:
    """NET03: all tries and waits together take longer than anybody waits."""
    retry = call.retry
    if retry is None or (worst := _worst(call, retry, retry.attempts)) <= call.deadline + _SLIGHTLY:
        return
    waited = f" and waits of {spell_duration(round(sum(retry.waits), 3))}" if sum(retry.waits) else ""
    fitting = [n for n in range(1, retry.attempts) if _worst(call, retry, n) <= call.deadline + _SLIGHTLY]
    yield finding(
        "NET03",
        f"At worst {retry.attempts} tries of {spell_duration(call.timeout.per_try)}{waited} take "
        f"{spell_duration(round(worst, 3))}; the deadline is {spell_duration(call.deadline)}, so that the last try is "
        "made for nobody.",
        f"`retries: {{attempts: {max(fitting, default=1)}}}`, or a shorter timeout.",
        at(*call.location, "retries", "attempts"),
        at(*call.location, "timeout"),
        at(*call.location, "deadline"),
    )


def _worst(call: CallPlan, retry: RetryPlan, attempts: int) -> float:
    return attempts * call.timeout.per_try + sum(retry.waits[: attempts - 1])


def jitter(call: CallPlan) -> Iterator[Finding]:
    """RES02: all that failed together comes back together."""
    if call.retry and call.retry.jitter == "none":
        yield finding(
            "RES02",
            "Without jitter, what fails together (all calls under way when the dependency restarts) is tried again "
            f"together, exactly {spell_duration(call.retry.first_wait)} later.",
            "`retries: {jitter: full}`",
            at(*call.location, "retries", "jitter"),
            severity=Severity.WARNING,
        )


def unsafe_retry(call: CallPlan) -> Iterator[Finding]:
    """RES05: what may not happen twice is sent twice."""
    if call.safety != "unsafe" or not (call.retry or call.retried_by):
        return
    others = ", ".join(call.retried_by)
    who = " and ".join([*([f"{call.retry.attempts} tries are asked for"] if call.retry else []),
                        *([f"{others} tries it again"] if others else [])])  # fmt: skip
    less = ["`retries: {attempts: 1}`"] if call.retry else []
    off = [f"`retried_by: []` once {others} doesn't"] if others else []
    yield finding(
        "RES05",
        f"{call.operation} isn't idempotent and has no idempotency_key, and {who}: a try whose answer was lost may "
        "have had its effect, and the next one has it again.",
        f"{' and '.join([*less, *off])}, or the idempotency_key by which {call.dependency} knows a repeated call.",
        at(*call.location, "retries" if call.retry else "retried_by"),
        at(*call.location, "idempotent"),
    )


def retried_rejections(call: CallPlan) -> Iterator[Finding]:
    """RES08: waiting for a breaker that has said no."""
    retry, breaker = call.retry, call.breaker
    if retry is None or breaker is None or not retry.on_open or sum(retry.waits) >= breaker.open_for:
        return
    yield finding(
        "RES08",
        f"What the open breaker rejects is tried again within {spell_duration(round(sum(retry.waits), 3))}, and "
        f"it stays open for {spell_duration(breaker.open_for)}: the caller waits, and is rejected all the same.",
        "`retries: {on_open: false}`",
        at(*call.location, "retries", "on_open"),
        severity=Severity.WARNING,
    )


def budget(call: CallPlan) -> Iterator[Finding]:
    """RES12: nothing bounds how many calls are retries."""
    if call.retry and call.retry.budget >= 1:
        yield finding(
            "RES12",
            f"A budget of {spell_share(call.retry.budget)} bounds nothing: when all calls fail, "
            f"{call.retry.attempts} tries each are up to {call.retry.attempts} times the load, just when the "
            "dependency can do least.",
            f"`{_fewer_retries(call)}`",
            at(*call.location, "retries", "budget"),
            severity=Severity.WARNING,
        )


def fallback_apart(call: CallPlan) -> Iterator[Finding]:
    """RES13: a fallback that is down whenever it is needed."""
    if call.fallback and call.fallback_dependency == call.dependency:
        yield finding(
            "RES13",
            f"The fallback calls {call.dependency}, which is what has failed when it is needed.",
            f"A fallback that needs nothing of {call.dependency}, or none: an error that comes at once.",
            at(*call.location, "fallback_dependency"),
        )


def bulkhead(call: CallPlan) -> Iterator[Finding]:
    """RES14: by Little's law more calls are under way than there are places."""
    if call.bulkhead is None:
        return
    known, longest = call.known, call.timeout.per_try
    slow = known.each * min(known.p99, longest)
    if call.bulkhead.concurrent >= slow:
        return
    mean = _mean(Latency.through(known.p50, known.p99, known.p999), longest)
    always = call.bulkhead.concurrent < known.each * mean
    takes = f"{spell_duration(round(mean, 3) or 0.001)} on average" if always else f"{spell_duration(known.p99)} (p99)"
    places = math.ceil(slow * policy().bulkhead.headroom.value)
    refused = "calls are refused all the time" if always else "calls are refused as soon as it is a little slow"
    yield finding(
        "RES14",
        f"{spell_rate(known.each)} of one instance x {takes} are "
        f"{spell_figure(known.each * mean if always else slow)} calls under way; "
        f"the bulkhead has {count(call.bulkhead.concurrent, 'place')}, so {refused}.",
        f"`bulkhead: {{concurrent: {places}}}`" if places <= _MOST_PLACES else "More instances, which share the calls.",
        at(*call.location, "bulkhead", "concurrent"),
        severity=Severity.ERROR if always else Severity.WARNING,
    )


def _mean(latency: Latency, longest: float) -> float:
    """The mean time of a try, which is over at its timeout."""
    return math.fsum(min(longest, latency.quantile((step + 0.5) / _STEPS)) for step in range(_STEPS)) / _STEPS


def metastable(call: CallPlan) -> Iterator[Finding]:
    """RES19: more is asked for than the dependency can do, or will be as soon as retries begin."""
    known, extra = call.known, _extra(call)
    asked = known.rate * (1 + extra)
    if asked < known.capacity:
        return
    if extra:
        says = f"{spell_rate(known.rate)} and {spell_share(round(extra, 4))} of further tries are {spell_rate(asked)}"
        end = "once calls fail, the tries keep it from coming back, though the cause is gone"
    else:
        says = f"{spell_rate(known.rate)} are called at the busiest hour"
        end = "its queue grows, and never empties while that lasts"
    beyond = known.rate >= known.capacity
    yield finding(
        "RES19",
        f"{says}; {call.dependency} can do {spell_rate(known.capacity)}: {end}.",
        f"Capacity for more than {spell_rate(known.rate)}, or a limit where users come in."
        if beyond
        else f"`{_fewer_retries(call)}`, or capacity for more than {spell_rate(asked)}.",
        at(*call.location, "capacity"),
        at(*call.location, "traffic", "rate"),
        at(*call.location, "retries", "budget"),
    )


def _extra(call: CallPlan) -> float:
    """Tries beyond one a call when all calls fail, as a share of the calls."""
    if call.retry is None:
        return _hedged(call)
    return call.retry.budget + _hedged(call) if call.retry.budget < 1 else call.retry.attempts - 1.0


def _hedged(call: CallPlan) -> float:
    known = call.known
    return Latency.through(known.p50, known.p99, known.p999).above(call.hedge.after) if call.hedge else 0.0


def _fewer_retries(call: CallPlan) -> str:
    """Retries that leave half of the spare capacity to others, or none where there is nothing to spare."""
    spare = (call.known.capacity / call.known.rate - 1 - _hedged(call)) / 2
    share = int(min(policy().retry.budget.value, max(0.0, spare)) * 100) / 100
    return f"retries: {{budget: {spell_share(share)}}}" if share else "retries: {attempts: 1}"


def false_timeouts(call: CallPlan) -> Iterator[Finding]:
    """RES22: the timeout is shorter than healthy calls take."""
    known, most = call.known, policy().timeout.most_false.value
    cut = Latency.through(known.p50, known.p99, known.p999).above(call.timeout.per_try)
    if cut <= most + _SLIGHTLY:
        return
    p99 = spell_duration(known.p99)
    short = call.deadline < known.p99
    yield finding(
        "RES22",
        f"{spell_share(round(cut, 4))} of healthy calls take longer than {spell_duration(call.timeout.per_try)} "
        f"(p99 is {p99}): they fail though nothing is wrong, and each is load without use.",
        f"{longer_timeout(call)}, or a faster {call.dependency}; then fewer tries, if they don't fit.",
        *([] if short else [at(*call.location, "timeout")]),
        at(*call.location, "deadline"),
        at(*call.location, "latency", "p99"),
        severity=Severity.WARNING,
    )


def unknown_outcome(call: CallPlan) -> Iterator[Finding]:
    """IDP07: nobody can ask again, and nobody knows what happened."""
    if call.safety == "unsafe":
        yield finding(
            "IDP07",
            f"When {call.operation} times out, it may have had its effect or not, and without an idempotency_key "
            "nobody can ask again.",
            f"`idempotent: true` if twice does the same as once (as a read), or the idempotency_key by which "
            f"{call.dependency} knows a repeated call. Until then, reconcile by hand.",
            at(*call.location, "idempotent"),
            at(*call.location, "operation"),
            severity=Severity.WARNING,
        )


OF_A_CALL: tuple[Callable[[CallPlan], Iterator[Finding]], ...] = (
    tries_in_deadline, jitter, unsafe_retry, retried_rejections, budget, fallback_apart, bulkhead, metastable,
    false_timeouts, unknown_outcome, *OF_A_BREAKER,
)  # fmt: skip

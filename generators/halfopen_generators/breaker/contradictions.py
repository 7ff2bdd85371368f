"""What a spec's schema can't say: figures that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from halfopen.durations import spell_duration
from halfopen.quantities import spell_rate, spell_share
from halfopen.source import BadInput, Location, Problem, Source
from halfopen_generators.breaker.spec import AskedBreaker, BreakerSpec, Call

_LEAST_RATE = 1 / 86_400 * (1 - 1e-9)
_MOST_ERRORS = 0.5


def check_figures(spec: BreakerSpec, source: Source) -> None:
    """Refuse figures that can't all be true.

    Raises:
        BadInput: one problem for each pair, the first in the spec first.
    """
    found = [problem for location, call in calls(spec) for problem in _call(call, location, source)]
    if found := found + list(_chained(spec, source)):
        raise BadInput(found)


def calls(spec: BreakerSpec) -> Iterator[tuple[Location, Call]]:
    """Every call and its place, outermost first."""
    yield (), spec
    yield from ((("then", place), call) for place, call in enumerate(spec.then))


def _call(call: Call, location: Location, source: Source) -> Iterator[Problem]:
    latency = call.latency
    quantiles = [("p50", latency.p50), ("p99", latency.p99)] + ([("p999", latency.p999)] if latency.p999 else [])
    for (lower, less), (higher, more) in pairwise(quantiles):
        if less > more:
            message = f"{higher} is {spell_duration(more)}, below {lower} ({spell_duration(less)}): a higher quantile "
            yield source.problem(
                (*location, "latency", higher), message + "is never a shorter time.", spell_duration(more)
            )
    if call.deadline < latency.p50:
        message = (
            f"the deadline of {spell_duration(call.deadline)} is below the median latency of "
            f"{spell_duration(latency.p50)}: more than half of all calls would be too late though all is well."
        )
        yield source.problem((*location, "deadline"), message, spell_duration(call.deadline))
    if call.timeout is not None and call.timeout < latency.p50:
        message = (
            f"a timeout of {spell_duration(call.timeout)} is below the median latency of "
            f"{spell_duration(latency.p50)}: more than half of all tries would be cut off though all is well."
        )
        yield source.problem((*location, "timeout"), message, spell_duration(call.timeout))
    if call.timeout is not None and call.timeout > call.deadline:
        message = (
            f"a timeout of {spell_duration(call.timeout)} waits beyond the deadline of "
            f"{spell_duration(call.deadline)}: make it shorter, or leave it out."
        )
        yield source.problem((*location, "timeout"), message, spell_duration(call.timeout))
    if call.traffic.rate < _LEAST_RATE:
        message = "less than one call a day: no breaker learns anything from so few."
        yield source.problem((*location, "traffic", "rate"), message, spell_rate(call.traffic.rate))
    if call.traffic.quiet_rate is not None and call.traffic.quiet_rate > call.traffic.rate:
        message = (
            f"the quietest hour has {spell_rate(call.traffic.quiet_rate)}, more than the busiest with "
            f"{spell_rate(call.traffic.rate)}: `rate` is that of the busiest."
        )
        yield source.problem((*location, "traffic", "quiet_rate"), message, spell_rate(call.traffic.quiet_rate))
    if call.caller == call.dependency:
        yield source.problem((*location, "dependency"), f"{call.caller} calls itself: a call leads to another service.")
    if call.fallback_dependency is not None and call.fallback in (None, "none"):
        yield source.problem(
            (*location, "fallback_dependency"), "there is no fallback that could call it: say which, or leave this out."
        )
    yield from _errors(call, location, source)
    yield from _breaker(call.breaker or AskedBreaker(), (*location, "breaker"), source)
    yield from _retries(call, (*location, "retries"), source)


def _errors(call: Call, location: Location, source: Source) -> Iterator[Problem]:
    ratio = call.breaker.failure_ratio if call.breaker else None
    if ratio and call.error_rate >= ratio:
        message = (
            f"{spell_share(call.error_rate)} of calls fail when all is well, and at {spell_share(ratio)} the breaker "
            "opens: set it higher."
        )
        yield source.problem((*location, "breaker", "failure_ratio"), message, spell_share(ratio))
    elif call.error_rate > _MOST_ERRORS:
        message = (
            f"{spell_share(call.error_rate)} of calls fail, more than succeed: this is the share when all is well, and "
            "no breaker can tell trouble from it."
        )
        yield source.problem((*location, "error_rate"), message, spell_share(call.error_rate))


def _breaker(asked: AskedBreaker, location: Location, source: Source) -> Iterator[Problem]:
    place = (*location, "size")
    if isinstance(asked.size, int) and not 1 <= asked.size <= 1_000_000:  # noqa: PLR2004 - the limit of minimum_calls
        yield source.problem(place, "a count window holds 1 to 1000000 calls.", asked.size)
    if asked.window == "time" and isinstance(asked.size, int):
        yield source.problem(place, "a time window has a duration, such as 10s.", asked.size)
    if asked.window == "count" and isinstance(asked.size, float):
        yield source.problem(place, "a count window has a number of calls, such as 100.", spell_duration(asked.size))
    for key in ("failure_ratio", "slow_ratio"):
        if getattr(asked, key) == 0:
            yield source.problem(
                (*location, key), "at 0% it opens though nothing is wrong: say how much is too much.", "0%"
            )


def _retries(call: Call, location: Location, source: Source) -> Iterator[Problem]:
    asked = call.retries
    if asked is None or asked.longest_wait is None or asked.first_wait is None:
        return
    if asked.longest_wait < asked.first_wait:
        message = (
            f"the longest wait of {spell_duration(asked.longest_wait)} is below the first of "
            f"{spell_duration(asked.first_wait)}: waits only grow."
        )
        yield source.problem((*location, "longest_wait"), message, spell_duration(asked.longest_wait))


def _chained(spec: BreakerSpec, source: Source) -> Iterator[Problem]:
    for place, (outer, inner) in enumerate(zip(spec.chain, spec.then, strict=False)):
        if inner.caller != outer.dependency:
            message = f"the chain is broken: {outer.dependency} was called, and {inner.caller} calls next."
            yield source.problem(("then", place, "caller"), message, inner.caller, (outer.dependency,))

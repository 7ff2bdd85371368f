"""cockatiel 4 for Node: its policies around one another, and in TypeScript a rate, a budget, and waits that are drawn.

Its own backoff doubles with full jitter, whatever exponent is said, so that the waits are computed here. While it is
half open, calls beyond the probes wait for what these decide; the deadline bounds that too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from halfopen.templates import kebab
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.dialects import Dialect, Unsaid
from halfopen_generators.breaker.dialects.library import (
    ALL,
    figure,
    finer_than_millis,
    layered,
    millis,
    no_probe,
    percent,
    probes,
    rate,
    rendered,
    told,
    type_name,
    uneven_rate,
    unjudged_slowness,
    unplayed_timeout,
)
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Failure
from halfopen_generators.breaker.reading import Reading

_VERSION = "4.0.0"
_CODE = "text/x-typescript"
_CAUSES: Mapping[Failure, str] = {"unreached": "Unreached", "unavailable": "Unavailable",
                                  "timeout": "TaskCancelledError"}  # fmt: skip
_OURS = {"Unreached", "Unavailable", "RateExceeded"}
# A sampling window has a part for each second, five at least.
_FEWEST_PARTS = 5


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """A small package: the call, and what all calls share."""
    call = layered(call)
    files = {
        "package.json": ("package.json.j2", "application/json"),
        "tsconfig.json": ("tsconfig.json.j2", "application/json"),
        "src/resilience.ts": ("resilience.ts.j2", _CODE),
        f"src/{kebab(call.name)}.ts": ("call.ts.j2", _CODE),
    }
    return rendered("cockatiel", files, _values(call))


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What cockatiel has no word for."""
    return told([_breaker_unsaid(call), _hedge(call), unplayed_timeout(call), no_probe(call), finer_than_millis(call),
                 uneven_rate(call)])  # fmt: skip


def _hedge(call: CallPlan) -> Iterator[Unsaid]:
    if call.hedge:
        yield Unsaid(("hedge_after",), "cockatiel has no hedging.", "The retry after the time-out of a try.")


def _breaker_unsaid(call: CallPlan) -> Iterator[Unsaid]:
    breaker = call.breaker
    if not breaker:
        return
    if _size(breaker) != (breaker.size * 1000 if breaker.window == "time" else breaker.size):
        yield Unsaid(("size",), "Its window has equal parts of whole milliseconds.", "The nearest such window.")
    yield from unjudged_slowness(call, "cockatiel")


def _size(breaker: BreakerPlan) -> int:
    """Calls, or milliseconds in equal parts."""
    if breaker.window == "count":
        return max(1, round(breaker.size))
    parts = max(_FEWEST_PARTS, -int(-breaker.size // 1))
    return max(1, round(breaker.size * 1000 / parts)) * parts


def _values(call: CallPlan) -> dict[str, object]:
    calls, period = rate(call.limit.rate) if call.limit else (0, 1)
    failures = [*_CAUSES.values()] if call.breaker or call.fallback else []
    refusals = [name for name, there in (("BrokenCircuitError", call.breaker), ("BulkheadRejectedError", call.bulkhead),
                                         ("RateExceeded", call.limit)) if there and call.fallback]  # fmt: skip
    classes = {*failures, *refusals, *_retried(call)}
    return {
        "call": call,
        "type": type_name(call),
        "per_try": millis(call.timeout.per_try),
        "overall": millis(call.timeout.overall),
        "retry": _retry(call),
        "breaker": _breaker(call.breaker) if call.breaker else None,
        "failures": _handled(failures) if failures else None,
        "served": "".join(["FAILURES", *(f".orType({name})" for name in refusals)]),
        "limit": {"calls": calls, "period": period * 1000},
        "imports": sorted({*_imports(call), *(classes - _OURS)}, key=str.lower),
        "names": sorted({*_names(call), *(classes & _OURS)}, key=lambda name: name.removeprefix("type ").lower()),
        "inwards_out": [layer for layer in reversed(call.layers) if layer != "fallback"],
        "p99": figure(call.known.p99 * 1000),
        "each": figure(round(call.known.each, 1)),
    }


def _handled(classes: list[str]) -> str:
    first, *others = classes
    return "".join([f"handleType({first})", *(f".orType({name})" for name in others)])


def _imports(call: CallPlan) -> Iterator[str]:
    yield from ("timeout", "TimeoutStrategy")
    if call.bulkhead:
        yield "bulkhead"
    if call.breaker:
        yield from ("circuitBreaker", "CountBreaker" if call.breaker.window == "count" else "SamplingBreaker")
    if call.retry:
        yield "retry"
    if call.retry or call.breaker or call.fallback:
        yield "handleType"


def _names(call: CallPlan) -> Iterator[str]:
    yield from ("type Call", "within")
    if call.bulkhead or call.breaker or call.retry:
        yield "through"
    if call.limit:
        yield "RateLimit"
    if call.breaker:
        yield "justBelow"
        if call.breaker.window == "time":
            yield "atLeast"
    if call.fallback:
        yield "orElse"
    if call.retry:
        yield from ("RetryBudget", "sparing", "type Waits")


def _retried(call: CallPlan) -> list[str]:
    if not call.retry:
        return []
    return [*(_CAUSES[failure] for failure in call.retry.on),
            *(["BrokenCircuitError"] if call.retry.on_open and call.breaker else [])]  # fmt: skip


def _retry(call: CallPlan) -> dict[str, object] | None:
    retry = call.retry
    if not retry:
        return None
    return {
        "retries": retry.attempts - 1,
        "first_wait": millis(retry.first_wait),
        "longest_wait": millis(retry.longest_wait),
        "factor": figure(retry.factor),
        "jitter": retry.jitter,
        "budget": figure(retry.budget),
        "budget_percent": percent(retry.budget),
        "on": _handled(_retried(call)),
    }


def _breaker(breaker: BreakerPlan) -> dict[str, object]:
    return {
        "count": breaker.window == "count",
        "size": _size(breaker),
        "minimum_calls": breaker.minimum_calls,
        "failure": figure(breaker.failure_ratio),
        "open_for": millis(breaker.open_for),
        "probes": probes(breaker),
    }


def _read(files: Mapping[str, str]) -> Reading:
    from halfopen_generators.breaker.readers import cockatiel  # noqa: PLC0415 - only reading back pays for it

    return cockatiel.read(files)


DIALECT = Dialect(
    title="cockatiel (TypeScript)",
    kind="library",
    version=_VERSION,
    parts=ALL,
    says=says,
    unsaid=unsaid,
    read=_read,
)

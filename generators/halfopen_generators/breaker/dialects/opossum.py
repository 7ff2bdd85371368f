"""opossum 10 for Node: its breaker, and in TypeScript what it lacks (retries, a budget, a bulkhead that trips nothing).

opossum's own time-out can't end what it gave up on but for all calls at once, and its own `capacity` counts a refusal
as a failure of the dependency or as a success of it; both are left off.
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
    percent,
    rate,
    rendered,
    told,
    type_name,
    uneven_rate,
    unjudged_slowness,
    unplayed_timeout,
)
from halfopen_generators.breaker.plan import CallPlan, Failure
from halfopen_generators.breaker.reading import Reading

_VERSION = "10.0.0"
_CODE = "text/x-typescript"
# The window is cut into as many parts as the template says.
_BUCKETS = 10
_CAUSES: Mapping[Failure, str] = {"unreached": "Unreached", "unavailable": "Unavailable", "timeout": "TimedOut"}


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """A small package: the call, and what all calls share."""
    call = layered(call)
    files = {
        "package.json": ("package.json.j2", "application/json"),
        "tsconfig.json": ("tsconfig.json.j2", "application/json"),
        "src/resilience.ts": ("resilience.ts.j2", _CODE),
        f"src/{kebab(call.name)}.ts": ("call.ts.j2", _CODE),
    }
    return rendered("opossum", files, _values(call))


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What opossum has no word for."""
    return told([_breaker_unsaid(call), _hedge(call), unplayed_timeout(call), finer_than_millis(call),
                 uneven_rate(call)])  # fmt: skip


def _hedge(call: CallPlan) -> Iterator[Unsaid]:
    if call.hedge:
        yield Unsaid(("hedge_after",), "opossum has no hedging.", "The retry after the time-out of a try.")


def _breaker_unsaid(call: CallPlan) -> Iterator[Unsaid]:
    breaker = call.breaker
    if not breaker:
        return
    if breaker.window == "count":
        yield Unsaid(
            ("window", "size"),
            "opossum counts the calls of some time, not so many calls.",
            f"{figure(window(call) / 1000)} s, in which so many calls come at the busiest hour.",
        )
    elif window(call) / 1000 != breaker.size:
        yield Unsaid(("size",), "Its window has ten parts of whole milliseconds.", "The nearest such window.")
    if breaker.probes != 1:
        yield Unsaid(("probes",), "opossum lets one call through to test.", "One probe, which decides alone.")
    yield from unjudged_slowness(call, "opossum")


def window(call: CallPlan) -> int:
    """The breaker's window in milliseconds, in ten equal parts."""
    breaker = call.breaker
    if not breaker:
        return 0
    seconds = breaker.size if breaker.window == "time" else breaker.size / max(call.known.each, 1e-3)
    return max(1, round(seconds * 1000 / _BUCKETS)) * _BUCKETS


def _values(call: CallPlan) -> dict[str, object]:
    calls, period = rate(call.limit.rate) if call.limit else (0, 1)
    return {
        "call": call,
        "type": type_name(call),
        "per_try": millis(call.timeout.per_try),
        "overall": millis(call.timeout.overall),
        "retry": _retry(call),
        "breaker": {
            "window": window(call),
            "minimum_calls": call.breaker.minimum_calls,
            "failure": percent(call.breaker.failure_ratio),
            "open_for": millis(call.breaker.open_for),
        } if call.breaker else None,
        "limit": {"calls": calls, "period": period * 1000},
        "names": sorted(_names(call), key=lambda name: name.removeprefix("type ").lower()),
        "inwards_out": [layer for layer in reversed(call.layers) if layer != "fallback"],
        "p99": figure(call.known.p99 * 1000),
        "each": figure(round(call.known.each, 1)),
    }  # fmt: skip


def _names(call: CallPlan) -> Iterator[str]:
    yield from ("type Call", "deadline")
    if "timeout" in call.layers:
        yield "within"
    if call.bulkhead:
        yield "Bulkhead"
    if call.limit:
        yield "RateLimit"
    if call.breaker:
        yield from ("broken", "isNoFailure", "justBelow")
    if call.fallback:
        yield "orElse"
    if call.retry:
        yield from ("RetryBudget", "type RetryPolicy", "retried", *_retried(call))


def _retried(call: CallPlan) -> list[str]:
    if not call.retry:
        return []
    return [*(_CAUSES[failure] for failure in call.retry.on),
            *(["BreakerOpen"] if call.retry.on_open and call.breaker else [])]  # fmt: skip


def _retry(call: CallPlan) -> dict[str, object] | None:
    retry = call.retry
    if not retry:
        return None
    return {
        "attempts": retry.attempts,
        "first_wait": millis(retry.first_wait),
        "longest_wait": millis(retry.longest_wait),
        "factor": figure(retry.factor),
        "jitter": retry.jitter,
        "budget": figure(retry.budget),
        "budget_percent": percent(retry.budget),
        "on": ", ".join(_retried(call)),
    }


def _read(files: Mapping[str, str]) -> Reading:
    from halfopen_generators.breaker.readers import opossum  # noqa: PLC0415 - only reading back pays for it

    return opossum.read(files)


DIALECT = Dialect(
    title="opossum (TypeScript)",
    kind="library",
    version=_VERSION,
    parts=ALL,
    says=says,
    unsaid=unsaid,
    read=_read,
)

"""failsafe-go for Go: all of the policy by the library's own policies, put around one another in one list.

Its breaker knows success and failure only: what the caller itself refused or cut short, inside the breaker, counts as
success.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from halfopen.templates import snake
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.dialects import Dialect, Unsaid
from halfopen_generators.breaker.dialects.gobreaker import remote
from halfopen_generators.breaker.dialects.library import (
    ALL,
    aligned,
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
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Failure, Layer
from halfopen_generators.breaker.reading import Reading

_VERSION = "0.9.8"
_CODE = "text/x-go"
_CAUSES: Mapping[Failure, str] = {"unreached": "ErrUnreached", "unavailable": "ErrUnavailable",
                                  "timeout": "timeout.ErrExceeded"}  # fmt: skip
_FIELDS: Mapping[Layer, tuple[str, str]] = {
    "retry": ("retries", "retrypolicy.RetryPolicy[A]"),
    "breaker": ("breaker", "circuitbreaker.CircuitBreaker[A]"),
    "limit": ("limit", "ratelimiter.RateLimiter[A]"),
    "bulkhead": ("places", "bulkhead.Bulkhead[A]"),
    "timeout": ("try", "timeout.Timeout[A]"),
}
_HEDGE = ("hedge", "hedgepolicy.HedgePolicy[A]")
_REFUSALS: Mapping[Layer, str] = {"breaker": "circuitbreaker.ErrOpen", "limit": "ratelimiter.ErrExceeded",
                                  "bulkhead": "bulkhead.ErrFull", "retry": "budget.ErrExceeded"}  # fmt: skip


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """A small package: the call, and what all calls share."""
    call = layered(call)
    files = {
        "go.mod": ("go.mod.j2", "text/plain"),
        "resilience.go": ("resilience.go.j2", _CODE),
        # A name that ends in _test or _linux would mean something to Go.
        f"{snake(call.name)}_call.go": ("call.go.j2", _CODE),
    }
    return rendered("failsafe-go", files, _values(call), templates="failsafe_go")


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What failsafe-go has no word for."""
    return told(
        [_breaker_unsaid(call), unplayed_timeout(call), no_probe(call), finer_than_millis(call), uneven_rate(call)]
    )


def _breaker_unsaid(call: CallPlan) -> Iterator[Unsaid]:
    breaker = call.breaker
    if not breaker:
        return
    if breaker.window == "count" and breaker.size != breaker.minimum_calls:
        yield Unsaid(
            ("minimum_calls",),
            "A window of calls is judged once it is full.",
            "All of the window is the least that it needs.",
        )
    if breaker.window == "time" and millis(breaker.size) / 1000 != breaker.size:
        yield Unsaid(("size",), "Its window is said in whole milliseconds.", "The nearest such window.")
    yield from unjudged_slowness(call, "failsafe-go's breaker")


def _values(call: CallPlan) -> dict[str, object]:
    calls, period = rate(call.limit.rate) if call.limit else (0, 1)
    policies = list(_policies(call))
    packages = {kind.partition(".")[0] for _, kind in policies} | {"timeout"}
    packages |= {"budget"} if call.retry else set()
    packages |= {"fallback"} if call.fallback else set()
    refused = [_REFUSALS[layer] for layer in call.layers if layer in _REFUSALS]
    own = [("remote", remote(call)), *([("instead", _INSTEAD)] if call.fallback else []),
           ("deadline", "timeout.Timeout[A]")]  # fmt: skip
    return {
        "call": call,
        "type": type_name(call),
        "per_try": millis(call.timeout.per_try),
        "overall": millis(call.timeout.overall),
        "hedge": millis(call.hedge.after) if call.hedge else None,
        "retry": _retry(call),
        "breaker": _breaker(call.breaker) if call.breaker else None,
        "limit": {"calls": calls, "period": period},
        "remote": remote(call),
        "imports": ["", *(f"/{name}" for name in sorted(packages))],
        "fields": aligned([*own, *policies]),
        "served": [*_CAUSES.values(), *refused],
        "outermost_first": [name for name, _ in policies],
        "p99": figure(call.known.p99 * 1000),
        "each": figure(round(call.known.each, 1)),
    }


_INSTEAD = "func(ctx context.Context, request Q, failure error) (A, error)"


def _policies(call: CallPlan) -> Iterator[tuple[str, str]]:
    """The fields of the policies, outermost first.

    A hedge goes inside the retries and the breaker: a rejection by the breaker would otherwise wait for its delay.
    """
    around_hedge = sum(layer in {"retry", "breaker"} for layer in call.layers) if call.hedge else -1
    if around_hedge == 0:
        yield _HEDGE
    for layer in call.layers:
        if layer in _FIELDS:
            yield _FIELDS[layer]
        around_hedge -= layer in {"retry", "breaker"}
        if around_hedge == 0 and layer in {"retry", "breaker"}:
            yield _HEDGE


def _retry(call: CallPlan) -> dict[str, object] | None:
    retry = call.retry
    if not retry:
        return None
    causes = [_CAUSES[failure] for failure in retry.on]
    return {
        "attempts": retry.attempts,
        "first_wait": millis(retry.first_wait),
        "longest_wait": millis(retry.longest_wait),
        "factor": figure(retry.factor),
        "waits": "drawn" if retry.jitter == "full" else "grown",
        "budget": figure(retry.budget),
        "budget_percent": percent(retry.budget),
        "on": ", ".join([*causes, *(["circuitbreaker.ErrOpen"] if retry.on_open and call.breaker else [])]),
    }


def _breaker(breaker: BreakerPlan) -> dict[str, object]:
    count = breaker.window == "count"
    # So many failed probes open it again; short of that, the rest has gone well.
    failed = max(1, math.ceil(breaker.failure_ratio * probes(breaker) - 1e-9))
    return {
        "window": "0" if count else f"{millis(breaker.size)}*time.Millisecond",
        "minimum_calls": max(1, round(breaker.size)) if count else breaker.minimum_calls,
        "failure": figure(breaker.failure_ratio),
        "open_for": millis(breaker.open_for),
        "probes": probes(breaker),
        "successes": probes(breaker) - failed + 1,
    }


def _read(files: Mapping[str, str]) -> Reading:
    from halfopen_generators.breaker.readers import failsafe_go  # noqa: PLC0415 - only reading back pays for it

    return failsafe_go.read(files)


DIALECT = Dialect(
    title="failsafe-go (Go)",
    kind="library",
    version=_VERSION,
    parts=ALL,
    says=says,
    unsaid=unsaid,
    read=_read,
)

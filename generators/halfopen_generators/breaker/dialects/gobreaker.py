"""gobreaker 2 for Go: its breaker with a window that slides, cenkalti/backoff for waits, x/time/rate for the rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from halfopen.templates import snake
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.dialects import Dialect, Unsaid
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
    rendered,
    told,
    type_name,
    unjudged_slowness,
    unplayed_timeout,
)
from halfopen_generators.breaker.plan import CallPlan, Failure
from halfopen_generators.breaker.reading import Reading

_VERSION = "2.4.0"
_CODE = "text/x-go"
_CAUSES: Mapping[Failure, str] = {"unreached": "ErrUnreached", "unavailable": "ErrUnavailable",
                                  "timeout": "ErrTimedOut"}  # fmt: skip
_OPEN = ("gobreaker.ErrOpenState", "gobreaker.ErrTooManyRequests")


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """A small package: the call, and what all calls share."""
    call = layered(call)
    files = {
        "go.mod": ("go.mod.j2", "text/plain"),
        "resilience.go": ("resilience.go.j2", _CODE),
        # A name that ends in _test or _linux would mean something to Go.
        f"{snake(call.name)}_call.go": ("call.go.j2", _CODE),
    }
    return rendered("gobreaker", files, _values(call))


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What gobreaker has no word for."""
    return told([_breaker_unsaid(call), _hedge(call), unplayed_timeout(call), no_probe(call), finer_than_millis(call)])


def _hedge(call: CallPlan) -> Iterator[Unsaid]:
    if call.hedge:
        yield Unsaid(("hedge_after",), "gobreaker has no hedging.", "The retry after the time-out of a try.")


def _breaker_unsaid(call: CallPlan) -> Iterator[Unsaid]:
    breaker = call.breaker
    if not breaker:
        return
    if breaker.window == "count":
        yield Unsaid(
            ("window", "size"),
            "gobreaker counts the calls of some time, not so many calls.",
            f"{figure(window(call) / 1000)} s, in which so many calls come at the busiest hour.",
        )
    elif window(call) / 1000 != breaker.size:
        yield Unsaid(("size",), "Its window is said in whole milliseconds.", "The nearest such window.")
    yield from unjudged_slowness(call, "gobreaker")


def window(call: CallPlan) -> int:
    """The breaker's window in milliseconds."""
    breaker = call.breaker
    if not breaker:
        return 0
    return millis(breaker.size if breaker.window == "time" else breaker.size / max(call.known.each, 1e-3))


def _values(call: CallPlan) -> dict[str, object]:
    name = type_name(call)
    return {
        "call": call,
        "type": name,
        "prefix": name[0].lower() + name[1:],
        "per_try": millis(call.timeout.per_try),
        "overall": millis(call.timeout.overall),
        "retry": _retry(call),
        "breaker": _breaker(call),
        "limit": {"rate": figure(call.limit.rate), "burst": max(1, math.ceil(call.limit.rate))} if call.limit else None,
        "remote": remote(call),
        "fields": aligned(_fields(call)),
        "inwards_out": [layer for layer in reversed(call.layers) if layer != "fallback"],
        "p99": figure(call.known.p99 * 1000),
        "each": figure(round(call.known.each, 1)),
    }


def remote(call: CallPlan) -> str:
    """The type of one try."""
    return f"func(ctx context.Context, request Q{', idempotencyKey string' if call.key else ''}) (A, error)"


def _fields(call: CallPlan) -> Iterator[tuple[str, str]]:
    yield "remote", remote(call)
    if call.fallback:
        yield "fallback", "func(ctx context.Context, request Q, failure error) (A, error)"
    if call.breaker:
        yield "breaker", "*gobreaker.CircuitBreaker[A]"
    if call.bulkhead:
        yield "places", "chan struct{}"
    if call.retry:
        yield "budget", "*RetryBudget"
    if call.limit:
        yield "limiter", "*rate.Limiter"


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
        "jitter": retry.jitter == "full",
        "budget": figure(retry.budget),
        "budget_percent": percent(retry.budget),
        "on": ", ".join([*causes, *(_OPEN if retry.on_open and call.breaker else ())]),
    }


def _breaker(call: CallPlan) -> dict[str, object] | None:
    breaker = call.breaker
    if not breaker:
        return None
    return {
        "window": window(call),
        "minimum_calls": breaker.minimum_calls,
        "failure": figure(breaker.failure_ratio),
        "open_for": millis(breaker.open_for),
        "probes": probes(breaker),
    }


def _read(files: Mapping[str, str]) -> Reading:
    from halfopen_generators.breaker.readers import gobreaker  # noqa: PLC0415 - only reading back pays for it

    return gobreaker.read(files)


DIALECT = Dialect(
    title="gobreaker (Go)",
    kind="library",
    version=_VERSION,
    parts=ALL,
    says=says,
    unsaid=unsaid,
    read=_read,
)

"""Polly 8 for .NET: one pipeline, and in C# a budget of retries and waits that are drawn.

Polly's own backoff doubles, whatever is wanted, and its jitter lies around the wait. It isn't compiled in our tests,
for want of a .NET SDK: it is parsed without an error, and read back; its options are named as in Polly's sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
from halfopen_generators.breaker.reading import Reading, Term

_VERSION = "8.9.1"
_CODE = "text/x-csharp"
_CAUSES: Mapping[Failure, str] = {"unreached": "UnreachedException", "unavailable": "UnavailableException",
                                  "timeout": "TimeoutRejectedException"}  # fmt: skip
# Polly refuses to build anything shorter, in milliseconds, or with less.
_SHORTEST_TIMEOUT, _SHORTEST_WINDOW, _LEAST_CALLS = 10, 500, 2


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """A small project: the call, and what all calls share."""
    call = layered(call)
    files = {
        "Calls.csproj": ("Calls.csproj.j2", "application/xml"),
        "Resilience.cs": ("Resilience.cs.j2", _CODE),
        f"{type_name(call)}Call.cs": ("Call.cs.j2", _CODE),
    }
    return rendered("polly", files, _values(call))


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What Polly has no word for."""
    return told([_breaker_unsaid(call), _too_small(call), unplayed_timeout(call), finer_than_millis(call),
                 uneven_rate(call)])  # fmt: skip


def _breaker_unsaid(call: CallPlan) -> Iterator[Unsaid]:
    breaker = call.breaker
    if not breaker:
        return
    if breaker.window == "count":
        yield Unsaid(
            ("window", "size"),
            "Polly counts the calls of some time, not so many calls.",
            f"{figure(_window(call) / 1000)} s, in which so many calls come at the busiest hour.",
        )
    elif _window(call) / 1000 != breaker.size:
        yield Unsaid(("size",), "Its window is of half a second at least, in milliseconds.", "The nearest such window.")
    if breaker.probes != 1:
        yield Unsaid(("probes",), "Polly lets one call through to test.", "One probe, which decides alone.")
    yield from unjudged_slowness(call, "Polly")


def _too_small(call: CallPlan) -> Iterator[Unsaid]:
    """What Polly refuses to build."""
    small: list[Term] = []
    if "timeout" in call.layers and millis(call.timeout.per_try) < _SHORTEST_TIMEOUT:
        small.append("per_try")
    if millis(call.timeout.overall) < _SHORTEST_TIMEOUT:
        small.append("overall")
    if call.breaker and millis(call.breaker.open_for) < _SHORTEST_WINDOW:
        small.append("open_for")
    if call.breaker and call.breaker.minimum_calls < _LEAST_CALLS:
        small.append("minimum_calls")
    if call.retry and call.retry.attempts == 1:
        small.append("attempts")
    if small:
        yield Unsaid(tuple(small), "Polly builds nothing with less than it asks for.", "The least that it takes.")


def _window(call: CallPlan) -> int:
    """The breaker's window in milliseconds."""
    breaker = call.breaker
    if not breaker:
        return 0
    seconds = breaker.size if breaker.window == "time" else breaker.size / max(call.known.each, 1e-3)
    return max(_SHORTEST_WINDOW, millis(seconds))


def _values(call: CallPlan) -> dict[str, object]:
    calls, period = rate(call.limit.rate) if call.limit else (0, 1)
    key = ", string" if call.key else ""
    return {
        "call": call,
        "type": type_name(call),
        "per_try": max(_SHORTEST_TIMEOUT, millis(call.timeout.per_try)),
        "overall": max(_SHORTEST_TIMEOUT, millis(call.timeout.overall)),
        "hedge": millis(call.hedge.after) if call.hedge else None,
        "retry": _retry(call),
        "breaker": _breaker(call),
        "limit": {"calls": calls, "period": period},
        "remote": f"Func<TRequest{key}, CancellationToken, Task<TAnswer>>",
        "usings": sorted(_usings(call)),
        "outermost_first": list(_outermost_first(call)),
        "p99": figure(call.known.p99 * 1000),
        "each": figure(round(call.known.each, 1)),
    }


def _usings(call: CallPlan) -> Iterator[str]:
    yield from ("System", "System.Threading", "System.Threading.Tasks", "Polly")
    if call.retry:
        yield "Polly.Retry"
    if call.breaker:
        yield "Polly.CircuitBreaker"
    if call.hedge:
        yield from ("Polly.Hedging", "Polly.RateLimiting")
    if call.limit:
        yield "System.Threading.RateLimiting"
    if call.breaker or (call.retry and "timeout" in call.retry.on):
        yield "Polly.Timeout"


def _outermost_first(call: CallPlan) -> Iterator[str]:
    """The strategies; a hedge goes inside the retries and the breaker, so that a rejection needn't wait for it."""
    around_hedge = sum(layer in {"retry", "breaker"} for layer in call.layers) if call.hedge else -1
    if around_hedge == 0:
        yield "hedge"
    for layer in call.layers:
        if layer != "fallback":
            yield layer
        around_hedge -= layer in {"retry", "breaker"}
        if around_hedge == 0 and layer in {"retry", "breaker"}:
            yield "hedge"


def _retry(call: CallPlan) -> dict[str, object] | None:
    retry = call.retry
    if not retry:
        return None
    causes = [_CAUSES[failure] for failure in retry.on]
    return {
        "retries": max(1, retry.attempts - 1),
        "first_wait": millis(retry.first_wait),
        "longest_wait": millis(retry.longest_wait),
        "factor": figure(retry.factor),
        "waits": "Drawn" if retry.jitter == "full" else "Grown",
        "budget": figure(retry.budget),
        "budget_percent": percent(retry.budget),
        "on": " or ".join([*causes, *(["BrokenCircuitException"] if retry.on_open and call.breaker else [])]),
    }


def _breaker(call: CallPlan) -> dict[str, object] | None:
    breaker = call.breaker
    if not breaker:
        return None
    return {
        "window": _window(call),
        "minimum_calls": max(_LEAST_CALLS, breaker.minimum_calls),
        "failure": figure(breaker.failure_ratio),
        "open_for": max(_SHORTEST_WINDOW, millis(breaker.open_for)),
    }


def _read(files: Mapping[str, str]) -> Reading:
    from halfopen_generators.breaker.readers import polly  # noqa: PLC0415 - only reading back pays for it

    return polly.read(files)


DIALECT = Dialect(
    title="Polly (C#)",
    kind="library",
    version=_VERSION,
    parts=ALL,
    says=says,
    unsaid=unsaid,
    read=_read,
)

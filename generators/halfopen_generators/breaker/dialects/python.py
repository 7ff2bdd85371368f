"""Python: asyncio with tenacity for the retries and aiolimiter for the rate.

No maintained breaker judges a window by shares: pybreaker and purgatory open after so many failures in a row and close
by one success, pybreaker's asynchronous call needs Tornado, and aiobreaker and hyx had no release for years. So the
module brings its own, which says all of a policy; it is tested here like any other code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from halfopen.templates import snake
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.dialects import Dialect, Unsaid
from halfopen_generators.breaker.dialects.library import (
    ALL,
    figure,
    layered,
    no_probe,
    percent,
    probes,
    rate,
    rendered,
    told,
    type_name,
    uneven_rate,
    unplayed_timeout,
)
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Failure
from halfopen_generators.breaker.reading import Reading

_TENACITY, _AIOLIMITER = "9.2.1", "1.3.0"
_CODE = "text/x-python"
_CAUSES: Mapping[Failure, str] = {"unreached": "Unreached", "unavailable": "Unavailable", "timeout": "TimeoutError"}


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """The module of the call, and the one that all policies share."""
    call = layered(call)
    files = {
        f"{snake(call.name)}_call.py": ("call.py.j2", _CODE),
        "resilience.py": ("resilience.py.j2", _CODE),
        "requirements.txt": ("requirements.txt.j2", "text/plain"),
    }
    return rendered("python", files, _values(call))


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What the module can't say: nothing but a rate that has no period."""
    return told([unplayed_timeout(call), no_probe(call), uneven_rate(call), _odd_count(call)])


def _odd_count(call: CallPlan) -> Iterator[Unsaid]:
    if call.breaker and call.breaker.window == "count" and call.breaker.size != round(call.breaker.size):
        yield Unsaid(("size",), "A count window holds a whole number of calls.", "The nearest one.")


def _values(call: CallPlan) -> dict[str, object]:
    calls, period = rate(call.limit.rate) if call.limit else (0, 1)
    return {
        "call": call,
        "type": type_name(call),
        "per_try": figure(call.timeout.per_try),
        "overall": figure(call.timeout.overall),
        "hedge": figure(call.hedge.after) if call.hedge else None,
        "retry": _retry(call),
        "breaker": _breaker(call.breaker) if call.breaker else None,
        "limit": {"calls": calls, "period": period},
        # As isort has them: constants, classes, functions.
        "names": sorted(_names(call), key=lambda name: (not name.isupper(), name[0].islower(), name)),
        "inwards_out": list(_inwards_out(call)),
        "requirements": [f"aiolimiter=={_AIOLIMITER}", f"tenacity=={_TENACITY}"],
        "p99": figure(call.known.p99 * 1000),
        "each": figure(round(call.known.each, 1)),
    }


def _inwards_out(call: CallPlan) -> Iterator[str]:
    """What goes around the operation, from the inside; a hedge joins a try where a retry would follow it."""
    layers = [layer for layer in reversed(call.layers) if layer != "fallback"]
    for layer in layers:
        if layer == "retry" and call.hedge:
            yield "hedge"
        yield layer
    if call.hedge and "retry" not in layers:
        yield "hedge"


def _names(call: CallPlan) -> Iterator[str]:
    yield from ("Call", "within")
    if call.bulkhead:
        yield "Bulkhead"
    if call.limit:
        yield "limited_by"
    if call.breaker:
        yield "Breaker"
    if call.hedge:
        yield "hedged"
    if call.fallback:
        yield from ("FAILURES", "Rejected")
    if call.retry:
        yield from ("RetryBudget", "retried")
        yield from (cause for cause in _retried(call) if cause != _CAUSES["timeout"])


def _retried(call: CallPlan) -> list[str]:
    if not call.retry:
        return []
    return [*(_CAUSES[failure] for failure in call.retry.on),
            *(["BreakerOpen"] if call.retry.on_open and call.breaker else [])]  # fmt: skip


def _retry(call: CallPlan) -> dict[str, object] | None:
    retry = call.retry
    if not retry:
        return None
    causes = _retried(call)
    return {
        "attempts": retry.attempts,
        "first_wait": figure(retry.first_wait),
        "longest_wait": figure(retry.longest_wait),
        "factor": figure(retry.factor),
        "jitter": retry.jitter == "full",
        "wait": "wait_random_exponential" if retry.jitter == "full" else "wait_exponential",
        "budget": figure(retry.budget),
        "budget_percent": percent(retry.budget),
        "on": f"({causes[0]},)" if len(causes) == 1 else f"({', '.join(causes)})",
    }


def _breaker(breaker: BreakerPlan) -> dict[str, object]:
    seconds = breaker.window == "time"
    judged = breaker.slow_ratio is not None and breaker.slow_after is not None
    return {
        "window": f"window_seconds={figure(breaker.size)}" if seconds else f"window_calls={round(breaker.size)}",
        "minimum_calls": breaker.minimum_calls,
        "failure_ratio": figure(breaker.failure_ratio),
        "slow_ratio": figure(breaker.slow_ratio or 0) if judged else None,
        "slow_after": figure(breaker.slow_after or 0) if judged else None,
        "open_for": figure(breaker.open_for),
        "probes": probes(breaker),
    }


def _read(files: Mapping[str, str]) -> Reading:
    from halfopen_generators.breaker.readers import python  # noqa: PLC0415 - only reading back pays for it

    return python.read(files)


DIALECT = Dialect(
    title="Python (asyncio, tenacity, aiolimiter)",
    kind="library",
    version=f"tenacity {_TENACITY}, aiolimiter {_AIOLIMITER}",
    parts=ALL,
    says=says,
    unsaid=unsaid,
    read=_read,
)

"""Resilience4j 2: application.yml as Spring Boot binds it, and Java that guards the call by it.

The annotations can't say the order, the budget or the deadline, so the call is decorated in code. What the code takes
from application.yml under Spring, it builds by itself elsewhere, of the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.dialects import Dialect, Unsaid
from halfopen_generators.breaker.dialects.library import (
    ALL,
    figure,
    finer_than_millis,
    fraction_of_a_second,
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
    unplayed_timeout,
)
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Failure, Layer
from halfopen_generators.breaker.reading import Reading

PACKAGE = "com.example.calls"
_SOURCES = f"java/src/main/java/{PACKAGE.replace('.', '/')}"
_JAVA = "text/x-java"
# By what each failure is known; the first and the last are Java's own.
_CAUSES: Mapping[Failure, str] = {
    "unreached": "java.net.ConnectException",
    "unavailable": f"{PACKAGE}.UnavailableException",
    "timeout": "java.util.concurrent.TimeoutException",
}
_OURS = "io.github.resilience4j"
_CLASSES: Mapping[Layer, tuple[str, ...]] = {
    "bulkhead": ("bulkhead.Bulkhead", "bulkhead.BulkheadConfig", "bulkhead.BulkheadRegistry"),
    "limit": ("ratelimiter.RateLimiter", "ratelimiter.RateLimiterConfig", "ratelimiter.RateLimiterRegistry"),
    "breaker": (
        "circuitbreaker.CircuitBreaker",
        "circuitbreaker.CircuitBreakerConfig",
        "circuitbreaker.CircuitBreakerConfig.SlidingWindowType",
        "circuitbreaker.CircuitBreakerRegistry",
    ),
    "retry": (
        "retry.Retry", "retry.RetryConfig", "retry.RetryRegistry", "core.IntervalBiFunction", "core.IntervalFunction",
    ),
}  # fmt: skip
_REGISTRIES: Mapping[Layer, tuple[str, str]] = {
    "retry": ("RetryRegistry", "retries"),
    "breaker": ("CircuitBreakerRegistry", "breakers"),
    "limit": ("RateLimiterRegistry", "rateLimiters"),
    "bulkhead": ("BulkheadRegistry", "bulkheads"),
}
_OPEN = "io.github.resilience4j.circuitbreaker.CallNotPermittedException"
_FULL = "io.github.resilience4j.bulkhead.BulkheadFullException"
_LIMITED = "io.github.resilience4j.ratelimiter.RequestNotPermitted"
# The breaker always judges slow calls; nothing lasts a day, so that none is slow.
_NEVER_SLOW = 86_400


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """application.yml, and the Java that goes with it."""
    call = layered(call)
    name = type_name(call)
    files = {
        "application.yml": ("application.yml.j2", "application/yaml"),
        f"{_SOURCES}/{name}Call.java": ("Call.java.j2", _JAVA),
        f"{_SOURCES}/{name}Policy.java": ("Policy.java.j2", _JAVA),
        f"{_SOURCES}/UnavailableException.java": ("UnavailableException.java.j2", _JAVA),
    }
    if call.retry:
        files[f"{_SOURCES}/RetryBudget.java"] = ("RetryBudget.java.j2", _JAVA)
    return rendered("resilience4j", files, _values(call, name))


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What Resilience4j has no word for."""
    return told(
        [
            _hedge(call),
            unplayed_timeout(call),
            no_probe(call),
            finer_than_millis(call),
            fraction_of_a_second(call),
            uneven_rate(call),
        ]
    )


def _hedge(call: CallPlan) -> Iterator[Unsaid]:
    if call.hedge:
        yield Unsaid(("hedge_after",), "Resilience4j 2.4 has no hedging.", "The retry after the time-out of a try.")


def _values(call: CallPlan, name: str) -> dict[str, object]:
    retried = [_CAUSES[failure] for failure in call.retry.on] if call.retry else []
    if call.retry and call.retry.on_open and call.breaker:
        retried.append(_OPEN)
    # What the caller did to itself says nothing of the dependency: a call that it refused, or cut short.
    ignored = [cause for cause, there in ((_FULL, call.bulkhead), (_LIMITED, call.limit)) if there]
    retry_ignores = [*([_OPEN] if call.breaker and _OPEN not in retried else []), *ignored]
    failures = list(_CAUSES.values())
    served = [*failures, *([_OPEN] if call.breaker else []), *ignored] if call.fallback else []
    calls, period = rate(call.limit.rate) if call.limit else (0, 1)
    return {
        "call": call,
        "package": PACKAGE,
        "type": name,
        "name": call.name,
        "per_try": millis(call.timeout.per_try),
        "overall": millis(call.timeout.overall),
        "retry": _retry(call),
        "retried": retried,
        "retry_ignores": retry_ignores,
        "breaker": _breaker(call.breaker) if call.breaker else None,
        "recorded": failures,
        "breaker_ignores": [*ignored, "java.lang.InterruptedException"],
        "served_by_fallback": served,
        "limit": {"calls": calls, "period": period},
        "registries": [_REGISTRIES[layer] for layer in call.layers if layer in _REGISTRIES],
        "call_imports": _call_imports(call, served),
        "policy_imports": _policy_imports(call, [*retried, *retry_ignores, *failures, *ignored]),
        # Around the operation they go on from the inside.
        "inwards_out": [layer for layer in reversed(call.layers) if layer != "fallback"],
        "p99": figure(call.known.p99 * 1000),
        "each": figure(round(call.known.each, 1)),
    }


def _call_imports(call: CallPlan, served: Iterable[str]) -> list[str]:
    found = {
        *(f"{_OURS}.{_CLASSES[layer][0]}" for layer in call.layers if layer in _CLASSES),
        f"{_OURS}.timelimiter.TimeLimiter",
        "java.util.Objects",
        *(f"java.util.concurrent.{name}" for name in ("Callable", "ExecutorService", "Future")),
        *served,
    }
    if call.fallback:
        found |= {f"{_OURS}.core.CallableUtils", "java.util.List", "java.util.function.BiFunction"}
    return _sorted(found)


def _policy_imports(call: CallPlan, causes: Iterable[str]) -> list[str]:
    found = {f"{_OURS}.{name}" for layer in call.layers for name in _CLASSES.get(layer, ())}
    found |= {f"{_OURS}.timelimiter.TimeLimiter{ending}" for ending in ("", "Config", "Registry")}
    found.add("java.time.Duration")
    if call.retry and call.retry.jitter == "full":
        found.add("java.util.concurrent.ThreadLocalRandom")
    return _sorted(found.union(causes if call.retry or call.breaker else ()))


def _sorted(names: Iterable[str]) -> list[str]:
    """Without those that every Java file sees, or that lie in the same package."""
    return sorted(name for name in names if name.rpartition(".")[0] not in {PACKAGE, "java.lang"})


def _retry(call: CallPlan) -> dict[str, object] | None:
    retry = call.retry
    if not retry:
        return None
    return {
        "attempts": retry.attempts,
        "first_wait": millis(retry.first_wait),
        "longest_wait": millis(retry.longest_wait),
        "factor": figure(retry.factor),
        "jitter": retry.jitter == "full",
        "budget": figure(retry.budget),
        "budget_percent": percent(retry.budget),
    }


def _breaker(breaker: BreakerPlan) -> dict[str, object]:
    judged = breaker.slow_ratio is not None and breaker.slow_after is not None
    return {
        "window": "TIME_BASED" if breaker.window == "time" else "COUNT_BASED",
        "size": max(1, math.ceil(breaker.size)),
        "minimum_calls": breaker.minimum_calls,
        "failure": percent(breaker.failure_ratio),
        "slow": percent(breaker.slow_ratio) if breaker.slow_ratio is not None else "100",
        "slow_after": millis(breaker.slow_after or 0) if judged else _NEVER_SLOW * 1000,
        "judged": judged,
        "open_for": millis(breaker.open_for),
        "probes": probes(breaker),
    }


def _read(files: Mapping[str, str]) -> Reading:
    from halfopen_generators.breaker.readers import resilience4j  # noqa: PLC0415 - only reading back pays for it

    return resilience4j.read(files)


DIALECT = Dialect(
    title="Resilience4j (Spring Boot and Java)",
    kind="library",
    version="2.4.0",
    parts=ALL,
    says=says,
    unsaid=unsaid,
    read=_read,
)

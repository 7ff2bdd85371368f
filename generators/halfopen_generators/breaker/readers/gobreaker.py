"""What a call guarded by gobreaker 2.4 means, from its Go; what isn't said is the default of gobreaker and backoff.

The helpers beside gobreaker are known by their digests: one that was changed is another one, and unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from halfopen_generators.breaker.readers.code import Call, Expression, Literal, New, calls, dotted
from halfopen_generators.breaker.readers.guarded import BREAKER, NO_RETRY, Guarded
from halfopen_generators.breaker.readers.library_defaults import defaults
from halfopen_generators.breaker.readers.syntax_go import go
from halfopen_generators.breaker.reading import Reading, Term, Value

KNOWN = {
    "Call": "a989d264bb176b57",
    "ErrUnreached": "31c86cf966d99411",
    "ErrUnavailable": "31c86cf966d99411",
    "ErrTimedOut": "31c86cf966d99411",
    "ErrDeadline": "31c86cf966d99411",
    "ErrBulkheadFull": "31c86cf966d99411",
    "ErrRateExceeded": "31c86cf966d99411",
    "isFailure": "4fe7984f1d7c2f00",
    "isSuccessful": "14e76cfdc69aaa54",
    "isExcluded": "498f2a159b685de5",
    "isOneOf": "31f749a76b7ea6cc",
    "opensAt": "5dfb8bec91d549d7",
    "within": "3b83be72d80c46b3",
    "placed": "826febed7b47b230",
    "allowed": "35c1c875801f2d22",
    "broken": "af374bb590d3fdcc",
    "RetryBudget": "04c73b5bc687c2c6",
    "mostSaved": "b3b95698717d2d17",
    "newRetryBudget": "8adb09138f46f1eb",
    "RetryBudget.Earn": "4b17fff025364ca9",
    "RetryBudget.Spend": "b209ace7edb5e91d",
    "RetryPolicy": "90d8d05a4380bb8e",
    "sparing": "1405f6608e1fb953",
    "sparing.NextBackOff": "e20b931184e01c9f",
    "retried": "632db708b879cb47",
    "orElse": "600b7d18dd3106f9",
}
_LAYERS = {"placed": "bulkhead", "allowed": "limit", "broken": "breaker", "retried": "retry", "orElse": "fallback"}
_LATE = {"ErrTimedOut": "timeout", "ErrDeadline": "deadline"}
_FAILURES = {"ErrUnreached": "unreached", "ErrUnavailable": "unavailable", "ErrTimedOut": "timeout"}
_OPEN = {"gobreaker.ErrOpenState", "gobreaker.ErrTooManyRequests"}
_METHOD = "Call"
# Durations in seconds.
UNITS: dict[str, Expression] = {"Nanosecond": Literal(1e-9), "Microsecond": Literal(1e-6), "Millisecond": Literal(1e-3),
                                "Second": Literal(1.0), "Minute": Literal(60.0), "Hour": Literal(3600.0)}  # fmt: skip


def read(files: Mapping[str, str]) -> Reading:
    """The policy that these files set.

    Raises:
        ValueError: they aren't well-formed, or no method in them guards a call.
    """
    codes = [go(text) for path, text in sorted(files.items()) if path.endswith(".go")]
    code = Guarded.of(codes, KNOWN, {})
    code = Guarded(code.functions, {**UNITS, **code.constants}, code.extends, code.changed)
    around = code.around(_METHOD)
    order = [_late(call) or layer for call, layer in zip(around, code.layers(around, _LAYERS), strict=True)]
    found = dict(zip(reversed(order), reversed(around), strict=True))
    overall: Value = None
    if "deadline" in order and not set(order[order.index("deadline") + 1 :]) - {"fallback"}:
        overall = code.number(found["deadline"].args[0])
        order.remove("deadline")
    return {
        "per_try": code.number(found["timeout"].args[0]) if "timeout" in found else None,
        "overall": overall,
        **_retry(code, found.get("retry"), breaker="breaker" in order),
        **_breaker(code, found.get("breaker")),
        "concurrent": _places(code, found.get("bulkhead")),
        "rate": _rate(code, found.get("limit")),
        "hedge_after": None,
        "layers": tuple(reversed(order)),
    }


def _late(call: Call) -> str:
    """Which time-out it is, by what it says when the time is over: only one of them is a failure of a try."""
    return _LATE.get(dotted(call.args[1]), "") if dotted(call.of) == "within" and len(call.args) > 1 else ""


def _retry(code: Guarded, call: Call | None, *, breaker: bool) -> dict[Term, Value]:
    if call is None:
        return NO_RETRY
    policy = code.resolved(call.args[0])
    said = policy.fields if isinstance(policy, New) else {}
    kinds = code.kinds(said.get("On"))
    return {
        "attempts": code.number(said.get("Attempts")),
        **_waits(code, said.get("BackOff")),
        "budget": _budget(code, call.args[1]),
        "retried_on": tuple(sorted(failure for error, failure in _FAILURES.items() if error in kinds)),
        "retries_open": breaker and bool(_OPEN.intersection(kinds)),
    }


def _waits(code: Guarded, backoff: Expression | None) -> dict[Term, Value]:
    said = backoff.fields if isinstance(backoff, New) else {}
    own = defaults("gobreaker", "backoff")
    # Only its constructor has defaults; what a literal leaves out is nothing.
    first, random, factor, longest = (
        code.number(said[name]) if name in said else float(str(own[name]))
        for name in ("InitialInterval", "RandomizationFactor", "Multiplier", "MaxInterval")
    )
    # Around the interval by all of it: between nothing and twice as much.
    twice = 2 if random == 1 else 1
    jitter = {0.0: "none", 1.0: "full"}.get(random, f"around by {random}") if isinstance(random, float) else str(random)
    return {
        "first_wait": first * twice if isinstance(first, float) else first,
        "factor": factor,
        "longest_wait": longest * twice if isinstance(longest, float) else longest,
        "jitter": jitter,
    }


def _budget(code: Guarded, said: Expression) -> Value:
    made = code.resolved(said)
    pays = any(list(calls(found.body, "Earn")) for name, found in code.functions.items() if name == _METHOD)
    if not isinstance(made, Call) or dotted(made.of) != "newRetryBudget" or code.changed or not pays:
        return None
    return code.number(made.args[0])


def _places(code: Guarded, call: Call | None) -> Value:
    made = code.resolved(call.args[0]) if call else None
    return code.number(made.args[-1]) if isinstance(made, Call) and dotted(made.of) == "make" else None


def _rate(code: Guarded, call: Call | None) -> Value:
    made = code.resolved(call.args[0]) if call else None
    if not isinstance(made, Call) or dotted(made.of) != "rate.NewLimiter":
        return None
    rate, burst = (code.number(arg) for arg in made.args)
    # A second's worth, and one call at least.
    usual = isinstance(rate, float) and burst == max(1, math.ceil(rate))
    return rate if usual else f"{rate}, with {burst} at once"


def _breaker(code: Guarded, call: Call | None) -> dict[Term, Value]:
    made = code.resolved(call.args[0]) if call else None
    settings = made.args[0] if isinstance(made, Call) and made.args else None
    if not isinstance(settings, New):
        return dict.fromkeys(BREAKER)
    said = settings.fields
    own = defaults("gobreaker", "breaker")
    judged = {name: dotted(said[name]) for name in ("IsSuccessful", "IsExcluded") if name in said}
    if judged != {"IsSuccessful": "isSuccessful", "IsExcluded": "isExcluded"} or code.changed:
        return dict.fromkeys(BREAKER, "counts what is no failure")
    minimum, ratio = _trips(code, said.get("ReadyToTrip"))
    open_for, probes = (code.number(said[name]) if name in said else float(str(own[name]))
                        for name in ("Timeout", "MaxRequests"))  # fmt: skip
    return {
        **_window(code.number(said.get("Interval")), code.number(said.get("BucketPeriod"))),
        "minimum_calls": minimum,
        "failure_ratio": ratio,
        "slow_ratio": None,
        "slow_after": None,
        "open_for": open_for,
        "probes": probes,
    }


def _trips(code: Guarded, said: Expression | None) -> tuple[Value, Value]:
    """Of `opensAt(minimum, ratio)`; left out, it opens after some failures in a row."""
    if isinstance(said, Call) and dotted(said.of) == "opensAt":
        minimum, ratio = (code.number(arg) for arg in said.args)
        return minimum, ratio
    return None, "after failures in a row"


def _window(interval: Value, bucket: Value) -> dict[Term, Value]:
    if not isinstance(interval, float) or interval <= 0:
        return {"window": "since it closed", "size": None}
    if not isinstance(bucket, float) or bucket <= 0 or bucket >= interval:
        return {"window": "emptied at intervals", "size": interval}
    # It has whole buckets; nanoseconds round what doesn't divide.
    return {"window": "time", "size": math.ceil(interval / bucket - 1e-6) * bucket}

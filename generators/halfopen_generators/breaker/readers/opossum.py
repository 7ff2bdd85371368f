"""What a call guarded by opossum 10 means, from its TypeScript; what isn't said of the breaker is opossum's default.

The helpers beside opossum are known by their digests: one that was changed is another one, and unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from halfopen_generators.breaker.readers.code import Call, Expression, Literal, Member, New, dotted
from halfopen_generators.breaker.readers.guarded import BREAKER, NO_RETRY, Guarded
from halfopen_generators.breaker.readers.library_defaults import defaults
from halfopen_generators.breaker.readers.syntax_typescript import typescript
from halfopen_generators.breaker.reading import Reading, Term, Value

KNOWN = {
    "Call": "049f1bf5ebb2eafd",
    "Kind": "b669c2841963c746",
    "Unreached": "4ccd2dd165178359",
    "Unavailable": "543da2de6a7ca0b5",
    "TimedOut": "75e5db6140ed8354",
    "DeadlineExceeded": "76883274081ac241",
    "Rejected": "01979bc7e0ae4396",
    "BreakerOpen": "b851d1188a363d65",
    "BulkheadFull": "17076b09986e46ab",
    "RateExceeded": "daabd01ebd4f153f",
    "FAILURES": "dba637c8dd330525",
    "isNoFailure": "40741862ea4d8e29",
    "isOneOf": "ea6754a1cdac48ed",
    "justBelow": "e53ba4da0f6b29b4",
    "within": "ed7dbd02378c8087",
    "deadline": "a65c26b1e76212ad",
    "limited": "c615345e0331c9cf",
    "Bulkhead": "0fb22ec6463349c4",
    "RateLimit": "c5a7623c273c29a4",
    "RetryBudget": "e25c4a02067a4d60",
    "RetryPolicy": "a3ee2772accafd1b",
    "retried": "6afe11ff3902515c",
    "broken": "39c0d3007cfadf6f",
    "orElse": "242866b3b2eb7486",
}
_LAYERS = {"within": "timeout", "Bulkhead": "bulkhead", "RateLimit": "limit", "broken": "breaker", "retried": "retry",
           "orElse": "fallback", "deadline": "deadline"}  # fmt: skip
_FAILURES = {"Unreached": "unreached", "Unavailable": "unavailable", "TimedOut": "timeout"}
_METHOD = "call"


def read(files: Mapping[str, str]) -> Reading:
    """The policy that these files set.

    Raises:
        ValueError: they aren't well-formed, or no method in them guards a call.
    """
    codes = [typescript(text) for path, text in sorted(files.items()) if path.endswith(".ts")]
    code = Guarded.of(codes, KNOWN, dict.fromkeys(("TypeError", "RangeError"), "Error"))
    around = code.around(_METHOD)
    order = code.layers(around, _LAYERS)
    found = dict(zip(reversed(order), reversed(around), strict=True))
    overall = _overall(code, order, around)
    order = [layer for layer in order if layer != "deadline" or overall is None]
    breaker = _breaker(code, found.get("breaker"))
    return {
        "per_try": code.seconds(found["timeout"].args[0]) if "timeout" in found else None,
        "overall": overall,
        **retry(code, found.get("retry"), _FAILURES, "BreakerOpen", breaker="breaker" in order),
        **breaker,
        "concurrent": concurrent(code, found.get("bulkhead")),
        "rate": rate(code, found.get("limit")),
        "hedge_after": None,
        "layers": tuple(reversed(order)),
    }


def _overall(code: Guarded, order: list[str], around: list[Call]) -> Value:
    """The deadline, if nothing but a fallback stands around it."""
    outside = order[order.index("deadline") + 1 :] if "deadline" in order else ["nothing"]
    if set(outside) - {"fallback"}:
        return None
    return code.seconds(around[order.index("deadline")].args[0])


def retry(
    code: Guarded, call: Call | None, failures: Mapping[str, str], rejection: str, *, breaker: bool
) -> dict[Term, Value]:
    """What `retried(policy, budget, call)` does."""
    if call is None:
        return NO_RETRY
    policy = code.resolved(call.args[0])
    said = policy.fields if isinstance(policy, New) else {}
    kinds = code.kinds(said.get("on"))
    causes = {failure for cause, failure in failures.items() if code.is_a(cause, kinds)}
    if code.is_a("Error", kinds):
        causes.add("anything else")
    return {
        "attempts": code.number(said.get("attempts")),
        "first_wait": code.seconds(said.get("firstWaitMs")),
        "factor": code.number(said.get("factor")),
        "longest_wait": code.seconds(said.get("longestWaitMs")),
        "jitter": code.number(said.get("jitter")),
        "budget": budget(code, call.args[1]),
        "retried_on": tuple(sorted(causes)),
        "retries_open": breaker and code.is_a(rejection, kinds),
    }


def budget(code: Guarded, said: Expression) -> Value:
    """The share of `new RetryBudget(share)`, if calls pay into it."""
    made = code.resolved(said)
    if not isinstance(made, New) or made.type != "RetryBudget" or made.type in code.changed or not code.earns(_METHOD):
        return None
    return code.number(made.args[0])


def concurrent(code: Guarded, call: Call | None) -> Value:
    """Of `new Bulkhead(concurrent)`."""
    made = code.resolved(call.of.of) if call and isinstance(call.of, Member) else None
    return code.number(made.args[0]) if isinstance(made, New) and made.args else None


def rate(code: Guarded, call: Call | None) -> Value:
    """Of `new RateLimit({ calls, periodMs })`, calls a second."""
    made = code.resolved(call.of.of) if call and isinstance(call.of, Member) else None
    said = made.args[0] if isinstance(made, New) and made.args else None
    if not isinstance(said, New):
        return None
    calls, period = code.number(said.fields.get("calls")), code.seconds(said.fields.get("periodMs"))
    return calls / period if isinstance(calls, float) and isinstance(period, float) and period else f"{calls} {period}"


def _breaker(code: Guarded, call: Call | None) -> dict[Term, Value]:
    made = code.resolved(call.args[0]) if call else None
    if not isinstance(made, New):
        return dict.fromkeys(BREAKER)
    options = made.args[1] if len(made.args) > 1 else None
    said = options.fields if isinstance(options, New) else {}
    own = {name: Literal(value) for name, value in defaults("opossum", "breaker").items()
           if isinstance(value, (int, float))}  # fmt: skip
    all_said: dict[str, Expression] = {**own, **said}
    if dotted(all_said.get("errorFilter", Literal(None))) != "isNoFailure":
        return dict.fromkeys(BREAKER, "counts what is no failure")
    if code.number(all_said["timeout"]) is not False or "capacity" in said:
        return dict.fromkeys(BREAKER, "has a time-out or a capacity of its own")
    length, parts = code.number(all_said["rollingCountTimeout"]), code.number(all_said["rollingCountBuckets"])
    numbers = isinstance(length, (int, float)) and isinstance(parts, (int, float)) and parts
    return {
        "window": "time",
        "size": math.floor(length / parts) * parts / 1000 if numbers else f"{length}/{parts}",  # type: ignore[operator]
        "minimum_calls": code.number(all_said["volumeThreshold"]),
        "failure_ratio": _at_least(code, all_said["errorThresholdPercentage"]),
        "slow_ratio": None,
        "slow_after": None,
        "open_for": code.seconds(all_said["resetTimeout"]),
        # One call tests it, whatever is said.
        "probes": 1.0,
    }


def _at_least(code: Guarded, said: Expression) -> Value:
    """It opens above what is said; just below a share is at it."""
    if isinstance(said, Call) and dotted(said.of) == "justBelow" and "justBelow" not in code.changed:
        found = code.number(said.args[0])
        return found / 100 if isinstance(found, float) else found
    return f"more than {code.number(said)} %"

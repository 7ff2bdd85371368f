"""What a call guarded by failsafe-go 0.9 means, from its Go; what isn't said is the library's default.

The helpers beside it are known by their digests: one that was changed is another one, and unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from halfopen_generators.breaker.readers.code import Call, Expression, Literal, Member, dotted
from halfopen_generators.breaker.readers.gobreaker import UNITS
from halfopen_generators.breaker.readers.guarded import BREAKER, NO_RETRY, Guarded
from halfopen_generators.breaker.readers.library_defaults import defaults
from halfopen_generators.breaker.readers.syntax_go import go
from halfopen_generators.breaker.reading import Reading, Term, Value

KNOWN = {
    "ErrUnreached": "c20063d39ca9a7e2",
    "ErrUnavailable": "c20063d39ca9a7e2",
    "grown": "5ce68b0148f30909",
    "drawn": "f48bfe832ca531fe",
    "settled": "6c3cdbe498294b6f",
}
_LAYERS = {"retrypolicy": "retry", "circuitbreaker": "breaker", "ratelimiter": "limit", "bulkhead": "bulkhead",
           "timeout": "timeout", "fallback": "fallback", "hedgepolicy": "hedge"}  # fmt: skip
_FAILURES = {"ErrUnreached": "unreached", "ErrUnavailable": "unavailable", "timeout.ErrExceeded": "timeout"}
_METHOD = "Call"
_NEAR = 1e-9


@dataclass(frozen=True)
class _Policy:
    """What made a policy, with its arguments, and what is said to its builder besides."""

    made: str
    args: tuple[Expression, ...]
    said: Mapping[str, tuple[Expression, ...]]

    @property
    def layer(self) -> str:
        return _LAYERS.get(self.made.partition(".")[0], self.made)

    def errors(self) -> list[str]:
        """Those that it handles: all of them if it doesn't say, and what can't be known."""
        if any(name.startswith("Handle") and name != "HandleErrors" for name in self.said):
            return ["anything else"]
        return [dotted(one) for one in self.said.get("HandleErrors", (Literal("all"),))]


def read(files: Mapping[str, str]) -> Reading:
    """The policy that these files set.

    Raises:
        ValueError: they aren't well-formed, or no method in them guards a call.
    """
    codes = [go(text) for path, text in sorted(files.items()) if path.endswith(".go")]
    code = Guarded.of(codes, KNOWN, {})
    code = Guarded(code.functions, {**UNITS, **code.constants}, code.extends, code.changed)
    around = [_policy(code, said) for said in _around(code)]
    found = {policy.layer: policy for policy in around}
    order = [policy.layer for policy in around]
    overall: Value = None
    outermost = next((place for place, layer in enumerate(order) if layer != "fallback"), None)
    if outermost is not None and order[outermost] == "timeout":
        overall = code.number(around[outermost].args[0])
        del order[outermost]
    return {
        "per_try": code.number(found["timeout"].args[0]) if "timeout" in order else None,
        "overall": overall,
        **_retry(code, found.get("retry"), breaker="breaker" in order),
        **_breaker(code, found.get("breaker")),
        "concurrent": _bulkhead(code, found.get("bulkhead")),
        "rate": _rate(code, found.get("limit")),
        "hedge_after": _hedge(code, found.get("hedge")),
        "layers": tuple(_served(layer, found, order) for layer in order if layer != "hedge"),
    }


def _around(code: Guarded) -> tuple[Expression, ...]:
    """The policies of `failsafe.With(...)`, outermost first."""
    function = code.functions.get(_METHOD)
    for step in function.body if function else ():
        here: Expression = step.value
        while step.kind == "return" and isinstance(here, Call):
            if dotted(here.of) == "failsafe.With":
                return here.args
            here = here.of.of if isinstance(here.of, Member) else Literal(None)
    raise ValueError("no method guards a call and makes it")


def _policy(code: Guarded, said: Expression) -> _Policy:
    here, told = code.resolved(said), dict[str, tuple[Expression, ...]]()
    while isinstance(here, Call) and isinstance(here.of, Member) and not dotted(here.of):
        told.setdefault(here.of.name, here.args)
        here = here.of.of
    return _Policy(dotted(here.of), here.args, told) if isinstance(here, Call) else _Policy(str(said), (), {})


def _served(layer: str, found: Mapping[str, _Policy], order: list[str]) -> str:
    """A fallback that isn't there for each failure and for the open breaker is another one."""
    wanted = {*_FAILURES, *(["circuitbreaker.ErrOpen"] if "breaker" in order else [])}
    handled = found["fallback"].errors() if layer == "fallback" else []
    return layer if layer != "fallback" or wanted <= {*handled} else f"fallback for {', '.join(handled)}"


def _retry(code: Guarded, policy: _Policy | None, *, breaker: bool) -> dict[Term, Value]:
    if policy is None:
        return NO_RETRY
    said, own = policy.said, defaults("failsafe_go", "retry")
    errors = policy.errors()
    on = {failure for error, failure in _FAILURES.items() if error in errors}
    if "" in errors or "anything else" in errors:
        on = {*_FAILURES.values(), "anything else"}
    retries = code.number(said["WithMaxRetries"][0]) if "WithMaxRetries" in said else float(str(own["maxRetries"]))
    attempts = code.number(said["WithMaxAttempts"][0]) if "WithMaxAttempts" in said else None
    return {
        "attempts": attempts or (retries + 1 if isinstance(retries, float) else retries),
        **_waits(code, said),
        "budget": _budget(code, said.get("WithBudget")),
        "retried_on": tuple(sorted(on)),
        "retries_open": breaker and ("circuitbreaker.ErrOpen" in errors or "anything else" in on),
    }


def _waits(code: Guarded, said: Mapping[str, tuple[Expression, ...]]) -> dict[Term, Value]:
    """Of `drawn` or `grown`, which say all of it; the library's own backoff has jitter around the wait."""
    function = said.get("WithDelayFunc", (Literal(None),))[0]
    helper = dotted(function.of) if isinstance(function, Call) else ""
    if helper in {"drawn", "grown"} and isinstance(function, Call) and not code.changed:
        first, factor, longest = (code.number(arg) for arg in function.args)
        plain = not {"WithJitter", "WithJitterFactor"} & {*said}
        jitter = ("full" if helper == "drawn" else "none") if plain else "more than that"
        return {"first_wait": first, "factor": factor, "longest_wait": longest, "jitter": jitter}
    if "WithBackoffFactor" in said or "WithBackoff" in said:
        first, longest, *factors = (code.number(arg) for arg in said.get("WithBackoffFactor") or said["WithBackoff"])
        around = code.number(said["WithJitterFactor"][0]) if "WithJitterFactor" in said else 0
        twice = 2 if around == 1 else 1
        return {
            "first_wait": first * twice if isinstance(first, float) else first,
            "factor": factors[0] if factors else float(str(defaults("failsafe_go", "retry")["backoff"])),
            "longest_wait": longest * twice if isinstance(longest, float) else longest,
            "jitter": {0.0: "none", 1.0: "full"}.get(around, f"around by {around}") if isinstance(around, (int, float))
            else str(around),
        }  # fmt: skip
    return dict.fromkeys(("first_wait", "factor", "longest_wait", "jitter"), "no wait that is known")


def _budget(code: Guarded, said: tuple[Expression, ...] | None) -> Value:
    if said is None:
        return None
    policy = _policy(code, said[0])
    own = defaults("failsafe_go", "budget")
    rate = code.number(policy.said["WithMaxRate"][0]) if "WithMaxRate" in policy.said else float(str(own["maxRate"]))
    least = code.number(policy.said["WithMinConcurrency"][0]) if "WithMinConcurrency" in policy.said else float(
        str(own["minConcurrency"]))  # fmt: skip
    # One at a time is none too many; more of them are beside the share.
    return rate if least == 1 else f"{rate}, and {least} at once beside it"


def _breaker(code: Guarded, policy: _Policy | None) -> dict[Term, Value]:
    if policy is None:
        return dict.fromkeys(BREAKER)
    said, errors = policy.said, policy.errors()
    if sorted(errors) != sorted(_FAILURES):
        return dict.fromkeys(BREAKER, f"counts {', '.join(errors) or 'all errors'}")
    if "WithFailureRateThreshold" not in said:
        return dict.fromkeys(BREAKER, "opens by failures alone")
    ratio, minimum, period = (code.number(arg) for arg in said["WithFailureRateThreshold"])
    delay = code.number(said["WithDelay"][0]) if "WithDelay" in said else float(
        str(defaults("failsafe_go", "breaker")["delay"]))  # fmt: skip
    varied = {"WithDelayFunc", "WithRandomDelay", "WithJitter", "WithJitterFactor"} & {*said}
    return {
        "window": "time" if period else "count",
        "size": period or minimum,
        "minimum_calls": minimum,
        "failure_ratio": ratio,
        "slow_ratio": None,
        "slow_after": None,
        "open_for": f"{delay}, by {', '.join(sorted(varied))}" if varied else delay,
        "probes": _probes(code, said.get("WithSuccessThresholdRatio"), ratio, minimum),
    }


def _probes(code: Guarded, said: tuple[Expression, ...] | None, ratio: Value, minimum: Value) -> Value:
    """Those let through, if it opens again by the share by which it opened; left out, the least of a window."""
    if said is None:
        return minimum
    successes, probes = (code.number(arg) for arg in said)
    if not isinstance(ratio, float) or not isinstance(probes, float) or not isinstance(successes, float):
        return f"{successes} of {probes}"
    alike = successes == probes - max(1, math.ceil(ratio * probes - _NEAR)) + 1
    return probes if alike else f"{probes}, of which {successes} have to go well"


def _bulkhead(code: Guarded, policy: _Policy | None) -> Value:
    if policy is None:
        return None
    waits = "WithMaxWaitTime" in policy.said
    places = code.number(policy.args[0])
    return f"{places}, and others wait" if waits else places


def _rate(code: Guarded, policy: _Policy | None) -> Value:
    if policy is None or len(policy.args) != len(("calls", "period")):
        return None
    calls, period = (code.number(arg) for arg in policy.args)
    if "WithMaxWaitTime" in policy.said or not isinstance(calls, float) or not isinstance(period, float) or not period:
        return f"{calls} in {period} s, and others wait"
    return calls / period


def _hedge(code: Guarded, policy: _Policy | None) -> Value:
    if policy is None:
        return None
    after = code.number(policy.args[0])
    hedges = code.number(policy.said["WithMaxHedges"][0]) if "WithMaxHedges" in policy.said else 1
    first = policy.said.get("CancelIf", (Literal(None),))[0]
    # Left out, a refusal of the one ends the other.
    fine = hedges == 1 and dotted(first) == "settled" and not code.changed
    return after if fine else f"{after}, {hedges} times, ended by {dotted(first) or 'whatever comes first'}"

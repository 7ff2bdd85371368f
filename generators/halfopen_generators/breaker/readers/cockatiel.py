"""What a call guarded by cockatiel 4 means, from its TypeScript; what isn't said is cockatiel's default.

The helpers beside cockatiel are known by their digests: one that was changed is another one, and unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from halfopen_generators.breaker.readers.code import Call, Expression, Member, Name, New, dotted
from halfopen_generators.breaker.readers.guarded import BREAKER, NO_RETRY, Guarded
from halfopen_generators.breaker.readers.library_defaults import defaults
from halfopen_generators.breaker.readers.opossum import budget, rate
from halfopen_generators.breaker.readers.syntax_typescript import typescript
from halfopen_generators.breaker.reading import Reading, Term, Value

KNOWN = {
    "Call": "049f1bf5ebb2eafd",
    "Unreached": "4ccd2dd165178359",
    "Unavailable": "543da2de6a7ca0b5",
    "RateExceeded": "6e06f8ffa866911b",
    "justBelow": "4b5ec707fd45314e",
    "atLeast": "b84046158b8a384a",
    "through": "0c2aeafc5769c43a",
    "within": "88f9e776d0372125",
    "RateLimit": "c5a7623c273c29a4",
    "RetryBudget": "e25c4a02067a4d60",
    "Waits": "715937772ed7a920",
    "sparing": "608e09d5ba3c6707",
    "orElse": "0783956e8924fa47",
}
_LAYERS = {"RateLimit": "limit", "orElse": "fallback"}
# By the helper that leads through them: an operation that heeds its signal evades a time-out that it is only put
# through.
_POLICIES = {("within", "timeout"): "timeout", ("through", "bulkhead"): "bulkhead",
             ("through", "circuitBreaker"): "breaker", ("through", "retry"): "retry"}  # fmt: skip
_FAILURES = {"Unreached": "unreached", "Unavailable": "unavailable", "TaskCancelledError": "timeout"}
_ABOVE = dict.fromkeys(("TaskCancelledError", "BrokenCircuitError", "BulkheadRejectedError"), "Error")
_METHOD = "call"


def read(files: Mapping[str, str]) -> Reading:
    """The policy that these files set.

    Raises:
        ValueError: they aren't well-formed, or no method in them guards a call.
    """
    codes = [typescript(text) for path, text in sorted(files.items()) if path.endswith(".ts")]
    code = Guarded.of(codes, KNOWN, _ABOVE)
    around = code.around(_METHOD)
    order = [_policy(code, call) or layer for call, layer in zip(around, code.layers(around, _LAYERS), strict=True)]
    found = dict(zip(reversed(order), reversed(around), strict=True))
    # The outermost time-out is that of all tries; only a fallback may stand around it.
    outermost = max((place for place, layer in enumerate(order) if layer != "fallback"), default=None)
    overall: Value = None
    if outermost is not None and order[outermost] == "timeout":
        overall = _timeout(code, around[outermost])
        del order[outermost]
    each = next((call for call in around if _policy(code, call) == "timeout"), None) if "timeout" in order else None
    return {
        "per_try": _timeout(code, each) if each else None,
        "overall": overall,
        **_retry(code, found.get("retry"), breaker="breaker" in order),
        **_breaker(code, found.get("breaker")),
        "concurrent": _bulkhead(code, found.get("bulkhead")),
        "rate": rate(code, found.get("limit")),
        "hedge_after": None,
        "layers": tuple(reversed([_served(code, layer, found, order) for layer in order])),
    }


def _served(code: Guarded, layer: str, found: Mapping[str, Call], order: list[str]) -> str:
    """A fallback that isn't there for each failure and for the open breaker is another one."""
    if layer != "fallback":
        return layer
    kinds = _kinds(code, found["fallback"].args[0])
    wanted = [*_FAILURES, *(["BrokenCircuitError"] if "breaker" in order else [])]
    return layer if all(code.is_a(kind, kinds) for kind in wanted) else f"fallback for {', '.join(kinds)}"


def _made(code: Guarded, call: Call) -> Call | None:
    """What made the policy that a step goes through."""
    policy = code.resolved(call.args[0]) if call.args else None
    return policy if isinstance(policy, Call) else None


def _policy(code: Guarded, call: Call) -> str:
    """What it is, by the policy and by the helper that leads through it; empty if it is none."""
    made, helper = _made(code, call), code.helper(call)
    if made is None or helper not in {"through", "within"} or helper in code.changed:
        return ""
    return _POLICIES.get((helper, dotted(made.of)), f"{helper} {dotted(made.of)}")


def _timeout(code: Guarded, call: Call) -> Value:
    made = _made(code, call)
    if made is None or len(made.args) < 2 or dotted(made.args[1]) != "TimeoutStrategy.Aggressive":  # noqa: PLR2004 - the duration and the strategy
        return "as long as the call likes"
    return code.seconds(made.args[0])


def _bulkhead(code: Guarded, call: Call | None) -> Value:
    made = _made(code, call) if call else None
    if made is None:
        return None
    queue = code.number(made.args[1]) if len(made.args) > 1 else 0
    places = code.number(made.args[0])
    return f"{places}, and {queue} wait" if queue else places


def _kinds(code: Guarded, handled: Expression | None) -> list[str]:
    """The classes that a policy handles: A and B of handleType(A).orType(B), all of them of handleAll."""
    said = code.resolved(handled) if handled else Name("nothing")
    if dotted(said) == "handleAll":
        return ["Error"]
    found: list[str] = []
    here = said
    while isinstance(here, Call):
        how = here.of.name if isinstance(here.of, Member) else dotted(here.of)
        if how not in {"orType", "handleType"} or len(here.args) != 1:
            return ["unknown"]
        found += [dotted(here.args[0])]
        here = code.resolved(here.of.of) if isinstance(here.of, Member) else Name("")
    return found


def _retry(code: Guarded, call: Call | None, *, breaker: bool) -> dict[Term, Value]:
    made = _made(code, call) if call else None
    if made is None:
        return NO_RETRY
    kinds = _kinds(code, made.args[0])
    options = made.args[1].fields if len(made.args) > 1 and isinstance(made.args[1], New) else {}
    retries = code.number(options["maxAttempts"]) if "maxAttempts" in options else math.inf
    causes = {failure for cause, failure in _FAILURES.items() if code.is_a(cause, kinds)}
    if code.is_a("Error", kinds) or "unknown" in kinds:
        causes.add("anything else")
    return {
        "attempts": retries + 1 if isinstance(retries, float) else str(retries),
        **_waits(code, options.get("backoff")),
        "retried_on": tuple(sorted(causes)),
        "retries_open": breaker and code.is_a("BrokenCircuitError", kinds),
    }


def _waits(code: Guarded, backoff: Expression | None) -> dict[Term, Value]:
    """Of `sparing(waits, budget)`, or of cockatiel's own ExponentialBackoff, which keeps no budget."""
    if isinstance(backoff, Call) and dotted(backoff.of) == "sparing" and "sparing" not in code.changed:
        waits = code.resolved(backoff.args[0])
        said = waits.fields if isinstance(waits, New) else {}
        return {
            "first_wait": code.seconds(said.get("firstMs")),
            "factor": code.number(said.get("factor")),
            "longest_wait": code.seconds(said.get("longestMs")),
            "jitter": code.number(said.get("jitter")),
            "budget": budget(code, backoff.args[1]),
        }
    if isinstance(backoff, New) and backoff.type == "ExponentialBackoff":
        options = backoff.args[0].fields if backoff.args and isinstance(backoff.args[0], New) else {}
        own = defaults("cockatiel", "backoff")
        generator = dotted(options["generator"]) if "generator" in options else str(own["generator"])
        jitter = {"fullJitterGenerator": "full", "noJitterGenerator": "none"}.get(generator, generator)
        first, longest = (
            code.seconds(options[name]) if name in options else float(str(own[name])) / 1000
            for name in ("initialDelay", "maxDelay")
        )
        # `exponent` is heeded with decorrelated jitter alone.
        return {
            "first_wait": first,
            "factor": float(str(own["base"])),
            "longest_wait": longest,
            "jitter": jitter,
            "budget": None,
        }
    return dict.fromkeys(("first_wait", "factor", "longest_wait", "jitter", "budget"), "no wait that is known")


def _breaker(code: Guarded, call: Call | None) -> dict[Term, Value]:
    made = _made(code, call) if call else None
    if made is None:
        return dict.fromkeys(BREAKER)
    options = made.args[1].fields if len(made.args) > 1 and isinstance(made.args[1], New) else {}
    if sorted(_kinds(code, made.args[0])) != sorted(_FAILURES):
        return dict.fromkeys(BREAKER, f"counts {', '.join(_kinds(code, made.args[0]))}")
    judge = options.get("breaker")
    said = judge.args[0].fields if isinstance(judge, New) and judge.args and isinstance(judge.args[0], New) else {}
    kind = judge.type if isinstance(judge, New) else ""
    sampling = options.get("halfOpenSampling")
    tests = sampling.fields if isinstance(sampling, New) else {}
    ratio = _at_least(code, said.get("threshold"))
    # Left out, one call tests it, and decides alone; the probes are judged by a share of their own.
    alike = not tests or _at_least(code, tests.get("threshold")) == ratio
    probes = code.number(tests["calls"]) if tests else 1.0
    return {
        **_window(code, kind, said),
        "failure_ratio": ratio,
        "slow_ratio": None,
        "slow_after": None,
        "open_for": code.seconds(options.get("halfOpenAfter")),
        "probes": probes if alike else f"{probes}, judged by another share",
    }


def _window(code: Guarded, kind: str, said: Mapping[str, Expression]) -> dict[Term, Value]:
    if kind == "CountBreaker":
        size = code.number(said.get("size"))
        minimum = code.number(said["minimumNumberOfCalls"]) if "minimumNumberOfCalls" in said else size
        return {"window": "count", "size": size, "minimum_calls": minimum}
    if kind == "SamplingBreaker":
        length = code.number(said.get("duration"))
        return {"window": "time", **_sampled(code, length, said.get("minimumRps"))}
    return {"window": kind, "size": None, "minimum_calls": None}


def _sampled(code: Guarded, length: Value, least: Expression | None) -> dict[Term, Value]:
    """In equal parts of whole milliseconds, of a second at most, five at least."""
    if isinstance(length, (str, tuple, bool)) or length is None:
        return {"size": length, "minimum_calls": None}
    parts = max(5, math.ceil(length / 1000))
    size = math.floor(length / parts + 0.5) * parts
    if isinstance(least, Call) and dotted(least.of) == "atLeast" and "atLeast" not in code.changed:
        calls, over = (code.number(arg) for arg in least.args)
        rps = (calls - 0.5) / over * 1000 if isinstance(calls, float) and isinstance(over, float) else math.nan
    else:
        told = code.number(least)
        rps = float(told) if isinstance(told, (int, float)) else math.nan
    wanted = size * rps / 1000
    return {"size": size / 1000, "minimum_calls": math.ceil(wanted) if math.isfinite(wanted) else "a guess of its own"}


def _at_least(code: Guarded, said: Expression | None) -> Value:
    """It opens above what is said; just below a share is at it."""
    if isinstance(said, Call) and dotted(said.of) == "justBelow" and "justBelow" not in code.changed:
        return code.number(said.args[0])
    return f"more than {code.number(said)}"

"""What a call guarded by Polly 8 means, from its C#; what isn't said is Polly's default.

The helpers beside Polly are known by their digests: one that was changed is another one, and unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from halfopen_generators.breaker.readers.code import (
    Call,
    Expression,
    Function,
    Literal,
    Member,
    New,
    Operation,
    calls,
    dotted,
    inside,
    steps,
)
from halfopen_generators.breaker.readers.guarded import BREAKER, NO_RETRY, Guarded
from halfopen_generators.breaker.readers.library_defaults import defaults
from halfopen_generators.breaker.readers.syntax_csharp import csharp
from halfopen_generators.breaker.reading import Reading, Term, Value

KNOWN = {
    "UnreachedException": "13019a2ee0bc306b",
    "UnavailableException": "4bb88c12ff72f9fa",
    "RetryBudget": "d465cb184c5a54ed",
    "Waits": "dacb43e35d7630cf",
}
_LAYERS = {"AddRetry": "retry", "AddCircuitBreaker": "breaker", "AddRateLimiter": "limit",
           "AddConcurrencyLimiter": "bulkhead", "AddTimeout": "timeout", "AddHedging": "hedge"}  # fmt: skip
_FAILURES = {"UnreachedException": "unreached", "UnavailableException": "unavailable",
             "TimeoutRejectedException": "timeout"}  # fmt: skip
# Polly's own exceptions, and one that stands for any answer that is an exception.
_ABOVE = {
    "TimeoutRejectedException": "ExecutionRejectedException",
    "BrokenCircuitException": "ExecutionRejectedException",
    "RateLimiterRejectedException": "ExecutionRejectedException",
    "ExecutionRejectedException": "Exception",
    "InvalidOperationException": "Exception",
}
_ANSWER = "InvalidOperationException"
_UNITS = {"FromMilliseconds": 1e-3, "FromSeconds": 1.0, "FromMinutes": 60.0, "FromHours": 3_600.0}
_METHOD = "CallAsync"


def read(files: Mapping[str, str]) -> Reading:
    """The policy that these files set.

    Raises:
        ValueError: they aren't well-formed, or no pipeline in them guards a call.
    """
    codes = [csharp(text) for path, text in sorted(files.items()) if path.endswith(".cs")]
    code = Guarded.of(codes, KNOWN, _ABOVE)
    around = _pipeline(code)
    order = [_LAYERS.get(call.of.name if isinstance(call.of, Member) else "", "something else") for call in around]
    found = dict(zip(order, around, strict=True))
    overall: Value = None
    if order and order[0] == "timeout":
        overall = _timeout(code, around[0])
        order = order[1:]
    layers = [layer for layer in order if layer != "hedge"]
    return {
        "per_try": _timeout(code, found["timeout"]) if "timeout" in order else None,
        "overall": overall,
        **_retry(code, found.get("retry"), breaker="breaker" in order),
        **_breaker(code, found.get("breaker")),
        "concurrent": _bulkhead(code, found.get("bulkhead")),
        "rate": _rate(code, found.get("limit")),
        "hedge_after": _hedge(code, found.get("hedge")),
        "layers": (*_fallback(code, breaker="breaker" in order), *layers),
    }


def _pipeline(code: Guarded) -> list[Call]:
    """The strategies that are added to the pipeline that the call is executed by, outermost first."""
    made = code.functions.get(_METHOD)
    executed = {dotted(one.of).rpartition(".")[0] for one in calls(made.body if made else (), "ExecuteAsync")}
    for function in code.functions.values():
        for step in steps(function.body):
            if step.kind == "set" and step.target in executed:
                return list(reversed(list(_added(step.value))))
    raise ValueError("no pipeline guards a call")


def _added(built: Expression) -> Iterable[Call]:
    here = built
    while isinstance(here, Call) and isinstance(here.of, Member):
        if here.of.name != "Build":
            yield here
        here = here.of.of


def _seconds(code: Guarded, said: Expression | None) -> Value:
    """A TimeSpan; its text if it is another expression."""
    if isinstance(said, Call) and dotted(said.of).startswith("TimeSpan.") and len(said.args) == 1:
        amount, unit = code.number(said.args[0]), _UNITS.get(dotted(said.of).partition(".")[2])
        return amount * unit if isinstance(amount, (int, float)) and unit else f"{amount} {dotted(said.of)}"
    return None if said is None else str(said)


def _options(call: Call | None) -> Mapping[str, Expression]:
    made = call.args[0] if call and call.args else None
    return made.fields if isinstance(made, New) else {}


def _timeout(code: Guarded, call: Call) -> Value:
    return _seconds(code, call.args[0] if call.args else None)


def _handled(said: Expression | None) -> list[str]:
    """The classes of `new PredicateBuilder<T>().Handle<A>().Handle<B>()`; Exception where nothing or more is said."""
    found: list[str] = []
    here = said
    while isinstance(here, Call) and isinstance(here.of, Member):
        if here.of.name != "Handle" or len(here.args) != 1:
            return ["Exception"]
        found.append(dotted(here.args[0]))
        here = here.of.of
    return found if isinstance(here, New) and here.type == "PredicateBuilder" else ["Exception"]


def _named(function: Function | None) -> list[str]:
    """The classes of a method that returns `failure is A or B`; Exception where it is another method."""
    ends = [step.value for step in function.body if step.kind == "return"] if function else []
    if len(ends) == 1 and isinstance(ends[0], Call) and dotted(ends[0].of) == "is":
        return [dotted(one) for one in ends[0].args[1:]]
    return ["Exception"]


def _retry(code: Guarded, call: Call | None, *, breaker: bool) -> dict[Term, Value]:
    if call is None:
        return NO_RETRY
    said, own = _options(call), defaults("polly", "retry")
    retries = (
        code.number(said["MaxRetryAttempts"]) if "MaxRetryAttempts" in said else float(str(own["MaxRetryAttempts"]))
    )
    predicate = said.get("ShouldHandle")
    asked = [dotted(one.of) for one in inside(predicate) if isinstance(one, Call)]
    kinds = _named(code.functions.get("IsRetried")) if "IsRetried" in asked else _handled(predicate)
    causes = {failure for cause, failure in _FAILURES.items() if code.is_a(cause, kinds)}
    if code.is_a(_ANSWER, kinds):
        causes.add("anything else")
    return {
        "attempts": retries + 1 if isinstance(retries, float) else retries,
        **_waits(code, said),
        "budget": _budget(code, predicate, retries),
        "retried_on": tuple(sorted(causes)),
        "retries_open": breaker and code.is_a("BrokenCircuitException", kinds),
    }


def _waits(code: Guarded, said: Mapping[str, Expression]) -> dict[Term, Value]:
    """Of `Waits.Drawn` or `Waits.Grown`; Polly's own backoff is by 2, or not at all."""
    made = next(calls(said.get("DelayGenerator", Literal(None)), "Waits.Drawn"), None)
    grown = next(calls(said.get("DelayGenerator", Literal(None)), "Waits.Grown"), None)
    waits = made or grown
    if waits is not None and not code.changed and dotted(waits.args[-1]).endswith(".AttemptNumber"):
        return {
            "first_wait": _seconds(code, waits.args[0]),
            "factor": code.number(waits.args[1]),
            "longest_wait": _seconds(code, waits.args[2]),
            "jitter": "full" if made else "none",
        }
    if "DelayGenerator" in said:
        return dict.fromkeys(("first_wait", "factor", "longest_wait", "jitter"), "no wait that is known")
    own = defaults("polly", "retry")
    kind = dotted(said.get("BackoffType", Literal(None))).rpartition(".")[2] or str(own["BackoffType"])
    jitters = "UseJitter" in said and code.number(said["UseJitter"]) is True
    return {
        "first_wait": _seconds(code, said["Delay"]) if "Delay" in said else float(str(own["Delay"])),
        "factor": float(str(own["Exponential"])) if kind == "Exponential" else kind,
        "longest_wait": _seconds(code, said.get("MaxDelay")),
        "jitter": "around the wait" if jitters else "none",
    }


def _budget(code: Guarded, predicate: Expression | None, retries: Value) -> Value:
    """The share that calls pay in, if each retry is paid for, and nothing but a retry."""
    spent = [one for one in inside(predicate) if isinstance(one, Call) and dotted(one.of).endswith(".Spend")]
    pays = code.functions.get(_METHOD)
    if len(spent) != 1 or code.changed or not pays or not list(calls(pays.body, "Earn")):
        return None
    # It comes last, after the count and the failure.
    last = [one for one in inside(predicate) if isinstance(one, Operation) and one.sign == "&&"]
    counted = [one for one in inside(predicate) if isinstance(one, Operation) and one.sign == "<"]
    if not last or last[0].right != spent[0] or len(counted) != 1 or code.number(counted[0].right) != retries:
        return "paid for what is no retry"
    made = code.resolved(spent[0].of.of) if isinstance(spent[0].of, Member) else None
    return code.number(made.args[0]) if isinstance(made, New) and made.args else None


def _breaker(code: Guarded, call: Call | None) -> dict[Term, Value]:
    if call is None:
        return dict.fromkeys(BREAKER)
    said, own = _options(call), defaults("polly", "breaker")
    kinds = _handled(said.get("ShouldHandle"))
    if sorted(kinds) != sorted(_FAILURES):
        return dict.fromkeys(BREAKER, f"counts {', '.join(kinds)}")

    def number(name: str) -> Value:
        return code.number(said[name]) if name in said else float(str(own[name]))

    def seconds(name: str) -> Value:
        return _seconds(code, said[name]) if name in said else float(str(own[name]))

    open_for = seconds("BreakDuration")
    return {
        "window": "time",
        "size": seconds("SamplingDuration"),
        "minimum_calls": number("MinimumThroughput"),
        "failure_ratio": number("FailureRatio"),
        "slow_ratio": None,
        "slow_after": None,
        "open_for": f"{open_for}, or as generated" if "BreakDurationGenerator" in said else open_for,
        # One call tests it, whatever is said.
        "probes": 1.0,
    }


def _bulkhead(code: Guarded, call: Call | None) -> Value:
    if call is None:
        return None
    places, queue = code.number(call.args[0]), code.number(call.args[1]) if len(call.args) > 1 else 0
    return f"{places}, and {queue} wait" if queue else places


def _rate(code: Guarded, call: Call | None) -> Value:
    made = call.args[0] if call and call.args else None
    options = made.args[0] if isinstance(made, New) and made.args else None
    if not isinstance(made, New) or not isinstance(options, New):
        return None
    calls_, period = code.number(options.fields.get("PermitLimit")), _seconds(code, options.fields.get("Window"))
    queue = code.number(options.fields["QueueLimit"]) if "QueueLimit" in options.fields else 0
    if made.type != "FixedWindowRateLimiter" or not isinstance(calls_, float) or not isinstance(period, float) or queue:
        return f"{made.type}: {calls_} in {period}, and {queue} wait"
    return calls_ / period if period else None


def _hedge(code: Guarded, call: Call | None) -> Value:
    if call is None:
        return None
    said, own = _options(call), defaults("polly", "hedging")
    after = _seconds(code, said["Delay"]) if "Delay" in said else float(str(own["Delay"]))
    tries = code.number(said["MaxHedgedAttempts"]) if "MaxHedgedAttempts" in said else 1
    # What it handles is hedged at once, without the delay.
    handled = _handled(said.get("ShouldHandle"))
    usual = tries == 1 and handled == ["RateLimiterRejectedException"]
    return after if usual else f"{after}, {tries} times, at once for {', '.join(handled)}"


def _fallback(code: Guarded, *, breaker: bool) -> list[str]:
    """Served where the call fails: for each failure, and for the open breaker."""
    method = code.functions.get(_METHOD)
    caught = [step for step in steps(method.body) if step.kind == "catch"] if method else []
    if not caught:
        return []
    wanted = [*_FAILURES, *(["BrokenCircuitException"] if breaker else [])]
    kinds = [dotted(one) for one in caught[0].value.args[1:]] if isinstance(caught[0].value, Call) else ["Exception"]
    served = all(code.is_a(kind, kinds) for kind in wanted) and not code.is_a(_ANSWER, kinds)
    return ["fallback" if served else f"fallback for {', '.join(kinds)}"]

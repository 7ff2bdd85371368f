"""The spec as checked: the user's spec with every decision filled in, as YAML that loads to the same policy.

What was left out of the spec and decided, or assumed, is marked; the reasons stand in POLICY.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from halfopen.durations import spell_duration
from halfopen.quantities import spell_share
from halfopen.source import Location
from halfopen.yaml_text import dump, flow, flow_list, kept
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Policy, RetryPlan
from halfopen_generators.breaker.spec import AskedBreaker, AskedRetries, Call

_HEAD = "The spec as it was checked. What was left out and decided is marked; POLICY.md has the reasons."
_MARK = "  # decided"
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
# The spec takes no bulkhead larger than that; one that is decided larger is decided again.
_MOST_PLACES = 1_000_000


def checked_spec(policy: Policy) -> str:
    """The YAML text of the policy as a spec."""
    spec = policy.spec
    (first, plan), *others = zip(spec.chain, policy.calls, strict=True)
    then = [_call(call, other) for call, other in others]
    goal = spec.objective
    tree = kept(
        {
            **_call(first, plan),
            "then": then or None,
            "architecture": spec.architecture,
            "stacks": flow_list(spec.stacks),
            "objective": flow(
                {
                    "goodput": _share(goal.goodput),
                    "amplification": goal.amplification,
                    "recover_within": _duration(goal.recover_within),
                }
            )
            or None,
        }
    )
    decided = {
        (*place, *path)
        for place, call in (((), first), *((("then", place), call) for place, (call, _) in enumerate(others)))
        for path in _decided(call)
    }
    return _marked(dump(tree, head=_HEAD), decided)


def _call(call: Call, plan: CallPlan) -> dict[str, Any]:
    traffic, latency, known = call.traffic, call.latency, plan.known
    places = plan.bulkhead.concurrent if plan.bulkhead else None
    return kept(
        {
            "caller": call.caller,
            "dependency": call.dependency,
            "operation": call.operation,
            "idempotent": call.idempotent,
            "idempotency_key": call.idempotency_key,
            # Each on a line of its own, so that what was decided can be marked.
            "traffic": kept(
                {
                    "rate": _rate(traffic.rate),
                    "quiet_rate": _rate(known.quiet_rate),
                    "instances": traffic.instances,
                }
            ),
            "latency": flow(
                {"p50": _duration(latency.p50), "p99": _duration(latency.p99), "p999": _duration(latency.p999)}
            ),
            "error_rate": _share(call.error_rate),
            "deadline": _duration(call.deadline),
            "criticality": call.criticality,
            "fallback": call.fallback or "none",
            "fallback_dependency": call.fallback_dependency,
            "recovery_time": _duration(known.recovery_time),
            "shards": call.shards,
            "hosts": call.hosts,
            "capacity": _rate(known.capacity),
            "quota": _rate(call.quota) if call.quota is not None else None,
            "hedge": call.hedge or None,
            "retried_by": flow_list(call.retried_by) if call.retried_by else None,
            # What is too long for the deadline is found again, by tries that the spec asks for; a timeout that it asks
            # for may not be.
            "timeout": _duration(plan.timeout.per_try) if plan.timeout.per_try <= call.deadline else None,
            "retries": _retries(plan.retry),
            "breaker": _breaker(plan.breaker) if plan.breaker else None,
            "bulkhead": kept({"concurrent": places}) if places and places <= _MOST_PLACES else None,
        }
    )


def _retries(plan: RetryPlan | None) -> dict[str, Any]:
    if plan is None:
        return {"attempts": 1}
    return kept(
        {
            "attempts": plan.attempts,
            "first_wait": _duration(plan.first_wait),
            "factor": int(plan.factor) if plan.factor == int(plan.factor) else plan.factor,
            "longest_wait": _duration(plan.longest_wait),
            "jitter": plan.jitter,
            "budget": _share(plan.budget),
            "on_open": plan.on_open or None,
        }
    )


def _breaker(plan: BreakerPlan) -> dict[str, Any]:
    return kept(
        {
            "window": plan.window,
            "size": _duration(plan.size) if plan.window == "time" else int(plan.size),
            "minimum_calls": plan.minimum_calls,
            "failure_ratio": _share(plan.failure_ratio),
            "slow_ratio": _share(plan.slow_ratio),
            "slow_after": _duration(plan.slow_after),
            "open_for": _duration(plan.open_for),
            "probes": plan.probes,
        }
    )


def _decided(call: Call) -> Iterator[Location]:
    """The keys that the call was asked without."""
    for key in ("fallback", "recovery_time", "capacity", "timeout"):
        if getattr(call, key) is None:
            yield (key,)
    if call.traffic.quiet_rate is None:
        yield ("traffic", "quiet_rate")
    if call.bulkhead is None:
        yield ("bulkhead", "concurrent")
    asked: Mapping[str, AskedRetries | AskedBreaker] = {
        "retries": call.retries or AskedRetries(),
        "breaker": call.breaker or AskedBreaker(),
    }
    for part, given in asked.items():
        for key in type(given).model_fields:
            if getattr(given, key) is None:
                yield (part, key)


def _marked(text: str, decided: set[Location]) -> str:
    """The text with a comment at the end of each line that begins with one of those keys."""
    import yaml  # noqa: PLC0415 - 40 ms that only rendering needs

    lines = text.splitlines()
    for place, line in _keys(yaml.compose(text, Loader=yaml.CSafeLoader), ()):
        if place in decided:
            lines[line] += _MARK
    return "\n".join(lines) + "\n"


def _keys(node: Any, place: Location) -> Iterator[tuple[Location, int]]:
    import yaml  # noqa: PLC0415 - as above

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, key.value)
            yield below, key.start_mark.line
            yield from _keys(value, below)
    if isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _keys(value, (*place, number))


def _duration(seconds: float | None) -> str | None:
    return None if seconds is None else spell_duration(seconds)


def _share(share: float | None) -> str | None:
    return None if share is None else spell_share(share)


def _rate(rate: float) -> str:
    """The rate in the first unit in which few digits say exactly it; `spell_rate` rounds, for people."""
    for unit, seconds in _UNITS.items():
        number = f"{Decimal(f'{rate * seconds:.6g}').normalize():f}"
        if float(number) / seconds == rate:
            return f"{number}/{unit}"
    return f"{Decimal(repr(rate)):f}/s"

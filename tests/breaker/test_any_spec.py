"""Whatever a spec says, it is refused in words, or what is decided keeps the laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfopen.source import BadInput, from_data
from halfopen_generators.breaker.formulas import blocked
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.openings import seen, usual_errors
from halfopen_generators.breaker.plan import CallPlan
from halfopen_generators.breaker.spec import AskedBreaker, AskedRetries, BreakerSpec, Call
from tests.breaker.support_design import KINDS, designed, dialects

__all__ = ["dialects"]
pytestmark = pytest.mark.usefixtures("dialects")

# Where every decision stands: at a key of a call, at a stack, or at how its parts lie around each other.
LEGAL = {
    "traffic.quiet_rate", "capacity", "recovery_time", "timeout", "retries", "bulkhead.concurrent", "quota", "hedge",
    "fallback", "shards", "layers", *(f"breaker.{key}" for key in (
        "size", "minimum_calls", "failure_ratio", "slow_ratio", "open_for", "probes")),
}  # fmt: skip


_duration = st.integers(1, 100_000).map(lambda millis: f"{millis}ms")
_short = st.sampled_from(["5ms", "40ms", "300ms", "1s"])
_long = st.sampled_from(["30ms", "500ms", "2s", "20s", "5m"])
_share = st.sampled_from(["0%", "0.1%", "1%", "20%", "50%", "100%"])
_rate = st.sampled_from(["3/h", "10/min", "2/s", "200/s", "50000/s", "10000000/s"])


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


_call = st.fixed_dictionaries(
    {
        "operation": st.sampled_from(["Charge", "get_it"]),
        "traffic": st.fixed_dictionaries(
            {"rate": _rate}, optional={"quiet_rate": _rate, "instances": st.sampled_from([1, 2, 7, 500])}
        ),
        "latency": st.fixed_dictionaries({"p50": _short, "p99": _long}, optional={"p999": _long}),
        "deadline": _long | _duration,
    },
    optional={
        "idempotent": st.booleans(),
        "idempotency_key": st.just("order_id"),
        "error_rate": _share,
        "criticality": st.sampled_from(["critical", "degradable"]),
        "fallback": st.sampled_from(["cache", "queue", "default", "none"]),
        "fallback_dependency": st.just("other"),
        "recovery_time": _long,
        "shards": st.sampled_from([1, 2, 50]),
        "hosts": st.integers(1, 5),
        "capacity": _rate,
        "quota": _rate,
        "hedge": st.booleans(),
        "retried_by": st.sampled_from([[], ["mesh"]]),
        "timeout": _short | _duration,
        "retries": some(attempts=st.integers(1, 6), first_wait=_short, factor=st.sampled_from([1, 1.5, 10]),
                        longest_wait=_short, jitter=st.sampled_from(["full", "none"]), budget=_share,
                        on_open=st.booleans()),
        "breaker": some(window=st.sampled_from(["time", "count"]), size=_long | st.integers(0, 200),
                        minimum_calls=st.integers(1, 500), failure_ratio=_share, slow_ratio=_share, slow_after=_short,
                        open_for=_long, probes=st.integers(0, 9)),
        "bulkhead": st.just({"concurrent": 9}),
    },
)  # fmt: skip


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """Any spec that the schema lets through, sensible or not."""
    first, *rest = draw(st.lists(_call, min_size=1, max_size=3))
    names = ["web", "checkout", "payment", "bank"]
    chain = [
        call | {"caller": names[place], "dependency": names[place + 1]} for place, call in enumerate([first, *rest])
    ]
    stacks = draw(st.lists(st.sampled_from(["resilience4j", "polly", "python", *KINDS]), min_size=1, max_size=4))
    return chain[0] | {"then": chain[1:], "stacks": stacks}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(specs())
def test_whatever_a_spec_says_it_is_refused_in_words_or_what_is_decided_keeps_the_laws(data: dict[str, Any]) -> None:
    try:
        policy = designed(from_data(data))
    except BadInput as refused:
        told_of = [bool(problem.message and problem.path) for problem in refused.problems]
    else:
        told_of = []
        for call, spec in zip(policy.calls, policy.spec.chain, strict=True):
            tries_keep_the_laws(call, spec)
            openings_keep_the_laws(call, spec)
        retrying = {share.kind for share in policy.shares if "retry" in share.parts}
        assert len(retrying) <= 1  # RES04
        places = {f"stacks[{number}]" for number in range(len(set(policy.spec.stacks)))}
        places |= LEGAL | {f"then[{number}].{key}" for number in range(len(policy.spec.then)) for key in LEGAL}
        assert {decision.about for decision in policy.decisions} <= places
        assert all(decision.because for decision in policy.decisions)
    assert all(told_of)


def tries_keep_the_laws(call: CallPlan, spec: Call) -> None:
    known, retry, wishes = call.known, call.retry, spec.retries or AskedRetries()
    assert 0 < call.timeout.per_try <= call.timeout.overall <= spec.deadline
    if retry and wishes.attempts is None:
        # NET03, RES05, RES04
        assert retry.attempts * call.timeout.per_try + sum(retry.waits) <= spec.deadline + 1e-6
        assert call.safety != "unsafe"
        assert not spec.retried_by
        assert retry.attempts > 1
    if retry and wishes.budget is None and known.rate < known.capacity:
        # RES19
        assert known.rate / known.capacity * (1 + retry.budget) < 1
    if call.hedge:
        assert retry
        assert call.safety != "unsafe"
        assert call.hedge.after < call.timeout.per_try


def openings_keep_the_laws(call: CallPlan, spec: Call) -> None:
    known, breaker, wishes = call.known, call.breaker, spec.breaker or AskedBreaker()
    assert breaker
    assert call.bulkhead
    if (wishes.size, wishes.window) == (None, None):
        # RES06, RES07
        held = breaker.size if breaker.window == "count" else seen(known, known.rate) * breaker.size
        assert breaker.minimum_calls <= held + 1e-9
    if wishes.probes is None:
        # RES09: one for each breaker at least, and no more than the dependency can do in that time if it can.
        many = breaker.probes * known.instances * known.shards
        assert breaker.probes == 1 or 1 < many <= known.capacity * breaker.open_for
    if wishes.failure_ratio is None:
        assert breaker.failure_ratio > usual_errors(known, call.timeout)
    if breaker.slow_after is not None and wishes.slow_after is None:
        assert breaker.slow_after <= call.timeout.per_try
    if spec.bulkhead is None and call.bulkhead.concurrent < 1_000_000:
        # RES14
        load = known.each * Latency.through(known.p50, known.p99, known.p999).mean
        assert call.bulkhead.concurrent >= known.each * known.p99
        assert blocked(call.bulkhead.concurrent, load) <= 1.001e-6
    if call.limit:
        assert spec.quota
        assert call.limit.rate * known.instances <= spec.quota * (1 + 1e-9)


def test_legal_places_are_keys_of_the_spec() -> None:
    for place in LEGAL - {"layers"}:
        schema = BreakerSpec.model_json_schema()
        keys = schema["properties"]
        for part in place.split("."):
            assert part in keys, place
            inner = keys[part].get("$ref") or next(
                (one["$ref"] for one in keys[part].get("anyOf", ()) if "$ref" in one), ""
            )
            keys = schema["$defs"].get(inner.rsplit("/", 1)[-1], {}).get("properties", {})

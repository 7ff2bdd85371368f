"""Any spec in which the user says what is so, and leaves all that a policy sets to be decided."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from halfopen.durations import spell_duration
from halfopen.quantities import spell_share
from halfopen_generators.breaker.spec import Stack

STACKS: tuple[Stack, ...] = ("resilience4j", "polly", "cockatiel", "failsafe-go", "python", "istio", "envoy", "grpc")
_digits = st.integers(1, 99)


@st.composite
def calls(draw: st.DrawFn, caller: str, dependency: str, inner: dict[str, Any] | None) -> dict[str, Any]:
    """One call, in whole milliseconds: slower than what is called further in, and with a later deadline."""
    p50, p99, deadline = draw(_digits) * 10 ** draw(st.integers(0, 3)), 1, 0
    if inner is not None:
        within = [inner["latency"]["p50"], inner["latency"]["p99"], inner["deadline"]]
        least, p99, deadline = (int(text.removesuffix("ms")) for text in within)
        p50 += least
    p99 = max(p99, p50 * draw(st.integers(1, 30)))
    rate = draw(_digits) * 10 ** draw(st.integers(0, 3))
    found: dict[str, Any] = {
        "caller": caller,
        "dependency": dependency,
        "operation": "DoIt",
        "traffic": {
            "rate": f"{rate}/{draw(st.sampled_from(['s', 'min', 'h']))}",
            "instances": draw(st.integers(1, 200)),
        },
        "latency": {"p50": f"{p50}ms", "p99": f"{p99}ms"},
        "deadline": f"{max(deadline + 1, p50) + draw(st.integers(0, 40)) * p50}ms",
    }
    if draw(st.booleans()):
        found["latency"]["p999"] = f"{p99 * draw(st.integers(1, 10))}ms"
    for key, values in {
        "idempotent": st.booleans(),
        "idempotency_key": st.sampled_from(["order_id", None]),
        "error_rate": st.integers(0, 100).map(lambda tenths: spell_share(tenths / 1000)),
        "criticality": st.sampled_from(["critical", "degradable"]),
        "fallback": st.sampled_from(["cache", "queue", "none", None]),
        "recovery_time": st.integers(1, 3600).map(lambda seconds: spell_duration(float(seconds))),
        "shards": st.integers(1, 50),
        "hosts": st.integers(1, 50),
        "hedge": st.booleans(),
    }.items():
        if draw(st.booleans()):
            found[key] = draw(values)
    return found


@st.composite
def undecided(draw: st.DrawFn) -> dict[str, Any]:
    """One call, or a chain of up to three whose deadlines get shorter inwards."""
    names = ["web", "checkout", "payment", "bank"][: draw(st.integers(2, 4))]
    chain: list[dict[str, Any]] = []
    for caller, dependency in reversed(list(pairwise(names))):
        chain.insert(0, draw(calls(caller, dependency, chain[0] if chain else None)))
    stacks = draw(st.lists(st.sampled_from(STACKS), min_size=1, max_size=3, unique=True))
    return {**chain[0], "then": chain[1:], "stacks": stacks}


_times = st.integers(1, 99).flatmap(lambda digits: st.sampled_from([f"{digits}ms", f"{digits * 50}ms", f"{digits}s"]))
_shares = st.integers(1, 100).map(lambda percent: f"{percent}%")


def _some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these keys."""
    return st.fixed_dictionaries({}, optional=values)


_retries = _some(
    attempts=st.integers(1, 10), first_wait=_times, factor=st.sampled_from([1, 1.5, 2, 3]), budget=_shares,
    jitter=st.sampled_from(["full", "none"]), on_open=st.booleans(),
)  # fmt: skip
_breakers = st.builds(
    lambda window, rest: {**window, **rest},
    st.sampled_from([{}, {"window": "time"}, {"window": "count"}, {"size": "10s"}, {"size": "90s"}, {"size": 20},
                     {"size": 500}]),
    _some(
        minimum_calls=st.integers(1, 2_000), failure_ratio=_shares, slow_ratio=_shares, slow_after=_times,
        open_for=_times, probes=st.sampled_from([0, 1, 3, 10, 500]), per_shard=st.booleans(),
    ),
)  # fmt: skip
_figures = _some(
    retries=_retries, breaker=_breakers, bulkhead=st.integers(1, 500).map(lambda places: {"concurrent": places}),
    retried_by=st.sampled_from([["mesh"], ["mesh", "gateway"]]), quota=st.integers(1, 500).map("{}/s".format),
    capacity=st.integers(1, 500).map("{}/s".format), timeout=st.integers(1, 10),
)  # fmt: skip


@st.composite
def asked(draw: st.DrawFn) -> dict[str, Any]:
    """A spec in which somebody has set figures, sensible or not; none that can't be true at once."""
    data = draw(undecided())
    chain = [{**call, **draw(_figures)} for call in [data, *data["then"]]]
    for call in chain:
        if "timeout" in call:
            whole = int(call["deadline"].removesuffix("ms"))
            least = int(call["latency"]["p50"].removesuffix("ms"))
            call["timeout"] = f"{max(least, whole * call['timeout'] // 10)}ms"
        if "failure_ratio" in call.get("breaker", {}):
            call.pop("error_rate", None)
    return {**chain[0], "then": chain[1:]}

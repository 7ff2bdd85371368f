"""The spec as checked is the policy: designed again, it comes out the same, and nothing of it is decided any more."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen_generators.breaker.checked_spec import checked_spec
from halfopen_generators.breaker.plan import Policy
from tests.breaker.designed import ALL, PAYMENT, changed, policy


def meant(of: Policy) -> tuple[object, ...]:
    """All of a policy but the words of the spec and the reasons."""
    return of.name, of.calls, of.shares, of.upstream, of.objective


@pytest.mark.parametrize("text", [PAYMENT, ALL])
def test_it_is_the_same_policy(text: str) -> None:
    before = policy(text)
    after = policy(checked_spec(before))
    assert meant(after) == meant(before)
    assert checked_spec(after).replace("  # decided", "") == checked_spec(before).replace("  # decided", "")


def test_what_is_filled_in_is_not_decided_again() -> None:
    again = policy(checked_spec(policy(PAYMENT)))
    about = {decision.about for decision in again.decisions}
    assert {
        "timeout",
        "breaker.size",
        "breaker.open_for",
        "bulkhead.concurrent",
        "capacity",
        "retries",
    } & about == set()


def test_what_was_decided_is_marked() -> None:
    marked = [line.split("#")[0].strip() for line in checked_spec(policy(PAYMENT)).splitlines() if "# decided" in line]
    assert marked == snapshot(
        [
            "quiet_rate: 20/s",
            "fallback: none",
            "capacity: 300/s",
            "timeout: 900ms",
            "attempts: 2",
            "first_wait: 100ms",
            "factor: 2",
            "longest_wait: 100ms",
            "jitter: full",
            "budget: 20%",
            "window: time",
            "size: 10s",
            "minimum_calls: 10",
            "failure_ratio: 50%",
            "open_for: 4500ms",
            "probes: 3",
            "concurrent: 13",
        ]
    )


def test_what_was_asked_is_not_marked() -> None:
    text = changed(PAYMENT, timeout="500ms", breaker={"open_for": "7s"}, retries={"attempts": 3}, capacity="1000/s")
    lines = checked_spec(policy(text)).splitlines()
    assert {"timeout: 500ms", "  open_for: 7s", "  attempts: 3", "capacity: 1000/s"} <= set(lines)


def test_tries_that_do_not_fit_are_kept() -> None:
    text = changed(PAYMENT, deadline="300ms", retries={"attempts": 5}, recovery_time=None)
    before = policy(text)
    assert before.call.retry is not None
    assert before.call.retry.attempts * before.call.timeout.per_try > before.call.deadline
    assert meant(policy(checked_spec(before))) == meant(before)


_millis = st.integers(1, 5_000)
_percent = st.integers(1, 100).map(lambda number: f"{number}%")
_rates = st.tuples(st.integers(1, 9_999), st.sampled_from(["s", "min", "h", "d"])).map(
    lambda pair: "{}/{}".format(*pair)
)


def _some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any choice of those keys."""
    return st.fixed_dictionaries({}, optional=keys)


def _durations(*numbers: int) -> list[str]:
    return [f"{number}ms" for number in sorted(numbers)]


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """A call that contradicts itself in nothing."""
    p50, p99, p999 = _durations(*draw(st.tuples(_millis, _millis, _millis)))
    deadline = draw(st.integers(int(p50[:-2]), 60_000))
    rate = draw(_rates)
    extra = draw(
        _some(
            idempotent=st.booleans(),
            idempotency_key=st.just("order_id"),
            error_rate=st.sampled_from(["0%", "0.1%", "0.37%"]),
            criticality=st.sampled_from(["critical", "degradable"]),
            fallback=st.sampled_from(["cache", "none"]),
            recovery_time=_millis.map(lambda number: f"{number}s"),
            shards=st.integers(1, 8),
            hosts=st.integers(1, 8),
            capacity=_rates,
            quota=_rates,
            hedge=st.booleans(),
            retried_by=st.just(["linkerd"]),
            timeout=st.integers(int(p50[:-2]), deadline).map(lambda number: f"{number}ms"),
            bulkhead=st.just({"concurrent": 12}),
            retries=_some(
                attempts=st.integers(1, 6), first_wait=st.just("70ms"), factor=st.sampled_from([1, 1.5, 3]),
                longest_wait=st.sampled_from(["70ms", "1s", "90s"]), jitter=st.sampled_from(["full", "none"]),
                budget=_percent, on_open=st.booleans(),
            ).filter(lambda keys: "longest_wait" not in keys or "first_wait" in keys),
            breaker=_some(
                size=st.sampled_from(["10s", "1500ms", 40]), minimum_calls=st.integers(1, 500), failure_ratio=_percent,
                slow_ratio=_percent, slow_after=st.just("333ms"), open_for=st.just("2500ms"), probes=st.integers(0, 9),
            ),
        )
    )  # fmt: skip
    return {
        "caller": "shop", "dependency": "pay", "operation": "Charge", "deadline": f"{deadline}ms",
        "traffic": {"rate": rate, "instances": draw(st.integers(1, 12))},
        "latency": {"p50": p50, "p99": p99, **({"p999": p999} if draw(st.booleans()) else {})}, **extra,
    }  # fmt: skip


@settings(deadline=None)
@given(first=calls(), second=calls())
def test_any_spec_comes_out_the_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    inner = {**second, "caller": "pay", "dependency": "bank"}
    before = policy(yaml.safe_dump({**first, "then": [inner], "stacks": ["polly", "istio"]}, sort_keys=False))
    text = checked_spec(before)
    assert meant(policy(text)) == meant(before)
    assert all(line == line.rstrip() for line in text.splitlines())

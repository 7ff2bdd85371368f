"""Policies to spell and to read back: one as it is designed for a payment, and any other."""

from __future__ import annotations

from hypothesis import strategies as st

from halfopen_generators.breaker.plan import (
    BreakerPlan,
    BulkheadPlan,
    CallPlan,
    HedgePlan,
    Known,
    LimitPlan,
    RetryPlan,
    TimeoutPlan,
)

LAYERS = ("fallback", "retry", "breaker", "limit", "bulkhead", "timeout")
KNOWN = Known(
    rate=200, quiet_rate=20, instances=6, p50=0.04, p99=0.25, p999=0.9, error_rate=0.002, recovery_time=45, shards=1,
    hosts=3, capacity=300,
)  # fmt: skip


TIMEOUT = TimeoutPlan(0.9, 2)
RETRY = RetryPlan(2, 0.1, 2, 0.1, "full", 0.2, ("unreached", "unavailable", "timeout"))
BREAKER = BreakerPlan("time", 10, 20, 0.5, None, None, 5, 3)
BULKHEAD = BulkheadPlan(13)


def call(
    *,
    timeout: TimeoutPlan = TIMEOUT,
    retry: RetryPlan | None = RETRY,
    breaker: BreakerPlan | None = BREAKER,
    bulkhead: BulkheadPlan | None = BULKHEAD,
    limit: LimitPlan | None = None,
    hedge: HedgePlan | None = None,
    known: Known = KNOWN,
) -> CallPlan:
    there = {"retry": retry, "breaker": breaker, "limit": limit, "bulkhead": bulkhead, "timeout": timeout}
    return CallPlan(
        caller="checkout", dependency="payment", operation="ChargeCard", location=(), safety="keyed", key="order_id",
        known=known, criticality="critical", fallback=None, fallback_dependency=None, retried_by=(), timeout=timeout,
        retry=retry, breaker=breaker, bulkhead=bulkhead, limit=limit, hedge=hedge,
        layers=tuple(layer for layer in LAYERS if there.get(layer)),
    )  # fmt: skip


_millis = st.integers(1, 60_000).map(lambda number: number / 1000)
_percent = st.integers(1, 100).map(lambda number: number / 100)


@st.composite
def calls(draw: st.DrawFn) -> CallPlan:
    """Any policy that can be designed: durations in whole milliseconds, shares in whole percents."""
    per_try = draw(_millis)
    first = draw(_millis)
    on = draw(st.sampled_from([("unreached",), ("unreached", "unavailable"), ("unreached", "unavailable", "timeout")]))
    factor, longest = draw(st.sampled_from([1, 1.5, 2, 3])), first + draw(st.sampled_from([0, 0.25, 10]))
    retry = RetryPlan(draw(st.integers(2, 5)), first, factor, longest, draw(st.sampled_from(["full", "none"])),
                      draw(_percent), on)  # fmt: skip
    slow = draw(st.booleans())
    window = draw(st.sampled_from(["time", "count"]))
    size = draw(st.integers(1, 600))
    breaker = BreakerPlan(window, size, draw(st.integers(1, size if window == "count" else 1000)), draw(_percent),
                          draw(_percent) if slow else None, draw(_millis) if slow else None, draw(_millis),
                          draw(st.integers(1, 50)))  # fmt: skip
    return call(
        timeout=TimeoutPlan(per_try, per_try + draw(_millis)),
        retry=draw(st.sampled_from([retry, None])),
        breaker=draw(st.sampled_from([breaker, None])),
        bulkhead=draw(st.sampled_from([BulkheadPlan(draw(st.integers(1, 1000))), None])),
        limit=draw(st.sampled_from([LimitPlan(draw(st.integers(1, 10_000))), None])),
        hedge=draw(st.sampled_from([HedgePlan(draw(_millis)), None])),
    )

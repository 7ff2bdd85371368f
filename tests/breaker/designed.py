"""Designed policies to write pages of, and a small study of each.

The dialects are faked: what a stack is able to play is all that a policy needs to know of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from halfopen.progress import Silent
from halfopen.registry import Options
from halfopen.source import parse_source, validate
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker import shares
from halfopen_generators.breaker.design import design
from halfopen_generators.breaker.dialects import Dialect
from halfopen_generators.breaker.plan import CallPlan, Kind, Layer, Policy
from halfopen_generators.breaker.simulation.study import Study, study
from halfopen_generators.breaker.spec import BreakerSpec, Stack

KINDS: dict[Kind, tuple[Stack, ...]] = {"mesh": ("envoy", "istio", "linkerd", "consul"), "channel": ("grpc",)}
PARTS: dict[Kind, frozenset[Layer]] = {
    "library": frozenset({"fallback", "retry", "breaker", "limit", "bulkhead", "timeout"}),
    "channel": frozenset({"retry", "timeout"}),
    "mesh": frozenset({"retry", "breaker", "limit", "bulkhead", "timeout"}),
}

PAYMENT = """\
caller: checkout
dependency: payment
operation: ChargeCard
idempotency_key: order_id
traffic: {rate: 200/s, instances: 6}
latency: {p50: 40ms, p99: 250ms, p999: 900ms}
error_rate: 0.2%
deadline: 2s
recovery_time: 45s
stacks: [resilience4j, istio, grpc]
"""
# Whatever a spec can say, said.
ALL = """\
caller: shop
dependency: catalog
operation: FindBooks
idempotent: true
traffic: {rate: 50/s, quiet_rate: 5/s, instances: 2}
latency: {p50: 10ms, p99: 90ms}
error_rate: 0.1%
deadline: 800ms
criticality: degradable
fallback: cache
fallback_dependency: redis
recovery_time: 30s
shards: 4
capacity: 120/s
quota: 100/s
hedge: true
objective: {goodput: 99%, amplification: 1.2, recover_within: 20s}
then:
  - caller: catalog
    dependency: pricing
    operation: GetPrice
    traffic: {rate: 50/s}
    latency: {p50: 5ms, p99: 40ms}
    deadline: 300ms
stacks: [envoy, linkerd, consul, polly, opossum, cockatiel, gobreaker, failsafe-go, python]
"""


def _dialect(stack: Stack) -> Dialect:
    kind = next((kind for kind, stacks in KINDS.items() if stack in stacks), "library")
    return Dialect(stack, kind, "1", PARTS[kind], _nothing, _nothing, lambda _: {})


def _nothing(_: CallPlan) -> tuple[Artifact, ...]:
    return ()


def policy(text: str) -> Policy:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares, "dialect", _dialect)
        source = parse_source(text, "payment.breaker.yaml")
        return design(validate(BreakerSpec, source), source, Options())


def changed(text: str, **keys: Any) -> str:
    """The spec with other values for some keys; None leaves a key out."""
    import yaml

    tree = {**yaml.safe_load(text), **keys}
    return yaml.safe_dump({key: value for key, value in tree.items() if value is not None}, sort_keys=False)


@cache
def studied(text: str, seeds: int = 2) -> Study:
    return study(policy(text).call, seeds, Silent())

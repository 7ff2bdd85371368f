"""Specs of a remote call, and what is decided for them, while it is no matter what a stack's files look like."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from halfopen.registry import Options
from halfopen.source import Source, from_data, parse_source, validate
from halfopen_generators.breaker.design import design
from halfopen_generators.breaker.plan import CallPlan, Policy
from halfopen_generators.breaker.spec import BreakerSpec

PAYMENT = """\
caller: checkout
dependency: payment
operation: ChargeCard
idempotent: false
idempotency_key: order_id
traffic: {rate: 200/s, instances: 6}
latency: {p50: 40ms, p99: 250ms, p999: 900ms}
error_rate: 0.2%
deadline: 2s
criticality: critical
fallback: null
recovery_time: 45s
shards: 1
stacks: [resilience4j, istio, grpc]
"""
KINDS = {"istio": "mesh", "envoy": "mesh", "linkerd": "mesh", "consul": "mesh", "grpc": "channel"}
PARTS = {
    "library": frozenset({"fallback", "retry", "breaker", "limit", "bulkhead", "timeout"}),
    "channel": frozenset({"retry", "timeout"}),
    "mesh": frozenset({"retry", "breaker", "limit", "bulkhead", "timeout"}),
}


def a_dialect(stack: str) -> Any:
    kind = KINDS.get(stack, "library")
    return SimpleNamespace(kind=kind, parts=PARTS[kind])


@pytest.fixture
def dialects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks that can do what their kind does."""
    monkeypatch.setattr("halfopen_generators.breaker.shares.dialect", a_dialect)


def designed(found: Source) -> Policy:
    return design(validate(BreakerSpec, found), found, Options())


def answered(text: str, folder: Path | None = None) -> Policy:
    """What is decided for that text; files it names lie in the folder."""
    found = parse_source(text)
    return designed(Source(found.data, None, text, found.lines, (folder.resolve(),) if folder else ()))


def asked(**keys: Any) -> CallPlan:
    """What is decided for the payment with these keys changed; None takes a key away."""
    data = parse_source(PAYMENT).data | keys
    return designed(from_data({key: value for key, value in data.items() if value is not None})).call

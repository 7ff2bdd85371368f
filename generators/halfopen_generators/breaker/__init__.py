"""Circuit breakers: one resilience intent for a call, spelled for every library and mesh, simulated before it ships."""

from __future__ import annotations

from halfopen.registry import Capability
from halfopen_generators.breaker.check import check
from halfopen_generators.breaker.design import design
from halfopen_generators.breaker.options import BreakerOptions
from halfopen_generators.breaker.render import render
from halfopen_generators.breaker.spec import BreakerSpec

capability = Capability(
    name="breaker",
    title="Design a circuit breaker",
    summary="Design timeout, retries, breaker and bulkhead of a remote call as one policy, spell it for each library "
    "and mesh, and simulate what it does in trouble.",
    tool="design_circuit_breaker",
    spec=BreakerSpec,
    options=BreakerOptions,
    design=design,
    decisions=lambda planned: planned.decisions,
    check=check,
    render=render,
    paths=("architecture",),
    file_suffixes=(".breaker.yaml", ".breaker.yml", ".breaker.json"),
    quick=BreakerOptions(seeds=1),
)

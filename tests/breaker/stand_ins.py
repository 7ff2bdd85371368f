"""Stacks that rules can be asked about before their dialect is there: what each can do, and nothing of its files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import pytest

from halfopen.vocabulary import Artifact
from halfopen_generators.breaker import shares, spoken
from halfopen_generators.breaker.dialects import MODULES, Dialect, dialect
from halfopen_generators.breaker.plan import CallPlan, Kind, Layer
from halfopen_generators.breaker.reading import Reading
from halfopen_generators.breaker.spec import Stack

ALL: frozenset[Layer] = frozenset({"fallback", "retry", "breaker", "limit", "bulkhead", "timeout"})
_ABLE: Mapping[Stack, tuple[Kind, frozenset[Layer]]] = {
    "resilience4j": ("library", ALL),
    "polly": ("library", ALL),
    "opossum": ("library", frozenset({"fallback", "breaker", "bulkhead", "timeout"})),
    "cockatiel": ("library", ALL - {"limit"}),
    "gobreaker": ("library", frozenset({"breaker"})),
    "failsafe-go": ("library", ALL),
    "python": ("library", ALL),
    "envoy": ("mesh", ALL - {"fallback"}),
    "istio": ("mesh", frozenset({"retry", "breaker", "bulkhead", "timeout"})),
    "linkerd": ("mesh", frozenset({"retry", "breaker", "timeout"})),
    "consul": ("mesh", frozenset({"retry", "breaker", "bulkhead", "timeout"})),
}


def fake(stack: Stack, parts: frozenset[Layer] | None = None) -> Dialect:
    """A dialect that writes nothing and leaves nothing unsaid."""
    kind, able = _ABLE[stack]

    def says(call: CallPlan) -> tuple[Artifact, ...]:
        del call
        return ()

    def read(texts: Mapping[str, str]) -> Reading:
        del texts
        return {}

    return Dialect(stack, kind, "none", parts if parts is not None else able, says, lambda _: (), read)


def known(stack: Stack) -> Dialect:
    """The dialect itself, where its module is there; else one that stands in for it."""
    there = find_spec(f"halfopen_generators.breaker.dialects.{MODULES[stack]}") is not None
    return dialect(stack) if there else fake(stack)


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stack can be named; of itself this does nothing once all modules are there."""
    for module in (shares, spoken):
        monkeypatch.setattr(module, "dialect", known)
